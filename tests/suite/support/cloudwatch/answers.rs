//! What a server that stands in for CloudWatch says: JSON values as CBOR, in the protocol
//! that the SDK speaks. What it is asked is read by `cbor`.

use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// The headers of an answer.
pub(crate) const CBOR: [(&str, &str); 2] = [
    ("smithy-protocol", "rpc-v2-cbor"),
    ("content-type", "application/cbor"),
];

/// An answer, well (200) as long as nobody gives it another status. An empty object is an
/// empty answer to every operation.
pub(crate) fn answer(value: &Value) -> Response {
    let mut body = Vec::new();
    encode(value, &mut body);
    (CBOR, body).into_response()
}

/// A JSON value as CBOR; whole numbers as integers.
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

/// A type with a length, or a whole number, in four bytes.
fn head(major: u8, length: usize, out: &mut Vec<u8>) {
    out.push((major << 5) | 26);
    out.extend(u32::try_from(length).unwrap().to_be_bytes());
}
