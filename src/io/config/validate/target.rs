//! One target: its name, address, labels, times and thresholds, and its tables.
//!
//! Starts from `Target::with_defaults` and puts in what was written. Rules that need two
//! values at once (timeout and interval, timeout and integration timeout) stand here.

use std::time::Duration;

use url::Url;

use super::text::{count, duration, name, positive_duration, set, web_url};
use super::{alarm, auth, aws, expect, request, tls};
use crate::io::config::file::{HealthTable, TargetTable};
use crate::io::config::layer::Layer;
use crate::io::config::problem::Problems;
use crate::model::settings::CloudWatchSettings;
use crate::model::target::{HealthSettings, Target};

/// With the location it must fit into an alarm's name of 255 characters.
const MAX_NAME: usize = 128;

/// More often is load, not monitoring.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// An alarm looks at most a day back, so a rarer probe could never alarm.
const MAX_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// Bounds thresholds: a hundred failures in a row is no longer monitoring.
const MAX_THRESHOLD: u32 = 100;

/// Names that metrics already use for something else.
const RESERVED_LABELS: [&str; 12] = [
    "target",
    "location",
    "le",
    "phase",
    "cause",
    "certainty",
    "owner",
    "result",
    "reason",
    "state",
    "title",
    "version",
];

/// The target, if it has at least a name and a URL; reports what is wrong with it.
pub(super) fn read(
    layer: &Layer<'_, TargetTable>,
    cloudwatch: &CloudWatchSettings,
    problems: &mut Problems,
) -> Option<Target> {
    let name = read_name(layer, cloudwatch, problems);
    let url = read_url(layer, problems);
    // Without a URL the rest can still be judged; any will do, as the result is not used.
    let spare = || Url::parse("http://localhost/").ok();
    let mut target = Target::with_defaults(name.unwrap_or("?"), url.or_else(spare)?);
    labels(layer, &mut target, problems);
    times(layer, &mut target, problems);
    let request_table = layer.table("request", |t| t.request.as_ref());
    request::read(&request_table, &mut target.request, problems);
    tls::read(
        &layer.table("tls", |t| t.tls.as_ref()),
        &mut target.tls,
        problems,
    );
    expect::read(
        &layer.table("expect", |t| t.expect.as_ref()),
        &mut target.expect,
        problems,
    );
    health(
        &layer.table("health", |t| t.health.as_ref()),
        &mut target.health,
        problems,
    );
    target.auth = auth::read(layer.pick("auth", |t| t.auth.as_ref()), problems);
    aws::read(
        &layer.table("aws", |t| t.aws.as_ref()),
        &mut target.aws,
        problems,
    );
    alarm::read(layer, &mut target, cloudwatch, problems);
    compare_times(layer, &target, problems);
    Some(target)
}

fn read_name<'a>(
    layer: &Layer<'a, TargetTable>,
    cloudwatch: &CloudWatchSettings,
    problems: &mut Problems,
) -> Option<&'a str> {
    let Some(found) = layer.pick("name", |t| t.name.as_ref()) else {
        problems.error(
            layer
                .own_site()
                .problem("has no name; add name = \"orders\" or so"),
        );
        return None;
    };
    if found.value.starts_with('(') {
        // Names of what is not a target: `(heartbeat)`, `(prober)`.
        let message = "starts with a parenthesis, as names of the daemon's own do; rename it";
        problems.error(found.site.problem(message));
        return None;
    }
    if let Err(message) = name(found.value, MAX_NAME) {
        problems.error(found.site.problem(message));
        return None;
    }
    if cloudwatch.enabled && (!found.value.is_ascii() || found.value.starts_with(':')) {
        problems.error(found.site.problem(
            "CloudWatch takes only ASCII, without a colon in front, as a dimension; rename it",
        ));
    }
    Some(found.value)
}

