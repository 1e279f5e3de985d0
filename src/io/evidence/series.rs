//! Which metrics tell about a target, and what their values come to in a window.
//!
//! Namespaces, names and dimensions are AWS's own (Lambda: "Types of metrics for Lambda
//! functions"; API Gateway: "Monitoring HTTP API metrics", "REST API dimensions and
//! metrics"). Pure; an absent datapoint stays absent and never becomes a zero here.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::diagnosis::aws::{ApiMetrics, LambdaMetrics};
use crate::model::target::AwsDeclarations;

/// One series, with the statistic that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Series {
    /// What its values mean to us.
    pub(super) meaning: Meaning,
    /// Dimension names and values.
    pub(super) dimensions: Vec<(&'static str, String)>,
}

/// What the values of a series mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Meaning {
    Invocations,
    Errors,
    Throttles,
    Duration,
    Concurrent,
    /// Of the stage or the API, or of the route alone; HTTP or REST.
    Api(ApiValue, Scope, Kind),
}

/// A value of API Gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum ApiValue {
    Count,
    ServerErrors,
    IntegrationLatency,
}

/// How much of an API a series covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Scope {
    Stage,
    Route,
}

/// The two kinds of API name one metric differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Http,
    Rest,
}

/// One-minute values of a series.
pub(super) type Points = BTreeMap<Timestamp, f64>;

const LAMBDA: [Meaning; 5] = [
    Meaning::Invocations,
    Meaning::Errors,
    Meaning::Throttles,
    Meaning::Duration,
    Meaning::Concurrent,
];

const API: [ApiValue; 3] = [
    ApiValue::Count,
    ApiValue::ServerErrors,
    ApiValue::IntegrationLatency,
];

impl Meaning {
    pub(super) const fn namespace(self) -> &'static str {
        match self {
            Self::Api(..) => "AWS/ApiGateway",
            _ => "AWS/Lambda",
        }
    }

    pub(super) const fn metric(self) -> &'static str {
        match self {
            Self::Invocations => "Invocations",
            Self::Errors => "Errors",
            Self::Throttles => "Throttles",
            Self::Duration => "Duration",
            Self::Concurrent => "ConcurrentExecutions",
            Self::Api(ApiValue::Count, ..) => "Count",
            Self::Api(ApiValue::ServerErrors, _, Kind::Http) => "5xx",
            Self::Api(ApiValue::ServerErrors, _, Kind::Rest) => "5XXError",
            Self::Api(ApiValue::IntegrationLatency, ..) => "IntegrationLatency",
        }
    }

    /// Counts are summed; of times and concurrency the highest is what tells.
    pub(super) const fn is_maximum(self) -> bool {
        matches!(
            self,
            Self::Duration | Self::Concurrent | Self::Api(ApiValue::IntegrationLatency, ..)
        )
    }
}

/// The series of what a target declares; none where it names neither function nor API.
pub(super) fn of(aws: &AwsDeclarations) -> Vec<Series> {
    let mut all = Vec::new();
    if let Some(function) = &aws.function {
        let mut dimensions = vec![("FunctionName", function.clone())];
        if let Some(qualifier) = &aws.qualifier {
            dimensions.push(("Resource", format!("{function}:{qualifier}")));
        }
        all.extend(LAMBDA.map(|meaning| Series {
            meaning,
            dimensions: dimensions.clone(),
        }));
    }
    for (scope, kind, dimensions) in api_dimensions(aws) {
        all.extend(API.map(|value| Series {
            meaning: Meaning::Api(value, scope, kind),
            dimensions: dimensions.clone(),
        }));
    }
    all
}

