//! Defines the state that the monitor keeps for each target.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::domain::baseline::Baseline;
use crate::domain::diagnosis::rulebook::Rulebook;
use crate::domain::diagnosis::{Diagnosis, Outcome, Verdict};
use crate::domain::evidence_requests::EvidenceRequests;
use crate::domain::follow_up::FollowUps;
use crate::domain::health::{Health, HealthState, Transition};
use crate::domain::incident::{FailureKind, IncidentEvent, Incidents, ProbeOutcome, ResponseMark};
use crate::io::store::{StoredBaseline, StoredIncident};
use crate::model::observation::Observation;
use crate::model::target::{AwsDeclarations, Target, TargetName};

/// A target with its health, its baseline, its incidents and its pending requests.
#[derive(Debug)]
pub(super) struct TargetState {
    pub(super) target: Arc<Target>,
    pub(super) health: Health,
    /// The fingerprint of the settings with which the baseline was learned.
    pub(super) fingerprint: u64,
    pub(super) baseline: Baseline,
    /// Whether the baseline has unsaved changes, and when it was last saved.
    pub(super) save_state: SaveState,
    pub(super) incidents: Incidents,
    pub(super) evidence_requests: EvidenceRequests,
    pub(super) follow_ups: FollowUps,
    /// The target's declarations, completed with the configuration that was last read from AWS;
    /// `None` if no configuration was read.
    pub(super) completed: Option<Box<AwsDeclarations>>,
    /// The verdict with the cause that the sinks publish; `None` if no cause is published.
    pub(super) showing: Option<Arc<Verdict>>,
}

/// The save state of a target's baseline: whether it has changed, and when it was last saved.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SaveState {
    /// Whether the baseline has changes that are not saved.
    pub(super) changed: bool,
    /// The time at which the baseline was last saved. `None` if it was never saved.
    saved: Option<Timestamp>,
}

/// Minimum time between two saves of a changed baseline. A baseline is about 1 KB, so saving the
/// baselines of ten thousand targets every minute would write about 15 GB per day. A crash loses
/// only the newest samples, which change a baseline little.
const SAVE_INTERVAL: SignedDuration = SignedDuration::from_mins(10);

impl TargetState {
    /// Creates the state of a target that has not been probed.
    pub(super) fn new(target: Arc<Target>, now: Timestamp) -> Self {
        Self {
            health: Health::new(target.health, now),
            fingerprint: target.fingerprint(),
            target,
            baseline: Baseline::default(),
            save_state: SaveState::default(),
            incidents: Incidents::default(),
            evidence_requests: EvidenceRequests::default(),
            follow_ups: FollowUps::default(),
            completed: None,
            showing: None,
        }
    }

    /// Restores an open incident of the previous run, and the health stored with it.
    pub(super) fn resume(&mut self, kept: &StoredIncident) {
        self.health = Health::resumed(self.target.health, kept.health, kept.since);
        self.showing = Some(Arc::clone(&kept.incident.verdict));
        self.incidents = Incidents::resumed(Arc::clone(&kept.incident));
        self.follow_ups = FollowUps::resumed(&kept.incident);
        self.baseline.resume_failure(kept.incident.opened);
    }

    /// Restores the baseline of the previous run if it was learned with the same settings. Returns
    /// whether the baseline was restored.
    pub(super) fn restore_baseline(&mut self, kept: &StoredBaseline, now: Timestamp) -> bool {
        let same = kept.settings == self.fingerprint;
        if same {
            self.baseline = Baseline::resumed(&kept.learned);
            self.save_state = SaveState::saved(now);
        }
        same
    }

    /// Changes the target's settings. An open incident stays open. Pending evidence requests and
    /// follow-up requests are dropped. The baseline is dropped if a setting has changed that
    /// affects the response time.
    pub(super) fn change(&mut self, target: &Arc<Target>) {
        self.health.configure(target.health);
        self.follow_ups.change(self.target.layers != target.layers);
        self.target = Arc::clone(target);
        self.evidence_requests = EvidenceRequests::default();
        self.completed = None;
        let fingerprint = target.fingerprint();
        if fingerprint != self.fingerprint {
            self.fingerprint = fingerprint;
            self.baseline = Baseline::default();
            self.save_state = SaveState::default();
        }
    }

    /// Applies a probe's diagnosis to the baseline, the health and the incident. Returns the
    /// changes of the health and of the incident, if any.
    pub(super) fn apply(
        &mut self,
        observation: &Observation,
        diagnosis: &Diagnosis,
        rulebook: &Rulebook,
        maintenance: bool,
        now: Timestamp,
    ) -> (Option<Transition>, Option<IncidentEvent>) {
        self.save_state.changed |= self.baseline.observe(observation, diagnosis, now);
        let transition = self.health.observe(diagnosis.outcome, now);
        let outcome = ProbeOutcome {
            target: &self.target.name,
            began: observation.started,
            kind: FailureKind::from(observation),
            mark: ResponseMark::of(observation),
            request_id: observation.request_id(),
            diagnosis,
            health: self.health.state(),
            suppressed: maintenance,
        };
        (transition, self.incidents.apply(outcome, rulebook, now))
    }

    /// Updates the published cause after a probe. While an incident is open, a failed or degraded
    /// probe publishes the cause of the incident, so that a single deviating probe does not change
    /// the published cause. Without an open incident, the probe publishes the cause in its own
    /// diagnosis. Once the target is up again, no cause is published.
    pub(super) fn show(&mut self, diagnosis: &Diagnosis) {
        let incident = self.incidents.open().map(|incident| &incident.verdict);
        match diagnosis.outcome {
            Outcome::Passed if self.health.state() == HealthState::Up => self.showing = None,
            Outcome::Passed => {}
            Outcome::Degraded | Outcome::Failed => {
                self.showing = incident.or(diagnosis.verdict.as_ref()).cloned();
            }
        }
    }
}

impl SaveState {
    /// Returns the save state of a baseline that was saved at `now` and has not changed since.
    pub(super) const fn saved(now: Timestamp) -> Self {
        Self {
            changed: false,
            saved: Some(now),
        }
    }

    /// Returns whether the baseline has changed and was not saved within the last
    /// [`SAVE_INTERVAL`].
    pub(super) fn is_due(self, now: Timestamp) -> bool {
        let outdated = |saved| now.duration_since(saved) >= SAVE_INTERVAL;
        self.changed && self.saved.is_none_or(outdated)
    }
}

/// Returns the state of a target, or `None` if the target has been removed or changed.
pub(super) fn find<'a>(
    targets: &'a mut HashMap<TargetName, TargetState>,
    target: &Arc<Target>,
) -> Option<&'a mut TargetState> {
    let state = targets.get_mut(&target.name)?;
    let same = Arc::ptr_eq(&state.target, target) || state.target == *target;
    same.then_some(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_saved_at_once_the_first_time_and_every_ten_minutes_later() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let mut save_state = SaveState::default();
        assert!(!save_state.is_due(at(0)), "nothing was learned");
        save_state.changed = true;
        assert!(save_state.is_due(at(0)));
        save_state = SaveState::saved(at(0));
        assert!(!save_state.is_due(at(60)), "nothing has changed");
        save_state.changed = true;
        assert!(!save_state.is_due(at(9)));
        assert!(save_state.is_due(at(10)));
    }
}
