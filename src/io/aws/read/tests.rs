//! Tests the reader with a server in the process that answers like AWS.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::extract::Request as ServerRequest;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response as ServerResponse};
use serde_json::json;
use tokio::net::TcpListener;

use super::transport::MAX_BODY;
use super::*;
use crate::model::settings::web::RateLimit;

const SECRET: &str = "hunter2-secret-key";
const TOKEN: &str = "hunter2-session-token";

/// A request that the server received.
#[derive(Clone, Debug)]
struct Received {
    line: String,
    headers: http::HeaderMap,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// A server that answers each path in its own way, with the requests that it received.
struct Server {
    url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        let router = Router::new().fallback(move |request: ServerRequest| {
            let log = Arc::clone(&log);
            async move { answer(request, &log).await }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, received }
    }

    fn last(&self) -> Received {
        self.received.lock().unwrap().last().cloned().unwrap()
    }

    fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }
}

async fn answer(request: ServerRequest, log: &Mutex<Vec<Received>>) -> ServerResponse {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY).await.unwrap();
    let identity = body.starts_with(b"Action=GetCallerIdentity");
    log.lock().unwrap().push(Received {
        line: format!("{} {}", head.method, head.uri),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let error = |status: u16, code: &'static str, message: &str| {
        let body = json!({ "Type": "User", "Message": message }).to_string();
        let status = StatusCode::from_u16(status).unwrap();
        (status, [("x-amzn-errortype", code)], body).into_response()
    };
    match head.uri.path() {
        "/denied" => error(403, "AccessDeniedException", "Access Denied"),
        "/expired" => error(
            403,
            "ExpiredTokenException",
            "The security token has expired",
        ),
        "/missing" => error(404, "ResourceNotFoundException", "Function not found"),
        "/throttled" => error(429, "TooManyRequestsException", "Rate exceeded"),
        "/html" => (StatusCode::FORBIDDEN, "<html>hunter2</html>").into_response(),
        "/text" => "{\"Environment\": hunter2".into_response(),
        "/redirect" => {
            let to = [("location", "/v2/apis")];
            (StatusCode::TEMPORARY_REDIRECT, to).into_response()
        }
        "/largest" => format!("\"{}\"", "a".repeat(MAX_BODY - 2)).into_response(),
        "/oversized" => format!("\"{}\"", "a".repeat(MAX_BODY - 1)).into_response(),
        "/hang" => std::future::pending().await,
        "/" if identity => {
            "<R><Q><Arn>a</Arn><Account>123456789012</Account></Q></R>".into_response()
        }
        _ => json!({ "Policy": "{}" }).to_string().into_response(),
    }
}

