//! The CloudWatch alarms that a configuration asks for, as values.
//!
//! Pure: desired alarms are a function of the settings alone. Reading order: this file
//! (which alarms), `destination` (in which account and region), `name`, `definition` (in
//! CloudWatch's words), `words` (tags and description that carry the cause), `by_cause` (the
//! series behind alarms of single causes), `peers` (which daemons of a location are there),
//! `plan` (desired against actual, as a diff), `cost` (what it costs and how soon it pages).
//! It refuses to talk to AWS: `sink/cloudwatch` does.

pub mod annotation;
pub mod by_cause;
pub mod cost;
pub mod definition;
pub mod destination;
mod name;
pub mod peers;
pub mod plan;

use std::fmt;
use std::time::Duration;

use crate::domain::shard::holders;
use crate::model::cause::{CauseId, Owner};
use crate::model::hash::fnv1a;
use crate::model::settings::{CloudWatchSettings, Settings, ShardSettings};
use crate::model::target::{CauseAlarm, CloudWatchMetric, MissingData, Target, TargetName};

pub use name::{cause_alarm_name, heartbeat_name, heartbeat_shard, name_prefix, target_alarm_name};

/// Whose alarm it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AlarmKey {
    /// The daemon itself: it fires when no datapoint comes from this location.
    Heartbeat,
    /// One target.
    Target(TargetName),
    /// One cause of one target: it fires while the target is down and shows the cause.
    Cause {
        /// Whose.
        target: TargetName,
        /// Which.
        cause: CauseId,
        /// Who acts on it.
        owner: Owner,
    },
}

/// The definition of one alarm: everything that is compared and written, except what
/// names the cause (`words`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmSpec {
    /// Unique in the account and region; 1 to 255 characters.
    pub name: String,
    /// Whose.
    pub subject: AlarmKey,
    /// Whose heartbeat it is, or who manages the target's alarm as long as it is there;
    /// `None`: one daemon watches everything.
    pub shard: Option<u32>,
    /// The metric watched.
    pub metric: MetricId,
    /// How datapoints are judged.
    pub condition: Condition,
    /// Seconds per datapoint: 10, 20, 30 or a multiple of 60.
    pub period: u32,
    /// N of "M of N".
    pub evaluation_periods: u32,
    /// M of "M of N".
    pub datapoints_to_alarm: u32,
    /// What a missing datapoint means.
    pub missing: MissingData,
    /// Told of ALARM and of OK.
    pub actions: Vec<String>,
    /// False: nobody is told.
    pub actions_enabled: bool,
}

/// A metric in CloudWatch, without its statistic (always the maximum).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MetricId {
    /// Namespace.
    pub namespace: String,
    /// Metric name.
    pub name: String,
    /// Dimensions, in the order in which they are written.
    pub dimensions: Vec<(String, String)>,
}

/// When a datapoint (the period's maximum) breaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// At least 1: the target is down.
    AtLeastOne,
    /// Less than 1: a heartbeat that is none. Only missing data gets there.
    LessThanOne,
}

/// The metric that says that the daemon is alive; dimension `Location`.
pub const HEARTBEAT_METRIC: &str = "Heartbeat";

/// The dimension that every metric has.
const LOCATION: &str = "Location";

/// The dimension of a series of one cause.
const CAUSE: &str = "Cause";

/// The alarm actions CloudWatch takes per state.
pub const MAX_ACTIONS: usize = 5;

/// Heartbeats missed before the heartbeat alarm fires: one lost request or a restart
/// must not page.
const HEARTBEATS_MISSED: u32 = 3;

/// Seconds of the heartbeat's period where metrics have high resolution: three of them
/// outlast a restart, which three times 10 s would not.
const FAST_HEARTBEAT_PERIOD: u32 = 30;

impl AlarmKey {
    /// The target's name, unless it is the heartbeat.
    #[must_use]
    pub const fn target(&self) -> Option<&TargetName> {
        match self {
            Self::Heartbeat => None,
            Self::Target(name) | Self::Cause { target: name, .. } => Some(name),
        }
    }
}

