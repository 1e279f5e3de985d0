//! Evidence collection against an emulator of CloudWatch, CloudWatch Logs and STS.
//!
//! Ignored by default; `tests/run` sets up the emulator and runs these tests.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudwatch::config::Credentials;
use jiff::Timestamp;
use probecause::domain::diagnosis::aws::{EvidenceUpdate, LogFinding, LogTemplate, MetricWindow};
use probecause::io::evidence::{EvidenceCollector, FIRST_LOG_SEARCH};
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::model::settings::Settings;
use probecause::model::target::{AwsDeclarations, Target};
use tokio::sync::mpsc;

use crate::support::cloudwatch::emulator;
use crate::support::cloudwatch::evidence;
use crate::support::cloudwatch::proxy;
use crate::support::cloudwatch::telemetry;
mod verdicts;

use emulator::Emulator;
use evidence::{last_update, next_update, request, settings, target};
use proxy::Proxy;
use telemetry::Telemetry;

/// Time limit of a wait. The emulator answers within a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A name that is unique to this call, since an emulator may keep data of earlier runs.
#[cfg(test)]
fn unique(name: &str) -> String {
    format!(
        "{name}-{}-{}",
        std::process::id(),
        Timestamp::now().as_millisecond()
    )
}

/// The SDK configuration of the default chain, with test credentials. A role can be assumed only
/// with a configuration that has the chain's time source.
#[cfg(test)]
async fn sdk_config() -> aws_config::SdkConfig {
    aws_config::defaults(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .load()
        .await
}

/// Starts a collector; returns it with its updates and its metrics.
#[cfg(test)]
async fn start(
    settings: &Settings,
) -> (
    EvidenceCollector,
    mpsc::Receiver<EvidenceUpdate>,
    DaemonMetrics,
) {
    let (sender, updates) = mpsc::channel(64);
    let metrics = DaemonMetrics::new().unwrap();
    let collector = EvidenceCollector::start(
        settings,
        metrics.clone(),
        sender,
        Some(sdk_config().await),
        FIRST_LOG_SEARCH,
    );
    (collector, updates, metrics)
}

#[cfg(test)]
fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// A datapoint: time before the request, namespace, dimensions, metric and value.
#[cfg(test)]
type Datapoint<'a> = (Duration, &'a str, &'a [(&'a str, &'a str)], &'a str, f64);

