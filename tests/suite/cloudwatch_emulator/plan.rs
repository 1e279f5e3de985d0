//! Per-cause alarms, and alarms that were changed or deleted by hand (drift).
//!
//! Tests the command line and the daemon, each with both drift policies. The daemon checks its
//! alarms every second here instead of every ten minutes.

use std::sync::Arc;
use std::time::Duration;

use probecause::cli::Exit;
use probecause::cli::alarms::Action;
use probecause::domain::alarm;
use probecause::domain::alarm::annotation::Annotation;
use probecause::io::sink::cloudwatch::CloudWatchSink;
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::model::cause::{CauseId, Owner};
use probecause::model::settings::{DriftPolicy, Settings};
use probecause::model::target::{CauseAlarm, Target};
use tokio::time::{Instant, sleep};

use crate::cloudwatch_emulator::{PATIENCE, act, common};
use crate::support::cloudwatch::emulator::{self, Emulator};
use crate::support::cloudwatch::proxy::Proxy;
use crate::support::cloudwatch::reports::{failed, passed, settings, target};
use crate::support::cloudwatch::sink;

const THROTTLED: &str = "lambda-throttled";

/// A target with per-cause alarms for two causes.
fn target_with_cause_alarms(name: &str) -> Arc<Target> {
    let mut target = target(name);
    target.alarm.causes = [(THROTTLED, "capacity"), ("forbidden", "platform")]
        .map(|(cause, topic)| CauseAlarm {
            cause: CauseId::new(cause).unwrap(),
            owner: Owner::Platform,
            actions: vec![format!("arn:aws:sns:eu-west-1:000000000000:{topic}")],
        })
        .into();
    Arc::new(target)
}

/// Settings with one target, `orders`, and a drift policy.
fn settings_with(location: &str, endpoint: &str, drift: DriftPolicy) -> Settings {
    let mut settings = settings(location, endpoint, vec![target_with_cause_alarms("orders")]);
    settings.cloudwatch.drift = drift;
    settings
}

/// Starts a sink that checks its alarms every second.
fn start(settings: &Arc<Settings>, metrics: &DaemonMetrics) -> CloudWatchSink {
    sink::patient(
        settings,
        metrics,
        emulator::config(),
        Duration::from_secs(1),
    )
}

/// The names of the alarm of `orders` and of its two per-cause alarms.
fn names(location: &str) -> [String; 3] {
    let cause_alarm = |cause| {
        let cause = CauseId::new(cause).unwrap();
        alarm::cause_alarm_name(location, "orders", &cause)
    };
    [
        alarm::target_alarm_name(location, "orders"),
        cause_alarm(THROTTLED),
        cause_alarm("forbidden"),
    ]
}

/// Waits until a condition holds; panics with `what` after [`PATIENCE`].
async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < PATIENCE, "timed out waiting for {what}");
        sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn apply_reverts_or_keeps_manual_changes_as_the_drift_policy_says() {
    let emulator = Emulator::shared().await;
    let proxy = Proxy::start(emulator.address).await;
    let here = &format!("drift-{}", std::process::id());
    let revert = settings_with(here, &proxy.url(), DriftPolicy::Mend);
    let keep = settings_with(here, &proxy.url(), DriftPolicy::Leave);
    let [orders, throttled, forbidden] = names(here);
    let apply = Action::Apply { common: common() };
    let plan = Action::Plan {
        common: common(),
        detailed_exitcode: true,
    };

    let (exit, text) = act(&apply, &revert).await;
    assert_eq!(exit, Exit::Fine);
    assert_eq!(
        text,
        format!(
            "create probecause {here} (heartbeat)\ncreate {orders}\ncreate {throttled}\n\
             create {forbidden}\n"
        )
    );
    assert_eq!(proxy.writes(), 4);
    assert_eq!(act(&apply, &revert).await.1, "nothing to do\n");
    check_cause_alarm(&emulator, &throttled).await;

    emulator.disable_actions(&throttled).await;
    let (exit, text) = act(&plan, &keep).await;
    assert_eq!(exit, Exit::Fine, "apply would change nothing");
    assert!(
        text.starts_with(&format!("= {throttled} (changed by hand")),
        "{text}"
    );
    assert_eq!(act(&apply, &keep).await.1, "nothing to do\n");
    assert_eq!(proxy.writes(), 4, "apply overwrote the manual change");

    let (exit, text) = act(&plan, &revert).await;
    assert_eq!(exit, Exit::Bad);
    assert!(
        text.starts_with(&format!("~ {throttled} (changed by hand")),
        "{text}"
    );
    assert_eq!(
        act(&apply, &revert).await.1,
        format!("update {throttled}\n")
    );
    assert_eq!(act(&apply, &revert).await.1, "nothing to do\n");
    assert_eq!(
        emulator.describe(&throttled).await.actions_enabled,
        Some(true)
    );

    // One cause is removed from the configuration. Only its alarm is pruned.
    let mut fewer = target("orders");
    fewer.alarm.causes = revert.targets[0].alarm.causes[..1].to_vec();
    let fewer = settings(here, &proxy.url(), vec![Arc::new(fewer)]);
    let prune = Action::Prune {
        common: common(),
        yes: true,
    };
    let (_, text) = act(&prune, &fewer).await;
    assert_eq!(text, format!("- {forbidden}\nalarms deleted: 1\n"));
}

