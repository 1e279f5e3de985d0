//! Tests the classification with responses in the forms of the three protocols.

use super::*;

/// Returns the error of a response to `lambda:GetPolicy`.
fn error(status: u16, error_type: Option<&str>, body: &str) -> ReadError {
    ReadError::of_response("lambda:GetPolicy", status, error_type, body.as_bytes())
}

fn xml_error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">\n  \
         <Error>\n    <Type>Sender</Type>\n    <Code>{code}</Code>\n    \
         <Message>{message}</Message>\n  </Error>\n  <RequestId>1</RequestId>\n</ErrorResponse>"
    )
}

/// Checks the class and the text of the error of a response to `lambda:GetPolicy`.
#[track_caller]
fn check(
    (status, error_type, body): (u16, Option<&str>, &str),
    variant: fn(String) -> ReadError,
    text: &str,
) {
    let expected = variant(text.to_owned());
    assert_eq!(error(status, error_type, body), expected, "{body}");
}

#[test]
fn a_missing_resource_is_recognized_by_its_code() {
    check(
        (
            404,
            Some("ResourceNotFoundException"),
            r#"{"Type":"User","Message":"The resource you requested does not exist."}"#,
        ),
        ReadError::NotFound,
        "ResourceNotFoundException: The resource you requested does not exist.",
    );
    check(
        (
            404,
            Some("NotFoundException:http://internal.amazon.com/coral/com.amazonaws.apigateway/"),
            r#"{"message":"Invalid API identifier specified 1:a1"}"#,
        ),
        ReadError::NotFound,
        "NotFoundException: Invalid API identifier specified 1:a1",
    );
    let xml = xml_error("TargetGroupNotFound", "One or more target groups not found");
    let text = "TargetGroupNotFound: One or more target groups not found";
    check((400, None, &xml), ReadError::NotFound, text);
}

#[test]
fn throttling_is_recognized_by_its_code_or_status() {
    let rest_json = r#"{"message":"Too Many Requests"}"#;
    let json = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#;
    let xml = xml_error("Throttling", "Rate exceeded");
    let code = Some("TooManyRequestsException");
    for (response, text) in [
        (
            (429, code, rest_json),
            "TooManyRequestsException: Too Many Requests",
        ),
        ((400, None, json), "ThrottlingException: Rate exceeded"),
        ((400, None, xml.as_str()), "Throttling: Rate exceeded"),
        ((429, None, ""), "status 429"),
    ] {
        check(response, ReadError::Throttled, text);
    }
}

