//! Diagnoses of HTTP API faults from known phases and a round trip of 0.1 ms, as in a probe on
//! loopback.

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

/// Checks that the diagnosis, as `certainty cause cause …` with the best candidate first, starts
/// with `expected`.
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
        reason: None,
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
    let diagnosed = format!("{} {}", verdict.certainty, causes.join(" "));
    assert!(
        diagnosed.starts_with(expected),
        "{status} after {seconds} s: {diagnosed}"
    );
}

#[test]
fn an_internal_error_at_the_floor_is_possibly_a_denied_permission() {
    check(&target(), 500, 0.0003, "possible lambda-permission-denied");
}

#[test]
fn an_internal_error_far_above_the_floor_is_possibly_a_function_error() {
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
fn service_unavailable_is_a_throttle_if_immediate_and_a_timeout_if_at_the_limit() {
    check(&target(), 503, 0.0003, "likely lambda-throttled");
    check(&target(), 503, 30.002, "likely integration-timeout");
    check(&target(), 503, 6.5, "possible integration-timeout");
}

#[test]
fn a_declared_timeout_makes_an_integration_timeout_likely() {
    let mut declared = target();
    declared.aws.integration_timeout = Some(Duration::from_millis(6500));
    check(&declared, 503, 6.51, "likely integration-timeout");
}

#[test]
fn an_immediate_503_of_a_vpc_link_is_possibly_an_unreachable_integration() {
    let mut private = target();
    private.aws.integration = Some(Integration::VpcLink);
    check(&private, 503, 0.0003, "possible integration-unreachable");
}

#[test]
fn with_a_declared_authorizer_the_time_of_an_internal_error_is_not_used() {
    let mut with_authorizer = target();
    with_authorizer.aws.authorizer = Some(Authorizer::Jwt);
    check(
        &with_authorizer,
        500,
        0.0003,
        "possible lambda-function-error",
    );
}
