//! Sends the requests that follow a confirmed failure, and revises the incident with their results.
//!
//! One request asks the front door for the cause, and the others test whether the target responds
//! through each of its layers. `domain::follow_up` decides which requests are sent and interprets
//! the results. These requests are not probes and do not change health, baseline or metrics.
//! Results of control requests arrive in the same channel and are passed to `requests`, which adds
//! them to the baseline.

use std::sync::Arc;

use jiff::Timestamp;

use super::target_state::{TargetState, find};
use super::{Monitor, Outbox};
use crate::domain::diagnosis::Diagnosis;
use crate::domain::diagnosis::fact::Facts;
use crate::domain::follow_up::{
    Examined, FollowUp, FollowUpBudget, FollowUpKind, IncidentProbe, verdict,
};
use crate::domain::incident::IncidentEvent;
use crate::domain::report::Report;
use crate::engine::scheduler::follow_up_requests::FollowUpResult;
use crate::model::observation::Observation;
use crate::model::target::Target;

impl TargetState {
    /// Sends the requests that follow a failed probe during an open incident, except during
    /// maintenance. Discards the requests in progress when the incident is resolved.
    pub(super) fn follow_up(
        &mut self,
        report: &Report,
        facts: &Facts,
        budget: &mut FollowUpBudget,
        outbox: &Outbox,
    ) {
        if let Some(IncidentEvent::Resolved(_)) = report.event {
            self.follow_ups.forget();
        }
        let Some(incident) = self.incidents.open().filter(|_| !report.maintenance) else {
            return;
        };
        let probe = IncidentProbe {
            target: &report.target,
            observation: &report.observation,
            facts,
            diagnosis: &report.diagnosis,
            incident,
        };
        let wanted = self.follow_ups.wanted(&probe, budget, report.at);
        self.send_follow_ups(wanted, outbox, report.at);
    }

    fn send_follow_ups(&mut self, requests: Vec<FollowUp>, outbox: &Outbox, now: Timestamp) {
        for request in requests {
            let (target, kind) = (Arc::clone(&request.target), request.kind);
            if !outbox.follow_ups.send(request) {
                // The queue is full, so the request was dropped. If it was part of an examination
                // of the layers, the examination cannot be completed and ends.
                self.follow_ups.apply_layer_result(&target, kind, None, now);
            }
        }
    }
}

impl Monitor {
    /// Applies the result of a follow-up request.
    pub(super) fn apply_follow_up_result(&mut self, result: &FollowUpResult, now: Timestamp) {
        let (target, observation) = (&result.target, result.observation.as_deref());
        match (result.kind, observation) {
            (FollowUpKind::Control, Some(observation)) => {
                self.apply_control_result(target, observation, now);
            }
            (FollowUpKind::Ask { began }, Some(observation)) => {
                self.apply_cause_response(target, began, observation, now);
            }
            (FollowUpKind::Layer { .. }, _) => {
                let Some(state) = find(&mut self.targets, target) else {
                    return;
                };
                let ups = &mut state.follow_ups;
                let step = ups.apply_layer_result(target, result.kind, observation, now);
                state.send_follow_ups(step.next, &self.outbox, now);
                if let Some(examined) = step.examined {
                    self.apply_layer_findings(target, examined, now);
                }
            }
            (FollowUpKind::Control | FollowUpKind::Ask { .. }, None) => {}
        }
    }

    /// Revises an incident with the front door's response to the request for the cause.
    fn apply_cause_response(
        &mut self,
        target: &Arc<Target>,
        began: Timestamp,
        observation: &Observation,
        now: Timestamp,
    ) {
        let Some(state) = find(&mut self.targets, target) else {
            return;
        };
        let Some(cause_request) = state.follow_ups.take_cause_request(began) else {
            return;
        };
        let mut facts = Facts::gather(target, observation, &state.baseline.context(now));
        let Some(evidence) = cause_request.evidence_in(observation, &mut facts) else {
            return;
        };
        let mut diagnosis = self.rulebook.diagnose(&facts);
        verdict::add_evidence(&mut diagnosis, &facts);
        let previous = (began, cause_request.kind, &*cause_request.verdict);
        let incidents = &mut state.incidents;
        let event = incidents.revise_with_response(previous, &diagnosis, &evidence, now);
        self.publish_revision(target, event, (began, diagnosis), now);
    }

    /// Revises an incident with the findings about the layers of its target.
    fn apply_layer_findings(&mut self, target: &Arc<Target>, examined: Examined, now: Timestamp) {
        let Some(state) = find(&mut self.targets, target) else {
            return;
        };
        let shown = verdict::with_layers(&self.rulebook, &examined);
        let Examined {
            began, findings, ..
        } = examined;
        let event = state.incidents.revise_with_layers(&shown, findings, now);
        self.publish_revision(target, event, (began, shown.diagnosis), now);
    }

    fn publish_revision(
        &mut self,
        target: &Arc<Target>,
        event: Option<IncidentEvent>,
        (began, diagnosis): (Timestamp, Diagnosis),
        now: Timestamp,
    ) {
        if let Some(event) = event {
            let probe = Some((began, Arc::new(diagnosis)));
            self.publish_update(&target.name, &event, probe, now);
        }
    }
}
