//! Two guarantees about urgent alarm updates that every change of the code must keep.
//!
//! An update of an alarm that is about to fire never waits for a full read of the account.
//! A datapoint waits at most two seconds for its cause, and not at all for a failing call.
//! Both hold here against a server whose calls never end, so no speed is measured.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use probecause::io::sink::cloudwatch::CloudWatchSink;
use probecause::io::sink::daemon_metrics::DaemonMetrics;

use crate::cloudwatch_faults::config;
use crate::cloudwatch_faults::denied::{says, until};
use crate::cloudwatch_faults::server::{Answer, Server};
use crate::support::cloudwatch::reports::{Again as _, failed, passed, settings, target};

#[tokio::test]
async fn an_urgent_update_never_waits_for_a_full_read() {
    let server = Server::default();
    let endpoint = server.clone().start().await;
    let target = Arc::new(target("orders"));
    let first = settings("here", &endpoint, vec![Arc::clone(&target)]);
    let mut second = first.clone();
    second.cloudwatch.namespace = "Other".to_owned();
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(Arc::new(first), metrics.clone(), Some(config()));
    until("the alarm", || says(&server, "probecause here orders", "")).await;

    // A reload has the account read again, and this read never ends.
    server.full_reads_hang.store(true, Ordering::Relaxed);
    let before = server.full_reads.load(Ordering::Relaxed);
    sink.configure(Arc::new(second));
    until("the second full read", || {
        server.full_reads.load(Ordering::Relaxed) > before
    })
    .await;
    sink.publish(&passed(&target, "here"));
    sink.publish(&failed(&target, "here", 2, "lambda-throttled").again());
    until("the cause", || {
        says(&server, "probecause here orders", "lambda-throttled")
    })
    .await;
    until("the datapoint", || down(&server, "orders")).await;
    sink.shutdown(Duration::from_secs(3)).await;
}

#[tokio::test]
async fn a_datapoint_is_sent_although_its_cause_cannot_be_written() {
    for alarms in [
        Answer::Hang,
        Answer::fault(403, "AccessDeniedException", "no"),
        Answer::fault(500, "InternalServiceFault", "oops"),
    ] {
        let server = Server {
            alarms: Some(alarms),
            ..Server::default()
        };
        let endpoint = server.clone().start().await;
        let target = Arc::new(target("orders"));
        let settings = settings("here", &endpoint, vec![Arc::clone(&target)]);
        let metrics = DaemonMetrics::new().unwrap();
        let sink = CloudWatchSink::start_with(Arc::new(settings), metrics.clone(), Some(config()));
        sink.publish(&failed(&target, "here", 2, "lambda-throttled"));
        until("the datapoint", || down(&server, "orders")).await;
        assert_eq!(metrics.alarm_updates_late.get(), 1, "{alarms:?}");
        sink.shutdown(Duration::from_secs(3)).await;
    }
}

/// Whether CloudWatch has received a 1 for `Down` of a target.
fn down(server: &Server, target: &str) -> bool {
    let taken = server.taken.lock().unwrap();
    let mut points = taken.keys();
    points.any(|(name, datum)| {
        name == target && datum.contains("\"Down\"") && datum.contains("\"Value\":1")
    })
}
