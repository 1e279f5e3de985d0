//! The verdict when a request's own log line is at hand, alone or against metrics.

use std::time::Duration;

use probecause::domain::diagnosis::aws::summary::summary;
use probecause::domain::diagnosis::aws::{AwsEvidence, LogFinding, LogSource, LogTemplate};
use probecause::model::target::Target;

use crate::diagnosis_aws::support::Door::{Http, Rest};
use crate::diagnosis_aws::support::{Door, alone, answer, diagnose, sums, target, told};

fn line(template: LogTemplate) -> LogFinding {
    LogFinding {
        source: LogSource::AccessLog,
        template,
        status: None,
        integration_status: None,
        invoked: None,
        integration_latency: None,
    }
}

fn of_log(log: LogFinding) -> AwsEvidence {
    AwsEvidence {
        log: Some(log),
        window: None,
    }
}

#[track_caller]
fn check(target: &Target, seen: (Door, u16, f64), log: LogFinding, expected: &str) {
    let answer = answer(seen.0, seen.1, seen.2);
    let diagnosis = diagnose(target, &answer, of_log(log));
    assert_eq!(told(&diagnosis), expected, "{:#?}", diagnosis.verdict);
}

#[track_caller]
fn proves(seen: (Door, u16, f64), template: LogTemplate, cause: &str) {
    let expected = format!("proven {cause}");
    check(&target(true), seen, line(template), &expected);
}

#[test]
fn each_template_of_an_http_api_proves_its_cause_whatever_the_time_suggests() {
    use LogTemplate as T;
    proves(
        (Http, 503, 30.163),
        T::IntegrationTimeout,
        "integration-timeout",
    );
    proves(
        (Http, 503, 0.0003),
        T::IntegrationTimeout,
        "integration-timeout",
    );
    proves((Http, 503, 30.163), T::Throttled, "lambda-throttled");
    proves(
        (Http, 500, 0.2),
        T::PermissionDenied,
        "lambda-permission-denied",
    );
    proves(
        (Http, 500, 0.0003),
        T::MalformedResponse,
        "lambda-malformed-response",
    );
    proves(
        (Http, 500, 0.0003),
        T::FunctionError,
        "lambda-function-error",
    );
    proves(
        (Http, 500, 5.1),
        T::FunctionTimedOut,
        "lambda-function-timeout",
    );
    proves((Http, 500, 0.2), T::AuthorizerFailure, "authorizer-failure");
    proves(
        (Http, 503, 0.2),
        T::NetworkFailure,
        "integration-unreachable",
    );
}

#[test]
fn each_template_of_a_rest_api_proves_its_cause() {
    use LogTemplate as T;
    proves(
        (Rest, 504, 29.23),
        T::IntegrationTimeout,
        "integration-timeout",
    );
    proves((Rest, 500, 0.0003), T::Throttled, "lambda-throttled");
    proves(
        (Rest, 500, 0.0003),
        T::PermissionDenied,
        "lambda-permission-denied",
    );
    proves(
        (Rest, 502, 0.2),
        T::MalformedResponse,
        "lambda-malformed-response",
    );
    proves((Rest, 502, 0.2), T::FunctionError, "lambda-function-error");
}

#[test]
fn a_wait_up_to_the_limit_without_a_status_is_proof_for_a_declared_function() {
    let waited = LogFinding {
        integration_latency: Some(Duration::from_millis(30_002)),
        ..line(LogTemplate::Unknown)
    };
    let seen = (Http, 503, 30.163);
    check(
        &target(true),
        seen,
        waited.clone(),
        "proven integration-timeout",
    );
    let mut undeclared = target(true);
    undeclared.aws.integration = None;
    check(
        &undeclared,
        seen,
        waited.clone(),
        "corroborated integration-timeout",
    );
    // With a status of the integration, it was not the API that gave up.
    let answered = LogFinding {
        integration_status: Some(200),
        ..waited
    };
    check(&target(true), seen, answered, "likely integration-timeout");
}

#[test]
fn an_inferred_malformed_answer_is_likely_at_most() {
    let inferred = line(LogTemplate::RefusedWithoutError);
    check(
        &target(true),
        (Http, 500, 0.0003),
        inferred.clone(),
        "likely lambda-malformed-response",
    );
    // Metrics of a window of our own that say otherwise make it doubtful.
    let evidence = AwsEvidence {
        log: Some(inferred),
        window: Some(sums(alone(), [0.0, 3.0, 3.0], Some(0.1))),
    };
    let diagnosis = diagnose(&target(false), &answer(Http, 500, 0.2), evidence);
    assert!(told(&diagnosis).starts_with("possible"), "{diagnosis:?}");
}

#[test]
fn a_line_without_a_phrase_orders_by_whether_the_function_was_called() {
    let seen = (Http, 500, 0.2);
    let called = |invoked| LogFinding {
        invoked: Some(invoked),
        ..line(LogTemplate::Unknown)
    };
    let not = "possible lambda-permission-denied";
    check(&target(true), seen, called(false), not);
    let was = "possible lambda-function-error";
    check(&target(true), (Http, 500, 0.0003), called(true), was);
}

#[test]
fn the_line_of_the_request_outweighs_metrics_that_say_otherwise() {
    let evidence = AwsEvidence {
        log: Some(line(LogTemplate::PermissionDenied)),
        window: Some(sums(alone(), [0.0, 3.0, 3.0], Some(0.1))),
    };
    let diagnosis = diagnose(&target(false), &answer(Http, 500, 0.2), evidence.clone());
    assert_eq!(told(&diagnosis), "proven lambda-permission-denied");
    assert_eq!(
        summary(&evidence),
        "access log: permission denied; Throttles 0, Invocations 3, Errors 3, 5xx 3, Duration up to 0.100 s (settled window)"
    );
}

#[test]
fn a_gateways_error_type_of_the_authorizer_outranks_a_permission_in_the_log() {
    let mut answer = answer(Rest, 500, 0.0003);
    if let Some(response) = &mut answer.response {
        for (name, value) in &mut response.headers {
            if name == "x-amzn-errortype" {
                *value = "AuthorizerConfigurationException".to_owned();
            }
        }
    }
    let log = of_log(line(LogTemplate::PermissionDenied));
    let diagnosis = diagnose(&target(true), &answer, log);
    let verdict = diagnosis.verdict.unwrap();
    let leads = verdict.cause.as_str() == "lambda-permission-denied";
    assert!(!leads || verdict.candidates.len() == 1, "{verdict:?}");
}

#[test]
fn no_text_of_a_line_reaches_the_evidence() {
    let text = r#"{"requestId":"K=","status":500,"integrationErrorMessage":"The Lambda function returned the following error: password hunter2. Check your Lambda function code and try again."}"#;
    let (_, log) = probecause::domain::diagnosis::aws::log_line::read_access_line(text).unwrap();
    let evidence = of_log(log);
    assert_eq!(summary(&evidence), "access log: function error");
    let diagnosis = diagnose(&target(true), &answer(Http, 500, 0.2), evidence);
    assert_eq!(told(&diagnosis), "proven lambda-function-error");
    assert!(!format!("{diagnosis:?}").contains("hunter2"));
}
