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

fn id(second: i64, kind: FailureKind) -> FailureId<'static> {
    FailureId {
        began: Timestamp::from_second(second).unwrap(),
        kind,
        mark: ResponseMark::default(),
        request_id: None,
    }
}

/// Adds failures, oldest first. Compares the leading cause, and the causes of the failures that
/// the leading cause does not explain.
fn check(failures: &[Case], leader: &str, unexplained: &[&str]) {
    let mut attribution = Attribution::default();
    for (second, case) in (0..).zip(failures) {
        attribution.add(id(second, KIND), &verdict(*case));
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
    attribution.add(id(0, KIND), &verdict(NO_RULE));
    attribution.replace(at(0), &verdict(PERMISSION_LOGGED));
    for second in 1..20 {
        attribution.add(id(second, KIND), &verdict(NO_RULE));
    }
    assert_eq!(
        attribution.leader().unwrap().as_str(),
        "lambda-permission-denied"
    );
    for second in 20..23 {
        attribution.add(id(second, KIND), &verdict(HTTP_503));
    }
    assert_eq!(attribution.leader().unwrap().as_str(), "lambda-throttled");
}

#[test]
fn a_second_verdict_on_a_failure_replaces_the_first() {
    let mut attribution = Attribution::default();
    let began = Timestamp::UNIX_EPOCH;
    attribution.add(id(0, KIND), &verdict(HTTP_500));
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
        attribution.add(id(0, KIND), &verdict(NO_RULE));
        attribution.learn(KIND, &verdict(NO_RULE), &verdict(LAYER));
        attribution.add(id(1, KIND), &verdict(NO_RULE));
        assert_eq!(attribution.leader().unwrap().as_str(), "layer-failing");
        attribution.add(id(2, kind), &verdict(NO_RULE));
        attribution.add(id(3, kind), &verdict(NO_RULE));
        let leader = attribution.leader().unwrap();
        assert_eq!(leader.as_str(), "unexpected-status", "{kind:?}");
    }
}

#[test]
fn later_findings_about_the_layers_replace_more_certain_ones() {
    const NO_RULE: Case = (Possible, &[("unexpected-status", 1.0)]);
    const LAYER: Case = (Certainty::Corroborated, &[("layer-failing", 1.0)]);
    let failing = |layer: &str, certainty: Certainty| {
        let mut found = verdict(LAYER);
        let changed = Arc::make_mut(&mut found);
        changed.title = format!("layer {layer}");
        changed.certainty = certainty;
        found
    };
    let mut attribution = Attribution::default();
    let of = verdict(NO_RULE);
    attribution.learn(KIND, &of, &failing("lb", Certainty::Corroborated));
    attribution.learn(KIND, &of, &failing("cdn", Likely));
    attribution.add(id(0, KIND), &of);
    assert_eq!(attribution.newest().unwrap().title, "layer cdn");
}

#[test]
fn evidence_about_a_failure_that_is_no_longer_among_the_newest_applies_to_its_signature() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let mut attribution = Attribution::default();
    for second in 0..20 {
        attribution.add(id(second, KIND), &verdict(HTTP_500));
        if second < 2 {
            attribution.await_evidence(at(second));
        }
    }
    let newest = |attribution: &Attribution| attribution.newest().unwrap().certainty;
    assert!(!attribution.replace(at(0), &verdict(PERMISSION_LOGGED)));
    assert_eq!(newest(&attribution), Proven);
    assert_eq!(attribution.failures.len(), MAX_FAILURES);
    // Evidence about the second failure, which is newer, speaks against the cause.
    attribution.replace(at(1), &verdict(PERMISSION_CONTRADICTED));
    assert_eq!(newest(&attribution), Possible);
    // Without an evidence request, a failure of this age is not known.
    attribution.replace(at(3), &verdict(PERMISSION_LOGGED));
    assert_eq!(newest(&attribution), Possible);
}

const PERMISSION_CONTRADICTED: Case = (
    Possible,
    &[
        ("lambda-function-error", 0.49),
        ("lambda-malformed-response", 0.49),
        ("lambda-permission-denied", 0.02),
    ],
);

#[test]
fn a_known_cause_is_forgotten_if_evidence_about_a_newer_failure_speaks_against_it() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let newest = |attribution: &Attribution| attribution.newest().unwrap().certainty;
    // The second of three failures is proven; later evidence is about this failure.
    for (evidence_about, evidence, expected) in [
        (2, PERMISSION_CONTRADICTED, Possible),
        (0, PERMISSION_CONTRADICTED, Proven),
        (2, HTTP_500, Proven),
    ] {
        let mut attribution = Attribution::default();
        for second in 0..3 {
            attribution.add(id(second, KIND), &verdict(HTTP_500));
        }
        attribution.replace(at(1), &verdict(PERMISSION_LOGGED));
        assert_eq!(newest(&attribution), Proven);
        attribution.replace(at(evidence_about), &verdict(evidence));
        assert_eq!(
            newest(&attribution),
            expected,
            "{evidence_about} {evidence:?}"
        );
    }
}

const FAILURE_MEASURED: Case = (Certainty::Corroborated, &[("lambda-function-error", 1.0)]);

#[test]
fn late_evidence_about_an_older_failure_does_not_replace_a_newer_cause() {
    let at = |second| Timestamp::from_second(second).unwrap();
    for (evidence_about, expected) in [
        (0, "lambda-permission-denied"),
        (1, "lambda-function-error"),
        (2, "lambda-function-error"),
    ] {
        let mut attribution = Attribution::default();
        for second in 0..3 {
            attribution.add(id(second, KIND), &verdict(HTTP_500));
        }
        attribution.replace(at(1), &verdict(PERMISSION_LOGGED));
        attribution.replace(at(evidence_about), &verdict(FAILURE_MEASURED));
        let newest = attribution.newest().unwrap();
        assert_eq!(newest.cause.as_str(), expected, "{evidence_about}");
    }
}
