//! Who saw what: the probed server counts what it is asked, and the way to CloudWatch
//! counts what CloudWatch has taken.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use jiff::Timestamp;
use serde_json::Value;

use crate::support::loopback;

use crate::support::cloudwatch::cbor;

/// The server that is probed: `/NAME` answers well, unless it is told to fail.
#[derive(Clone, Default)]
pub(crate) struct Probed {
    asked: Arc<Mutex<HashMap<String, Vec<Timestamp>>>>,
    failing: Arc<Mutex<BTreeSet<String>>>,
}

impl Probed {
    /// Starts it on a free port.
    pub(crate) async fn start() -> (Self, SocketAddr) {
        let probed = Self::default();
        let app = Router::new().fallback(serve).with_state(probed.clone());
        (probed, loopback::serve(app).await)
    }

    /// Lets these targets fail, and no others.
    pub(crate) fn fail(&self, targets: impl IntoIterator<Item = String>) {
        *self.failing.lock().unwrap() = targets.into_iter().collect();
    }

    /// How many probes of a target came, between two times.
    pub(crate) fn between(&self, target: &str, from: Timestamp, to: Timestamp) -> usize {
        let asked = self.asked.lock().unwrap();
        let times = asked.get(target).map_or(&[][..], Vec::as_slice);
        times.iter().filter(|at| (from..to).contains(at)).count()
    }

    /// How many probes of each target came.
    pub(crate) fn counts(&self) -> HashMap<String, usize> {
        let asked = self.asked.lock().unwrap();
        let count = |(name, times): (&String, &Vec<_>)| (name.clone(), times.len());
        asked.iter().map(count).collect()
    }

    /// How many probes came in all.
    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().values().map(Vec::len).sum()
    }
}

async fn serve(
    State(probed): State<Probed>,
    uri: Uri,
) -> (StatusCode, [(&'static str, &'static str); 2], &'static str) {
    let name = uri.path().trim_start_matches('/').to_owned();
    let fails = probed.failing.lock().unwrap().contains(&name);
    let mut asked = probed.asked.lock().unwrap();
    asked.entry(name).or_default().push(Timestamp::now());
    let headers = [
        ("content-type", "application/json"),
        ("apigw-requestid", "K2ZRZgLwoAMEbag="),
    ];
    if fails {
        let body = r#"{"message":"Service Unavailable"}"#;
        (StatusCode::SERVICE_UNAVAILABLE, headers, body)
    } else {
        (StatusCode::OK, headers, "\"fine\"")
    }
}

/// The way to CloudWatch.
#[derive(Clone)]
pub(crate) struct Ledger {
    /// `None`: it takes everything itself.
    upstream: Arc<Mutex<Option<SocketAddr>>>,
    client: reqwest::Client,
    taken: Arc<Mutex<Taken>>,
}

/// What CloudWatch has taken: each datapoint with how often it came.
type Taken = BTreeMap<String, (Value, usize)>;

impl Ledger {
    /// Starts the way to an emulator; without one it takes everything itself.
    pub(crate) async fn start(upstream: Option<SocketAddr>) -> (Self, String) {
        // Building a client needs a provider, though nothing here speaks TLS.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let ledger = Self {
            upstream: Arc::new(Mutex::new(upstream)),
            client,
            taken: Arc::default(),
        };
        let app = Router::new().fallback(forward).with_state(ledger.clone());
        let address = loopback::serve(app).await;
        (ledger, format!("http://{address}"))
    }

    /// From now on CloudWatch is there.
    pub(crate) fn forward_to(&self, upstream: SocketAddr) {
        *self.upstream.lock().unwrap() = Some(upstream);
    }

    /// The datapoints of one metric, each once: target, time, how many values.
    pub(crate) fn points(&self, metric: &str) -> Vec<(String, Timestamp, usize)> {
        let taken = self.taken.lock().unwrap();
        let points = taken.values().map(|(datum, _)| datum);
        let points = points.filter(|datum| datum["MetricName"] == metric);
        points.map(read).collect()
    }

    /// How many datapoints came more than once.
    pub(crate) fn duplicates(&self) -> usize {
        let taken = self.taken.lock().unwrap();
        taken.values().map(|(_, times)| times - 1).sum()
    }
}

/// Of which target, when, and how many values.
fn read(datum: &Value) -> (String, Timestamp, usize) {
    let dimensions = datum["Dimensions"].as_array().unwrap();
    let target = dimensions.iter().find(|one| one["Name"] == "Target");
    let target = target.and_then(|one| one["Value"].as_str()).unwrap_or("");
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
        reason = "whole and small"
    )]
    let count = count as usize;
    (target.to_owned(), at, count)
}

async fn forward(
    State(ledger): State<Ledger>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let data = uri.path().ends_with("/PutMetricData");
    let request = cbor::body(&headers, &body);
    let upstream = *ledger.upstream.lock().unwrap();
    let (status, kind, answer) = match upstream {
        // An empty CBOR map is an empty answer to every operation.
        None => (StatusCode::OK, None, Bytes::from_static(&[0xa0])),
        Some(address) => {
            let url = format!("http://{address}{uri}");
            let sent = ledger
                .client
                .request(method, url)
                .headers(headers)
                .body(body)
                .send();
            match sent.await {
                Ok(answer) => {
                    let kind = answer.headers().get("content-type").cloned();
                    let status = answer.status();
                    (status, kind, answer.bytes().await.unwrap_or_default())
                }
                // What an endpoint behind a balancer looks like when it is gone.
                Err(_) => (StatusCode::SERVICE_UNAVAILABLE, None, Bytes::new()),
            }
        }
    };
    if data && status.is_success() {
        let mut taken = ledger.taken.lock().unwrap();
        for datum in request["MetricData"].as_array().unwrap() {
            let entry = taken.entry(datum.to_string());
            entry.or_insert_with(|| (datum.clone(), 0)).1 += 1;
        }
    }
    let mut response = Response::builder().status(status);
    response = response.header("smithy-protocol", "rpc-v2-cbor");
    let cbor = http::HeaderValue::from_static("application/cbor");
    response = response.header("content-type", kind.unwrap_or(cbor));
    response.body(Body::from(answer)).unwrap()
}
