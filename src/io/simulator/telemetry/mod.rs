//! What AWS would know of the simulated requests, and the service that tells it.
//!
//! Each answered request leaves its log line and its datapoints here, as an access or
//! execution log, `AWS/Lambda` and `AWS/ApiGateway` would have them; `service` answers
//! GetMetricData and FilterLogEvents in the SDK's own protocols. Delays are removed:
//! the real services take minutes until everything can be read. Memory is bounded.

mod cbor;
mod filter_pattern;
mod log_events;
mod log_lines;
mod metrics;
mod query;
pub(super) mod service;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use self::log_events::LogEvents;
use self::metrics::{MetricKey, MetricStore};
use super::api::{ApiType, Outcome};

/// What AWS would know.
#[derive(Debug, Default)]
pub(super) struct Telemetry {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    events: LogEvents,
    metrics: MetricStore,
}

/// One answered request.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestRecord<'a> {
    pub(super) api: ApiType,
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

impl Telemetry {
    /// Takes down one request.
    pub(super) fn record(&self, record: &RequestRecord<'_>) {
        let mut state = self.lock();
        let ended = Timestamp::now();
        for line in log_lines::lines(record) {
            state.events.add(record.api.log_group(), ended, line);
        }
        api_series(&mut state.metrics, record);
        function_series(&mut state.metrics, record);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Lines and sums stay usable whatever panicked in a test that held them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestRecord<'_> {
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
fn api_series(metrics: &mut MetricStore, record: &RequestRecord<'_>) {
    let (client, server) = match record.api {
        ApiType::HttpApi => ("4xx", "5xx"),
        ApiType::RestApi => ("4XXError", "5XXError"),
    };
    let share = |class: u16| f64::from(u8::from(record.status / 100 == class));
    let mut values = vec![
        ("Count", 1.0),
        (client, share(4)),
        (server, share(5)),
        ("Latency", millis(record.took)),
    ];
    values.extend(
        record
            .integration
            .map(|time| ("IntegrationLatency", millis(time))),
    );
    for dimensions in api_dimensions(record) {
        for (metric, value) in &values {
            let series = series("AWS/ApiGateway", metric, &dimensions);
            metrics.add(series, record.began.as_second(), *value);
        }
    }
}

/// The sets of dimensions under which API Gateway keeps its series.
fn api_dimensions(record: &RequestRecord<'_>) -> Vec<Vec<(&'static str, String)>> {
    let api = record.api;
    let stage = ("Stage", api.stage().to_owned());
    let (id, route) = match api {
        ApiType::HttpApi => {
            let route = record.route_key().map(|key| vec![("Route", key)]);
            (("ApiId", api.api_id().to_owned()), route)
        }
        ApiType::RestApi => {
            let method = ("Method", "GET".to_owned());
            let resource = |route: &str| vec![method, ("Resource", route.to_owned())];
            let name = ("ApiName", api.api_name().to_owned());
            (name, record.route.map(resource))
        }
    };
    let mut sets = vec![vec![id.clone()], vec![id.clone(), stage.clone()]];
    sets.extend(route.map(|route| [route, vec![id, stage]].concat()));
    sets
}

/// `AWS/Lambda`: nothing at all for a denied record, one throttle for a throttled one.
fn function_series(metrics: &mut MetricStore, record: &RequestRecord<'_>) {
    let Some(route) = record.route else { return };
    let mut values = Vec::new();
    if record.outcome == Outcome::Throttled {
        values.push(("Throttles", 1.0));
    } else if record.outcome.invoked() {
        let failed = record.outcome == Outcome::FunctionError;
        values.extend([
            ("Invocations", 1.0),
            ("Errors", f64::from(u8::from(failed))),
            ("Throttles", 0.0),
            ("ConcurrentExecutions", 1.0),
        ]);
        // Of a function that outlasts the gateway Lambda tells only when it ends; here,
        // where delays are removed, at once, and as long as it had run by then.
        values.extend(record.integration.map(|time| ("Duration", millis(time))));
    }
    let name = record.api.function_of(route);
    let function = [("FunctionName", name.clone())];
    let resource = [("FunctionName", name.clone()), ("Resource", name)];
    for dimensions in [&function[..], &resource[..]] {
        for (metric, value) in &values {
            let series = series("AWS/Lambda", metric, dimensions);
            metrics.add(series, record.began.as_second(), *value);
        }
    }
}

fn series(namespace: &str, metric: &str, dimensions: &[(&'static str, String)]) -> MetricKey {
    let dimensions = dimensions.iter();
    MetricKey {
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
