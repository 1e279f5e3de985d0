use super::*;

use LayerState::{Failing, NotTestable, Ok};
use std::time::Duration;

use crate::model::observation::Response;
use crate::model::target::BodyMatch;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn target() -> Target {
    let mut target = Target::with_defaults("shop", "https://shop.example/".parse().unwrap());
    target.expect.body = vec![BodyMatch::Contains("ok".to_owned())];
    target.expect.slower_than = Some(Duration::from_secs(1));
    target
}

/// Returns an observation of a response with this status and body.
fn answer(status: u16, body: &str) -> Observation {
    let mut observation = Observation::begun(NOW, "https://shop.example/");
    observation.response = Some(Response::of(status, &[], body));
    observation
}

fn fault(phase: Phase, kind: FaultKind) -> Observation {
    let mut observation = Observation::begun(NOW, "https://shop.example/");
    observation.fault = Some(Fault {
        phase,
        kind,
        detail: "secret detail".to_owned(),
    });
    observation
}

#[track_caller]
fn check_layer(observation: &Observation, front: Option<u16>, state: LayerState) {
    let judged = judge_layer("lb", &target(), observation, NOW).beside(front);
    assert_eq!(judged.state, state, "{judged:?}");
    assert!(!judged.detail.contains("secret"), "{judged:?}");
}

#[test]
fn a_layer_is_ok_if_the_response_meets_the_expectations_or_is_only_slow() {
    check_layer(&answer(200, "ok"), Some(502), Ok);
    let mut slow = answer(200, "ok");
    slow.duration = Duration::from_secs(3);
    check_layer(&slow, Some(502), Ok);
}

#[test]
fn server_errors_and_the_failure_of_the_url_itself_count_against_a_layer() {
    check_layer(&answer(500, ""), Some(502), Failing);
    check_layer(&answer(503, ""), None, Failing);
    check_layer(&answer(404, ""), Some(404), Failing);
    check_layer(&answer(200, "no"), Some(200), Failing);
    for kind in [
        FaultKind::Timeout,
        FaultKind::ConnectionReset,
        FaultKind::ConnectionClosed,
        FaultKind::Truncated,
    ] {
        check_layer(&fault(Phase::Processing, kind), Some(502), Failing);
        check_layer(&fault(Phase::Transfer, kind), None, Failing);
    }
}

#[test]
fn a_layer_that_is_not_reached_or_rejects_direct_requests_is_not_testable() {
    for kind in FaultKind::ALL {
        for phase in [Phase::Resolve, Phase::Connect, Phase::Tls] {
            check_layer(&fault(phase, kind), Some(502), NotTestable);
        }
    }
    for kind in [
        FaultKind::Local,
        FaultKind::Credentials,
        FaultKind::Proxy,
        FaultKind::AddressRefused,
        FaultKind::Protocol,
        FaultKind::TooManyRedirects,
    ] {
        check_layer(&fault(Phase::Processing, kind), Some(502), NotTestable);
    }
    for status in [301, 401, 403, 404, 407, 421, 429] {
        check_layer(&answer(status, ""), Some(502), NotTestable);
        check_layer(&answer(status, ""), None, NotTestable);
    }
    for status in [401, 403, 407, 421, 429] {
        check_layer(&answer(status, ""), Some(status), NotTestable);
    }
    check_layer(&answer(200, "welcome to nginx"), Some(502), NotTestable);
}

#[test]
fn a_layer_whose_redirect_leads_elsewhere_is_not_testable() {
    let timeout = fault(Phase::Processing, FaultKind::Timeout);
    for mut observation in [answer(502, ""), answer(200, "ok"), timeout] {
        observation.left_connect_to = true;
        check_layer(&observation, Some(502), NotTestable);
    }
}

#[test]
fn the_url_itself_fails_with_every_fault_and_every_unmet_expectation() {
    let judge = |observation: &Observation| judge_front(&target(), observation, NOW).state;
    assert_eq!(judge(&answer(200, "ok")), Ok);
    assert_eq!(judge(&answer(403, "")), Failing);
    assert_eq!(judge(&fault(Phase::Connect, FaultKind::Timeout)), Failing);
}

#[test]
fn different_results_of_one_layer_show_nothing() {
    let judge = |status| {
        let response = judge_layer("lb", &target(), &answer(status, "ok"), NOW);
        response.beside(None)
    };
    assert_eq!(combine(&judge(200), &judge(200)).state, Ok);
    assert_eq!(combine(&judge(500), &judge(502)).state, Failing);
    let mixed = combine(&judge(200), &judge(502));
    assert_eq!(mixed.state, NotTestable);
    assert_eq!(mixed.detail, "status 200, then status 502");
}

fn findings(states: &[LayerState]) -> LayerFindings {
    let names = [FRONT, "balancer", "application"];
    let results = names.iter().zip(states);
    LayerFindings {
        at: NOW,
        results: results
            .map(|(name, state)| result(name, *state, "status 1".to_owned()))
            .collect(),
        repeated: true,
    }
}

/// The states of the layers, and the expected broken layer: its name, and whether it is the
/// innermost layer.
type Case<'a> = (&'a [LayerState], Option<(&'a str, bool)>);

#[test]
fn the_outermost_layer_that_fails_while_the_next_one_answers_is_broken() {
    let cases: &[Case<'_>] = &[
        (&[Failing, Ok, Ok], Some((FRONT, false))),
        (&[Failing, Failing, Ok], Some(("balancer", false))),
        (&[Failing, Failing, Failing], Some(("application", true))),
        (&[Failing, Ok, Failing], Some((FRONT, false))),
        (&[Failing, Ok, NotTestable], Some((FRONT, false))),
        (
            &[Failing, NotTestable, Failing],
            Some(("application", true)),
        ),
        (&[Failing, NotTestable, Ok], None),
        (&[Failing, Failing, NotTestable], None),
        (&[Failing, NotTestable, NotTestable], None),
        (&[Failing, Ok], Some((FRONT, false))),
        (&[Failing, Failing], Some(("balancer", true))),
        (&[Failing, NotTestable], None),
        (&[Failing], None),
        (&[], None),
    ];
    for (states, expected) in cases {
        let findings = findings(states);
        let broken = findings.broken();
        let broken = broken.map(|broken| (broken.name, broken.innermost));
        assert_eq!(broken, *expected, "{states:?}");
    }
}

#[test]
fn the_summary_names_the_broken_layer_and_every_result() {
    assert_eq!(
        findings(&[Failing, Failing, Ok]).summary(),
        "the fault is at balancer: front failing (status 1), balancer failing (status 1), \
         application ok (status 1), each requested twice"
    );
    let mut once = findings(&[Failing, NotTestable]);
    once.repeated = false;
    assert_eq!(
        once.summary(),
        "the layers do not show where the fault is: front failing (status 1), balancer \
         not-testable (status 1)"
    );
    assert!(
        findings(&[Failing, Failing])
            .summary()
            .starts_with("the fault is at or behind balancer: ")
    );
}
