//! The records that the store saves and restores. The store does not interpret them.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::baseline::BaselineSnapshot;
use crate::domain::health::HealthState;
use crate::domain::incident::Incident;
use crate::model::target::TargetName;

/// An incident, with the health of its target.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredIncident {
    /// The location of the daemon that saved the incident. A daemon does not resume incidents of
    /// another location.
    pub location: Arc<str>,
    /// The saved incident.
    pub incident: Arc<Incident>,
    /// The health of the incident's target.
    pub health: HealthState,
    /// The time at which the target's health last changed.
    pub since: Timestamp,
}

/// The baseline of a target, with the settings for which it is valid.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredBaseline {
    /// The target of the baseline.
    pub target: TargetName,
    /// A hash of the settings with which the baseline was learned. The baseline is not valid for
    /// other settings.
    pub settings: u64,
    /// The learned values of the baseline.
    pub learned: BaselineSnapshot,
}

/// A datapoint that CloudWatch has not confirmed.
#[derive(Clone, Debug, PartialEq)]
pub struct SpoolRow {
    /// The unique id of the row, from [`super::Store::ids`].
    pub id: u64,
    /// The key of the location and the destination that the datapoint belongs to:
    /// `LOCATION/DESTINATION`, where the main destination has an empty name.
    pub destination: Arc<str>,
    /// The CloudWatch metric of the datapoint, encoded by `Series::encode` in `sink::cloudwatch`.
    pub series: String,
    /// The timestamp of the datapoint.
    pub at: Timestamp,
    /// The distinct values of the datapoint, each with its count.
    pub values: Vec<(f64, f64)>,
    /// Whether CloudWatch may already have the datapoint, because the response to an earlier
    /// request that contained the datapoint was lost.
    pub maybe_arrived: bool,
}
