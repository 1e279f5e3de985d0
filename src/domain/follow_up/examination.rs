//! Examines a target's layers in two rounds. Each round consists of one request per layer, which is
//! sent through this layer, and one request to the target's own URL.
//!
//! All requests of a round are sent at once. If the target's own URL responds as expected, the
//! failure is over or intermittent, and the examination ends without further findings. The second
//! round starts after a pause, so that a short disturbance does not decide the result.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{FollowUp, FollowUpKind, IncidentProbe, Validity};
use crate::domain::diagnosis::fact::Facts;
use crate::domain::incident::FailureKind;
use crate::domain::layers::{LayerFindings, LayerResponse, LayerResult, LayerState, combine};
use crate::domain::layers::{judge_front, judge_layer};
use crate::model::observation::Observation;
use crate::model::target::Target;

/// An examination of a target's layers that is in progress.
#[derive(Clone, Debug)]
pub(super) struct Examination {
    /// The time at which the failed probe started.
    began: Timestamp,
    kind: FailureKind,
    facts: Facts,
    round: u8,
    /// The responses of the current round by index of the layer; index 0 is the target's own URL.
    /// `None` while a response is pending.
    responses: Vec<Option<Response>>,
    /// The results of the first round; `None` until the first round ends.
    first: Option<Vec<LayerResult>>,
    /// A value that all clones of this examination share. The requests are needed until every clone
    /// is dropped, which [`Validity`] detects through a weak reference.
    needed: Arc<()>,
}

/// The response to one request of a round.
#[derive(Clone, Debug)]
enum Response {
    /// The result of the request to the target's own URL, and the status of its response; `None`
    /// without a complete response.
    Front(LayerResult, Option<u16>),
    /// The response to a request through a layer.
    Layer(LayerResponse),
}

/// The next step of an examination after the result of one request.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// The requests to send next.
    pub next: Vec<FollowUp>,
    /// The findings so far, if the result completes a round in which the target's own URL fails;
    /// otherwise `None`.
    pub examined: Option<Examined>,
    /// Whether the examination has ended.
    pub(super) ended: bool,
}

/// The findings about a target's layers after a failed probe.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The time at which the failed probe started.
    pub began: Timestamp,
    /// The kind of the failure.
    pub kind: FailureKind,
    /// The facts of the failed probe.
    pub facts: Facts,
    /// The results of the requests through the layers and to the target's own URL.
    pub findings: LayerFindings,
}

/// Number of rounds of one examination.
const ROUNDS: u8 = 2;

/// Maximum pause before the second round. The pause is shorter if the target's `confirm_after` is
/// shorter.
const MAX_PAUSE: Duration = Duration::from_secs(10);

impl Examination {
    pub(super) fn new(failure: &IncidentProbe<'_>) -> Self {
        Self {
            began: failure.observation.started,
            kind: FailureKind::from(failure.observation),
            facts: failure.facts.clone(),
            round: 0,
            responses: vec![None; failure.target.layers.len() + 1],
            first: None,
            needed: Arc::default(),
        }
    }

    /// Returns the number of requests of the whole examination.
    pub(super) fn request_count(&self) -> usize {
        self.responses.len() * usize::from(ROUNDS)
    }

    /// Returns the requests of the current round, to be sent after the delay `after`.
    pub(super) fn requests(&self, target: &Arc<Target>, after: Duration) -> Vec<FollowUp> {
        let request = |index| FollowUp {
            target: Arc::clone(target),
            kind: FollowUpKind::Layer {
                began: self.began,
                round: self.round,
                index,
            },
            after,
            validity: Validity::while_kept(&self.needed),
        };
        (0..self.responses.len()).map(request).collect()
    }

    /// Returns whether a result belongs to the current round of this examination.
    pub(super) fn expects(&self, began: Timestamp, round: u8) -> bool {
        self.began == began && self.round == round
    }

    /// Applies the result of the request with this index, and returns the next step. `observation`
    /// is `None` if the request produced no result; the examination then ends.
    pub(super) fn apply(
        &mut self,
        target: &Arc<Target>,
        index: usize,
        observation: Option<&Observation>,
        now: Timestamp,
    ) -> Step {
        let Some(response) = observation.and_then(|seen| judge(target, index, seen, now)) else {
            return Step::end();
        };
        if let Some(slot) = self.responses.get_mut(index) {
            *slot = Some(response);
        }
        let round: Option<Vec<Response>> = self.responses.iter().cloned().collect();
        round.map_or_else(Step::default, |round| {
            self.end_round(results(round), target, now)
        })
    }

    fn end_round(&mut self, round: Vec<LayerResult>, target: &Arc<Target>, now: Timestamp) -> Step {
        let answers = |result: &LayerResult| result.state == LayerState::Ok;
        if round.first().is_some_and(answers) {
            return Step::end();
        }
        let results = match &self.first {
            Some(first) => first
                .iter()
                .zip(&round)
                .map(|(first, second)| combine(first, second))
                .collect(),
            None => round.clone(),
        };
        self.round += 1;
        let ended = self.round == ROUNDS;
        let mut step = Step {
            examined: Some(Examined {
                began: self.began,
                kind: self.kind,
                facts: self.facts.clone(),
                findings: LayerFindings {
                    at: now,
                    results,
                    repeated: ended,
                },
            }),
            ended,
            next: Vec::new(),
        };
        if !ended {
            self.responses.fill(None);
            self.first = Some(round);
            step.next = self.requests(target, target.confirm_after.min(MAX_PAUSE));
        }
        step
    }
}

/// Evaluates the observation of the request with this index; `None` if the target has no such
/// layer.
fn judge(
    target: &Target,
    index: usize,
    observation: &Observation,
    now: Timestamp,
) -> Option<Response> {
    let Some(inner) = index.checked_sub(1) else {
        let result = judge_front(target, observation, now);
        let response = observation.response.as_ref();
        let response = response.filter(|_| observation.fault.is_none());
        return Some(Response::Front(
            result,
            response.map(|response| response.status),
        ));
    };
    let name = &target.layers.get(inner)?.name;
    let response = judge_layer(name, target, observation, now);
    Some(Response::Layer(response))
}

/// Returns the results of a complete round. The responses of the layers are compared with that of
/// the target's own URL in the same round.
fn results(round: Vec<Response>) -> Vec<LayerResult> {
    let front = round.iter().find_map(|response| match response {
        Response::Front(_, status) => *status,
        Response::Layer(_) => None,
    });
    let results = round.into_iter().map(|response| match response {
        Response::Front(result, _) => result,
        Response::Layer(response) => response.beside(front),
    });
    results.collect()
}

impl Step {
    /// Returns the step that ends an examination. It contains no findings and no further requests.
    fn end() -> Self {
        Self {
            ended: true,
            ..Self::default()
        }
    }
}
