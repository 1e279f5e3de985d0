//! Handles the operations of CloudWatch and CloudWatch Logs that the evidence collector calls.
//!
//! Handles GetMetricData in `rpcv2Cbor` and FilterLogEvents in `awsJson1_1`. Responds to other
//! operations with an error. The HTTP server is in `endpoint`.

use http::StatusCode;
use serde_json::Value;

use super::{Telemetry, cbor, query};
use crate::io::simulator::response::{RawResponse, json_error, json_response};

/// The content type of `rpcv2Cbor`.
pub(in crate::io::simulator) const CBOR: &str = "application/cbor";

/// Handles an operation of CloudWatch.
pub(in crate::io::simulator) fn metrics(
    operation: &str,
    body: &[u8],
    telemetry: &Telemetry,
) -> RawResponse {
    if operation != "GetMetricData" {
        let message = format!("{operation} is not supported; use GetMetricData");
        return cbor_error("UnknownOperationException", &message);
    }
    let request = match cbor::read_request(body) {
        Ok(request) => request,
        Err(error) => return cbor_error("SerializationException", &error.to_string()),
    };
    match query::run(&request, &telemetry.lock().metrics) {
        Ok(results) => (StatusCode::OK, CBOR, cbor::write_results(&results)),
        Err(message) => cbor_error("ValidationError", &message),
    }
}

/// Handles an operation of CloudWatch Logs.
pub(in crate::io::simulator) fn logs(
    operation: &str,
    body: &[u8],
    telemetry: &Telemetry,
) -> RawResponse {
    let error = |code: &str, message: &str| json_error(StatusCode::BAD_REQUEST, code, message);
    if operation != "FilterLogEvents" {
        let message = format!("{operation} is not supported; use FilterLogEvents");
        return error("UnknownOperationException", &message);
    }
    let request: Value = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(invalid) => return error("SerializationException", &invalid.to_string()),
    };
    match telemetry.lock().events.filter(&request) {
        Ok(response) => json_response(&response),
        Err((code, message)) => error(code, &message),
    }
}

fn cbor_error(code: &str, message: &str) -> RawResponse {
    (
        StatusCode::BAD_REQUEST,
        CBOR,
        cbor::write_error(code, message),
    )
}
