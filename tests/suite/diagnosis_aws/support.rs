//! Builders of a failed request, its AWS evidence and its diagnosis.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use probecause::domain::diagnosis::Diagnosis;
use probecause::domain::diagnosis::aws::{ApiMetrics, AwsEvidence, LambdaMetrics, MetricWindow};
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::model::observation::{HttpVersion, Observation, Response};
use probecause::model::target::{Integration, Target};

/// The front door that responds: an HTTP API or a REST API.
#[derive(Clone, Copy)]
pub(crate) enum FrontDoor {
    Http,
    Rest,
}

/// A target with a Lambda function, declared shared or not, with a timeout of a minute.
pub(crate) fn target(shared: bool) -> Target {
    let mut target = Target::with_defaults("t", url::Url::parse("https://127.0.0.1/a").unwrap());
    target.aws.integration = Some(Integration::Lambda);
    target.aws.function_timeout = Some(Duration::from_secs(60));
    target.aws.shared = shared;
    target
}

/// A settled window with three requests of the prober, all failed.
pub(crate) fn window() -> MetricWindow {
    MetricWindow {
        from: Timestamp::UNIX_EPOCH,
        to: Timestamp::UNIX_EPOCH + Duration::from_secs(60),
        settled: true,
        own_requests: 3,
        lambda: Some(LambdaMetrics::default()),
        api: Some(ApiMetrics {
            server_errors: Some(3.0),
            ..ApiMetrics::default()
        }),
    }
}

/// The same window, in which the API counts no requests on the route but those of the prober.
pub(crate) fn unshared_window() -> MetricWindow {
    let mut window = window();
    window.api = Some(ApiMetrics {
        count: Some(3.0),
        server_errors: Some(3.0),
        integration_latency_max: None,
        of_route: true,
    });
    window
}

/// Sets the Lambda sums of throttles, invocations and errors, where a negative number stands for no
/// datapoint, and the maximum duration in seconds.
pub(crate) fn with_lambda_sums(
    mut window: MetricWindow,
    sums: [f64; 3],
    longest: Option<f64>,
) -> MetricWindow {
    let [throttles, invocations, errors] = sums.map(|value| (value >= 0.0).then_some(value));
    window.lambda = Some(LambdaMetrics {
        invocations,
        errors,
        throttles,
        duration_max: longest.map(Duration::from_secs_f64),
        concurrent_max: None,
    });
    window
}

pub(crate) fn evidence_from(window: MetricWindow) -> AwsEvidence {
    AwsEvidence {
        window: Some(window),
        ..AwsEvidence::default()
    }
}

/// An error response that the front door itself makes after a time, with its body and headers.
pub(crate) fn observation(door: FrontDoor, status: u16, seconds: f64) -> Observation {
    let (body, headers) = match (door, status) {
        (FrontDoor::Http, 503) => (r#"{"message":"Service Unavailable"}"#, HTTP),
        (FrontDoor::Http, _) => (r#"{"message":"Internal Server Error"}"#, HTTP),
        (FrontDoor::Rest, 504) => (r#"{"message": "Endpoint request timed out"}"#, REST),
        (FrontDoor::Rest, _) => (r#"{"message": "Internal server error"}"#, REST),
    };
    let mut observation = Observation::begun(Timestamp::UNIX_EPOCH, "https://127.0.0.1/a");
    observation.phases.connect = Some(Duration::from_micros(100));
    observation.phases.processing = Some(Duration::from_secs_f64(seconds));
    observation.duration = Duration::from_secs_f64(seconds + 0.002);
    observation.response = Some(Response {
        status,
        reason: None,
        version: HttpVersion::Http2,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.as_bytes().to_vec(),
        body_truncated: false,
        body_bytes: body.len() as u64,
        content_length: Some(body.len() as u64),
    });
    observation
}

const HTTP: &[(&str, &str)] = &[
    ("content-type", "application/json"),
    ("apigw-requestid", "K2Z00000000IAMEJ="),
];

const REST: &[(&str, &str)] = &[
    ("content-type", "application/json"),
    ("x-amzn-requestid", "8f0b7a3c-6f1e-4c51-9f0a-0d3c1f1f2a4b"),
    ("x-amz-apigw-id", "K2Z00000000FAMEJ="),
    ("x-amzn-errortype", "InternalServerErrorException"),
];

pub(crate) fn facts(target: &Target, observation: &Observation, evidence: AwsEvidence) -> Facts {
    let context = Context {
        aws: Some(Arc::new(evidence)),
        ..Context::at(Timestamp::UNIX_EPOCH)
    };
    Facts::gather(target, observation, &context)
}

pub(crate) fn diagnose(
    target: &Target,
    observation: &Observation,
    evidence: AwsEvidence,
) -> Diagnosis {
    Rulebook::embedded()
        .unwrap()
        .diagnose(&facts(target, observation, evidence))
}

/// `certainty cause` of a diagnosis.
pub(crate) fn certainty_and_cause(diagnosis: &Diagnosis) -> String {
    let verdict = diagnosis.verdict.as_ref().unwrap();
    format!("{} {}", verdict.certainty, verdict.cause)
}
