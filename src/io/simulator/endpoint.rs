//! Serves the simulated AWS services on one loopback port.
//!
//! Recognizes the service of a request by its method, path and headers, and passes the request to
//! `telemetry` (CloudWatch, CloudWatch Logs) or `account` (Lambda, API Gateway, CloudTrail, STS).
//! Uses plain HTTP without authentication, because the data is not secret.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};

use super::accept::accept;
use super::account::Account;
use super::response::{RawResponse, json_error};
use super::telemetry::Telemetry;
use super::telemetry::service::{CBOR, logs, metrics};

/// The simulated AWS services.
#[derive(Debug)]
pub(super) struct AwsServices {
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) account: Account,
}

/// The prefix of the paths of CloudWatch operations in `rpcv2Cbor`.
const CLOUDWATCH: &str = "/service/GraniteServiceVersion20100801/operation/";

/// The prefix of `x-amz-target` for CloudWatch Logs operations in `awsJson1_1`.
const LOGS: &str = "Logs_20140328.";

/// The prefix of `x-amz-target` for CloudTrail operations in `awsJson1_1`.
const CLOUD_TRAIL: &str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.";

/// The content type of requests in the query protocol, which only STS uses here.
const FORM: &[u8] = b"application/x-www-form-urlencoded";

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const PROTOCOL: HeaderName = HeaderName::from_static("smithy-protocol");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Maximum size of a request body in bytes: 1 MB, as CloudWatch documents for PutMetricData.
const BODY_LIMIT: usize = 1 << 20;

/// Serves the AWS services until this task is aborted.
pub(super) async fn serve(listener: TcpListener, services: Arc<AwsServices>) {
    accept(listener, |stream| {
        serve_connection(stream, Arc::clone(&services))
    })
    .await;
}

async fn serve_connection(stream: TcpStream, services: Arc<AwsServices>) {
    let service = service_fn(|request| {
        let services = Arc::clone(&services);
        async move { Ok::<_, Infallible>(respond(request, &services).await) }
    });
    // An error is ignored, because it usually means only that the client closed the connection.
    drop(
        auto::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}

async fn respond(request: Request<Incoming>, services: &AwsServices) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT).collect().await;
    let (status, kind, bytes) = match body.map(Collected::to_bytes) {
        Ok(body) => services.answer(&head, &body),
        Err(_) => json_error(
            StatusCode::BAD_REQUEST,
            "RequestTooLargeException",
            "the request body is larger than 1 MB; send a smaller body",
        ),
    };
    let mut response = Response::new(Full::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(REQUEST_ID, HeaderValue::from_static("simulated"));
    if kind == CBOR {
        headers.insert(PROTOCOL, HeaderValue::from_static("rpc-v2-cbor"));
    }
    response
}

impl AwsServices {
    /// Passes a request to the service that it addresses, and returns the response. Returns an
    /// error response if the operation is not supported.
    fn answer(&self, head: &Parts, body: &[u8]) -> RawResponse {
        let path = head.uri.path();
        let target = head.headers.get(TARGET).and_then(|name| name.to_str().ok());
        let target = target.unwrap_or_default();
        let kind = head.headers.get(CONTENT_TYPE);
        let is_form = kind.is_some_and(|kind| kind.as_bytes().starts_with(FORM));
        if head.method == Method::GET {
            let query = head.uri.query().unwrap_or_default();
            return self.account.read(path, query);
        }
        if head.method == Method::POST {
            if let Some(operation) = path.strip_prefix(CLOUDWATCH) {
                return metrics(operation, body, &self.telemetry);
            }
            if let Some(operation) = target.strip_prefix(LOGS) {
                return logs(operation, body, &self.telemetry);
            }
            if let Some(operation) = target.strip_prefix(CLOUD_TRAIL) {
                return self.account.look_up(operation, body);
            }
            if is_form {
                return self.account.identity(body);
            }
        }
        json_error(
            StatusCode::BAD_REQUEST,
            "UnknownOperationException",
            "the simulator does not support this operation",
        )
    }
}
