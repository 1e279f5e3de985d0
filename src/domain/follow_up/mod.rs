//! Decides which follow-up requests are made after a confirmed failure, and evaluates their
//! results.
//!
//! This module decides about two kinds: a request to the front door for the cause (`ask`), and
//! requests through each layer of the target and to its own URL, made twice (`examination`).
//! `baseline` decides about the third kind, control requests. Requests of the first two kinds are
//! not probes, so they change neither health nor baseline; `budget` limits them for the whole
//! daemon, and `verdict` adds their results to the diagnosis. The caller sends the requests.

pub mod ask;
mod budget;
mod examination;
mod validity;
pub mod verdict;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::{Diagnosis, Outcome};
use crate::domain::incident::{FailureKind, Incident, IncidentId};
use crate::model::observation::Observation;
use crate::model::target::Target;

pub use self::ask::CauseRequest;
pub use self::budget::FollowUpBudget;
pub use self::examination::{Examined, Step};
pub use self::validity::Validity;

use self::examination::Examination;

/// A request about a target that is made in addition to its probes.
#[derive(Clone, Debug)]
pub struct FollowUp {
    /// The target that the request is about.
    pub target: Arc<Target>,
    /// The purpose of the request.
    pub kind: FollowUpKind,
    /// The delay until the request is sent.
    pub after: Duration,
    /// Whether the request is still needed when the delay ends.
    pub validity: Validity,
}

/// The purpose of a follow-up request. A target has at most one request in progress for each value
/// of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FollowUpKind {
    /// Measures the time that the front door takes to respond by itself. The baseline decides when
    /// to send this request.
    Control,
    /// Requests the cause from the front door.
    Ask {
        /// The time at which the failed probe started.
        began: Timestamp,
    },
    /// Tests whether the target responds through one of its layers.
    Layer {
        /// The time at which the failed probe started.
        began: Timestamp,
        /// The index of the round, starting at zero.
        round: u8,
        /// The index of the layer, starting at one for the outermost layer. Zero is the target's
        /// own URL.
        index: usize,
    },
}

/// A probe during an open incident. [`FollowUps::wanted`] returns requests only if the probe
/// failed.
#[derive(Clone, Copy, Debug)]
pub struct IncidentProbe<'a> {
    /// The probed target.
    pub target: &'a Arc<Target>,
    /// The observation of the probe.
    pub observation: &'a Observation,
    /// The facts of the probe.
    pub facts: &'a Facts,
    /// The diagnosis of the probe.
    pub diagnosis: &'a Diagnosis,
    /// The open incident of the target.
    pub incident: &'a Incident,
}

/// The state of the follow-up requests of one target.
#[derive(Clone, Debug, Default)]
pub struct FollowUps {
    cause_request: Option<CauseRequest>,
    /// The incident of the newest request for the cause, and the time of this request; `None` if no
    /// such request is known.
    asked: Option<(IncidentId, Timestamp)>,
    examination: Option<Examination>,
    examined: Option<LastExamination>,
}

/// The newest examination of the layers.
#[derive(Clone, Debug)]
struct LastExamination {
    incident: IncidentId,
    began: Timestamp,
    /// The kind of the examined failure; `None` if the failure was examined before a restart.
    kind: Option<FailureKind>,
    /// True while the examination is in progress and after it ended with findings; false if it
    /// ended without findings.
    is_current: bool,
}

/// Minimum time between two requests for the cause, per target. Each incident has at most one such
/// request.
const ASK_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// Minimum time between two examinations of the same kind of failure in one incident, if the
/// earlier examination is in progress or ended with findings.
const EXAMINE_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// Minimum time between two examinations of one target in all other cases: the incidents or the
/// kinds of failure differ, or the earlier examination ended without findings.
const EXAMINE_AGAIN: SignedDuration = SignedDuration::from_mins(5);

impl FollowUps {
    /// Returns the state after a restart. Requests that are recorded in the open incident count as
    /// made, so the limits on repeated requests apply to them.
    #[must_use]
    pub fn resumed(incident: &Incident) -> Self {
        let id = || incident.id.clone();
        let examined = incident.layers.as_ref().map(|findings| LastExamination {
            incident: id(),
            began: findings.at,
            kind: None,
            is_current: findings.repeated,
        });
        Self {
            asked: incident.asked_at().map(|at| (id(), at)),
            examined,
            ..Self::default()
        }
    }

