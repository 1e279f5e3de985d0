//! Reads `[target.alarm]` and `[target.cloudwatch]`, and checks them against the limits of
//! CloudWatch.

use std::time::Duration;

use super::destination;
use super::topics::{actions, check_region, region_of};
use crate::domain::alarm;
use crate::io::config::schema;
use crate::io::config::table::Table;
use crate::io::config::value::number::Bounded;
use crate::io::config::value::text::{MetricWord, MissingDataWord};
use crate::model::settings::CloudWatchSettings;
use crate::model::target::{AlarmSettings, CloudWatchMetric, Target};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Maximum time that all evaluation periods of an alarm may cover together, if a period is shorter
/// than an hour (API reference of PutMetricAlarm).
const MAX_SPAN: Duration = Duration::from_secs(24 * 60 * 60);

/// Maximum time that all evaluation periods of an alarm may cover together, if a period is an hour
/// or longer (API reference of PutMetricAlarm).
const MAX_SPAN_OF_HOURS: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Maximum value of `periods` and `datapoints`: the number of one-minute periods in a day, which is
/// the most that CloudWatch evaluates for metrics with the standard resolution.
const MAX_PERIODS: u32 = 1440;

/// Reads the `alarm` and `cloudwatch` tables of a target or of `[defaults]`.
pub(super) fn read(table: &Table<'_>, target: &mut Target, cloudwatch: &CloudWatchSettings) {
    let alarm = alarm_table(table);
    settings(&alarm, &mut target.alarm);
    let published = table.table("cloudwatch", schema::PUBLISHED);
    published.set::<bool>("enabled", &mut target.cloudwatch.enabled);
    let metrics = published.find("metrics");
    if let Some(metrics) = &metrics {
        let metrics = metrics.read_items::<MetricWord>();
        target.cloudwatch.metrics = metrics.into_iter().collect();
    }
    destination::choose(&published, &mut target.cloudwatch, cloudwatch);
    if let Some(list) = alarm.find("actions") {
        check_region(&list, region_of(cloudwatch, target));
    }
    if !target.cloudwatch.enabled || !target.alarm.enabled {
        return;
    }
    if cloudwatch.enabled {
        check_span(&alarm, target, cloudwatch);
    }
    if let Some(metrics) = metrics
        && !target.cloudwatch.metrics.contains(&CloudWatchMetric::Down)
    {
        metrics.place.error(
            "the alarm uses the metric \"Down\", which this list omits; add \"Down\", or set \
             `alarm.enabled = false`",
        );
    }
}

/// Returns the `alarm` table of a target or of `[defaults]`. Reports unknown keys.
pub(super) fn alarm_table<'a>(table: &Table<'a>) -> Table<'a> {
    table.table("alarm", schema::ALARM)
}

/// Returns whether the `alarm` table of a target or of `[defaults]` has a non-empty value for
/// `causes`, `cause_actions` or `owner_actions`.
pub(super) fn names_causes(table: &Table<'_>) -> bool {
    let alarm = alarm_table(table);
    let keys = ["causes", "cause_actions", "owner_actions"].into_iter();
    let mut values = keys.flat_map(|key| alarm.find_all(key));
    values.any(|value| !value.is_empty())
}

fn settings(table: &Table<'_>, settings: &mut AlarmSettings) {
    table.set::<bool>("enabled", &mut settings.enabled);
    table.set::<Bounded<1, MAX_PERIODS>>("periods", &mut settings.periods);
    table.set::<Bounded<1, MAX_PERIODS>>("datapoints", &mut settings.datapoints);
    let (datapoints, periods) = (settings.datapoints, settings.periods);
    if table.has("datapoints") && datapoints > periods {
        table.place_of("datapoints").error(format!(
            "{datapoints} datapoints cannot breach, because `periods` is {periods}; write at most \
             {periods} or raise `periods`"
        ));
    }
    table.set::<MissingDataWord>("missing", &mut settings.missing);
    if let Some(list) = table.find("actions") {
        settings.actions = Some(actions(&list));
    }
}

fn check_span(table: &Table<'_>, target: &Target, cloudwatch: &CloudWatchSettings) {
    let periods = target.alarm.periods;
    let seconds = alarm::period(target.interval, cloudwatch.resolution);
    let period = Duration::from_secs(u64::from(seconds));
    let (max, shown) = if period >= HOUR {
        (MAX_SPAN_OF_HOURS, "a week")
    } else {
        (MAX_SPAN, "a day")
    };
    let span = period.saturating_mul(periods);
    if span > max {
        table.place_of("periods").error(format!(
            "{periods} periods cover {}, but CloudWatch evaluates at most {shown}; reduce \
             `periods` or the `interval` of the target",
            humantime::format_duration(span),
        ));
    }
}
