//! Chooses the cause that explains an incident's failures best.
//!
//! One root cause may produce different responses, so no single failure decides: a function without
//! concurrency causes a 503 from one front door and a 500 from another. The share of a cause in the
//! verdict of each recent failure is the likelihood of this failure under the cause. A cause that
//! is no candidate of a failure keeps a small likelihood, because no rule is perfect. The
//! computation is bounded and deterministic.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::diagnosis::{Candidate, Verdict};
use crate::model::cause::{CauseId, Certainty};

/// The most recent failures of one incident scope, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Attribution {
    failures: VecDeque<Failure>,
    /// The signature of a failure about which AWS or a follow-up request provided evidence, and the
    /// verdict with this evidence. Other failures with the same signature get the same verdict.
    known: Option<(Signature, Arc<Verdict>)>,
    /// The corroborated or proven verdict that was known before a restart. The signature of its
    /// failure is not stored, so the first new failure whose signature contains the cause provides
    /// it.
    before: Option<Arc<Verdict>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Failure {
    began: Timestamp,
    signature: Signature,
    verdict: Arc<Verdict>,
}

/// The candidates of a failure before AWS or a follow-up request provides evidence. Failures with
/// equal signatures probably have the same cause.
type Signature = Vec<CauseId>;

/// Maximum number of recent failures that are considered. Older failures hardly count: the eighth
/// has 3 % of the newest failure's weight.
const MAX_FAILURES: usize = 8;

/// Weight of a failure relative to the next newer failure. After a long run of one cause, a single
/// deviating failure does not outweigh the run (1 against 1.5), but two consecutive deviating
/// failures do (1.6 against 0.9).
const DECAY: f64 = 0.6;

/// Likelihood of a failure under a cause that is not one of its candidates. The value is lower than
/// the usual share of a candidate, but one such failure does not exclude the cause.
const NOT_ALLOWED: f64 = 0.02;

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
    /// Resumes the attribution of an incident that was open before a restart, from the incident's
    /// verdict.
    pub(super) fn resumed(verdict: &Arc<Verdict>) -> Self {
        let from_aws = verdict.certainty >= Certainty::Corroborated;
        Self {
            before: from_aws.then(|| Arc::clone(verdict)),
            ..Self::default()
        }
    }

    /// Adds a failed probe that began at `began`, with its verdict.
    pub(super) fn add(&mut self, began: Timestamp, verdict: &Arc<Verdict>) {
        self.failures.truncate(MAX_FAILURES - 1);
        let signature = signature(verdict);
        if let Some(known) = self
            .before
            .take_if(|known| signature.contains(&known.cause))
        {
            self.known = Some((signature.clone(), known));
        }
        self.failures.push_front(Failure {
            began,
            signature,
            verdict: Arc::clone(verdict),
        });
    }

    /// Replaces the verdict of the failed probe that began at `began`.
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
    /// failed probe, whose verdict is `of`.
    pub(super) fn learn(&mut self, of: &Verdict, verdict: &Arc<Verdict>) {
        self.known = Some((signature(of), Arc::clone(verdict)));
    }

    /// Removes all failures, because the incident is resolved.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns the causes that at least one failure allows, with their shares, highest first; the
    /// shares sum to 1. Causes with equal shares have the order in which the failures, newest
    /// first, list them.
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

    /// Returns the cause that explains the failures best; `None` without failures. Of equally good
    /// causes, the first candidate of the newest failure is returned.
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

    /// Returns the verdict that counts for a failure: the verdict known for its signature if the
    /// failure's own verdict is not corroborated, and otherwise the failure's own verdict.
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
            score += weight * share.max(NOT_ALLOWED).ln();
            decay *= DECAY;
        }
        score
    }
}

fn signature(verdict: &Verdict) -> Signature {
    let candidates = verdict.candidates.iter();
    candidates.map(|one| one.cause.clone()).collect()
}

