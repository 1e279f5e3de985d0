//! Defines and delivers the notifications from the monitor to the sinks and the log.
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

/// A notification for the sinks, the log or the sender of a configuration.
#[derive(Debug)]
pub(super) enum Notification {
    /// The result of a probe.
    Report(Box<Report>),
    /// A change of an open incident by later evidence.
    Update(Box<Update>),
    /// A slot in which no probe ran.
    Missed(Missed),
    /// An incident change that is not part of a probe's report.
    Declared(IncidentEvent),
    /// An open incident restored from the previous run.
    Resumed(StoredIncident),
    /// Resolved incidents restored from the previous run, newest first.
    RestoredResolved(Vec<Arc<Incident>>),
    /// The start (`true`) or the end (`false`) of a problem of the prober itself.
    ProberProblem(bool),
    /// The annotation of the heartbeat alarm while the prober or a group has an open incident. The
    /// alarms of targets are not updated during this time. `None` if no such incident is open.
    Group(Option<Annotation>),
    /// The owner, title and next steps of every known cause.
    Causes(Arc<[CauseInfo]>),
    /// The configuration that was applied to the monitor.
    Configured(Arc<Settings>),
    /// The numbers of targets that a configuration added, changed and removed, as a reply to the
    /// sender of the configuration.
    Changed(ConfigChange, oneshot::Sender<ConfigChange>),
}

impl Notification {
    /// Sends the notification to the sinks, the log or the sender of a configuration.
    pub(super) fn deliver(self, sinks: &Sinks) {
        match self {
            Self::Report(report) => {
                sinks.publish(&report);
                event_log::probe(&report);
            }
            Self::Update(update) => {
                let event = IncidentEvent::Updated(Arc::clone(&update.incident));
                event_log::incident(&event, None);
                sinks.update(&update);
            }
            Self::Missed(missed) => sinks.missed(&missed),
            Self::Declared(event) => {
                event_log::incident(&event, None);
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
                // The board treats each added incident as the newest, so the oldest incident is
                // added first.
                for incident in incidents.iter().rev() {
                    sinks.board.resolved(incident);
                }
            }
            Self::ProberProblem(has_problem) => sinks.cloudwatch.set_prober_impaired(has_problem),
            Self::Group(annotation) => sinks.cloudwatch.group(annotation),
            Self::Causes(causes) => sinks.set_causes(&causes),
            Self::Configured(settings) => sinks.configure(&settings),
            Self::Changed(change, requester) => {
                // The send fails if the requester has stopped waiting. The configuration stays
                // applied.
                let _ = requester.send(change);
            }
        }
    }
}
