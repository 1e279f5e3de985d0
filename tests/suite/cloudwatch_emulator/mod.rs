//! The CloudWatch sink against an emulator that evaluates alarms.
//!
//! These tests check that an alarm that goes to ALARM names the cause at that moment and goes
//! back to OK, that the heartbeat alarm exists, that a second `alarms apply` writes nothing, and
//! that foreign alarms stay unchanged. A recording proxy checks the order of the calls and the
//! tag propagation, which the emulator ignores.

mod daemon;
use crate::support::cloudwatch::emulator;
mod lifecycle;
mod plan;
use crate::support::cloudwatch::proxy;
mod regions;
use crate::support::cloudwatch::reports;
#[cfg(test)]
use crate::support::cloudwatch::sink;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudwatch::types::StateValue;
use probecause::cli::Exit;
use probecause::cli::alarms::{Action, Common, run_action};
use probecause::domain::alarm;
use probecause::io::sink::cloudwatch::CloudWatchSink;
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use tokio::time::{Instant, sleep};

use emulator::Emulator;
use proxy::Proxy;
use reports::{Again as _, failed, passed, settings, target};

/// Interval at which the sinks review their alarms: as long as in the daemon.
const REVIEW_EVERY: Duration = Duration::from_secs(600);

/// Time limit of a wait. The emulator evaluates every 10 s over windows of 10 s, so this allows
/// several evaluations on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn an_alarm_fires_with_its_cause_and_recovers() {
    let emulator = Emulator::shared().await;
    let proxy = Proxy::start(emulator.address).await;
    // A name that is unique to this run, since an emulator may keep alarms of earlier runs.
    let name = &format!("fires-{}", std::process::id());
    let target = Arc::new(target(name));
    let settings = Arc::new(settings(name, &proxy.url(), vec![Arc::clone(&target)]));
    let metrics = DaemonMetrics::new().unwrap();
    let sink = sink::patient(&settings, &metrics, emulator::config(), REVIEW_EVERY);
    let alarm = alarm::target_alarm_name(name, name);

    // One passed probe, then two failed ones. The second fires the alarm.
    let healthy = passed(&target, name);
    sink.publish(&healthy);
    emulator
        .until(&alarm, StateValue::Ok, PATIENCE, || {
            sink.publish(&healthy.again());
        })
        .await;
    let first = failed(&target, name, 1, "lambda-throttled");
    sink.publish(&first);
    sleep(Duration::from_secs(1)).await;
    let tipping = failed(&target, name, 2, "lambda-throttled");
    sink.publish(&tipping);
    emulator
        .until(&alarm, StateValue::Alarm, PATIENCE, || {
            sink.publish(&tipping.again());
        })
        .await;

    check_names_the_cause(&emulator, name).await;
    check_calls(&proxy.calls());
    assert_eq!(metrics.alarm_updates_late.get(), 0);

    // Recovery.
    let recovered = passed(&target, name);
    sink.publish(&recovered);
    emulator
        .until(&alarm, StateValue::Ok, PATIENCE, || {
            sink.publish(&recovered.again());
        })
        .await;
    let started = Instant::now();
    while emulator.tags(&alarm).await["probecause:cause"] != "none" {
        assert!(
            started.elapsed() < PATIENCE,
            "timed out: the tags still name a cause"
        );
        sink.publish(&recovered.again());
        sleep(Duration::from_secs(1)).await;
    }
    sink.shutdown(PATIENCE).await;
    assert_eq!(metrics.spool_datapoints.get(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn the_alarm_of_a_removed_target_is_disabled_until_the_target_is_added_again() {
    let emulator = Emulator::shared().await;
    let location = &format!("removed-{}", std::process::id());
    let endpoint = format!("http://{}", emulator.address);
    let with_target = Arc::new(settings(
        location,
        &endpoint,
        vec![Arc::new(target("orders"))],
    ));
    let without_target = Arc::new(settings(location, &endpoint, Vec::new()));
    let metrics = DaemonMetrics::new().unwrap();
    let sink =
        CloudWatchSink::start_with(Arc::clone(&with_target), metrics, Some(emulator::config()));
    let alarm = alarm::target_alarm_name(location, "orders");
    emulator.until_actions(&alarm, true, PATIENCE).await;
    sink.configure(without_target);
    emulator.until_actions(&alarm, false, PATIENCE).await;
    sink.configure(with_target);
    emulator.until_actions(&alarm, true, PATIENCE).await;
    let tags = emulator.tags(&alarm).await;
    assert_eq!(tags["probecause:cause"], "none");
    sink.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn a_second_apply_writes_nothing_and_foreign_alarms_stay_unchanged() {
    let emulator = Emulator::shared().await;
    let proxy = Proxy::start(emulator.address).await;
    let location = &format!("twice-{}", std::process::id());
    let orders = Arc::new(target("orders"));
    let foreign_target = Arc::new(target("theirs"));
    let foreign = alarm::target_alarm_name(location, "theirs");
    emulator.put_foreign(&foreign).await;
    let two_targets = settings(
        location,
        &proxy.url(),
        vec![orders, Arc::clone(&foreign_target)],
    );

    let plan = |detailed_exitcode| Action::Plan {
        common: common(),
        detailed_exitcode,
    };
    let apply = Action::Apply { common: common() };
    let prune = |yes| Action::Prune {
        common: common(),
        yes,
    };
    assert_eq!(act(&plan(true), &two_targets).await.0, Exit::Bad);
    let (exit, text) = act(&apply, &two_targets).await;
    assert_eq!(exit, Exit::Bad, "a conflict with a foreign alarm must fail");
    assert_eq!(
        text,
        format!("create probecause {location} (heartbeat)\ncreate probecause {location} orders\n")
    );
    assert_eq!(proxy.writes(), 2);
    let (_, text) = act(&apply, &two_targets).await;
    assert_eq!(text, "nothing to do\n");
    assert_eq!(act(&plan(true), &two_targets).await.0, Exit::Fine);
    assert_eq!(proxy.writes(), 2, "the second apply wrote something");

    // The target `orders` is removed. `prune` lists its alarm, and deletes it only with `--yes`.
    let one_target = settings(location, &proxy.url(), vec![foreign_target]);
    let (_, text) = act(&prune(false), &one_target).await;
    assert_eq!(
        text,
        format!(
            "- probecause {location} orders\nalarms to delete: 1; use `--yes` to delete them\n"
        )
    );
    assert_eq!(proxy.writes(), 2);
    act(&prune(true), &one_target).await;
    assert_eq!(
        act(&prune(false), &one_target).await.1,
        "no alarms to delete\n"
    );
    assert_eq!(
        emulator.describe(&foreign).await.metric_name.unwrap(),
        "Theirs"
    );
}

/// Checks that the alarm's tags and description name the cause and that the heartbeat alarm
/// exists.
#[cfg(test)]
async fn check_names_the_cause(emulator: &Emulator, name: &str) {
    let alarm = alarm::target_alarm_name(name, name);
    let tags = emulator.tags(&alarm).await;
    assert_eq!(tags["probecause:cause"], "lambda-throttled");
    assert_eq!(tags["probecause:certainty"], "likely");
    assert_eq!(tags["probecause:owner"], "service");
    assert_eq!(tags["probecause:target"], *name);
    assert!(tags.contains_key("probecause:managed"));
    let description = emulator.describe(&alarm).await.alarm_description.unwrap();
    assert!(description.contains("lambda-throttled"), "{description}");
    let heartbeat = emulator.describe(&alarm::heartbeat_name(name, 0)).await;
    assert_eq!(heartbeat.treat_missing_data.unwrap(), "breaching");
}

/// Checks what the emulator ignores: tag propagation is enabled, and tags and description are
/// written before the datapoint that fires the alarm.
#[cfg(test)]
fn check_calls(calls: &[proxy::Call]) {
    let puts: Vec<_> = calls
        .iter()
        .filter(|call| call.operation == "PutMetricAlarm")
        .collect();
    assert!(!puts.is_empty());
    for put in &puts {
        let propagation = "\"ActionConfiguration\":{\"AlarmTagsPropagation\":{\"Enabled\":true}}";
        assert!(put.body.contains(propagation), "{}", put.body);
    }
    let position = |test: &dyn Fn(&proxy::Call) -> bool| calls.iter().position(test).unwrap();
    let tagged =
        position(&|call| call.operation == "TagResource" && call.body.contains("lambda-throttled"));
    let described = position(&|call| {
        call.operation == "PutMetricAlarm" && call.body.contains("lambda-throttled")
    });
    let published =
        position(&|call| call.operation == "PutMetricData" && contains_down_1(&call.body));
    assert!(
        tagged < described && described < published,
        "tagged at {tagged}, described at {described}, published at {published}"
    );
}

#[cfg(test)]
/// Whether a `PutMetricData` body contains a `Down` datapoint with the value 1.
fn contains_down_1(body: &str) -> bool {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let data = body["MetricData"].as_array().unwrap();
    data.iter()
        .any(|datum| datum["MetricName"] == "Down" && datum["Value"].as_f64() == Some(1.0))
}

fn common() -> Common {
    Common {
        config: "unused".into(),
        json: false,
    }
}

#[cfg(test)]
async fn act(action: &Action, settings: &probecause::model::settings::Settings) -> (Exit, String) {
    let mut out = Vec::new();
    let exit = run_action(action, settings, Some(&emulator::config()), &mut out)
        .await
        .unwrap();
    (exit, String::from_utf8(out).unwrap())
}
