//! Phrases of AWS that were found in issue threads and captures: which ones name a cause, which ones
//! only seem to, and where the text of an exception must not be taken for one of them.

use probecause::domain::diagnosis::aws::LogTemplate as T;
use probecause::domain::diagnosis::aws::log_line::{read_access_line, read_execution_lines};
use serde_json::{Value, json};

/// The fields that DataBiosphere/azul logs, with `_` for the dots of the variables.
fn rest_line(fields: &[(&str, &str)]) -> String {
    let mut line =
        json!({"requestId": "K2ZEDjwtIAMEcig=", "error_message": "Internal server error"});
    for (name, value) in fields {
        line[*name] = Value::from(*value);
    }
    line.to_string()
}

fn http_line(error: &str, status: u16, service_status: &str) -> String {
    json!({
        "requestId": "K2ZEDjwtIAMEcig=",
        "status": status,
        "integrationErrorMessage": error,
        "integrationStatus": service_status,
    })
    .to_string()
}

#[track_caller]
fn check(line: &str, template: T, invoked: Option<bool>) {
    let (_, finding) = read_access_line(line).unwrap();
    assert_eq!(
        (finding.template, finding.invoked),
        (template, invoked),
        "{line}"
    );
}

#[test]
fn a_malformed_response_of_an_http_api_is_named_whatever_the_field() {
    for end in [
        r#" Lambda body contains the wrong type for field "body""#,
        "",
        " Something else.",
    ] {
        let error = format!(
            "The response from the Lambda function doesn't match the format that API Gateway expects.{end}"
        );
        check(
            &http_line(&error, 500, "200"),
            T::MalformedResponse,
            Some(true),
        );
    }
    // The authorizer's sentence has the same words at the end.
    let authorizer = "The response from the Lambda authorizer doesn't match the format that API Gateway expects.";
    check(&http_line(authorizer, 500, "-"), T::Unknown, None);
}

#[test]
fn the_access_log_of_a_rest_api_has_a_wrapper_of_its_own() {
    let wrapped = |message: &str| {
        rest_line(&[
            ("status", "502"),
            (
                "integration_error",
                &format!("Lambda Customer Function Error:{message}"),
            ),
            ("error_responseType", "INTEGRATION_FAILURE"),
            ("integration_integrationStatus", "200"),
            ("integration_status", "-"),
        ])
    };
    for message in [
        "'AZUL_S3_BUCKET'",
        "Rate Exceeded.",
        "Execution failed due to configuration error: Function not found: arn:aws:lambda:x",
        "Response payload size exceeded maximum allowed payload size (many bytes).",
        "upstream said: Response payload size exceeded maximum allowed payload size (1 bytes).",
        "",
    ] {
        check(&wrapped(message), T::FunctionError, Some(true));
    }
    check(
        &wrapped("Response payload size exceeded maximum allowed payload size (6291556 bytes)."),
        T::ResponseTooLarge,
        Some(true),
    );
    check(
        &wrapped(
            "RequestId: 8f0b7a3c-6f1e-4c51-9f0a-0d3c1f1f2a4b Error: Task timed out after 5.00 seconds",
        ),
        T::FunctionTimedOut,
        Some(true),
    );
    // In another field, the text was not written by AWS.
    let elsewhere = rest_line(&[
        ("status", "500"),
        ("path", "/Lambda Customer Function Error:x"),
        (
            "integration_error",
            "Execution failed due to configuration error: Rate Exceeded.",
        ),
    ]);
    check(&elsewhere, T::Unknown, None);
}

#[test]
fn a_missing_function_is_not_a_missing_permission() {
    let missing = "Execution failed due to configuration error: Function not found: arn:aws:lambda:us-east-1:122796619775:function:azul-service-anvildev:active";
    let line = rest_line(&[
        ("status", "502"),
        ("integration_error", missing),
        (
            "integration_requestId",
            "0f1e2d3c-4b5a-4678-8a9b-c0d1e2f3a4b5",
        ),
        ("integration_integrationStatus", "404"),
        ("integration_latency", "9"),
        ("error_responseType", "INTEGRATION_FAILURE"),
    ]);
    check(&line, T::FunctionMissing, Some(false));
    let execution = format!("(4f1c0c4e-1) {missing}");
    let lines = [
        &execution[..],
        "(4f1c0c4e-1) Method completed with status: 502",
    ];
    assert_eq!(
        read_execution_lines(&lines).unwrap().template,
        T::FunctionMissing
    );
    let denied = rest_line(&[
        ("status", "500"),
        (
            "integration_error",
            "Execution failed due to configuration error: Invalid permissions on Lambda function",
        ),
        ("error_responseType", "API_CONFIGURATION_ERROR"),
        ("integration_requestId", "-"),
    ]);
    check(&denied, T::PermissionDenied, Some(false));
    let other = "Execution failed due to configuration error: Function not found: my table";
    check(
        &rest_line(&[("status", "502"), ("integration_error", other)]),
        T::Unknown,
        None,
    );
}

#[test]
fn the_id_of_an_integration_request_does_not_show_that_the_function_ran() {
    for (status, service_status, invoked) in [
        ("502", "404", Some(false)),
        ("500", "403", Some(false)),
        // The API relayed this status of a backend.
        ("500", "500", Some(true)),
        ("404", "404", Some(true)),
        ("502", "200", Some(true)),
        ("502", "-", Some(true)),
    ] {
        let line = rest_line(&[
            ("status", status),
            ("integration_error", "something new"),
            (
                "integration_requestId",
                "0f1e2d3c-4b5a-4678-8a9b-c0d1e2f3a4b5",
            ),
            ("integration_integrationStatus", service_status),
        ]);
        check(&line, T::Unknown, invoked);
    }
}

