//! Keys and definitions of alarms.
//!
//! A key says what an alarm is about. A definition holds every field that is compared and
//! written, except the text and tags that name a cause (see `annotation`). How CloudWatch
//! writes the fields is in `definition`.

use std::fmt;

use crate::model::cause::{CauseId, Owner};
use crate::model::hash::fnv1a;
use crate::model::target::{MissingData, TargetName};

/// What an alarm is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AlarmKey {
    /// The daemon itself. The alarm fires when no datapoint arrives from this location.
    Heartbeat,
    /// One target.
    Target(TargetName),
    /// One cause of one target. The alarm fires while the target is down for this cause.
    Cause {
        /// The target.
        target: TargetName,
        /// The cause.
        cause: CauseId,
        /// The team that acts on the cause.
        owner: Owner,
    },
}

/// The definition of one alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmSpec {
    /// Unique in the account and region; 1 to 255 characters.
    pub name: String,
    /// What the alarm is about.
    pub key: AlarmKey,
    /// The shard whose heartbeat this is, or the first holder of the target; `None`: a
    /// single daemon watches all targets.
    pub shard: Option<u32>,
    /// The metric watched.
    pub metric: MetricId,
    /// When a datapoint breaches.
    pub condition: Condition,
    /// Seconds per datapoint: 10, 20, 30 or a multiple of 60.
    pub period: u32,
    /// N of "M of N".
    pub evaluation_periods: u32,
    /// M of "M of N".
    pub datapoints_to_alarm: u32,
    /// How missing datapoints are treated.
    pub missing: MissingData,
    /// ARNs notified on ALARM and OK.
    pub actions: Vec<String>,
    /// Whether the actions run.
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

/// When the maximum of a period breaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// At least 1: the target is down.
    AtLeastOne,
    /// Less than 1: the heartbeat stopped. Heartbeats are always 1, so only missing data
    /// breaches.
    LessThanOne,
}

/// The dimension that every metric has.
pub(super) const LOCATION: &str = "Location";

impl AlarmKey {
    /// The target's name; `None` for the heartbeat.
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
    /// A hash that changes whenever the definition does. It is stored as a tag, because
    /// CloudWatch does not return every field that is written.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        // The text begins with a version, so that a release that writes more fields updates
        // the alarms of an older release.
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

    /// The location of the alarm's metric.
    #[must_use]
    pub fn location(&self) -> &str {
        let mut dimensions = self.metric.dimensions.iter();
        let found = dimensions.find(|(key, _)| key == LOCATION);
        found.map_or("", |(_, location)| location)
    }

    /// Whether CloudWatch bills the alarm as high-resolution.
    #[must_use]
    pub const fn is_high_resolution(&self) -> bool {
        self.period < 60
    }
}
