//! Simulates AWS's telemetry of the simulated requests.
//!
//! Each answered request adds log lines (access or execution log) and datapoints (`AWS/Lambda`
//! and `AWS/ApiGateway`). `service` answers GetMetricData and FilterLogEvents in the SDK's own
//! protocols. Unlike the real services, which take minutes, everything is readable at once.
//! Memory is bounded.

mod cbor;
mod filter_pattern;
mod log_events;
mod log_lines;
mod metrics;
mod query;
pub(super) mod service;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use self::log_events::LogEvents;
use self::metrics::{MetricKey, MetricStore};
use super::api::{ApiType, Outcome};

/// The logs and metrics of all simulated requests.
#[derive(Debug, Default)]
pub(super) struct Telemetry {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    events: LogEvents,
    metrics: MetricStore,
}

/// What is known about one handled request.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestRecord<'a> {
    pub(super) api: ApiType,
    /// The path of the route that the request reached; `None` if there was none.
    pub(super) route: Option<&'a str>,
    /// The request id in the response.
    pub(super) request_id: &'a str,
    /// Lambda's id of the invocation.
    pub(super) invocation_id: &'a str,
    pub(super) outcome: Outcome,
    pub(super) status: u16,
    pub(super) body_length: usize,
    pub(super) began: Timestamp,
    /// The time that the gateway waited for Lambda; `None` if it did not call Lambda.
    pub(super) integration: Option<Duration>,
    /// Time from the request to its response.
    pub(super) took: Duration,
}

/// The dimensions of a metric: names and values.
type Dimensions = Vec<(&'static str, String)>;

impl Telemetry {
    /// Records one request in the logs and metrics.
    pub(super) fn record(&self, record: &RequestRecord<'_>) {
        let mut state = self.lock();
        let ended = Timestamp::now();
        for line in log_lines::lines(record) {
            state.events.add(record.api.log_group(), ended, line);
        }
        add_api_metrics(&mut state.metrics, record);
        add_function_metrics(&mut state.metrics, record);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Events and metrics stay usable after a panic in a test.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestRecord<'_> {
    /// Returns the key of the route. Simulated routes are requested with GET.
    fn route_key(&self) -> Option<String> {
        self.route.map(route_key)
    }
}

/// Returns a route's key: `GET /orders` for `/orders`, and `$default` unchanged.
pub(super) fn route_key(route: &str) -> String {
    if route.starts_with('/') {
        format!("GET {route}")
    } else {
        route.to_owned()
    }
}

/// Adds the datapoints of `AWS/ApiGateway`: per API, per stage, and per route as with detailed
/// metrics.
fn add_api_metrics(metrics: &mut MetricStore, record: &RequestRecord<'_>) {
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
    add_values(
        metrics,
        "AWS/ApiGateway",
        &api_dimensions(record),
        record,
        &values,
    );
}

/// Returns the dimension sets under which API Gateway publishes its metrics.
fn api_dimensions(record: &RequestRecord<'_>) -> Vec<Dimensions> {
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

/// Adds the datapoints of `AWS/Lambda`: none for a denied call, one throttle for a throttled
/// call.
fn add_function_metrics(metrics: &mut MetricStore, record: &RequestRecord<'_>) {
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
        // Lambda reports the duration of a function that runs longer than the gateway waits only
        // when it ends. Here it is reported at once, as the time until the gateway's timeout.
        values.extend(record.integration.map(|time| ("Duration", millis(time))));
    }
    let name = record.api.function_of(route);
    let function = vec![("FunctionName", name.clone())];
    let resource = vec![("FunctionName", name.clone()), ("Resource", name)];
    let dimensions = [function, resource];
    add_values(metrics, "AWS/Lambda", &dimensions, record, &values);
}

/// Adds each value under each dimension set, at the time of the request.
fn add_values(
    metrics: &mut MetricStore,
    namespace: &str,
    dimension_sets: &[Dimensions],
    record: &RequestRecord<'_>,
    values: &[(&str, f64)],
) {
    for dimensions in dimension_sets {
        let dimensions = dimensions.iter();
        let dimensions: BTreeMap<_, _> = dimensions
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        for (name, value) in values {
            let key = MetricKey {
                namespace: namespace.to_owned(),
                name: (*name).to_owned(),
                dimensions: dimensions.clone(),
            };
            metrics.add(key, record.began.as_second(), *value);
        }
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
