//! Chooses the cause that explains an incident's failures best.
//!
//! One root cause may produce different responses, so no single failure decides: a function that
//! has reached its concurrency limit causes a 503 from one front door and a 500 from another. For
//! each recent failure, the share of a cause in the verdict of the failure is used as the
//! likelihood of the failure under this cause. If the cause is not a candidate in the verdict, a
//! small likelihood is used, because no rule is perfect. The computation is bounded and
//! deterministic.

mod signature;

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use self::signature::{Before, Signature};
use super::failure_kind::{FailureKind, ResponseMark};
use super::record::Incident;
use crate::domain::diagnosis::{Candidate, Verdict};
use crate::model::cause::{CauseId, Certainty};

/// The most recent failures of one scope (a target, the prober or a group), newest first, and a
/// verdict that later evidence provided for failures with one signature.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Attribution {
    failures: VecDeque<Failure>,
    /// The failures whose evidence was requested, newest first; at most [`MAX_FAILURES`]. Evidence
    /// may arrive after more failures than `failures` holds. These failures do not count for the
    /// cause, but their evidence applies to failures with the same signature.
    awaited: VecDeque<Failure>,
    /// The signatures of failures with a corroborated or proven verdict or with the response to a
    /// follow-up request, and these verdicts, newest first. Other failures with an equal signature
    /// get the same verdict.
    known: VecDeque<(Signature, Arc<Verdict>)>,
    /// The verdict that was known before a restart.
    before: Option<Before>,
}

#[derive(Clone, Debug, PartialEq)]
struct Failure {
    began: Timestamp,
    request_id: Option<Box<str>>,
    signature: Signature,
    /// The verdict of the probe itself, without later evidence.
    first: Arc<Verdict>,
    verdict: Arc<Verdict>,
}

/// The identifying properties of a failed probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct FailureId<'a> {
    /// When the probe began.
    pub(super) began: Timestamp,
    /// The kind of the failure.
    pub(super) kind: FailureKind,
    /// The mark of the response: a hash of what shows its server and its text.
    pub(super) mark: ResponseMark,
    /// The request id in the response; `None` if there is none.
    pub(super) request_id: Option<&'a str>,
}

/// Maximum number of recent failures that are considered. Older failures hardly count: the eighth
/// has 3 % of the newest failure's weight.
const MAX_FAILURES: usize = 8;

/// Maximum number of known signatures. Few different responses alternate during one outage.
const MAX_KNOWN: usize = 4;

/// Weight of a failure relative to the next newer failure. After a long run of one cause, a single
/// deviating failure does not outweigh the run (1 against 1.5), but two consecutive deviating
/// failures do (1.6 against 0.9).
const DECAY: f64 = 0.6;

/// Likelihood of a failure under a cause that is not a candidate in the verdict of the failure. The
/// value is lower than the usual share of a candidate, and above zero so that one such failure does
/// not exclude the cause.
const NON_CANDIDATE_LIKELIHOOD: f64 = 0.02;

/// Evidence about a failure contradicts a cause if it lowers the share of the cause to less than
/// this fraction of the share without the evidence.
const CONTRADICTING_SHARE: f64 = 0.5;

/// Returns the weight of a failure by the certainty of its verdict. One failure with a corroborated
/// or proven cause outweighs several failures with inferred causes.
const fn weight_of(certainty: Certainty) -> f64 {
    match certainty {
        Certainty::Proven => 10.0,
        Certainty::Corroborated => 5.0,
        Certainty::Likely | Certainty::Possible => 1.0,
    }
}

impl Attribution {
    /// Resumes the attribution of an incident that was open before a restart. The verdict of the
    /// incident is kept only if it is corroborated, proven or from a follow-up request.
    pub(super) fn resumed(incident: &Incident) -> Self {
        Self {
            before: Before::of(incident),
            ..Self::default()
        }
    }

    /// Adds a failed probe with its verdict.
    pub(super) fn add(&mut self, id: FailureId<'_>, verdict: &Arc<Verdict>) {
        self.failures.truncate(MAX_FAILURES - 1);
        let signature = Signature::of(id.kind, verdict, Some(id.mark));
        if let Some(known) = self.before.take_if(|known| known.fits(&signature)) {
            self.remember(signature.clone(), known.verdict);
        }
        if verdict.certainty >= Certainty::Corroborated {
            self.remember(signature.clone(), Arc::clone(verdict));
        }
        self.failures.push_front(Failure {
            began: id.began,
            request_id: id.request_id.map(Into::into),
            signature,
            first: Arc::clone(verdict),
            verdict: Arc::clone(verdict),
        });
    }

