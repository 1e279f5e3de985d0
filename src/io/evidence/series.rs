//! Defines the CloudWatch metrics of a target's function and API, and aggregates them over a
//! window.
//!
//! Namespaces, names and dimensions are from AWS's documentation (Lambda: "Types of metrics for
//! Lambda functions"; API Gateway: "Monitoring HTTP API metrics", "REST API dimensions and
//! metrics"). A missing datapoint does not count as zero. This module does no I/O.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::diagnosis::aws::{ApiMetrics, LambdaMetrics};
use crate::model::target::AwsDeclarations;

/// One CloudWatch metric with its dimensions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct MetricSeries {
    pub(super) metric: AwsMetric,
    /// The dimensions of the metric: names and values.
    pub(super) dimensions: Vec<(&'static str, String)>,
}

/// A metric of Lambda or API Gateway. The metric determines the namespace, name and statistic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum AwsMetric {
    Invocations,
    Errors,
    Throttles,
    Duration,
    ConcurrentExecutions,
    Api(ApiMetric, Coverage, GatewayType),
}

/// A metric of API Gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum ApiMetric {
    Count,
    ServerErrors,
    IntegrationLatency,
}

/// The part of an API that a metric series covers: one route, or the stage (the whole API if no
/// stage is declared).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Coverage {
    Stage,
    Route,
}

/// The type of an API. The names of some metrics differ between HTTP and REST APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum GatewayType {
    Http,
    Rest,
}

/// The values of one metric series, by the start of the minute.
pub(super) type Points = BTreeMap<Timestamp, f64>;

/// The values of the metric series that were read. A series without datapoints is present and
/// empty.
pub(super) type SeriesValues = HashMap<MetricSeries, Points>;

const LAMBDA: [AwsMetric; 5] = [
    AwsMetric::Invocations,
    AwsMetric::Errors,
    AwsMetric::Throttles,
    AwsMetric::Duration,
    AwsMetric::ConcurrentExecutions,
];

const API: [ApiMetric; 3] = [
    ApiMetric::Count,
    ApiMetric::ServerErrors,
    ApiMetric::IntegrationLatency,
];

impl AwsMetric {
    pub(super) const fn namespace(self) -> &'static str {
        match self {
            Self::Api(..) => "AWS/ApiGateway",
            _ => "AWS/Lambda",
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Invocations => "Invocations",
            Self::Errors => "Errors",
            Self::Throttles => "Throttles",
            Self::Duration => "Duration",
            Self::ConcurrentExecutions => "ConcurrentExecutions",
            Self::Api(ApiMetric::Count, ..) => "Count",
            Self::Api(ApiMetric::ServerErrors, _, GatewayType::Http) => "5xx",
            Self::Api(ApiMetric::ServerErrors, _, GatewayType::Rest) => "5XXError",
            Self::Api(ApiMetric::IntegrationLatency, ..) => "IntegrationLatency",
        }
    }

    /// Returns whether the metric's statistic is the maximum, as for durations and concurrency.
    /// Other metrics are counts, which are summed.
    pub(super) const fn is_maximum(self) -> bool {
        matches!(
            self,
            Self::Duration
                | Self::ConcurrentExecutions
                | Self::Api(ApiMetric::IntegrationLatency, ..)
        )
    }
}

/// Returns the metric series of the function and the API that a target declares. The result is
/// empty if the target declares neither.
pub(super) fn declared_series(aws: &AwsDeclarations) -> Vec<MetricSeries> {
    let mut all = Vec::new();
    if let Some(function) = &aws.function {
        let mut dimensions = vec![("FunctionName", function.clone())];
        if let Some(qualifier) = &aws.qualifier {
            dimensions.push(("Resource", format!("{function}:{qualifier}")));
        }
        all.extend(LAMBDA.map(|metric| MetricSeries {
            metric,
            dimensions: dimensions.clone(),
        }));
    }
    for (coverage, api_type, dimensions) in api_dimensions(aws) {
        all.extend(API.map(|metric| MetricSeries {
            metric: AwsMetric::Api(metric, coverage, api_type),
            dimensions: dimensions.clone(),
        }));
    }
    all
}

