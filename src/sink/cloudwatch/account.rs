//! The alarms of an account: read as values, written one at a time.
//!
//! Used by the daemon and by `probecause alarms` alike. What to write is decided by
//! `alarm::plan` and by the keeper; this file only speaks CloudWatch's language. Every
//! write goes through a pace, since CloudWatch takes three a second from an account.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::types::{
    ActionConfiguration, AlarmTagsPropagation, AlarmType, ComparisonOperator, Dimension,
    MetricAlarm, Statistic, Tag,
};
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::alarm::definition::{Definition, missing_as_str};
use crate::alarm::plan::ActualAlarm;
use crate::alarm::words::Words;
use crate::alarm::{self, AlarmSpec, Condition, MetricId};
use crate::sink::cloudwatch::client::{Api, CallError};

/// Spaces alarm writes out to three a second, CloudWatch's limit.
#[derive(Debug, Default)]
pub struct Pace {
    next: Mutex<Option<Instant>>,
}

/// Between two alarm writes: a third of a second, rounded up.
const WRITE_SPACING: Duration = Duration::from_millis(334);

/// Tags are read for this many alarms at once: a thousand alarms take seconds, and the
/// read rate stays far below the limit.
const TAG_READS_AT_ONCE: usize = 4;

/// Names that one call that removes or silences alarms may carry.
pub const NAMES_PER_CALL: usize = 100;

impl Pace {
    /// Waits for the next place.
    pub async fn wait(&self) {
        let mut next = self.next.lock().await;
        let at = next.map_or_else(Instant::now, |next| next.max(Instant::now()));
        *next = Some(at + WRITE_SPACING);
        drop(next);
        tokio::time::sleep_until(at).await;
    }
}

/// Reads every alarm whose name begins like one of a location's, with its tags.
///
/// # Errors
/// The first call that failed.
pub async fn read(api: &Api, location: &str) -> Result<Vec<ActualAlarm>, CallError> {
    let mut pages = api
        .reads
        .describe_alarms()
        .alarm_name_prefix(prefix(location))
        .alarm_types(AlarmType::MetricAlarm)
        .alarm_types(AlarmType::CompositeAlarm)
        .into_paginator()
        .send();
    let mut alarms = Vec::new();
    while let Some(page) = pages.next().await {
        let page = api.settle("DescribeAlarms", page)?;
        alarms.extend(page.metric_alarms().iter().map(metric_alarm));
        alarms.extend(page.composite_alarms().iter().map(|alarm| ActualAlarm {
            name: alarm.alarm_name().unwrap_or_default().to_owned(),
            arn: alarm.alarm_arn().unwrap_or_default().to_owned(),
            description: String::new(),
            tags: BTreeMap::new(),
            definition: None,
        }));
    }
    futures_util::stream::iter(alarms)
        .map(|alarm| with_tags(api, alarm))
        .buffered(TAG_READS_AT_ONCE)
        .try_collect()
        .await
}

/// Creates an alarm, or overwrites its whole definition and description. Tags are only
/// taken when it is created.
///
/// # Errors
/// If the call failed.
pub async fn put(api: &Api, pace: &Pace, spec: &AlarmSpec, words: &Words) -> Result<(), CallError> {
    let propagation = AlarmTagsPropagation::builder().enabled(true).build();
    let dimensions = spec.metric.dimensions.iter();
    let request = api
        .writes
        .put_metric_alarm()
        .alarm_name(&spec.name)
        .alarm_description(&words.description)
        .namespace(&spec.metric.namespace)
        .metric_name(&spec.metric.name)
        .set_dimensions(Some(dimensions.map(|(k, v)| dimension(k, v)).collect()))
        .statistic(Statistic::Maximum)
        .comparison_operator(match spec.condition {
            Condition::AtLeastOne => ComparisonOperator::GreaterThanOrEqualToThreshold,
            Condition::LessThanOne => ComparisonOperator::LessThanThreshold,
        })
        .threshold(1.0)
        .period(signed(spec.period))
        .evaluation_periods(signed(spec.evaluation_periods))
        .datapoints_to_alarm(signed(spec.datapoints_to_alarm))
        .treat_missing_data(missing_as_str(spec.missing))
        .set_alarm_actions(Some(spec.actions.clone()))
        .set_ok_actions(Some(spec.actions.clone()))
        .actions_enabled(spec.actions_enabled)
        .action_configuration(
            ActionConfiguration::builder()
                .alarm_tags_propagation(propagation)
                .build(),
        )
        .set_tags(Some(tags(spec, words)));
    pace.wait().await;
    api.settle("PutMetricAlarm", request.send().await).map(drop)
}

/// Writes every tag of an alarm that exists.
///
/// # Errors
/// If the call failed.
pub async fn tag(
    api: &Api,
    pace: &Pace,
    arn: &str,
    spec: &AlarmSpec,
    words: &Words,
) -> Result<(), CallError> {
    let request = api.writes.tag_resource().resource_arn(arn);
    let request = request.set_tags(Some(tags(spec, words)));
    pace.wait().await;
    api.settle("TagResource", request.send().await).map(drop)
}

