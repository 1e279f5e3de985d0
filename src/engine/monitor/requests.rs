//! Schedules confirming probes, control requests, and searches for evidence in AWS.
//!
//! Control requests and evidence requests are made only while an incident is open. They do not
//! delay results: the diagnosis of a probe is published at once and revised when evidence arrives.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::notification::Notification;
use super::target_state::{TargetState, find};
use super::{Monitor, Outbox};
use crate::domain::diagnosis::aws::EvidenceUpdate;
use crate::domain::diagnosis::aws::summary::summary;
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::{Diagnosis, Outcome};
use crate::domain::follow_up::{FollowUp, FollowUpKind, Validity};
use crate::domain::incident::IncidentEvent;
use crate::domain::report::{Report, Update};
use crate::engine::scheduler::Command;
use crate::io::store::StoredIncident;
use crate::model::observation::Observation;
use crate::model::target::{Target, TargetName};

impl TargetState {
    /// Requests a confirming probe after a first failed or degraded result that does not change the
    /// target's health. Does nothing if confirming probes are disabled.
    pub(super) fn confirm(&self, outbox: &Outbox) {
        let (name, after) = (&self.target.name, self.target.confirm_after);
        if self.health.wants_confirmation() && after > Duration::ZERO {
            let command = Command::Confirm(name.clone(), after);
            // If the queue is full, the probe in the next slot confirms the result.
            if outbox.scheduler.try_send(command).is_err() {
                tracing::warn!(
                    target = %name,
                    "confirming probe skipped, the scheduler's queue is full"
                );
            }
        }
    }

    /// Requests evidence about a failure during an open incident. Cancels pending requests when
    /// the incident is resolved.
    pub(super) fn request_evidence(&mut self, report: &Report, facts: &Facts, outbox: &Outbox) {
        let target = &report.target;
        if let Some(IncidentEvent::Resolved(_)) = report.event {
            self.evidence_requests.forget();
            outbox.evidence.forget(&target.name);
        }
        let Some(incident) = self.incidents.open() else {
            return;
        };
        let request = self.evidence_requests.request(
            target,
            &report.observation,
            (facts, &report.diagnosis),
            incident,
            outbox.evidence.reads_configuration(),
        );
        if let Some(request) = request {
            self.incidents.await_evidence(request.began);
            outbox.evidence.request(request);
        }
    }

    /// Schedules a control request if one is needed after a failed probe during an open incident. A
    /// failed probe without a response needs no control request, because there is no response time
    /// to compare.
    pub(super) fn control(&self, report: &Report, outbox: &Outbox, now: Timestamp) {
        let failed = report.diagnosis.outcome == Outcome::Failed;
        let has_response = report.observation.response.is_some();
        self.schedule_control(failed && has_response, outbox, now);
    }

    fn schedule_control(&self, failing: bool, outbox: &Outbox, now: Timestamp) {
        let opened = self.incidents.open().map(|incident| incident.opened);
        if let Some(after) = self.baseline.next_control_request(opened, failing, now) {
            outbox.follow_ups.send(FollowUp {
                target: Arc::clone(&self.target),
                kind: FollowUpKind::Control,
                after,
                validity: Validity::default(),
            });
        }
    }
}

impl Monitor {
    /// Adds the result of a control request to the target's baseline, and schedules the next
    /// control request if one is needed.
    pub(super) fn apply_control_result(
        &mut self,
        target: &Arc<Target>,
        observation: &Observation,
        now: Timestamp,
    ) {
        let Some(state) = find(&mut self.targets, target) else {
            return;
        };
        let host = target.url.host_str().unwrap_or_default();
        state.baseline.observe_control(observation, host, now);
        state.save_state.changed = true;
        let failing = state.health.consecutive_failures() > 0;
        state.schedule_control(failing, &self.outbox, now);
    }

    /// Revises an incident with evidence from AWS about an earlier failure. The evidence does
    /// not count as a probe.
    pub(super) fn apply_evidence(&mut self, update: &EvidenceUpdate, now: Timestamp) {
        let Some(state) = self.targets.get_mut(&update.target) else {
            return;
        };
        let Some((mut facts, evidence)) = state.evidence_requests.apply(update) else {
            return;
        };
        facts.add_aws_evidence(&state.target.aws, &evidence);
        if let Some(configuration) = &evidence.configuration {
            state.completed = Some(Box::new(configuration.declared.clone()));
        }
        let diagnosis = Arc::new(self.rulebook.diagnose(&facts));
        let note = summary(&evidence);
        let event = state
            .incidents
            .revise_with(update.began, &diagnosis, &note, now);
        if let Some(event) = event {
            let probe = Some((update.began, diagnosis));
            self.publish_update(&update.target, &event, probe, now);
        }
    }

    /// Saves and publishes a revised incident. `probe` is the start time and the new diagnosis of
    /// the probe that the evidence is about; `None` if the evidence is about no single probe.
    pub(super) fn publish_update(
        &mut self,
        target: &TargetName,
        event: &IncidentEvent,
        probe: Option<(Timestamp, Arc<Diagnosis>)>,
        now: Timestamp,
    ) {
        let Some(state) = self.targets.get_mut(target) else {
            return;
        };
        let incident = event.incident();
        state.showing = Some(Arc::clone(&incident.verdict));
        self.batch.save(StoredIncident {
            location: Arc::clone(&self.location),
            incident: Arc::clone(incident),
            health: state.health.state(),
            since: state.health.since(),
        });
        self.batch.notify(Notification::Update(Box::new(Update {
            target: Arc::clone(&state.target),
            at: now,
            probe,
            incident: Arc::clone(incident),
            maintenance: self.maintenance.covering(target, now).is_some(),
        })));
    }
}
