//! One alarm that may not be written, or one call that is not allowed, holds back nothing
//! else.

use std::sync::Arc;
use std::time::Duration;

use probecause::io::sink::cloudwatch::CloudWatchSink;
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use tokio::time::{Instant, sleep};

use crate::cloudwatch_faults::config;
use crate::cloudwatch_faults::server::{Server, arn};
use crate::support::cloudwatch::reports::{Again as _, failed, passed, settings, target};

/// Waits for something that is to come soon.
/// How long a test waits for what must happen, however slow the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a condition.
pub(crate) async fn until(what: &str, wanted: impl Fn() -> bool) {
    let begun = Instant::now();
    while !wanted() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn says(server: &Server, alarm: &str, cause: &str) -> bool {
    let said = server.said.lock().unwrap();
    said.get(alarm).is_some_and(|text| text.contains(cause))
}

#[tokio::test]
async fn an_alarm_that_is_denied_keeps_no_other_from_naming_its_cause_in_time() {
    let server = Server {
        denied: Some("forbidden"),
        ..Server::default()
    };
    let endpoint = server.clone().start().await;
    // In the order of the configuration the forbidden one comes first.
    let names = ["forbidden", "orders", "payments"];
    let targets: Vec<_> = names.map(|name| Arc::new(target(name))).into();
    let settings = Arc::new(settings("here", &endpoint, targets.clone()));
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(settings, metrics.clone(), Some(config()));
    for target in &targets {
        sink.publish(&passed(target, "here"));
    }
    until("the alarms of the others", || {
        server.said.lock().unwrap().len() == 3
    })
    .await;

    // The forbidden one fails first, and then the others.
    for target in &targets {
        sink.publish(&failed(target, "here", 2, "lambda-throttled").again());
    }
    for alarm in ["probecause here orders", "probecause here payments"] {
        until(alarm, || says(&server, alarm, "lambda-throttled")).await;
    }
    let late = metrics.alarm_updates_late.get();
    assert_eq!(late, 1, "the forbidden one alone is late");

    // A recovery, which is not urgent, is written as well.
    for target in &targets {
        sink.publish(&passed(target, "here").again());
    }
    sink.shutdown(Duration::from_secs(3)).await;
}

#[tokio::test]
async fn alarms_that_cannot_be_silenced_keep_no_other_from_naming_its_cause() {
    let server = Server {
        denied: Some("DisableAlarmActions"),
        ..Server::default()
    };
    let endpoint = server.clone().start().await;
    let (orders, gone) = (Arc::new(target("orders")), Arc::new(target("gone")));
    let both = settings("here", &endpoint, vec![Arc::clone(&orders), gone]);
    let one = settings("here", &endpoint, vec![Arc::clone(&orders)]);
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(Arc::new(both), metrics.clone(), Some(config()));
    until("both alarms", || server.said.lock().unwrap().len() == 3).await;
    sink.configure(Arc::new(one));
    let asked = metrics
        .cloudwatch_requests
        .with_label_values(&["DisableAlarmActions", "denied"]);
    until("the denied call", || asked.get() == 1).await;
    sink.publish(&passed(&orders, "here"));
    sink.publish(&failed(&orders, "here", 2, "lambda-throttled").again());
    until("the cause", || {
        says(&server, "probecause here orders", "lambda-throttled")
    })
    .await;
    assert_eq!(asked.get(), 1, "asked for again and again");
    sink.shutdown(Duration::from_secs(3)).await;
}

/// An alarm whose writing was cut off may have been made all the same.
#[tokio::test]
async fn an_alarm_that_was_never_read_is_silenced_if_it_proves_to_be_ours() {
    let server = Server {
        denied: Some("PutMetricAlarm"),
        ..Server::default()
    };
    for (name, tag) in [("ours", "probecause:managed"), ("foreign", "team")] {
        let alarm = format!("probecause here {name}");
        let tags = [(tag.to_owned(), "true".into())];
        let tags = tags.into_iter().collect();
        server.tags.lock().unwrap().insert(arn(&alarm), tags);
        server.said.lock().unwrap().insert(alarm, String::new());
    }
    let endpoint = server.clone().start().await;
    let names = ["ours", "foreign", "missing"];
    let targets: Vec<_> = names.map(|name| Arc::new(target(name))).into();
    let all = settings("here", &endpoint, targets);
    let none = settings("here", &endpoint, Vec::new());
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(Arc::new(all), metrics.clone(), Some(config()));
    let puts = metrics
        .cloudwatch_requests
        .with_label_values(&["PutMetricAlarm", "denied"]);
    until("the denied writes", || puts.get() > 0).await;
    sink.configure(Arc::new(none));
    until("a silenced alarm", || {
        !server.silenced.lock().unwrap().is_empty()
    })
    .await;
    sink.shutdown(Duration::from_secs(3)).await;
    let silenced = server.silenced.lock().unwrap();
    assert_eq!(
        silenced.iter().collect::<Vec<_>>(),
        ["probecause here ours"]
    );
}
