//! REST APIs, HTTP APIs, and function URLs: JSON responses, recognized by headers and bytes.

use std::time::Duration;

use crate::front_doors::support::{
    Recorded, check, diagnose, expects_ok, recorded, summary, unchanged,
};
use probecause::model::target::{Authorizer, Integration, Target};

const API: &str = "a1b2.execute-api.eu-west-1.amazonaws.com";
const URL: &str = "abc.lambda-url.eu-west-1.on.aws";
const APPSYNC: &str = "abc.appsync-api.eu-west-1.amazonaws.com";
const INTERNAL: &str = r#"{"message": "Internal server error"}"#;

fn rest(status: u16, error_type: &'static str, body: &str) -> Recorded {
    let own = recorded(
        status,
        &[
            ("content-type", "application/json"),
            ("x-amzn-requestid", "0f1e2d3c-4b5a-4678-8a9b-c0d1e2f3a4b5"),
            ("x-amz-apigw-id", "K2ZEDjwtIAMEcig="),
        ],
        body,
    );
    if error_type.is_empty() {
        own
    } else {
        own.with("x-amzn-errortype", error_type)
    }
}

fn http_api(status: u16, body: &str) -> Recorded {
    let headers = [
        ("content-type", "application/json"),
        ("apigw-requestid", "K2ZEDjwtIAMEcig="),
    ];
    recorded(status, &headers, body)
}

fn url(status: u16, body: &str) -> Recorded {
    let headers = [
        ("content-type", "application/json"),
        ("x-amzn-requestid", "0f1e2d3c-4b5a-4678-8a9b-c0d1e2f3a4b5"),
    ];
    recorded(status, &headers, body)
}

/// A response of AppSync. No rule uses AppSync's own headers.
fn graphql(body: &str) -> Recorded {
    let headers = [("content-type", "application/json;charset=UTF-8")];
    recorded(200, &headers, body)
}

#[tokio::test]
async fn a_rest_api_distinguishes_denied_and_failed_invocations() {
    let failed = rest(502, "InternalServerErrorException", INTERNAL);
    let expected = "possible lambda-function-error lambda-malformed-response function-missing";
    check(API, failed.clone(), unchanged, expected).await;
    let through_edge = failed
        .with("x-cache", "Error from cloudfront")
        .with("via", "1.1 0a1b.cloudfront.net (CloudFront)");
    check(API, through_edge, unchanged, expected).await;
    check(
        API,
        rest(500, "InternalServerErrorException", INTERNAL),
        unchanged,
        "possible lambda-permission-denied lambda-throttled",
    )
    .await;
    check(
        API,
        rest(
            504,
            "InternalServerErrorException",
            r#"{"message": "Endpoint request timed out"}"#,
        ),
        unchanged,
        "likely integration-timeout integration-unreachable",
    )
    .await;
}

#[tokio::test]
async fn an_unambiguous_error_type_of_a_rest_api_is_proof() {
    for (status, error_type, body, expected) in [
        (
            500,
            "AuthorizerConfigurationException",
            r#"{"message":null}"#,
            "proven authorizer-failure",
        ),
        (
            429,
            "TooManyRequestsException",
            r#"{"message":"Too Many Requests"}"#,
            "proven api-throttled",
        ),
        (
            429,
            "LimitExceededException",
            r#"{"message":"Limit Exceeded"}"#,
            "proven quota-exceeded",
        ),
        (
            429,
            "TooManyRequestsException",
            r#"{"error":"slow down"}"#,
            "likely api-throttled",
        ),
        (
            429,
            "LimitExceededException",
            r#"{"error":"no more for today"}"#,
            "likely quota-exceeded",
        ),
    ] {
        check(API, rest(status, error_type, body), unchanged, expected).await;
    }
}