type ApiDimensions = (Coverage, GatewayType, Vec<(&'static str, String)>);

/// Returns the coverage, API type and dimensions of the series of the stage and, if a stage and a
/// route are declared, of the series of the route. A route has datapoints only if detailed metrics
/// are enabled, so the stage is always included. Returns an empty list if no API is declared.
fn api_dimensions(aws: &AwsDeclarations) -> Vec<ApiDimensions> {
    // A REST API also has an id, but the metrics of a REST API are identified by its name.
    let (api_type, id) = match (&aws.api_name, &aws.api_id) {
        (Some(name), _) => (GatewayType::Rest, ("ApiName", name.clone())),
        (None, Some(id)) => (GatewayType::Http, ("ApiId", id.clone())),
        (None, None) => return Vec::new(),
    };
    let mut stage = vec![id];
    stage.extend(aws.stage.clone().map(|name| ("Stage", name)));
    let mut all = vec![(Coverage::Stage, api_type, stage.clone())];
    if let (Some(route), Some(_)) = (&aws.route, &aws.stage) {
        let own = match (api_type, route.split_once(' ')) {
            (GatewayType::Http, _) => vec![("Route", route.clone())],
            (GatewayType::Rest, Some((method, resource))) => vec![
                ("Method", method.to_owned()),
                ("Resource", resource.to_owned()),
            ],
            // Only HTTP APIs have a route without a method (`$default`), so a REST API has no
            // series for such a route.
            (GatewayType::Rest, None) => return all,
        };
        all.push((Coverage::Route, api_type, [stage, own].concat()));
    }
    all
}

/// Aggregates the values of a target's series over one window.
pub(super) struct WindowAggregator<'a> {
    pub(super) values: &'a SeriesValues,
    /// The start of the window, inclusive.
    pub(super) from: Timestamp,
    /// The end of the window, exclusive.
    pub(super) to: Timestamp,
}

impl WindowAggregator<'_> {
    /// Returns the metrics of the function, or `None` if any of its series was not read.
    pub(super) fn lambda(&self, series: &[MetricSeries]) -> Option<LambdaMetrics> {
        let value = |metric| {
            let series = series.iter().find(|series| series.metric == metric)?;
            let points = self.values.get(series)?;
            Some(self.value(metric, points))
        };
        Some(LambdaMetrics {
            invocations: value(AwsMetric::Invocations)?,
            errors: value(AwsMetric::Errors)?,
            throttles: value(AwsMetric::Throttles)?,
            duration_max: value(AwsMetric::Duration)?.and_then(milliseconds),
            concurrent_max: value(AwsMetric::ConcurrentExecutions)?,
        })
    }

    /// Returns the metrics of the route if the route has datapoints in the window, otherwise the
    /// metrics of the stage. Returns `None` if the metrics of the stage are needed, but any of
    /// their series was not read.
    pub(super) fn api(&self, series: &[MetricSeries]) -> Option<ApiMetrics> {
        self.api_part(series, Coverage::Route)
            .filter(|route| route.count.is_some())
            .or_else(|| self.api_part(series, Coverage::Stage))
    }

    fn api_part(&self, series: &[MetricSeries], coverage: Coverage) -> Option<ApiMetrics> {
        let value = |metric| {
            let series = series.iter().find(|series| {
                matches!(series.metric, AwsMetric::Api(m, c, _) if m == metric && c == coverage)
            })?;
            let points = self.values.get(series)?;
            Some(self.value(series.metric, points))
        };
        Some(ApiMetrics {
            count: value(ApiMetric::Count)?,
            server_errors: value(ApiMetric::ServerErrors)?,
            integration_latency_max: value(ApiMetric::IntegrationLatency)?.and_then(milliseconds),
            of_route: coverage == Coverage::Route,
        })
    }

    fn value(&self, metric: AwsMetric, points: &Points) -> Option<f64> {
        let values = points.range(self.from..self.to).map(|(_, value)| *value);
        let join = |a: f64, b: f64| {
            if metric.is_maximum() { a.max(b) } else { a + b }
        };
        values.reduce(join)
    }
}

