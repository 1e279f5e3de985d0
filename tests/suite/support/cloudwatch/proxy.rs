//! A proxy in front of the emulator that records every call with its operation and body.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};

use crate::support::loopback::serve;

use crate::support::cloudwatch::cbor;

/// A running recording proxy.
pub(crate) struct Proxy {
    address: std::net::SocketAddr,
    log: Arc<Mutex<Vec<Call>>>,
}

/// One recorded call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The operation, such as `PutMetricData`.
    pub(crate) operation: String,
    /// The request body as JSON text.
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
        // reqwest needs a crypto provider to build a client, even for plain HTTP.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let log = Arc::new(Mutex::new(Vec::new()));
        let upstream = Upstream {
            base: format!("http://{upstream}"),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            log: Arc::clone(&log),
        };
        let app = Router::new().fallback(forward).with_state(upstream);
        let address = serve(app).await;
        Self { address, log }
    }

    /// The endpoint URL of the proxy.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.log.lock().unwrap().clone()
    }

    /// Number of calls that changed an alarm.
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
    let text = cbor::body(&headers, &body).to_string();
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
    let Ok(response) = request.send().await else {
        // A load balancer answers like this when its target is gone.
        let unavailable = Response::builder().status(503).body(Body::empty());
        return unavailable.unwrap();
    };
    let mut builder = Response::builder().status(response.status());
    for (name, value) in response.headers() {
        if name != "transfer-encoding" {
            builder = builder.header(name, value);
        }
    }
    builder
        .body(Body::from(response.bytes().await.unwrap()))
        .unwrap()
}