#[tokio::test]
async fn a_403_of_a_rest_api_is_diagnosed_by_its_text() {
    let missing = rest(
        403,
        "MissingAuthenticationTokenException",
        r#"{"message":"Missing Authentication Token"}"#,
    );
    check(
        API,
        missing.clone(),
        unchanged,
        "possible route-not-found unauthorized",
    )
    .await;
    check(
        API,
        missing.clone(),
        |target| target.aws.authorizer = Some(Authorizer::None),
        "likely route-not-found",
    )
    .await;
    check(
        API,
        missing,
        |target| target.aws.authorizer = Some(Authorizer::Iam),
        "possible unauthorized route-not-found",
    )
    .await;
    check(
        API,
        rest(403, "ForbiddenException", r#"{"message":"Forbidden"}"#),
        unchanged,
        "possible forbidden probe-blocked unauthorized route-not-found",
    )
    .await;
    check(
        API,
        rest(
            403,
            "AccessDeniedException",
            r#"{"Message":"User is not authorized to access this resource with an explicit deny"}"#,
        ),
        unchanged,
        "likely forbidden unauthorized",
    )
    .await;
}

#[tokio::test]
async fn a_backend_or_customized_response_is_not_the_gateways_own() {
    let expected = "possible unexpected-status";
    for response in [
        rest(502, "", INTERNAL),
        rest(
            418,
            "BadRequestException",
            r#"{"message":"Too Many Requests"}"#,
        ),
        rest(
            429,
            "TooManyRequestsException",
            r#"{"message":"Too Many Requests"}"#,
        )
        .with("x-shop", "custom"),
        http_api(503, r#"{"message":"Service Unavailable"}"#).with("x-powered-by", "shop"),
    ] {
        check(API, response, unchanged, expected).await;
    }
}

#[tokio::test]
async fn an_error_type_keeps_its_meaning_with_a_customized_body() {
    let own = r#"{"error":"oops"}"#;
    for (status, error, expected) in [
        (
            500,
            "InternalServerErrorException",
            "possible lambda-permission-denied lambda-throttled lambda-function-error",
        ),
        (
            502,
            "InternalServerErrorException",
            "possible lambda-function-error lambda-malformed-response",
        ),
        (
            504,
            "InternalServerErrorException",
            "possible integration-timeout integration-unreachable",
        ),
        (
            403,
            "ForbiddenException",
            "possible forbidden probe-blocked unauthorized route-not-found",
        ),
        (
            403,
            "AccessDeniedException",
            "possible forbidden unauthorized",
        ),
        (
            403,
            "MissingAuthenticationTokenException",
            "possible route-not-found unauthorized",
        ),
        (401, "UnauthorizedException", "likely unauthorized"),
    ] {
        check(API, rest(status, error, own), unchanged, expected).await;
        // The application's own header shows that it relays or imitates the error.
        let relayed = rest(status, error, own).with("x-powered-by", "shop");
        check(API, relayed, unchanged, "possible unexpected-status").await;
        // An excerpt may lack the header that identifies a REST API.
        let mut excerpt = rest(status, error, own);
        excerpt
            .headers
            .retain(|(name, _)| *name != "x-amz-apigw-id");
        let verdict = diagnose("shop.example", excerpt, unchanged).await;
        assert_eq!(verdict.cause.as_str(), expected.split(' ').nth(1).unwrap());
    }
}

#[tokio::test]
async fn a_vpc_links_503_is_not_a_throttle() {
    check(
        API,
        http_api(503, r#"{"message":"Service Unavailable"}"#),
        |target| target.aws.integration = Some(Integration::VpcLink),
        "possible integration-unreachable integration-timeout",
    )
    .await;
}

#[tokio::test]
async fn a_timeout_of_a_declared_backend_may_be_an_unanswered_connection_attempt() {
    let late = http_api(503, r#"{"message":"Service Unavailable"}"#).after(1020);
    let rest_late = rest(
        504,
        "InternalServerErrorException",
        r#"{"message": "Endpoint request timed out"}"#,
    );
    let expected = "possible integration-timeout integration-unreachable";
    let vpc_link = |target: &mut Target| {
        target.aws.integration = Some(Integration::VpcLink);
        target.aws.integration_timeout = Some(Duration::from_secs(1));
    };
    check(API, late.clone(), vpc_link, expected).await;
    check(API, rest_late.clone(), vpc_link, expected).await;
    let http = |target: &mut Target| {
        target.aws.integration = Some(Integration::Http);
        target.aws.integration_timeout = Some(Duration::from_secs(1));
    };
    check(API, late, http, expected).await;
    check(API, rest_late, http, expected).await;
}

#[tokio::test]
async fn a_200_with_an_unexpected_body_names_its_possible_causes() {
    check(
        API,
        http_api(200, r#"{"status":"broken"}"#),
        expects_ok,
        "possible unexpected-body lambda-malformed-response",
    )
    .await;
    check(
        URL,
        url(200, r#"{"status":"broken"}"#),
        expects_ok,
        "possible unexpected-body lambda-malformed-response",
    )
    .await;
    check(
        API,
        rest(
            200,
            "",
            r#"{"errorMessage":"x is not defined","errorType":"Error"}"#,
        ),
        expects_ok,
        "possible lambda-function-error unexpected-body",
    )
    .await;
    check(
        API,
        rest(
            200,
            "",
            r#"{"errorMessage":"1-2-3 Task timed out after 3.00 seconds"}"#,
        ),
        expects_ok,
        "likely lambda-function-timeout lambda-function-error unexpected-body",
    )
    .await;
    check(
        API,
        http_api(200, "<p>"),
        expects_ok,
        "possible unexpected-body",
    )
    .await;
}

#[tokio::test]
async fn a_graphql_response_with_errors_is_attributed_to_its_resolvers() {
    let expected = "The GraphQL response reports errors: a resolver failed behind a 200";
    let body = r#"{"data":{"order":null},"errors":[{"path":["order"],"errorType":"Lambda:Unhandled","message":"boom"}]}"#;
    let verdict = diagnose(APPSYNC, graphql(body), expects_ok).await;
    assert_eq!(summary(&verdict), "likely unexpected-body");
    assert_eq!(verdict.title, expected);
    // Behind an HTTP API, a function may also have returned the value by mistake.
    let verdict = diagnose(API, http_api(200, body), expects_ok).await;
    assert_eq!(
        summary(&verdict),
        "likely unexpected-body lambda-malformed-response"
    );
    assert_eq!(verdict.title, expected);
    // Without an error type, it may be the return value of any function.
    let untyped = r#"{"errors":[{"message":"boom"}]}"#;
    let verdict = diagnose(API, http_api(200, untyped), expects_ok).await;
    assert_eq!(
        summary(&verdict),
        "possible unexpected-body lambda-malformed-response"
    );
    assert_eq!(verdict.title, expected);
    let none = graphql(r#"{"data":{"order":null},"errors":[]}"#);
    let verdict = diagnose(APPSYNC, none, expects_ok).await;
    assert_ne!(verdict.title, expected);
}

#[tokio::test]
async fn a_function_url_shows_why_lambda_rejected_the_call() {
    let throttled = url(
        429,
        r#"{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#,
    );
    check(
        URL,
        throttled
            .clone()
            .with("x-amzn-errortype", "TooManyRequestsException"),
        unchanged,
        "proven lambda-throttled",
    )
    .await;
    // Under another host name, only the reason shows that it comes from a function URL.
    let elsewhere = throttled.with("x-amzn-errortype", "TooManyRequestsException");
    check(
        "shop.example",
        elsewhere,
        unchanged,
        "likely lambda-throttled api-throttled",
    )
    .await;
    let denied = url(
        403,
        r#"{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}"#,
    )
    .with("x-amzn-errortype", "AccessDeniedException");
    check(
        URL,
        denied.clone(),
        unchanged,
        "possible lambda-permission-denied unauthorized function-missing",
    )
    .await;
    check(
        URL,
        denied,
        |target| target.aws.authorizer = Some(Authorizer::None),
        "likely lambda-permission-denied function-missing",
    )
    .await;
}

#[tokio::test]
async fn a_502_of_a_function_url_may_be_a_timeout_only_at_the_functions_limit() {
    let failed = url(502, "Internal Server Error");
    check(
        URL,
        failed.clone(),
        unchanged,
        "possible lambda-function-error lambda-malformed-response",
    )
    .await;
    check(
        URL,
        failed.after(1020),
        |target| target.aws.function_timeout = Some(Duration::from_secs(1)),
        "possible lambda-function-timeout lambda-function-error lambda-malformed-response",
    )
    .await;
}
