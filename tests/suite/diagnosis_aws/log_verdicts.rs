//! Verdicts from the log line of the failed request, alone or with metrics that contradict it.

use std::time::Duration;

use probecause::domain::diagnosis::aws::summary::summary;
use probecause::domain::diagnosis::aws::{AwsEvidence, LogFinding, LogSource, LogTemplate};
use probecause::model::target::Target;

use crate::diagnosis_aws::support::FrontDoor::{Http, Rest};
use crate::diagnosis_aws::support::{
    FrontDoor, certainty_and_cause, diagnose, observation, target, unshared_window,
    with_lambda_sums,
};

fn log_finding(template: LogTemplate) -> LogFinding {
    LogFinding {
        source: LogSource::AccessLog,
        template,
        status: None,
        integration_status: None,
        invoked: None,
        integration_latency: None,
    }
}

fn evidence_from(finding: LogFinding) -> AwsEvidence {
    AwsEvidence {
        log: Some(finding),
        ..AwsEvidence::default()
    }
}

#[track_caller]
fn check(target: &Target, response: (FrontDoor, u16, f64), finding: LogFinding, expected: &str) {
    let observation = observation(response.0, response.1, response.2);
    let diagnosis = diagnose(target, &observation, evidence_from(finding));
    assert_eq!(
        certainty_and_cause(&diagnosis),
        expected,
        "{:#?}",
        diagnosis.verdict
    );
}

#[track_caller]
fn check_proven(response: (FrontDoor, u16, f64), template: LogTemplate, cause: &str) {
    let expected = format!("proven {cause}");
    check(&target(true), response, log_finding(template), &expected);
}

#[test]
fn each_log_template_of_an_http_api_proves_its_cause_at_any_response_time() {
    use LogTemplate as T;
    check_proven(
        (Http, 503, 30.163),
        T::IntegrationTimeout,
        "integration-timeout",
    );
    check_proven(
        (Http, 503, 0.0003),
        T::IntegrationTimeout,
        "integration-timeout",
    );
    check_proven((Http, 503, 30.163), T::Throttled, "lambda-throttled");
    check_proven(
        (Http, 500, 0.2),
        T::PermissionDenied,
        "lambda-permission-denied",
    );
    check_proven(
        (Http, 500, 0.0003),
        T::MalformedResponse,
        "lambda-malformed-response",
    );
    check_proven(
        (Http, 500, 0.0003),
        T::FunctionError,
        "lambda-function-error",
    );
    check_proven(
        (Http, 500, 5.1),
        T::FunctionTimedOut,
        "lambda-function-timeout",
    );
    check_proven((Http, 500, 0.2), T::AuthorizerFailure, "authorizer-failure");
    check_proven(
        (Http, 503, 0.2),
        T::NetworkFailure,
        "integration-unreachable",
    );
}

#[test]
fn each_log_template_of_a_rest_api_proves_its_cause() {
    use LogTemplate as T;
    check_proven(
        (Rest, 504, 29.23),
        T::IntegrationTimeout,
        "integration-timeout",
    );
    check_proven((Rest, 500, 0.0003), T::Throttled, "lambda-throttled");
    check_proven(
        (Rest, 500, 0.0003),
        T::PermissionDenied,
        "lambda-permission-denied",
    );
    check_proven(
        (Rest, 502, 0.2),
        T::MalformedResponse,
        "lambda-malformed-response",
    );
    check_proven((Rest, 502, 0.2), T::FunctionError, "lambda-function-error");
    check_proven((Rest, 502, 0.0003), T::FunctionMissing, "function-missing");
    check_proven((Rest, 500, 0.2), T::TlsFailed, "upstream-tls-failed");
    check_proven(
        (Rest, 500, 0.2),
        T::ResponseNotMapped,
        "gateway-misconfigured",
    );
    check_proven((Rest, 500, 0.2), T::HeaderClash, "gateway-misconfigured");
    check_proven(
        (Rest, 504, 0.2),
        T::NetworkFailure,
        "integration-unreachable",
    );
    check_proven((Rest, 403, 0.2), T::WafBlocked, "probe-blocked");
    check_proven((Rest, 403, 0.2), T::AccessDenied, "forbidden");
    check_proven((Http, 403, 0.2), T::AccessDenied, "forbidden");
    check_proven((Http, 403, 0.2), T::Unsigned, "unauthorized");
    check_proven((Rest, 500, 0.2), T::WafFailed, "waf-unavailable");
}

#[test]
fn a_call_that_lambda_refused_has_several_possible_causes() {
    let refused = LogFinding {
        invoked: Some(false),
        ..log_finding(LogTemplate::RefusedByLambda)
    };
    let diagnosis = diagnose(
        &target(true),
        &observation(Http, 500, 0.14),
        evidence_from(refused),
    );
    assert_eq!(
        certainty_and_cause(&diagnosis),
        "possible function-not-ready"
    );
    let verdict = diagnosis.verdict.unwrap();
    let mut causes = verdict.candidates.iter();
    for cause in ["function-not-ready", "lambda-throttled", "function-missing"] {
        assert_eq!(causes.next().unwrap().cause.as_str(), cause);
    }
}

