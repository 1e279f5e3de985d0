//! Verdicts from the metrics of the failed request: settled and unsettled windows, shared functions
//! and functions without other callers.

use std::time::Duration;

use probecause::domain::diagnosis::aws::MetricWindow;
use probecause::domain::diagnosis::aws::summary::summary;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::model::cause::Certainty;
use probecause::model::target::{Authorizer, Target};

use crate::diagnosis_aws::support::FrontDoor::{Http, Rest};
use crate::diagnosis_aws::support::{
    FrontDoor, certainty_and_cause, diagnose, evidence_from, facts, observation, target,
    unshared_window, window, with_lambda_sums,
};

/// Stands for a metric without a datapoint.
const NONE: f64 = -1.0;

/// Checks the certainty and cause of a failed request with a metric window.
#[track_caller]
fn check(target: &Target, response: (FrontDoor, u16, f64), window: MetricWindow, expected: &str) {
    let observation = observation(response.0, response.1, response.2);
    let diagnosis = diagnose(target, &observation, evidence_from(window));
    assert_eq!(
        certainty_and_cause(&diagnosis),
        expected,
        "{:#?}",
        diagnosis.verdict
    );
}

/// The same window before it is settled.
fn unsettled(mut window: MetricWindow) -> MetricWindow {
    window.settled = false;
    window
}

#[test]
fn throttles_without_invocations_corroborate_a_throttle_even_of_a_shared_function() {
    let throttled = with_lambda_sums(window(), [14.0, NONE, NONE], None);
    for shared in [true, false] {
        let target = target(shared);
        let corroborated = "corroborated lambda-throttled";
        check(
            &target,
            (Http, 503, 0.0003),
            throttled.clone(),
            corroborated,
        );
        check(
            &target,
            (Rest, 500, 0.0003),
            throttled.clone(),
            corroborated,
        );
    }
}

#[test]
fn throttles_of_other_callers_do_not_explain_a_denied_call() {
    let other_traffic = with_lambda_sums(window(), [14.0, 200.0, 2.0], Some(0.3));
    check(
        &target(true),
        (Http, 500, 0.0003),
        other_traffic,
        "possible lambda-permission-denied",
    );
}

#[test]
fn a_settled_window_without_throttles_contradicts_a_throttle() {
    let no_throttles = with_lambda_sums(window(), [0.0, 200.0, 0.0], Some(0.3));
    let observation = observation(Http, 503, 0.0003);
    let diagnosis = diagnose(
        &target(true),
        &observation,
        evidence_from(no_throttles.clone()),
    );
    assert!(
        certainty_and_cause(&diagnosis).starts_with("possible"),
        "{diagnosis:?}"
    );
    // Before the window is settled, throttles may still appear.
    check(
        &target(true),
        (Http, 503, 0.0003),
        unsettled(no_throttles),
        "likely lambda-throttled",
    );
}

#[test]
fn a_cause_that_a_settled_window_contradicts_is_at_most_possible() {
    for sums in [[0.0, 200.0, 0.0], [NONE, NONE, NONE]] {
        for (door, status, seconds) in [(Http, 503, 0.0003), (Http, 503, 30.163)] {
            let longest = (sums[1] > 0.0).then_some(0.3);
            let settled = with_lambda_sums(window(), sums, longest);
            let observation = observation(door, status, seconds);
            let diagnosis = diagnose(&target(true), &observation, evidence_from(settled));
            let at_limit = seconds > 30.0 && sums[1] > 0.0;
            // `Duration` excludes a cold start, so a short duration does not rule out a timeout.
            let expected = if at_limit { "likely" } else { "possible" };
            assert!(
                certainty_and_cause(&diagnosis).starts_with(expected),
                "{diagnosis:?}"
            );
        }
    }
}

#[test]
fn without_invocations_and_throttles_a_denied_permission_leads_and_is_at_most_likely() {
    let no_datapoints = with_lambda_sums(window(), [NONE, NONE, NONE], None);
    let mut without_authorizer = target(true);
    without_authorizer.aws.authorizer = Some(Authorizer::None);
    check(
        &without_authorizer,
        (Http, 500, 0.2),
        no_datapoints.clone(),
        "likely lambda-permission-denied",
    );
    check(
        &target(true),
        (Http, 500, 0.2),
        no_datapoints.clone(),
        "possible lambda-permission-denied",
    );
    check(
        &without_authorizer,
        (Http, 500, 0.2),
        with_lambda_sums(unshared_window(), [NONE, NONE, NONE], None),
        "likely lambda-permission-denied",
    );
    // A missing metric in an unsettled window shows nothing, so the time above the floor decides.
    check(
        &without_authorizer,
        (Http, 500, 0.2),
        unsettled(no_datapoints),
        "possible lambda-function-error",
    );
}

