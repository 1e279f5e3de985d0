//! The CloudWatch sink when CloudWatch misbehaves: throttling, 500s, silence, refusals.
//!
//! An in-process server stands in only to fail in ways that an emulator cannot; what
//! works is shown against the emulator.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use probecause::io::sink::cloudwatch::CloudWatchSink;
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use tokio::time::{Instant, timeout};

use crate::support::cloudwatch::reports;
use crate::support::cloudwatch::sdk;

mod denied;
mod guarantees;
mod peers;
mod server;
mod table;

use denied::{PATIENCE, until};
use server::{Answer, Server};

use reports::{Again as _, failed, passed, settings, target};
use sdk::config;

/// A target goes down under the given faults; returns the metrics once everything was sent.
///
/// Server and sink share one thread, so a `publish` that waited for the server would never
/// return.
#[cfg(test)]
async fn check(server: Server) -> DaemonMetrics {
    let endpoint = server.start().await;
    let target = Arc::new(target("orders"));
    let settings = Arc::new(settings("here", &endpoint, vec![Arc::clone(&target)]));
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(settings, metrics.clone(), Some(config()));
    sink.publish(&passed(&target, "here"));
    sink.publish(&failed(&target, "here", 2, "lambda-throttled").again());
    until("everything is sent", || {
        count(&metrics, "PutMetricData", "ok") > 0 && metrics.spool_datapoints.get() == 0
    })
    .await;
    sink.shutdown(Duration::from_secs(3)).await;
    assert!(timeout(PATIENCE, sink.ended()).await.is_ok());
    metrics
}

#[cfg(test)]
fn count(metrics: &DaemonMetrics, operation: &str, outcome: &str) -> u64 {
    metrics
        .cloudwatch_requests
        .with_label_values(&[operation, outcome])
        .get()
}

/// The number of datapoints of a metric that the server has received.
#[cfg(test)]
fn received(server: &Server, metric: &str) -> usize {
    let metric = format!("\"{metric}\"");
    let taken = server.taken.lock().unwrap();
    let of_metric = taken
        .iter()
        .filter(|((_, datum), _)| datum.contains(&metric));
    of_metric.map(|(_, times)| times).sum()
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
    let metrics = check(server).await;
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
    // That it is not held back at all is tested in virtual time, beside the sink.
    let metrics = check(server).await;
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
    until("the datapoint is released", || {
        metrics.alarm_updates_late.get() > 0
    })
    .await;
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
    let sink = CloudWatchSink::start_with(settings, metrics.clone(), Some(config()));
    sink.publish(&passed(&target, "here"));
    sink.shutdown(Duration::from_millis(500)).await;
    // It ended before the hanging request reached its time limit.
    assert_eq!(count(&metrics, "PutMetricData", "failed"), 0);
}

#[tokio::test]
async fn the_heartbeat_stops_while_the_prober_itself_is_in_trouble() {
    let server = Server::default();
    let endpoint = server.clone().start().await;
    let orders = Arc::new(target("orders"));
    let mut settings = settings("here", &endpoint, vec![Arc::clone(&orders)]);
    // A heartbeat each second, so that its absence shows soon.
    settings.cloudwatch.resolution = Duration::from_secs(1);
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(Arc::new(settings), metrics.clone(), Some(config()));
    let heartbeats = || received(&server, "Heartbeat");
    until("two heartbeats", || heartbeats() >= 2).await;
    sink.trouble(true);
    // Three datapoints of a target, each of a second of its own: the first may have been
    // preceded by a heartbeat that was already queued.
    let mut before = 0;
    for number in 1..=3 {
        let sent = received(&server, "Down");
        sink.publish(&passed(&orders, "here"));
        until("a datapoint of the target", || {
            received(&server, "Down") > sent
        })
        .await;
        if number == 1 {
            before = heartbeats();
        }
    }
    assert_eq!(heartbeats(), before, "a heartbeat in spite of the trouble");
    sink.trouble(false);
    until("a heartbeat", || heartbeats() > before).await;
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
