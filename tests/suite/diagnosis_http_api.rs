//! The HTTP API's faults as a probe on loopback sees them: phases known, round trip 0.1 ms.

use std::time::Duration;

use jiff::Timestamp;
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::model::observation::{HttpVersion, Observation, Response};
use probecause::model::target::{Authorizer, Integration, Target};

fn target() -> Target {
    Target::with_defaults("t", url::Url::parse("https://127.0.0.1/a").unwrap())
}

/// `certainty cause cause …`, candidates best first.
fn check(target: &Target, status: u16, seconds: f64, expected: &str) {
    let body = if status == 503 {
        r#"{"message":"Service Unavailable"}"#
    } else {
        r#"{"message":"Internal Server Error"}"#
    };
    let mut observation = Observation::begun(Timestamp::UNIX_EPOCH, "https://127.0.0.1/a");
    observation.phases.connect = Some(Duration::from_micros(100));
    observation.phases.processing = Some(Duration::from_secs_f64(seconds));
    observation.duration = Duration::from_secs_f64(seconds + 0.002);
    observation.response = Some(Response {
        status,
        version: HttpVersion::Http2,
        headers: [
            ("content-type", "application/json"),
            ("apigw-requestid", "K2Z00000000IAMEJ="),
            ("content-length", "33"),
            ("date", "Tue, 20 May 2025 04:44:13 GMT"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        body: body.as_bytes().to_vec(),
        body_truncated: false,
        body_bytes: body.len() as u64,
        content_length: Some(body.len() as u64),
    });
    let facts = Facts::gather(target, &observation, &Context::at(Timestamp::UNIX_EPOCH));
    let diagnosis = Rulebook::embedded().unwrap().diagnose(&facts);
    let verdict = diagnosis.verdict.unwrap();
    let causes: Vec<&str> = verdict
        .candidates
        .iter()
        .map(|candidate| candidate.cause.as_str())
        .collect();
    let told = format!("{} {}", verdict.certainty, causes.join(" "));
    assert!(
        told.starts_with(expected),
        "{status} after {seconds} s: {told}"
    );
}

#[test]
fn an_internal_error_at_the_floor_is_led_by_permission() {
    check(&target(), 500, 0.0003, "possible lambda-permission-denied");
}

#[test]
fn an_internal_error_far_above_the_floor_is_led_by_the_function() {
    for seconds in [0.200, 0.230] {
        check(
            &target(),
            500,
            seconds,
            "possible lambda-function-error lambda-malformed-response",
        );
    }
}

#[test]
fn service_unavailable_is_a_throttle_at_once_and_a_timeout_on_the_limit() {
    check(&target(), 503, 0.0003, "likely lambda-throttled");
    check(&target(), 503, 30.002, "likely integration-timeout");
    check(&target(), 503, 6.5, "possible integration-timeout");
}

#[test]
fn a_declared_timeout_makes_the_same_answer_likely() {
    let mut declared = target();
    declared.aws.integration_timeout = Some(Duration::from_millis(6500));
    check(&declared, 503, 6.51, "likely integration-timeout");
}

#[test]
fn a_private_integration_is_not_throttled() {
    let mut private = target();
    private.aws.integration = Some(Integration::VpcLink);
    check(&private, 503, 0.0003, "possible integration-unreachable");
}

#[test]
fn a_declared_authorizer_makes_timing_say_nothing() {
    let mut behind = target();
    behind.aws.authorizer = Some(Authorizer::Jwt);
    check(&behind, 500, 0.0003, "possible lambda-function-error");
}
