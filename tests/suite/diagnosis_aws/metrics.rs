//! The rows of metrics: settled and open windows, functions of our own and shared ones.

use std::time::Duration;

use probecause::domain::diagnosis::aws::MetricWindow;
use probecause::domain::diagnosis::aws::summary::summary;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::model::cause::Certainty;
use probecause::model::target::{Authorizer, Target};

use crate::diagnosis_aws::support::Door::{Http, Rest};
use crate::diagnosis_aws::support::{
    Door, alone, answer, diagnose, facts, of_window, sums, target, told, window,
};

/// No datapoint.
const NONE: f64 = -1.0;

/// What a failed request is called with a window.
#[track_caller]
fn check(target: &Target, seen: (Door, u16, f64), window: MetricWindow, expected: &str) {
    let answer = answer(seen.0, seen.1, seen.2);
    let diagnosis = diagnose(target, &answer, of_window(window));
    assert_eq!(told(&diagnosis), expected, "{:#?}", diagnosis.verdict);
}

fn open(mut window: MetricWindow) -> MetricWindow {
    window.settled = false;
    window
}

#[test]
fn throttles_without_invocations_corroborate_a_throttle_also_on_a_shared_function() {
    let throttled = sums(window(), [14.0, NONE, NONE], None);
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
fn throttles_of_others_prove_nothing_about_a_denied_call() {
    let busy = sums(window(), [14.0, 200.0, 2.0], Some(0.3));
    check(
        &target(true),
        (Http, 500, 0.0003),
        busy,
        "possible lambda-permission-denied",
    );
}

#[test]
fn no_throttle_in_a_settled_window_speaks_against_one() {
    let quiet = sums(window(), [0.0, 200.0, 0.0], Some(0.3));
    let answer = answer(Http, 503, 0.0003);
    let diagnosis = diagnose(&target(true), &answer, of_window(quiet.clone()));
    assert!(told(&diagnosis).starts_with("possible"), "{diagnosis:?}");
    // Until it is settled they may still come.
    check(
        &target(true),
        (Http, 503, 0.0003),
        open(quiet),
        "likely lambda-throttled",
    );
}

#[test]
fn a_leader_that_a_settled_window_contradicts_is_possible_at_most() {
    for of in [[0.0, 200.0, 0.0], [NONE, NONE, NONE]] {
        for (door, status, seconds) in [(Http, 503, 0.0003), (Http, 503, 30.163)] {
            let longest = (of[1] > 0.0).then_some(0.3);
            let settled = sums(window(), of, longest);
            let answer = answer(door, status, seconds);
            let diagnosis = diagnose(&target(true), &answer, of_window(settled));
            let on_limit = seconds > 30.0 && of[1] > 0.0;
            // Duration leaves out a cold start: a short one does not rule out a timeout.
            let expected = if on_limit { "likely" } else { "possible" };
            assert!(told(&diagnosis).starts_with(expected), "{diagnosis:?}");
        }
    }
}

#[test]
fn nothing_invoked_and_nothing_throttled_is_led_by_permission_and_never_more_than_likely() {
    let nothing = sums(window(), [NONE, NONE, NONE], None);
    let mut bare = target(true);
    bare.aws.authorizer = Some(Authorizer::None);
    check(
        &bare,
        (Http, 500, 0.2),
        nothing.clone(),
        "likely lambda-permission-denied",
    );
    check(
        &target(true),
        (Http, 500, 0.2),
        nothing.clone(),
        "possible lambda-permission-denied",
    );
    check(
        &bare,
        (Http, 500, 0.2),
        sums(alone(), [NONE, NONE, NONE], None),
        "likely lambda-permission-denied",
    );
    // An open window is silent for now: the time above the floor still leads.
    check(
        &bare,
        (Http, 500, 0.2),
        open(nothing),
        "possible lambda-function-error",
    );
}

#[test]
fn errors_in_all_invocations_corroborate_a_function_error_and_its_timeout() {
    let failed = sums(window(), [0.0, 3.0, 3.0], Some(0.2));
    for (door, status) in [(Http, 500), (Rest, 502)] {
        let expected = "corroborated lambda-function-error";
        check(&target(true), (door, status, 0.2), failed.clone(), expected);
    }
    let mut brief = target(true);
    brief.aws.function_timeout = Some(Duration::from_secs(3));
    check(
        &brief,
        (Http, 500, 3.05),
        sums(window(), [0.0, 3.0, 3.0], Some(3.003)),
        "corroborated lambda-function-timeout",
    );
}

#[test]
fn errors_of_others_do_not_corroborate_a_function_error() {
    let busy = sums(window(), [0.0, 500.0, 5.0], Some(0.4));
    for (door, status) in [(Http, 500), (Rest, 502)] {
        let expected = "possible lambda-function-error";
        check(&target(true), (door, status, 0.2), busy.clone(), expected);
    }
    // One of others failed while ours were not even counted.
    let one = sums(window(), [0.0, 1.0, 1.0], Some(0.4));
    let answer = answer(Http, 500, 0.2);
    let diagnosis = diagnose(&target(true), &answer, of_window(one));
    assert!(told(&diagnosis).starts_with("possible"), "{diagnosis:?}");
}

#[test]
fn runs_without_errors_corroborate_a_malformed_answer_where_they_must_be_ours() {
    let ran = sums(window(), [0.0, 3.0, 0.0], Some(0.2));
    let malformed = "corroborated lambda-malformed-response";
    check(&target(false), (Http, 500, 0.2), ran.clone(), malformed);
    check(&target(false), (Rest, 502, 0.2), ran.clone(), malformed);
    // A 502 of a REST API says by itself that the function ran.
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
fn a_run_that_outlasts_the_api_corroborates_its_timeout_on_the_limit_alone() {
    let long = sums(window(), [0.0, 3.0, 0.0], Some(45.0));
    let timeout = "corroborated integration-timeout";
    check(&target(true), (Http, 503, 30.163), long.clone(), timeout);
    check(&target(true), (Rest, 504, 29.23), long.clone(), timeout);
    check(
        &target(true),
        (Http, 503, 30.163),
        open(long.clone()),
        "likely integration-timeout",
    );
    let answer = answer(Http, 503, 0.0003);
    let diagnosis = diagnose(&target(true), &answer, of_window(long));
    assert!(told(&diagnosis).starts_with("possible"), "{diagnosis:?}");
}

#[test]
fn an_api_that_counted_no_error_places_the_failure_outside_its_stage() {
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
        open(window),
        "likely lambda-throttled",
    );
}

#[test]
fn a_window_of_our_own_requests_alone_proves_four_of_the_faults() {
    for (seen, of, longest, cause) in [
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
        let window = sums(alone(), of, longest);
        check(&target(false), seen, window, &format!("proven {cause}"));
    }
    let mut waited = sums(alone(), [0.0, 3.0, 0.0], Some(45.0));
    if let Some(api) = &mut waited.api {
        api.integration_latency_max = Some(Duration::from_millis(30_001));
    }
    check(
        &target(false),
        (Http, 503, 30.163),
        waited,
        "proven integration-timeout",
    );
}

#[test]
fn metrics_never_prove_with_traffic_of_others_or_before_they_are_settled() {
    let not_alone: [fn(&mut MetricWindow); 5] = [
        |window| window.settled = false,
        |window| window.ours = 2,
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
    for (seen, of) in [
        ((Http, 503, 0.0003), [3.0, NONE, NONE]),
        ((Rest, 500, 0.0003), [3.0, NONE, NONE]),
        ((Http, 500, 0.2), [0.0, 3.0, 3.0]),
        ((Rest, 502, 0.2), [0.0, 3.0, 0.0]),
    ] {
        let answer = answer(seen.0, seen.1, seen.2);
        let whole = sums(alone(), of, Some(0.1));
        let shared = diagnose(&target(true), &answer, of_window(whole.clone()));
        assert!(!told(&shared).starts_with("proven"), "{shared:?}");
        for change in not_alone {
            let mut window = whole.clone();
            change(&mut window);
            let diagnosis = diagnose(&target(false), &answer, of_window(window));
            assert!(!told(&diagnosis).starts_with("proven"), "{diagnosis:?}");
        }
    }
}

#[test]
fn a_single_failure_without_an_error_may_be_a_blip_and_stays_possible() {
    let mut window = sums(alone(), [0.0, 3.0, 0.0], Some(0.1));
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
fn a_function_that_is_declared_ours_but_ran_for_others_corroborates_nothing_malformed() {
    let busy = sums(alone(), [0.0, 9.0, 0.0], Some(0.1));
    let expected = "possible lambda-malformed-response";
    check(&target(false), (Http, 500, 0.2), busy, expected);
}

#[test]
fn one_failure_of_several_is_proven_where_one_invocation_failed() {
    let mut window = sums(alone(), [0.0, 3.0, 1.0], Some(0.1));
    if let Some(api) = &mut window.api {
        api.server_errors = Some(1.0);
    }
    let failed = "proven lambda-function-error";
    check(&target(false), (Http, 500, 0.2), window.clone(), failed);
    let mut brief = target(false);
    brief.aws.function_timeout = Some(Duration::from_secs(3));
    if let Some(lambda) = &mut window.lambda {
        lambda.duration_max = Some(Duration::from_millis(3003));
    }
    let timed_out = "proven lambda-function-timeout";
    check(&brief, (Http, 500, 3.05), window, timed_out);
}

#[test]
fn late_series_give_first_a_possible_and_then_a_corroborated_cause() {
    let target = target(true);
    let seen = (Http, 500, 0.2);
    let nothing = sums(open(window()), [NONE, NONE, NONE], None);
    check(&target, seen, nothing, "possible lambda-function-error");
    let some = sums(open(window()), [NONE, 1.0, 1.0], Some(0.1));
    check(&target, seen, some, "possible lambda-function-error");
    let all = sums(window(), [NONE, 3.0, 3.0], Some(0.1));
    check(&target, seen, all, "corroborated lambda-function-error");
}

#[test]
fn the_evidence_and_the_summary_hold_the_numbers() {
    let throttled = sums(window(), [14.0, NONE, NONE], None);
    let answer = answer(Http, 503, 0.0003);
    let evidence = of_window(throttled.clone());
    let diagnosis = diagnose(&target(true), &answer, evidence.clone());
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
        summary(&of_window(open(throttled))),
        "Throttles 14, 5xx 3 (open window)"
    );
}

#[test]
fn what_was_not_asked_or_refused_stays_unknown() {
    let mut denied = window();
    denied.lambda = None;
    denied.api = None;
    let told = facts(
        &target(true),
        &answer(Http, 500, 0.2),
        of_window(denied.clone()),
    );
    for name in ["lambda.seen", "lambda.throttles", "lambda.ran", "api.seen"] {
        assert_eq!(told.get(name), None, "{name}");
    }
    assert_eq!(summary(&of_window(denied)), "");
}

#[test]
fn whatever_the_sums_only_a_settled_window_corroborates_and_only_our_own_proves() {
    let book = Rulebook::embedded().unwrap();
    let values = [NONE, 0.0, 1.0, 3.0, 14.0, f64::NAN, f64::INFINITY];
    let longest = [None, Some(0.1), Some(3.0), Some(31.0), Some(1e9)];
    let (mut proven, mut corroborated) = (0, 0);
    for (at, throttles) in values.iter().enumerate() {
        for (to, invocations) in values.iter().enumerate() {
            for (of, errors, settled) in (0..)
                .zip(&values)
                .flat_map(|(of, errors)| [(of, errors, true), (of, errors, false)])
            {
                let longest = longest[(at + to + of) % longest.len()];
                let mut window = sums(alone(), [*throttles, *invocations, *errors], longest);
                window.settled = settled;
                for (shared, seen) in [true, false].into_iter().flat_map(|shared| {
                    [(Http, 500, 0.2), (Http, 503, 0.0003), (Rest, 502, 0.2)]
                        .map(|seen| (shared, seen))
                }) {
                    let answer = answer(seen.0, seen.1, seen.2);
                    let facts = facts(&target(shared), &answer, of_window(window.clone()));
                    let certainty = book.diagnose(&facts).verdict.unwrap().certainty;
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