    /// Keeps the failed probe that began at `began` until its evidence arrives.
    pub(super) fn await_evidence(&mut self, began: Timestamp) {
        if let Some(failure) = self.find(began).cloned() {
            self.awaited.retain(|awaited| awaited.began != began);
            self.awaited.truncate(MAX_FAILURES - 1);
            self.awaited.push_front(failure);
        }
    }

    /// Replaces the verdict of the failed probe that began at `began`. Returns whether it is the
    /// newest failure.
    pub(super) fn replace(&mut self, began: Timestamp, verdict: &Arc<Verdict>) -> bool {
        // A failure may be in both lists, each of which may outlive the other.
        for failure in self.failures.iter_mut().chain(&mut self.awaited) {
            if failure.began == began {
                failure.verdict = Arc::clone(verdict);
            }
        }
        let Some(failure) = self.find(began).cloned() else {
            return false;
        };
        // Evidence about a newer failure with this signature has precedence.
        let mut known = self.failures.iter().chain(&self.awaited);
        let newer = known.find(|newer| {
            newer.began > began
                && newer.signature == failure.signature
                && newer.verdict.certainty >= Certainty::Corroborated
        });
        let same_cause = newer.map(|newer| newer.verdict.cause == verdict.cause);
        let shows_cause = verdict.certainty >= Certainty::Corroborated;
        if shows_cause && same_cause != Some(false) {
            self.remember(failure.signature, Arc::clone(verdict));
        } else if !shows_cause && same_cause.is_none() {
            self.forget_contradicted(&failure);
        }
        let newest = self.failures.front();
        newest.is_some_and(|newest| newest.began == began)
    }

    /// Returns the failed probe that began at `began`; `None` if it is too old and its evidence was
    /// not requested.
    fn find(&self, began: Timestamp) -> Option<&Failure> {
        let mut known = self.failures.iter().chain(&self.awaited);
        known.find(|failure| failure.began == began)
    }

    /// Forgets the verdict that is known for the signature of `failure` if the evidence about this
    /// failure speaks against the cause.
    fn forget_contradicted(&mut self, failure: &Failure) {
        self.known.retain(|(signature, verdict)| {
            let share_in = |of: &Verdict| share(of, &verdict.cause).unwrap_or(0.0);
            let limit = share_in(&failure.first) * CONTRADICTING_SHARE;
            share_in(&failure.verdict) >= limit || !signature.applies_to(&failure.signature)
        });
    }

    /// Applies a verdict from a follow-up request to all failures with the same kind and candidates
    /// as the failed probe, which has this kind and the verdict `of`. It replaces the verdict of an
    /// earlier follow-up request even if it is less certain, because two verdicts with the same cause
    /// may name different layers.
    pub(super) fn learn(&mut self, kind: FailureKind, of: &Verdict, verdict: &Arc<Verdict>) {
        let signature = Signature::of(kind, of, None);
        self.known.retain(|(known, _)| *known != signature);
        self.remember(signature, Arc::clone(verdict));
    }

    /// Stores the verdict of a signature. A stored verdict is not replaced by a less certain
    /// verdict with the same cause.
    fn remember(&mut self, signature: Signature, verdict: Arc<Verdict>) {
        let is_weaker = |(known, stronger): &(Signature, Arc<Verdict>)| {
            *known == signature
                && stronger.cause == verdict.cause
                && stronger.certainty > verdict.certainty
        };
        if self.known.iter().any(is_weaker) {
            return;
        }
        self.known.retain(|(known, _)| *known != signature);
        self.known.truncate(MAX_KNOWN - 1);
        self.known.push_front((signature, verdict));
    }

    /// Removes all but the newest `count` failures, because the older ones have another cause.
    /// Keeps at least one failure.
    pub(super) fn keep_newest(&mut self, count: usize) {
        self.failures.truncate(count.max(1));
    }

    /// Returns the certainty of `cause` that the newest failures support. Only the newest failure
    /// supports a corroborated or proven cause, because the evidence must be about the present
    /// state. The failure before it supports the cause as `likely` at most, because two responses
    /// may alternate during one outage.
    pub(super) fn supported(&self, cause: &CauseId) -> Certainty {
        let certainty = |failure: &Failure| {
            let verdict = self.effective(failure);
            (verdict.cause == *cause).then_some(verdict.certainty)
        };
        let newest = self.failures.front().and_then(certainty);
        let previous = self.failures.get(1).and_then(certainty);
        let previous = previous.map(|certainty| certainty.min(Certainty::Likely));
        newest.max(previous).unwrap_or(Certainty::Possible)
    }

    /// Returns the request id of the failed probe that began at `began`; `None` if it has none, or if
    /// the probe is too old and its evidence was not requested.
    pub(super) fn request_id(&self, began: Timestamp) -> Option<&str> {
        self.find(began)?.request_id.as_deref()
    }

