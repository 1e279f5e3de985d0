//! The settings of a target's CloudWatch metrics and alarms.
//!
//! By default a target has one metric and one alarm. This is the cheapest setup that can notify
//! people.

use std::collections::BTreeSet;

use crate::model::cause::{CauseId, Owner};
use crate::model::text_enum::text_enum;

/// Settings of a target's alarm and of its per-cause alarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmSettings {
    /// Whether this target has alarms, provided that its metric `Down` is published.
    pub enabled: bool,
    /// Number of periods that are evaluated (N in "M out of N"); at least 1.
    pub periods: u32,
    /// Number of datapoints that must be breaching (M in "M out of N"); 1 to `periods`.
    pub datapoints: u32,
    /// How the target's alarm treats missing datapoints. Per-cause alarms treat them as not
    /// breaching.
    pub missing: MissingData,
    /// ARNs to notify instead of the `alarm_actions` of the target's destination. If empty, no ARN
    /// is notified; `None` means the `alarm_actions` of the destination.
    pub actions: Option<Vec<String>>,
    /// Per-cause alarms, at most one per cause.
    pub causes: Vec<CauseAlarm>,
}

/// A per-cause alarm, which notifies the team that acts on one cause. The alarm exists in addition
/// to the target's alarm, and is in `ALARM` while the target is down with this cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CauseAlarm {
    /// The id of a cause in the rulebook.
    pub cause: CauseId,
    /// The owner of the cause, from the rulebook.
    pub owner: Owner,
    /// ARNs to notify: those configured for the cause, else those configured for its owner. Empty
    /// if none are configured.
    pub actions: Vec<String>,
}

/// How an alarm treats missing datapoints: CloudWatch's `TreatMissingData`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingData {
    /// The alarm keeps its state.
    Ignore,
    /// Missing datapoints count as breaching.
    Breaching,
    /// Missing datapoints count as not breaching.
    NotBreaching,
    /// The alarm changes to `INSUFFICIENT_DATA`. This is CloudWatch's default.
    Missing,
}

/// The CloudWatch metrics that are published for a target, and the destination of its metrics and
/// alarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetCloudWatch {
    /// Whether metrics are published for this target.
    pub enabled: bool,
    /// The metrics to publish. CloudWatch charges for each of them.
    pub metrics: BTreeSet<CloudWatchMetric>,
    /// Name of the configured destination (account and region); `None` means the main destination.
    pub destination: Option<String>,
}

text_enum! {
    /// The CloudWatch metrics of a target.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum CloudWatchMetric {
        /// 1 if the target's health is `down`, 0 if it is `up` or `degraded`. This metric is not
        /// published while the health is unknown, and is never 1 during maintenance. Unlike
        /// `Failed`, it changes only after a configured number of consecutive results.
        Down = "Down",
        /// 1 for each failed probe, 0 for each other probe.
        Failed = "Failed",
        /// Duration of each probe, in seconds.
        Duration = "Duration",
        /// Duration of the processing phase, in seconds, of each probe that reached this phase.
        Processing = "Processing",
        /// 1 for each failed probe, with the dimension `Cause`; the sum is the number of failures.
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
