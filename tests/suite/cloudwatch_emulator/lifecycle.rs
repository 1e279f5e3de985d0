//! The alarms of one target under a whole daemon: a failure, a change of its cause, the
//! recovery, and a kill of the daemon.

use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_sdk_cloudwatch::types::StateValue;
use probecause::domain::alarm::{cause_alarm_name, heartbeat_name, target_alarm_name};
use probecause::model::cause::CauseId;

use crate::support::cloudwatch::emulator::Emulator;
use crate::support::cloudwatch::gateway::{
    HEALTHY, NO_ROUTE, PATIENCE, THROTTLED, gateway, until_named,
};
use crate::support::cloudwatch::proxy::Proxy;
use crate::support::process::Daemon;

/// Time limit for the heartbeat alarm to fire. Its period is 30 s, and CloudWatch, like the
/// emulator, evaluates five periods before it treats three as missing.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(300);

/// Starts a daemon that probes one target every second and publishes every 10 s.
async fn start_daemon(location: &str, endpoint: &str, gateway: std::net::SocketAddr) -> Daemon {
    Daemon::start(&format!(
        "location = \"{location}\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [cloudwatch]\nenabled = true\nregion = \"eu-west-1\"\nresolution = \"10s\"\n\
         endpoint_url = \"{endpoint}\"\n\
         [[target]]\nname = \"orders\"\nurl = \"http://{gateway}/orders\"\n\
         interval = \"1s\"\ntimeout = \"20s\"\naws = {{ integration = \"lambda\" }}\n\
         alarm = {{ causes = [\"lambda-throttled\"] }}\n"
    ))
    .await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn the_target_alarm_names_a_new_cause_and_clears_on_recovery() {
    let emulator = Emulator::shared().await;
    let proxy = Proxy::start(emulator.address).await;
    let location = format!("life-{}", std::process::id());
    let (gateway, behavior) = gateway().await;
    let mut daemon = start_daemon(&location, &proxy.url(), gateway).await;
    let alarm = target_alarm_name(&location, "orders");
    let cause_alarm = CauseId::new("lambda-throttled").unwrap();
    let cause_alarm = cause_alarm_name(&location, "orders", &cause_alarm);
    emulator
        .until(&alarm, StateValue::Ok, PATIENCE, || {})
        .await;

    behavior.store(THROTTLED, Ordering::Relaxed);
    emulator
        .until(&alarm, StateValue::Alarm, PATIENCE, || {})
        .await;
    let tags = emulator.tags(&alarm).await;
    assert_eq!(tags["probecause:cause"], "lambda-throttled", "{tags:?}");
    emulator
        .until(&cause_alarm, StateValue::Alarm, PATIENCE, || {})
        .await;

    // The cause changes: the target's alarm keeps firing and names the new cause, and the alarm
    // of the old cause clears.
    behavior.store(NO_ROUTE, Ordering::Relaxed);
    until_named(&emulator, &alarm, "route-not-found").await;
    emulator
        .until(&cause_alarm, StateValue::Ok, PATIENCE, || {})
        .await;
    let description = emulator.describe(&alarm).await;
    assert_eq!(description.state_value, Some(StateValue::Alarm));

    behavior.store(HEALTHY, Ordering::Relaxed);
    emulator
        .until(&alarm, StateValue::Ok, PATIENCE, || {})
        .await;
    until_named(&emulator, &alarm, "none").await;

    assert_eq!(daemon.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn a_killed_daemon_fires_only_its_heartbeat_alarm() {
    let emulator = Emulator::shared().await;
    let location = format!("killed-{}", std::process::id());
    let (gateway, _behavior) = gateway().await;
    let endpoint = format!("http://{}", emulator.address);
    let mut daemon = start_daemon(&location, &endpoint, gateway).await;
    let alarm = target_alarm_name(&location, "orders");
    let heartbeat = heartbeat_name(&location, 0);
    for name in [&alarm, &heartbeat] {
        emulator.until(name, StateValue::Ok, PATIENCE, || {}).await;
    }

    // The alarm of the cause is created last.
    let cause_alarm = CauseId::new("lambda-throttled").unwrap();
    let cause_alarm = cause_alarm_name(&location, "orders", &cause_alarm);
    emulator.until_actions(&cause_alarm, true, PATIENCE).await;

    let before = emulator.describe(&alarm).await.state_updated_timestamp;
    daemon.child.kill().await.unwrap();
    emulator
        .until(&heartbeat, StateValue::Alarm, HEARTBEAT_LIMIT, || {})
        .await;
    // The target's alarms do not change.
    let after = emulator.describe(&alarm).await;
    assert_eq!(after.state_value, Some(StateValue::Ok), "{after:?}");
    assert_eq!(
        after.state_updated_timestamp, before,
        "the state of the target's alarm changed"
    );
    let cause_alarm = emulator.describe(&cause_alarm).await;
    assert_ne!(
        cause_alarm.state_value,
        Some(StateValue::Alarm),
        "{cause_alarm:?}"
    );
}
