//! Tests signatures with AWS's published test suite, and the explanation of missing credentials.

use std::time::{Duration, UNIX_EPOCH};

use super::*;

/// The key of AWS's test suite for Signature Version 4.
const SUITE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

const SUITE_TOKEN: &str = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

/// Signs a request as in AWS's test suite: at 2015-08-30T12:36:00Z, for the service `service` in
/// us-east-1.
fn signed(
    method: &Method,
    url: &str,
    token: Option<&str>,
    headers: &[(&'static str, &str)],
) -> Result<HeaderMap, ReadError> {
    let token = token.map(str::to_owned);
    let credentials = Credentials::new("AKIDEXAMPLE", SUITE_SECRET, token, None, "test");
    let url: Url = url.parse().unwrap();
    let request = Unsigned {
        method,
        url: &url,
        headers,
        body: b"",
    };
    signed_headers(
        credentials,
        ("service", "us-east-1"),
        &request,
        at(1_440_938_160),
    )
}

#[test]
fn signatures_agree_with_the_test_suite_of_aws() {
    // The cases get-vanilla, get-vanilla-with-session-token, get-vanilla-query-order-key-case,
    // get-space-normalized and post-vanilla.
    for (method, url, token, signature) in [
        (
            Method::GET,
            "https://example.amazonaws.com/",
            None,
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            Method::GET,
            "https://example.amazonaws.com/",
            Some(SUITE_TOKEN),
            "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
        ),
        (
            Method::GET,
            "https://example.amazonaws.com/?Param2=value2&Param1=value1",
            None,
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            Method::POST,
            "https://example.amazonaws.com/",
            None,
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
    ] {
        let headers = signed(&method, url, token, &[]).unwrap();
        let names = match token {
            Some(_) => "host;x-amz-date;x-amz-security-token",
            None => "host;x-amz-date",
        };
        assert_eq!(
            headers["authorization"],
            format!(
                "AWS4-HMAC-SHA256 \
                 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders={names}, Signature={signature}"
            )
        );
        assert_eq!(headers["x-amz-date"], "20150830T123600Z");
        let sent_token = headers.get("x-amz-security-token");
        assert_eq!(sent_token.map(|value| value.to_str().unwrap()), token);
    }
}

#[test]
fn further_headers_are_signed_and_sent() {
    let further = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "A.LookupEvents"),
    ];
    let url = "http://127.0.0.1:5000/";
    let headers = signed(&Method::POST, url, None, &further).unwrap();
    assert_eq!(headers["x-amz-target"], "A.LookupEvents");
    assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
    let authorization = headers["authorization"].to_str().unwrap();
    assert!(
        authorization.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-target,"),
        "{authorization}"
    );
}

#[test]
fn secrets_are_not_displayed() {
    let headers = signed(&Method::GET, "https://a.example/", Some(SUITE_TOKEN), &[]).unwrap();
    let text = format!("{headers:?}");
    assert!(
        !text.contains(SUITE_TOKEN) && !text.contains("Signature="),
        "{text}"
    );
    let error = signed(&Method::GET, "https://a.example/", Some("hunter2\n"), &[]).unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("hunter2"),
        "{error:?}"
    );
}

#[test]
fn missing_credentials_are_explained() {
    let error = CredentialsError::not_loaded("hunter2 is not allowed");
    for (role, expected) in [
        (None, "no valid AWS credentials: "),
        (
            Some("arn:aws:iam::2:role/b"),
            "cannot assume arn:aws:iam::2:role/b ",
        ),
    ] {
        match without_credentials(role, &error) {
            ReadError::Denied { action: None, text } => {
                assert!(text.starts_with(expected), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }
    let late = CredentialsError::provider_timed_out(Duration::from_secs(10));
    assert_eq!(
        without_credentials(None, &late),
        ReadError::Unreachable(
            "the credentials provider returned no AWS credentials within 10s".to_owned()
        )
    );
}
