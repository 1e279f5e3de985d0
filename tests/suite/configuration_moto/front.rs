//! A proxy in front of moto that records the requests, answers the two operations that moto lacks,
//! adds the deployments of HTTP APIs, which moto lacks too, and denies requests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use reqwest::Client;
use serde_json::{Value, json};

use super::account::ACCOUNT;
use super::moto::REGION;
use crate::support::loopback::serve;
use crate::support::process::client;

/// A running proxy.
pub(super) struct Front {
    address: SocketAddr,
    paths: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Upstream {
    base: String,
    client: Client,
    paths: Arc<Mutex<Vec<String>>>,
    /// The path of API Gateway that is denied.
    denied: Option<String>,
}

impl Front {
    /// Starts a proxy that denies no request.
    pub(super) async fn start(upstream: SocketAddr) -> Self {
        Self::denying(upstream, None).await
    }

    /// Starts a proxy that denies the requests with this path of API Gateway, such as
    /// `/v2/apis/a1/routes`.
    pub(super) async fn denying(upstream: SocketAddr, denied: Option<String>) -> Self {
        let paths = Arc::default();
        let upstream = Upstream {
            base: format!("http://{upstream}"),
            client: client(),
            paths: Arc::clone(&paths),
            denied,
        };
        let app = Router::new().fallback(answer).with_state(upstream);
        Self {
            address: serve(app).await,
            paths,
        }
    }

    /// The endpoint URL of the proxy.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The number of reads of a function so far. `part` is the last segment of their path, such as
    /// `policy`.
    pub(super) fn reads(&self, function: &str, part: &str) -> usize {
        // The function is identified by its encoded ARN.
        let end = format!("%3Afunction%3A{function}/{part}");
        let paths = self.paths.lock().unwrap();
        paths.iter().filter(|path| path.ends_with(&end)).count()
    }
}

async fn answer(
    State(upstream): State<Upstream>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path();
    upstream.paths.lock().unwrap().push(path.to_owned());
    if path.starts_with("/2016-08-19/account-settings") {
        let settings = json!({ "AccountLimit": { "ConcurrentExecutions": 1000 } });
        return json_response(StatusCode::OK, &settings);
    }
    if path.starts_with("/2021-10-31/functions/") && path.ends_with("/urls") {
        return json_response(StatusCode::OK, &json!({ "FunctionUrlConfigs": [] }));
    }
    if upstream.denied.as_deref() == Some(path) {
        return denial(path);
    }
    let is_read = method == Method::GET;
    let request = upstream
        .client
        .request(method, format!("{}{uri}", upstream.base))
        .headers(headers)
        .body(body);
    let response = request.send().await.unwrap();
    let mut builder = Response::builder().status(response.status());
    for (name, value) in response.headers() {
        if !HOP_HEADERS.contains(&name.as_str()) {
            builder = builder.header(name, value);
        }
    }
    let body = response.bytes().await.unwrap();
    if uri.path().starts_with("/v2/apis/") && uri.path().ends_with("/stages") && is_read {
        return builder.body(Body::from(with_deployments(&body))).unwrap();
    }
    builder.body(Body::from(body)).unwrap()
}

/// The headers of a response that do not apply to the proxy's own response.
const HOP_HEADERS: [&str; 3] = ["connection", "content-length", "transfer-encoding"];

/// Returns a list of stages of an HTTP API with the id of a deployment in each stage, as AWS returns
/// it for a stage that deploys every change.
fn with_deployments(list: &[u8]) -> String {
    let mut list: Value = serde_json::from_slice(list).unwrap();
    for stage in list["items"].as_array_mut().into_iter().flatten() {
        stage["deploymentId"] = json!("d1");
    }
    list.to_string()
}

/// Answers as IAM does if no policy allows to read a path of API Gateway.
fn denial(path: &str) -> Response {
    let resource = format!(
        "arn:aws:apigateway:{REGION}::{}",
        path.trim_start_matches("/v2")
    );
    let message = format!(
        "User: arn:aws:iam::{ACCOUNT}:user/prober is not authorized to perform: apigateway:GET on \
         resource: {resource} because no identity-based policy allows the apigateway:GET action"
    );
    let mut response = json_response(StatusCode::FORBIDDEN, &json!({ "message": message }));
    let code = "AccessDeniedException".parse().unwrap();
    response.headers_mut().insert("x-amzn-errortype", code);
    response
}

fn json_response(status: StatusCode, value: &Value) -> Response {
    let headers = [("content-type", "application/json")];
    (status, headers, value.to_string()).into_response()
}
