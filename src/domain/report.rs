//! What the sinks are told about one target after one probe: the end of the straight line.
//!
//! Plain data, shared between sinks. A missed slot is a report too, never silence.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::diagnosis::{Diagnosis, Verdict};
use crate::domain::health::{HealthState, Transition};
use crate::domain::incident::{Incident, IncidentEvent};
use crate::model::cause::{CauseId, Owner};
use crate::model::observation::Observation;
use crate::model::target::Target;
use crate::model::text_enum::text_enum;

/// One probe's story, told.
#[derive(Clone, Debug)]
pub struct Report {
    /// Whose.
    pub target: Arc<Target>,
    /// The label and dimension of this daemon.
    pub location: Arc<str>,
    /// When the probe ended.
    pub at: Timestamp,
    /// What was seen.
    pub observation: Arc<Observation>,
    /// What it means.
    pub diagnosis: Arc<Diagnosis>,
    /// The health after it.
    pub health: HealthState,
    /// Since when that holds.
    pub since: Timestamp,
    /// The change of health that this probe made.
    pub transition: Option<Transition>,
    /// The cause to show: from the first failed probe until the target is up again.
    pub showing: Option<Arc<Verdict>>,
    /// The time this front door takes without reaching the function, by which the
    /// probe was judged; estimated or measured, in seconds.
    pub floor: Option<f64>,
    /// The open incident.
    pub incident: Option<Arc<Incident>>,
    /// What this probe did to an incident.
    pub event: Option<IncidentEvent>,
    /// Whether the target is in a maintenance window.
    pub maintenance: bool,
    /// The failure is the prober's own trouble: it says nothing about the target, and
    /// its health and alarm stay as they were.
    pub own_trouble: bool,
}

/// What later evidence did to an open incident: no probe ran, nothing is counted.
#[derive(Clone, Debug)]
pub struct Update {
    /// Whose.
    pub target: Arc<Target>,
    /// When.
    pub at: Timestamp,
    /// When the probe began that the evidence is about.
    pub began: Timestamp,
    /// What that probe means now.
    pub diagnosis: Arc<Diagnosis>,
    /// The open incident as it is now; its verdict is the cause to show.
    pub incident: Arc<Incident>,
    /// Whether the target is in maintenance: nobody is paged then.
    pub maintenance: bool,
}

/// A slot in which no probe ran.
#[derive(Clone, Debug)]
pub struct Missed {
    /// Whose.
    pub target: Arc<Target>,
    /// Which slot.
    pub at: Timestamp,
    /// Why.
    pub reason: MissedReason,
}

text_enum! {
    /// Why a slot was missed.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum MissedReason {
        /// The previous probe of this target was still running.
        StillRunning = "still-running",
        /// As many probes as allowed were in flight.
        NoCapacity = "no-capacity",
        /// The prober itself was held up (suspended, starved) until the slot had passed.
        HeldUp = "held-up",
    }
}

/// What the sinks tell of a cause, whether or not a target shows it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CauseInfo {
    /// Its id.
    pub cause: CauseId,
    /// Who acts.
    pub owner: Owner,
    /// What it means, in one sentence without a full stop.
    pub title: String,
    /// What to do next, most useful first.
    pub next: Vec<String>,
    /// The official page it rests on.
    pub see: String,
}
