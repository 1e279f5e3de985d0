//! Notifications from the monitor to the sinks and the log.
//!
//! They are delivered in order, once the incidents that they mention are saved. Delivering
//! one never blocks.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{ConfigChange, event_log};
use crate::domain::alarm::annotation::Annotation;
use crate::domain::incident::{Incident, IncidentEvent};
use crate::domain::report::{CauseInfo, Missed, Report, Update};
use crate::io::sink::Sinks;
use crate::io::store::StoredIncident;
use crate::model::settings::Settings;

/// A notification to the sinks, the log or a requester.
#[derive(Debug)]
pub(super) enum Notification {
    /// The result of a probe.
    Report(Box<Report>),
    /// A revised cause of an open incident.
    Update(Box<Update>),
    /// A slot in which no probe ran.
    Missed(Missed),
    /// A change of an incident that does not belong to a probe's report.
    Declared(IncidentEvent),
    /// An open incident restored from the previous run.
    Resumed(StoredIncident),
    /// Resolved incidents restored from the previous run, newest first.
    RestoredResolved(Vec<Arc<Incident>>),
    /// Whether the prober itself has a problem.
    Trouble(bool),
    /// The annotation that replaces those of a failing group's alarms; `None`: the alarms show
    /// their own again.
    Group(Option<Annotation>),
    /// Owner, title and next steps of every known cause.
    Causes(Arc<[CauseInfo]>),
    /// The configuration that is now in effect.
    Configured(Arc<Settings>),
    /// What a configuration changed, sent back to its requester.
    Changed(ConfigChange, oneshot::Sender<ConfigChange>),
}

impl Notification {
    /// Sends the notification to the sinks, the log or the requester.
    pub(super) fn deliver(self, sinks: &Sinks) {
        match self {
            Self::Report(report) => {
                sinks.publish(&report);
                event_log::probe(&report);
            }
            Self::Update(update) => {
                let event = IncidentEvent::Updated(Arc::clone(&update.incident));
                event_log::incident(&event);
                sinks.update(&update);
            }
            Self::Missed(missed) => sinks.missed(&missed),
            Self::Declared(event) => {
                event_log::incident(&event);
                match &event {
                    IncidentEvent::Opened(incident) | IncidentEvent::Updated(incident) => {
                        sinks.board.opened(incident);
                    }
                    IncidentEvent::Resolved(incident) => sinks.board.resolved(incident),
                }
            }
            Self::Resumed(kept) => {
                event_log::resumed(&kept);
                sinks.resume(&Arc::new(kept));
            }
            Self::RestoredResolved(incidents) => {
                // The board treats each one as the newest.
                for incident in incidents.iter().rev() {
                    sinks.board.resolved(incident);
                }
            }
            Self::Trouble(trouble) => sinks.cloudwatch.set_prober_impaired(trouble),
            Self::Group(annotation) => sinks.cloudwatch.group(annotation),
            Self::Causes(causes) => sinks.set_causes(&causes),
            Self::Configured(settings) => sinks.configure(&settings),
            Self::Changed(change, requester) => {
                // Fails if the requester has stopped waiting; the configuration is in effect
                // anyway.
                let _ = requester.send(change);
            }
        }
    }
}