#[test]
fn a_4xx_of_the_lambda_service_names_no_cause_unless_its_status_is_logged() {
    let refused = "The Lambda service returned a 4xx error";
    for (error, status, service_status, template) in [
        (refused, 500, "-", T::RefusedByLambda),
        (refused, 500, "400", T::RefusedByLambda),
        (refused, 503, "429", T::Throttled),
        (
            "The Lambda service returned a 4xx error. Check it.",
            500,
            "-",
            T::RefusedByLambda,
        ),
    ] {
        check(
            &http_line(error, status, service_status),
            template,
            Some(false),
        );
    }
    let thrown = format!(
        "The Lambda function returned the following error: {refused}. Check your Lambda function code and try again."
    );
    check(
        &http_line(&thrown, 500, "200"),
        T::FunctionError,
        Some(true),
    );
}

#[test]
fn a_missing_mapping_and_a_header_that_is_set_twice_are_faults_of_the_gateway() {
    for (reason, template, invoked) in [
        (
            "Output mapping refers to an invalid method response: 200",
            T::ResponseNotMapped,
            Some(true),
        ),
        (
            "No match for output mapping and no default output mapping configured. Endpoint Response Status Code: 403",
            T::ResponseNotMapped,
            Some(true),
        ),
        (
            "Content-Length header already present",
            T::HeaderClash,
            Some(false),
        ),
        // A text that only ends like the phrase.
        (
            "The endpoint says: x header already present",
            T::Unknown,
            None,
        ),
    ] {
        let error = format!("Execution failed due to configuration error: {reason}");
        let line = format!("(4f1c0c4e-1) {error}");
        let found = read_execution_lines(&[&line]).unwrap();
        assert_eq!(
            (found.template, found.invoked),
            (template, invoked),
            "{reason}"
        );
        let access = rest_line(&[("status", "500"), ("integration_error", &error)]);
        check(&access, template, invoked);
    }
    // Without the text before it, anybody may have written the phrase.
    let other = rest_line(&[
        ("status", "500"),
        ("error_message", "Content-Length header already present"),
    ]);
    check(&other, T::Unknown, None);
}

#[test]
fn a_network_error_and_a_wrong_certificate_are_told_apart() {
    let configuration = "Execution failed due to configuration error: ";
    for (phrase, template) in [
        (
            "Execution failed due to a network error communicating with endpoint: Connection is closed".to_owned(),
            T::NetworkFailure,
        ),
        (
            "Execution failed due to an vpc link error".to_owned(),
            T::NetworkFailure,
        ),
        (
            format!("{configuration}Invalid VpcLink ID: 96czbs referenced in integration"),
            T::NetworkFailure,
        ),
        (
            format!("{configuration}PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path to requested target"),
            T::TlsFailed,
        ),
        (
            format!("{configuration}PKIX path validation failed: java.security.cert.CertPathValidatorException: validity check failed"),
            T::TlsFailed,
        ),
        (
            format!("{configuration}Host name 'x' does not match the certificate subject provided by the peer (CN=y)"),
            T::TlsFailed,
        ),
        (
            format!("{configuration}There was an internal error while executing your request"),
            T::IntegrationInternalError,
        ),
        (format!("{configuration}Invalid endpoint address"), T::InvalidEndpoint),
        (format!("{configuration}Host name 'x' is too long"), T::Unknown),
    ] {
        let line = format!("(4f1c0c4e-1) {phrase}");
        let lines = [&line[..], "(4f1c0c4e-1) Method completed with status: 500"];
        assert_eq!(
            read_execution_lines(&lines).unwrap().template,
            template,
            "{phrase}"
        );
    }
    let access = rest_line(&[
        ("status", "504"),
        ("error_message", "Network error communicating with endpoint"),
        (
            "integration_error",
            "Execution failed due to a network error communicating with endpoint: Connection reset by peer",
        ),
    ]);
    check(&access, T::NetworkFailure, None);
}

#[test]
fn denials_are_told_apart_by_the_authorizers_phrase_and_the_type_of_the_response() {
    let line = |authorizer: &str, response_type: &str, message: &str, status: u16| {
        json!({"requestId": "K2ZEDjwtIAMEcig=", "status": status, "integrationStatus": "-",
            "authorizer.error": authorizer, "error.responseType": response_type,
            "error.message": message})
        .to_string()
    };
    let unsigned =
        "The request for the IAM Authorizer doesn't match the format that API Gateway expects.";
    for (authorizer, response_type, status, template, invoked) in [
        (
            "Forbidden",
            "ACCESS_DENIED",
            403,
            T::AccessDenied,
            Some(false),
        ),
        (unsigned, "ACCESS_DENIED", 403, T::Unsigned, Some(false)),
        (unsigned, "-", 403, T::Unsigned, Some(false)),
        ("-", "WAF_FILTERED", 403, T::WafBlocked, Some(false)),
        // A missing route and a missing signature have the same type.
        ("-", "MISSING_AUTHENTICATION_TOKEN", 403, T::Unknown, None),
        ("-", "DEFAULT_4XX", 403, T::Unknown, None),
        // The function's own status.
        ("-", "-", 401, T::Unknown, None),
    ] {
        check(
            &line(authorizer, response_type, "Forbidden", status),
            template,
            invoked,
        );
    }
    let waf = "There was an error evaluating the AWS WAF rules associated with this API";
    check(&line("-", "-", waf, 500), T::WafFailed, Some(false));
}