#[test]
fn a_response_that_is_too_large_is_not_an_error_of_the_function() {
    check(
        &target(true),
        (Rest, 502, 1.4),
        log_finding(LogTemplate::ResponseTooLarge),
        "likely lambda-malformed-response",
    );
}

#[test]
fn a_latency_at_the_limit_without_an_integration_status_proves_a_timeout_of_a_declared_function() {
    let at_limit = LogFinding {
        integration_latency: Some(Duration::from_millis(30_002)),
        ..log_finding(LogTemplate::Unknown)
    };
    let response = (Http, 503, 30.163);
    check(
        &target(true),
        response,
        at_limit.clone(),
        "proven integration-timeout",
    );
    let mut undeclared = target(true);
    undeclared.aws.integration = None;
    check(
        &undeclared,
        response,
        at_limit.clone(),
        "corroborated integration-timeout",
    );
    // With an integration status, the API did not time out.
    let answered = LogFinding {
        integration_status: Some(200),
        ..at_limit
    };
    check(
        &target(true),
        response,
        answered,
        "likely integration-timeout",
    );
}

#[test]
fn an_inferred_malformed_response_is_at_most_likely() {
    let inferred = log_finding(LogTemplate::RefusedWithoutError);
    check(
        &target(true),
        (Http, 500, 0.0003),
        inferred.clone(),
        "likely lambda-malformed-response",
    );
    // Contradicting metrics of a window without other traffic lower it to possible.
    let evidence = AwsEvidence {
        log: Some(inferred),
        window: Some(with_lambda_sums(
            unshared_window(),
            [0.0, 3.0, 3.0],
            Some(0.1),
        )),
        configuration: None,
    };
    let diagnosis = diagnose(&target(false), &observation(Http, 500, 0.2), evidence);
    assert!(
        certainty_and_cause(&diagnosis).starts_with("possible"),
        "{diagnosis:?}"
    );
}

#[test]
fn without_a_known_phrase_the_invocation_decides_which_candidate_leads() {
    let response = (Http, 500, 0.2);
    let with_invoked = |invoked| LogFinding {
        invoked: Some(invoked),
        ..log_finding(LogTemplate::Unknown)
    };
    let not_invoked = "possible lambda-permission-denied";
    check(&target(true), response, with_invoked(false), not_invoked);
    let invoked = "possible lambda-function-error";
    check(
        &target(true),
        (Http, 500, 0.0003),
        with_invoked(true),
        invoked,
    );
}

#[test]
fn the_log_line_of_the_request_outweighs_contradicting_metrics() {
    let evidence = AwsEvidence {
        log: Some(log_finding(LogTemplate::PermissionDenied)),
        window: Some(with_lambda_sums(
            unshared_window(),
            [0.0, 3.0, 3.0],
            Some(0.1),
        )),
        configuration: None,
    };
    let diagnosis = diagnose(
        &target(false),
        &observation(Http, 500, 0.2),
        evidence.clone(),
    );
    assert_eq!(
        certainty_and_cause(&diagnosis),
        "proven lambda-permission-denied"
    );
    assert_eq!(
        summary(&evidence),
        "access log: permission denied; Throttles 0, Invocations 3, Errors 3, 5xx 3, Duration up to 0.100 s (settled window)"
    );
}

#[test]
fn an_authorizer_error_type_outranks_a_denied_permission_in_the_log() {
    let mut observation = observation(Rest, 500, 0.0003);
    if let Some(response) = &mut observation.response {
        for (name, value) in &mut response.headers {
            if name == "x-amzn-errortype" {
                *value = "AuthorizerConfigurationException".to_owned();
            }
        }
    }
    let evidence = evidence_from(log_finding(LogTemplate::PermissionDenied));
    let diagnosis = diagnose(&target(true), &observation, evidence);
    let verdict = diagnosis.verdict.unwrap();
    let permission_leads = verdict.cause.as_str() == "lambda-permission-denied";
    assert!(
        !permission_leads || verdict.candidates.len() == 1,
        "{verdict:?}"
    );
}

#[test]
fn the_text_of_a_log_line_does_not_reach_the_evidence() {
    let text = r#"{"requestId":"K=","status":500,"integrationErrorMessage":"The Lambda function returned the following error: password hunter2. Check your Lambda function code and try again."}"#;
    let (_, finding) =
        probecause::domain::diagnosis::aws::log_line::read_access_line(text).unwrap();
    let evidence = evidence_from(finding);
    assert_eq!(summary(&evidence), "access log: function error");
    let diagnosis = diagnose(&target(true), &observation(Http, 500, 0.2), evidence);
    assert_eq!(
        certainty_and_cause(&diagnosis),
        "proven lambda-function-error"
    );
    assert!(!format!("{diagnosis:?}").contains("hunter2"));
}