impl fmt::Display for AlarmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heartbeat => f.write_str("heartbeat"),
            Self::Target(name) => write!(f, "{name}"),
            Self::Cause { target, cause, .. } => write!(f, "{target} ({cause})"),
        }
    }
}

impl AlarmSpec {
    /// A short text that changes whenever the definition does. It is kept as a tag,
    /// because CloudWatch does not return every field that is written.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        // The layout's version comes first, so that a release that writes more fields
        // rewrites the alarms of an older one.
        let text = format!(
            "1|{}|{:?}|{:?}|{}|{}|{}|{:?}|{:?}|{}",
            self.name,
            self.metric,
            self.condition,
            self.period,
            self.evaluation_periods,
            self.datapoints_to_alarm,
            self.missing,
            self.actions,
            self.actions_enabled
        );
        format!("{:016x}", fnv1a(&text))
    }

    /// The location whose alarm it is.
    #[must_use]
    pub fn location(&self) -> &str {
        let mut dimensions = self.metric.dimensions.iter();
        let found = dimensions.find(|(key, _)| key == LOCATION);
        found.map_or("", |(_, location)| location)
    }

    /// Whether CloudWatch bills it as a high-resolution alarm.
    #[must_use]
    pub const fn is_high_resolution(&self) -> bool {
        self.period < 60
    }
}

/// Every alarm that the settings of one destination ask for: the heartbeat first (of every
/// shard, unless they are one shard's), then one per target in the order of the
/// configuration, each with those of its causes behind it. None when CloudWatch is off.
#[must_use]
pub fn desired(settings: &Settings) -> Vec<AlarmSpec> {
    if !settings.cloudwatch.enabled {
        return Vec::new();
    }
    let targets = settings
        .targets
        .iter()
        .filter(|target| has_alarm(target))
        .flat_map(|target| of_target(settings, target));
    let shards = settings.shards;
    let heartbeats = match shards.own {
        Some(own) => own..own + 1,
        None => 0..shards.total,
    };
    heartbeats
        .map(|shard| heartbeat_alarm(settings, shard))
        .chain(targets)
        .collect()
}

/// As [`desired`], for the whole location, whoever holds what.
#[must_use]
pub fn of_location(settings: &Settings) -> Vec<AlarmSpec> {
    let targets = settings.targets.iter().chain(&settings.elsewhere);
    let whole = Settings {
        shards: ShardSettings {
            own: None,
            ..settings.shards
        },
        targets: targets.cloned().collect(),
        elsewhere: Vec::new(),
        ..settings.clone()
    };
    desired(&whole)
}

/// Whether a target is watched by an alarm of its own: it must be published, with the
/// metric that the alarm is on.
#[must_use]
pub fn has_alarm(target: &Target) -> bool {
    target.alarm.enabled
        && target.cloudwatch.enabled
        && target.cloudwatch.metrics.contains(&CloudWatchMetric::Down)
}

/// The shortest alarm period in seconds that holds a probe in each: 10, 20 or 30 s
/// where metrics have that resolution, else whole minutes.
#[must_use]
pub fn period(interval: Duration, resolution: Duration) -> u32 {
    let seconds = interval.as_secs() + u64::from(interval.subsec_nanos() > 0);
    let seconds = u32::try_from(seconds.max(1)).unwrap_or(u32::MAX - 60);
    if resolution < Duration::from_secs(60) && seconds <= 30 {
        seconds.next_multiple_of(10)
    } else {
        seconds.next_multiple_of(60)
    }
}

/// Seconds in which a heartbeat is looked for.
#[must_use]
pub fn heartbeat_period(cloudwatch: &CloudWatchSettings) -> u32 {
    if cloudwatch.resolution < Duration::from_secs(60) {
        FAST_HEARTBEAT_PERIOD
    } else {
        60
    }
}

