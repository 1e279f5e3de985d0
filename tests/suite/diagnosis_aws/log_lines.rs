//! Parsing of log lines from the AWS documentation and from captures, and of lines made to deceive
//! the parser.

use std::time::Duration;

use probecause::domain::diagnosis::aws::log_line::{read_access_line, read_execution_lines};
use probecause::domain::diagnosis::aws::{LogSource, LogTemplate};

const DENIED: &str = "The IAM role configured on the integration or API Gateway doesn't have permissions to call the integration. Check the permissions and try again.";

/// A line of the access log of an HTTP API in the format of AWS's samples.
fn line(
    error: &str,
    status: u16,
    integration_status: &str,
    request: &str,
    latency: &str,
) -> String {
    serde_json::json!({
        "requestId": "K2ZEDjwtIAMEcig=",
        "routeKey": "GET /orders",
        "status": status.to_string(),
        "integrationErrorMessage": error,
        "integrationStatus": integration_status,
        "integrationRequestId": request,
        "integrationLatency": latency,
        "error.message": "Internal Server Error",
        "authorizer.error": "-",
    })
    .to_string()
}

/// A line with an exception of the function in the error message.
fn wrapped(exception: &str) -> String {
    let error = format!(
        "The Lambda function returned the following error: {exception}. Check your Lambda function code and try again."
    );
    line(&error, 500, "200", "b6e5bf0b", "41")
}

#[track_caller]
fn check(text: &str, template: LogTemplate, invoked: Option<bool>) {
    let (id, finding) = read_access_line(text).unwrap();
    assert_eq!(id, "K2ZEDjwtIAMEcig=");
    assert_eq!(
        (finding.source, finding.template, finding.invoked),
        (LogSource::AccessLog, template, invoked),
        "{text}"
    );
}

#[track_caller]
fn check_execution(lines: &[&str], template: LogTemplate, statuses: (Option<u16>, Option<u16>)) {
    let finding = read_execution_lines(lines).unwrap();
    assert_eq!(
        (finding.template, finding.status, finding.integration_status),
        (template, statuses.0, statuses.1),
        "{lines:?}"
    );
}

#[test]
fn each_documented_message_of_an_http_api_gives_its_template() {
    let timed_out =
        "RequestId: 8f0b7a3c-6f1e-4c51-9f0a-0d3c1f1f2a4b Error: Task timed out after 5.00 seconds";
    check(
        &line(DENIED, 500, "-", "-", "-"),
        LogTemplate::PermissionDenied,
        Some(false),
    );
    check(
        &wrapped("division by zero"),
        LogTemplate::FunctionError,
        Some(true),
    );
    check(
        &wrapped(timed_out),
        LogTemplate::FunctionTimedOut,
        Some(true),
    );
    let old = "2026-05-20T04:44:13.120Z 8f0b7a3c-6f1e-4c51-9f0a-0d3c1f1f2a4b Task timed out after 3.00 seconds";
    check(&wrapped(old), LogTemplate::FunctionTimedOut, Some(true));
}

#[test]
fn without_a_documented_message_the_statuses_give_the_template() {
    check(
        &line("-", 503, "429", "-", "12"),
        LogTemplate::ThrottledByStatus,
        Some(false),
    );
    check(
        &line("-", 500, "200", "b6e5bf0b", "31"),
        LogTemplate::RefusedWithoutError,
        Some(true),
    );
    // The API waited for the integration, so an empty integration request id shows nothing.
    check(
        &line("-", 503, "-", "-", "30002"),
        LogTemplate::Unknown,
        None,
    );
    check(
        &line("-", 500, "-", "-", "11"),
        LogTemplate::Unknown,
        Some(false),
    );
}

