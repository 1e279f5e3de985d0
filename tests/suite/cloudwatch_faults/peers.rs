//! Two replicas that probe the same targets, with a denied call or a failure that only one sees.

use std::sync::Arc;
use std::time::Duration;

use probecause::domain::shard::assigned_shards;
use probecause::io::sink::cloudwatch::CloudWatchSink;
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::model::settings::ShardSettings;
use probecause::model::target::{Target, TargetName};

use crate::cloudwatch_faults::config;
use crate::cloudwatch_faults::denied::{description_contains, until};
use crate::cloudwatch_faults::server::Server;
use crate::support::cloudwatch::reports::{Again as _, failed, passed, settings, target};
use crate::support::cloudwatch::sink;

/// Settings of shard `own` of two. Both shards probe all targets.
fn shards(own: u32) -> ShardSettings {
    ShardSettings {
        total: 2,
        replicas_per_target: 2,
        own: Some(own),
        ..ShardSettings::default()
    }
}

/// A target whose alarm a shard manages.
fn managed_by(shard: u32) -> Arc<Target> {
    let names = (0..).map(|number| format!("orders-{number}"));
    let first = |name: &String| assigned_shards(&shards(0), &TargetName::new(name))[0];
    let name = names.into_iter().find(|name| first(name) == shard).unwrap();
    Arc::new(target(&name))
}

/// The sink and the metrics of one replica.
fn daemon(own: u32, endpoint: &str, targets: &[Arc<Target>]) -> (CloudWatchSink, DaemonMetrics) {
    let mut settings = settings("here", endpoint, targets.to_vec());
    settings.shards = shards(own);
    let metrics = DaemonMetrics::new().unwrap();
    let sink = sink::patient(&Arc::new(settings), &metrics, config(), REVIEW_EVERY);
    (sink, metrics)
}

/// Interval at which the sinks review their alarms: as long as in the daemon.
const REVIEW_EVERY: Duration = Duration::from_secs(600);

/// The name of the alarm of a target.
fn alarm(target: &Target) -> String {
    probecause::domain::alarm::target_alarm_name("here", target.name.as_str())
}

#[tokio::test]
async fn a_denied_read_of_a_heartbeat_alarm_does_not_delay_other_alarms() {
    let server = Server {
        describe_denied: Some("probecause here (heartbeat)"),
        ..Server::default()
    };
    let endpoint = server.clone().start().await;
    let (foreign, own) = (managed_by(0), managed_by(1));
    let (sink, metrics) = daemon(1, &endpoint, &[foreign, Arc::clone(&own)]);
    let requests = &metrics.cloudwatch_requests;
    let denied = requests.with_label_values(&["DescribeAlarms", "denied"]);
    until("a denied read", || denied.get() > 0).await;
    until("the alarm of this replica", || {
        description_contains(&server, &alarm(&own), "")
    })
    .await;

    sink.publish(&passed(&own, "here"));
    sink.publish(&failed(&own, "here", 2, "lambda-throttled").again());
    until("the cause", || {
        description_contains(&server, &alarm(&own), "lambda-throttled")
    })
    .await;
    assert_eq!(metrics.alarm_updates_late.get(), 0);
    assert_eq!(denied.get(), 1, "the read was repeated too early");
    sink.shutdown(Duration::from_secs(3)).await;
}

/// Only the second replica sees the failure, since the first has another network path.
#[tokio::test]
async fn a_replica_that_does_not_manage_the_alarm_removes_the_cause_after_recovery() {
    let server = Server::default();
    let endpoint = server.clone().start().await;
    let targets = [managed_by(0)];
    let target = &targets[0];
    let name = alarm(target);
    let alarm_contains = |text: &str| description_contains(&server, &name, text);
    let (first, _) = daemon(0, &endpoint, &targets);
    until("the alarm", || alarm_contains("")).await;
    let (second, metrics) = daemon(1, &endpoint, &targets);
    let requests = &metrics.cloudwatch_requests;
    let reads = requests.with_label_values(&["DescribeAlarms", "ok"]);
    until(
        "the read of the heartbeat alarm of the first replica",
        || reads.get() >= 2,
    )
    .await;

    second.publish(&passed(target, "here"));
    second.publish(&failed(target, "here", 2, "lambda-throttled").again());
    until("the cause", || alarm_contains("lambda-throttled")).await;
    server.firing.lock().unwrap().insert(name.clone());
    // The cause changes while the alarm fires, so its update is not urgent.
    second.publish(&failed(target, "here", 3, "lambda-timeout").again());
    until("the new cause", || alarm_contains("lambda-timeout")).await;
    assert_eq!(metrics.alarm_updates_late.get(), 0);

    second.publish(&passed(target, "here").again());
    server.firing.lock().unwrap().clear();
    until("the recovery", || alarm_contains("No failure is known")).await;
    let cause = {
        let tags = server.tags.lock().unwrap();
        let mut tags = tags.iter();
        let (_, alarm_tags) = tags.find(|(arn, _)| arn.ends_with(&name)).unwrap();
        alarm_tags["probecause:cause"].clone()
    };
    assert_eq!(cause, "none");
    for sink in [first, second] {
        sink.shutdown(Duration::from_secs(3)).await;
    }
}