    /// Returns the verdict that counts for the newest failure (see [`Self::effective`]); `None`
    /// without failures.
    pub(super) fn newest(&self) -> Option<&Arc<Verdict>> {
        self.failures.front().map(|failure| self.effective(failure))
    }

    /// Returns whether `cause` is a candidate of the newest failure; true without failures.
    pub(super) fn newest_allows(&self, cause: &CauseId) -> bool {
        let newest = self.newest();
        newest.is_none_or(|newest| share(newest, cause).is_some())
    }

    /// Removes all failures and known verdicts, because the target is up again.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns the causes that are candidates of at least one failure, with their shares, highest
    /// first; the shares sum to 1. Causes with equal shares have the order in which the failures,
    /// newest first, list them.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let mut scored: Vec<(&CauseId, f64)> = Vec::new();
        for cause in self.causes() {
            if !scored.iter().any(|(known, _)| *known == cause) {
                scored.push((cause, self.score(cause)));
            }
        }
        let best = scored
            .iter()
            .fold(f64::NEG_INFINITY, |best, (_, score)| best.max(*score));
        let sum: f64 = scored.iter().map(|(_, score)| (score - best).exp()).sum();
        let mut candidates: Vec<Candidate> = scored
            .into_iter()
            .map(|(cause, score)| Candidate {
                cause: cause.clone(),
                share: (score - best).exp() / sum,
            })
            .collect();
        candidates.sort_by(|one, other| other.share.total_cmp(&one.share));
        candidates
    }

    /// Returns the cause that explains the failures best; `None` without failures. Equally good
    /// causes are ranked by their order in the failures' candidates, newest failure first.
    pub(super) fn leader(&self) -> Option<&CauseId> {
        let mut best: Option<(&CauseId, f64)> = None;
        for cause in self.causes() {
            let score = self.score(cause);
            // Only a strictly better score replaces the best cause, so that ties keep the first
            // cause.
            if best.is_none_or(|(_, known)| score > known + 1e-9) {
                best = Some((cause, score));
            }
        }
        best.map(|(cause, _)| cause)
    }

    /// Returns the newest verdict with this probable cause; `None` if no failure has such a
    /// verdict.
    pub(super) fn verdict_of(&self, cause: &CauseId) -> Option<&Arc<Verdict>> {
        let mut verdicts = self.failures.iter().map(|failure| self.effective(failure));
        verdicts.find(|verdict| verdict.cause == *cause)
    }

    /// Returns the verdict that counts for a failure. The verdict known for its signature counts if
    /// the failure's own verdict is neither corroborated nor proven, or if both have the same cause
    /// and the known verdict is more certain. Otherwise, the failure's own verdict counts.
    fn effective<'a>(&'a self, failure: &'a Failure) -> &'a Arc<Verdict> {
        let own = &failure.verdict;
        let mut known = self.known.iter();
        let known = known.find(|(signature, _)| signature.applies_to(&failure.signature));
        match known {
            Some((_, verdict))
                if own.certainty < Certainty::Corroborated
                    || own.cause == verdict.cause && own.certainty < verdict.certainty =>
            {
                verdict
            }
            _ => own,
        }
    }

    /// Returns the probable causes of the failures that `cause` does not explain, newest first.
    pub(super) fn unexplained_by(&self, cause: &CauseId) -> Vec<CauseId> {
        let mut others: Vec<CauseId> = Vec::new();
        for failure in &self.failures {
            let verdict = self.effective(failure);
            if share(verdict, cause).is_none() && !others.contains(&verdict.cause) {
                others.push(verdict.cause.clone());
            }
        }
        others
    }

    fn causes(&self) -> impl Iterator<Item = &CauseId> {
        self.failures
            .iter()
            .flat_map(|failure| &self.effective(failure).candidates)
            .map(|candidate| &candidate.cause)
    }

    /// Returns the logarithm of the weighted likelihood of all failures under one cause.
    fn score(&self, cause: &CauseId) -> f64 {
        let mut decay = 1.0;
        let mut score = 0.0;
        for failure in &self.failures {
            let share = share(self.effective(failure), cause).unwrap_or(0.0);
            // The weight depends on the certainty of the failure's own verdict: a verdict that is
            // inferred from an equal signature weighs less than evidence about the failure itself.
            let weight = decay * weight_of(failure.verdict.certainty);
            score += weight * share.max(NON_CANDIDATE_LIKELIHOOD).ln();
            decay *= DECAY;
        }
        score
    }
}

fn share(verdict: &Verdict, cause: &CauseId) -> Option<f64> {
    let candidate = verdict.candidates.iter().find(|one| one.cause == *cause)?;
    Some(candidate.share)
}

#[cfg(test)]
mod tests;
