//! The server that the daemon probes. It records when each probe arrived.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use jiff::Timestamp;

use crate::support::loopback;

/// The probed server: `/NAME` returns 200, or 503 after [`ProbedServer::fail`] with that name.
///
/// Clones share their state.
#[derive(Clone, Default)]
pub(crate) struct ProbedServer {
    arrivals: Arc<Mutex<HashMap<String, Vec<Timestamp>>>>,
    failing: Arc<Mutex<BTreeSet<String>>>,
}

impl ProbedServer {
    /// Starts the server on a free port.
    pub(crate) async fn start() -> (Self, SocketAddr) {
        let server = Self::default();
        let app = Router::new().fallback(serve).with_state(server.clone());
        (server, loopback::serve(app).await)
    }

    /// Makes these targets fail, and all others succeed.
    pub(crate) fn fail(&self, targets: impl IntoIterator<Item = String>) {
        *self.failing.lock().unwrap() = targets.into_iter().collect();
    }

    /// Number of probes of a target that arrived in `from..to`.
    pub(crate) fn probes_between(&self, target: &str, from: Timestamp, to: Timestamp) -> usize {
        let arrivals = self.arrivals.lock().unwrap();
        let times = arrivals.get(target).map_or(&[][..], Vec::as_slice);
        times.iter().filter(|at| (from..to).contains(at)).count()
    }

    /// Number of probes of each target so far.
    pub(crate) fn probes_by_target(&self) -> HashMap<String, usize> {
        let arrivals = self.arrivals.lock().unwrap();
        let arrivals = arrivals.iter();
        arrivals
            .map(|(name, times)| (name.clone(), times.len()))
            .collect()
    }

    /// Number of probes of all targets so far.
    pub(crate) fn probe_count(&self) -> usize {
        self.arrivals.lock().unwrap().values().map(Vec::len).sum()
    }
}

async fn serve(
    State(server): State<ProbedServer>,
    uri: Uri,
) -> (StatusCode, [(&'static str, &'static str); 2], &'static str) {
    let name = uri.path().trim_start_matches('/').to_owned();
    let fails = server.failing.lock().unwrap().contains(&name);
    let mut arrivals = server.arrivals.lock().unwrap();
    arrivals.entry(name).or_default().push(Timestamp::now());
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