fn read_url(layer: &Layer<'_, TargetTable>, problems: &mut Problems) -> Option<Url> {
    let Some(found) = layer.pick("url", |t| t.url.as_ref()) else {
        problems.error(
            layer
                .own_site()
                .problem("has no url; add url = \"https://example.com/\""),
        );
        return None;
    };
    match web_url(found.value) {
        Ok(url) => Some(url),
        Err(message) => {
            problems.error(found.site.problem(message));
            None
        }
    }
}

/// A target's labels join the default ones; the same name wins over them.
fn labels(layer: &Layer<'_, TargetTable>, target: &mut Target, problems: &mut Problems) {
    for found in layer.both("labels", |t| t.labels.as_ref()) {
        for (label, value) in found.value {
            match label_name(label) {
                Ok(()) => {
                    target.labels.insert(label.clone(), value.clone());
                }
                Err(message) => problems.error(found.site.key(label).problem(message)),
            }
        }
    }
}

fn label_name(label: &str) -> Result<(), String> {
    if RESERVED_LABELS.contains(&label) || label.starts_with("__") {
        return Err(format!(
            "the label {label:?} is used by the metrics themselves; choose another name"
        ));
    }
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if label.starts_with(first) && label.chars().all(rest) {
        return Ok(());
    }
    Err(format!(
        "{label:?} is not a Prometheus label; use letters, digits and underscores, no digit first"
    ))
}

fn times(layer: &Layer<'_, TargetTable>, target: &mut Target, problems: &mut Problems) {
    let interval = layer.pick("interval", |t| t.interval.as_ref());
    set(
        &mut target.interval,
        interval,
        |text| {
            let interval = duration(text)?;
            if interval < MIN_INTERVAL {
                return Err(format!("{:?} is too often; write \"1s\" or more", text.0));
            }
            if interval > MAX_INTERVAL {
                return Err(format!("{:?} is too rare; write \"24h\" or less", text.0));
            }
            Ok(interval)
        },
        problems,
    );
    let timeout = layer.pick("timeout", |t| t.timeout.as_ref());
    set(&mut target.timeout, timeout, positive_duration, problems);
    let confirm = layer.pick("confirm_after", |t| t.confirm_after.as_ref());
    set(&mut target.confirm_after, confirm, duration, problems);
}

fn compare_times(layer: &Layer<'_, TargetTable>, target: &Target, problems: &mut Problems) {
    let written = layer
        .pick("timeout", |t| t.timeout.as_ref())
        .map(|found| found.site);
    let site = written.unwrap_or_else(|| layer.own_site().key("timeout"));
    let timeout = humantime::format_duration(target.timeout);
    if let Some(limit) = target.aws.integration_timeout
        && target.timeout <= limit
    {
        problems.error(site.problem(format!(
            "{timeout} is no longer than aws.integration_timeout ({}), so the gateway's own \
             answer would never be seen; write \"{}\" or more",
            humantime::format_duration(limit),
            humantime::format_duration(limit.saturating_add(MARGIN)),
        )));
    }
    if target.timeout > target.interval {
        problems.warn(site.problem(format!(
            "{timeout} is longer than the interval ({}), so slow probes make the next one be \
             missed; lengthen the interval or shorten the timeout",
            humantime::format_duration(target.interval),
        )));
    }
}

/// What a probe needs beside the gateway's own limit: name, connection, TLS, the way back.
const MARGIN: Duration = Duration::from_secs(5);

fn health(table: &Layer<'_, HealthTable>, settings: &mut HealthSettings, problems: &mut Problems) {
    let failures = table.pick("consecutive_failures", |t| t.consecutive_failures.as_ref());
    let threshold = |value: &i64| count(*value, 1, MAX_THRESHOLD);
    set(
        &mut settings.consecutive_failures,
        failures,
        threshold,
        problems,
    );
    let successes = table.pick("consecutive_successes", |t| {
        t.consecutive_successes.as_ref()
    });
    set(
        &mut settings.consecutive_successes,
        successes,
        threshold,
        problems,
    );
}
