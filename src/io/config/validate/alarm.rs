//! A target's alarm and metrics in CloudWatch, held against what CloudWatch accepts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::destination;
use super::text::{choice, count, set};
use super::topics::{actions, in_region, region_of};
use crate::domain::alarm;
use crate::io::config::file::{AlarmTable, TargetCloudWatchTable, TargetTable};
use crate::io::config::layer::Layer;
use crate::io::config::problem::Problems;
use crate::model::settings::CloudWatchSettings;
use crate::model::target::{
    AlarmSettings, CloudWatchMetric, MissingData, Target, TargetCloudWatch,
};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// CloudWatch looks back at most this far, period times evaluation periods, and where the
/// period is an hour or more as far as [`MAX_SPAN_OF_HOURS`] (PutMetricAlarm's reference).
const MAX_SPAN: Duration = Duration::from_secs(24 * 60 * 60);

/// See [`MAX_SPAN`].
const MAX_SPAN_OF_HOURS: Duration = Duration::from_secs(7 * 24 * 60 * 60);

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
    settings(&table, &mut target.alarm, problems);
    let published = layer.table("cloudwatch", |t| t.cloudwatch.as_ref());
    metrics(&published, &mut target.cloudwatch, problems);
    destination::choose(&published, &mut target.cloudwatch, cloudwatch, problems);
    if let Some(found) = table.pick("actions", |t| t.actions.as_ref()) {
        in_region(&found, region_of(cloudwatch, target), problems);
    }

    if cloudwatch.enabled && target.cloudwatch.enabled && target.alarm.enabled {
        span(&table, target, cloudwatch, problems);
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

/// Whether a target's table, or the defaults for it, say something of single causes.
pub(super) fn names_causes(layer: &Layer<'_, TargetTable>) -> bool {
    let table = layer.table("alarm", |t| t.alarm.as_ref());
    let filled = |table: &Option<BTreeMap<_, _>>| table.as_ref().is_some_and(|t| !t.is_empty());
    table.any(|t| {
        let causes = t.causes.as_ref().is_some_and(|causes| !causes.is_empty());
        causes || filled(&t.cause_actions) || filled(&t.owner_actions)
    })
}

fn span(
    table: &Layer<'_, AlarmTable>,
    target: &Target,
    cloudwatch: &CloudWatchSettings,
    problems: &mut Problems,
) {
    let periods = target.alarm.periods;
    let seconds = alarm::period(target.interval, cloudwatch.resolution);
    let period = Duration::from_secs(u64::from(seconds));
    let (most, words) = if period >= HOUR {
        (MAX_SPAN_OF_HOURS, "a week")
    } else {
        (MAX_SPAN, "a day")
    };
    let span = period.saturating_mul(periods);
    if span > most {
        let found = table.pick("periods", |t| t.periods.as_ref());
        let site = found.map_or_else(|| table.own_site().key("periods"), |found| found.site);
        problems.error(site.problem(format!(
            "{periods} periods span {}, and CloudWatch looks back at most {words}; \
             write fewer periods or a shorter interval",
            humantime::format_duration(span),
        )));
    }
}

fn settings(table: &Layer<'_, AlarmTable>, settings: &mut AlarmSettings, problems: &mut Problems) {
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