#[test]
fn errors_in_all_invocations_corroborate_a_function_error_and_a_function_timeout() {
    let failed = with_lambda_sums(window(), [0.0, 3.0, 3.0], Some(0.2));
    for (door, status) in [(Http, 500), (Rest, 502)] {
        let expected = "corroborated lambda-function-error";
        check(&target(true), (door, status, 0.2), failed.clone(), expected);
    }
    let mut with_short_timeout = target(true);
    with_short_timeout.aws.function_timeout = Some(Duration::from_secs(3));
    check(
        &with_short_timeout,
        (Http, 500, 3.05),
        with_lambda_sums(window(), [0.0, 3.0, 3.0], Some(3.003)),
        "corroborated lambda-function-timeout",
    );
}

#[test]
fn errors_of_other_callers_do_not_corroborate_a_function_error() {
    let other_traffic = with_lambda_sums(window(), [0.0, 500.0, 5.0], Some(0.4));
    for (door, status) in [(Http, 500), (Rest, 502)] {
        let expected = "possible lambda-function-error";
        check(
            &target(true),
            (door, status, 0.2),
            other_traffic.clone(),
            expected,
        );
    }
    // A request of another caller failed; those of the prober were not counted yet.
    let one_error = with_lambda_sums(window(), [0.0, 1.0, 1.0], Some(0.4));
    let observation = observation(Http, 500, 0.2);
    let diagnosis = diagnose(&target(true), &observation, evidence_from(one_error));
    assert!(
        certainty_and_cause(&diagnosis).starts_with("possible"),
        "{diagnosis:?}"
    );
}

#[test]
fn invocations_without_errors_corroborate_a_malformed_response_if_the_prober_made_them() {
    let ran = with_lambda_sums(window(), [0.0, 3.0, 0.0], Some(0.2));
    let malformed = "corroborated lambda-malformed-response";
    check(&target(false), (Http, 500, 0.2), ran.clone(), malformed);
    check(&target(false), (Rest, 502, 0.2), ran.clone(), malformed);
    // A 502 of a REST API shows that the function ran.
    check(&target(true), (Rest, 502, 0.2), ran.clone(), malformed);
    check(
        &target(true),
        (Http, 500, 0.2),
        ran.clone(),
        "possible lambda-malformed-response",
    );
    check(
        &target(true),
        (Http, 500, 0.0003),
        ran,
        "possible lambda-permission-denied",
    );
}

#[test]
fn an_invocation_longer_than_the_api_timeout_corroborates_a_timeout_only_at_the_limit() {
    let longer_than_api = with_lambda_sums(window(), [0.0, 3.0, 0.0], Some(45.0));
    let timeout = "corroborated integration-timeout";
    check(
        &target(true),
        (Http, 503, 30.163),
        longer_than_api.clone(),
        timeout,
    );
    check(
        &target(true),
        (Rest, 504, 29.23),
        longer_than_api.clone(),
        timeout,
    );
    check(
        &target(true),
        (Http, 503, 30.163),
        unsettled(longer_than_api.clone()),
        "likely integration-timeout",
    );
    let observation = observation(Http, 503, 0.0003);
    let diagnosis = diagnose(&target(true), &observation, evidence_from(longer_than_api));
    assert!(
        certainty_and_cause(&diagnosis).starts_with("possible"),
        "{diagnosis:?}"
    );
}

#[test]
fn an_api_without_counted_errors_rules_out_causes_within_its_stage() {
    let mut window = window();
    window.lambda = None;
    if let Some(api) = &mut window.api {
        api.server_errors = None;
        api.count = Some(40.0);
    }
    let expected = "possible unexpected-status";
    check(&target(true), (Http, 503, 0.0003), window.clone(), expected);
    check(
        &target(true),
        (Http, 503, 0.0003),
        unsettled(window),
        "likely lambda-throttled",
    );
}

