//! Evidence collection when AWS denies access, throttles, hangs or returns invalid data.
//!
//! An in-process server stands in for AWS, because the emulator cannot fail in these ways.
//! `evidence_emulator` tests successful requests.

#![cfg(test)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_cloudwatch::config::Credentials;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use probecause::domain::diagnosis::aws::{AwsEvidence, EvidenceUpdate};
use probecause::io::evidence::{EvidenceCollector, FIRST_LOG_SEARCH};
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::model::settings::Settings;
use probecause::model::target::Target;
use tokio::sync::mpsc;

use crate::support::cloudwatch::answers;
use crate::support::cloudwatch::evidence;
use crate::support::log::Log;
use crate::support::loopback;

use evidence::{last_update, next_update, request, settings, target};

/// One faulty response of the server.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Error(u16, &'static str),
    Hang,
    Garbage,
}

/// A server that stands in for CloudWatch, CloudWatch Logs and STS. It returns its faults in
/// order, then valid empty responses.
#[derive(Clone, Default)]
struct Server {
    faults: Arc<Mutex<VecDeque<Fault>>>,
    calls: Arc<Mutex<Vec<String>>>,
    /// Whether the first fault repeats forever.
    repeats: bool,
}

impl Server {
    fn with(faults: &[Fault], repeats: bool) -> Self {
        Self {
            faults: Arc::new(Mutex::new(faults.iter().copied().collect())),
            repeats,
            ..Self::default()
        }
    }

    async fn start(&self) -> String {
        let app = Router::new().fallback(answer).with_state(self.clone());
        format!("http://{}", loopback::serve(app).await)
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    fn next_fault(&self) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        if self.repeats {
            faults.front().copied()
        } else {
            faults.pop_front()
        }
    }
}

