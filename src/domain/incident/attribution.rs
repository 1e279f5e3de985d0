//! Which cause explains an incident's failures best, when they do not all look alike.
//!
//! One root cause may show as two answers (a function without concurrency: 503 here, 500
//! there), so no single failure has the last word. Each failure of the last few lends
//! every cause its share as a likelihood; a cause that a failure does not allow at all
//! keeps a small one, since no rule is perfect. Bounded and deterministic.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::diagnosis::{Candidate, Verdict};
use crate::model::cause::{CauseId, Certainty};

/// The last failures of one incident, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Attribution {
    failures: VecDeque<Failure>,
    /// What AWS said of a failure, and how that failure looks from outside. Others of the
    /// same incident that look the same are taken for the same.
    known: Option<(Signature, Arc<Verdict>)>,
    /// What AWS said before a restart; how that failure looked is not remembered, so the
    /// first one that allows it stands for it.
    before: Option<Arc<Verdict>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Failure {
    began: Timestamp,
    look: Signature,
    verdict: Arc<Verdict>,
}

/// What a failure may be, seen from outside.
type Signature = Vec<CauseId>;

/// Failures that count. With their fading weight the eighth has 3 % left.
const REMEMBERED: usize = 8;

/// Each failure counts this much less than the one after it: after a long stretch of one
/// cause, one that deviates does not outweigh it (1 against 1.5), two in a row do (1.6
/// against 0.9).
const FADING: f64 = 0.6;

/// What a cause is given that a failure's rules do not allow. One surprise must cost
/// clearly more than a share of one in ten, and not be the end of the cause.
const SURPRISE: f64 = 0.02;

/// A statement of AWS's about one request outweighs what several others look like.
const fn weight_of(certainty: Certainty) -> f64 {
    match certainty {
        Certainty::Proven => 10.0,
        Certainty::Corroborated => 5.0,
        Certainty::Likely | Certainty::Possible => 1.0,
    }
}

impl Attribution {
    /// Goes on with an incident of before a restart.
    pub(super) fn resumed(verdict: &Arc<Verdict>) -> Self {
        let by_aws = verdict.certainty >= Certainty::Corroborated;
        Self {
            before: by_aws.then(|| Arc::clone(verdict)),
            ..Self::default()
        }
    }

    /// Takes one more failure.
    pub(super) fn add(&mut self, began: Timestamp, verdict: &Arc<Verdict>) {
        self.failures.truncate(REMEMBERED - 1);
        let candidates = verdict.candidates.iter();
        let look: Signature = candidates.map(|one| one.cause.clone()).collect();
        if let Some(known) = self.before.take_if(|known| look.contains(&known.cause)) {
            self.known = Some((look.clone(), known));
        }
        self.failures.push_front(Failure {
            began,
            look,
            verdict: Arc::clone(verdict),
        });
    }

    /// Takes another reading of a failure that is known already.
    pub(super) fn replace(&mut self, began: Timestamp, verdict: &Arc<Verdict>) {
        let known = self
            .failures
            .iter_mut()
            .find(|failure| failure.began == began);
        let Some(failure) = known else {
            return;
        };
        failure.verdict = Arc::clone(verdict);
        if verdict.certainty >= Certainty::Corroborated {
            self.known = Some((failure.look.clone(), Arc::clone(verdict)));
        }
    }

    /// Forgets everything: the incident is over.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What every cause that some failure allows is worth, best first; the shares sum
    /// to 1. A cause stands where the newest failure that allows it put it among equals.
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

    /// The cause that explains the failures best; of equals, the newest failure's own
    /// order decides. `None` without failures.
    pub(super) fn leader(&self) -> Option<&CauseId> {
        let mut best: Option<(&CauseId, f64)> = None;
        for cause in self.causes() {
            let score = self.score(cause);
            // Strictly better: a tie stays with whom it met first.
            if best.is_none_or(|(_, known)| score > known + 1e-9) {
                best = Some((cause, score));
            }
        }
        best.map(|(cause, _)| cause)
    }

    /// The newest verdict that names this cause, if one does.
    pub(super) fn verdict_of(&self, cause: &CauseId) -> Option<&Arc<Verdict>> {
        let mut verdicts = self.failures.iter().map(|failure| self.reading(failure));
        verdicts.find(|verdict| verdict.cause == *cause)
    }

    /// What a failure is taken for: what is known of it, or of one that looks the same.
    fn reading<'a>(&'a self, failure: &'a Failure) -> &'a Arc<Verdict> {
        match &self.known {
            Some((look, verdict))
                if failure.verdict.certainty < Certainty::Corroborated && *look == failure.look =>
            {
                verdict
            }
            _ => &failure.verdict,
        }
    }

