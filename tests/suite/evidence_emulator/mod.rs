//! Asking AWS for evidence, against an emulator that keeps metrics, logs and roles.
//!
//! Ignored by default: `tests/run` prepares the emulator and runs these.

use std::sync::{Arc, Weak};
use std::time::Duration;

use aws_sdk_cloudwatch::config::Credentials;
use jiff::Timestamp;
use probecause::domain::diagnosis::aws::{EvidenceUpdate, LogFinding, LogTemplate, MetricWindow};
use probecause::io::evidence::{EvidenceCollector, FIRST_LOG_SEARCH};
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::model::settings::Settings;
use probecause::model::target::{AwsDeclarations, Target};
use tokio::sync::{Mutex, mpsc};

use crate::support::cloudwatch::emulator;
use crate::support::cloudwatch::evidence;
use crate::support::cloudwatch::proxy;
use crate::support::cloudwatch::telemetry;
mod verdicts;

use emulator::Emulator;
use evidence::{last, next, question, settings, target};
use proxy::Proxy;
use telemetry::Telemetry;

/// The emulator answers within a second; on a loaded machine within many.
const PATIENCE: Duration = Duration::from_secs(60);

/// One emulator for the tests that run at a time: it takes long to start, and ends with
/// the last of them.
#[cfg(test)]
async fn emulator() -> Arc<Emulator> {
    static SHARED: Mutex<Weak<Emulator>> = Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(emulator) = shared.upgrade() {
        return emulator;
    }
    let emulator = Arc::new(Emulator::get().await);
    *shared = Arc::downgrade(&emulator);
    emulator
}

/// A name that an emulator which outlives the run has not seen.
#[cfg(test)]
fn fresh(name: &str) -> String {
    format!(
        "{name}-{}-{}",
        std::process::id(),
        Timestamp::now().as_millisecond()
    )
}

/// What the default chain would give: only its clock lets a role be assumed.
#[cfg(test)]
async fn base() -> aws_config::SdkConfig {
    aws_config::defaults(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .load()
        .await
}

/// The daemon's way of asking, and where its answers come out.
#[cfg(test)]
async fn start(
    settings: &Settings,
) -> (
    EvidenceCollector,
    mpsc::Receiver<EvidenceUpdate>,
    DaemonMetrics,
) {
    let (sender, answers) = mpsc::channel(64);
    let metrics = DaemonMetrics::new().unwrap();
    let asking = EvidenceCollector::start(
        settings,
        metrics.clone(),
        sender,
        Some(base().await),
        FIRST_LOG_SEARCH,
    );
    (asking, answers, metrics)
}

#[cfg(test)]
fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// A value that AWS put down: moment, namespace, dimensions, metric and value.
#[cfg(test)]
type Put<'a> = (Duration, &'a str, &'a [(&'a str, &'a str)], &'a str, f64);

