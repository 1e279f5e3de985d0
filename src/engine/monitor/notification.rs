//! Notifications from the monitor to the sinks and the log.
//!
//! Notifications are delivered in order, after the incidents that they mention are saved. Delivery
//! never blocks.

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
    /// A change of an incident that is not part of a probe's report.
    Declared(IncidentEvent),
    /// An open incident restored from the previous run.
    Resumed(StoredIncident),
    /// Resolved incidents restored from the previous run, newest first.
    RestoredResolved(Vec<Arc<Incident>>),
    /// The start (`true`) or the end of a problem of the prober itself.
    ProberProblem(bool),
    /// The annotation that replaces the annotations of the targets' alarms; `None` restores the
    /// alarms' own annotations.
    Group(Option<Annotation>),
    /// Owner, title and next steps of every known cause.
    Causes(Arc<[CauseInfo]>),
    /// The configuration that was applied.
    Configured(Arc<Settings>),
    /// The numbers of targets that a configuration changed, for the sender of the configuration.
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
                // The board treats each added incident as the newest, so the oldest is added first.
                for incident in incidents.iter().rev() {
                    sinks.board.resolved(incident);
                }
            }
            Self::ProberProblem(has_problem) => sinks.cloudwatch.set_prober_impaired(has_problem),
            Self::Group(annotation) => sinks.cloudwatch.group(annotation),
            Self::Causes(causes) => sinks.set_causes(&causes),
            Self::Configured(settings) => sinks.configure(&settings),
            Self::Changed(change, requester) => {
                // The send fails if the requester has stopped waiting. The configuration is
                // applied nevertheless.
                let _ = requester.send(change);
            }
        }
    }
}
