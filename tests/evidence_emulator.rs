//! Asking AWS for evidence, against an emulator that keeps metrics, logs and roles.
//!
//! Ignored by default: `tests/run` prepares the emulator and runs these.

use std::sync::{Arc, Weak};
use std::time::Duration;

use aws_sdk_cloudwatch::config::Credentials;
use jiff::Timestamp;
use probecause::diagnosis::aws::LogTemplate;
use probecause::evidence::Evidence;
use probecause::sink::daemon_metrics::DaemonMetrics;
use probecause::target::Target;
use tokio::sync::{Mutex, mpsc};

#[cfg(test)]
#[path = "cloudwatch/emulator.rs"]
#[expect(dead_code, reason = "alarms are asked about by other tests")]
mod emulator;
#[cfg(test)]
#[path = "cloudwatch/evidence.rs"]
mod evidence;
#[cfg(test)]
#[path = "cloudwatch/proxy.rs"]
#[expect(dead_code, reason = "alarms are counted by other tests")]
mod proxy;
#[cfg(test)]
#[path = "cloudwatch/telemetry.rs"]
mod telemetry;

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
    settings: &probecause::settings::Settings,
) -> (
    Evidence,
    mpsc::Receiver<probecause::diagnosis::aws::Answer>,
    DaemonMetrics,
) {
    let (sender, answers) = mpsc::channel(64);
    let metrics = DaemonMetrics::new().unwrap();
    let asking = Evidence::start_with(settings, metrics.clone(), sender, Some(base().await));
    (asking, answers, metrics)
}

#[cfg(test)]
fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn the_series_of_function_stage_and_route_come_back_for_the_window() {
    let emulator = emulator().await;
    let telemetry = Telemetry::of(emulator.address);
    let (function, api) = (&fresh("orders"), &fresh("api"));
    let resource = &format!("{function}:live");
    let target = target("orders", |target| {
        target.aws.function = Some(function.clone());
        target.aws.qualifier = Some("live".to_owned());
        target.aws.function_timeout = Some(Duration::from_secs(3));
        target.aws.api_id = Some(api.clone());
        target.aws.stage = Some("prod".to_owned());
        target.aws.route = Some("GET /orders".to_owned());
    });
    let question = question(&target, None, minutes(20));
    let alias = [("FunctionName", &function[..]), ("Resource", resource)];
    let values = [("Invocations", 3.0), ("Errors", 2.0), ("Duration", 1500.0)];
    telemetry
        .put("AWS/Lambda", &alias, question.began, &values)
        .await;
    telemetry
        .put("AWS/Lambda", &alias, question.began, &[("Duration", 700.0)])
        .await;
    // Of the function as a whole, and of another time: neither is asked about.
    let whole = [("FunctionName", &function[..])];
    telemetry
        .put(
            "AWS/Lambda",
            &whole,
            question.began,
            &[("Invocations", 50.0)],
        )
        .await;
    let earlier = question.began - minutes(10);
    telemetry
        .put("AWS/Lambda", &alias, earlier, &[("Invocations", 50.0)])
        .await;
    let stage = [("ApiId", &api[..]), ("Stage", "prod")];
    let values = [
        ("Count", 9.0),
        ("5xx", 4.0),
        ("IntegrationLatency", 30_000.0),
    ];
    telemetry
        .put("AWS/ApiGateway", &stage, question.began, &values)
        .await;

    let url = format!("http://{}", emulator.address);
    let (asking, mut answers, metrics) = start(&settings(&url, &[Arc::clone(&target)])).await;
    asking.ask(question.clone());
    let (answer, _) = last(&mut answers, PATIENCE).await;
    assert_eq!(answer.began, question.began);
    let window = answer.evidence.window.clone().unwrap();
    assert!(window.settled && window.ours == 1, "{window:?}");
    let lambda = window.lambda.unwrap();
    assert_eq!(lambda.invocations, Some(3.0));
    assert_eq!(lambda.errors, Some(2.0));
    assert_eq!(lambda.throttles, None, "no datapoint is no zero");
    assert_eq!(lambda.duration_max, Some(Duration::from_millis(1500)));
    let stage = window.api.unwrap();
    assert_eq!((stage.count, stage.server_errors), (Some(9.0), Some(4.0)));
    assert_eq!(stage.integration_latency_max, Some(Duration::from_secs(30)));
    assert!(!stage.of_route);
    let requests = &metrics.evidence_requests;
    assert_eq!(
        requests.with_label_values(&["GetMetricData", "ok"]).get(),
        1
    );
    assert!(metrics.evidence_cost.get() > 0.0);

    // Detailed metrics are on: the route's own values are taken.
    let route = [
        ("ApiId", &api[..]),
        ("Stage", "prod"),
        ("Route", "GET /orders"),
    ];
    telemetry
        .put("AWS/ApiGateway", &route, question.began, &[("Count", 1.0)])
        .await;
    asking.ask(question);
    let (answer, _) = last(&mut answers, PATIENCE).await;
    let api = answer
        .evidence
        .window
        .as_ref()
        .and_then(|window| window.api)
        .unwrap();
    assert_eq!((api.count, api.of_route), (Some(1.0), true));
    asking.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn a_rest_api_is_asked_about_by_its_name() {
    let emulator = emulator().await;
    let telemetry = Telemetry::of(emulator.address);
    let api = &fresh("shop");
    let target = target("rest", |target| {
        target.aws.api_name = Some(api.clone());
        target.aws.stage = Some("prod".to_owned());
        target.aws.route = Some("GET /orders".to_owned());
    });
    let question = question(&target, None, minutes(20));
    let method = [
        ("ApiName", &api[..]),
        ("Stage", "prod"),
        ("Method", "GET"),
        ("Resource", "/orders"),
    ];
    let values = [("Count", 2.0), ("5XXError", 1.0)];
    telemetry
        .put("AWS/ApiGateway", &method, question.began, &values)
        .await;
    let url = format!("http://{}", emulator.address);
    let (asking, mut answers, _) = start(&settings(&url, &[target])).await;
    asking.ask(question);
    let (answer, _) = last(&mut answers, PATIENCE).await;
    let window = answer.evidence.window.clone().unwrap();
    assert!(
        !window.settled,
        "without a function's timeout nothing settles"
    );
    let api = window.api.unwrap();
    assert_eq!(
        (api.count, api.server_errors, api.of_route),
        (Some(2.0), Some(1.0), true)
    );
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
) -> Option<probecause::diagnosis::aws::LogFinding> {
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