    /// The causes named by failures that `cause` does not explain, newest first.
    pub(super) fn beside(&self, cause: &CauseId) -> Vec<CauseId> {
        let mut others: Vec<CauseId> = Vec::new();
        for failure in &self.failures {
            let verdict = self.reading(failure);
            if share(verdict, cause).is_none() && !others.contains(&verdict.cause) {
                others.push(verdict.cause.clone());
            }
        }
        others
    }

    fn causes(&self) -> impl Iterator<Item = &CauseId> {
        self.failures
            .iter()
            .flat_map(|failure| &self.reading(failure).candidates)
            .map(|candidate| &candidate.cause)
    }

    /// The logarithm of the weighted likelihood of all failures under one cause.
    fn score(&self, cause: &CauseId) -> f64 {
        let mut fading = 1.0;
        let mut score = 0.0;
        for failure in &self.failures {
            let share = share(self.reading(failure), cause).unwrap_or(0.0);
            // Its own certainty: what is only taken for the same weighs no more than a look.
            let weight = fading * weight_of(failure.verdict.certainty);
            score += weight * share.max(SURPRISE).ln();
            fading *= FADING;
        }
        score
    }
}

fn share(verdict: &Verdict, cause: &CauseId) -> Option<f64> {
    let candidate = verdict.candidates.iter().find(|one| one.cause == *cause)?;
    Some(candidate.share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cause::Owner;

    type Looks = (Certainty, &'static [(&'static str, f64)]);

    use Certainty::{Likely, Possible, Proven};

    const HTTP_503: Looks = (
        Likely,
        &[
            ("lambda-throttled", 0.93),
            ("integration-unreachable", 0.05),
        ],
    );
    const HTTP_500: Looks = (
        Possible,
        &[
            ("lambda-function-error", 0.41),
            ("lambda-malformed-response", 0.41),
            ("lambda-permission-denied", 0.18),
        ],
    );
    const REST_500: Looks = (
        Possible,
        &[("lambda-permission-denied", 0.5), ("lambda-throttled", 0.5)],
    );
    const EDGE_503: Looks = (
        Possible,
        &[
            ("cloudfront-function-error", 0.7),
            ("lambda-throttled", 0.3),
        ],
    );
    const PERMISSION_LOGGED: Looks = (Proven, &[("lambda-permission-denied", 1.0)]);

    fn verdict((certainty, candidates): Looks) -> Arc<Verdict> {
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
            certainty,
            candidates,
            next: Vec::new(),
        })
    }

    /// Adds failures, oldest first, and returns the leader and what stands beside it.
    fn check(failures: &[Looks], leader: &str, beside: &[&str]) {
        let mut tally = Attribution::default();
        for (second, look) in (0..).zip(failures) {
            tally.add(Timestamp::from_second(second).unwrap(), &verdict(*look));
        }
        let found = tally.leader().unwrap();
        assert_eq!(found.as_str(), leader);
        let others = tally.beside(found);
        let others: Vec<&str> = others.iter().map(CauseId::as_str).collect();
        assert_eq!(others, beside);
    }

    #[test]
    fn a_cause_that_explains_both_answers_beats_those_that_explain_one() {
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
    fn where_no_cause_explains_all_the_surer_one_leads_and_the_rest_is_listed() {
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
    fn a_real_change_takes_over_after_two_failures_and_not_after_one() {
        let mut failures = vec![HTTP_503; 12];
        failures.push(HTTP_500);
        check(&failures, "lambda-throttled", &["lambda-function-error"]);
        failures.push(HTTP_500);
        check(&failures, "lambda-function-error", &["lambda-throttled"]);
    }

    #[test]
    fn one_proven_request_outweighs_the_looks_of_the_next_ones() {
        check(
            &[HTTP_500, PERMISSION_LOGGED, HTTP_500, HTTP_500, HTTP_500],
            "lambda-permission-denied",
            &[],
        );
    }

    #[test]
    fn what_looks_like_a_proven_failure_is_taken_for_the_same() {
        const NO_RULE: Looks = (Likely, &[("unexpected-status", 1.0)]);
        let mut tally = Attribution::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        tally.add(at(0), &verdict(NO_RULE));
        tally.replace(at(0), &verdict(PERMISSION_LOGGED));
        for second in 1..20 {
            tally.add(at(second), &verdict(NO_RULE));
        }
        assert_eq!(tally.leader().unwrap().as_str(), "lambda-permission-denied");
        for second in 20..23 {
            tally.add(at(second), &verdict(HTTP_503));
        }
        assert_eq!(tally.leader().unwrap().as_str(), "lambda-throttled");
    }

    #[test]
    fn another_reading_of_a_failure_replaces_it() {
        let mut tally = Attribution::default();
        let began = Timestamp::UNIX_EPOCH;
        tally.add(began, &verdict(HTTP_500));
        tally.replace(began, &verdict(PERMISSION_LOGGED));
        assert_eq!(tally.leader().unwrap().as_str(), "lambda-permission-denied");
        assert_eq!(tally.failures.len(), 1);
    }
}
