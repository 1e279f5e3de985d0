//! Reads a `[[target]]`: the labels, durations, thresholds and subtables of a target.
//!
//! `Target::with_defaults` provides the values of absent keys. This module also compares the
//! timeout with the interval, with the integration timeout and with `slower_than`.

use std::time::Duration;

use url::Url;

use super::{alarm, auth, aws, endpoint, expect, layer, request, tls};
use crate::io::config::schema;
use crate::io::config::table::{Table, Value};
use crate::io::config::value::number::Bounded;
use crate::io::config::value::text::{LabelText, TargetNameText, check_label};
use crate::io::config::value::time::{AnyDuration, Interval, PositiveDuration};
use crate::model::settings::CloudWatchSettings;
use crate::model::target::{RequestSettings, Target};

/// Maximum value of `consecutive_failures` and `consecutive_successes`. A higher threshold would
/// hide an outage or a recovery.
const MAX_THRESHOLD: u32 = 100;

/// The time added to the integration timeout of the gateway in a suggested probe timeout. The added
/// time covers DNS, connection, TLS and the transfer of the response.
const MARGIN: Duration = Duration::from_secs(5);

/// Reads the tables of a `[[target]]` and returns a target with the given name and URL.
pub(super) fn read(
    table: &Table<'_>,
    name: &str,
    url: Url,
    cloudwatch: &CloudWatchSettings,
) -> Target {
    let target = read_tables(table, Target::with_defaults(name, url), cloudwatch);
    compare_times(table, &target);
    request::check_connect_to(table, &target);
    target
}

/// Reads the tables of a target that was found in an AWS account. If the timeout of `[defaults]` is
/// too short for the integration timeout, the target gets a longer one, because nobody can edit
/// the target. The method is GET and the body is empty, whatever `[defaults]` contains, because only
/// GET routes are probed without a review.
pub(super) fn read_discovered(
    table: &Table<'_>,
    name: &str,
    url: Url,
    cloudwatch: &CloudWatchSettings,
) -> Target {
    let mut target = read_tables(table, Target::with_defaults(name, url), cloudwatch);
    if let Some(limit) = target.aws.integration_timeout {
        target.timeout = target.timeout.max(limit.saturating_add(MARGIN));
    }
    let RequestSettings { method, body, .. } = RequestSettings::default();
    target.request.method = method;
    target.request.body = body;
    request::check_connect_to(table, &target);
    target
}

/// Reports the problems of a target that is not written as `[[target]]` but, for example, as
/// `[target]` or `[[targets]]`.
pub(super) fn check(value: &Value<'_>, defaults: &Table<'_>, cloudwatch: &CloudWatchSettings) {
    let Some(table) = value.table(schema::TARGET) else {
        return;
    };
    table.get::<TargetNameText>("name");
    let urls = table.find("urls");
    let urls = urls
        .iter()
        .filter(|urls| urls.is_list())
        .flat_map(Value::items);
    for url in table.find("url").into_iter().chain(urls) {
        endpoint::url_of(&url);
    }
    read_defaults(&table.with_defaults(defaults), cloudwatch);
}

/// Reads the tables of a target only to report their problems. Used for `[defaults]` if there are
/// no targets, and for tables such as `[target]` or `[[targets]]`.
pub(super) fn read_defaults(defaults: &Table<'_>, cloudwatch: &CloudWatchSettings) {
    if let Some(url) = endpoint::any_url() {
        let target = read_tables(defaults, Target::with_defaults("?", url), cloudwatch);
        compare_times(defaults, &target);
    }
}

fn read_tables(table: &Table<'_>, mut target: Target, cloudwatch: &CloudWatchSettings) -> Target {
    labels(table, &mut target);
    table.set::<Interval>("interval", &mut target.interval);
    table.set::<PositiveDuration>("timeout", &mut target.timeout);
    table.set::<AnyDuration>("confirm_after", &mut target.confirm_after);
    request::read(
        &table.table("request", schema::REQUEST),
        &mut target.request,
    );
    tls::read(&table.table("tls", schema::TLS), &mut target.tls);
    let expect = table.table("expect", schema::EXPECT);
    if target.tls.accept_any_certificate && !expect.has("certificate_days") {
        // With `tls.verify = false`, even an expired certificate is accepted, so the remaining
        // lifetime is not checked by default.
        target.expect.certificate_days = None;
    }
    expect::read(&expect, &mut target.expect);
    health(table, &mut target);
    target.auth = table.find("auth").and_then(|value| auth::read(&value));
    aws::read(&table.table("aws", schema::AWS), &mut target.aws);
    alarm::read(table, &mut target, cloudwatch);
    layer::read(table, &mut target);
    table.set::<bool>("ask_for_cause", &mut target.ask_for_cause);
    target
}

fn labels(table: &Table<'_>, target: &mut Target) {
    for labels in table.find_all("labels") {
        for (label, value) in labels.entries() {
            let valid = value.place.check(check_label(label));
            if let (Some(()), Some(text)) = (valid, value.read::<LabelText>()) {
                target.labels.insert(label.to_owned(), text);
            }
        }
    }
}

fn health(table: &Table<'_>, target: &mut Target) {
    let table = table.table("health", schema::HEALTH);
    let health = &mut target.health;
    table
        .set::<Bounded<1, MAX_THRESHOLD>>("consecutive_failures", &mut health.consecutive_failures);
    table.set::<Bounded<1, MAX_THRESHOLD>>(
        "consecutive_successes",
        &mut health.consecutive_successes,
    );
}

fn compare_times(table: &Table<'_>, target: &Target) {
    let expect = table.table("expect", schema::EXPECT);
    let timeout = humantime::format_duration(target.timeout);
    if let Some(limit) = target.aws.integration_timeout
        && target.timeout <= limit
    {
        table.place_of("timeout").error(format!(
            "{timeout} is not longer than `aws.integration_timeout` ({}), so a probe ends before \
             the gateway responds to an integration timeout; raise `timeout`, for example to \"{}\"",
            humantime::format_duration(limit),
            humantime::format_duration(limit.saturating_add(MARGIN)),
        ));
    }
    if let Some(limit) = target.expect.slower_than
        && limit >= target.timeout
    {
        expect.place_of("slower_than").warn(format!(
            "{} is not shorter than the timeout ({timeout}), so a slow probe times out before it \
             counts as degraded; write a shorter duration or raise `timeout`",
            humantime::format_duration(limit),
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