async fn answer(State(server): State<Server>, uri: Uri, headers: HeaderMap) -> Response {
    let named = headers
        .get("x-amz-target")
        .and_then(|name| name.to_str().ok());
    let operation = named.map_or_else(
        || uri.path().rsplit('/').next().unwrap_or_default().to_owned(),
        |name| name.rsplit('.').next().unwrap_or_default().to_owned(),
    );
    server.calls.lock().unwrap().push(operation.clone());
    let json = [("content-type", "application/x-amz-json-1.1")];
    let metrics = operation == "GetMetricData";
    match (server.next_fault(), metrics) {
        (Some(Fault::Hang), _) => std::future::pending().await,
        (Some(Fault::Garbage), _) => (answers::CBOR, "hunter2").into_response(),
        (Some(Fault::Error(status, code)), true) => {
            let body = answers::answer(&serde_json::json!({"__type": code}));
            (StatusCode::from_u16(status).unwrap(), body).into_response()
        }
        (Some(Fault::Error(status, code)), false) => {
            let body = format!(r#"{{"__type":"{code}"}}"#);
            (StatusCode::from_u16(status).unwrap(), json, body).into_response()
        }
        (None, true) => answers::answer(&serde_json::json!({})),
        (None, false) => (json, r#"{"events":[]}"#).into_response(),
    }
}

async fn start(
    settings: &Settings,
) -> (
    EvidenceCollector,
    mpsc::Receiver<EvidenceUpdate>,
    DaemonMetrics,
) {
    let base = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .load()
        .await;
    let (sender, updates) = mpsc::channel(64);
    let metrics = DaemonMetrics::new().unwrap();
    let collector = EvidenceCollector::start(
        settings,
        metrics.clone(),
        sender,
        Some(base),
        FIRST_LOG_SEARCH,
    );
    (collector, updates, metrics)
}

fn with_function(name: &str) -> Arc<Target> {
    target(name, |target| {
        target.aws.function = Some("orders".to_owned());
    })
}

fn with_function_and_log(target: &mut Target) {
    target.aws.function = Some("orders".to_owned());
    target.aws.access_log_group = Some("access".to_owned());
}

const ID: Option<&str> = Some("K2ZEDjwtIAMEcig=");

/// Age of the probes: every log search but the last one is due immediately.
const AN_HOUR: Duration = Duration::from_secs(3600);

/// Time limit of a wait.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_denied_operation_is_logged_once_and_returns_no_evidence() {
    let (log, _capture) = Log::capture();
    let server = Server::with(&[Fault::Error(403, "AccessDeniedException")], true);
    let targets = ["a", "b", "c"].map(|name| target(name, with_function_and_log));
    let (collector, mut updates, metrics) = start(&settings(&server.start().await, &targets)).await;
    for target in &targets {
        collector.request(request(target, ID, AN_HOUR));
        let (update, before) = last_update(&mut updates, PATIENCE).await;
        assert_eq!(update.target, target.name);
        assert_eq!((&*update.evidence, before), (&AwsEvidence::default(), 0));
    }
    let mut warnings = log.lines_with("evidence: ");
    warnings.sort();
    assert_eq!(warnings.len(), 2, "{warnings:#?}");
    let all = warnings.join("\n");
    assert!(all.contains("grant `cloudwatch:GetMetricData`"), "{all}");
    assert!(all.contains("grant `logs:FilterLogEvents`"), "{all}");
    // After the first denial, nothing is requested for the later targets.
    assert_eq!(server.calls().len(), 2);
    let requests = &metrics.evidence_requests;
    assert_eq!(
        requests
            .with_label_values(&["GetMetricData", "denied"])
            .get(),
        1
    );
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_is_logged_with_the_missing_permission() {
    let (log, _capture) = Log::capture();
    let server = Server::with(&[Fault::Error(403, "AccessDenied")], true);
    let target = target("role", |target| {
        with_function_and_log(target);
        target.aws.role_arn = Some("arn:aws:iam::123456789012:role/reader".to_owned());
        target.aws.external_id = Some("hunter2".to_owned());
    });
    let (collector, mut updates, _) =
        start(&settings(&server.start().await, &[Arc::clone(&target)])).await;
    collector.request(request(&target, None, AN_HOUR));
    let (update, _) = last_update(&mut updates, PATIENCE).await;
    assert_eq!(*update.evidence, AwsEvidence::default());
    let warnings = log.lines_with("evidence: ");
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(
        warnings[0].contains("`sts:AssumeRole` on the role"),
        "{warnings:?}"
    );
    assert!(!warnings[0].contains("hunter2"), "{warnings:?}");
}

#[tokio::test]
async fn a_throttled_or_unreadable_response_is_retried() {
    let (log, _capture) = Log::capture();
    for fault in [Fault::Error(400, "ThrottlingException"), Fault::Garbage] {
        let server = Server::with(&[fault], false);
        let target = with_function("a");
        let (collector, mut updates, _) =
            start(&settings(&server.start().await, &[Arc::clone(&target)])).await;
        collector.request(request(&target, None, AN_HOUR));
        let (update, _) = last_update(&mut updates, PATIENCE).await;
        assert!(update.evidence.window.is_some(), "{fault:?}");
        assert_eq!(server.calls().len(), 2);
    }
    let logged = log.lines_with("evidence: ").join("\n");
    assert!(!logged.contains("hunter2"), "{logged}");
}

#[tokio::test]
async fn a_hanging_call_does_not_delay_the_next_one() {
    let server = Server::with(&[Fault::Hang], false);
    let targets = [
        with_function("slow"),
        target("quick", |target| {
            target.aws.access_log_group = Some("access".to_owned());
        }),
    ];
    let (collector, mut updates, metrics) = start(&settings(&server.start().await, &targets)).await;
    collector.request(request(&targets[0], None, AN_HOUR));
    while server.calls().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    collector.request(request(&targets[1], ID, AN_HOUR));
    let first = next_update(&mut updates, PATIENCE).await;
    assert_eq!(first.target, targets[1].name);
    // The shutdown waits neither until the hanging call reaches its timeout nor until its own
    // deadline.
    collector.shutdown(Duration::from_secs(3600)).await;
    let requests = &metrics.evidence_requests;
    let failed = requests.with_label_values(&["GetMetricData", "failed"]);
    assert_eq!(failed.get(), 0);
}

#[tokio::test]
async fn the_daily_cost_limit_is_logged_once_and_logs_are_still_searched() {
    let (log, _capture) = Log::capture();
    let server = Server::default();
    let targets = ["a", "b", "c"].map(|name| target(name, with_function_and_log));
    let mut settings = settings(&server.start().await, &targets);
    // One request reads five series, so the budget covers one of the three targets.
    settings.evidence.max_daily_cost = 0.000_07;
    let (collector, mut updates, metrics) = start(&settings).await;
    for target in &targets {
        collector.request(request(target, ID, AN_HOUR));
        last_update(&mut updates, PATIENCE).await;
    }
    let calls = server.calls();
    let count = |name: &str| calls.iter().filter(|call| *call == name).count();
    assert_eq!((count("GetMetricData"), count("FilterLogEvents")), (1, 3));
    assert_eq!(
        metrics
            .evidence_dropped
            .with_label_values(&["cost-bound"])
            .get(),
        2
    );
    assert_eq!(
        log.lines_with("evidence: ").len(),
        1,
        "{:#?}",
        log.lines_with("evidence: ")
    );
}

#[tokio::test]
async fn one_call_reads_the_metrics_of_targets_that_share_a_function() {
    let server = Server::default();
    let targets = ["a", "b", "c"].map(with_function);
    let (collector, mut updates, metrics) = start(&settings(&server.start().await, &targets)).await;
    for target in &targets {
        collector.request(request(target, None, AN_HOUR));
    }
    for _ in &targets {
        last_update(&mut updates, PATIENCE).await;
    }
    assert_eq!(server.calls(), ["GetMetricData"]);
    // The cost of five series.
    assert!((metrics.evidence_cost.get() - 0.000_05).abs() < 1e-9);
}

#[tokio::test]
async fn a_request_that_cannot_be_made_gets_one_empty_update_immediately() {
    let server = Server::default();
    let undeclared = target("nothing", |_| ());
    let quote_in_id = target("odd", |target| {
        target.aws.access_log_group = Some("g".to_owned());
    });
    let declared = with_function("declared");
    let targets = [undeclared, quote_in_id, declared];
    let mut settings = settings(&server.start().await, &targets);
    let (collector, mut updates, _) = start(&settings).await;
    collector.request(request(&targets[0], ID, AN_HOUR));
    assert!(next_update(&mut updates, PATIENCE).await.last);
    collector.request(request(&targets[1], Some("\" ?\"ERROR"), AN_HOUR));
    assert!(next_update(&mut updates, PATIENCE).await.last);
    settings.evidence.enabled = false;
    collector.configure(&settings);
    collector.request(request(&targets[2], ID, AN_HOUR));
    // The collector may see the request before the configuration. Both orders give one last update.
    assert!(next_update(&mut updates, PATIENCE).await.last);
    assert!(server.calls().len() <= 1);
}

#[tokio::test]
async fn a_cancelled_request_is_not_sent_and_gets_no_update() {
    let server = Server::default();
    let target = with_function("a");
    let mut settings = settings(&server.start().await, &[Arc::clone(&target)]);
    settings.evidence.first_look = Duration::from_secs(2);
    let (collector, mut updates, _) = start(&settings).await;
    collector.request(request(&target, None, Duration::ZERO));
    tokio::time::sleep(Duration::from_millis(100)).await;
    collector.forget(&target.name);
    let result = tokio::time::timeout(Duration::from_secs(3), updates.recv()).await;
    assert!(result.is_err());
    assert_eq!(server.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_full_queue_drops_the_request_and_counts_it() {
    let server = Server::default();
    let target = with_function("a");
    let (collector, mut updates, metrics) =
        start(&settings(&server.start().await, &[Arc::clone(&target)])).await;
    // The collector's task cannot run between these calls.
    for _ in 0..300 {
        collector.request(request(&target, None, AN_HOUR));
    }
    let dropped = metrics.evidence_dropped.with_label_values(&["queue-full"]);
    assert!(dropped.get() > 0);
    assert!(next_update(&mut updates, PATIENCE).await.last);
}
