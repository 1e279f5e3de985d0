//! The events that the monitor sends to the sinks: probe results, updates of incidents, and missed
//! probes.
//!
//! The events are plain data, which all sinks share. Each sink decides what to do with them.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::diagnosis::{Diagnosis, Verdict};
use crate::domain::health::{HealthState, Transition};
use crate::domain::incident::{Incident, IncidentEvent};
use crate::model::cause::{CauseId, Hop, Owner};
use crate::model::observation::Observation;
use crate::model::target::Target;
use crate::model::text_enum::text_enum;

/// The result of one probe, with its diagnosis and the target's state after the probe.
#[derive(Clone, Debug)]
pub struct Report {
    /// The probed target.
    pub target: Arc<Target>,
    /// The location of this daemon, which sinks publish as a label or dimension.
    pub location: Arc<str>,
    /// When the result was processed.
    pub at: Timestamp,
    /// The observation of the probe.
    pub observation: Arc<Observation>,
    /// The diagnosis of the observation.
    pub diagnosis: Arc<Diagnosis>,
    /// The target's health after the probe.
    pub health: HealthState,
    /// When the target's health last changed.
    pub since: Timestamp,
    /// The change of the target's health caused by this probe, if any.
    pub transition: Option<Transition>,
    /// The verdict with the cause to display, from the first failed or degraded probe until the
    /// target is up again; `None` otherwise.
    pub showing: Option<Arc<Verdict>>,
    /// The floor that the diagnosis used, in seconds: the measured or estimated response time of a
    /// request that invokes no function. `None` if it is unknown.
    pub floor: Option<f64>,
    /// The open incident of the target, or of the prober itself if `prober_fault` is set; `None` if
    /// no incident is open.
    pub incident: Option<Arc<Incident>>,
    /// The change of the incident caused by this probe, if any.
    pub event: Option<IncidentEvent>,
    /// Whether the target is in a maintenance window.
    pub maintenance: bool,
    /// Whether the failure is attributed to the prober itself. The target's health and alarm are
    /// then unchanged.
    pub prober_fault: bool,
}

/// A change of an open incident by later evidence. An update is not counted as a probe result.
#[derive(Clone, Debug)]
pub struct Update {
    /// The target of the incident.
    pub target: Arc<Target>,
    /// When the evidence was applied.
    pub at: Timestamp,
    /// The start time and the new diagnosis of the probe that the evidence is about. `None` for
    /// evidence that is about no single probe, such as a change in the AWS account.
    pub probe: Option<(Timestamp, Arc<Diagnosis>)>,
    /// The open incident after the change; its verdict contains the cause to display.
    pub incident: Arc<Incident>,
    /// Whether the target is in a maintenance window, in which the target does not page.
    pub maintenance: bool,
}

/// A scheduled slot in which no probe started. The target is probed as soon as possible afterwards.
#[derive(Clone, Debug)]
pub struct Missed {
    /// The target of the slot.
    pub target: Arc<Target>,
    /// The reason why no probe started.
    pub reason: MissedReason,
}

text_enum! {
    /// The reason why no probe started in a slot.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum MissedReason {
        /// The previous probe of this target was still running.
        StillRunning = "still-running",
        /// The maximum number of probes was in flight.
        NoCapacity = "no-capacity",
        /// The process was suspended or lacked CPU time until a later slot of the target was due.
        HeldUp = "held-up",
    }
}

/// A cause of the rule book, as published by the sinks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CauseInfo {
    /// The id of the cause.
    pub cause: CauseId,
    /// The owner: the team that acts on the cause.
    pub owner: Owner,
    /// The hop at which requests fail; `None` if the cause does not determine the hop.
    pub hop: Option<Hop>,
    /// The title: the meaning of the cause, as one sentence without a period.
    pub title: String,
    /// The next steps for the owner, the most useful first.
    pub next: Vec<String>,
    /// The URL of the official documentation about the cause.
    pub see: String,
}
