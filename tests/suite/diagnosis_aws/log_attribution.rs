//! Log lines whose status or phrase does not belong to the call of the integration: a status that a
//! mapping replaces, and phrases about the authorizer.

use probecause::domain::diagnosis::aws::log_line::{read_access_line, read_execution_lines};
use probecause::domain::diagnosis::aws::{AwsEvidence, LogFinding, LogTemplate as T};
use probecause::model::target::{Integration, Target};
use serde_json::{Value, json};

use crate::diagnosis_aws::support::FrontDoor::{Http, Rest};
use crate::diagnosis_aws::support::{
    FrontDoor, certainty_and_cause, diagnose, facts, observation, target,
};

fn access(fields: &[(&str, &str)]) -> LogFinding {
    let mut line = json!({"requestId": "K2ZEDjwtIAMEcig="});
    for (name, value) in fields {
        line[*name] = Value::from(*value);
    }
    read_access_line(&line.to_string()).unwrap().1
}

fn with_integration(integration: Option<Integration>) -> Target {
    let mut target = target(true);
    target.aws.integration = integration;
    target
}

#[track_caller]
fn check(
    integration: Option<Integration>,
    (door, status): (FrontDoor, u16),
    finding: &LogFinding,
    expected: &str,
) {
    let evidence = AwsEvidence {
        log: Some(finding.clone()),
        ..AwsEvidence::default()
    };
    let target = with_integration(integration);
    let diagnosis = diagnose(&target, &observation(door, status, 0.2), evidence);
    assert_eq!(certainty_and_cause(&diagnosis), expected, "{finding:?}");
}

#[test]
fn a_status_429_alone_corroborates_a_throttle_but_does_not_prove_it() {
    for (status, door) in [("503", Http), ("500", Rest)] {
        let finding = access(&[
            ("status", status),
            ("integrationStatus", "429"),
            ("integrationErrorMessage", "-"),
        ]);
        assert_eq!(finding.template, T::ThrottledByStatus);
        let response = (door, status.parse().unwrap());
        let expected = "corroborated lambda-throttled";
        check(Some(Integration::Lambda), response, &finding, expected);
        check(None, response, &finding, expected);
    }
    // A phrase together with the status proves the throttle.
    for (name, phrase) in [
        (
            "integrationErrorMessage",
            "The Lambda service returned a 4xx error",
        ),
        (
            "integration.error",
            "Execution failed due to configuration error: Rate Exceeded.",
        ),
    ] {
        let fields = [
            ("status", "503"),
            ("integrationStatus", "429"),
            (name, phrase),
        ];
        assert_eq!(access(&fields).template, T::Throttled, "{phrase}");
    }
}

/// A parameter mapping of an HTTP API may overwrite the status of a backend.
#[test]
fn the_status_429_of_a_backend_is_no_throttle_of_lambda() {
    for service_status in ["429", "400", "404"] {
        for integration in [Integration::Http, Integration::VpcLink] {
            for (door, status) in [(Http, 503), (Http, 500), (Rest, 500)] {
                let finding = access(&[
                    ("status", &status.to_string()),
                    ("integrationStatus", service_status),
                    ("integrationRequestId", "b6e5bf0b"),
                ]);
                let evidence = AwsEvidence {
                    log: Some(finding),
                    ..AwsEvidence::default()
                };
                let target = with_integration(Some(integration));
                let response = observation(door, status, 0.2);
                let facts = facts(&target, &response, evidence.clone());
                assert_eq!(facts.text("log.invoked"), Some("yes"));
                let diagnosis = diagnose(&target, &response, evidence);
                let verdict = certainty_and_cause(&diagnosis);
                assert!(!verdict.contains("lambda"), "{verdict}");
            }
        }
    }
    // The response is not the API's own, so the backend's status was replaced.
    let finding = access(&[("status", "503"), ("integrationStatus", "429")]);
    let evidence = AwsEvidence {
        log: Some(finding),
        ..AwsEvidence::default()
    };
    let mut response = observation(Http, 503, 0.2);
    let own = response.response.as_mut().unwrap();
    own.body = b"busy".to_vec();
    own.headers
        .push(("x-powered-by".to_owned(), "Express".to_owned()));
    let target = with_integration(None);
    assert_eq!(
        facts(&target, &response, evidence.clone()).text("log.invoked"),
        None
    );
    let verdict = certainty_and_cause(&diagnose(&target, &response, evidence));
    assert!(!verdict.contains("lambda-throttled"), "{verdict}");
}

