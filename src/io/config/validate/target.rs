//! Reads a `[[target]]`: the name, URL, labels, times, thresholds and subtables of a target.
//!
//! `Target::with_defaults` provides the values of absent keys. This module also checks the rules
//! that compare two times.

use std::time::Duration;

use url::Url;

use super::{alarm, auth, aws, expect, request, tls};
use crate::io::config::table::Table;
use crate::io::config::value::number::Bounded;
use crate::io::config::value::text::{HttpUrl, TargetNameText, check_label};
use crate::io::config::value::time::{AnyDuration, Interval, PositiveDuration};
use crate::model::settings::CloudWatchSettings;
use crate::model::target::Target;

/// The keys of `[[target]]`. `[defaults]` has all of them except the first two.
pub(super) const KEYS: [&str; 14] = [
    "name",
    "url",
    "labels",
    "interval",
    "timeout",
    "confirm_after",
    "request",
    "tls",
    "expect",
    "health",
    "auth",
    "aws",
    "alarm",
    "cloudwatch",
];

/// Maximum number of consecutive failures or successes that change the health of a target. A higher
/// threshold would hide an outage.
const MAX_THRESHOLD: u32 = 100;

/// The time that a suggested probe timeout adds to the integration timeout of the gateway, for DNS,
/// connection, TLS and the transfer of the response.
const MARGIN: Duration = Duration::from_secs(5);

/// The keys of `[defaults]`.
pub(super) fn default_keys() -> &'static [&'static str] {
    KEYS.get(2..).unwrap_or_default()
}

/// Reads a `[[target]]` table. Returns a target even after an error, so that other tables can refer
/// to the target by name.
pub(super) fn read(table: &Table<'_>, cloudwatch: &CloudWatchSettings) -> Option<Target> {
    let name = table.required::<TargetNameText>("name", "name = \"orders\"");
    let url = table.required::<HttpUrl>("url", "url = \"https://example.com/\"");
    if let Some(name) = &name
        && cloudwatch.enabled
        && (!name.is_ascii() || name.starts_with(':'))
    {
        table.place_of("name").error(
            "CloudWatch accepts only ASCII without a leading colon as a dimension; rename the \
             target",
        );
    }
    let name = name.as_deref().unwrap_or("?");
    read_tables(
        table,
        Target::with_defaults(name, url.or_else(any_url)?),
        cloudwatch,
    )
}

/// Reports what is wrong with `[defaults]` if there are no targets.
pub(super) fn read_defaults(defaults: &Table<'_>, cloudwatch: &CloudWatchSettings) {
    if let Some(url) = any_url() {
        read_tables(defaults, Target::with_defaults("?", url), cloudwatch);
    }
}

/// Returns a placeholder for a missing or wrong URL. The placeholder is never probed, because the
/// settings are not used after an error.
fn any_url() -> Option<Url> {
    Url::parse("http://localhost/").ok()
}

fn read_tables(
    table: &Table<'_>,
    mut target: Target,
    cloudwatch: &CloudWatchSettings,
) -> Option<Target> {
    labels(table, &mut target);
    table.set::<Interval>("interval", &mut target.interval);
    table.set::<PositiveDuration>("timeout", &mut target.timeout);
    table.set::<AnyDuration>("confirm_after", &mut target.confirm_after);
    request::read(&table.table("request", &request::KEYS), &mut target.request);
    tls::read(&table.table("tls", &tls::KEYS), &mut target.tls);
    expect::read(&table.table("expect", &expect::KEYS), &mut target.expect);
    health(table, &mut target);
    target.auth = table.find("auth").and_then(|value| auth::read(&value));
    aws::read(&table.table("aws", &aws::KEYS), &mut target.aws);
    alarm::read(table, &mut target, cloudwatch);
    compare_times(table, &target);
    Some(target)
}

fn labels(table: &Table<'_>, target: &mut Target) {
    for labels in table.find_all("labels") {
        for (label, value) in labels.entries() {
            let valid = value.place.check(check_label(label));
            if let (Some(()), Some(text)) = (valid, value.read::<String>()) {
                target.labels.insert(label.to_owned(), text);
            }
        }
    }
}

fn health(table: &Table<'_>, target: &mut Target) {
    const FAILURES: &str = "consecutive_failures";
    const SUCCESSES: &str = "consecutive_successes";
    let table = table.table("health", &[FAILURES, SUCCESSES]);
    let health = &mut target.health;
    table.set::<Bounded<1, MAX_THRESHOLD>>(FAILURES, &mut health.consecutive_failures);
    table.set::<Bounded<1, MAX_THRESHOLD>>(SUCCESSES, &mut health.consecutive_successes);
}

fn compare_times(table: &Table<'_>, target: &Target) {
    let timeout = humantime::format_duration(target.timeout);
    if let Some(limit) = target.aws.integration_timeout
        && target.timeout <= limit
    {
        table.place_of("timeout").error(format!(
            "{timeout} is not longer than aws.integration_timeout ({}), so the gateway's own \
             response would never be seen; write \"{}\" or more",
            humantime::format_duration(limit),
            humantime::format_duration(limit.saturating_add(MARGIN)),
        ));
    }
    if target.timeout > target.interval {
        table.place_of("timeout").warn(format!(
            "{timeout} is longer than the interval ({}), so a slow probe causes the next one to \
             be missed; use a longer interval or a shorter timeout",
            humantime::format_duration(target.interval),
        ));
    }
}
