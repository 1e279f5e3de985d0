//! Asking for evidence when AWS refuses, throttles, hangs or talks nonsense.
//!
//! An in-process server stands in only to fail in ways that an emulator cannot; what
//! works is shown against the emulator.

#![cfg(test)]

use std::collections::VecDeque;
use std::io::Write;
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
use tracing_subscriber::fmt::MakeWriter;

use crate::support::cloudwatch::answers;
use crate::support::cloudwatch::evidence;
use crate::support::loopback;

use evidence::{last, next, question, settings, target};

/// How the server answers, in turn; then always well.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Error(u16, &'static str),
    Hang,
    Garbage,
}

/// A stand-in for three services.
#[derive(Clone, Default)]
struct Server {
    faults: Arc<Mutex<VecDeque<Fault>>>,
    calls: Arc<Mutex<Vec<String>>>,
    /// Whether the first fault is for ever.
    lasting: bool,
}

impl Server {
    fn with(faults: &[Fault], lasting: bool) -> Self {
        Self {
            faults: Arc::new(Mutex::new(faults.iter().copied().collect())),
            lasting,
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

    fn fault(&self) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        if self.lasting {
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
    match (server.fault(), metrics) {
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

/// What is logged, kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Keeps what this thread logs from now on.
    fn keep(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .with_writer(self.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn warnings(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().filter(|line| line.contains("evidence: "));
        lines.map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
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
    let (sender, answers) = mpsc::channel(64);
    let metrics = DaemonMetrics::new().unwrap();
    let asking = EvidenceCollector::start(
        settings,
        metrics.clone(),
        sender,
        Some(base),
        FIRST_LOG_SEARCH,
    );
    (asking, answers, metrics)
}

fn with_function(name: &str) -> Arc<Target> {
    target(name, |target| {
        target.aws.function = Some("orders".to_owned());
    })
}

fn with_everything(target: &mut Target) {
    target.aws.function = Some("orders".to_owned());
    target.aws.access_log_group = Some("access".to_owned());
}

const ID: Option<&str> = Some("K2ZEDjwtIAMEcig=");

/// Long enough that every look but the last of the log is due.
const LONG_AGO: Duration = Duration::from_secs(3600);

/// Far longer than anything here takes, but for what is meant to hang.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_refusal_is_told_once_and_the_outside_verdict_stands() {
    let log = Log::default();
    let _guard = log.keep();
    let server = Server::with(&[Fault::Error(403, "AccessDeniedException")], true);
    let targets = ["a", "b", "c"].map(|name| target(name, with_everything));
    let (asking, mut answers, metrics) = start(&settings(&server.start().await, &targets)).await;
    for target in &targets {
        asking.ask(question(target, ID, LONG_AGO));
        let (answer, before) = last(&mut answers, PATIENCE).await;
        assert_eq!(answer.target, target.name);
        assert_eq!((&*answer.evidence, before), (&AwsEvidence::default(), 0));
    }
    let mut warnings = log.warnings();
    warnings.sort();
    assert_eq!(warnings.len(), 2, "{warnings:#?}");
    let all = warnings.join("\n");
    assert!(all.contains("allow `cloudwatch:GetMetricData`"), "{all}");
    assert!(all.contains("allow `logs:FilterLogEvents`"), "{all}");
    // The later targets were not asked about at all.
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
async fn a_role_that_cannot_be_assumed_is_named_with_the_mend() {
    let log = Log::default();
    let _guard = log.keep();
    let server = Server::with(&[Fault::Error(403, "AccessDenied")], true);
    let target = target("role", |target| {
        with_everything(target);
        target.aws.role_arn = Some("arn:aws:iam::123456789012:role/reader".to_owned());
        target.aws.external_id = Some("hunter2".to_owned());
    });
    let (asking, mut answers, _) =
        start(&settings(&server.start().await, &[Arc::clone(&target)])).await;
    asking.ask(question(&target, None, LONG_AGO));
    let (answer, _) = last(&mut answers, PATIENCE).await;
    assert_eq!(*answer.evidence, AwsEvidence::default());
    let warnings = log.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(
        warnings[0].contains("allow `sts:AssumeRole`"),
        "{warnings:?}"
    );
    assert!(!warnings[0].contains("hunter2"), "{warnings:?}");
}

#[tokio::test]
async fn throttling_and_nonsense_are_tried_again() {
    let log = Log::default();
    let _guard = log.keep();
    for fault in [Fault::Error(400, "ThrottlingException"), Fault::Garbage] {
        let server = Server::with(&[fault], false);
        let target = with_function("a");
        let (asking, mut answers, _) =
            start(&settings(&server.start().await, &[Arc::clone(&target)])).await;
        asking.ask(question(&target, None, LONG_AGO));
        let (answer, _) = last(&mut answers, PATIENCE).await;
        assert!(answer.evidence.window.is_some(), "{fault:?}");
        assert_eq!(server.calls().len(), 2);
    }
    let told = log.warnings().join("\n");
    assert!(!told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn a_call_that_hangs_does_not_hold_up_the_next() {
    let server = Server::with(&[Fault::Hang], false);
    let targets = [
        with_function("slow"),
        target("quick", |target| {
            target.aws.access_log_group = Some("access".to_owned());
        }),
    ];
    let (asking, mut answers, metrics) = start(&settings(&server.start().await, &targets)).await;
    asking.ask(question(&targets[0], None, LONG_AGO));
    while server.calls().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    asking.ask(question(&targets[1], ID, LONG_AGO));
    let first = next(&mut answers, Duration::from_secs(5)).await;
    assert_eq!(first.target, targets[1].name);
    // The shutdown waits neither for the hanging call, which has a time limit, nor for its
    // own deadline.
    asking.shutdown(Duration::from_secs(3600)).await;
    let requests = &metrics.evidence_requests;
    let failed = requests.with_label_values(&["GetMetricData", "failed"]);
    assert_eq!(failed.get(), 0);
}

#[tokio::test]
async fn the_days_bound_is_told_once_and_logs_are_searched_all_the_same() {
    let log = Log::default();
    let _guard = log.keep();
    let server = Server::default();
    let targets = ["a", "b", "c"].map(|name| target(name, with_everything));
    let mut settings = settings(&server.start().await, &targets);
    // Five series a question: enough for one of the three.
    settings.evidence.max_daily_cost = 0.000_07;
    let (asking, mut answers, metrics) = start(&settings).await;
    for target in &targets {
        asking.ask(question(target, ID, LONG_AGO));
        last(&mut answers, PATIENCE).await;
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
    assert_eq!(log.warnings().len(), 1, "{:#?}", log.warnings());
}

#[tokio::test]
async fn one_call_reads_the_metrics_of_targets_that_share_a_function() {
    let server = Server::default();
    let targets = ["a", "b", "c"].map(with_function);
    let (asking, mut answers, metrics) = start(&settings(&server.start().await, &targets)).await;
    for target in &targets {
        asking.ask(question(target, None, LONG_AGO));
    }
    for _ in &targets {
        last(&mut answers, PATIENCE).await;
    }
    assert_eq!(server.calls(), ["GetMetricData"]);
    // Each of the five series once.
    assert!((metrics.evidence_cost.get() - 0.000_05).abs() < 1e-9);
}

#[tokio::test]
async fn what_cannot_be_asked_is_answered_with_nothing_at_once() {
    let server = Server::default();
    let nothing = target("nothing", |_| ());
    let odd = target("odd", |target| {
        target.aws.access_log_group = Some("g".to_owned());
    });
    let declared = with_function("declared");
    let targets = [nothing, odd, declared];
    let mut settings = settings(&server.start().await, &targets);
    let (asking, mut answers, _) = start(&settings).await;
    asking.ask(question(&targets[0], ID, LONG_AGO));
    assert!(next(&mut answers, PATIENCE).await.last);
    asking.ask(question(&targets[1], Some("\" ?\"ERROR"), LONG_AGO));
    assert!(next(&mut answers, PATIENCE).await.last);
    settings.evidence.enabled = false;
    asking.configure(&settings);
    asking.ask(question(&targets[2], ID, LONG_AGO));
    // The configuration may come after the question: either way it is one last answer.
    assert!(next(&mut answers, PATIENCE).await.last);
    assert!(server.calls().len() <= 1);
}

#[tokio::test]
async fn a_forgotten_question_is_neither_asked_nor_answered() {
    let server = Server::default();
    let target = with_function("a");
    let mut settings = settings(&server.start().await, &[Arc::clone(&target)]);
    settings.evidence.first_look = Duration::from_secs(2);
    let (asking, mut answers, _) = start(&settings).await;
    asking.ask(question(&target, None, Duration::ZERO));
    tokio::time::sleep(Duration::from_millis(100)).await;
    asking.forget(&target.name);
    let silent = tokio::time::timeout(Duration::from_secs(3), answers.recv()).await;
    assert!(silent.is_err());
    assert_eq!(server.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_full_queue_drops_the_question_and_says_so() {
    let server = Server::default();
    let target = with_function("a");
    let (asking, mut answers, metrics) =
        start(&settings(&server.start().await, &[Arc::clone(&target)])).await;
    // The task has no chance to run between.
    for _ in 0..300 {
        asking.ask(question(&target, None, LONG_AGO));
    }
    let dropped = metrics.evidence_dropped.with_label_values(&["queue-full"]);
    assert!(dropped.get() > 0);
    assert!(next(&mut answers, PATIENCE).await.last);
}
