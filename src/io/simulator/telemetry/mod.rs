//! Simulates the telemetry that AWS publishes about requests.
//!
//! Each request adds log lines (access or execution log, unless the stage has none) and datapoints
//! (`AWS/Lambda` and `AWS/ApiGateway`). `service` handles GetMetricData and FilterLogEvents in the
//! protocols that the SDK uses. The real services publish data minutes after the request. Here, the
//! data is readable at once. The amount of stored data is limited.

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
use super::api::{ApiType, Outcome, UNLOGGED_STAGE};

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

/// A handled request, with the data that the logs and metrics contain.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestRecord<'a> {
    pub(super) api: ApiType,
    pub(super) stage: &'static str,
    /// The route that the request reached: its path, or `$default`. `None` if no route matched.
    pub(super) route: Option<&'a str>,
    /// The request id in the headers of the response.
    pub(super) request_id: &'a str,
    /// The request id that Lambda assigned to the invocation.
    pub(super) invocation_id: &'a str,
    pub(super) outcome: Outcome,
    pub(super) status: u16,
    pub(super) body_length: usize,
    pub(super) began: Timestamp,
    /// The time that the gateway waited for Lambda. `None` if the gateway did not call Lambda.
    pub(super) integration: Option<Duration>,
    /// The time from the start of the request to its response.
    pub(super) took: Duration,
}

/// The dimensions of a metric: names and values.
type Dimensions = Vec<(&'static str, String)>;

impl Telemetry {
    /// Adds the log lines and datapoints of one request.
    pub(super) fn record(&self, record: &RequestRecord<'_>) {
        let mut state = self.lock();
        let ended = Timestamp::now();
        if record.stage != UNLOGGED_STAGE {
            for line in log_lines::lines(record) {
                state.events.add(record.api.log_group(), ended, line);
            }
        }
        add_api_metrics(&mut state.metrics, record);
        add_function_metrics(&mut state.metrics, record);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The data remains usable after a panic in a test, so a poisoned lock is ignored.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestRecord<'_> {
    /// Returns the key of the route that the request reached; `None` if no route matched.
    fn route_key(&self) -> Option<String> {
        self.route.map(route_key)
    }
}

/// Returns the key of a route, such as `GET /orders` for `/orders`. Returns `$default` unchanged.
/// All simulated routes have the method GET.
pub(super) fn route_key(route: &str) -> String {
    if route.starts_with('/') {
        format!("GET {route}")
    } else {
        route.to_owned()
    }
}

/// Adds the datapoints of `AWS/ApiGateway` for a request: for the API, the stage and the route, as
/// if detailed metrics were enabled.
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

/// Returns the sets of dimensions under which API Gateway publishes the metrics of a request: the
/// API; the API and its stage; and, if a route matched, the API, its stage and the route.
fn api_dimensions(record: &RequestRecord<'_>) -> Vec<Dimensions> {
    let api = record.api;
    let stage = ("Stage", record.stage.to_owned());
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

/// Adds the datapoints of `AWS/Lambda` for a request: none if no route matched or the call was
/// denied, and only `Throttles` for a throttled call.
fn add_function_metrics(metrics: &mut MetricStore, record: &RequestRecord<'_>) {
    let Some(route) = record.route else { return };
    let mut values = Vec::new();
    if record.outcome == Outcome::Throttled {
        values.push(("Throttles", 1.0));
    } else if record.outcome.has_invoked_function() {
        let failed = record.outcome == Outcome::FunctionError;
        values.extend([
            ("Invocations", 1.0),
            ("Errors", f64::from(u8::from(failed))),
            ("Throttles", 0.0),
            ("ConcurrentExecutions", 1.0),
        ]);
        // Lambda publishes the duration of an invocation when the invocation ends, which can be
        // after the integration timeout. Here, the published duration is the time that the gateway
        // waited.
        values.extend(record.integration.map(|time| ("Duration", millis(time))));
    }
    let name = record.api.function_of(route);
    let function = vec![("FunctionName", name.clone())];
    let resource = vec![("FunctionName", name.clone()), ("Resource", name)];
    let dimensions = [function, resource];
    add_values(metrics, "AWS/Lambda", &dimensions, record, &values);
}

/// Adds a datapoint to the metric store for each value and each set of dimensions. Its timestamp is
/// the time when the request began.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stage_without_an_access_log_has_metrics_only() {
        let api = ApiType::HttpApi;
        for (stage, lines) in [(api.stage(), 1), (UNLOGGED_STAGE, 0)] {
            let telemetry = Telemetry::default();
            telemetry.record(&RequestRecord {
                api,
                stage,
                route: Some("/orders"),
                request_id: "K2ZEDjwtIAMEcig=",
                invocation_id: "4c0e6f3a-0000-4000-8000-000000000001",
                outcome: Outcome::Denied,
                status: 500,
                body_length: 35,
                began: Timestamp::UNIX_EPOCH,
                integration: None,
                took: Duration::from_millis(5),
            });
            let state = telemetry.lock();
            let request = json!({ "logGroupName": api.log_group() });
            let found = state.events.filter(&request).unwrap();
            assert_eq!(found["events"].as_array().unwrap().len(), lines, "{stage}");
            let dimensions = [("ApiId", api.api_id()), ("Stage", stage)];
            let dimensions = dimensions.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let key = MetricKey {
                namespace: "AWS/ApiGateway".to_owned(),
                name: "5xx".to_owned(),
                dimensions: dimensions.into(),
            };
            let sum = metrics::statistic("Sum").unwrap();
            let points = state.metrics.read(&key, sum, metrics::MINUTE, (0, 60));
            assert_eq!(points, [(0, 1.0)], "{stage}");
        }
    }
}
