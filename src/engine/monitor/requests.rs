//! Requests of the monitor beside probes: control requests, and evidence from AWS.
//!
//! Both are made only while an incident is open, and neither delays a result: the diagnosis
//! from outside is published at once and revised when evidence arrives.

use std::sync::Arc;

use jiff::Timestamp;

use super::Monitor;
use super::notification::Notification;
use super::target_state::{TargetState, of};
use crate::domain::diagnosis::Outcome;
use crate::domain::diagnosis::aws::EvidenceUpdate;
use crate::domain::diagnosis::aws::summary::summary;
use crate::domain::diagnosis::fact::Facts;
use crate::domain::incident::IncidentEvent;
use crate::domain::report::{Report, Update};
use crate::io::store::KeptIncident;
use crate::model::observation::Observation;
use crate::model::target::Target;

impl Monitor {
    /// Requests evidence about a failure of an open incident; cancels the requests when the
    /// incident is resolved.
    pub(super) fn request_evidence(&mut self, report: &Report, facts: &Facts) {
        let target = &report.target;
        let Some(state) = self.targets.get_mut(&target.name) else {
            return;
        };
        if let Some(IncidentEvent::Resolved(_)) = report.event {
            state.evidence_requests.forget();
            self.outbox.evidence.forget(&target.name);
        }
        let Some(incident) = state.incidents.open() else {
            return;
        };
        let (observation, diagnosis) = (&report.observation, &report.diagnosis);
        let request = state
            .evidence_requests
            .ask(target, observation, facts, diagnosis, incident);
        if let Some(request) = request {
            self.outbox.evidence.ask(request);
        }
    }

    /// Schedules a control request if the open incident needs one. Only a failure with a
    /// response counts as failing, since its time can be compared.
    pub(super) fn control(&self, report: &Report, now: Timestamp) {
        let failed = report.diagnosis.outcome == Outcome::Failed;
        let answered = report.observation.response.is_some();
        if let Some(state) = self.targets.get(&report.target.name) {
            self.schedule_control(state, failed && answered, now);
        }
    }

    /// Adds the result of a control request to the target's baseline.
    pub(super) fn controlled(
        &mut self,
        target: &Arc<Target>,
        observation: &Observation,
        now: Timestamp,
    ) {
        let Some(state) = of(&mut self.targets, target) else {
            return;
        };
        let host = target.url.host_str().unwrap_or_default();
        state.baseline.control(observation, host, now);
        state.learned.changed = true;
        let failing = state.health.consecutive_failures() > 0;
        if let Some(state) = self.targets.get(&target.name) {
            self.schedule_control(state, failing, now);
        }
    }

    fn schedule_control(&self, state: &TargetState, failing: bool, now: Timestamp) {
        let opened = state.incidents.open().map(|incident| incident.opened);
        if let Some(after) = state.baseline.wants_control(opened, failing, now) {
            let target = Arc::clone(&state.target);
            self.outbox.control_requests.request(target, after);
        }
    }

    /// Revises an incident by evidence from AWS about an earlier failure. It is not counted
    /// as a probe.
    pub(super) fn apply_evidence(&mut self, update: &EvidenceUpdate, now: Timestamp) {
        let Some(state) = self.targets.get_mut(&update.target) else {
            return;
        };
        let Some((mut facts, evidence)) = state.evidence_requests.answered(update) else {
            return;
        };
        facts.told_by_aws(&state.target.aws, &evidence);
        let diagnosis = Arc::new(self.rulebook.diagnose(&facts));
        let note = summary(&evidence);
        let event = state
            .incidents
            .revise_with(update.began, &diagnosis, &note, now);
        let Some(event) = event else {
            return;
        };
        let incident = event.incident();
        state.showing = Some(Arc::clone(&incident.verdict));
        self.batch.save(KeptIncident {
            location: Arc::clone(&self.location),
            incident: Arc::clone(incident),
            health: state.health.state(),
            since: state.health.since(),
        });
        self.batch.notify(Notification::Update(Box::new(Update {
            target: Arc::clone(&state.target),
            at: now,
            began: update.began,
            diagnosis,
            incident: Arc::clone(incident),
            maintenance: self.maintenance.covering(&update.target, now).is_some(),
        })));
    }
}
