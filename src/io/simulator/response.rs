//! Builds the responses of the simulated AWS services.

use http::StatusCode;
use serde_json::{Value, json};

/// The status, content type and body of a response.
pub(super) type RawResponse = (StatusCode, &'static str, Vec<u8>);

/// The content type of JSON responses.
pub(super) const JSON: &str = "application/x-amz-json-1.1";

/// Returns a successful response with a JSON body.
pub(super) fn json_response(body: &Value) -> RawResponse {
    (StatusCode::OK, JSON, body.to_string().into_bytes())
}

/// Returns an error response with an error code of AWS and a message.
pub(super) fn json_error(status: StatusCode, code: &str, message: &str) -> RawResponse {
    let body = json!({ "__type": code, "message": message });
    (status, JSON, body.to_string().into_bytes())
}