#[test]
fn an_invalid_request_is_distinguished_from_a_failed_service() {
    let json = r#"{"__type":"com.amazonaws.cloudtrail.v20131101#InvalidTimeRangeException","message":"Bad"}"#;
    let text = "InvalidTimeRangeException: Bad";
    check((400, None, json), ReadError::Rejected, text);
    let xml = xml_error("ValidationError", "'x' is not a valid ARN &amp; more");
    let text = "ValidationError: 'x' is not a valid ARN & more";
    check((400, None, &xml), ReadError::Rejected, text);

    let response = (500, Some("ServiceException"), r#"{"Message":null}"#);
    let text = "ServiceException (status 500)";
    check(response, ReadError::Unreachable, text);
    let response = (503, None, "<html>busy</html>");
    check(response, ReadError::Unreachable, "status 503");
}

#[test]
fn a_status_without_an_aws_error_code_says_nothing_about_the_resource() {
    for (status, body) in [
        (404, "<html>hunter2</html>"),
        (404, r#"{"hunter2": 1}"#),
        (404, ""),
        (403, "Forbidden by hunter2"),
        (301, ""),
    ] {
        let error = error(status, None, body);
        let expected =
            format!("status {status} without an AWS error code; check the endpoint and the proxy");
        assert_eq!(error, ReadError::Malformed(expected));
    }
}

#[test]
fn a_denial_names_the_missing_action() {
    let rest_json = r#"{"Message":"User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: apigateway:GET on resource: arn:aws:apigateway:eu-west-1::/apis/a1/routes because no identity-based policy allows the apigateway:GET action"}"#;
    for (status, error_type, body, action, text) in [
        (
            403,
            Some("AccessDeniedException"),
            rest_json.to_owned(),
            "apigateway:GET",
            "access denied: grant `apigateway:GET` on \
             `arn:aws:apigateway:eu-west-1::/apis/a1/routes` to arn:aws:sts::1:assumed-role/a/b",
        ),
        (
            403,
            None,
            xml_error(
                "AccessDenied",
                "User: arn:aws:iam::1:user/a is not authorized to perform: \
                 elasticloadbalancing:DescribeTargetHealth because no identity-based policy \
                 allows the elasticloadbalancing:DescribeTargetHealth action",
            ),
            "elasticloadbalancing:DescribeTargetHealth",
            "access denied: grant `elasticloadbalancing:DescribeTargetHealth` to \
             arn:aws:iam::1:user/a",
        ),
        (
            400,
            None,
            r#"{"__type":"AccessDeniedException","Message":"Access Denied"}"#.to_owned(),
            "lambda:GetPolicy",
            "access denied: grant `lambda:GetPolicy` to the daemon's role (Access Denied)",
        ),
    ] {
        let expected = ReadError::Denied {
            action: Some(action.to_owned()),
            text: text.to_owned(),
        };
        assert_eq!(error(status, error_type, &body), expected);
    }
}

#[test]
fn wrong_credentials_and_a_wrong_clock_are_denied_without_an_action() {
    for (code, message, expected) in [
        (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            "no valid AWS credentials: ",
        ),
        (
            "ExpiredTokenException",
            "The security token included in the request is expired",
            "the AWS credentials have expired: ",
        ),
        (
            "InvalidSignatureException",
            "Signature expired: 20210309T162431Z is now earlier than 20210309T163358Z \
             (20210309T163858Z - 5 min.)",
            "this host's clock is 14 min 27 s behind AWS's",
        ),
    ] {
        let body = serde_json::json!({ "message": message }).to_string();
        match error(403, Some(code), &body) {
            ReadError::Denied { action: None, text } => {
                assert!(text.starts_with(expected), "{text}");
            }
            other => panic!("{code}: {other:?}"),
        }
    }
}

#[test]
fn a_text_contains_no_signed_header_and_is_short() {
    let canonical = "The request signature we calculated does not match the signature you \
                     provided.\n\nThe Canonical String for this request should have been\n\
                     'POST\n/\n\nx-amz-security-token:hunter2'";
    for (code, message) in [
        ("InvalidSignatureException", canonical.to_owned()),
        ("ValidationException", canonical.to_owned()),
        (
            "IncompleteSignatureException",
            "Authorization header requires 'Signature' parameter. Authorization=hunter2".to_owned(),
        ),
        ("ValidationException", "a".repeat(100_000)),
    ] {
        for body in [
            serde_json::json!({ "message": message }).to_string(),
            xml_error(code, &message),
        ] {
            let error = error(403, Some(code), &body);
            let text = format!("{error} {error:?}");
            assert!(!text.contains("hunter2"), "{text}");
            assert!(text.len() < 2000, "{}", text.len());
        }
    }
}

#[test]
fn the_kind_decides_about_a_retry() {
    let text = String::new;
    for (error, kind) in [
        (ReadError::NotFound(text()), FailureKind::Rejected),
        (ReadError::Rejected(text()), FailureKind::Rejected),
        (ReadError::Throttled(text()), FailureKind::Throttled),
        (ReadError::Unreachable(text()), FailureKind::Failed),
        (ReadError::Malformed(text()), FailureKind::Rejected),
    ] {
        assert_eq!(error.kind(), kind);
    }
    let denied = ReadError::Denied {
        action: None,
        text: text(),
    };
    assert_eq!(denied.kind(), FailureKind::Denied);
}