/// Converts a number of milliseconds, the unit of Lambda and API Gateway, to a duration. Returns
/// `None` if the number is negative or too large.
fn milliseconds(value: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(value / 1000.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aws(change: impl FnOnce(&mut AwsDeclarations)) -> AwsDeclarations {
        let mut aws = AwsDeclarations::default();
        change(&mut aws);
        aws
    }

    /// Checks the series that `aws` declares, each formatted as `namespace metric {dimensions}`.
    #[track_caller]
    fn check(aws: &AwsDeclarations, expected: &[&str]) {
        let line = |series: &MetricSeries| {
            let dimensions: Vec<String> = series
                .dimensions
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let metric = series.metric;
            format!(
                "{} {} {{{}}}",
                metric.namespace(),
                metric.name(),
                dimensions.join(",")
            )
        };
        let lines: Vec<String> = declared_series(aws).iter().map(line).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_target_without_a_function_or_api_has_no_series() {
        check(&aws(|aws| aws.stage = Some("prod".to_owned())), &[]);
    }

    #[test]
    fn a_function_is_identified_by_its_name_and_an_alias_by_its_resource() {
        check(
            &aws(|aws| aws.function = Some("orders".to_owned())),
            &[
                "AWS/Lambda Invocations {FunctionName=orders}",
                "AWS/Lambda Errors {FunctionName=orders}",
                "AWS/Lambda Throttles {FunctionName=orders}",
                "AWS/Lambda Duration {FunctionName=orders}",
                "AWS/Lambda ConcurrentExecutions {FunctionName=orders}",
            ],
        );
        let alias = declared_series(&aws(|aws| {
            aws.function = Some("orders".to_owned());
            aws.qualifier = Some("live".to_owned());
        }));
        let resource = ("Resource", "orders:live".to_owned());
        assert!(alias.iter().all(|series| series.dimensions[1] == resource));
    }

    #[test]
    fn an_http_api_is_identified_by_id_stage_and_route() {
        check(
            &aws(|aws| {
                aws.api_id = Some("a1".to_owned());
                aws.stage = Some("$default".to_owned());
                aws.route = Some("GET /orders".to_owned());
            }),
            &[
                "AWS/ApiGateway Count {ApiId=a1,Stage=$default}",
                "AWS/ApiGateway 5xx {ApiId=a1,Stage=$default}",
                "AWS/ApiGateway IntegrationLatency {ApiId=a1,Stage=$default}",
                "AWS/ApiGateway Count {ApiId=a1,Stage=$default,Route=GET /orders}",
                "AWS/ApiGateway 5xx {ApiId=a1,Stage=$default,Route=GET /orders}",
                "AWS/ApiGateway IntegrationLatency {ApiId=a1,Stage=$default,Route=GET /orders}",
            ],
        );
    }

    #[test]
    fn a_rest_api_is_identified_by_name_stage_method_and_resource() {
        check(
            &aws(|aws| {
                aws.api_id = Some("a1".to_owned());
                aws.api_name = Some("shop".to_owned());
                aws.stage = Some("prod".to_owned());
                aws.route = Some("GET /orders".to_owned());
            }),
            &[
                "AWS/ApiGateway Count {ApiName=shop,Stage=prod}",
                "AWS/ApiGateway 5XXError {ApiName=shop,Stage=prod}",
                "AWS/ApiGateway IntegrationLatency {ApiName=shop,Stage=prod}",
                "AWS/ApiGateway Count {ApiName=shop,Stage=prod,Method=GET,Resource=/orders}",
                "AWS/ApiGateway 5XXError {ApiName=shop,Stage=prod,Method=GET,Resource=/orders}",
                "AWS/ApiGateway IntegrationLatency {ApiName=shop,Stage=prod,Method=GET,Resource=/orders}",
            ],
        );
    }

    fn minute(number: i64) -> Timestamp {
        Timestamp::from_second(number * 60).unwrap()
    }

    #[test]
    fn counts_are_summed_times_are_maxima_and_missing_values_stay_missing() {
        let series = declared_series(&aws(|aws| aws.function = Some("orders".to_owned())));
        let points = Points::from([
            (minute(1), 9.0),
            (minute(2), 2.0),
            (minute(3), 3.0),
            (minute(4), 9.0),
        ]);
        let values = series.iter().map(|series| match series.metric {
            AwsMetric::Errors => (series.clone(), Points::new()),
            _ => (series.clone(), points.clone()),
        });
        let window = WindowAggregator {
            values: &values.collect(),
            from: minute(2),
            to: minute(4),
        };
        let lambda = window.lambda(&series).unwrap();
        assert_eq!(lambda.invocations, Some(5.0));
        assert_eq!(lambda.errors, None);
        assert_eq!(lambda.concurrent_max, Some(3.0));
        assert_eq!(lambda.duration_max, Some(Duration::from_millis(3)));
        assert_eq!(window.api(&series), None);
    }

    #[test]
    fn the_metrics_of_a_route_without_datapoints_are_those_of_its_stage() {
        let series = declared_series(&aws(|aws| {
            aws.api_id = Some("a1".to_owned());
            aws.stage = Some("prod".to_owned());
            aws.route = Some("$default".to_owned());
        }));
        let check = |route_has_data: bool| {
            let values = series.iter().map(|series| match series.metric {
                AwsMetric::Api(_, Coverage::Route, _) if !route_has_data => {
                    (series.clone(), Points::new())
                }
                _ => (series.clone(), Points::from([(minute(1), 4.0)])),
            });
            let window = WindowAggregator {
                values: &values.collect(),
                from: minute(0),
                to: minute(2),
            };
            window.api(&series).unwrap().of_route
        };
        assert!(check(true));
        assert!(!check(false));
    }
}