fn heartbeat_alarm(settings: &Settings, shard: u32) -> AlarmSpec {
    let cloudwatch = &settings.cloudwatch;
    AlarmSpec {
        name: heartbeat_name(&settings.location, shard),
        subject: AlarmKey::Heartbeat,
        shard: (settings.shards.total > 1).then_some(shard),
        metric: MetricId {
            namespace: cloudwatch.namespace.clone(),
            name: HEARTBEAT_METRIC.to_owned(),
            dimensions: heartbeat_dimensions(&settings.location, shard),
        },
        condition: Condition::LessThanOne,
        period: heartbeat_period(cloudwatch),
        evaluation_periods: HEARTBEATS_MISSED,
        datapoints_to_alarm: HEARTBEATS_MISSED,
        missing: MissingData::Breaching,
        actions: actions(cloudwatch, None),
        actions_enabled: cloudwatch.actions_enabled,
    }
}

/// The dimensions of a shard's heartbeat. The first one's are the location's alone, so that
/// its alarm stays the same when a second shard comes.
#[must_use]
pub fn heartbeat_dimensions(location: &str, shard: u32) -> Vec<(String, String)> {
    let location = (LOCATION.to_owned(), location.to_owned());
    let shard = (shard > 0).then(|| ("Shard".to_owned(), shard.to_string()));
    std::iter::once(location).chain(shard).collect()
}

fn target_alarm(settings: &Settings, target: &Target) -> AlarmSpec {
    let cloudwatch = &settings.cloudwatch;
    AlarmSpec {
        name: target_alarm_name(&settings.location, target.name.as_str()),
        subject: AlarmKey::Target(target.name.clone()),
        shard: first_holder(&settings.shards, target),
        metric: MetricId {
            namespace: cloudwatch.namespace.clone(),
            name: CloudWatchMetric::Down.as_str().to_owned(),
            dimensions: vec![
                ("Target".to_owned(), target.name.as_str().to_owned()),
                (LOCATION.to_owned(), settings.location.clone()),
            ],
        },
        condition: Condition::AtLeastOne,
        period: period(target.interval, cloudwatch.resolution),
        evaluation_periods: target.alarm.periods,
        datapoints_to_alarm: target.alarm.datapoints,
        missing: target.alarm.missing,
        actions: actions(cloudwatch, target.alarm.actions.as_deref()),
        actions_enabled: cloudwatch.actions_enabled,
    }
}

fn first_holder(shards: &ShardSettings, target: &Target) -> Option<u32> {
    let several = (shards.total > 1).then(|| holders(shards, &target.name));
    several?.first().copied()
}

/// The target's alarm, and those of its causes. All are evaluated alike.
fn of_target(settings: &Settings, target: &Target) -> Vec<AlarmSpec> {
    let first = target_alarm(settings, target);
    let causes = target.alarm.causes.iter();
    let causes = causes.map(|one| cause_alarm(&first, target, one));
    let causes: Vec<_> = causes.collect();
    std::iter::once(first).chain(causes).collect()
}

fn cause_alarm(of_target: &AlarmSpec, target: &Target, one: &CauseAlarm) -> AlarmSpec {
    let mut spec = of_target.clone();
    spec.name = cause_alarm_name(of_target.location(), target.name.as_str(), &one.cause);
    spec.subject = AlarmKey::Cause {
        target: target.name.clone(),
        cause: one.cause.clone(),
        owner: one.owner,
    };
    let cause = one.cause.as_str().to_owned();
    spec.metric.dimensions.push((CAUSE.to_owned(), cause));
    // The series has datapoints only while its cause occurs, and a 0 when it ends.
    spec.missing = MissingData::NotBreaching;
    spec.actions.clone_from(&one.actions);
    spec.actions.truncate(MAX_ACTIONS);
    spec
}

