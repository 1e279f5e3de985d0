//! The CloudWatch sink when CloudWatch misbehaves: throttling, 500s, silence, refusals.
//!
//! An in-process server stands in only to fail in ways that an emulator cannot; what
//! works is shown against the emulator.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use probecause::io::sink::cloudwatch::CloudWatchSink;
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use tokio::time::{Instant, sleep, timeout};

use crate::support::cloudwatch::reports;
use crate::support::cloudwatch::sdk;

mod denied;
mod guarantees;
mod peers;
mod server;
mod table;

use server::{Answer, Server};

use reports::{Again as _, failed, passed, settings, target};
use sdk::config;

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
        Answer::fault(400, "ThrottlingException", "Rate exceeded"),
        Answer::fault(500, "InternalServiceFault", ""),
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
        alarms: Some(Answer::fault(403, "AccessDeniedException", "no")),
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

#[tokio::test]
async fn a_thousand_targets_fit_into_few_requests_which_are_compressed() {
    let server = Server::default();
    let endpoint = server.clone().start().await;
    let targets: Vec<_> = (0..999)
        .map(|number| Arc::new(target(&format!("target-{number}"))))
        .collect();
    let settings = Arc::new(settings("here", &endpoint, targets.clone()));
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(settings, metrics.clone(), Some(config()));
    for target in &targets {
        sink.publish(&passed(target, "here"));
    }
    sink.shutdown(Duration::from_secs(5)).await;
    let taken = server.taken.lock().unwrap().len();
    assert!(taken >= 999, "{taken} datapoints");
    let calls = server.calls.lock().unwrap().clone();
    let data: Vec<_> = calls
        .into_iter()
        .filter(|(operation, ..)| operation == "PutMetricData")
        .collect();
    // One for a heartbeat that came alone, one for the rest, one for a window's end.
    assert!(data.len() <= 3, "{data:?}");
    let (_, encoding, bytes) = data.iter().max_by_key(|(.., bytes)| bytes).unwrap();
    assert_eq!(encoding.as_deref(), Some("gzip"));
    assert!(*bytes < 100_000, "{bytes} bytes");
}