#[test]
fn a_window_without_other_traffic_proves_four_of_the_faults() {
    for (response, sums, longest, cause) in [
        (
            (Http, 503, 0.0003),
            [3.0, NONE, NONE],
            None,
            "lambda-throttled",
        ),
        (
            (Rest, 500, 0.0003),
            [3.0, NONE, NONE],
            None,
            "lambda-throttled",
        ),
        (
            (Http, 500, 0.0003),
            [0.0, 3.0, 3.0],
            Some(0.1),
            "lambda-function-error",
        ),
        (
            (Rest, 502, 0.2),
            [0.0, 3.0, 3.0],
            Some(0.1),
            "lambda-function-error",
        ),
        (
            (Http, 500, 0.0003),
            [0.0, 3.0, 0.0],
            Some(0.1),
            "lambda-malformed-response",
        ),
        (
            (Rest, 502, 0.2),
            [0.0, 3.0, 0.0],
            Some(0.1),
            "lambda-malformed-response",
        ),
    ] {
        let window = with_lambda_sums(unshared_window(), sums, longest);
        check(&target(false), response, window, &format!("proven {cause}"));
    }
    let mut at_limit = with_lambda_sums(unshared_window(), [0.0, 3.0, 0.0], Some(45.0));
    if let Some(api) = &mut at_limit.api {
        api.integration_latency_max = Some(Duration::from_millis(30_001));
    }
    check(
        &target(false),
        (Http, 503, 30.163),
        at_limit,
        "proven integration-timeout",
    );
}

#[test]
fn metrics_prove_nothing_with_other_traffic_or_in_an_unsettled_window() {
    let disqualifying_changes: [fn(&mut MetricWindow); 5] = [
        |window| window.settled = false,
        |window| window.own_requests = 2,
        |window| {
            if let Some(api) = &mut window.api {
                api.of_route = false;
            }
        },
        |window| {
            if let Some(api) = &mut window.api {
                api.count = Some(4.0);
            }
        },
        |window| {
            if let Some(lambda) = &mut window.lambda {
                lambda.invocations = Some(9.0);
            }
        },
    ];
    for (response, sums) in [
        ((Http, 503, 0.0003), [3.0, NONE, NONE]),
        ((Rest, 500, 0.0003), [3.0, NONE, NONE]),
        ((Http, 500, 0.2), [0.0, 3.0, 3.0]),
        ((Rest, 502, 0.2), [0.0, 3.0, 0.0]),
    ] {
        let observation = observation(response.0, response.1, response.2);
        let unshared = with_lambda_sums(unshared_window(), sums, Some(0.1));
        let shared = diagnose(&target(true), &observation, evidence_from(unshared.clone()));
        assert!(
            !certainty_and_cause(&shared).starts_with("proven"),
            "{shared:?}"
        );
        for change in disqualifying_changes {
            let mut window = unshared.clone();
            change(&mut window);
            let diagnosis = diagnose(&target(false), &observation, evidence_from(window));
            assert!(
                !certainty_and_cause(&diagnosis).starts_with("proven"),
                "{diagnosis:?}"
            );
        }
    }
}

#[test]
fn a_single_failure_without_a_function_error_stays_possible() {
    let mut window = with_lambda_sums(unshared_window(), [0.0, 3.0, 0.0], Some(0.1));
    if let Some(api) = &mut window.api {
        api.server_errors = Some(1.0);
    }
    check(
        &target(false),
        (Http, 500, 0.2),
        window,
        "possible lambda-malformed-response",
    );
}

#[test]
fn invocations_by_other_callers_of_an_unshared_function_do_not_corroborate_a_malformed_response() {
    let other_traffic = with_lambda_sums(unshared_window(), [0.0, 9.0, 0.0], Some(0.1));
    let expected = "possible lambda-malformed-response";
    check(&target(false), (Http, 500, 0.2), other_traffic, expected);
}

#[test]
fn one_failure_among_several_requests_is_proven_if_one_invocation_failed() {
    let mut window = with_lambda_sums(unshared_window(), [0.0, 3.0, 1.0], Some(0.1));
    if let Some(api) = &mut window.api {
        api.server_errors = Some(1.0);
    }
    let failed = "proven lambda-function-error";
    check(&target(false), (Http, 500, 0.2), window.clone(), failed);
    let mut with_short_timeout = target(false);
    with_short_timeout.aws.function_timeout = Some(Duration::from_secs(3));
    if let Some(lambda) = &mut window.lambda {
        lambda.duration_max = Some(Duration::from_millis(3003));
    }
    let timed_out = "proven lambda-function-timeout";
    check(&with_short_timeout, (Http, 500, 3.05), window, timed_out);
}

