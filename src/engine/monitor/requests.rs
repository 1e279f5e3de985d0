//! What the monitor asks beside probing: control requests, and AWS's own words.
//!
//! Both only while an incident is open, and neither holds anything up: the verdict from
//! outside is published at once and revised when an answer comes.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::notice::Notice;
use super::target_state::{TargetState, of};
use super::{Monitor, Outbox};
use crate::domain::diagnosis::Outcome;
use crate::domain::diagnosis::aws::EvidenceUpdate;
use crate::domain::diagnosis::aws::summary::summary;
use crate::domain::diagnosis::fact::Facts;
use crate::domain::incident::IncidentEvent;
use crate::domain::report::{Report, Update};
use crate::engine::scheduler::Command;
use crate::io::store::KeptIncident;
use crate::model::observation::Observation;
use crate::model::target::Target;

impl TargetState {
    /// After a first bad result, looks again soon rather than an interval later.
    pub(super) fn confirm(&self, outbox: &Outbox) {
        let (name, after) = (&self.target.name, self.target.confirm_after);
        if self.health.wants_confirmation() && after > Duration::ZERO {
            let command = Command::LookAgain(name.clone(), after);
            // A full queue only means that the next slot confirms instead.
            if outbox.scheduler.try_send(command).is_err() {
                tracing::warn!(target = %name, "no confirming probe: busy");
            }
        }
    }

    /// Has AWS asked about a failure of an open incident; forgets it with the incident.
    pub(super) fn request_evidence(&mut self, report: &Report, facts: &Facts, outbox: &Outbox) {
        let target = &report.target;
        if let Some(IncidentEvent::Resolved(_)) = report.event {
            self.evidence_requests.forget();
            outbox.evidence.forget(&target.name);
        }
        let Some(incident) = self.incidents.open() else {
            return;
        };
        let (observation, diagnosis) = (&report.observation, &report.diagnosis);
        let question = self
            .evidence_requests
            .ask(target, observation, facts, diagnosis, incident);
        if let Some(question) = question {
            outbox.evidence.ask(question);
        }
    }

    /// Has the floor measured while an incident with answers to compare is open.
    pub(super) fn control(&self, report: &Report, outbox: &Outbox, now: Timestamp) {
        let failed = report.diagnosis.outcome == Outcome::Failed;
        let answered = report.observation.response.is_some();
        self.measure(failed && answered, outbox, now);
    }

    fn measure(&self, failing: bool, outbox: &Outbox, now: Timestamp) {
        let opened = self.incidents.open().map(|incident| incident.opened);
        if let Some(after) = self.baseline.wants_control(opened, failing, now) {
            let target = Arc::clone(&self.target);
            outbox.control_requests.request(target, after);
        }
    }
}

impl Monitor {
    /// A control request's answer is measured by, and counts nowhere else.
    pub(super) fn controlled(
        &mut self,
        target: &Arc<Target>,
        observation: &Observation,
        now: Timestamp,
    ) {
        let Some(watched) = of(&mut self.targets, target) else {
            return;
        };
        let host = target.url.host_str().unwrap_or_default();
        watched.baseline.control(observation, host, now);
        watched.learned.changed = true;
        let failing = watched.health.consecutive_failures() > 0;
        watched.measure(failing, &self.outbox, now);
    }

    /// What AWS said about an earlier failure revises the incident; no probe is counted.
    pub(super) fn answered(&mut self, answer: &EvidenceUpdate, now: Timestamp) {
        let Some(watched) = self.targets.get_mut(&answer.target) else {
            return;
        };
        let Some((mut facts, evidence)) = watched.evidence_requests.apply(answer) else {
            return;
        };
        facts.add_aws_evidence(&watched.target.aws, &evidence);
        let diagnosis = Arc::new(self.rulebook.diagnose(&facts));
        let said = summary(&evidence);
        let event = watched
            .incidents
            .revise_with(answer.began, &diagnosis, &said, now);
        let Some(event) = event else {
            return;
        };
        let incident = event.incident();
        watched.showing = Some(Arc::clone(&incident.verdict));
        self.batch.keep(KeptIncident {
            location: Arc::clone(&self.location),
            incident: Arc::clone(incident),
            health: watched.health.state(),
            since: watched.health.since(),
        });
        self.batch.tell(Notice::Update(Box::new(Update {
            target: Arc::clone(&watched.target),
            at: now,
            began: answer.began,
            diagnosis,
            incident: Arc::clone(incident),
            maintenance: self.maintenance.covering(&answer.target, now).is_some(),
        })));
    }
}