/// Puts datapoints for a request of twenty minutes ago and returns its settled metric window.
#[cfg(test)]
async fn settled_window(
    declare: impl FnOnce(&mut AwsDeclarations),
    datapoints: &[Datapoint<'_>],
) -> MetricWindow {
    let emulator = Emulator::shared().await;
    let telemetry = Telemetry::new(emulator.address);
    let target = target("orders", |target| {
        target.aws.function_timeout = Some(Duration::from_secs(3));
        declare(&mut target.aws);
    });
    let request = request(&target, None, minutes(20));
    for (before, namespace, dimensions, metric, value) in datapoints {
        let at = request.began - *before;
        telemetry
            .put(namespace, dimensions, at, &[(metric, *value)])
            .await;
    }
    let url = format!("http://{}", emulator.address);
    let (collector, mut updates, metrics) = start(&settings(&url, &[Arc::clone(&target)])).await;
    collector.request(request.clone());
    let (update, before) = last_update(&mut updates, PATIENCE).await;
    assert_eq!((update.began, before), (request.began, 0));
    let requests = &metrics.evidence_requests;
    let ok = requests.with_label_values(&["GetMetricData", "ok"]);
    assert_eq!(ok.get(), 1);
    assert!(metrics.evidence_cost.get() > 0.0);
    let window = update.evidence.window.clone().unwrap();
    assert!(window.settled && window.own_requests == 1, "{window:?}");
    window
}

const NOW: Duration = Duration::ZERO;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn the_metric_window_has_the_series_of_the_alias() {
    let function = &unique("orders")[..];
    let resource = format!("{function}:live");
    let alias = &[("FunctionName", function), ("Resource", &resource)][..];
    let whole = &[("FunctionName", function)][..];
    let declare = |aws: &mut AwsDeclarations| {
        aws.function = Some(function.to_owned());
        aws.qualifier = Some("live".to_owned());
    };
    let datapoints: [Datapoint<'_>; 6] = [
        (NOW, "AWS/Lambda", alias, "Invocations", 3.0),
        (NOW, "AWS/Lambda", alias, "Errors", 2.0),
        (NOW, "AWS/Lambda", alias, "Duration", 1500.0),
        (NOW, "AWS/Lambda", alias, "Duration", 700.0),
        // Of the whole function, and of another time. The collector must request neither.
        (NOW, "AWS/Lambda", whole, "Invocations", 50.0),
        (minutes(10), "AWS/Lambda", alias, "Invocations", 50.0),
    ];
    let lambda = settled_window(declare, &datapoints).await.lambda.unwrap();
    assert_eq!(lambda.invocations, Some(3.0));
    assert_eq!(lambda.errors, Some(2.0));
    assert_eq!(
        lambda.throttles, None,
        "a missing datapoint must not count as zero"
    );
    assert_eq!(lambda.duration_max, Some(Duration::from_millis(1500)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn a_route_without_detailed_metrics_gets_the_metrics_of_its_stage() {
    let api = &unique("api")[..];
    let stage = &[("ApiId", api), ("Stage", "prod")][..];
    let route = &[stage, &[("Route", "GET /orders")]].concat()[..];
    let declare = |aws: &mut AwsDeclarations| {
        aws.api_id = Some(api.to_owned());
        aws.stage = Some("prod".to_owned());
        aws.route = Some("GET /orders".to_owned());
    };
    let datapoints: [Datapoint<'_>; 3] = [
        (NOW, "AWS/ApiGateway", stage, "Count", 9.0),
        (NOW, "AWS/ApiGateway", stage, "5xx", 4.0),
        (NOW, "AWS/ApiGateway", stage, "IntegrationLatency", 30_000.0),
    ];
    let found = settled_window(declare, &datapoints).await.api.unwrap();
    assert_eq!((found.count, found.server_errors), (Some(9.0), Some(4.0)));
    assert_eq!(found.integration_latency_max, Some(Duration::from_secs(30)));
    assert!(!found.of_route);

    let detailed: [Datapoint<'_>; 1] = [(NOW, "AWS/ApiGateway", route, "Count", 1.0)];
    let found = settled_window(declare, &detailed).await.api.unwrap();
    assert_eq!((found.count, found.of_route), (Some(1.0), true));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn the_metrics_of_a_rest_api_are_read_by_its_name() {
    let api = &unique("shop")[..];
    let method = &[
        ("ApiName", api),
        ("Stage", "prod"),
        ("Method", "GET"),
        ("Resource", "/orders"),
    ][..];
    let declare = |aws: &mut AwsDeclarations| {
        aws.api_name = Some(api.to_owned());
        aws.stage = Some("prod".to_owned());
        aws.route = Some("GET /orders".to_owned());
    };
    let datapoints: [Datapoint<'_>; 2] = [
        (NOW, "AWS/ApiGateway", method, "Count", 2.0),
        (NOW, "AWS/ApiGateway", method, "5XXError", 1.0),
    ];
    let found = settled_window(declare, &datapoints).await.api.unwrap();
    assert_eq!((found.count, found.server_errors), (Some(2.0), Some(1.0)));
    assert!(found.of_route);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn a_late_series_appears_in_a_later_update() {
    let emulator = Emulator::shared().await;
    let telemetry = Telemetry::new(emulator.address);
    let function = &unique("late");
    let target = target("late", |target| {
        target.aws.function = Some(function.clone());
        target.aws.function_timeout = Some(Duration::from_secs(1));
    });
    let url = format!("http://{}", emulator.address);
    let mut settings = settings(&url, &[Arc::clone(&target)]);
    settings.evidence.first_look = Duration::from_secs(1);
    settings.evidence.settle = Duration::from_secs(8);
    let (collector, mut updates, _) = start(&settings).await;
    let request = request(&target, None, Duration::from_secs(1));
    collector.request(request.clone());
    let first = next_update(&mut updates, PATIENCE).await;
    let window = first.evidence.window.clone().unwrap();
    assert!(!first.last && !window.settled, "{first:?}");
    assert_eq!(window.lambda.unwrap().throttles, None);
    let dimensions = [("FunctionName", &function[..])];
    telemetry
        .put(
            "AWS/Lambda",
            &dimensions,
            request.began,
            &[("Throttles", 14.0)],
        )
        .await;
    let (update, _) = last_update(&mut updates, PATIENCE).await;
    let window = update.evidence.window.clone().unwrap();
    assert!(window.settled);
    assert_eq!(window.lambda.unwrap().throttles, Some(14.0));
}

/// Writes lines to the log group of a target and returns what the collector finds there about
/// request `id`.
#[cfg(test)]
async fn log_finding(
    id: &str,
    declare: impl FnOnce(&mut Target, String),
    lines: &[&str],
) -> Option<LogFinding> {
    let emulator = Emulator::shared().await;
    let group = unique("/test/log");
    let target = target("logged", |target| declare(target, group.clone()));
    let request = request(&target, Some(id), minutes(14) + Duration::from_secs(45));
    let telemetry = Telemetry::new(emulator.address);
    telemetry.write(&group, request.ended, lines).await;
    let url = format!("http://{}", emulator.address);
    let (collector, mut updates, metrics) = start(&settings(&url, &[target])).await;
    collector.request(request);
    let (update, _) = last_update(&mut updates, PATIENCE).await;
    let requests = &metrics.evidence_requests;
    assert!(requests.with_label_values(&["FilterLogEvents", "ok"]).get() >= 1);
    update.evidence.log.clone()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn the_access_log_line_of_the_request_is_found() {
    let line = |id: &str, message: &str| {
        format!(
            r#"{{"requestId":"{id}","status":"500","integrationStatus":"-","integrationErrorMessage":"{message}"}}"#
        )
    };
    let denied = "The IAM role configured on the integration or API Gateway doesn't have permissions to call the integration. Check the permissions and try again.";
    let failed = "The Lambda function returned the following error: hunter2. Check your Lambda function code and try again.";
    let (other, matching) = (
        line("AAAAAAAAAAAAAAA=", failed),
        line("K2ZEDjwtIAMEcig=", denied),
    );
    let declare = |target: &mut Target, group| target.aws.access_log_group = Some(group);
    let found = log_finding("K2ZEDjwtIAMEcig=", declare, &[&other, &matching])
        .await
        .unwrap();
    assert_eq!(found.template, LogTemplate::PermissionDenied);
    assert_eq!((found.status, found.integration_status), (Some(500), None));
    let found = log_finding("BBBBBBBBBBBBBBB=", declare, &[&other, &matching]).await;
    assert_eq!(found, None, "a missing line must give no finding");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn the_execution_log_of_a_rest_api_is_found_by_its_request_id() {
    let id = "8b1b3f6e-3f86-4a0c-9d39-6cbb1f3b6c55";
    let lines = [
        format!("({id}) Starting execution for request: {id}"),
        "(11111111-3f86-4a0c-9d39-6cbb1f3b6c55) Execution failed due to a timeout error".to_owned(),
        format!(
            "({id}) Execution failed due to configuration error: Invalid permissions on Lambda function"
        ),
        format!("({id}) Method completed with status: 500"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let declare = |target: &mut Target, group| target.aws.execution_log_group = Some(group);
    let found = log_finding(id, declare, &lines).await.unwrap();
    assert_eq!(found.template, LogTemplate::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn a_role_is_assumed_before_the_first_request() {
    let emulator = Emulator::shared().await;
    let proxy = Proxy::start(emulator.address).await;
    let target = target("role", |target| {
        target.aws.function = Some(unique("role"));
        target.aws.role_arn = Some("arn:aws:iam::000000000000:role/reader".to_owned());
        target.aws.external_id = Some("probecause".to_owned());
    });
    let (collector, mut updates, _) = start(&settings(&proxy.url(), &[Arc::clone(&target)])).await;
    collector.request(request(&target, None, minutes(20)));
    let (update, _) = last_update(&mut updates, PATIENCE).await;
    assert!(update.evidence.window.is_some());
    let calls = proxy.calls();
    // The call to STS is a form that names its operation in the body.
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert_eq!(calls[1].operation, "GetMetricData");
}
