//! Two guarantees about urgent alarm updates.
//!
//! The update of an alarm that is about to fire never waits for a full read of the account. A
//! datapoint waits at most two seconds for its cause, and does not wait for a failed call. The
//! server hangs or fails these calls, so the tests do not depend on its speed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use probecause::io::sink::cloudwatch::CloudWatchSink;
use probecause::io::sink::daemon_metrics::DaemonMetrics;

use crate::cloudwatch_faults::config;
use crate::cloudwatch_faults::denied::{description_contains, until};
use crate::cloudwatch_faults::server::{Reply, Server};
use crate::support::cloudwatch::reports::{Again as _, failed, passed, settings, target};

#[tokio::test]
async fn an_urgent_update_does_not_wait_for_a_full_read() {
    let server = Server::default();
    let endpoint = server.clone().start().await;
    let target = Arc::new(target("orders"));
    let first = settings("here", &endpoint, vec![Arc::clone(&target)]);
    let mut second = first.clone();
    second.cloudwatch.namespace = "Other".to_owned();
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(Arc::new(first), metrics.clone(), Some(config()));
    until("the alarm", || {
        description_contains(&server, "probecause here orders", "")
    })
    .await;

    // A reload starts another full read of the account, and the server never responds to it.
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
        description_contains(&server, "probecause here orders", "lambda-throttled")
    })
    .await;
    until("the datapoint", || down(&server, "orders")).await;
    sink.shutdown(Duration::from_secs(3)).await;
}

#[tokio::test]
async fn a_datapoint_is_sent_even_if_its_cause_cannot_be_written() {
    for alarm_reply in [
        Reply::Hang,
        Reply::fault(403, "AccessDeniedException", "no"),
        Reply::fault(500, "InternalServiceFault", "oops"),
    ] {
        let server = Server {
            alarm_reply: Some(alarm_reply),
            ..Server::default()
        };
        let endpoint = server.clone().start().await;
        let target = Arc::new(target("orders"));
        let settings = settings("here", &endpoint, vec![Arc::clone(&target)]);
        let metrics = DaemonMetrics::new().unwrap();
        let sink = CloudWatchSink::start_with(Arc::new(settings), metrics.clone(), Some(config()));
        sink.publish(&failed(&target, "here", 2, "lambda-throttled"));
        until("the datapoint", || down(&server, "orders")).await;
        assert_eq!(metrics.alarm_updates_late.get(), 1, "{alarm_reply:?}");
        sink.shutdown(Duration::from_secs(3)).await;
    }
}

/// Whether the server has received the value 1 for the metric `Down` of a target.
fn down(server: &Server, target: &str) -> bool {
    let datapoints = server.datapoints.lock().unwrap();
    let mut keys = datapoints.keys();
    keys.any(|(name, datum)| {
        name == target && datum.contains("\"Down\"") && datum.contains("\"Value\":1")
    })
}
