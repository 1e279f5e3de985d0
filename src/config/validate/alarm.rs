//! A target's alarm and metrics in CloudWatch, held against what CloudWatch accepts.

use std::collections::BTreeSet;
use std::time::Duration;

use super::text::{arn, choice, count, set};
use crate::config::file::{AlarmTable, TargetCloudWatchTable, TargetTable};
use crate::config::layer::{Found, Layer};
use crate::config::problem::Problems;
use crate::settings::CloudWatchSettings;
use crate::target::{AlarmSettings, CloudWatchMetric, MissingData, Target, TargetCloudWatch};

/// CloudWatch takes at most five actions for each state of an alarm.
const MAX_ACTIONS: usize = 5;

/// CloudWatch looks back at most this far: period times evaluation periods.
const MAX_SPAN: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest period of standard metrics is a minute, which gives this many in a day.
const MAX_PERIODS: u32 = 1440;

const MISSING: [(&str, MissingData); 4] = [
    ("ignore", MissingData::Ignore),
    ("breaching", MissingData::Breaching),
    ("not-breaching", MissingData::NotBreaching),
    ("missing", MissingData::Missing),
];

/// Reads both tables into the target.
pub(super) fn read(
    layer: &Layer<'_, TargetTable>,
    target: &mut Target,
    cloudwatch: &CloudWatchSettings,
    problems: &mut Problems,
) {
    let table = layer.table("alarm", |t| t.alarm.as_ref());
    alarm(&table, &mut target.alarm, problems);
    let published = layer.table("cloudwatch", |t| t.cloudwatch.as_ref());
    metrics(&published, &mut target.cloudwatch, problems);

    let periods = target.alarm.periods;
    let span = period(target.interval, cloudwatch.resolution).saturating_mul(periods);
    if span > MAX_SPAN {
        let site = table
            .pick("periods", |t| t.periods.as_ref())
            .map(|found| found.site);
        let site = site.unwrap_or_else(|| table.own_site().key("periods"));
        problems.error(site.problem(format!(
            "{periods} periods span {}, and CloudWatch looks back at most a day; \
             write fewer periods or a shorter interval",
            humantime::format_duration(span),
        )));
    }
    if let Some(found) = published.pick("metrics", |t| t.metrics.as_ref())
        && target.alarm.enabled
        && target.cloudwatch.enabled
        && !target.cloudwatch.metrics.contains(&CloudWatchMetric::Down)
    {
        problems.error(found.site.problem(
            "the alarm watches \"Down\", which is not in the list; add it or set alarm.enabled = false",
        ));
    }
}

/// The ARNs of a list that CloudWatch would take.
pub(super) fn actions(found: &Found<'_, Vec<String>>, problems: &mut Problems) -> Vec<String> {
    if found.value.len() > MAX_ACTIONS {
        problems.error(found.site.problem(format!(
            "{} actions, and CloudWatch takes {MAX_ACTIONS}; let one topic tell several",
            found.value.len()
        )));
    }
    for (index, text) in found.value.iter().enumerate() {
        if let Err(message) = arn(text) {
            problems.error(found.site.index(index).problem(message));
        }
    }
    found.value.clone()
}

fn alarm(table: &Layer<'_, AlarmTable>, settings: &mut AlarmSettings, problems: &mut Problems) {
    let enabled = table.pick("enabled", |t| t.enabled.as_ref());
    set(&mut settings.enabled, enabled, |on| Ok(*on), problems);
    let number = |value: &i64| count(*value, 1, MAX_PERIODS);
    let periods = table.pick("periods", |t| t.periods.as_ref());
    set(&mut settings.periods, periods, number, problems);
    let datapoints = table.pick("datapoints", |t| t.datapoints.as_ref());
    set(
        &mut settings.datapoints,
        datapoints.clone(),
        number,
        problems,
    );
    if let Some(found) = datapoints
        && settings.datapoints > settings.periods
    {
        problems.error(found.site.problem(format!(
            "{} datapoints cannot breach in {} periods; write a number from 1 to periods",
            settings.datapoints, settings.periods
        )));
    }
    let missing = table.pick("missing", |t| t.missing.as_ref());
    set(
        &mut settings.missing,
        missing,
        |text| choice(text, &MISSING),
        problems,
    );
    if let Some(found) = table.pick("actions", |t| t.actions.as_ref()) {
        settings.actions = Some(actions(&found, problems));
    }
}

fn metrics(
    table: &Layer<'_, TargetCloudWatchTable>,
    settings: &mut TargetCloudWatch,
    problems: &mut Problems,
) {
    let enabled = table.pick("enabled", |t| t.enabled.as_ref());
    set(&mut settings.enabled, enabled, |on| Ok(*on), problems);
    let Some(found) = table.pick("metrics", |t| t.metrics.as_ref()) else {
        return;
    };
    let choices = CloudWatchMetric::ALL.map(|metric| (metric.as_str(), metric));
    let mut metrics = BTreeSet::new();
    for (index, word) in found.value.iter().enumerate() {
        match choice(word, &choices) {
            Ok(metric) => {
                metrics.insert(metric);
            }
            Err(message) => problems.error(found.site.index(index).problem(message)),
        }
    }
    settings.metrics = metrics;
}

/// The alarm's period: the interval rounded up to what CloudWatch offers.
fn period(interval: Duration, resolution: Duration) -> Duration {
    let minute = Duration::from_secs(60);
    let short = [10, 20, 30].map(Duration::from_secs);
    if resolution < minute
        && let Some(period) = short.into_iter().find(|period| interval <= *period)
    {
        return period;
    }
    let seconds = interval.as_secs() + u64::from(interval.subsec_nanos() > 0);
    Duration::from_secs(seconds.div_ceil(60).max(1) * 60)
}