/// The settled window of a request twenty minutes ago, with these values put so long
/// before it.
#[cfg(test)]
async fn window(declare: impl FnOnce(&mut AwsDeclarations), puts: &[Put<'_>]) -> MetricWindow {
    let emulator = emulator().await;
    let telemetry = Telemetry::of(emulator.address);
    let target = target("orders", |target| {
        target.aws.function_timeout = Some(Duration::from_secs(3));
        declare(&mut target.aws);
    });
    let question = question(&target, None, minutes(20));
    for (before, namespace, dimensions, metric, value) in puts {
        let at = question.began - *before;
        telemetry
            .put(namespace, dimensions, at, &[(metric, *value)])
            .await;
    }
    let url = format!("http://{}", emulator.address);
    let (asking, mut answers, metrics) = start(&settings(&url, &[Arc::clone(&target)])).await;
    asking.ask(question.clone());
    let (answer, before) = last(&mut answers, PATIENCE).await;
    assert_eq!((answer.began, before), (question.began, 0));
    let requests = &metrics.evidence_requests;
    let ok = requests.with_label_values(&["GetMetricData", "ok"]);
    assert_eq!(ok.get(), 1);
    assert!(metrics.evidence_cost.get() > 0.0);
    let window = answer.evidence.window.clone().unwrap();
    assert!(window.settled && window.ours == 1, "{window:?}");
    window
}

const NOW: Duration = Duration::ZERO;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn the_series_of_an_alias_come_back_for_the_window() {
    let function = &fresh("orders")[..];
    let resource = format!("{function}:live");
    let alias = &[("FunctionName", function), ("Resource", &resource)][..];
    let whole = &[("FunctionName", function)][..];
    let declare = |aws: &mut AwsDeclarations| {
        aws.function = Some(function.to_owned());
        aws.qualifier = Some("live".to_owned());
    };
    let puts: [Put<'_>; 6] = [
        (NOW, "AWS/Lambda", alias, "Invocations", 3.0),
        (NOW, "AWS/Lambda", alias, "Errors", 2.0),
        (NOW, "AWS/Lambda", alias, "Duration", 1500.0),
        (NOW, "AWS/Lambda", alias, "Duration", 700.0),
        // Of the function as a whole, and of another time: neither is asked about.
        (NOW, "AWS/Lambda", whole, "Invocations", 50.0),
        (minutes(10), "AWS/Lambda", alias, "Invocations", 50.0),
    ];
    let lambda = window(declare, &puts).await.lambda.unwrap();
    assert_eq!(lambda.invocations, Some(3.0));
    assert_eq!(lambda.errors, Some(2.0));
    assert_eq!(lambda.throttles, None, "no datapoint is no zero");
    assert_eq!(lambda.duration_max, Some(Duration::from_millis(1500)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn a_route_without_detailed_metrics_is_judged_by_its_stage() {
    let api = &fresh("api")[..];
    let stage = &[("ApiId", api), ("Stage", "prod")][..];
    let route = &[stage, &[("Route", "GET /orders")]].concat()[..];
    let declare = |aws: &mut AwsDeclarations| {
        aws.api_id = Some(api.to_owned());
        aws.stage = Some("prod".to_owned());
        aws.route = Some("GET /orders".to_owned());
    };
    let puts: [Put<'_>; 3] = [
        (NOW, "AWS/ApiGateway", stage, "Count", 9.0),
        (NOW, "AWS/ApiGateway", stage, "5xx", 4.0),
        (NOW, "AWS/ApiGateway", stage, "IntegrationLatency", 30_000.0),
    ];
    let found = window(declare, &puts).await.api.unwrap();
    assert_eq!((found.count, found.server_errors), (Some(9.0), Some(4.0)));
    assert_eq!(found.integration_latency_max, Some(Duration::from_secs(30)));
    assert!(!found.of_route);

    let detailed: [Put<'_>; 1] = [(NOW, "AWS/ApiGateway", route, "Count", 1.0)];
    let found = window(declare, &detailed).await.api.unwrap();
    assert_eq!((found.count, found.of_route), (Some(1.0), true));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn a_rest_api_is_asked_about_by_its_name() {
    let api = &fresh("shop")[..];
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
    let puts: [Put<'_>; 2] = [
        (NOW, "AWS/ApiGateway", method, "Count", 2.0),
        (NOW, "AWS/ApiGateway", method, "5XXError", 1.0),
    ];
    let found = window(declare, &puts).await.api.unwrap();
    assert_eq!((found.count, found.server_errors), (Some(2.0), Some(1.0)));
    assert!(found.of_route);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn series_that_come_late_show_in_a_later_answer() {
    let emulator = emulator().await;
    let telemetry = Telemetry::of(emulator.address);
    let function = &fresh("late");
    let target = target("late", |target| {
        target.aws.function = Some(function.clone());
        target.aws.function_timeout = Some(Duration::from_secs(1));
    });
    let url = format!("http://{}", emulator.address);
    let mut settings = settings(&url, &[Arc::clone(&target)]);
    settings.evidence.first_look = Duration::from_secs(1);
    settings.evidence.settle = Duration::from_secs(8);
    let (asking, mut answers, _) = start(&settings).await;
    let question = question(&target, None, Duration::from_secs(1));
    asking.ask(question.clone());
    let first = next(&mut answers, PATIENCE).await;
    let window = first.evidence.window.clone().unwrap();
    assert!(!first.last && !window.settled, "{first:?}");
    assert_eq!(window.lambda.unwrap().throttles, None);
    let dimensions = [("FunctionName", &function[..])];
    telemetry
        .put(
            "AWS/Lambda",
            &dimensions,
            question.began,
            &[("Throttles", 14.0)],
        )
        .await;
    let (answer, _) = last(&mut answers, PATIENCE).await;
    let window = answer.evidence.window.clone().unwrap();
    assert!(window.settled);
    assert_eq!(window.lambda.unwrap().throttles, Some(14.0));
}

/// What the log of a target says of a request, with these lines in its group.
#[cfg(test)]
async fn finding(
    id: &str,
    declare: impl FnOnce(&mut Target, String),
    lines: &[&str],
) -> Option<LogFinding> {
    let emulator = emulator().await;
    let group = fresh("/test/log");
    let target = target("logged", |target| declare(target, group.clone()));
    let question = question(&target, Some(id), minutes(14) + Duration::from_secs(45));
    let telemetry = Telemetry::of(emulator.address);
    telemetry.write(&group, question.ended, lines).await;
    let url = format!("http://{}", emulator.address);
    let (asking, mut answers, metrics) = start(&settings(&url, &[target])).await;
    asking.ask(question);
    let (answer, _) = last(&mut answers, PATIENCE).await;
    let requests = &metrics.evidence_requests;
    assert!(requests.with_label_values(&["FilterLogEvents", "ok"]).get() >= 1);
    answer.evidence.log.clone()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn the_access_log_line_of_this_very_request_is_found() {
    let line = |id: &str, said: &str| {
        format!(
            r#"{{"requestId":"{id}","status":"500","integrationStatus":"-","integrationErrorMessage":"{said}"}}"#
        )
    };
    let denied = "The IAM role configured on the integration or API Gateway doesn't have permissions to call the integration. Check the permissions and try again.";
    let failed = "The Lambda function returned the following error: hunter2. Check your Lambda function code and try again.";
    let (other, own) = (
        line("AAAAAAAAAAAAAAA=", failed),
        line("K2ZEDjwtIAMEcig=", denied),
    );
    let declare = |target: &mut Target, group| target.aws.access_log_group = Some(group);
    let found = finding("K2ZEDjwtIAMEcig=", declare, &[&other, &own])
        .await
        .unwrap();
    assert_eq!(found.template, LogTemplate::PermissionDenied);
    assert_eq!((found.status, found.integration_status), (Some(500), None));
    let found = finding("BBBBBBBBBBBBBBB=", declare, &[&other, &own]).await;
    assert_eq!(found, None, "absence is no proof, and no finding");
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
    let found = finding(id, declare, &lines).await.unwrap();
    assert_eq!(found.template, LogTemplate::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn a_role_is_assumed_before_anything_is_asked() {
    let emulator = emulator().await;
    let proxy = Proxy::start(emulator.address).await;
    let target = target("role", |target| {
        target.aws.function = Some(fresh("role"));
        target.aws.role_arn = Some("arn:aws:iam::000000000000:role/reader".to_owned());
        target.aws.external_id = Some("probecause".to_owned());
    });
    let (asking, mut answers, _) = start(&settings(&proxy.url(), &[Arc::clone(&target)])).await;
    asking.ask(question(&target, None, minutes(20)));
    let (answer, _) = last(&mut answers, PATIENCE).await;
    assert!(answer.evidence.window.is_some());
    let calls = proxy.calls();
    // STS is asked with a form, which names its operation in the body.
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert_eq!(calls[1].operation, "GetMetricData");
}
