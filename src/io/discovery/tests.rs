//! Tests of a whole reading with a server in the process that answers like AWS.

use std::collections::HashMap;
use std::sync::Mutex;

use aws_config::Region;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::extract::Request as ServerRequest;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response as ServerResponse};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::domain::discovery::{discover, render};

/// The answers of a server by path and query.
type Answers = HashMap<&'static str, Answer>;

#[derive(Clone)]
enum Answer {
    Json(Value),
    /// An error with this status and error type.
    Error(u16, &'static str),
    /// Throttled once, then this document.
    AfterThrottling(Value),
}

/// Two pages of HTTP APIs, and a REST API at a custom domain.
fn answers() -> Answers {
    let http = |id: &str| json!({ "apiId": id, "name": id, "protocolType": "HTTP" });
    let function = json!({
        "FunctionName": "orders", "Timeout": 10,
        "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:orders",
        "Environment": { "Variables": { "KEY": "hunter2" } },
    });
    let mut answers = Answers::from([
        (
            "/v2/apis?maxResults=100",
            Answer::Json(json!({ "items": [http("a1")], "nextToken": "t" })),
        ),
        (
            "/v2/apis?maxResults=100&nextToken=t",
            Answer::AfterThrottling(json!({ "items": [http("a2")] })),
        ),
        (
            "/2015-03-31/functions/?MaxItems=50",
            Answer::Json(json!({ "Functions": [function] })),
        ),
    ]);
    for id in ["a1", "a2"] {
        add_http_api(&mut answers, id);
    }
    add_rest_api(&mut answers);
    answers
}

fn add_http_api(answers: &mut Answers, id: &str) {
    let route = json!({
        "routeKey": "GET /orders", "target": "integrations/i1", "authorizationType": "NONE",
    });
    let integration = json!({
        "integrationId": "i1", "integrationType": "AWS_PROXY", "timeoutInMillis": 30_000,
        "integrationUri": "arn:aws:lambda:eu-west-1:123456789012:function:orders",
    });
    let stage = json!({
        "stageName": "$default", "deploymentId": "d1", "autoDeploy": true,
        "stageVariables": { "password": "hunter2" },
    });
    for (list, one) in [
        ("routes", route),
        ("integrations", integration),
        ("stages", stage),
    ] {
        let path = format!("/v2/apis/{id}/{list}?maxResults=100");
        answers.insert(path.leak(), Answer::Json(json!({ "items": [one] })));
    }
}

/// Adds a REST API and its custom domain.
fn add_rest_api(answers: &mut Answers) {
    let resource = json!({
        "path": "/status",
        "resourceMethods": { "GET": {
            "authorizationType": "NONE", "methodIntegration": { "type": "HTTP_PROXY" },
        } },
    });
    let domain = json!({ "domainName": "api.example.com" });
    let mapping = json!({ "apiId": "r1", "stage": "prod", "apiMappingKey": "s" });
    for (path, page) in [
        (
            "/restapis?limit=500",
            json!({ "item": [{ "id": "r1", "name": "status" }] }),
        ),
        (
            "/restapis/r1/resources?embed=methods&limit=500",
            json!({ "item": [resource] }),
        ),
        (
            "/restapis/r1/stages",
            json!({ "item": [{ "stageName": "prod", "deploymentId": "d1" }] }),
        ),
        (DEPLOYMENT, summary("/status", "NONE", false)),
        (
            "/v2/domainnames?maxResults=100",
            json!({ "items": [domain] }),
        ),
        (
            "/v2/domainnames/api.example.com/apimappings?maxResults=100",
            json!({ "items": [mapping] }),
        ),
        ("/domainnames?limit=500", json!({})),
    ] {
        answers.insert(path, Answer::Json(page));
    }
}

/// The path of the deployment of the REST API.
const DEPLOYMENT: &str = "/restapis/r1/deployments/d1?embed=apisummary";

/// Returns a deployment with one method, GET.
fn summary(path: &str, authorization: &str, key: bool) -> Value {
    let method = json!({ "authorizationType": authorization, "apiKeyRequired": key });
    json!({ "id": "d1", "apiSummary": { path: { "GET": method } } })
}

/// Starts a server with these answers. Unknown paths are answered with 500.
async fn start(answers: Answers) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers = Arc::new(Mutex::new(answers));
    let router = Router::new().fallback(move |request: ServerRequest| {
        let answers = Arc::clone(&answers);
        async move { answer(&request, &answers) }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn answer(request: &ServerRequest, answers: &Mutex<Answers>) -> ServerResponse {
    let error = |status: u16, kind: &'static str| {
        let status = StatusCode::from_u16(status).unwrap();
        let body = json!({ "message": "no" }).to_string();
        (status, [("x-amzn-errortype", kind)], body).into_response()
    };
    let path = request.uri().to_string();
    let mut answers = answers.lock().unwrap();
    let Some(found) = answers.get_mut(path.as_str()) else {
        return error(418, "UnknownPath");
    };
    match found.clone() {
        Answer::Json(value) => value.to_string().into_response(),
        Answer::Error(status, kind) => error(status, kind),
        Answer::AfterThrottling(value) => {
            *found = Answer::Json(value);
            error(429, "TooManyRequestsException")
        }
    }
}

/// Reads what targets depend on in an account with these answers. Returns the reading and the
/// number of requests.
async fn reading(answers: Answers) -> (Reading, usize) {
    reading_of(answers, Extent::Targets).await
}

async fn reading_of(answers: Answers, extent: Extent) -> (Reading, usize) {
    let url = start(answers).await;
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let base = SdkConfig::builder()
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    let source = AwsSource {
        region: "eu-west-1".to_owned(),
        role: None,
    };
    // Its rate of calls is higher.
    let fast = Extent::Everything;
    let reader = connect(&source, fast, Some(&base), Some(&url))
        .await
        .unwrap();
    let progress = watch::Sender::new(Progress::default());
    let reading = Box::pin(read(&reader, &source, extent, &progress)).await;
    let requests = progress.borrow().requests;
    (reading, requests)
}

fn urls(reading: &Reading) -> Vec<String> {
    let targets = discover(&reading.account).targets.into_iter();
    targets.map(|target| target.url).collect()
}

const A1: &str = "https://a1.execute-api.eu-west-1.amazonaws.com/orders";
const A2: &str = "https://a2.execute-api.eu-west-1.amazonaws.com/orders";
const STATUS: &str = "https://api.example.com/s/status";

#[tokio::test]
async fn pages_are_followed_and_a_throttled_call_is_repeated() {
    let (reading, requests) = reading(answers()).await;
    assert_eq!(reading.account.not_read, Vec::<String>::new());
    assert!(reading.complete);
    assert_eq!(urls(&reading), [A1, A2, STATUS]);
    assert_eq!(reading.account.id.as_deref(), Some("123456789012"));
    assert_eq!(requests, 17);
    let file = render(&discover(&reading.account));
    assert!(file.contains("function_timeout = \"10s\""), "{file}");
    let all = format!("{reading:?}{file}");
    assert!(!all.contains("hunter2"), "{all}");
}

#[tokio::test]
async fn a_denied_part_is_named_and_the_rest_is_read() {
    let denied = Answer::Error(403, "AccessDeniedException");
    for (path, complete, part, found) in [
        (
            "/v2/apis/a1/routes?maxResults=100",
            false,
            "HTTP API a1 (a1): ",
            vec![A2, STATUS],
        ),
        (
            "/2015-03-31/functions/?MaxItems=50",
            true,
            "timeouts of functions: ",
            vec![A1, A2, STATUS],
        ),
        (
            "/v2/domainnames/api.example.com/apimappings?maxResults=100",
            false,
            "the mappings of the custom domain api.example.com: ",
            vec![
                A1,
                A2,
                "https://r1.execute-api.eu-west-1.amazonaws.com/prod/status",
            ],
        ),
    ] {
        let mut answers = answers();
        answers.insert(path, denied.clone());
        let (reading, _) = reading(answers).await;
        let not_read = &reading.account.not_read;
        assert_eq!(not_read.len(), 1, "{not_read:?}");
        assert!(not_read[0].starts_with(part), "{not_read:?}");
        assert_eq!(reading.complete, complete, "{path}");
        assert_eq!(urls(&reading), found, "{path}");
    }
}

#[tokio::test]
async fn a_method_is_probed_only_if_the_deployment_of_the_stage_serves_it() {
    let unverified = "whether the route is deployed could not be verified for stage prod";
    for (deployment, reason) in [
        (
            summary("/other", "NONE", false),
            "the route is not deployed in stage prod",
        ),
        (
            summary("/status", "AWS_IAM", false),
            "the route deployed in stage prod requires authorization",
        ),
        (
            summary("/status", "NONE", true),
            "the route deployed in stage prod requires an API key",
        ),
        (json!({ "id": "d1" }), unverified),
        (json!({ "id": "d1", "apiSummary": {} }), unverified),
    ] {
        let mut answers = answers();
        answers.insert(DEPLOYMENT, Answer::Json(deployment));
        check_proposed(answers, reason).await;
    }
    let mut answers = answers();
    let stages = json!({ "item": [{ "stageName": "prod" }] });
    answers.insert("/restapis/r1/stages", Answer::Json(stages));
    check_proposed(answers, "stage prod has no deployment").await;
}

/// Checks that the method of the REST API is only proposed, at both URLs, for this reason.
async fn check_proposed(answers: Answers, reason: &str) {
    let (reading, _) = reading(answers).await;
    assert!(reading.complete, "{:?}", reading.account.not_read);
    assert_eq!(urls(&reading), [A1, A2], "{reason}");
    let proposals = discover(&reading.account).proposals;
    assert_eq!(proposals.len(), 2, "{reason}");
    for proposal in proposals {
        assert_eq!(proposal.reasons, [reason]);
    }
}

#[tokio::test]
async fn a_deployment_that_cannot_be_read_makes_the_reading_incomplete() {
    for (status, kind) in [(403, "AccessDeniedException"), (404, "NotFoundException")] {
        let mut answers = answers();
        answers.insert(DEPLOYMENT, Answer::Error(status, kind));
        let (reading, _) = reading(answers).await;
        let not_read = &reading.account.not_read;
        assert!(!reading.complete, "{kind}");
        assert!(
            not_read[0].starts_with("REST API status (r1): "),
            "{not_read:?}"
        );
        assert_eq!(urls(&reading), [A1, A2], "{kind}");
    }
}

#[tokio::test]
async fn a_list_that_does_not_exist_is_not_an_empty_list() {
    for (path, part) in [
        ("/v2/apis?maxResults=100", "HTTP APIs: "),
        ("/restapis?limit=500", "REST APIs: "),
        ("/v2/domainnames?maxResults=100", "custom domains: "),
    ] {
        let mut answers = answers();
        answers.insert(path, Answer::Error(404, "NoSuchBucket"));
        let (reading, _) = reading(answers).await;
        let not_read = &reading.account.not_read;
        assert!(!reading.complete, "{path}");
        assert!(not_read[0].starts_with(part), "{not_read:?}");
    }
}

#[tokio::test]
async fn credentials_that_expire_during_the_reading_make_it_incomplete() {
    let mut answers = answers();
    let expired = Answer::Error(403, "ExpiredTokenException");
    answers.insert("/2015-03-31/functions/?MaxItems=50", expired);
    let (reading, _) = reading(answers).await;
    assert!(!reading.complete);
    assert_eq!(urls(&reading), [A1, A2, STATUS]);
}

#[tokio::test]
async fn a_private_domain_that_cannot_be_read_hides_no_target() {
    let mut answers = answers();
    let private = json!({
        "domainName": "private.example.com", "domainNameId": "p1",
        "endpointConfiguration": { "types": ["PRIVATE"] },
    });
    answers.insert(
        "/domainnames?limit=500",
        Answer::Json(json!({ "item": [private] })),
    );
    let path = "/domainnames/private.example.com/basepathmappings?limit=500&domainNameId=p1";
    answers.insert(path, Answer::Error(403, "AccessDeniedException"));
    let (reading, _) = reading(answers).await;
    assert!(reading.complete, "{:?}", reading.account.not_read);
    assert_eq!(reading.account.not_read.len(), 1);
    assert_eq!(urls(&reading), [A1, A2, STATUS]);
}

#[tokio::test]
async fn a_function_that_is_deleted_during_the_reading_hides_no_other_url() {
    let mut answers = answers();
    let function = |name: &str| json!({ "FunctionName": name, "Timeout": 10 });
    let list = json!({ "Functions": [function("a"), function("b")] });
    answers.insert("/2015-03-31/functions/?MaxItems=50", Answer::Json(list));
    let gone = Answer::Error(404, "ResourceNotFoundException");
    answers.insert("/2021-10-31/functions/a/urls?MaxItems=50", gone);
    let url = json!({
        "FunctionUrl": "https://x.lambda-url.eu-west-1.on.aws/", "FunctionArn": "b",
        "AuthType": "NONE",
    });
    let urls = json!({ "FunctionUrlConfigs": [url] });
    answers.insert(
        "/2021-10-31/functions/b/urls?MaxItems=50",
        Answer::Json(urls),
    );
    let (reading, _) = reading_of(answers, Extent::Everything).await;
    assert_eq!(reading.account.function_urls.len(), 1);
}

#[tokio::test]
async fn an_api_that_is_deleted_during_the_reading_is_not_missing() {
    let mut answers = answers();
    let path = "/v2/apis/a1/stages?maxResults=100";
    answers.insert(path, Answer::Error(404, "NotFoundException"));
    let (reading, _) = reading(answers).await;
    assert!(reading.complete, "{:?}", reading.account.not_read);
    assert_eq!(urls(&reading), [A2, STATUS]);
}

#[tokio::test]
async fn after_expired_credentials_no_more_calls_are_made() {
    let mut answers = answers();
    let expired = Answer::Error(403, "ExpiredTokenException");
    answers.insert("/v2/apis?maxResults=100", expired);
    let (reading, requests) = reading(answers).await;
    assert!(!reading.complete);
    assert_eq!(requests, 1);
    assert!(urls(&reading).is_empty());
}
