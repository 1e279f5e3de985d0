//! The life of one alarm through a whole daemon: a cause, another one, recovery, and at
//! last a daemon that is killed.

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

/// The heartbeat's period is 30 s then, and CloudWatch, like the emulator, looks back over
/// five of them before it takes three for missing.
const SILENCE: Duration = Duration::from_secs(300);

/// A daemon that watches one target each second, and CloudWatch each ten.
async fn watch(here: &str, endpoint: &str, gateway: std::net::SocketAddr) -> Daemon {
    Daemon::start(&format!(
        "location = \"{here}\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [cloudwatch]\nenabled = true\nregion = \"eu-west-1\"\nresolution = \"10s\"\n\
         endpoint_url = \"{endpoint}\"\n\
         [[target]]\nname = \"orders\"\nurl = \"http://{gateway}/orders\"\n\
         interval = \"1s\"\ntimeout = \"900ms\"\naws = {{ integration = \"lambda\" }}\n\
         alarm = {{ causes = [\"lambda-throttled\"] }}\n"
    ))
    .await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn another_cause_takes_the_alarm_over_and_recovery_ends_it() {
    let emulator = Emulator::get().await;
    let proxy = Proxy::start(emulator.address).await;
    let here = format!("life-{}", std::process::id());
    let (gateway, mode) = gateway().await;
    let mut daemon = watch(&here, &proxy.url(), gateway).await;
    let alarm = target_alarm_name(&here, "orders");
    let throttled = CauseId::new("lambda-throttled").unwrap();
    let throttled = cause_alarm_name(&here, "orders", &throttled);
    emulator
        .until(&alarm, StateValue::Ok, PATIENCE, || {})
        .await;

    mode.store(THROTTLED, Ordering::Relaxed);
    emulator
        .until(&alarm, StateValue::Alarm, PATIENCE, || {})
        .await;
    let tags = emulator.tags(&alarm).await;
    assert_eq!(tags["probecause:cause"], "lambda-throttled", "{tags:?}");
    emulator
        .until(&throttled, StateValue::Alarm, PATIENCE, || {})
        .await;

    // Another cause: the target's alarm stays and says it, the cause's own is over.
    mode.store(NO_ROUTE, Ordering::Relaxed);
    until_named(&emulator, &alarm, "route-not-found").await;
    emulator
        .until(&throttled, StateValue::Ok, PATIENCE, || {})
        .await;
    let still = emulator.describe(&alarm).await;
    assert_eq!(still.state_value, Some(StateValue::Alarm));

    mode.store(HEALTHY, Ordering::Relaxed);
    emulator
        .until(&alarm, StateValue::Ok, PATIENCE, || {})
        .await;
    until_named(&emulator, &alarm, "none").await;

    assert_eq!(daemon.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn a_killed_daemon_pages_once_by_its_heartbeat() {
    let emulator = Emulator::get().await;
    let here = format!("killed-{}", std::process::id());
    let (gateway, _healthy) = gateway().await;
    let endpoint = format!("http://{}", emulator.address);
    let mut daemon = watch(&here, &endpoint, gateway).await;
    let alarm = target_alarm_name(&here, "orders");
    let heartbeat = heartbeat_name(&here, 0);
    for name in [&alarm, &heartbeat] {
        emulator.until(name, StateValue::Ok, PATIENCE, || {}).await;
    }
    // The alarm of the cause is created last.
    let throttled = CauseId::new("lambda-throttled").unwrap();
    let own = cause_alarm_name(&here, "orders", &throttled);
    emulator.until_actions(&own, true, PATIENCE).await;

    let before = emulator.describe(&alarm).await.state_updated_timestamp;
    daemon.child.kill().await.unwrap();
    emulator
        .until(&heartbeat, StateValue::Alarm, SILENCE, || {})
        .await;
    // The target's alarms know nothing new.
    let after = emulator.describe(&alarm).await;
    assert_eq!(after.state_value, Some(StateValue::Ok), "{after:?}");
    assert_eq!(after.state_updated_timestamp, before, "it moved");
    let own = emulator.describe(&own).await;
    assert_ne!(own.state_value, Some(StateValue::Alarm), "{own:?}");
}
