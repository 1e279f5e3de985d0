//! Collects the output of a batch of events: incidents to save and notifications to deliver.
//!
//! The monitor saves the incidents before it delivers the notifications, so that no sink shows an
//! incident that a crash would lose.

use std::sync::Arc;

use super::notification::Notification;
use crate::domain::report::Report;
use crate::io::sink::Sinks;
use crate::io::store::StoredIncident;

/// The output of a batch of events, which is collected while the events are handled.
#[derive(Debug, Default)]
pub(super) struct OutputBatch {
    incidents: Vec<StoredIncident>,
    notifications: Vec<Notification>,
}

impl OutputBatch {
    /// Adds a notification.
    pub(super) fn notify(&mut self, notification: Notification) {
        self.notifications.push(notification);
    }

    /// Adds an incident that is saved before the notifications are delivered.
    pub(super) fn save(&mut self, incident: StoredIncident) {
        self.incidents.push(incident);
    }

    /// Adds the report of a probe. Also adds the incident if the probe changed the incident or the
    /// target's health.
    pub(super) fn report(&mut self, report: Report) {
        let changed = match &report.event {
            Some(event) => Some(event.incident()),
            // The target's health is stored with its incident, so a change of health is saved, too.
            None if report.transition.is_some() => report.incident.as_ref(),
            None => None,
        };
        if let Some(incident) = changed {
            self.save(StoredIncident {
                location: Arc::clone(&report.location),
                incident: Arc::clone(incident),
                health: report.health,
                since: report.since,
            });
        }
        self.notify(Notification::Report(Box::new(report)));
    }

    /// Removes and returns the incidents to save.
    pub(super) fn take_incidents(&mut self) -> Vec<StoredIncident> {
        std::mem::take(&mut self.incidents)
    }

    /// Delivers all notifications in order.
    pub(super) fn deliver(&mut self, sinks: &Sinks) {
        for notification in self.notifications.drain(..) {
            notification.deliver(sinks);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    use crate::domain::diagnosis::context::Context;
    use crate::domain::diagnosis::fact::Facts;
    use crate::domain::diagnosis::rulebook::Rulebook;
    use crate::domain::health::Health;
    use crate::domain::incident::{FailureKind, Incidents, ProbeOutcome, ResponseMark};
    use crate::model::observation::{Fault, FaultKind, Observation, Phase};
    use crate::model::target::Target;

    /// Applies probes, written as `p` (passed) and `f` (failed), and checks which incident
    /// each of them saves.
    fn check(outcomes: &str, expected: &[&str]) {
        let url: url::Url = "https://orders.example/".parse().unwrap();
        let target = Arc::new(Target::with_defaults("orders", url));
        let book = Rulebook::embedded().unwrap();
        let mut health = Health::new(target.health, Timestamp::UNIX_EPOCH);
        let mut incidents = Incidents::default();
        let mut batch = OutputBatch::default();
        let saved = (1..).zip(outcomes.chars()).map(|(second, letter)| {
            let now = Timestamp::from_second(second).unwrap();
            let mut seen = Observation::begun(now, target.url.as_str());
            seen.fault = Some(Fault {
                phase: Phase::Connect,
                kind: FaultKind::ConnectionRefused,
                detail: String::new(),
            });
            let facts = Facts::gather(&target, &seen, &Context::at(now));
            let mut diagnosis = book.diagnose(&facts);
            if letter == 'p' {
                diagnosis.outcome = crate::domain::diagnosis::Outcome::Passed;
                diagnosis.verdict = None;
            }
            let transition = health.observe(diagnosis.outcome, now);
            let probe = ProbeOutcome {
                target: &target.name,
                began: now,
                kind: FailureKind::from(&seen),
                mark: ResponseMark::of(&seen),
                request_id: seen.request_id(),
                diagnosis: &diagnosis,
                health: health.state(),
                suppressed: false,
            };
            let event = incidents.apply(probe, &book, now);
            batch.report(Report {
                target: Arc::clone(&target),
                location: "test".into(),
                at: now,
                observation: Arc::new(seen),
                diagnosis: Arc::new(diagnosis),
                health: health.state(),
                since: health.since(),
                transition,
                showing: None,
                floor: None,
                incident: incidents.open().cloned(),
                event,
                maintenance: false,
                prober_fault: false,
            });
            let saved = batch.take_incidents().into_iter();
            let texts = saved.map(|kept| match kept.incident.resolved {
                Some(_) => format!("{} resolved", kept.health.as_str()),
                None => format!("{} open", kept.health.as_str()),
            });
            texts.collect::<String>()
        });
        assert_eq!(saved.collect::<Vec<_>>(), expected, "{outcomes}");
        assert_eq!(batch.notifications.len(), outcomes.len());
    }

    #[test]
    fn a_probe_saves_an_incident_only_if_it_changes_it() {
        check("pp", &["", ""]);
        check("pfff", &["", "", "down open", ""]);
        check("ffpp", &["", "down open", "", "up resolved"]);
    }
}