fn share(verdict: &Verdict, cause: &CauseId) -> Option<f64> {
    let candidate = verdict.candidates.iter().find(|one| one.cause == *cause)?;
    Some(candidate.share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cause::Owner;

    type Case = (Certainty, &'static [(&'static str, f64)]);

    use Certainty::{Likely, Possible, Proven};

    const HTTP_503: Case = (
        Likely,
        &[
            ("lambda-throttled", 0.93),
            ("integration-unreachable", 0.05),
        ],
    );
    const HTTP_500: Case = (
        Possible,
        &[
            ("lambda-function-error", 0.41),
            ("lambda-malformed-response", 0.41),
            ("lambda-permission-denied", 0.18),
        ],
    );
    const REST_500: Case = (
        Possible,
        &[("lambda-permission-denied", 0.5), ("lambda-throttled", 0.5)],
    );
    const EDGE_503: Case = (
        Possible,
        &[
            ("cloudfront-function-error", 0.7),
            ("lambda-throttled", 0.3),
        ],
    );
    const PERMISSION_LOGGED: Case = (Proven, &[("lambda-permission-denied", 1.0)]);

    fn verdict((certainty, candidates): Case) -> Arc<Verdict> {
        let candidates: Vec<Candidate> = candidates
            .iter()
            .map(|(cause, share)| Candidate {
                cause: CauseId::new(cause).unwrap(),
                share: *share,
            })
            .collect();
        Arc::new(Verdict {
            cause: candidates[0].cause.clone(),
            title: String::new(),
            owner: Owner::Platform,
            hop: None,
            certainty,
            candidates,
            next: Vec::new(),
        })
    }

    /// Adds failures, oldest first. Compares the leading cause, and the causes of the failures that
    /// the leading cause does not explain.
    fn check(failures: &[Case], leader: &str, unexplained: &[&str]) {
        let mut attribution = Attribution::default();
        for (second, case) in (0..).zip(failures) {
            attribution.add(Timestamp::from_second(second).unwrap(), &verdict(*case));
        }
        let found = attribution.leader().unwrap();
        assert_eq!(found.as_str(), leader);
        let others = attribution.unexplained_by(found);
        let others: Vec<&str> = others.iter().map(CauseId::as_str).collect();
        assert_eq!(others, unexplained);
    }

    #[test]
    fn a_cause_that_explains_both_responses_beats_causes_that_explain_one() {
        check(
            &[REST_500, EDGE_503, REST_500, EDGE_503],
            "lambda-throttled",
            &[],
        );
        check(
            &[EDGE_503, REST_500, EDGE_503, REST_500],
            "lambda-throttled",
            &[],
        );
    }

    #[test]
    fn if_no_cause_explains_all_failures_the_likeliest_is_chosen_and_the_rest_are_listed() {
        check(
            &[HTTP_500, HTTP_503, HTTP_503],
            "lambda-throttled",
            &["lambda-function-error"],
        );
    }

    #[test]
    fn ties_keep_the_order_of_the_newest_failure() {
        check(&[HTTP_500, HTTP_500], "lambda-function-error", &[]);
    }

    #[test]
    fn a_new_cause_takes_over_after_two_failures_and_not_after_one() {
        let mut failures = vec![HTTP_503; 12];
        failures.push(HTTP_500);
        check(&failures, "lambda-throttled", &["lambda-function-error"]);
        failures.push(HTTP_500);
        check(&failures, "lambda-function-error", &["lambda-throttled"]);
    }

    #[test]
    fn a_proven_request_outweighs_the_ambiguous_failures_that_follow() {
        check(
            &[HTTP_500, PERMISSION_LOGGED, HTTP_500, HTTP_500, HTTP_500],
            "lambda-permission-denied",
            &[],
        );
    }

    #[test]
    fn a_failure_with_the_signature_of_a_proven_one_gets_its_cause() {
        const NO_RULE: Case = (Likely, &[("unexpected-status", 1.0)]);
        let mut attribution = Attribution::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        attribution.add(at(0), &verdict(NO_RULE));
        attribution.replace(at(0), &verdict(PERMISSION_LOGGED));
        for second in 1..20 {
            attribution.add(at(second), &verdict(NO_RULE));
        }
        assert_eq!(
            attribution.leader().unwrap().as_str(),
            "lambda-permission-denied"
        );
        for second in 20..23 {
            attribution.add(at(second), &verdict(HTTP_503));
        }
        assert_eq!(attribution.leader().unwrap().as_str(), "lambda-throttled");
    }

    #[test]
    fn a_second_verdict_on_a_failure_replaces_the_first() {
        let mut attribution = Attribution::default();
        let began = Timestamp::UNIX_EPOCH;
        attribution.add(began, &verdict(HTTP_500));
        attribution.replace(began, &verdict(PERMISSION_LOGGED));
        assert_eq!(
            attribution.leader().unwrap().as_str(),
            "lambda-permission-denied"
        );
        assert_eq!(attribution.failures.len(), 1);
    }
}
