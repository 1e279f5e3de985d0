//! Requests that follow a confirmed failure: a question to the front door, and requests through
//! the layers of the target.
//!
//! `domain::follow_up` decides which requests are sent and what they show. Their results revise
//! the incident. They are no probes: health, baseline and metrics do not change.

use std::sync::Arc;

use jiff::Timestamp;

use super::target_state::{TargetState, find};
use super::{Monitor, Outbox};
use crate::domain::diagnosis::Diagnosis;
use crate::domain::diagnosis::fact::Facts;
use crate::domain::follow_up::{
    Examined, Failure, FollowUp, FollowUpBudget, FollowUpKind, verdict,
};
use crate::domain::incident::IncidentEvent;
use crate::domain::report::Report;
use crate::engine::scheduler::follow_up_requests::FollowUpResult;
use crate::model::observation::Observation;
use crate::model::target::Target;

impl TargetState {
    /// Sends the requests that follow a failed probe of an open incident; drops those in progress
    /// when the incident is resolved.
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
        let failure = Failure {
            target: &report.target,
            observation: &report.observation,
            facts,
            diagnosis: &report.diagnosis,
            incident,
        };
        let wanted = self.follow_ups.wanted(&failure, budget, report.at);
        self.send_follow_ups(wanted, outbox, report.at);
    }

    fn send_follow_ups(&mut self, requests: Vec<FollowUp>, outbox: &Outbox, now: Timestamp) {
        for request in requests {
            let (target, kind) = (Arc::clone(&request.target), request.kind);
            if !outbox.follow_ups.send(request) {
                // An examination that lacks a result ends.
                self.follow_ups.layer_answered(&target, kind, None, now);
            }
        }
    }
}

impl Monitor {
    /// Applies the result of a follow-up request.
    pub(super) fn followed_up(&mut self, result: &FollowUpResult, now: Timestamp) {
        let (target, observation) = (&result.target, result.observation.as_deref());
        match (result.kind, observation) {
            (FollowUpKind::Control, Some(observation)) => {
                self.controlled(target, observation, now);
            }
            (FollowUpKind::Ask { began }, Some(observation)) => {
                self.front_door_answered(target, began, observation, now);
            }
            (FollowUpKind::Layer { .. }, _) => {
                let Some(state) = find(&mut self.targets, target) else {
                    return;
                };
                let ups = &mut state.follow_ups;
                let step = ups.layer_answered(target, result.kind, observation, now);
                state.send_follow_ups(step.next, &self.outbox, now);
                if let Some(examined) = step.examined {
                    self.layers_examined(target, examined, now);
                }
            }
            (FollowUpKind::Control | FollowUpKind::Ask { .. }, None) => {}
        }
    }

    /// Revises an incident with the answer of the front door that was asked for the cause.
    fn front_door_answered(
        &mut self,
        target: &Arc<Target>,
        began: Timestamp,
        observation: &Observation,
        now: Timestamp,
    ) {
        let Some(state) = find(&mut self.targets, target) else {
            return;
        };
        let Some(question) = state.follow_ups.answered(began) else {
            return;
        };
        let mut facts = Facts::gather(target, observation, &state.baseline.context(now));
        let Some(told) = question.told_by(observation, &mut facts) else {
            return;
        };
        let mut diagnosis = self.rulebook.diagnose(&facts);
        verdict::add_evidence(&mut diagnosis, &facts);
        let asked_about = (began, &*question.verdict);
        let incidents = &mut state.incidents;
        let event = incidents.revise_with_answer(asked_about, &diagnosis, &told, now);
        self.publish_revision(target, event, (began, diagnosis), now);
    }

    /// Revises an incident with what the layers of its target showed.
    fn layers_examined(&mut self, target: &Arc<Target>, examined: Examined, now: Timestamp) {
        let Some(state) = find(&mut self.targets, target) else {
            return;
        };
        let Examined {
            began,
            facts,
            findings,
        } = examined;
        let shown = verdict::with_layers(&self.rulebook, &facts, &findings);
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
            self.publish_update(&target.name, &event, (began, Arc::new(diagnosis)), now);
        }
    }
}
