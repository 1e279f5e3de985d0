//! What sinks and the log are told, after it is on disk.
//!
//! The monitor's statements in their order. None of them makes anybody wait.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{ConfigChange, journal};
use crate::domain::alarm::annotation::Annotation;
use crate::domain::incident::{Incident, IncidentEvent};
use crate::domain::report::{CauseInfo, Missed, Report, Update};
use crate::io::sink::Sinks;
use crate::io::store::KeptIncident;
use crate::model::settings::Settings;

/// One statement.
#[derive(Debug)]
pub(super) enum Notice {
    /// A probe's result.
    Report(Box<Report>),
    /// A better cause of an open incident.
    Update(Box<Update>),
    /// A slot in which no probe ran.
    Missed(Missed),
    /// What happened to an incident that no probe's report tells of.
    Declared(IncidentEvent),
    /// An incident of before a restart that goes on.
    Resumed(KeptIncident),
    /// Incidents that were over before a restart, newest first.
    Remembered(Vec<Arc<Incident>>),
    /// Whether the prober itself is in trouble.
    Trouble(bool),
    /// What stands for the alarms of very many targets; `None`: each its own again.
    Group(Option<Annotation>),
    /// What there is to say of every cause.
    Causes(Arc<[CauseInfo]>),
    /// The configuration from now on.
    Configured(Arc<Settings>),
    /// Whoever asked for it hears what it changed.
    Changed(ConfigChange, oneshot::Sender<ConfigChange>),
}

impl Notice {
    /// Tells it.
    pub(super) fn tell(self, sinks: &Sinks) {
        match self {
            Self::Report(report) => {
                sinks.publish(&report);
                journal::probe(&report);
            }
            Self::Update(update) => {
                let event = IncidentEvent::Updated(Arc::clone(&update.incident));
                journal::incident(&event);
                sinks.update(&update);
            }
            Self::Missed(missed) => sinks.missed(&missed),
            Self::Declared(event) => {
                journal::incident(&event);
                match &event {
                    IncidentEvent::Opened(incident) | IncidentEvent::Updated(incident) => {
                        sinks.board.opened(incident);
                    }
                    IncidentEvent::Resolved(incident) => sinks.board.resolved(incident),
                }
            }
            Self::Resumed(kept) => {
                journal::resumed(&kept);
                sinks.resume(&Arc::new(kept));
            }
            Self::Remembered(incidents) => {
                // The board takes each as the newest.
                for incident in incidents.iter().rev() {
                    sinks.board.resolved(incident);
                }
            }
            Self::Trouble(trouble) => sinks.cloudwatch.trouble(trouble),
            Self::Group(words) => sinks.cloudwatch.group(words),
            Self::Causes(causes) => sinks.set_causes(&causes),
            Self::Configured(settings) => sinks.configure(&settings),
            Self::Changed(change, done) => {
                // Whoever asked may have gone: the configuration holds all the same.
                let _ = done.send(change);
            }
        }
    }
}
