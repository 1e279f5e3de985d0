//! How AWS is asked about failed requests: when, how often, and for how much.

use std::time::Duration;

use super::text::{count, positive_duration, set, web_url};
use crate::io::config::file::{DurationText, EvidenceTable};
use crate::io::config::layer::Layer;
use crate::io::config::problem::Problems;
use crate::model::settings::EvidenceSettings;

/// CloudWatch takes 50 GetMetricData calls a second and region (its quota page), which
/// dashboards and other tools share.
const MAX_REQUESTS_PER_SECOND: u32 = 50;

/// CloudWatch keeps one-minute values for fifteen days and a question is held in memory:
/// a longer wait helps nobody.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads the table into `settings`.
pub(super) fn read(
    table: &Layer<'_, EvidenceTable>,
    settings: &mut EvidenceSettings,
    problems: &mut Problems,
) {
    let enabled = table.pick("enabled", |t| t.enabled.as_ref());
    set(&mut settings.enabled, enabled, |on| Ok(*on), problems);
    let first = table.pick("first_look", |t| t.first_look.as_ref());
    set(&mut settings.first_look, first, wait, problems);
    let settle = table.pick("settle", |t| t.settle.as_ref());
    set(&mut settings.settle, settle.clone(), wait, problems);
    if let Some(found) = settle
        && settings.settle < settings.first_look
    {
        problems.error(found.site.problem(
            "ends before `first_look`: the first look must come first; make it longer".to_owned(),
        ));
    }
    let cost = table.pick("max_daily_cost", |t| t.max_daily_cost.as_ref());
    set(
        &mut settings.max_daily_cost,
        cost,
        |dollars| price(*dollars),
        problems,
    );
    let rate = table.pick("max_requests_per_second", |t| {
        t.max_requests_per_second.as_ref()
    });
    set(
        &mut settings.max_requests_per_second,
        rate,
        |value| count(*value, 1, MAX_REQUESTS_PER_SECOND),
        problems,
    );
    let endpoint = table.pick("endpoint_url", |t| t.endpoint_url.as_ref());
    let url = |text: &String| web_url(text).map(|_| Some(text.clone()));
    set(&mut settings.endpoint_url, endpoint, url, problems);
}

fn wait(text: &DurationText) -> Result<Duration, String> {
    let wait = positive_duration(text)?;
    if wait <= LONGEST_WAIT {
        return Ok(wait);
    }
    Err(format!(
        "{:?} is more than a day; write \"10m\" or so",
        text.0
    ))
}

/// Dollars a day, zero included.
fn price(dollars: f64) -> Result<f64, String> {
    if dollars.is_finite() && dollars >= 0.0 {
        return Ok(dollars);
    }
    Err(format!(
        "{dollars} is no sum of money; write dollars a day such as 1.0, or 0 to ask for no metrics"
    ))
}
