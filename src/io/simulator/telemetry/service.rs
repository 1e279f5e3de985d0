//! Serves the operations of CloudWatch and CloudWatch Logs that the evidence collector calls, on
//! one loopback port.
//!
//! Handles GetMetricData in `rpcv2Cbor` and FilterLogEvents in `awsJson1_1`. Responds to other
//! operations with an error. Uses plain HTTP without authentication, because the data is not
//! secret.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use super::{Telemetry, cbor, query};
use crate::io::simulator::accept::accept;

/// The status, content type and body of a response.
type RawResponse = (StatusCode, &'static str, Vec<u8>);

/// The prefix of the paths of CloudWatch operations in `rpcv2Cbor`.
const CLOUDWATCH: &str = "/service/GraniteServiceVersion20100801/operation/";

/// The prefix of `x-amz-target` for CloudWatch Logs operations in `awsJson1_1`.
const LOGS: &str = "Logs_20140328.";

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const PROTOCOL: HeaderName = HeaderName::from_static("smithy-protocol");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

const CBOR: &str = "application/cbor";
const JSON: &str = "application/x-amz-json-1.1";

/// Maximum size of a request body in bytes: 1 MB, as CloudWatch documents for PutMetricData.
const BODY_LIMIT: usize = 1 << 20;

/// Serves the telemetry until this task is aborted.
pub(in crate::io::simulator) async fn serve(listener: TcpListener, telemetry: Arc<Telemetry>) {
    accept(listener, |stream| {
        serve_connection(stream, Arc::clone(&telemetry))
    })
    .await;
}

async fn serve_connection(stream: TcpStream, telemetry: Arc<Telemetry>) {
    let service = service_fn(|request| {
        let telemetry = Arc::clone(&telemetry);
        async move { Ok::<_, Infallible>(respond(request, &telemetry).await) }
    });
    // An error is ignored, because it usually means only that the client closed the connection.
    drop(
        auto::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}

async fn respond(request: Request<Incoming>, telemetry: &Telemetry) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let operation = head.uri.path().strip_prefix(CLOUDWATCH).map(str::to_owned);
    let target = head.headers.get(TARGET).and_then(|name| name.to_str().ok());
    let target = target.and_then(|name| name.strip_prefix(LOGS));
    let body = Limited::new(body, BODY_LIMIT).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).ok();
    let (status, kind, bytes) = match (&operation, target, body) {
        (Some(operation), _, Some(body)) if head.method == Method::POST => {
            metrics(operation, &body, telemetry)
        }
        (None, Some(operation), Some(body)) if head.method == Method::POST => {
            logs(operation, &body, telemetry)
        }
        (_, _, None) => error_response(
            JSON,
            "RequestTooLargeException",
            "the request body is larger than 1 MB; send a smaller body",
        ),
        _ => error_response(
            JSON,
            "UnknownOperationException",
            "the operation is not supported; send GetMetricData or FilterLogEvents by POST",
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

fn metrics(operation: &str, body: &[u8], telemetry: &Telemetry) -> RawResponse {
    if operation != "GetMetricData" {
        let message = format!("{operation} is not supported; use GetMetricData");
        return error_response(CBOR, "UnknownOperationException", &message);
    }
    let request = match cbor::read_request(body) {
        Ok(request) => request,
        Err(error) => return error_response(CBOR, "SerializationException", &error.to_string()),
    };
    match query::run(&request, &telemetry.lock().metrics) {
        Ok(results) => (StatusCode::OK, CBOR, cbor::write_results(&results)),
        Err(message) => error_response(CBOR, "ValidationError", &message),
    }
}

fn logs(operation: &str, body: &[u8], telemetry: &Telemetry) -> RawResponse {
    if operation != "FilterLogEvents" {
        let message = format!("{operation} is not supported; use FilterLogEvents");
        return error_response(JSON, "UnknownOperationException", &message);
    }
    let request: Value = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => return error_response(JSON, "SerializationException", &error.to_string()),
    };
    match telemetry.lock().events.filter(&request) {
        Ok(response) => (StatusCode::OK, JSON, response.to_string().into_bytes()),
        Err((code, message)) => error_response(JSON, code, &message),
    }
}

fn error_response(kind: &'static str, code: &str, message: &str) -> RawResponse {
    let body = if kind == CBOR {
        cbor::write_error(code, message)
    } else {
        let body = json!({ "__type": code, "message": message });
        body.to_string().into_bytes()
    };
    (StatusCode::BAD_REQUEST, kind, body)
}
