//! Calls the CloudWatch API to read alarms, alarm tags and alarm states, and to write and delete
//! alarms.
//!
//! `fields` converts between the types of the SDK and the types of `domain`. Every write waits for
//! [`Pace::wait`], because CloudWatch accepts only three alarm writes a second per account and
//! region. `domain::alarm` decides what is written.

mod fields;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::types::{AlarmType, Dimension, MetricAlarm, StateValue, Tag};
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::peers::HeartbeatState;
use crate::domain::alarm::plan::ActualAlarm;
use crate::domain::alarm::reconciler::call::{NAMES_PER_CALL, PeerAlarm};
use crate::domain::alarm::{self, AlarmSpec};
use crate::io::aws::CallError;
use crate::io::cloudwatch::client::Api;

/// A rate limiter that allows three alarm writes a second, CloudWatch's limit per account and
/// region.
#[derive(Debug, Default)]
pub struct Pace {
    next: Mutex<Option<Instant>>,
}

/// Minimum time between two alarm writes: a third of a second, rounded up.
const WRITE_SPACING: Duration = Duration::from_millis(334);

/// Maximum number of alarms whose tags are read concurrently. Reading the tags of a thousand alarms
/// thus takes only seconds, and the request rate stays far below CloudWatch's limit.
const TAG_READS_AT_ONCE: usize = 4;

impl Pace {
    /// Waits until CloudWatch's rate limit allows the next write.
    pub async fn wait(&self) {
        let mut next = self.next.lock().await;
        let at = next.map_or_else(Instant::now, |next| next.max(Instant::now()));
        *next = Some(at + WRITE_SPACING);
        drop(next);
        tokio::time::sleep_until(at).await;
    }
}

/// Reads all alarms whose names start with the prefix of a location, without their tags. Composite
/// alarms are returned without a definition.
///
/// # Errors
/// Returns the error of the first call that failed.
pub async fn describe(api: &Api, location: &str) -> Result<Vec<ActualAlarm>, CallError> {
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
        alarms.extend(page.metric_alarms().iter().map(fields::actual));
        alarms.extend(page.composite_alarms().iter().map(|alarm| ActualAlarm {
            name: alarm.alarm_name().unwrap_or_default().to_owned(),
            arn: alarm.alarm_arn().unwrap_or_default().to_owned(),
            description: String::new(),
            tags: BTreeMap::new(),
            definition: None,
        }));
    }
    Ok(alarms)
}

/// Reads the tags of alarms and returns the alarms with their tags. Composite alarms are returned
/// without tags.
///
/// # Errors
/// Returns the error of the first call that failed.
pub async fn with_tags(api: &Api, alarms: Vec<ActualAlarm>) -> Result<Vec<ActualAlarm>, CallError> {
    futures_util::stream::iter(alarms)
        .map(|alarm| with_its_tags(api, alarm))
        .buffered(TAG_READS_AT_ONCE)
        .try_collect()
        .await
}

/// Creates an alarm with its tags, or overwrites the definition and description of an existing
/// alarm. CloudWatch ignores the tags if the alarm exists.
///
/// # Errors
/// Returns an error if the call failed.
pub async fn put(
    api: &Api,
    pace: &Pace,
    spec: &AlarmSpec,
    annotation: &Annotation,
) -> Result<(), CallError> {
    let request = fields::of_spec(api.writes.put_metric_alarm(), spec)
        .alarm_description(&annotation.description)
        .set_tags(Some(tags(&annotation.tags(spec))));
    pace.wait().await;
    api.settle("PutMetricAlarm", request.send().await).map(drop)
}

/// Overwrites the description of `alarm`. The request repeats the other fields as they were read,
/// so that changes by hand are kept.
///
/// # Errors
/// Returns an error if the call failed.
pub async fn put_description(
    api: &Api,
    pace: &Pace,
    alarm: &MetricAlarm,
    description: &str,
) -> Result<(), CallError> {
    let request = fields::of_alarm(api.writes.put_metric_alarm(), alarm);
    let request = request.alarm_description(description);
    pace.wait().await;
    api.settle("PutMetricAlarm", request.send().await).map(drop)
}

