//! AWS denies writes to one alarm, or one operation. The updates of all other alarms stay on time.

use std::sync::Arc;
use std::time::Duration;

use probecause::io::sink::cloudwatch::CloudWatchSink;
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use tokio::time::{Instant, sleep};

use crate::cloudwatch_faults::config;
use crate::cloudwatch_faults::server::{Server, arn};
use crate::support::cloudwatch::reports::{Again as _, failed, passed, settings, target};

/// Time limit of a wait. It is much longer than any expected wait, for a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until a condition holds; panics with `what` after [`PATIENCE`].
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "timed out waiting for {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Whether an alarm exists and its description contains a text.
pub(crate) fn description_contains(server: &Server, alarm: &str, text: &str) -> bool {
    let descriptions = server.descriptions.lock().unwrap();
    let description = descriptions.get(alarm);
    description.is_some_and(|description| description.contains(text))
}

#[tokio::test]
async fn a_denied_alarm_does_not_delay_the_causes_of_other_alarms() {
    let server = Server {
        denied: Some("forbidden"),
        ..Server::default()
    };
    let endpoint = server.clone().start().await;
    // The forbidden target comes first in the configuration.
    let names = ["forbidden", "orders", "payments"];
    let targets: Vec<_> = names.map(|name| Arc::new(target(name))).into();
    let settings = Arc::new(settings("here", &endpoint, targets.clone()));
    let metrics = DaemonMetrics::new().unwrap();
    let sink = CloudWatchSink::start_with(settings, metrics.clone(), Some(config()));
    for target in &targets {
        sink.publish(&passed(target, "here"));
    }
    until("the other alarms and the heartbeat alarm", || {
        server.descriptions.lock().unwrap().len() == 3
    })
    .await;

    // The forbidden target fails first, then the others.
    for target in &targets {
        sink.publish(&failed(target, "here", 2, "lambda-throttled").again());
    }
    for alarm in ["probecause here orders", "probecause here payments"] {
        until(alarm, || {
            description_contains(&server, alarm, "lambda-throttled")
        })
        .await;
    }
    let late = metrics.alarm_updates_late.get();
    assert_eq!(late, 1, "only the update of the forbidden alarm is late");

    // The sink still accepts the recoveries and shuts down.
    for target in &targets {
        sink.publish(&passed(target, "here").again());
    }
    sink.shutdown(Duration::from_secs(3)).await;
}

#[tokio::test]
async fn a_denied_disable_call_does_not_delay_the_causes_of_other_alarms() {
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
    until("both target alarms and the heartbeat alarm", || {
        server.descriptions.lock().unwrap().len() == 3
    })
    .await;
    sink.configure(Arc::new(one));
    let denied_calls = metrics
        .cloudwatch_requests
        .with_label_values(&["DisableAlarmActions", "denied"]);
    until("the denied call", || denied_calls.get() == 1).await;
    sink.publish(&passed(&orders, "here"));
    sink.publish(&failed(&orders, "here", 2, "lambda-throttled").again());
    until("the cause", || {
        description_contains(&server, "probecause here orders", "lambda-throttled")
    })
    .await;
    assert_eq!(denied_calls.get(), 1, "the denied call is repeated");
    sink.shutdown(Duration::from_secs(3)).await;
}

/// A write whose response is lost may still have created the alarm.
#[tokio::test]
async fn an_unread_alarm_is_disabled_only_if_its_tags_show_that_the_daemon_owns_it() {
    let server = Server {
        denied: Some("PutMetricAlarm"),
        ..Server::default()
    };
    for (name, tag) in [("managed", "probecause:managed"), ("foreign", "team")] {
        let alarm = format!("probecause here {name}");
        let tags = [(tag.to_owned(), "true".into())];
        let tags = tags.into_iter().collect();
        server.tags.lock().unwrap().insert(arn(&alarm), tags);
        server
            .descriptions
            .lock()
            .unwrap()
            .insert(alarm, String::new());
    }
    let endpoint = server.clone().start().await;
    let names = ["managed", "foreign", "missing"];
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
    until("an alarm with disabled actions", || {
        !server.disabled.lock().unwrap().is_empty()
    })
    .await;
    sink.shutdown(Duration::from_secs(3)).await;
    let disabled = server.disabled.lock().unwrap();
    assert_eq!(
        disabled.iter().collect::<Vec<_>>(),
        ["probecause here managed"]
    );
}
