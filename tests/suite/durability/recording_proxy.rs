//! A proxy between the daemon and CloudWatch. It records every datapoint that CloudWatch
//! accepted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use jiff::Timestamp;
use serde_json::Value;

use crate::support::cloudwatch::cbor;
use crate::support::loopback;

/// The recording proxy. Clones share their state.
#[derive(Clone)]
pub(crate) struct RecordingProxy {
    /// Where requests go; `None`: the proxy accepts everything itself.
    upstream: Arc<Mutex<Option<SocketAddr>>>,
    client: reqwest::Client,
    accepted: Arc<Mutex<Accepted>>,
}

/// Accepted datapoints by their JSON text, each with the number of times it was accepted.
type Accepted = BTreeMap<String, (Value, usize)>;

impl RecordingProxy {
    /// Starts a proxy on a free port and returns it with its URL. Without an upstream it
    /// accepts every request itself.
    pub(crate) async fn start(upstream: Option<SocketAddr>) -> (Self, String) {
        // reqwest needs a crypto provider to build a client, even for plain HTTP.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let proxy = Self {
            upstream: Arc::new(Mutex::new(upstream)),
            client,
            accepted: Arc::default(),
        };
        let app = Router::new().fallback(forward).with_state(proxy.clone());
        let address = loopback::serve(app).await;
        (proxy, format!("http://{address}"))
    }

    /// Forwards all further requests to this address.
    pub(crate) fn forward_to(&self, upstream: SocketAddr) {
        *self.upstream.lock().unwrap() = Some(upstream);
    }

    /// The distinct datapoints of one metric: target, time, number of values.
    pub(crate) fn datapoints(&self, metric: &str) -> Vec<(String, Timestamp, usize)> {
        let accepted = self.accepted.lock().unwrap();
        let datapoints = accepted.values().map(|(datum, _)| datum);
        let datapoints = datapoints.filter(|datum| datum["MetricName"] == metric);
        datapoints.map(parse_datum).collect()
    }

    /// Number of datapoints accepted again after their first time.
    pub(crate) fn duplicates(&self) -> usize {
        let accepted = self.accepted.lock().unwrap();
        accepted.values().map(|(_, times)| times - 1).sum()
    }
}

/// Target, time and number of values of a `MetricDatum`.
fn parse_datum(datum: &Value) -> (String, Timestamp, usize) {
    let dimensions = datum["Dimensions"].as_array().unwrap();
    let target = dimensions
        .iter()
        .find(|dimension| dimension["Name"] == "Target");
    let target = target
        .and_then(|dimension| dimension["Value"].as_str())
        .unwrap_or("");
    let seconds = datum["Timestamp"].as_f64().unwrap();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds of this century"
    )]
    let at = Timestamp::from_millisecond((seconds * 1000.0).round() as i64).unwrap();
    let counts = datum["Counts"].as_array();
    let count = counts.map_or(1.0, |counts| counts.iter().filter_map(Value::as_f64).sum());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small whole number"
    )]
    let count = count as usize;
    (target.to_owned(), at, count)
}

async fn forward(
    State(proxy): State<RecordingProxy>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let is_datapoints = uri.path().ends_with("/PutMetricData");
    let request = cbor::body(&headers, &body);
    let upstream = *proxy.upstream.lock().unwrap();
    let (status, content_type, response) = match upstream {
        // An empty CBOR map is a valid empty response to every operation.
        None => (StatusCode::OK, None, Bytes::from_static(&[0xa0])),
        Some(address) => {
            let url = format!("http://{address}{uri}");
            let sent = proxy
                .client
                .request(method, url)
                .headers(headers)
                .body(body)
                .send();
            match sent.await {
                Ok(response) => {
                    let content_type = response.headers().get("content-type").cloned();
                    let status = response.status();
                    (
                        status,
                        content_type,
                        response.bytes().await.unwrap_or_default(),
                    )
                }
                // A load balancer answers like this when its target is gone.
                Err(_) => (StatusCode::SERVICE_UNAVAILABLE, None, Bytes::new()),
            }
        }
    };
    if is_datapoints && status.is_success() {
        let mut accepted = proxy.accepted.lock().unwrap();
        for datum in request["MetricData"].as_array().unwrap() {
            let entry = accepted.entry(datum.to_string());
            entry.or_insert_with(|| (datum.clone(), 0)).1 += 1;
        }
    }
    let builder = Response::builder().status(status);
    let builder = builder.header("smithy-protocol", "rpc-v2-cbor");
    let cbor = http::HeaderValue::from_static("application/cbor");
    let builder = builder.header("content-type", content_type.unwrap_or(cbor));
    builder.body(Body::from(response)).unwrap()
}