fn config(url: &str) -> SdkConfig {
    let token = Some(TOKEN.to_owned());
    let credentials = Credentials::new("AKIDEXAMPLE", SECRET, token, None, "test");
    SdkConfig::builder()
        .region(Region::new("eu-west-1"))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// Returns a reader of the endpoint `url` with a high rate limit.
fn reader(url: &str) -> AwsReader {
    let limits = RateLimits::new(|_| RateLimit {
        interval: Duration::from_millis(1),
        burst: 100,
    });
    let transport = Transport::new(Arc::new(limits)).unwrap();
    AwsReader::new(transport, &config(url), None).unwrap()
}

async fn get(reader: &AwsReader, path: &str) -> Result<Value, ReadError> {
    reader.get(Service::Lambda, "GetPolicy", &[path], &[]).await
}

#[tokio::test]
async fn a_rest_resource_is_read_with_a_signed_request() {
    let server = Server::start().await;
    let path = ["2015-03-31", "functions", "orders", "policy"];
    let query = [("Qualifier", "live")];
    let reader = reader(&server.url);
    let read = reader
        .get(Service::Lambda, "GetPolicy", &path, &query)
        .await;
    assert_eq!(read, Ok(json!({ "Policy": "{}" })));
    let received = server.last();
    assert_eq!(
        received.line,
        "GET /2015-03-31/functions/orders/policy?Qualifier=live"
    );
    assert_eq!(received.header("accept"), "application/json");
    assert_eq!(received.header("x-amz-security-token"), TOKEN);
    assert_eq!(received.header("host"), server.url.replace("http://", ""));
    let authorization = received.header("authorization");
    assert!(
        authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
            && authorization.contains("/eu-west-1/lambda/aws4_request, ")
            && authorization.contains("SignedHeaders=accept;host;x-amz-date;x-amz-security-token,"),
        "{authorization}"
    );
}

#[tokio::test]
async fn the_json_and_query_protocols_name_the_operation() {
    let server = Server::start().await;
    let reader = reader(&server.url);
    let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
    let body = json!({ "MaxResults": 50 });
    let read = reader.post_json(Service::CloudTrail, target, &body).await;
    assert!(read.is_ok(), "{read:?}");
    let received = server.last();
    assert_eq!(received.line, "POST /");
    assert_eq!(received.header("x-amz-target"), target);
    assert_eq!(
        received.header("content-type"),
        "application/x-amz-json-1.1"
    );
    assert_eq!(received.body, r#"{"MaxResults":50}"#);

    let parameters = [("TargetGroupArn", "arn:aws:a/b c")];
    let service = Service::LoadBalancing;
    let read = reader
        .query(service, "DescribeTargetHealth", "2015-12-01", &parameters)
        .await;
    assert_eq!(read, Ok(r#"{"Policy":"{}"}"#.to_owned()));
    let received = server.last();
    assert_eq!(
        received.body,
        "Action=DescribeTargetHealth&Version=2015-12-01&TargetGroupArn=arn%3Aaws%3Aa%2Fb%20c"
    );
    assert!(
        received
            .header("authorization")
            .contains("/eu-west-1/elasticloadbalancing/aws4_request")
    );
}

#[tokio::test]
async fn failed_reads_are_classified() {
    let server = Server::start().await;
    let reader = reader(&server.url);
    let malformed = |text: &str| ReadError::Malformed(text.to_owned());
    for (path, expected) in [
        (
            "denied",
            ReadError::Denied {
                action: Some("lambda:GetPolicy".to_owned()),
                text: "access denied: grant `lambda:GetPolicy` to the daemon's role (Access \
                       Denied)"
                    .to_owned(),
            },
        ),
        (
            "missing",
            ReadError::NotFound("ResourceNotFoundException: Function not found".to_owned()),
        ),
        (
            "throttled",
            ReadError::Throttled("TooManyRequestsException: Rate exceeded".to_owned()),
        ),
        (
            "html",
            malformed("status 403 without an AWS error code; check the endpoint and the proxy"),
        ),
        (
            "redirect",
            malformed("status 307 without an AWS error code; check the endpoint and the proxy"),
        ),
        (
            "oversized",
            malformed("the response is larger than 4194304 bytes"),
        ),
    ] {
        let before = server.count();
        assert_eq!(get(&reader, path).await, Err(expected));
        // Neither redirects nor retries send another request.
        assert_eq!(server.count(), before + 1, "{path}");
    }
    let error = get(&reader, "text").await.unwrap_err().to_string();
    assert!(
        error.starts_with("the response is not JSON: line 1, "),
        "{error}"
    );
    assert!(get(&reader, "largest").await.is_ok());
}

#[tokio::test]
async fn a_response_that_does_not_arrive_in_time_is_an_error() {
    let server = Server::start().await;
    let mut reader = reader(&server.url);
    reader.transport.time_limit = |_| Duration::from_millis(200);
    let error = get(&reader, "hang").await.unwrap_err();
    let expected = "no complete response within 200ms".to_owned();
    assert_eq!(error, ReadError::Unreachable(expected));
}

#[tokio::test]
async fn a_refused_connection_is_explained() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    match get(&reader(&url), "x").await.unwrap_err() {
        ReadError::Unreachable(text) => assert!(text.contains("refused"), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_call_beyond_the_rate_limit_is_not_sent() {
    let server = Server::start().await;
    let limits = RateLimits::new(|_| RateLimit {
        interval: Duration::from_secs(3600),
        burst: 1,
    });
    let transport = Transport::new(Arc::new(limits)).unwrap();
    // Two readers of one transport share the limit.
    let (first, second) = (transport.clone(), transport);
    let first = AwsReader::new(first, &config(&server.url), None).unwrap();
    let second = AwsReader::new(second, &config(&server.url), None).unwrap();
    assert!(get(&first, "x").await.is_ok());
    let error = get(&second, "x").await.unwrap_err();
    assert!(matches!(error, ReadError::Throttled(_)), "{error:?}");
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn secrets_are_in_no_error_and_no_debug_output() {
    let server = Server::start().await;
    let reader = reader(&server.url);
    let mut texts = vec![format!("{reader:?} {:?}", reader.transport)];
    for path in ["denied", "expired", "missing", "html", "text", "oversized"] {
        let error = get(&reader, path).await.unwrap_err();
        texts.push(format!("{error} {error:?}"));
    }
    for text in texts {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_reader_needs_a_region_and_credentials() {
    let transport = || Transport::new(Arc::new(RateLimits::default())).unwrap();
    let without_region = SdkConfig::builder().build();
    let error = AwsReader::new(transport(), &without_region, None).unwrap_err();
    assert!(error.to_string().starts_with("no AWS region is known"));
    let without_credentials = SdkConfig::builder()
        .region(Region::new("eu-west-1"))
        .build();
    let error = AwsReader::new(transport(), &without_credentials, None).unwrap_err();
    assert!(matches!(error, ReadError::Denied { action: None, .. }));
}

#[tokio::test]
async fn the_account_is_that_of_the_role_or_of_the_credentials() {
    let server = Server::start().await;
    let transport = || Transport::new(Arc::new(RateLimits::default())).unwrap();
    let role = Some("arn:aws:iam::210987654321:role/reader");
    let assumed = AwsReader::new(transport(), &config(&server.url), role).unwrap();
    assert_eq!(assumed.account().await, Ok("210987654321".to_owned()));
    assert_eq!(server.count(), 0);
    let own = reader(&server.url);
    for _ in 0..2 {
        assert_eq!(own.account().await, Ok("123456789012".to_owned()));
    }
    assert_eq!(server.count(), 1, "the account is read once");
}