type ApiDimensions = (Scope, Kind, Vec<(&'static str, String)>);

/// A route's own series exist only where detailed metrics are on, so the stage's are
/// asked for beside them.
fn api_dimensions(aws: &AwsDeclarations) -> Vec<ApiDimensions> {
    // A REST API has an id too, but its metrics go by its name.
    let (kind, id) = match (&aws.api_name, &aws.api_id) {
        (Some(name), _) => (Kind::Rest, ("ApiName", name.clone())),
        (None, Some(id)) => (Kind::Http, ("ApiId", id.clone())),
        (None, None) => return Vec::new(),
    };
    let mut wide = vec![id];
    wide.extend(aws.stage.clone().map(|stage| ("Stage", stage)));
    let mut all = vec![(Scope::Stage, kind, wide.clone())];
    if let (Some(route), Some(_)) = (&aws.route, &aws.stage) {
        let own = match (kind, route.split_once(' ')) {
            (Kind::Http, _) => vec![("Route", route.clone())],
            (Kind::Rest, Some((method, resource))) => vec![
                ("Method", method.to_owned()),
                ("Resource", resource.to_owned()),
            ],
            // `$default` is an HTTP API's.
            (Kind::Rest, None) => return all,
        };
        all.push((Scope::Route, kind, [wide, own].concat()));
    }
    all
}

/// What was read of a target's series, folded over one window.
pub(super) struct Fold<'a> {
    /// Values by series.
    pub(super) read: &'a dyn Fn(&Series) -> Option<&'a Points>,
    /// First minute, inclusive.
    pub(super) from: Timestamp,
    /// End, exclusive.
    pub(super) to: Timestamp,
}

impl Fold<'_> {
    /// Lambda's values; `None` where no series of the function was read.
    pub(super) fn lambda(&self, series: &[Series]) -> Option<LambdaMetrics> {
        let read = |meaning| {
            let series = series.iter().find(|series| series.meaning == meaning)?;
            (self.read)(series).map(|points| self.value(meaning, points))
        };
        Some(LambdaMetrics {
            invocations: read(Meaning::Invocations)?,
            errors: read(Meaning::Errors)?,
            throttles: read(Meaning::Throttles)?,
            duration_max: read(Meaning::Duration)?.and_then(milliseconds),
            concurrent_max: read(Meaning::Concurrent)?,
        })
    }

    /// API Gateway's values: the route's own if there are any, else the stage's; `None`
    /// where no series of the API was read.
    pub(super) fn api(&self, series: &[Series]) -> Option<ApiMetrics> {
        let of_route = self.api_of(series, Scope::Route);
        match of_route {
            Some(metrics) if metrics.count.is_some() => Some(metrics),
            _ => self.api_of(series, Scope::Stage),
        }
    }

    fn api_of(&self, series: &[Series], scope: Scope) -> Option<ApiMetrics> {
        let read = |value| {
            let series = series.iter().find(|series| {
                matches!(series.meaning, Meaning::Api(v, s, _) if v == value && s == scope)
            })?;
            (self.read)(series).map(|points| self.value(series.meaning, points))
        };
        Some(ApiMetrics {
            count: read(ApiValue::Count)?,
            server_errors: read(ApiValue::ServerErrors)?,
            integration_latency_max: read(ApiValue::IntegrationLatency)?.and_then(milliseconds),
            of_route: scope == Scope::Route,
        })
    }

    fn value(&self, meaning: Meaning, points: &Points) -> Option<f64> {
        let values = points.range(self.from..self.to).map(|(_, value)| *value);
        let join = |a: f64, b: f64| {
            if meaning.is_maximum() {
                a.max(b)
            } else {
                a + b
            }
        };
        values.reduce(join)
    }
}

/// Both services give their times in milliseconds.
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

    /// The series as `namespace metric{dimensions}`, one a line.
    #[track_caller]
    fn check(aws: &AwsDeclarations, expected: &[&str]) {
        let line = |series: &Series| {
            let dimensions: Vec<String> = series
                .dimensions
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let meaning = series.meaning;
            format!(
                "{} {} {{{}}}",
                meaning.namespace(),
                meaning.metric(),
                dimensions.join(",")
            )
        };
        let lines: Vec<String> = of(aws).iter().map(line).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_target_without_function_and_api_has_no_series() {
        check(&aws(|aws| aws.stage = Some("prod".to_owned())), &[]);
    }

    #[test]
    fn a_function_goes_by_its_name_and_an_alias_by_its_resource() {
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
        let alias = of(&aws(|aws| {
            aws.function = Some("orders".to_owned());
            aws.qualifier = Some("live".to_owned());
        }));
        let resource = ("Resource", "orders:live".to_owned());
        assert!(alias.iter().all(|series| series.dimensions[1] == resource));
    }

    #[test]
    fn an_http_api_goes_by_id_stage_and_route() {
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
    fn a_rest_api_goes_by_name_stage_method_and_resource() {
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
    fn a_window_sums_counts_takes_the_highest_time_and_keeps_absence() {
        let series = of(&aws(|aws| aws.function = Some("orders".to_owned())));
        let points = Points::from([
            (minute(1), 9.0),
            (minute(2), 2.0),
            (minute(3), 3.0),
            (minute(4), 9.0),
        ]);
        let none = Points::new();
        let fold = Fold {
            read: &|series| match series.meaning {
                Meaning::Errors => Some(&none),
                _ => Some(&points),
            },
            from: minute(2),
            to: minute(4),
        };
        let lambda = fold.lambda(&series).unwrap();
        assert_eq!(lambda.invocations, Some(5.0));
        assert_eq!(lambda.errors, None);
        assert_eq!(lambda.concurrent_max, Some(3.0));
        assert_eq!(lambda.duration_max, Some(Duration::from_millis(3)));
        assert_eq!(fold.api(&series), None);
    }

    #[test]
    fn the_route_counts_only_where_it_gave_data() {
        let series = of(&aws(|aws| {
            aws.api_id = Some("a1".to_owned());
            aws.stage = Some("prod".to_owned());
            aws.route = Some("$default".to_owned());
        }));
        let (some, none) = (Points::from([(minute(1), 4.0)]), Points::new());
        let check = |route_has_data: bool| {
            let fold = Fold {
                read: &|series| match series.meaning {
                    Meaning::Api(_, Scope::Route, _) if !route_has_data => Some(&none),
                    _ => Some(&some),
                },
                from: minute(0),
                to: minute(2),
            };
            fold.api(&series).unwrap().of_route
        };
        assert!(check(true));
        assert!(!check(false));
    }
}
