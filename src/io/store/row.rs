//! What is kept, as plain data: whoever keeps it knows what it means.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::baseline::BaselineSnapshot;
use crate::domain::health::HealthState;
use crate::domain::incident::Incident;
use crate::model::target::TargetName;

/// An incident with the health that goes with it.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptIncident {
    /// The daemon's location: another one's incidents are not ours to go on with.
    pub location: Arc<str>,
    /// The incident.
    pub incident: Arc<Incident>,
    /// Its target's health.
    pub health: HealthState,
    /// Since when.
    pub since: Timestamp,
}

/// What is normal for a target.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptBaseline {
    /// Whose.
    pub target: TargetName,
    /// Of which settings: a changed target's times are not its former's.
    pub settings: u64,
    /// What was learned.
    pub learned: BaselineSnapshot,
}

/// One datapoint on its way to CloudWatch.
#[derive(Clone, Debug, PartialEq)]
pub struct SpoolRow {
    /// Of [`super::Store::ids`].
    pub id: u64,
    /// The account and region it goes to, by the name in the configuration.
    pub destination: Arc<str>,
    /// Which series, in the sender's words.
    pub series: String,
    /// Its own time.
    pub at: Timestamp,
    /// Distinct values with how often each came.
    pub values: Vec<(f64, f64)>,
    /// It may have arrived already: the answer to a request with it was lost.
    pub maybe_arrived: bool,
}