/// Checks the dimensions, missing-data treatment and actions of a per-cause alarm.
async fn check_cause_alarm(emulator: &Emulator, alarm: &str) {
    let described = emulator.describe(alarm).await;
    let dimensions = described.dimensions().iter().filter_map(|d| d.name());
    assert_eq!(
        dimensions.collect::<Vec<_>>(),
        ["Target", "Location", "Cause"]
    );
    assert_eq!(described.treat_missing_data(), Some("notBreaching"));
    assert_eq!(
        described.alarm_actions(),
        ["arn:aws:sns:eu-west-1:000000000000:capacity"]
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn the_daemon_reverts_manual_changes_without_reading_tags_again() {
    let emulator = Emulator::shared().await;
    let proxy = Proxy::start(emulator.address).await;
    let here = &format!("mends-{}", std::process::id());
    let settings = Arc::new(settings_with(here, &proxy.url(), DriftPolicy::Mend));
    let metrics = DaemonMetrics::new().unwrap();
    let sink = start(&settings, &metrics);
    let [orders, throttled, forbidden] = names(here);
    emulator.until_actions(&forbidden, true, PATIENCE).await;
    sleep(Duration::from_secs(2)).await;
    let tag_reads = |proxy: &Proxy| {
        let calls = proxy.calls().into_iter();
        calls
            .filter(|c| c.operation == "ListTagsForResource")
            .count()
    };
    let before = tag_reads(&proxy);
    sleep(Duration::from_secs(4)).await;
    assert_eq!(
        tag_reads(&proxy),
        before,
        "tags of known alarms were read again"
    );

    emulator.disable_actions(&throttled).await;
    emulator.until_actions(&throttled, true, PATIENCE).await;
    emulator.delete(&orders).await;
    emulator.until_actions(&orders, true, PATIENCE).await;
    until("the changes to be reverted", async || {
        metrics.alarms_drifted.get() == 0
    })
    .await;
    assert_eq!(emulator.tags(&orders).await["probecause:cause"], "none");
    sink.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn the_daemon_keeps_manual_changes_and_still_names_the_cause() {
    let emulator = Emulator::shared().await;
    let proxy = Proxy::start(emulator.address).await;
    let here = &format!("leaves-{}", std::process::id());
    let configured = settings_with(here, &proxy.url(), DriftPolicy::Leave);
    let settings = Arc::new(configured);
    let target = Arc::clone(&settings.targets[0]);
    let metrics = DaemonMetrics::new().unwrap();
    let sink = start(&settings, &metrics);
    let [orders, throttled, forbidden] = names(here);
    emulator.until_actions(&forbidden, true, PATIENCE).await;
    emulator.disable_actions(&orders).await;
    emulator.delete(&forbidden).await;
    until("the drift to be detected", async || {
        metrics.alarms_drifted.get() == 2
    })
    .await;

    sink.publish(&passed(&target, here));
    sink.publish(&failed(&target, here, 2, THROTTLED));
    for alarm in [&orders, &throttled] {
        until("the cause", async || {
            emulator.tags(alarm).await["probecause:cause"] == THROTTLED
        })
        .await;
    }
    until("the description", async || {
        let description = emulator.describe(&throttled).await.alarm_description;
        description
            .unwrap()
            .contains("orders: The function had no capacity")
    })
    .await;
    let described = emulator.describe(&orders).await;
    assert_eq!(
        described.actions_enabled,
        Some(false),
        "the daemon reverted the manual change"
    );
    assert!(described.alarm_description.unwrap().contains(THROTTLED));
    let tags = emulator.tags(&throttled).await;
    assert_eq!(tags["probecause:target"], "orders");
    assert!(
        !emulator.exists(&forbidden).await,
        "the daemon recreated the deleted alarm"
    );
    assert_eq!(metrics.alarms_drifted.get(), 2);

    // The daemon disables the alarms of a removed target. This does not count as a manual change
    // when the target is added again.
    let mut without = (*settings).clone();
    without.targets.clear();
    sink.configure(Arc::new(without));
    emulator.until_actions(&throttled, false, PATIENCE).await;
    sink.configure(settings);
    emulator.until_actions(&throttled, true, PATIENCE).await;
    sink.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn target_alarms_name_the_cause_only_after_the_group_incident_ends() {
    let emulator = Emulator::shared().await;
    let here = &format!("group-{}", std::process::id());
    let endpoint = format!("http://{}", emulator.address);
    let settings = Arc::new(settings_with(here, &endpoint, DriftPolicy::Mend));
    let target = Arc::clone(&settings.targets[0]);
    let metrics = DaemonMetrics::new().unwrap();
    let sink = start(&settings, &metrics);
    let [orders, throttled, forbidden] = names(here);
    emulator.until_actions(&forbidden, true, PATIENCE).await;

    let report = failed(&target, here, 2, THROTTLED);
    let verdict = report.showing.clone().unwrap();
    sink.group(Some(Annotation::group(
        &verdict,
        "All targets fail",
        &["orders"],
    )));
    sink.publish(&report);
    let heartbeat = alarm::heartbeat_name(here, 0);
    let cause = async |alarm: &str| emulator.tags(alarm).await["probecause:cause"].clone();
    until("the cause of the group", async || {
        cause(&heartbeat).await == THROTTLED
    })
    .await;
    until("the description of the group", async || {
        let description = emulator.describe(&heartbeat).await.alarm_description;
        description
            .unwrap()
            .starts_with("All targets fail: The function had no capacity")
    })
    .await;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(
        cause(&orders).await,
        "none",
        "the update is suppressed during the group incident"
    );
    assert_eq!(
        metrics.alarm_updates_late.get(),
        0,
        "a suppressed update is not late"
    );

    sink.group(None);
    until("the cause of the target", async || {
        cause(&throttled).await == THROTTLED
    })
    .await;
    assert_eq!(cause(&orders).await, THROTTLED);
    assert_eq!(cause(&heartbeat).await, "none");
    assert_eq!(cause(&forbidden).await, "none");
    sink.shutdown(Duration::from_secs(5)).await;
}
