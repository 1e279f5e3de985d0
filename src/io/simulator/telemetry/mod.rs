//! What AWS would know of the simulated requests, and the service that tells it.
//!
//! Each answered request leaves its log line and its datapoints here, as an access or
//! execution log, `AWS/Lambda` and `AWS/ApiGateway` would have them; `service` answers
//! GetMetricData and FilterLogEvents in the SDK's own protocols. Delays are removed:
//! the real services take minutes until everything can be read. Memory is bounded.

mod cbor;
mod events;
mod lines;
mod metrics;
mod pattern;
mod query;
pub(super) mod service;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use self::events::Events;
use self::metrics::{Series, Store};
use super::door::{Door, Outcome};

/// What AWS would know.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    events: Events,
    metrics: Store,
}

/// One answered request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) door: Door,
    /// The route that it reached, as its path.
    pub(super) route: Option<&'a str>,
    /// The id on the answer.
    pub(super) request_id: &'a str,
    /// The id that Lambda would have given the invocation.
    pub(super) invocation_id: &'a str,
    pub(super) outcome: Outcome,
    pub(super) status: u16,
    pub(super) body_length: usize,
    pub(super) began: Timestamp,
    /// How long the gateway waited for Lambda; absent where it did not ask it.
    pub(super) integration: Option<Duration>,
    /// From the request to its answer.
    pub(super) took: Duration,
}

impl Ledger {
    /// Takes down one request.
    pub(super) fn record(&self, call: &Call<'_>) {
        let mut state = self.lock();
        let ended = Timestamp::now();
        for line in lines::of(call) {
            state.events.add(call.door.log_group(), ended, line);
        }
        api_series(&mut state.metrics, call);
        function_series(&mut state.metrics, call);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Lines and sums stay usable whatever panicked in a test that held them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call<'_> {
    /// The route as API Gateway names it; the simulated ones are asked with GET.
    fn route_key(&self) -> Option<String> {
        self.route.map(route_key)
    }
}

/// A route's key: `GET /orders`, or `$default` as it is.
pub(super) fn route_key(route: &str) -> String {
    if route.starts_with('/') {
        format!("GET {route}")
    } else {
        route.to_owned()
    }
}

/// `AWS/ApiGateway`: by API, by stage, and by route as with detailed metrics.
fn api_series(metrics: &mut Store, call: &Call<'_>) {
    let (client, server) = match call.door {
        Door::HttpApi => ("4xx", "5xx"),
        Door::RestApi => ("4XXError", "5XXError"),
    };
    let share = |class: u16| f64::from(u8::from(call.status / 100 == class));
    let mut values = vec![
        ("Count", 1.0),
        (client, share(4)),
        (server, share(5)),
        ("Latency", millis(call.took)),
    ];
    values.extend(
        call.integration
            .map(|time| ("IntegrationLatency", millis(time))),
    );
    for dimensions in api_dimensions(call) {
        for (metric, value) in &values {
            let series = series("AWS/ApiGateway", metric, &dimensions);
            metrics.add(series, call.began.as_second(), *value);
        }
    }
}

/// The sets of dimensions under which API Gateway keeps its series.
fn api_dimensions(call: &Call<'_>) -> Vec<Vec<(&'static str, String)>> {
    let door = call.door;
    let stage = ("Stage", door.stage().to_owned());
    let (api, of_route) = match door {
        Door::HttpApi => {
            let api = ("ApiId", door.api_id().to_owned());
            let route = call.route_key().map(|key| vec![("Route", key)]);
            (api, route)
        }
        Door::RestApi => {
            let api = ("ApiName", door.api_name().to_owned());
            let method = ("Method", "GET".to_owned());
            let resource = |route: &str| vec![method, ("Resource", route.to_owned())];
            (api, call.route.map(resource))
        }
    };
    let mut sets = vec![vec![api.clone()], vec![api.clone(), stage.clone()]];
    sets.extend(of_route.map(|mut set| {
        set.extend([api, stage]);
        set
    }));
    sets
}

/// `AWS/Lambda`: nothing at all for a denied call, one throttle for a throttled one.
fn function_series(metrics: &mut Store, call: &Call<'_>) {
    let Some(route) = call.route else { return };
    let mut values = Vec::new();
    if call.outcome == Outcome::Throttled {
        values.push(("Throttles", 1.0));
    } else if call.outcome.invoked() {
        let failed = call.outcome == Outcome::FunctionError;
        values.extend([
            ("Invocations", 1.0),
            ("Errors", f64::from(u8::from(failed))),
            ("Throttles", 0.0),
            ("ConcurrentExecutions", 1.0),
        ]);
        // Of a function that outlasts the gateway Lambda tells only when it ends; here,
        // where delays are removed, at once, and as long as it had run by then.
        values.extend(call.integration.map(|time| ("Duration", millis(time))));
    }
    let name = call.door.function_of(route);
    let function = [("FunctionName", name.clone())];
    let resource = [("FunctionName", name.clone()), ("Resource", name)];
    for dimensions in [&function[..], &resource[..]] {
        for (metric, value) in &values {
            let series = series("AWS/Lambda", metric, dimensions);
            metrics.add(series, call.began.as_second(), *value);
        }
    }
}

fn series(namespace: &str, metric: &str, dimensions: &[(&'static str, String)]) -> Series {
    let dimensions = dimensions.iter();
    Series {
        namespace: namespace.to_owned(),
        metric: metric.to_owned(),
        dimensions: dimensions
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
