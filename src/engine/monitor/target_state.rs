//! What the monitor remembers of one target.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::domain::baseline::Baseline;
use crate::domain::diagnosis::rulebook::Rulebook;
use crate::domain::diagnosis::{Diagnosis, Outcome, Verdict};
use crate::domain::evidence_requests::EvidenceRequests;
use crate::domain::health::{Health, HealthState, Transition};
use crate::domain::incident::{IncidentEvent, Incidents, ProbeOutcome};
use crate::io::store::{KeptBaseline, KeptIncident};
use crate::model::observation::Observation;
use crate::model::target::{Target, TargetName};

/// One target and all that is known of it.
#[derive(Debug)]
pub(super) struct TargetState {
    pub(super) target: Arc<Target>,
    pub(super) health: Health,
    /// The fingerprint of what the baseline was learned with.
    pub(super) settings: u64,
    pub(super) baseline: Baseline,
    pub(super) learned: Learned,
    pub(super) incidents: Incidents,
    pub(super) evidence_requests: EvidenceRequests,
    pub(super) showing: Option<Arc<Verdict>>,
}

/// Whether the disk knows what is normal for a target.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Learned {
    /// Something was learned since.
    pub(super) changed: bool,
    /// `None`: it never was.
    written: Option<Timestamp>,
}

/// How often what is normal for a target is written: it is a kilobyte for each, some 15 GB
/// a day for ten thousand targets if it were each minute, and the last few answers out of
/// sixty say nothing new.
const EVERY: SignedDuration = SignedDuration::from_mins(10);

impl TargetState {
    /// A target that has not been probed.
    pub(super) fn new(target: Arc<Target>, now: Timestamp) -> Self {
        Self {
            health: Health::new(target.health, now),
            settings: target.fingerprint(),
            target,
            baseline: Baseline::default(),
            learned: Learned::default(),
            incidents: Incidents::default(),
            evidence_requests: EvidenceRequests::default(),
            showing: None,
        }
    }

    /// Goes on with an incident of before a restart, and with the health of then.
    pub(super) fn resume(&mut self, kept: &KeptIncident) {
        self.health = Health::resumed(self.target.health, kept.health, kept.since);
        self.showing = Some(Arc::clone(&kept.incident.verdict));
        self.incidents = Incidents::resumed(Arc::clone(&kept.incident));
    }

    /// Takes up what was learned before a restart, if it was of the same request.
    pub(super) fn remember(&mut self, kept: &KeptBaseline, now: Timestamp) -> bool {
        let same = kept.settings == self.settings;
        if same {
            self.baseline = Baseline::resumed(&kept.learned);
            self.learned = Learned::written(now);
        }
        same
    }

    /// Goes on with other settings. What is open stays open; what was learned of another
    /// request is forgotten, and so are the questions that were asked about it.
    pub(super) fn change(&mut self, target: &Arc<Target>) {
        self.health.configure(target.health);
        self.target = Arc::clone(target);
        self.evidence_requests = EvidenceRequests::default();
        let settings = target.fingerprint();
        if settings != self.settings {
            self.settings = settings;
            self.baseline = Baseline::default();
            self.learned = Learned::default();
        }
    }

    /// Applies a probe's diagnosis to the baseline, the health and the incident.
    pub(super) fn apply(
        &mut self,
        observation: &Observation,
        diagnosis: &Diagnosis,
        rulebook: &Rulebook,
        maintenance: bool,
        now: Timestamp,
    ) -> (Option<Transition>, Option<IncidentEvent>) {
        self.baseline.observe(observation, diagnosis, now);
        self.learned.changed |= diagnosis.outcome != Outcome::Failed;
        let transition = self.health.observe(diagnosis.outcome, now);
        let outcome = ProbeOutcome {
            target: &self.target.name,
            began: observation.started,
            diagnosis,
            health: self.health.state(),
            suppressed: maintenance,
        };
        (transition, self.incidents.apply(outcome, rulebook, now))
    }

    /// A cause shows from the first failed probe until the target is up again: the
    /// incident's, which one deviating probe does not change, or else the newest.
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

impl Learned {
    /// The disk knows all of it.
    pub(super) const fn written(now: Timestamp) -> Self {
        Self {
            changed: false,
            written: Some(now),
        }
    }

    /// Whether the disk is to know more of it by now.
    pub(super) fn is_due(self, now: Timestamp) -> bool {
        let written = self.written;
        self.changed && written.is_none_or(|written| now.duration_since(written) >= EVERY)
    }
}

/// What is known of a target, unless it was removed or changed since.
pub(super) fn of<'a>(
    known: &'a mut HashMap<TargetName, TargetState>,
    target: &Arc<Target>,
) -> Option<&'a mut TargetState> {
    let watched = known.get_mut(&target.name)?;
    let same = Arc::ptr_eq(&watched.target, target) || watched.target == *target;
    same.then_some(watched)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learned_is_written_soon_for_the_first_time_and_seldom_later() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let mut learned = Learned::default();
        assert!(!learned.is_due(at(0)), "nothing is known");
        learned.changed = true;
        assert!(learned.is_due(at(0)));
        learned = Learned::written(at(0));
        assert!(!learned.is_due(at(60)), "nothing is new");
        learned.changed = true;
        assert!(!learned.is_due(at(9)));
        assert!(learned.is_due(at(10)));
    }
}
