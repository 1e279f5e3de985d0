//! Responses of a server that stands in for CloudWatch: JSON values encoded as CBOR, for the
//! SDK's protocol RPC v2 CBOR. `cbor` decodes the requests.

use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// The headers of a response.
pub(crate) const CBOR: [(&str, &str); 2] = [
    ("smithy-protocol", "rpc-v2-cbor"),
    ("content-type", "application/cbor"),
];

/// A response with status 200 and a JSON value as its body. An empty object is a valid empty
/// response to every operation.
pub(crate) fn answer(value: &Value) -> Response {
    let mut body = Vec::new();
    encode(value, &mut body);
    (CBOR, body).into_response()
}

/// Encodes a JSON value as CBOR; non-negative whole numbers become integers.
fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(value) => out.push(if *value { 0xf5 } else { 0xf4 }),
        Value::Number(number) => match number.as_u64() {
            Some(whole) => head(0, usize::try_from(whole).unwrap(), out),
            None => {
                out.push(0xfb);
                out.extend(number.as_f64().unwrap().to_be_bytes());
            }
        },
        Value::String(text) => encode_text(text, out),
        Value::Array(items) => {
            head(4, items.len(), out);
            for item in items {
                encode(item, out);
            }
        }
        Value::Object(entries) => {
            head(5, entries.len(), out);
            for (key, item) in entries {
                encode_text(key, out);
                encode(item, out);
            }
        }
    }
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    head(3, text.len(), out);
    out.extend(text.as_bytes());
}

/// Encodes a major type with a four-byte argument: a length or a whole number.
fn head(major: u8, length: usize, out: &mut Vec<u8>) {
    out.push((major << 5) | 26);
    out.extend(u32::try_from(length).unwrap().to_be_bytes());
}
