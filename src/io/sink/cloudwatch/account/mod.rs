//! The alarms of an account: read as values, written one at a time.
//!
//! Used by the daemon and by `probecause alarms` alike. What to write is decided by
//! `alarm::plan` and by the keeper; this file and `fields` only speak CloudWatch's
//! language. Every write goes through a pace, since CloudWatch takes three a second from
//! an account.

mod fields;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_cloudwatch::types::{AlarmType, Dimension, MetricAlarm, StateValue, Tag};
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::domain::alarm::annotation::{Annotation, DEFINITION_TAG};
use crate::domain::alarm::plan::ActualAlarm;
use crate::domain::alarm::{self, AlarmSpec};
use crate::io::sink::cloudwatch::client::{Api, CallError};

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

/// In place of a fingerprint: silenced by us, so unlike any definition.
pub(super) const DISOWNED: &str = "silenced";

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
    let alarms = describe(api, location).await?;
    with_tags(api, alarms).await
}

/// Reads the same alarms without their tags: one call for a hundred alarms instead of one
/// for each.
///
/// # Errors
/// The first call that failed.
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

/// Reads the tags of alarms.
///
/// # Errors
/// The first call that failed.
pub async fn with_tags(api: &Api, alarms: Vec<ActualAlarm>) -> Result<Vec<ActualAlarm>, CallError> {
    futures_util::stream::iter(alarms)
        .map(|alarm| with_its_tags(api, alarm))
        .buffered(TAG_READS_AT_ONCE)
        .try_collect()
        .await
}

/// Creates an alarm, or overwrites its whole definition and description. Tags are only
/// taken when it is created.
///
/// # Errors
/// If the call failed.
pub async fn put(
    api: &Api,
    pace: &Pace,
    spec: &AlarmSpec,
    words: &Annotation,
) -> Result<(), CallError> {
    let request = fields::of_spec(api.writes.put_metric_alarm(), spec)
        .alarm_description(&words.description)
        .set_tags(Some(tags(spec, words)));
    pace.wait().await;
    api.settle("PutMetricAlarm", request.send().await).map(drop)
}

/// Overwrites an alarm's description, and leaves every other field as it was just read:
/// what somebody changed by hand survives.
///
/// # Errors
/// If the call failed.
pub async fn put_words(
    api: &Api,
    pace: &Pace,
    alarm: &MetricAlarm,
    words: &Annotation,
) -> Result<(), CallError> {
    let request = fields::of_alarm(api.writes.put_metric_alarm(), alarm);
    let request = request.alarm_description(&words.description);
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
    words: &Annotation,
) -> Result<(), CallError> {
    put_tags(api, pace, arn, tags(spec, words)).await
}

/// Writes every tag of an alarm that exists but its definition's.
///
/// # Errors
/// If the call failed.
pub async fn tag_words(
    api: &Api,
    pace: &Pace,
    arn: &str,
    spec: &AlarmSpec,
    words: &Annotation,
) -> Result<(), CallError> {
    let mut tags = tags(spec, words);
    tags.retain(|tag| tag.key() != Some(DEFINITION_TAG));
    put_tags(api, pace, arn, tags).await
}

/// Marks an alarm's definition as none of ours, so that the next plan writes it whatever is
/// done about changes by hand.
///
/// # Errors
/// If the call failed.
pub async fn disown_definition(api: &Api, pace: &Pace, arn: &str) -> Result<(), CallError> {
    let tag = Tag::builder().key(DEFINITION_TAG).value(DISOWNED).build();
    put_tags(api, pace, arn, vec![tag]).await
}

/// One alarm by its name; `None`: there is no such alarm.
///
/// # Errors
/// If the call failed.
pub async fn one(api: &Api, name: &str) -> Result<Option<MetricAlarm>, CallError> {
    let request = api.writes.describe_alarms().alarm_names(name);
    let answer = api.settle("DescribeAlarms", request.send().await)?;
    Ok(answer.metric_alarms().first().cloned())
}

/// The states of these alarms, as far as they exist.
///
/// # Errors
/// The first call that failed.
pub async fn states(api: &Api, names: &[String]) -> Result<HashMap<String, StateValue>, CallError> {
    let found = by_name(api, names).await?.into_iter();
    let states = found.filter_map(|alarm| Some((alarm.alarm_name?, alarm.state_value?)));
    Ok(states.collect())
}

/// These alarms with their tags, as far as they exist.
///
/// # Errors
/// The first call that failed.
pub async fn named(api: &Api, names: &[String]) -> Result<Vec<ActualAlarm>, CallError> {
    let found = by_name(api, names).await?;
    with_tags(api, found.iter().map(fields::actual).collect()).await
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
    let words = Annotation::kept(spec, &actual.tags, &actual.description);
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

async fn by_name(api: &Api, names: &[String]) -> Result<Vec<MetricAlarm>, CallError> {
    let mut found = Vec::new();
    for names in names.chunks(NAMES_PER_CALL) {
        let request = api.writes.describe_alarms();
        let request = request.set_alarm_names(Some(names.to_vec()));
        // A page may hold fewer alarms than were asked for by name, and one that is left out
        // would pass for one that does not exist.
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

/// Writes tags over those of an alarm, and leaves its others.
async fn put_tags(api: &Api, pace: &Pace, arn: &str, tags: Vec<Tag>) -> Result<(), CallError> {
    let request = api.writes.tag_resource().resource_arn(arn);
    let request = request.set_tags(Some(tags));
    pace.wait().await;
    api.settle("TagResource", request.send().await).map(drop)
}

/// The tags of an alarm.
///
/// # Errors
/// If the call failed.
pub async fn tags_of(api: &Api, arn: &str) -> Result<BTreeMap<String, String>, CallError> {
    let request = api.reads.list_tags_for_resource().resource_arn(arn);
    let answer = api.settle("ListTagsForResource", request.send().await)?;
    let tags = answer.tags().iter();
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()));
    Ok(tags.filter_map(pair).collect())
}

fn tags(spec: &AlarmSpec, words: &Annotation) -> Vec<Tag> {
    let tags = words.tags(spec).into_iter();
    tags.map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

/// CloudWatch takes at most 255 characters as a prefix.
fn prefix(location: &str) -> String {
    alarm::name_prefix(location).chars().take(255).collect()
}
