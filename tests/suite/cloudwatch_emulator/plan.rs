//! Alarms of single causes, and alarms that somebody changed or deleted by hand.
//!
//! By the command line and by the daemon, each under both policies. The daemon looks at
//! its alarms each second here instead of every ten minutes.

use std::sync::Arc;
use std::time::Duration;

use probecause::cli::Exit;
use probecause::cli::alarms::Action;
use probecause::domain::alarm;
use probecause::domain::alarm::annotation::Annotation;
use probecause::io::sink::cloudwatch::CloudWatchSink;
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::io::store::Store;
use probecause::model::cause::{CauseId, Owner};
use probecause::model::settings::{DriftPolicy, Settings};
use probecause::model::target::{CauseAlarm, Target};
use tokio::time::{Instant, sleep};

use crate::cloudwatch_emulator::{PATIENCE, act, common};
use crate::support::cloudwatch::emulator::{self, Emulator};
use crate::support::cloudwatch::proxy::Proxy;
use crate::support::cloudwatch::reports::{failed, passed, settings, target};

const THROTTLED: &str = "lambda-throttled";

/// A target whose throttling has an alarm of its own.
fn routed(name: &str) -> Arc<Target> {
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

fn with(location: &str, endpoint: &str, drift: DriftPolicy) -> Settings {
    let mut settings = settings(location, endpoint, vec![routed("orders")]);
    settings.cloudwatch.drift = drift;
    settings
}

/// A sink that looks at its alarms each second.
fn start(settings: Arc<Settings>, metrics: &DaemonMetrics) -> CloudWatchSink {
    let store = Store::disabled(metrics.store_metrics());
    let base = Some(emulator::config());
    CloudWatchSink::start_on(
        settings,
        metrics.clone(),
        base,
        store,
        Duration::from_secs(1),
    )
}

/// The names of the alarms of `orders` and of its two causes.
fn names(location: &str) -> [String; 3] {
    let of_cause = |cause| {
        let cause = CauseId::new(cause).unwrap();
        alarm::cause_alarm_name(location, "orders", &cause)
    };
    [
        alarm::target_alarm_name(location, "orders"),
        of_cause(THROTTLED),
        of_cause("forbidden"),
    ]
}

async fn until(what: &str, test: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !test().await {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn what_was_changed_by_hand_is_mended_or_left_by_apply() {
    let emulator = Emulator::shared().await;
    let proxy = Proxy::start(emulator.address).await;
    let here = &format!("drift-{}", std::process::id());
    let mend = with(here, &proxy.url(), DriftPolicy::Mend);
    let leave = with(here, &proxy.url(), DriftPolicy::Leave);
    let [orders, throttled, forbidden] = names(here);
    let apply = Action::Apply { common: common() };
    let plan = Action::Plan {
        common: common(),
        detailed_exitcode: true,
    };

    let (exit, text) = act(&apply, &mend).await;
    assert_eq!(exit, Exit::Fine);
    assert_eq!(
        text,
        format!(
            "create probecause {here} (heartbeat)\ncreate {orders}\ncreate {throttled}\n\
             create {forbidden}\n"
        )
    );
    assert_eq!(proxy.writes(), 4);
    assert_eq!(act(&apply, &mend).await.1, "nothing to do\n");
    check_routes(&emulator, &throttled).await;

    emulator.silence(&throttled).await;
    let (exit, text) = act(&plan, &leave).await;
    assert_eq!(exit, Exit::Fine, "nothing that apply would do");
    assert!(
        text.starts_with(&format!("= {throttled} (changed by hand")),
        "{text}"
    );
    assert_eq!(act(&apply, &leave).await.1, "nothing to do\n");
    assert_eq!(proxy.writes(), 4, "somebody's change was written over");

    let (exit, text) = act(&plan, &mend).await;
    assert_eq!(exit, Exit::Bad);
    assert!(
        text.starts_with(&format!("~ {throttled} (changed by hand")),
        "{text}"
    );
    assert_eq!(act(&apply, &mend).await.1, format!("update {throttled}\n"));
    assert_eq!(act(&apply, &mend).await.1, "nothing to do\n");
    assert_eq!(
        emulator.describe(&throttled).await.actions_enabled,
        Some(true)
    );

    // A cause taken from the list: its alarm is pruned, and no other.
    let mut fewer = target("orders");
    fewer.alarm.causes = mend.targets[0].alarm.causes[..1].to_vec();
    let fewer = settings(here, &proxy.url(), vec![Arc::new(fewer)]);
    let prune = Action::Prune {
        common: common(),
        yes: true,
    };
    let (_, text) = act(&prune, &fewer).await;
    assert_eq!(text, format!("- {forbidden}\n1 removed\n"));
}

/// The alarm of one cause, as it was applied.
async fn check_routes(emulator: &Emulator, alarm: &str) {
    let one = emulator.describe(alarm).await;
    let dimensions = one.dimensions().iter().filter_map(|d| d.name());
    assert_eq!(
        dimensions.collect::<Vec<_>>(),
        ["Target", "Location", "Cause"]
    );
    assert_eq!(one.treat_missing_data(), Some("notBreaching"));
    assert_eq!(
        one.alarm_actions(),
        ["arn:aws:sns:eu-west-1:000000000000:capacity"]
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn the_daemon_mends_what_was_changed_by_hand_without_reading_tags_again() {
    let emulator = Emulator::shared().await;
    let proxy = Proxy::start(emulator.address).await;
    let here = &format!("mends-{}", std::process::id());
    let settings = Arc::new(with(here, &proxy.url(), DriftPolicy::Mend));
    let metrics = DaemonMetrics::new().unwrap();
    let sink = start(settings, &metrics);
    let [orders, throttled, forbidden] = names(here);
    emulator.until_actions(&forbidden, true, PATIENCE).await;
    sleep(Duration::from_secs(2)).await;
    let reads = |proxy: &Proxy| {
        let calls = proxy.calls().into_iter();
        calls
            .filter(|c| c.operation == "ListTagsForResource")
            .count()
    };
    let before = reads(&proxy);
    sleep(Duration::from_secs(4)).await;
    assert_eq!(
        reads(&proxy),
        before,
        "tags of known alarms were read again"
    );

    emulator.silence(&throttled).await;
    emulator.until_actions(&throttled, true, PATIENCE).await;
    emulator.delete(&orders).await;
    emulator.until_actions(&orders, true, PATIENCE).await;
    until("mended", async || metrics.alarms_drifted.get() == 0).await;
    assert_eq!(emulator.tags(&orders).await["probecause:cause"], "none");
    sink.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn the_daemon_leaves_what_was_changed_by_hand_and_still_names_the_cause() {
    let emulator = Emulator::shared().await;
    let proxy = Proxy::start(emulator.address).await;
    let here = &format!("leaves-{}", std::process::id());
    let configured = with(here, &proxy.url(), DriftPolicy::Leave);
    let settings = Arc::new(configured);
    let target = Arc::clone(&settings.targets[0]);
    let metrics = DaemonMetrics::new().unwrap();
    let sink = start(Arc::clone(&settings), &metrics);
    let [orders, throttled, forbidden] = names(here);
    emulator.until_actions(&forbidden, true, PATIENCE).await;
    emulator.silence(&orders).await;
    emulator.delete(&forbidden).await;
    until("found", async || metrics.alarms_drifted.get() == 2).await;

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
    let now = emulator.describe(&orders).await;
    assert_eq!(
        now.actions_enabled,
        Some(false),
        "somebody's change is gone"
    );
    assert!(now.alarm_description.unwrap().contains(THROTTLED));
    let tags = emulator.tags(&throttled).await;
    assert_eq!(tags["probecause:target"], "orders");
    assert!(!emulator.exists(&forbidden).await, "it was made again");
    assert_eq!(metrics.alarms_drifted.get(), 2);

    // A removed target's alarm, silenced by us, is no change by hand when it is back.
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
async fn a_group_incident_is_written_once_and_targets_say_the_rest_afterwards() {
    let emulator = Emulator::shared().await;
    let here = &format!("group-{}", std::process::id());
    let endpoint = format!("http://{}", emulator.address);
    let settings = Arc::new(with(here, &endpoint, DriftPolicy::Mend));
    let target = Arc::clone(&settings.targets[0]);
    let metrics = DaemonMetrics::new().unwrap();
    let sink = start(settings, &metrics);
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
    until("the group", async || cause(&heartbeat).await == THROTTLED).await;
    until("its description", async || {
        let said = emulator.describe(&heartbeat).await.alarm_description;
        said.unwrap()
            .starts_with("All targets fail: The function had no capacity")
    })
    .await;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(cause(&orders).await, "none", "its words rest");
    assert_eq!(metrics.alarm_updates_late.get(), 0, "resting is not late");

    sink.group(None);
    until("the target", async || cause(&throttled).await == THROTTLED).await;
    assert_eq!(cause(&orders).await, THROTTLED);
    assert_eq!(cause(&heartbeat).await, "none");
    assert_eq!(cause(&forbidden).await, "none");
    sink.shutdown(Duration::from_secs(5)).await;
}