fn actions(cloudwatch: &CloudWatchSettings, own: Option<&[String]>) -> Vec<String> {
    let mut actions = own.unwrap_or(&cloudwatch.alarm_actions).to_vec();
    actions.truncate(MAX_ACTIONS);
    actions
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn settings(change: impl FnOnce(&mut Settings, &mut Target)) -> Settings {
        let url = "https://orders.example/".parse().unwrap();
        let mut target = Target::with_defaults("orders", url);
        let mut settings = Settings::default();
        settings.cloudwatch.enabled = true;
        settings.cloudwatch.alarm_actions = vec!["arn:topic".to_owned()];
        change(&mut settings, &mut target);
        settings.targets.push(Arc::new(target));
        settings
    }

    fn check(change: impl FnOnce(&mut Settings, &mut Target), names: &[&str]) -> Vec<AlarmSpec> {
        let alarms = desired(&settings(change));
        let seen: Vec<_> = alarms.iter().map(|alarm| alarm.name.as_str()).collect();
        assert_eq!(seen, names);
        alarms
    }

    #[test]
    fn each_target_has_an_alarm_and_the_location_a_heartbeat() {
        let alarms = check(
            |_, _| {},
            &["probecause local (heartbeat)", "probecause local orders"],
        );
        assert_eq!(alarms[1].period, 60);
        assert_eq!(alarms[1].actions, ["arn:topic"]);
        assert_eq!(alarms[1].missing, MissingData::Ignore);
        assert_eq!(alarms[0].missing, MissingData::Breaching);
        assert_eq!(alarms[0].evaluation_periods, 3);
    }

    #[test]
    fn nothing_is_desired_while_cloudwatch_is_off() {
        check(|settings, _| settings.cloudwatch.enabled = false, &[]);
    }

    #[test]
    fn a_target_may_opt_out_of_its_alarm() {
        let heartbeat = ["probecause local (heartbeat)"];
        check(|_, target| target.alarm.enabled = false, &heartbeat);
        check(|_, target| target.cloudwatch.enabled = false, &heartbeat);
        check(|_, target| target.cloudwatch.metrics.clear(), &heartbeat);
    }

    #[test]
    fn a_targets_own_actions_replace_the_global_ones() {
        let both = ["probecause local (heartbeat)", "probecause local orders"];
        let alarms = check(|_, target| target.alarm.actions = Some(Vec::new()), &both);
        assert!(alarms[1].actions.is_empty());
        assert_eq!(alarms[0].actions, ["arn:topic"]);
    }

    #[test]
    fn a_period_is_one_that_cloudwatch_takes_and_holds_a_probe() {
        let minute = Duration::from_secs(60);
        let ten = Duration::from_secs(10);
        for (interval, resolution, expected) in [
            (1, minute, 60),
            (60, minute, 60),
            (61, minute, 120),
            (300, minute, 300),
            (5, ten, 10),
            (11, ten, 20),
            (30, ten, 30),
            (31, ten, 60),
        ] {
            assert_eq!(period(Duration::from_secs(interval), resolution), expected);
        }
        assert_eq!(period(Duration::from_millis(10_500), ten), 20);
    }

    #[test]
    fn a_cause_has_an_alarm_of_its_own_beside_the_targets() {
        let alarms = check(
            |_, target| {
                target.alarm.periods = 3;
                target.alarm.datapoints = 2;
                target.alarm.missing = MissingData::Breaching;
                target.alarm.causes.push(CauseAlarm {
                    cause: CauseId::new("lambda-throttled").unwrap(),
                    owner: Owner::Service,
                    actions: Vec::new(),
                });
            },
            &[
                "probecause local (heartbeat)",
                "probecause local orders",
                "probecause local orders (lambda-throttled)",
            ],
        );
        let dimensions = alarms[2].metric.dimensions.iter();
        let dimensions: Vec<_> = dimensions.map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            dimensions,
            ["Target=orders", "Location=local", "Cause=lambda-throttled"]
        );
        assert_eq!(alarms[2].metric.name, "Down");
        assert!(alarms[2].actions.is_empty(), "routing needs a topic");
        assert_eq!(alarms[2].missing, MissingData::NotBreaching);
        assert_eq!(alarms[1].missing, MissingData::Breaching);
        assert_eq!(alarms[2].evaluation_periods, 3);
        assert_eq!(alarms[2].datapoints_to_alarm, 2);
    }

    #[test]
    fn the_fingerprint_follows_the_definition() {
        let alarms = desired(&settings(|_, _| {}));
        let mut changed = alarms[1].clone();
        assert_eq!(changed.fingerprint(), alarms[1].fingerprint());
        changed.actions_enabled = false;
        assert_ne!(changed.fingerprint(), alarms[1].fingerprint());
    }
}