/// Sets the given tags of an alarm and keeps its other tags.
///
/// # Errors
/// Returns an error if the call failed.
pub async fn tag(
    api: &Api,
    pace: &Pace,
    arn: &str,
    pairs: &[(&'static str, String)],
) -> Result<(), CallError> {
    let request = api.writes.tag_resource().resource_arn(arn);
    let request = request.set_tags(Some(tags(pairs)));
    pace.wait().await;
    api.settle("TagResource", request.send().await).map(drop)
}

/// Reads one metric alarm by its name. Returns `None` if no metric alarm has this name.
///
/// # Errors
/// Returns an error if the call failed.
pub async fn one(api: &Api, name: &str) -> Result<Option<MetricAlarm>, CallError> {
    let request = api.writes.describe_alarms().alarm_names(name);
    let response = api.settle("DescribeAlarms", request.send().await)?;
    Ok(response.metric_alarms().first().cloned())
}

/// Reads the states of the named metric alarms. Alarms that do not exist are omitted.
///
/// # Errors
/// Returns the error of the first call that failed.
pub async fn states(
    api: &Api,
    names: &[String],
) -> Result<BTreeMap<String, HeartbeatState>, CallError> {
    let found = by_name(api, names).await?.into_iter();
    let states = found.filter_map(|alarm| {
        let state = match alarm.state_value {
            Some(StateValue::Ok) => HeartbeatState::Ok,
            Some(StateValue::Alarm) => HeartbeatState::Alarm,
            _ => HeartbeatState::Unknown,
        };
        Some((alarm.alarm_name?, state))
    });
    Ok(states.collect())
}

/// Reads the tags and the state of a metric alarm that another daemon may have written. Returns
/// `None` if no metric alarm has this name.
///
/// # Errors
/// Returns the error of the first call that failed.
pub async fn inspect(api: &Api, name: &str) -> Result<Option<PeerAlarm>, CallError> {
    let Some(alarm) = one(api, name).await? else {
        return Ok(None);
    };
    let arn = alarm.alarm_arn().unwrap_or_default().to_owned();
    Ok(Some(PeerAlarm {
        tags: tags_of(api, &arn).await?,
        firing: alarm.state_value() == Some(&StateValue::Alarm),
        arn,
    }))
}

/// Reads the named metric alarms with their tags. Alarms that do not exist are omitted.
///
/// # Errors
/// Returns the error of the first call that failed.
pub async fn named(api: &Api, names: &[String]) -> Result<Vec<ActualAlarm>, CallError> {
    let found = by_name(api, names).await?;
    with_tags(api, found.iter().map(fields::actual).collect()).await
}

/// Disables the actions of the named alarms. `names` contains at most [`NAMES_PER_CALL`] names.
///
/// # Errors
/// Returns an error if the call failed.
pub async fn disable_actions(api: &Api, pace: &Pace, names: &[String]) -> Result<(), CallError> {
    let request = api.writes.disable_alarm_actions();
    let request = request.set_alarm_names(Some(names.to_vec()));
    pace.wait().await;
    api.settle("DisableAlarmActions", request.send().await)
        .map(drop)
}

/// Deletes the named alarms. `names` contains at most [`NAMES_PER_CALL`] names.
///
/// # Errors
/// Returns an error if the call failed.
pub async fn delete(api: &Api, pace: &Pace, names: &[String]) -> Result<(), CallError> {
    let request = api.writes.delete_alarms();
    let request = request.set_alarm_names(Some(names.to_vec()));
    pace.wait().await;
    api.settle("DeleteAlarms", request.send().await).map(drop)
}

/// Builds a metric dimension of the SDK from its name and value.
#[must_use]
pub fn dimension(name: &str, value: &str) -> Dimension {
    Dimension::builder().name(name).value(value).build()
}

async fn by_name(api: &Api, names: &[String]) -> Result<Vec<MetricAlarm>, CallError> {
    let mut found = Vec::new();
    for names in names.chunks(NAMES_PER_CALL) {
        let request = api.writes.describe_alarms();
        let request = request.set_alarm_names(Some(names.to_vec()));
        // A page may contain fewer alarms than the request names. If only the first page were read,
        // the remaining alarms would appear not to exist.
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = api.settle("DescribeAlarms", page)?;
            found.extend(page.metric_alarms.unwrap_or_default());
        }
    }
    Ok(found)
}

async fn with_its_tags(api: &Api, mut alarm: ActualAlarm) -> Result<ActualAlarm, CallError> {
    if alarm.definition.is_none() {
        return Ok(alarm);
    }
    alarm.tags = tags_of(api, &alarm.arn).await?;
    Ok(alarm)
}

async fn tags_of(api: &Api, arn: &str) -> Result<BTreeMap<String, String>, CallError> {
    let request = api.reads.list_tags_for_resource().resource_arn(arn);
    let response = api.settle("ListTagsForResource", request.send().await)?;
    let tags = response.tags().iter();
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()));
    Ok(tags.filter_map(pair).collect())
}

fn tags(pairs: &[(&'static str, String)]) -> Vec<Tag> {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| Tag::builder().key(*key).value(value).build())
        .collect()
}

/// Returns the prefix of the names of a location's alarms, truncated to 255 characters,
/// CloudWatch's maximum.
fn prefix(location: &str) -> String {
    alarm::name_prefix(location).chars().take(255).collect()
}
