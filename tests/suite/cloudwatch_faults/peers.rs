//! Two daemons that hold the same targets, where CloudWatch or one of them fails.

use std::sync::Arc;
use std::time::Duration;

use probecause::domain::shard::holders;
use probecause::io::sink::cloudwatch::CloudWatchSink;
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::model::settings::ShardSettings;
use probecause::model::target::{Target, TargetName};

use crate::cloudwatch_faults::config;
use crate::cloudwatch_faults::denied::{says, until};
use crate::cloudwatch_faults::server::Server;
use crate::support::cloudwatch::reports::{Again as _, failed, passed, settings, target};

/// Both daemons hold everything; this is `own`.
fn shards(own: u32) -> ShardSettings {
    ShardSettings {
        total: 2,
        replicas_per_target: 2,
        own: Some(own),
        ..ShardSettings::default()
    }
}

/// A target whose alarm is a shard's to manage.
fn managed_by(shard: u32) -> Arc<Target> {
    let names = (0..).map(|number| format!("orders-{number}"));
    let first = |name: &String| holders(&shards(0), &TargetName::new(name))[0];
    let name = names.into_iter().find(|name| first(name) == shard).unwrap();
    Arc::new(target(&name))
}

/// The sink of one of the two.
fn daemon(own: u32, endpoint: &str, targets: &[Arc<Target>]) -> (CloudWatchSink, DaemonMetrics) {
    let mut settings = settings("here", endpoint, targets.to_vec());
    settings.shards = shards(own);
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(Arc::new(settings), metrics.clone(), Some(config()));
    (sink, metrics)
}

fn alarm(target: &Target) -> String {
    probecause::domain::alarm::target_alarm_name("here", target.name.as_str())
}

#[tokio::test]
async fn a_heartbeat_that_cannot_be_looked_at_holds_back_no_alarm() {
    let server = Server {
        unseen: Some("probecause here (heartbeat)"),
        ..Server::default()
    };
    let endpoint = server.clone().start().await;
    let (theirs, mine) = (managed_by(0), managed_by(1));
    let (sink, metrics) = daemon(1, &endpoint, &[theirs, Arc::clone(&mine)]);
    let looks = &metrics.cloudwatch_requests;
    let denied = looks.with_label_values(&["DescribeAlarms", "denied"]);
    until("a look that is denied", || denied.get() > 0).await;
    until("the alarm that is ours", || {
        says(&server, &alarm(&mine), "")
    })
    .await;

    sink.publish(&passed(&mine, "here"));
    sink.publish(&failed(&mine, "here", 2, "lambda-throttled").again());
    until("its cause", || {
        says(&server, &alarm(&mine), "lambda-throttled")
    })
    .await;
    assert_eq!(metrics.alarm_updates_late.get(), 0);
    assert_eq!(denied.get(), 1, "looked at again before its time");
    sink.shutdown(Duration::from_secs(3)).await;
}

/// A failure that only the second holder of a target sees: the first one's daemon stands
/// elsewhere in the network.
#[tokio::test]
async fn a_cause_that_was_written_for_another_daemon_is_taken_back_with_the_failure() {
    let server = Server::default();
    let endpoint = server.clone().start().await;
    let targets = [managed_by(0)];
    let target = &targets[0];
    let name = alarm(target);
    let says = |cause: &str| says(&server, &name, cause);
    let (first, _) = daemon(0, &endpoint, &targets);
    until("the alarm", || says("")).await;
    let (second, metrics) = daemon(1, &endpoint, &targets);
    let looked = &metrics.cloudwatch_requests;
    let looked = looked.with_label_values(&["DescribeAlarms", "ok"]);
    until("its look at the first one", || looked.get() >= 2).await;

    second.publish(&passed(target, "here"));
    second.publish(&failed(target, "here", 2, "lambda-throttled").again());
    until("the cause", || says("lambda-throttled")).await;
    server.firing.lock().unwrap().insert(name.clone());
    // It is another one while the alarm fires, which tips nothing any more.
    second.publish(&failed(target, "here", 3, "lambda-timeout").again());
    until("the better cause", || says("lambda-timeout")).await;
    assert_eq!(metrics.alarm_updates_late.get(), 0);

    second.publish(&passed(target, "here").again());
    server.firing.lock().unwrap().clear();
    until("that all is well", || says("No failure is known")).await;
    let cause = {
        let tags = server.tags.lock().unwrap();
        let mut tags = tags.iter();
        let (_, ours) = tags.find(|(arn, _)| arn.ends_with(&name)).unwrap();
        ours["probecause:cause"].clone()
    };
    assert_eq!(cause, "none");
    for daemon in [first, second] {
        daemon.shutdown(Duration::from_secs(3)).await;
    }
}
