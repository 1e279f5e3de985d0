//! Requests the changes in the AWS account during an incident, and adds them to the incident.
//!
//! A change is a lead: it adds to the evidence of an incident and never changes its cause.

use std::sync::Arc;

use jiff::Timestamp;

use super::target_state::TargetState;
use super::{Monitor, Outbox};
use crate::domain::account_changes::{Watched, watched_until};
use crate::domain::diagnosis::Outcome;
use crate::domain::incident::IncidentEvent;
use crate::domain::report::Report;
use crate::io::evidence::changes::{ChangeRequest, ChangeUpdate};

impl TargetState {
    /// Requests the changes in the account after a failed probe, until 30 minutes after the
    /// incident opened. The request is repeated at each failure, because the cause or the known
    /// resources of the target may have changed, or the configuration may have enabled the search.
    /// Ends the search when the incident is resolved.
    pub(super) fn request_changes(&self, report: &Report, outbox: &Outbox) {
        if let Some(IncidentEvent::Resolved(_)) = report.event {
            outbox.changes.forget(&report.target.name);
        }
        let Some(incident) = self.incidents.open() else {
            return;
        };
        let is_failing = report.diagnosis.outcome != Outcome::Passed;
        if !is_failing || report.at >= watched_until(incident.opened) {
            return;
        }
        let first_failure = self.baseline.first_failure();
        let declared = self.completed.as_deref().unwrap_or(&self.target.aws);
        outbox.changes.watch(ChangeRequest {
            target: Arc::clone(&self.target),
            watched: Watched::of(&self.target, declared),
            incident: incident.id.clone(),
            opened: incident.opened,
            // If a good response was received during the incident, `first_failure` is later than
            // the opening, so the time of the opening is used instead.
            first_failure: first_failure.map_or(incident.opened, |at| at.min(incident.opened)),
            cause: incident.verdict.cause.clone(),
        });
    }
}

impl Monitor {
    /// Adds changes in the account to the incident for which they were requested, and publishes the
    /// incident. Ignores the changes if this incident is no longer open.
    pub(super) fn apply_changes(&mut self, update: ChangeUpdate, now: Timestamp) {
        let ChangeUpdate {
            target,
            incident,
            changes,
        } = update;
        let Some(state) = self.targets.get_mut(&target) else {
            return;
        };
        let event = state.incidents.add_changes(&incident, changes, now);
        if let Some(event) = event {
            self.publish_update(&target, &event, None, now);
        }
    }
}
