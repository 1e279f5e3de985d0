//! A recording proxy in front of the emulator: every call with its operation and body.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use serde_json::{Value, json};

/// The proxy.
pub(crate) struct Proxy {
    address: std::net::SocketAddr,
    log: Arc<Mutex<Vec<Call>>>,
}

/// One recorded call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Such as `PutMetricData`.
    pub(crate) operation: String,
    /// The body, as JSON text.
    pub(crate) body: String,
}

#[derive(Clone)]
struct Upstream {
    base: String,
    client: reqwest::Client,
    log: Arc<Mutex<Vec<Call>>>,
}

impl Proxy {
    /// Starts a proxy on a free port.
    pub(crate) async fn start(upstream: std::net::SocketAddr) -> Self {
        // Building a client needs a provider, though nothing here speaks TLS.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let log = Arc::new(Mutex::new(Vec::new()));
        let upstream = Upstream {
            base: format!("http://{upstream}"),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            log: Arc::clone(&log),
        };
        let app = Router::new().fallback(forward).with_state(upstream);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, log }
    }

    /// Where to send calls.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every call so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.log.lock().unwrap().clone()
    }

    /// How many calls changed an alarm.
    pub(crate) fn writes(&self) -> usize {
        let reads = ["DescribeAlarms", "ListTagsForResource", "PutMetricData"];
        let calls = self.calls();
        calls
            .iter()
            .filter(|call| !reads.contains(&call.operation.as_str()))
            .count()
    }
}

async fn forward(
    State(upstream): State<Upstream>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let operation = uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let text = decode(&mut &body[..]).unwrap_or_default().to_string();
    upstream.log.lock().unwrap().push(Call {
        operation,
        body: text,
    });
    let url = format!("{}{uri}", upstream.base);
    let request = upstream
        .client
        .request(method, url)
        .headers(headers)
        .body(body);
    let Ok(answer) = request.send().await else {
        // What an endpoint behind a balancer looks like when it is gone.
        let gone = Response::builder().status(503).body(Body::empty());
        return gone.unwrap();
    };
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != "transfer-encoding" {
            response = response.header(name, value);
        }
    }
    response
        .body(Body::from(answer.bytes().await.unwrap()))
        .unwrap()
}

/// One CBOR item as JSON; `None` at a break or where the input ends.
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