#[test]
fn late_series_raise_a_possible_cause_to_corroborated() {
    let target = target(true);
    let response = (Http, 500, 0.2);
    let no_datapoints = with_lambda_sums(unsettled(window()), [NONE, NONE, NONE], None);
    check(
        &target,
        response,
        no_datapoints,
        "possible lambda-function-error",
    );
    let partial = with_lambda_sums(unsettled(window()), [NONE, 1.0, 1.0], Some(0.1));
    check(&target, response, partial, "possible lambda-function-error");
    let complete = with_lambda_sums(window(), [NONE, 3.0, 3.0], Some(0.1));
    check(
        &target,
        response,
        complete,
        "corroborated lambda-function-error",
    );
}

#[test]
fn the_evidence_and_the_summary_contain_the_metric_values() {
    let throttled = with_lambda_sums(window(), [14.0, NONE, NONE], None);
    let observation = observation(Http, 503, 0.0003);
    let evidence = evidence_from(throttled.clone());
    let diagnosis = diagnose(&target(true), &observation, evidence.clone());
    let number = |name: &str| {
        let mut found = diagnosis.evidence.iter();
        let found = found.find(|evidence| evidence.fact == name);
        found.map(|evidence| evidence.value.to_string())
    };
    assert_eq!(number("lambda.throttles").as_deref(), Some("14"));
    assert_eq!(number("lambda.invocations").as_deref(), Some("0"));
    assert_eq!(number("window.state").as_deref(), Some("settled"));
    assert_eq!(
        summary(&evidence),
        "Throttles 14, Invocations 0, 5xx 3 (settled window)"
    );
    assert_eq!(
        summary(&evidence_from(unsettled(throttled))),
        "Throttles 14, 5xx 3 (open window)"
    );
}

#[test]
fn metrics_that_were_not_read_stay_unknown() {
    let mut denied = window();
    denied.lambda = None;
    denied.api = None;
    let facts = facts(
        &target(true),
        &observation(Http, 500, 0.2),
        evidence_from(denied.clone()),
    );
    for name in ["lambda.seen", "lambda.throttles", "lambda.ran", "api.seen"] {
        assert_eq!(facts.get(name), None, "{name}");
    }
    assert_eq!(summary(&evidence_from(denied)), "");
}

#[test]
fn for_all_sums_only_a_settled_window_corroborates_and_only_an_unshared_function_proves() {
    let rulebook = Rulebook::embedded().unwrap();
    let values = [NONE, 0.0, 1.0, 3.0, 14.0, f64::NAN, f64::INFINITY];
    let longest = [None, Some(0.1), Some(3.0), Some(31.0), Some(1e9)];
    let (mut proven, mut corroborated) = (0, 0);
    for (first, throttles) in values.iter().enumerate() {
        for (second, invocations) in values.iter().enumerate() {
            for (third, errors, settled) in (0..)
                .zip(&values)
                .flat_map(|(third, errors)| [(third, errors, true), (third, errors, false)])
            {
                let longest = longest[(first + second + third) % longest.len()];
                let mut window = with_lambda_sums(
                    unshared_window(),
                    [*throttles, *invocations, *errors],
                    longest,
                );
                window.settled = settled;
                for (shared, response) in [true, false].into_iter().flat_map(|shared| {
                    [(Http, 500, 0.2), (Http, 503, 0.0003), (Rest, 502, 0.2)]
                        .map(|response| (shared, response))
                }) {
                    let observation = observation(response.0, response.1, response.2);
                    let facts = facts(&target(shared), &observation, evidence_from(window.clone()));
                    let certainty = rulebook.diagnose(&facts).verdict.unwrap().certainty;
                    let context = format!("{window:?} shared {shared}");
                    assert!(settled || certainty < Certainty::Corroborated, "{context}");
                    assert!(!shared || certainty < Certainty::Proven, "{context}");
                    proven += usize::from(certainty == Certainty::Proven);
                    corroborated += usize::from(certainty == Certainty::Corroborated);
                }
            }
        }
    }
    assert!(proven > 0 && corroborated > 0, "{proven} {corroborated}");
}
