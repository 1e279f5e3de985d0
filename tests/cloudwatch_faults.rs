//! The CloudWatch sink when CloudWatch misbehaves: throttling, 500s, silence, refusals.
//!
//! An in-process server stands in only to fail in ways that an emulator cannot; what
//! works is shown against the emulator.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudwatch::config::{Credentials, SharedCredentialsProvider};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use probecause::sink::cloudwatch::CloudWatchSink;
use probecause::sink::daemon_metrics::DaemonMetrics;
use tokio::time::{Instant, sleep, timeout};

#[cfg(test)]
#[path = "cloudwatch/reports.rs"]
mod reports;

use reports::{Again as _, failed, passed, settings, target};

/// How the server answers `PutMetricData`, in turn; then always well.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Fault(u16, &'static str),
    Hang,
}

#[derive(Clone, Default)]
struct Server {
    data: Arc<Mutex<VecDeque<Answer>>>,
    alarms: Option<Answer>,
    calls: Arc<Mutex<Vec<String>>>,
}

async fn answer(State(server): State<Server>, uri: Uri) -> Response {
    let operation = uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    let fault = if operation == "PutMetricData" {
        server
            .data
            .lock()
            .ok()
            .and_then(|mut faults| faults.pop_front())
    } else {
        server.alarms
    };
    if let Ok(mut calls) = server.calls.lock() {
        calls.push(operation);
    }
    // An empty CBOR map is an empty answer to every operation.
    let cbor = [
        ("smithy-protocol", "rpc-v2-cbor"),
        ("content-type", "application/cbor"),
    ];
    match fault {
        None => (cbor, [0xa0_u8].to_vec()).into_response(),
        Some(Answer::Hang) => std::future::pending().await,
        Some(Answer::Fault(status, code)) => {
            let length = u8::try_from(code.len()).unwrap_or(0);
            let mut body = b"\xa1\x66__type\x78".to_vec();
            body.push(length);
            body.extend(code.as_bytes());
            let status = StatusCode::from_u16(status).unwrap_or_default();
            (status, cbor, body).into_response()
        }
    }
}

#[cfg(test)]
impl Server {
    async fn start(self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(self);
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }
}

fn config() -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// A target goes down under the given faults; returns the metrics once everything was
/// sent, and after how long.
#[cfg(test)]
async fn check(server: Server) -> (DaemonMetrics, Duration) {
    let endpoint = server.start().await;
    let target = Arc::new(target("orders"));
    let settings = Arc::new(settings("here", &endpoint, vec![Arc::clone(&target)]));
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(settings, metrics.clone(), Some(config()));
    let begun = Instant::now();
    sink.publish(&passed(&target, "here"));
    sink.publish(&failed(&target, "here", 2, "lambda-throttled").again());
    let published = begun.elapsed();
    assert!(
        published < Duration::from_millis(100),
        "publishing waited {published:?}"
    );
    let requests = &metrics.cloudwatch_requests;
    let sent = requests.with_label_values(&["PutMetricData", "ok"]);
    while sent.get() == 0 || metrics.spool_datapoints.get() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "never sent");
        sleep(Duration::from_millis(20)).await;
    }
    let took = begun.elapsed();
    sink.shutdown(Duration::from_secs(3)).await;
    assert!(timeout(Duration::from_secs(1), sink.ended()).await.is_ok());
    (metrics, took)
}

#[cfg(test)]
fn count(metrics: &DaemonMetrics, operation: &str, outcome: &str) -> u64 {
    metrics
        .cloudwatch_requests
        .with_label_values(&[operation, outcome])
        .get()
}

#[tokio::test]
async fn throttling_and_faults_are_tried_again_and_lose_nothing() {
    let faults = [
        Answer::Fault(400, "ThrottlingException"),
        Answer::Fault(500, "InternalServiceFault"),
    ];
    let server = Server {
        data: Arc::new(Mutex::new(faults.into())),
        ..Server::default()
    };
    let (metrics, _) = check(server).await;
    assert_eq!(count(&metrics, "PutMetricData", "throttled"), 1);
    assert_eq!(count(&metrics, "PutMetricData", "failed"), 1);
    assert_eq!(
        metrics
            .sink_dropped
            .with_label_values(&["cloudwatch"])
            .get(),
        0
    );
}

#[tokio::test]
async fn failing_alarm_calls_do_not_hold_the_datapoint_back() {
    let server = Server {
        alarms: Some(Answer::Fault(403, "AccessDeniedException")),
        ..Server::default()
    };
    let (metrics, took) = check(server).await;
    assert!(took < Duration::from_millis(1500), "held back for {took:?}");
    assert!(count(&metrics, "DescribeAlarms", "denied") >= 1);
    assert_eq!(metrics.alarm_updates_late.get(), 1);
}

#[tokio::test]
async fn hanging_alarm_calls_hold_the_datapoint_for_two_seconds_at_most() {
    let server = Server {
        alarms: Some(Answer::Hang),
        ..Server::default()
    };
    let endpoint = server.clone().start().await;
    let target = Arc::new(target("orders"));
    let settings = Arc::new(settings("here", &endpoint, vec![Arc::clone(&target)]));
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(settings, metrics.clone(), Some(config()));
    let begun = Instant::now();
    sink.publish(&failed(&target, "here", 2, "lambda-throttled"));
    while metrics.alarm_updates_late.get() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(4), "still held");
        sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(1900));
    sink.shutdown(Duration::from_secs(3)).await;
    assert!(count(&metrics, "PutMetricData", "ok") >= 1);
}

#[tokio::test]
async fn shutdown_keeps_its_deadline_when_cloudwatch_is_silent() {
    let silent = vec![Answer::Hang; 10];
    let server = Server {
        data: Arc::new(Mutex::new(silent.into())),
        ..Server::default()
    };
    let endpoint = server.start().await;
    let target = Arc::new(target("orders"));
    let settings = Arc::new(settings("here", &endpoint, vec![Arc::clone(&target)]));
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(settings, metrics, Some(config()));
    sink.publish(&passed(&target, "here"));
    let begun = Instant::now();
    sink.shutdown(Duration::from_millis(500)).await;
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn the_heartbeat_stops_while_the_prober_itself_is_in_trouble() {
    let server = Server::default();
    let endpoint = server.clone().start().await;
    let mut settings = settings("here", &endpoint, vec![Arc::new(target("orders"))]);
    // A heartbeat each second, so that its absence shows soon.
    settings.cloudwatch.resolution = Duration::from_secs(1);
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(Arc::new(settings), metrics.clone(), Some(config()));
    let sent = || count(&metrics, "PutMetricData", "ok");
    let beats = async |least| {
        let begun = Instant::now();
        while sent() < least {
            assert!(begun.elapsed() < Duration::from_secs(30), "no heartbeat");
            sleep(Duration::from_millis(50)).await;
        }
    };
    beats(2).await;
    sink.trouble(true);
    // What is on its way arrives first.
    sleep(Duration::from_millis(1500)).await;
    let before = sent();
    sleep(Duration::from_millis(3000)).await;
    assert_eq!(sent(), before, "a heartbeat in spite of the trouble");
    sink.trouble(false);
    beats(before + 1).await;
    sink.shutdown(Duration::from_secs(3)).await;
}
