//! A CDN, a load balancer and an application on loopback, each of which can be broken.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::support::loopback::serve;
use crate::support::process;

/// How a hop fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The hop forwards requests or, as the innermost one, responds.
    None,
    /// The hop itself responds with this status.
    Status(u16),
    /// The hop never responds.
    Silent,
    /// The hop itself responds with a redirect to this address.
    Redirect(SocketAddr),
}

/// One hop on loopback.
#[derive(Clone)]
pub(super) struct Hop {
    pub(super) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    fault: Mutex<Fault>,
    /// The user agent and `Host` of every request.
    requests: Mutex<Vec<(String, String)>>,
    next: Option<SocketAddr>,
}

impl Hop {
    /// Starts a hop that forwards to `next`, or responds if there is none.
    pub(super) async fn start(next: Option<SocketAddr>) -> Self {
        let state = Arc::new(State {
            fault: Mutex::new(Fault::None),
            requests: Mutex::default(),
            next,
        });
        let served = Arc::clone(&state);
        let router = axum::Router::new().fallback(move |request: Request| {
            let state = Arc::clone(&served);
            async move { respond(&state, request).await }
        });
        Self {
            address: serve(router).await,
            state,
        }
    }

    /// The same hop, reached at another address.
    pub(super) fn at(&self, address: SocketAddr) -> Self {
        Self {
            address,
            state: Arc::clone(&self.state),
        }
    }

    pub(super) fn set(&self, fault: Fault) {
        *self.state.fault.lock().unwrap() = fault;
    }

    /// The number of requests so far whose user agent contains `part`.
    pub(super) fn count(&self, part: &str) -> usize {
        let requests = self.state.requests.lock().unwrap();
        requests.iter().filter(|one| one.0.contains(part)).count()
    }

    /// The distinct `Host` headers of all requests so far.
    pub(super) fn hosts(&self) -> Vec<String> {
        let requests = self.state.requests.lock().unwrap();
        let mut hosts: Vec<_> = requests.iter().map(|one| one.1.clone()).collect();
        hosts.dedup();
        hosts
    }
}

/// Starts a CDN in front of a balancer in front of an application.
pub(super) async fn three() -> [Hop; 3] {
    let application = Hop::start(None).await;
    let balancer = Hop::start(Some(application.address)).await;
    let cdn = Hop::start(Some(balancer.address)).await;
    [cdn, balancer, application]
}

async fn respond(state: &State, request: Request) -> Response {
    let header = |headers: &HeaderMap, name: &str| {
        let value = headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default().to_owned()
    };
    let (agent, host) = (
        header(request.headers(), "user-agent"),
        header(request.headers(), "host"),
    );
    let entry = (agent.clone(), host.clone());
    state.requests.lock().unwrap().push(entry);
    let fault = *state.fault.lock().unwrap();
    match (fault, state.next) {
        (Fault::Status(status), _) => StatusCode::from_u16(status).unwrap().into_response(),
        (Fault::Silent, _) => std::future::pending().await,
        (Fault::Redirect(to), _) => {
            let location = [("location", format!("http://{to}/"))];
            (StatusCode::FOUND, location).into_response()
        }
        (Fault::None, None) => "ok".into_response(),
        (Fault::None, Some(next)) => {
            let request = (request.method().clone(), request.uri().clone());
            forward(next, request, (&agent, &host)).await
        }
    }
}

async fn forward(
    next: SocketAddr,
    (method, uri): (Method, Uri),
    (agent, host): (&str, &str),
) -> Response {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = process::client()
        .request(method, format!("http://{next}{path}"))
        .header("user-agent", agent)
        .header("host", host);
    match request.send().await {
        Ok(response) => {
            let status = response.status();
            let body = response.bytes().await.unwrap_or_default();
            (status, Body::from(body)).into_response()
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
