//! Defines alarms: what an alarm watches, and the fields with which it is created.
//!
//! An [`AlarmKey`] identifies what an alarm watches. An [`AlarmSpec`] contains every field that is
//! compared with the existing alarm and written to it. The description and the tags that name a
//! cause are built by `annotation`. `definition` converts the fields to CloudWatch's names and
//! values.

use std::fmt;

use crate::model::cause::{CauseId, Owner};
use crate::model::hash::fnv1a;
use crate::model::target::{MissingData, TargetName};

/// The key of an alarm: what the alarm watches. The key is unique among the alarms of one shard.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AlarmKey {
    /// The heartbeat of a daemon. The alarm fires when heartbeats are missing.
    Heartbeat,
    /// A target. The alarm fires while the target is down.
    Target(TargetName),
    /// One cause of one target. The alarm fires while the target is down because of this cause.
    Cause {
        /// The target whose cause is watched.
        target: TargetName,
        /// The cause that the alarm watches.
        cause: CauseId,
        /// The team that acts on the cause.
        owner: Owner,
    },
}

/// The desired definition of one alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmSpec {
    /// The alarm's name, unique in the account and region; 1 to 255 characters.
    pub name: String,
    /// The key of the alarm: what the alarm watches.
    pub key: AlarmKey,
    /// The index of the shard whose heartbeat the alarm watches, or of the shard that takes
    /// precedence among the shards that probe the target; `None` if a single daemon probes all
    /// targets. The first index is 0.
    pub shard: Option<u32>,
    /// The metric that the alarm watches.
    pub metric: MetricId,
    /// The condition under which a datapoint breaches the threshold.
    pub condition: Condition,
    /// The length of a period in seconds: 10, 20, 30 or a multiple of 60.
    pub period: u32,
    /// The number of periods that are evaluated: N of "M of N".
    pub evaluation_periods: u32,
    /// The number of breaching datapoints that fire the alarm: M of "M of N".
    pub datapoints_to_alarm: u32,
    /// The treatment of missing datapoints.
    pub missing: MissingData,
    /// ARNs notified when the alarm changes to ALARM or OK.
    pub actions: Vec<String>,
    /// Whether the alarm runs its actions when its state changes.
    pub actions_enabled: bool,
}

/// A CloudWatch metric without its statistic, which is always the maximum.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MetricId {
    /// The namespace of the metric, such as `Probecause`.
    pub namespace: String,
    /// The name of the metric, such as `Down`.
    pub name: String,
    /// The dimensions as pairs of name and value, in the order in which they are written.
    pub dimensions: Vec<(String, String)>,
}

/// The condition under which the maximum of a period breaches the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The maximum is at least 1: the target is down, or, for a per-cause alarm, it is down because
    /// of this cause.
    AtLeastOne,
    /// The maximum is less than 1: the heartbeat stopped. Heartbeats are always 1, so only missing
    /// datapoints, which are treated as breaching, fire the alarm.
    LessThanOne,
}

/// The name of the dimension that contains the daemon's location. The metric of every desired alarm
/// has this dimension.
pub(super) const LOCATION: &str = "Location";

impl AlarmKey {
    /// Returns the name of the alarm's target; `None` for the heartbeat alarm.
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
    /// Returns a hash that changes whenever a field that is written to CloudWatch changes. The hash
    /// is stored as a tag of the alarm to detect changes of fields that CloudWatch does not return.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        // The hashed text begins with a version number. A release that writes more fields uses a
        // new number, so that alarms of older releases are updated.
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

    /// Returns the location from the dimensions of the alarm's metric; empty if no dimension
    /// contains the location.
    #[must_use]
    pub fn location(&self) -> &str {
        let mut dimensions = self.metric.dimensions.iter();
        let found = dimensions.find(|(key, _)| key == LOCATION);
        found.map_or("", |(_, location)| location)
    }

    /// Returns whether CloudWatch bills the alarm as high-resolution.
    #[must_use]
    pub const fn is_high_resolution(&self) -> bool {
        self.period < 60
    }
}