/// The first three lines were captured in 2020, the exception and the role in 2023.
#[test]
fn the_phrases_of_a_failed_authorizer_do_not_blame_the_integration() {
    let configuration = "Execution failed due to configuration error: ";
    let ends: &[&[&str]] = &[
        &[
            "Execution failed due to configuration error: Authorizer error",
            "Gateway response type: AUTHORIZER_CONFIGURATION_ERROR with status code: 500",
        ],
        &["Execution failed due to configuration error: Authorizer error"],
        &["AuthorizerConfigurationException"],
        &["Gateway response type: AUTHORIZER_CONFIGURATION_ERROR with status code: 500"],
        &["Gateway response type: AUTHORIZER_FAILURE with status code: 500"],
    ];
    let phrases = [
        format!("{configuration}Invalid permissions on Lambda function"),
        format!("{configuration}API Gateway does not have permission to assume the provided role arn:aws:iam::1:role/x"),
        format!("{configuration}Rate Exceeded."),
        "Lambda invocation failed with status: 429. Lambda request id: 8f0b7a3c".to_owned(),
        "Lambda execution failed with status 200 due to customer function error: boom. Lambda request id: 8f0b7a3c".to_owned(),
        format!("{configuration}Malformed Lambda proxy response"),
    ];
    for end in ends {
        for phrase in &phrases {
            let lines: Vec<String> = std::iter::once(&phrase[..])
                .chain(end.iter().copied())
                .map(|message| format!("(PDS1PEC4oAMFpyA=) {message}"))
                .collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let finding = read_execution_lines(&lines).unwrap();
            assert_eq!(
                (
                    finding.template,
                    finding.invoked,
                    finding.integration_status
                ),
                (T::AuthorizerFailure, Some(false), None),
                "{lines:?}"
            );
            let expected = "proven authorizer-failure";
            check(None, (Rest, 500), &finding, expected);
        }
    }
    // An authorizer rejects a token by an error with this text.
    let rejected = [
        "(x) Lambda execution failed with status 200 due to customer function error: Unauthorized. Lambda request id: 8f0b7a3c",
        "(x) Gateway response type: UNAUTHORIZED with status code: 401",
    ];
    assert_eq!(
        read_execution_lines(&rejected).unwrap().template,
        T::Unauthorized
    );
    // The function's own output is no line of the API.
    let quoted = [
        "(x) Lambda execution failed with status 200 due to customer function error: Gateway response type: AUTHORIZER_FAILURE with status code: 500",
        "(x) Endpoint response body before transformations: AuthorizerConfigurationException",
    ];
    assert_eq!(
        read_execution_lines(&quoted).unwrap().template,
        T::FunctionError
    );
}

#[test]
fn the_type_of_the_response_shows_that_the_authorizer_failed() {
    for response_type in ["AUTHORIZER_FAILURE", "AUTHORIZER_CONFIGURATION_ERROR"] {
        for phrase in [
            "Execution failed due to configuration error: Invalid permissions on Lambda function",
            "Execution failed due to configuration error: Rate Exceeded.",
            "-",
        ] {
            let finding = access(&[
                ("status", "500"),
                ("error_responseType", response_type),
                ("integration_error", phrase),
            ]);
            assert_eq!(finding.template, T::AuthorizerFailure, "{phrase}");
        }
    }
}

#[test]
fn a_4xx_of_lambda_for_the_authorizer_is_a_possible_failure_of_the_authorizer() {
    for (name, end) in [
        ("authorizer.error", ""),
        ("authorizerError", ". Check it."),
        ("authorize.error", ""),
    ] {
        let finding = access(&[
            ("status", "500"),
            (
                name,
                &format!("The Lambda service returned a 4xx error{end}"),
            ),
            ("integrationErrorMessage", "-"),
            ("integrationStatus", "-"),
        ]);
        assert_eq!(
            (finding.template, finding.invoked),
            (T::AuthorizerRefused, Some(false))
        );
        for integration in [None, Some(Integration::Lambda), Some(Integration::Http)] {
            let expected = "possible authorizer-failure";
            check(integration, (Http, 500), &finding, expected);
        }
    }
}

#[test]
fn a_role_an_address_and_an_internal_error_of_a_vpc_link_are_told_apart() {
    let role =
        "API Gateway does not have permission to assume the provided role arn:aws:iam::1:role/x";
    let internal = "There was an internal error while executing your request";
    let address = "Invalid endpoint address";
    let lambda = Some(Integration::Lambda);
    let vpc_link = Some(Integration::VpcLink);
    for (reason, template, integration, expected) in [
        (
            role,
            T::RoleNotAssumed,
            lambda,
            "proven lambda-permission-denied",
        ),
        (
            role,
            T::RoleNotAssumed,
            None,
            "possible lambda-permission-denied",
        ),
        (
            internal,
            T::IntegrationInternalError,
            vpc_link,
            "possible integration-unreachable",
        ),
        (
            address,
            T::InvalidEndpoint,
            Some(Integration::Http),
            "proven integration-unreachable",
        ),
        (
            address,
            T::InvalidEndpoint,
            None,
            "proven integration-unreachable",
        ),
    ] {
        let phrase = format!("Execution failed due to configuration error: {reason}");
        let line = format!("(x) {phrase}");
        let execution = read_execution_lines(&[&line]).unwrap();
        let in_access_log = access(&[("status", "500"), ("integration_error", &phrase)]);
        for finding in [execution, in_access_log] {
            assert_eq!(finding.template, template, "{reason}");
            check(integration, (Rest, 500), &finding, expected);
        }
    }
}

#[test]
fn the_type_of_a_gateway_response_names_throttles_quotas_and_credentials() {
    for (response_type, status, template, cause) in [
        ("UNAUTHORIZED", 401, T::Unauthorized, "unauthorized"),
        ("EXPIRED_TOKEN", 403, T::Unauthorized, "unauthorized"),
        ("INVALID_API_KEY", 403, T::Unauthorized, "unauthorized"),
        ("THROTTLED", 429, T::ApiThrottled, "api-throttled"),
        ("QUOTA_EXCEEDED", 429, T::QuotaExceeded, "quota-exceeded"),
    ] {
        let finding = access(&[
            ("status", &status.to_string()),
            ("error.responseType", response_type),
            ("integrationStatus", "-"),
        ]);
        assert_eq!((finding.template, finding.invoked), (template, Some(false)));
        let expected = format!("proven {cause}");
        for door in [Http, Rest] {
            check(None, (door, status), &finding, &expected);
        }
    }
}
