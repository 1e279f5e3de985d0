//! What of a target goes to CloudWatch: its metrics and its alarm.
//!
//! The defaults are the cheapest that page: one series, one alarm.

use std::collections::BTreeSet;

use crate::model::cause::{CauseId, Owner};
use crate::model::text_enum::text_enum;

/// The per-target alarm, and the alarms of single causes beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmSettings {
    /// Whether this target has an alarm.
    pub enabled: bool,
    /// Evaluation periods (N of "M of N"); ≥ 1.
    pub periods: u32,
    /// Datapoints that must breach (M); 1 to `periods`.
    pub datapoints: u32,
    /// What a missing datapoint means.
    pub missing: MissingData,
    /// Overrides the global actions; empty: none.
    pub actions: Option<Vec<String>>,
    /// Causes that have an alarm of their own beside the target's; each once.
    pub causes: Vec<CauseAlarm>,
}

/// An alarm on one cause of a target, for routing: it fires while the target is down and
/// shows this cause. It never stands in for the target's alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CauseAlarm {
    /// The cause, one that the rule book knows.
    pub cause: CauseId,
    /// Who acts on it, by the rule book.
    pub owner: Owner,
    /// ARNs told of it: the cause's own, else its owner's, else none.
    pub actions: Vec<String>,
}

/// CloudWatch's `TreatMissingData`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingData {
    /// The alarm keeps its state.
    Ignore,
    /// Counts as breaching.
    Breaching,
    /// Counts as fine.
    NotBreaching,
    /// CloudWatch's own default.
    Missing,
}

/// What of a target is published to CloudWatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetCloudWatch {
    /// Whether anything is published for this target.
    pub enabled: bool,
    /// Which metrics; each is a series that costs money.
    pub metrics: BTreeSet<CloudWatchMetric>,
    /// Which account and region they go to, by its name in the configuration; absent: the
    /// main one.
    pub destination: Option<String>,
}

text_enum! {
    /// The metrics a target can have in CloudWatch.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum CloudWatchMetric {
        /// 0 or 1: health after its thresholds.
        Down = "Down",
        /// 0 or 1 per probe.
        Failed = "Failed",
        /// Seconds per probe.
        Duration = "Duration",
        /// Seconds of the processing phase.
        Processing = "Processing",
        /// Failed probes, with the dimension `Cause`.
        Failures = "Failures",
    }
}

impl Default for AlarmSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            periods: 1,
            datapoints: 1,
            missing: MissingData::Ignore,
            actions: None,
            causes: Vec::new(),
        }
    }
}

impl Default for TargetCloudWatch {
    fn default() -> Self {
        Self {
            enabled: true,
            metrics: BTreeSet::from([CloudWatchMetric::Down]),
            destination: None,
        }
    }
}
