use super::*;
use crate::model::cause::Owner;
use crate::model::observation::FaultKind;

/// The kind of all failures here.
const KIND: FailureKind = FailureKind {
    status: Some(500),
    fault: None,
    redirects: 0,
};

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
        attribution.add(
            Timestamp::from_second(second).unwrap(),
            KIND,
            &verdict(*case),
        );
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
    attribution.add(at(0), KIND, &verdict(NO_RULE));
    attribution.replace(at(0), &verdict(PERMISSION_LOGGED));
    for second in 1..20 {
        attribution.add(at(second), KIND, &verdict(NO_RULE));
    }
    assert_eq!(
        attribution.leader().unwrap().as_str(),
        "lambda-permission-denied"
    );
    for second in 20..23 {
        attribution.add(at(second), KIND, &verdict(HTTP_503));
    }
    assert_eq!(attribution.leader().unwrap().as_str(), "lambda-throttled");
}

#[test]
fn a_second_verdict_on_a_failure_replaces_the_first() {
    let mut attribution = Attribution::default();
    let began = Timestamp::UNIX_EPOCH;
    attribution.add(began, KIND, &verdict(HTTP_500));
    attribution.replace(began, &verdict(PERMISSION_LOGGED));
    assert_eq!(
        attribution.leader().unwrap().as_str(),
        "lambda-permission-denied"
    );
    assert_eq!(attribution.failures.len(), 1);
}

#[test]
fn a_learned_verdict_applies_only_to_failures_of_the_same_kind() {
    const NO_RULE: Case = (Possible, &[("unexpected-status", 1.0)]);
    const LAYER: Case = (Certainty::Corroborated, &[("layer-failing", 1.0)]);
    let other = [
        FailureKind {
            status: Some(502),
            ..KIND
        },
        FailureKind {
            fault: Some(FaultKind::Timeout),
            ..KIND
        },
        FailureKind {
            redirects: 1,
            ..KIND
        },
    ];
    for kind in other {
        let mut attribution = Attribution::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        attribution.add(at(0), KIND, &verdict(NO_RULE));
        attribution.learn(KIND, &verdict(NO_RULE), &verdict(LAYER));
        attribution.add(at(1), KIND, &verdict(NO_RULE));
        assert_eq!(attribution.leader().unwrap().as_str(), "layer-failing");
        attribution.add(at(2), kind, &verdict(NO_RULE));
        attribution.add(at(3), kind, &verdict(NO_RULE));
        let leader = attribution.leader().unwrap();
        assert_eq!(leader.as_str(), "unexpected-status", "{kind:?}");
    }
}
