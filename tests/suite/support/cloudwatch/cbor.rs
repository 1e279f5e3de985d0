//! Decodes the CBOR bodies of SDK requests into JSON values. Supports only what the SDK
//! sends; `answers` encodes the responses.

use std::io::Read as _;

use axum::http::HeaderMap;
use serde_json::{Value, json};

/// Decodes a request body, after decompressing gzip; null if it is not CBOR.
pub(crate) fn body(headers: &HeaderMap, body: &[u8]) -> Value {
    let mut plain = Vec::new();
    let compressed = headers.get("content-encoding");
    if compressed.is_some_and(|encoding| encoding == "gzip") {
        flate2::read::GzDecoder::new(body)
            .read_to_end(&mut plain)
            .unwrap();
    } else {
        plain.extend(body);
    }
    decode(&mut &plain[..]).unwrap_or_default()
}

/// Decodes one CBOR item; `None` at a break code or at the end of the input.
fn decode(input: &mut &[u8]) -> Option<Value> {
    let first = byte(input)?;
    let (major, info) = (first >> 5, first & 31);
    if first == 0xff {
        return None;
    }
    if major == 7 {
        return Some(match info {
            20 => json!(false),
            21 => json!(true),
            26 => json!(f32::from_be_bytes(bytes(input, 4)?.try_into().ok()?)),
            27 => json!(f64::from_be_bytes(bytes(input, 8)?.try_into().ok()?)),
            _ => Value::Null,
        });
    }
    let length = match info {
        0..=23 => Some(u64::from(info)),
        24..=27 => {
            let raw = bytes(input, 1 << (info - 24))?;
            Some(
                raw.iter()
                    .fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
            )
        }
        _ => None,
    };
    let more = |count: u64| length.is_none_or(|length| count < length);
    Some(match major {
        0 => json!(length?),
        1 => json!(-1 - i64::try_from(length?).ok()?),
        2 | 3 => json!(String::from_utf8_lossy(bytes(
            input,
            usize::try_from(length?).ok()?
        )?)),
        4 => {
            let mut items = Vec::new();
            while more(items.len() as u64) {
                let Some(item) = decode(input) else { break };
                items.push(item);
            }
            Value::Array(items)
        }
        5 => {
            let mut object = serde_json::Map::new();
            while more(object.len() as u64) {
                let Some(key) = decode(input) else { break };
                object.insert(key.as_str()?.to_owned(), decode(input)?);
            }
            Value::Object(object)
        }
        _ => decode(input)?,
    })
}

fn byte(input: &mut &[u8]) -> Option<u8> {
    bytes(input, 1).map(|bytes| bytes[0])
}

fn bytes<'a>(input: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = input.split_at_checked(count)?;
    *input = rest;
    Some(taken)
}
