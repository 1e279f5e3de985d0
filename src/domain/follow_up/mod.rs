//! Decides which requests beside the probes follow a confirmed failure, and what their results
//! show.
//!
//! Two kinds of requests follow: one that asks the front door for the cause (`ask`), and requests
//! through each layer of the target and through its own URL, made twice (`examination`). They are
//! no probes: they change neither health nor baseline. `budget` limits them for the whole daemon.
//! Sending them is left to the caller.

pub mod ask;
mod budget;
mod examination;
pub mod verdict;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::{Diagnosis, Outcome};
use crate::domain::incident::{Incident, IncidentId};
use crate::model::observation::Observation;
use crate::model::target::Target;

pub use self::ask::Question;
pub use self::budget::FollowUpBudget;
pub use self::examination::{Examined, Step};

use self::examination::Examination;

/// A request that is not a probe.
#[derive(Clone, Debug, PartialEq)]
pub struct FollowUp {
    /// The target that the request is about.
    pub target: Arc<Target>,
    /// What is requested.
    pub kind: FollowUpKind,
    /// The delay until the request is sent.
    pub after: Duration,
}

/// What a follow-up request asks. A target has at most one request of each value in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FollowUpKind {
    /// The time that the front door takes to respond by itself; decided by the baseline.
    Control,
    /// The cause, from a front door that names it if asked.
    Ask {
        /// When the failed probe started.
        began: Timestamp,
    },
    /// Whether the target answers through one of its layers.
    Layer {
        /// When the failed probe started.
        began: Timestamp,
        /// The number of the round, from zero.
        round: u8,
        /// The number of the layer, from one, the outermost first; zero is the URL itself.
        index: usize,
    },
}

/// A failed probe of an open incident.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// The probed target.
    pub target: &'a Arc<Target>,
    /// The observation of the probe.
    pub observation: &'a Observation,
    /// The facts of the probe.
    pub facts: &'a Facts,
    /// The diagnosis of the probe.
    pub diagnosis: &'a Diagnosis,
    /// The open incident.
    pub incident: &'a Incident,
}

/// The follow-up requests of one target.
#[derive(Clone, Debug, Default)]
pub struct FollowUps {
    question: Option<Question>,
    /// The incident of the last question, and when it was asked.
    asked: Option<(IncidentId, Timestamp)>,
    examination: Option<Examination>,
    examined: Option<LastExamination>,
}

/// The start of the last examination of the layers.
#[derive(Clone, Debug)]
struct LastExamination {
    incident: IncidentId,
    began: Timestamp,
    /// Whether it led to findings, or is still in progress.
    complete: bool,
}

/// Minimum time between two questions to the front door of one target.
const ASK_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// Minimum time between two complete examinations in one incident.
const EXAMINE_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// Minimum time between two examinations of one target, if the incident is another one or the
/// earlier examination had no result.
const EXAMINE_AGAIN: SignedDuration = SignedDuration::from_mins(5);

impl FollowUps {
    /// The requests to send after a failed probe of an open incident. Requests that do not fit
    /// into the budget are wanted again after the next failure.
    pub fn wanted(
        &mut self,
        failure: &Failure<'_>,
        budget: &mut FollowUpBudget,
        now: Timestamp,
    ) -> Vec<FollowUp> {
        if failure.diagnosis.outcome != Outcome::Failed {
            return Vec::new();
        }
        let mut wanted = Vec::new();
        wanted.extend(self.ask(failure, budget, now));
        wanted.extend(self.examine(failure, budget, now));
        wanted
    }

    /// The question that the result of an [`FollowUpKind::Ask`] answers; `None` if it is not
    /// expected any more.
    pub fn answered(&mut self, began: Timestamp) -> Option<Question> {
        self.question.take_if(|question| question.began == began)
    }

    /// Applies the result of a request through a layer, `None` if it was lost. Returns the
    /// requests to send next and the findings so far.
    pub fn layer_answered(
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
                last.complete = step.examined.is_some();
            }
        }
        step
    }

    /// Drops the requests in progress, because the incident is resolved or the target changed.
    pub fn forget(&mut self) {
        self.question = None;
        self.examination = None;
    }

    fn ask(
        &mut self,
        failure: &Failure<'_>,
        budget: &mut FollowUpBudget,
        now: Timestamp,
    ) -> Option<FollowUp> {
        let incident = &failure.incident.id;
        let due = self
            .asked
            .as_ref()
            .is_none_or(|(asked, at)| asked != incident && now.duration_since(*at) >= ASK_INTERVAL);
        let question = Question::of(failure).filter(|_| due)?;
        if !budget.take(1, now) {
            return None;
        }
        let began = question.began;
        self.question = Some(question);
        self.asked = Some((incident.clone(), now));
        Some(FollowUp {
            target: Arc::clone(failure.target),
            kind: FollowUpKind::Ask { began },
            after: Duration::ZERO,
        })
    }

    fn examine(
        &mut self,
        failure: &Failure<'_>,
        budget: &mut FollowUpBudget,
        now: Timestamp,
    ) -> Vec<FollowUp> {
        let incident = &failure.incident.id;
        let due = self.examined.as_ref().is_none_or(|last| {
            let same = last.incident == *incident && last.complete;
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
            complete: true,
        });
        requests
    }
}

#[cfg(test)]
mod tests;
