//! Tests that an incident's cause and certainty follow the newest failures, with real responses and
//! the embedded rules, and with random sequences.

use proptest::prelude::*;

use super::*;
use crate::domain::diagnosis::context::Context;
use crate::domain::diagnosis::fact::Facts;
use crate::model::observation::{Observation, Response};
use crate::model::target::Target;

type Headers = &'static [(&'static str, &'static str)];

/// A response: status, headers and body.
type Answer = (u16, Headers, &'static str);

const URL_HEADERS: Headers = &[
    ("content-type", "application/json"),
    ("x-amzn-requestid", "1db11618-724e-4940-83ce-f5e4069c7593"),
    ("x-amzn-errortype", "TooManyRequestsException"),
];
const URL_DENIED: Headers = &[
    ("content-type", "application/json"),
    ("x-amzn-requestid", "1db11618-724e-4940-83ce-f5e4069c7593"),
    ("x-amzn-errortype", "AccessDeniedException"),
];
const HTTP_API: Headers = &[
    ("content-type", "application/json"),
    ("apigw-requestid", "K2ZEDjwtIAMEcig="),
];

const THROTTLED: Answer = (
    429,
    URL_HEADERS,
    r#"{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#,
);
const DENIED: Answer = (
    403,
    URL_DENIED,
    r#"{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}"#,
);
const UNAVAILABLE: Answer = (503, HTTP_API, r#"{"message":"Service Unavailable"}"#);
const INTERNAL: Answer = (500, HTTP_API, r#"{"message":"Internal Server Error"}"#);

/// Applies failed probes of a URL, one a minute, and compares the incident after each: cause and
/// certainty. `time` is the response time of each probe in seconds.
fn check_responses(url: &str, probes: &[(Answer, f64)], expected: &[&str]) -> Incidents {
    let target = Target::with_defaults("orders", url.parse().unwrap());
    let mut incidents = Incidents::default();
    let mut shown = Vec::new();
    for (minute, ((status, headers, body), time)) in (1..).zip(probes) {
        let began = at(minute * 60);
        let mut seen = Observation::begun(began, url);
        seen.response = Some(Response::of(*status, headers, body));
        seen.duration = std::time::Duration::from_secs_f64(*time);
        seen.phases.processing = Some(seen.duration);
        let facts = Facts::gather(&target, &seen, &Context::at(began));
        let diagnosis = RULES.diagnose(&facts);
        let outcome = ProbeOutcome {
            target: &target.name,
            began,
            kind: FailureKind::from(&seen),
            mark: ResponseMark::of(&seen),
            request_id: seen.request_id(),
            diagnosis: &diagnosis,
            health: Down,
            suppressed: false,
        };
        incidents.apply(outcome, &RULES, began);
        let verdict = &incidents.open().unwrap().verdict;
        shown.push(format!("{} {}", verdict.cause, verdict.certainty));
    }
    assert_eq!(shown, expected);
    incidents
}

#[test]
fn a_proven_throttle_gives_way_when_the_responses_become_403() {
    let url = "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws/";
    let probes = [THROTTLED, THROTTLED, THROTTLED, DENIED, DENIED, DENIED];
    let incidents = check_responses(
        url,
        &probes.map(|answer| (answer, 0.05)),
        &[
            "lambda-throttled proven",
            "lambda-throttled proven",
            "lambda-throttled proven",
            // One deviating failure does not change the cause, but it is no longer proven.
            "lambda-throttled likely",
            "lambda-permission-denied possible",
            "lambda-permission-denied possible",
        ],
    );
    let open = incidents.open().unwrap();
    assert_eq!(open.proof, None, "the proof was for another cause");
    let notes: Vec<_> = open.history.iter().map(|one| one.note.as_str()).collect();
    assert_eq!(
        notes,
        [
            "opened",
            "proven → likely",
            "lambda-throttled → lambda-permission-denied (likely → possible)",
        ]
    );
}

#[test]
fn a_proof_names_its_request_and_stays_with_the_cause() {
    let url = "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws/";
    let incidents = check_responses(
        url,
        &[(THROTTLED, 0.05), (DENIED, 0.05), (THROTTLED, 0.05)],
        &[
            "lambda-throttled proven",
            "lambda-throttled likely",
            "lambda-throttled proven",
        ],
    );
    let proof = incidents.open().unwrap().proof.clone().unwrap();
    assert_eq!(proof.time, at(60));
    assert_eq!(proof.source, ProofSource::Probe);
    let id = "1db11618-724e-4940-83ce-f5e4069c7593";
    assert_eq!(proof.request_id.as_deref(), Some(id));
}

#[test]
fn a_cause_that_is_proven_again_has_its_proof_again() {
    let mut incidents = Incidents::default();
    let (guess, other) = (
        failed("lambda-function-error", Possible),
        failed("too-slow", Likely),
    );
    apply(&mut incidents, &guess, Down, 1);
    let throttled = failed("lambda-throttled", Proven);
    incidents.revise_with(at(1), &throttled, "access log: throttled", at(2));
    for second in [3, 4] {
        apply(&mut incidents, &other, Down, second);
    }
    let open = incidents.open().unwrap();
    assert_eq!(
        (open.verdict.cause.as_str(), &open.proof),
        ("too-slow", &None)
    );
    // This failure has the signature of the proven one.
    apply(&mut incidents, &guess, Down, 5);
    let open = incidents.open().unwrap();
    assert_eq!(open.verdict.cause.as_str(), "lambda-throttled");
    assert_eq!(open.verdict.certainty, Proven);
    let proof = open.proof.as_ref().unwrap();
    assert_eq!((proof.time, proof.source), (at(1), ProofSource::Aws));
}

#[test]
fn a_cause_is_no_longer_proven_after_evidence_against_it() {
    let mut incidents = Incidents::default();
    let with = |shares: &[(&str, f64)]| {
        let mut diagnosis = failed(shares[0].0, Possible);
        let verdict = Arc::make_mut(diagnosis.verdict.as_mut().unwrap());
        let candidates = shares.iter().map(|(cause, share)| Candidate {
            cause: CauseId::new(cause).unwrap(),
            share: *share,
        });
        verdict.candidates = candidates.collect();
        diagnosis
    };
    let guess = with(&[
        ("lambda-function-error", 0.6),
        ("lambda-permission-denied", 0.4),
    ]);
    let allowed = with(&[
        ("lambda-function-error", 0.99),
        ("lambda-permission-denied", 0.01),
    ]);
    for second in [1, 2] {
        apply(&mut incidents, &guess, Down, second);
    }
    let denied = failed("lambda-permission-denied", Proven);
    assert!(
        incidents
            .revise_with(at(1), &denied, "denied", at(3))
            .is_some()
    );
    // The permission was restored before the second failure.
    incidents.revise_with(at(2), &allowed, "allowed", at(4));
    apply(&mut incidents, &guess, Down, 5);
    let verdict = &incidents.open().unwrap().verdict;
    assert!(verdict.certainty < Certainty::Corroborated, "{verdict:?}");
}

#[test]
fn another_fault_behind_an_http_api_is_named_at_the_second_failure() {
    let url = "https://a1b2.execute-api.eu-west-1.amazonaws.com/orders";
    check_responses(
        url,
        &[
            (UNAVAILABLE, 0.05),
            (UNAVAILABLE, 0.05),
            (INTERNAL, 0.5),
            (INTERNAL, 0.5),
            (UNAVAILABLE, 30.02),
            (UNAVAILABLE, 30.02),
        ],
        &[
            "lambda-throttled likely",
            "lambda-throttled likely",
            "lambda-throttled likely",
            "lambda-function-error possible",
            "lambda-function-error possible",
            "integration-timeout likely",
        ],
    );
}

/// The certainties of a verdict, each with the same share of the random failures.
const CERTAINTIES: [Certainty; 4] = [Possible, Likely, Certainty::Corroborated, Proven];

/// A random failure: the response (its status and mark), the number of candidates that follow the
/// cause, the cause, and the certainty.
fn failures() -> impl Strategy<Value = Vec<(u16, usize, usize, usize)>> {
    prop::collection::vec((500_u16..503, 0_usize..3, 0_usize..4, 0_usize..4), 1..60)
}

fn random_diagnosis(more: usize, cause: usize, certainty: usize) -> Diagnosis {
    const CAUSES: [&str; 4] = [
        "lambda-throttled",
        "lambda-permission-denied",
        "lambda-function-error",
        "integration-timeout",
    ];
    let mut diagnosis = failed(CAUSES[cause], CERTAINTIES[certainty]);
    let verdict = Arc::make_mut(diagnosis.verdict.as_mut().unwrap());
    let share = 1.0 / (more as f64 + 1.0);
    verdict.candidates = (0..=more)
        .map(|offset| Candidate {
            cause: CauseId::new(CAUSES[(cause + offset) % 4]).unwrap(),
            share,
        })
        .collect();
    diagnosis
}

proptest! {
    /// There is one incident; it is never proven unless a failure with the newest failure's
    /// signature was; and it never keeps a cause that two consecutive failures do not allow.
    #[test]
    fn an_incident_follows_its_newest_failures(failures in failures()) {
        let mut incidents = Incidents::default();
        let mut proven: Vec<(u16, Vec<Candidate>, CauseId)> = Vec::new();
        let mut unexplained = 0;
        let mut id = None;
        for (second, (status, more, cause, certainty)) in (1..).zip(failures) {
            let diagnosis = random_diagnosis(more, cause, certainty);
            let own = diagnosis.verdict.clone().unwrap();
            let kind = FailureKind { status: Some(status), ..FailureKind::default() };
            let outcome = ProbeOutcome {
                target: &TargetName::new("orders"),
                began: at(second),
                kind,
                mark: ResponseMark::default(),
                request_id: None,
                diagnosis: &diagnosis,
                health: Down,
                suppressed: false,
            };
            let before = incidents.open().map(|incident| incident.verdict.cause.clone());
            incidents.apply(outcome, &RULES, at(second));
            let open = incidents.open().unwrap();
            prop_assert_eq!(id.get_or_insert_with(|| open.id.clone()), &open.id);
            if own.certainty == Proven {
                proven.push((status, own.candidates.clone(), own.cause.clone()));
            }
            let verdict = &open.verdict;
            if verdict.certainty == Proven {
                let same = (status, own.candidates.clone(), verdict.cause.clone());
                prop_assert!(proven.contains(&same), "{:?}", verdict);
            }
            if own.certainty >= Certainty::Corroborated {
                prop_assert_eq!(&verdict.cause, &own.cause);
            }
            let allows = |cause: &CauseId| own.candidates.iter().any(|one| one.cause == *cause);
            let kept = before.as_ref() == Some(&verdict.cause);
            unexplained = if kept && !allows(&verdict.cause) { unexplained + 1 } else { 0 };
            // A failure with the signature of a corroborated or proven one has its cause.
            let known = proven.iter().any(|one| one.0 == status && one.1 == own.candidates);
            prop_assert!(unexplained < 2 || known, "{} kept", verdict.cause);
        }
    }
}
