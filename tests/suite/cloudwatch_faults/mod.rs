//! The CloudWatch sink against a server that throttles, fails, does not respond or denies calls.
//!
//! The server runs in the test process and injects faults that the emulator does not have.
//! `cloudwatch_emulator` tests the sink without faults.

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
use server::{Reply, Server};

use reports::{Again as _, failed, passed, settings, target};
use sdk::config;

/// Publishes one passed and one failed probe to a faulty server, waits until all datapoints are
/// sent, and returns the metrics.
///
/// Server and sink share one thread, so a `publish` that waits for the server never returns.
#[cfg(test)]
async fn publish_a_failure(server: Server) -> DaemonMetrics {
    let endpoint = server.start().await;
    let target = Arc::new(target("orders"));
    let settings = Arc::new(settings("here", &endpoint, vec![Arc::clone(&target)]));
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(settings, metrics.clone(), Some(config()));
    sink.publish(&passed(&target, "here"));
    sink.publish(&failed(&target, "here", 2, "lambda-throttled").again());
    until("all datapoints to be sent", || {
        count(&metrics, "PutMetricData", "ok") > 0 && metrics.spool_datapoints.get() == 0
    })
    .await;
    sink.shutdown(Duration::from_secs(3)).await;
    assert!(timeout(PATIENCE, sink.ended()).await.is_ok());
    metrics
}

/// Number of CloudWatch requests by operation and outcome.
#[cfg(test)]
fn count(metrics: &DaemonMetrics, operation: &str, outcome: &str) -> u64 {
    metrics
        .cloudwatch_requests
        .with_label_values(&[operation, outcome])
        .get()
}

/// Number of datapoints of a metric that the server has received, including repeated ones.
#[cfg(test)]
fn received(server: &Server, metric: &str) -> usize {
    let metric = format!("\"{metric}\"");
    let datapoints = server.datapoints.lock().unwrap();
    let of_metric = datapoints
        .iter()
        .filter(|((_, datum), _)| datum.contains(&metric));
    of_metric.map(|(_, count)| count).sum()
}

#[tokio::test]
async fn throttled_and_failed_requests_are_retried_without_loss() {
    let faults = [
        Reply::fault(400, "ThrottlingException", "Rate exceeded"),
        Reply::fault(500, "InternalServiceFault", ""),
    ];
    let server = Server {
        data_replies: Arc::new(Mutex::new(faults.into())),
        ..Server::default()
    };
    let metrics = publish_a_failure(server).await;
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
async fn a_datapoint_is_sent_even_if_alarm_calls_fail() {
    let server = Server {
        alarm_reply: Some(Reply::fault(403, "AccessDeniedException", "no")),
        ..Server::default()
    };
    // The unit tests of the sink check in virtual time that the datapoint is not delayed.
    let metrics = publish_a_failure(server).await;
    assert!(count(&metrics, "DescribeAlarms", "denied") >= 1);
    assert_eq!(metrics.alarm_updates_late.get(), 1);
}

#[tokio::test]
async fn a_datapoint_waits_two_seconds_for_alarm_calls_that_hang() {
    let server = Server {
        alarm_reply: Some(Reply::Hang),
        ..Server::default()
    };
    let endpoint = server.clone().start().await;
    let target = Arc::new(target("orders"));
    let settings = Arc::new(settings("here", &endpoint, vec![Arc::clone(&target)]));
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(settings, metrics.clone(), Some(config()));
    let started = Instant::now();
    sink.publish(&failed(&target, "here", 2, "lambda-throttled"));
    until("the datapoint to be released", || {
        metrics.alarm_updates_late.get() > 0
    })
    .await;
    assert!(started.elapsed() >= Duration::from_millis(1900));
    sink.shutdown(Duration::from_secs(3)).await;
    assert!(count(&metrics, "PutMetricData", "ok") >= 1);
}

#[tokio::test]
async fn shutdown_keeps_its_deadline_if_cloudwatch_does_not_respond() {
    let hanging = vec![Reply::Hang; 10];
    let server = Server {
        data_replies: Arc::new(Mutex::new(hanging.into())),
        ..Server::default()
    };
    let endpoint = server.start().await;
    let target = Arc::new(target("orders"));
    let settings = Arc::new(settings("here", &endpoint, vec![Arc::clone(&target)]));
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(settings, metrics.clone(), Some(config()));
    sink.publish(&passed(&target, "here"));
    sink.shutdown(Duration::from_millis(500)).await;
    // Shutdown ended before the hanging request timed out.
    assert_eq!(count(&metrics, "PutMetricData", "failed"), 0);
}

#[tokio::test]
async fn the_heartbeat_stops_while_the_prober_has_a_local_problem() {
    let server = Server::default();
    let endpoint = server.clone().start().await;
    let orders = Arc::new(target("orders"));
    let mut settings = settings("here", &endpoint, vec![Arc::clone(&orders)]);
    // One heartbeat per second, so that a missing one shows soon.
    settings.cloudwatch.resolution = Duration::from_secs(1);
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(Arc::new(settings), metrics.clone(), Some(config()));
    let heartbeats = || received(&server, "Heartbeat");
    until("two heartbeats", || heartbeats() >= 2).await;
    sink.set_prober_impaired(true);
    // Three datapoints of a target, each in a different second. A heartbeat that was already
    // queued may arrive before the first one, so heartbeats are counted after it.
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
    assert_eq!(
        heartbeats(),
        before,
        "a heartbeat arrived during the local problem"
    );
    sink.set_prober_impaired(false);
    until("a heartbeat", || heartbeats() > before).await;
    sink.shutdown(Duration::from_secs(3)).await;
}

#[tokio::test]
async fn a_thousand_targets_fit_into_a_few_compressed_requests() {
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
    let datapoints = server.datapoints.lock().unwrap().len();
    assert!(datapoints >= 999, "{datapoints} datapoints");
    let calls = server.calls.lock().unwrap().clone();
    let data_calls: Vec<_> = calls
        .into_iter()
        .filter(|(operation, ..)| operation == "PutMetricData")
        .collect();
    // One request for a heartbeat alone, one for the rest, and one at the end of a window.
    assert!(data_calls.len() <= 3, "{data_calls:?}");
    let (_, encoding, bytes) = data_calls.iter().max_by_key(|(.., bytes)| bytes).unwrap();
    assert_eq!(encoding.as_deref(), Some("gzip"));
    assert!(*bytes < 100_000, "{bytes} bytes");
}
