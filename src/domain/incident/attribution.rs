//! Chooses the cause that explains an incident's failures best.
//!
//! One root cause may produce different responses, so no single failure decides: a function that
//! has reached its concurrency limit causes a 503 from one front door and a 500 from another. For
//! each recent failure, the share of a cause in the verdict of the failure is used as the
//! likelihood of the failure under this cause. If the cause is not a candidate in the verdict, a
//! small likelihood is used, because no rule is perfect. The computation is bounded and
//! deterministic.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use super::failure_kind::FailureKind;
use super::record::Incident;
use crate::domain::diagnosis::{Candidate, Verdict};
use crate::domain::layers::is_layer_cause;
use crate::model::cause::{CauseId, Certainty, Hop};

/// The most recent failures of one scope (a target, the prober or a group), newest first, and a
/// verdict that later evidence provided for failures with one signature.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Attribution {
    failures: VecDeque<Failure>,
    /// The signature of a failure about which AWS or a follow-up request provided evidence, and the
    /// verdict with this evidence. Other failures with the same signature get the same verdict.
    known: Option<(Signature, Arc<Verdict>)>,
    /// The verdict that was known before a restart.
    before: Option<Before>,
}

/// A verdict that was known before a restart. The signature of its failure is not stored, so the
/// signature of the first new failure that fits is used.
#[derive(Clone, Debug, PartialEq)]
struct Before {
    verdict: Arc<Verdict>,
    /// The cause that the incident had before a follow-up request provided `verdict`; `None` if
    /// `verdict` is not from a follow-up request, or if the incident had no other cause before. The
    /// signature of a fitting failure contains this cause or the cause of `verdict`.
    earlier: Option<CauseId>,
    /// The status of a fitting failure; if `None`, the status is not known, and a failure with any
    /// status fits.
    status: Option<u16>,
}

#[derive(Clone, Debug, PartialEq)]
struct Failure {
    began: Timestamp,
    signature: Signature,
    verdict: Arc<Verdict>,
}

/// The properties of a failure that are known before AWS or a follow-up request provides evidence.
/// Failures with equal signatures probably have the same cause.
#[derive(Clone, Debug, PartialEq)]
struct Signature {
    kind: FailureKind,
    hop: Option<Hop>,
    /// The causes that are candidates in the verdict, the most probable first.
    causes: Vec<CauseId>,
}

/// Maximum number of recent failures that are considered. Older failures hardly count: the eighth
/// has 3 % of the newest failure's weight.
const MAX_FAILURES: usize = 8;

/// Weight of a failure relative to the next newer failure of the same certainty. After a long run
/// of one cause, a single deviating failure does not outweigh the run (1 against 1.5), but two
/// consecutive deviating failures do (1.6 against 0.9).
const DECAY: f64 = 0.6;

/// Likelihood of a failure under a cause that is not a candidate in the verdict of the failure. The
/// value is lower than the usual share of a candidate, and above zero so that one such failure does
/// not exclude the cause.
const NON_CANDIDATE_LIKELIHOOD: f64 = 0.02;

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
        let verdict = &incident.verdict;
        let by_request = is_layer_cause(&verdict.cause) || incident.is_named_by_front_door();
        // No follow-up request has been made for a new failure yet, so the cause that an earlier
        // request found may be missing from the candidates of this failure. The incident's cause
        // before that request is usually one of them.
        let causes = incident.history.iter().rev();
        let mut causes = causes.map(|revision| &revision.cause);
        let earlier = causes.find(|cause| **cause != verdict.cause && !is_layer_cause(cause));
        let is_learned = by_request || verdict.certainty >= Certainty::Corroborated;
        Self {
            before: is_learned.then(|| Before {
                verdict: Arc::clone(verdict),
                earlier: earlier.filter(|_| by_request).cloned(),
                status: incident.failed_status(),
            }),
            ..Self::default()
        }
    }

    /// Adds a failed probe that began at `began`, with its kind and verdict. If the verdict from
    /// before a restart fits this failure, it is applied to all failures with the same signature.
    pub(super) fn add(&mut self, began: Timestamp, kind: FailureKind, verdict: &Arc<Verdict>) {
        self.failures.truncate(MAX_FAILURES - 1);
        let signature = signature(kind, verdict);
        if let Some(known) = self.before.take_if(|known| known.fits(&signature)) {
            self.known = Some((signature.clone(), known.verdict));
        }
        self.failures.push_front(Failure {
            began,
            signature,
            verdict: Arc::clone(verdict),
        });
    }

    /// Replaces the verdict of the failed probe that began at `began`, if this failure is still
    /// kept. A verdict that is at least corroborated also applies to other failures with the same
    /// signature.
    pub(super) fn replace(&mut self, began: Timestamp, verdict: &Arc<Verdict>) {
        let mut failures = self.failures.iter_mut();
        let Some(failure) = failures.find(|failure| failure.began == began) else {
            return;
        };
        failure.verdict = Arc::clone(verdict);
        if verdict.certainty >= Certainty::Corroborated {
            self.known = Some((failure.signature.clone(), Arc::clone(verdict)));
        }
    }

    /// Applies a verdict from a follow-up request to all failures with the same signature as the
    /// failed probe, which has the kind `kind` and, without the follow-up request, the verdict
    /// `of`.
    pub(super) fn learn(&mut self, kind: FailureKind, of: &Verdict, verdict: &Arc<Verdict>) {
        self.known = Some((signature(kind, of), Arc::clone(verdict)));
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

    /// Returns the verdict that counts for a failure: the failure's own verdict if it is
    /// corroborated or proven, or if no verdict is known for the failure's signature; otherwise the
    /// known verdict.
    fn effective<'a>(&'a self, failure: &'a Failure) -> &'a Arc<Verdict> {
        match &self.known {
            Some((signature, verdict))
                if failure.verdict.certainty < Certainty::Corroborated
                    && *signature == failure.signature =>
            {
                verdict
            }
            _ => &failure.verdict,
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

impl Before {
    /// Returns whether the verdict may apply to a failure with this signature.
    fn fits(&self, signature: &Signature) -> bool {
        let same_status = self.status.is_none() || self.status == signature.kind.status;
        let mut causes = signature.causes.iter();
        same_status
            && causes
                .any(|cause| *cause == self.verdict.cause || self.earlier.as_ref() == Some(cause))
    }
}

fn signature(kind: FailureKind, verdict: &Verdict) -> Signature {
    let candidates = verdict.candidates.iter();
    Signature {
        kind,
        hop: verdict.hop,
        causes: candidates.map(|one| one.cause.clone()).collect(),
    }
}

fn share(verdict: &Verdict, cause: &CauseId) -> Option<f64> {
    let candidate = verdict.candidates.iter().find(|one| one.cause == *cause)?;
    Some(candidate.share)
}

#[cfg(test)]
mod tests;