#[test]
fn a_status_set_by_the_function_is_neither_a_throttle_nor_a_malformed_response() {
    let access_line = |fields: &str| {
        format!(r#"{{"requestId":"K2ZEDjwtIAMEcig=","integrationErrorMessage":"-",{fields}}}"#)
    };
    for fields in [
        r#""status":429,"integrationStatus":429"#,
        r#""status":500,"integrationStatus":200,"integration.status":500,"error.message":"x""#,
        r#""status":500,"integrationStatus":200"#,
        r#""status":500,"integrationStatus":200,"error.message":"-","error.responseType":"-""#,
        r#""status":503,"integration.status":429"#,
    ] {
        check(&access_line(fields), LogTemplate::Unknown, None);
    }
    let unlogged = r#"{"requestId":"K2ZEDjwtIAMEcig=","status":500,"integrationStatus":200,"error.message":"x"}"#;
    check(unlogged, LogTemplate::Unknown, None);
}

#[test]
fn each_response_type_and_message_of_a_rest_api_gives_its_template() {
    let rest = |response_type: &str, message: &str, status: u16| {
        serde_json::json!({"requestId": "K2ZEDjwtIAMEcig=", "status": status,
            "error.responseType": response_type, "error.message": message})
        .to_string()
    };
    for (response_type, message, status, template) in [
        (
            "INTEGRATION_TIMEOUT",
            "Endpoint request timed out",
            504,
            LogTemplate::IntegrationTimeout,
        ),
        (
            "INTEGRATION_FAILURE",
            "Execution failed due to configuration error: Rate Exceeded.",
            500,
            LogTemplate::Throttled,
        ),
        (
            "INTEGRATION_FAILURE",
            "Rate Exceeded.",
            500,
            LogTemplate::Throttled,
        ),
        (
            "API_CONFIGURATION_ERROR",
            "Invalid permissions on Lambda function",
            500,
            LogTemplate::PermissionDenied,
        ),
        (
            "API_CONFIGURATION_ERROR",
            "Malformed Lambda proxy response",
            502,
            LogTemplate::MalformedResponse,
        ),
        (
            "INTEGRATION_NETWORK_FAILURE",
            "Service Unavailable",
            503,
            LogTemplate::NetworkFailure,
        ),
        (
            "AUTHORIZER_CONFIGURATION_ERROR",
            "-",
            500,
            LogTemplate::AuthorizerFailure,
        ),
        (
            "DEFAULT_5XX",
            "Internal server error",
            500,
            LogTemplate::Unknown,
        ),
    ] {
        let (_, finding) = read_access_line(&rest(response_type, message, status)).unwrap();
        assert_eq!(finding.template, template, "{response_type} {message}");
    }
}

#[test]
fn an_authorizer_without_permission_failed_and_one_that_denied_the_request_did_not() {
    let with = |error: &str, status: u16| {
        serde_json::json!({"requestId": "K2ZEDjwtIAMEcig=", "status": status,
            "authorizer": {"error": error}, "integrationErrorMessage": "-"})
        .to_string()
    };
    let denied = "The IAM role configured on the authorizer or API Gateway doesn't have permissions to call the authorizer. Check the permissions and try again.";
    check(
        &with(denied, 500),
        LogTemplate::AuthorizerFailure,
        Some(false),
    );
    check(&with("invalid_token", 401), LogTemplate::Unknown, None);
}

#[test]
fn keys_are_read_dotted_nested_and_in_camel_case() {
    let error = serde_json::Value::from(DENIED);
    for text in [
        format!(
            r#"{{"requestId":"K2ZEDjwtIAMEcig=","status":"500","integrationErrorMessage":{error},"integrationStatus":"-","integrationLatency":12}}"#
        ),
        format!(
            r#"{{"requestId":"K2ZEDjwtIAMEcig=","status":500,"integration.error":{error},"integration.integrationStatus":"-","integration.latency":"12"}}"#
        ),
        format!(
            r#"{{"$context.requestId":"K2ZEDjwtIAMEcig=","$context.status":"500","$context.integrationErrorMessage":{error},"$context.integrationLatency":"12"}}"#
        ),
        format!(
            r#"{{"context.requestId":"K2ZEDjwtIAMEcig=","context.status":"500","context.integration.error":{error},"context.integrationLatency":"12"}}"#
        ),
        format!(
            r#"{{"context":{{"requestId":"K2ZEDjwtIAMEcig=","status":500,"integration":{{"error":{error},"latency":12}}}}}}"#
        ),
        format!(
            r#"{{"requestId":"-","extendedRequestId":"K2ZEDjwtIAMEcig=","status":500,"integrationErrorMessage":"-","integration":{{"error":{error},"latency":12}}}}"#
        ),
    ] {
        check(&text, LogTemplate::PermissionDenied, Some(false));
        let (_, finding) = read_access_line(&text).unwrap();
        assert_eq!(finding.status, Some(500), "{text}");
        assert_eq!(finding.integration_status, None, "{text}");
        assert_eq!(finding.integration_latency, Some(Duration::from_millis(12)));
    }
}

#[test]
fn the_text_of_an_exception_is_not_taken_for_a_message_of_aws() {
    for exception in [
        "Rate Exceeded.",
        "Execution failed due to configuration error: Rate Exceeded.",
        "Malformed Lambda proxy response",
        "Endpoint request timed out",
        "INTEGRATION_NETWORK_FAILURE",
        DENIED,
        "Task timed out after 5.00 seconds",
        "Error: Task timed out after 5.00 seconds",
        "RequestId: x Error: Task timed out after 5.00 seconds",
        "RequestId: 8f0b7a3c-6f1e-4c51-9f0a-0d3c1f1f2a4b Error: job 7: Task timed out after 5 seconds",
    ] {
        check(&wrapped(exception), LogTemplate::FunctionError, Some(true));
        let rest = format!(
            "(4f1c0c4e-1) Lambda execution failed with status 200 due to customer function error: {exception}. Lambda request id: 8f0b7a3c-6f1e-4c51-9f0a-0d3c1f1f2a4b"
        );
        let lines = [&rest[..], "(4f1c0c4e-1) Method completed with status: 502"];
        check_execution(&lines, LogTemplate::FunctionError, (Some(502), Some(200)));
    }
}

#[test]
fn a_line_with_a_duplicate_or_contradictory_field_is_unknown() {
    let denied = serde_json::Value::from(DENIED);
    let broken = format!(
        r#"{{"requestId":"K2ZEDjwtIAMEcig=","status":500,"integrationErrorMessage":"The Lambda function returned the following error: x","integrationErrorMessage":{denied}}}"#
    );
    check(&broken, LogTemplate::Unknown, None);
    let contradictory = line(DENIED, 503, "429", "-", "12");
    check(&contradictory, LogTemplate::Unknown, Some(false));
}

#[test]
fn each_execution_log_line_of_a_rest_api_gives_its_template() {
    let done = "(4f1c0c4e-1) Method completed with status: ";
    for (phrase, status, template, integration_status) in [
        (
            "Execution failed due to a timeout error",
            504,
            LogTemplate::IntegrationTimeout,
            None,
        ),
        (
            "Execution failed due to configuration error: Malformed Lambda proxy response",
            502,
            LogTemplate::MalformedResponse,
            None,
        ),
        (
            "Execution failed due to configuration error: Invalid permissions on Lambda function",
            500,
            LogTemplate::PermissionDenied,
            None,
        ),
        (
            "Lambda invocation failed with status: 429. Lambda request id: 8f0b7a3c",
            500,
            LogTemplate::Throttled,
            Some(429),
        ),
        (
            "Execution failed due to configuration error: Rate Exceeded.",
            500,
            LogTemplate::Throttled,
            None,
        ),
        (
            "Lambda execution failed with status 200 due to customer function error: boom. Lambda request id: 8f0b7a3c",
            502,
            LogTemplate::FunctionError,
            Some(200),
        ),
        (
            "Lambda execution failed with status 200 due to customer function error: 2026-05-20T04:44:13.120Z 8f0b7a3c-6f1e-4c51-9f0a-0d3c1f1f2a4b Task timed out after 3.00 seconds. Lambda request id: 8f0b7a3c-6f1e-4c51-9f0a-0d3c1f1f2a4b",
            502,
            LogTemplate::FunctionTimedOut,
            Some(200),
        ),
        (
            "Execution failed due to configuration error: Authorizer error",
            500,
            LogTemplate::AuthorizerFailure,
            None,
        ),
    ] {
        let (phrase, done) = (format!("(4f1c0c4e-1) {phrase}"), format!("{done}{status}"));
        let lines = ["(4f1c0c4e-1) Starting execution", &phrase, &done];
        check_execution(&lines, template, (Some(status), integration_status));
    }
}

#[test]
fn a_body_in_the_execution_log_is_ignored() {
    let lines = [
        "(4f1c0c4e-1) Endpoint response body before transformations: {\"error\":\"",
        "Execution failed due to a timeout error",
        "(4f1c0c4e-1) Method response body after transformations: Rate Exceeded.",
        "(4f1c0c4e-1) Method completed with status: 500",
    ];
    check_execution(&lines, LogTemplate::Unknown, (Some(500), None));
    assert_eq!(read_execution_lines(&[]), None);
    assert_eq!(read_execution_lines(&["hello", "(", "()", "(x y) z"]), None);
}

#[test]
fn two_contradicting_phrases_are_unknown() {
    let lines = [
        "(4f1c0c4e-1) Execution failed due to a timeout error",
        "(4f1c0c4e-1) Execution failed due to configuration error: Rate Exceeded.",
    ];
    check_execution(&lines, LogTemplate::Unknown, (None, None));
    let twice = [
        "(4f1c0c4e-1) Lambda invocation failed with status: 429. Lambda request id: 8f0b7a3c",
        "(4f1c0c4e-1) Execution failed due to configuration error: Rate Exceeded.",
    ];
    check_execution(&twice, LogTemplate::Throttled, (None, Some(429)));
}

#[test]
fn truncated_and_invalid_lines_are_parsed_without_a_panic() {
    let timed_out =
        "RequestId: 8f0b7a3c-6f1e-4c51-9f0a-0d3c1f1f2a4b Error: Task timed out after 5.00 seconds";
    let samples = [
        line(DENIED, 500, "-", "-", "-"),
        wrapped(timed_out),
        wrapped("ä\u{0}\u{202e}🦀"),
        line("-", 503, "429", "-", "99999999999999999999999"),
        "(4f1c0c4e-1) Lambda execution failed with status 200 due to customer function error: ü. Lambda request id: é".to_owned(),
        "(4f1c0c4e-1) Lambda invocation failed with status: 429".to_owned(),
        "Method completed with status: 99999999".to_owned(),
    ];
    for sample in &samples {
        for (end, _) in sample.char_indices() {
            let part = &sample[..end];
            assert_eq!(read_access_line(part), None, "{part}");
            let finding = read_execution_lines(&[part, sample]);
            assert!(finding.is_none_or(|finding| finding.source == LogSource::ExecutionLog));
        }
    }
    for rubbish in [
        "",
        "-",
        "null",
        "[]",
        "{}",
        "500 35 K2Z",
        r#"{"requestId":"-"}"#,
    ] {
        assert_eq!(read_access_line(rubbish), None, "{rubbish}");
    }
    let deep = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
    assert_eq!(read_access_line(&deep), None);
    let out_of_range = r#"{"requestId":"K2ZEDjwtIAMEcig=","status":"999","integrationStatus":-1,"integrationLatency":1.5}"#;
    check(out_of_range, LogTemplate::Unknown, None);
}