    /// Returns the requests to send after a probe during an open incident; empty if the probe did
    /// not fail. Requests that exceed the budget are returned after a later failure instead.
    pub fn wanted(
        &mut self,
        probe: &IncidentProbe<'_>,
        budget: &mut FollowUpBudget,
        now: Timestamp,
    ) -> Vec<FollowUp> {
        if probe.diagnosis.outcome != Outcome::Failed {
            return Vec::new();
        }
        let mut wanted = Vec::new();
        wanted.extend(self.ask(probe, budget, now));
        wanted.extend(self.examine(probe, budget, now));
        wanted
    }

    /// Removes and returns the pending request for the cause of the failed probe that started at
    /// `began`; `None` if no such request is pending.
    pub fn take_cause_request(&mut self, began: Timestamp) -> Option<CauseRequest> {
        self.cause_request
            .take_if(|cause_request| cause_request.began == began)
    }

    /// Applies the result of a request through a layer or to the target's own URL. `observation` is
    /// `None` if the request produced no result. Returns the requests to send next and the findings
    /// so far; no requests and no findings if the result does not belong to the examination in
    /// progress.
    pub fn apply_layer_result(
        &mut self,
        target: &Arc<Target>,
        kind: FollowUpKind,
        observation: Option<&Observation>,
        now: Timestamp,
    ) -> Step {
        let FollowUpKind::Layer {
            began,
            round,
            index,
        } = kind
        else {
            return Step::default();
        };
        let Some(examination) = &mut self.examination else {
            return Step::default();
        };
        if !examination.expects(began, round) {
            return Step::default();
        }
        let step = examination.apply(target, index, observation, now);
        if step.ended {
            self.examination = None;
            if let Some(last) = &mut self.examined {
                last.is_current = step.examined.is_some();
            }
        }
        step
    }

    /// Drops all requests in progress, for example because the incident was resolved.
    pub fn forget(&mut self) {
        self.cause_request = None;
        if self.examination.take().is_some()
            && let Some(last) = &mut self.examined
        {
            last.is_current = false;
        }
    }

    /// Drops all requests in progress, because the target's settings were changed. If
    /// `layers_changed`, the next failure is examined without waiting for the minimum time between
    /// examinations.
    pub fn change(&mut self, layers_changed: bool) {
        self.forget();
        if layers_changed {
            self.examined = None;
        }
    }

    fn ask(
        &mut self,
        failure: &IncidentProbe<'_>,
        budget: &mut FollowUpBudget,
        now: Timestamp,
    ) -> Option<FollowUp> {
        let incident = &failure.incident.id;
        let due = self
            .asked
            .as_ref()
            .is_none_or(|(asked, at)| asked != incident && now.duration_since(*at) >= ASK_INTERVAL);
        let cause_request = CauseRequest::of(failure).filter(|_| due)?;
        if !budget.take(1, now) {
            return None;
        }
        let (began, validity) = (cause_request.began, cause_request.validity());
        self.cause_request = Some(cause_request);
        self.asked = Some((incident.clone(), now));
        Some(FollowUp {
            target: Arc::clone(failure.target),
            kind: FollowUpKind::Ask { began },
            after: Duration::ZERO,
            validity,
        })
    }

    fn examine(
        &mut self,
        failure: &IncidentProbe<'_>,
        budget: &mut FollowUpBudget,
        now: Timestamp,
    ) -> Vec<FollowUp> {
        let incident = &failure.incident.id;
        let kind = FailureKind::from(failure.observation);
        let due = self.examined.as_ref().is_none_or(|last| {
            let same = last.incident == *incident
                && last.is_current
                && last.kind.is_none_or(|last| last == kind);
            let least = if same {
                EXAMINE_INTERVAL
            } else {
                EXAMINE_AGAIN
            };
            now.duration_since(last.began) >= least
        });
        if failure.target.layers.is_empty() || !due {
            return Vec::new();
        }
        let examination = Examination::new(failure);
        if !budget.take(examination.request_count(), now) {
            return Vec::new();
        }
        let requests = examination.requests(failure.target, Duration::ZERO);
        self.examination = Some(examination);
        self.examined = Some(LastExamination {
            incident: incident.clone(),
            began: now,
            kind: Some(kind),
            is_current: true,
        });
        requests
    }
}

#[cfg(test)]
mod tests;