/// The ARN of an alarm by its name; `None`: there is no such alarm.
///
/// # Errors
/// If the call failed.
pub async fn arn(api: &Api, name: &str) -> Result<Option<String>, CallError> {
    let request = api.writes.describe_alarms().alarm_names(name);
    let answer = api.settle("DescribeAlarms", request.send().await)?;
    let alarm = answer.metric_alarms().first();
    Ok(alarm.and_then(|alarm| alarm.alarm_arn().map(ToOwned::to_owned)))
}

/// Writes a definition over an alarm that exists, and keeps what it says about the cause.
///
/// # Errors
/// The first call that failed; the definition's tag is written last, so that a plan
/// after a failure finds the difference again.
pub async fn update(
    api: &Api,
    pace: &Pace,
    spec: &AlarmSpec,
    actual: &ActualAlarm,
) -> Result<(), CallError> {
    let words = Words::kept(spec, &actual.tags, &actual.description);
    put(api, pace, spec, &words).await?;
    tag(api, pace, &actual.arn, spec, &words).await
}

/// Keeps alarms from telling anybody, at most [`NAMES_PER_CALL`] at once.
///
/// # Errors
/// If the call failed.
pub async fn silence(api: &Api, pace: &Pace, names: &[String]) -> Result<(), CallError> {
    let request = api.writes.disable_alarm_actions();
    let request = request.set_alarm_names(Some(names.to_vec()));
    pace.wait().await;
    api.settle("DisableAlarmActions", request.send().await)
        .map(drop)
}

/// Removes alarms, at most [`NAMES_PER_CALL`] at once.
///
/// # Errors
/// If the call failed.
pub async fn remove(api: &Api, pace: &Pace, names: &[String]) -> Result<(), CallError> {
    let request = api.writes.delete_alarms();
    let request = request.set_alarm_names(Some(names.to_vec()));
    pace.wait().await;
    api.settle("DeleteAlarms", request.send().await).map(drop)
}

/// A dimension of a metric.
pub(super) fn dimension(name: &str, value: &str) -> Dimension {
    Dimension::builder().name(name).value(value).build()
}

async fn with_tags(api: &Api, mut alarm: ActualAlarm) -> Result<ActualAlarm, CallError> {
    if alarm.definition.is_none() {
        return Ok(alarm);
    }
    let request = api.reads.list_tags_for_resource().resource_arn(&alarm.arn);
    let answer = api.settle("ListTagsForResource", request.send().await)?;
    let tags = answer.tags().iter();
    alarm.tags = tags
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
        .collect();
    Ok(alarm)
}

fn metric_alarm(alarm: &MetricAlarm) -> ActualAlarm {
    ActualAlarm {
        name: alarm.alarm_name().unwrap_or_default().to_owned(),
        arn: alarm.alarm_arn().unwrap_or_default().to_owned(),
        description: alarm.alarm_description().unwrap_or_default().to_owned(),
        tags: BTreeMap::new(),
        definition: Some(Definition {
            metric: metric(alarm),
            statistic: alarm
                .statistic()
                .map_or_else(String::new, |statistic| statistic.as_str().to_owned()),
            comparison: alarm
                .comparison_operator()
                .map_or_else(String::new, |operator| operator.as_str().to_owned()),
            threshold: alarm.threshold().unwrap_or_default(),
            period: unsigned(alarm.period()),
            evaluation_periods: unsigned(alarm.evaluation_periods()),
            datapoints_to_alarm: unsigned(alarm.datapoints_to_alarm()),
            missing: alarm.treat_missing_data().unwrap_or("missing").to_owned(),
            alarm_actions: alarm.alarm_actions().to_vec(),
            ok_actions: alarm.ok_actions().to_vec(),
            actions_enabled: alarm.actions_enabled().unwrap_or(true),
            propagates_tags: alarm
                .action_configuration()
                .and_then(ActionConfiguration::alarm_tags_propagation)
                .and_then(AlarmTagsPropagation::enabled),
        }),
    }
}

fn metric(alarm: &MetricAlarm) -> Option<MetricId> {
    let dimensions = alarm.dimensions().iter();
    Some(MetricId {
        namespace: alarm.namespace()?.to_owned(),
        name: alarm.metric_name()?.to_owned(),
        dimensions: dimensions
            .filter_map(|d| Some((d.name()?.to_owned(), d.value()?.to_owned())))
            .collect(),
    })
}

fn tags(spec: &AlarmSpec, words: &Words) -> Vec<Tag> {
    let tags = words.tags(spec).into_iter();
    tags.map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

/// CloudWatch takes at most 255 characters as a prefix.
fn prefix(location: &str) -> String {
    alarm::name_prefix(location).chars().take(255).collect()
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn unsigned(number: Option<i32>) -> u32 {
    number
        .and_then(|number| u32::try_from(number).ok())
        .unwrap_or_default()
}
