//! Two daemons that hold the same target: one of them manages its alarm, and the other
//! takes over when it is gone.
//!
//! It waits for heartbeats that are missing, which takes minutes: `tests/run --long` runs it.

use crate::support::cloudwatch::emulator;
use crate::support::cloudwatch::gateway;
use crate::support::cloudwatch::proxy;
use crate::support::process;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_sdk_cloudwatch::types::StateValue;
use probecause::domain::alarm::{heartbeat_name, target_alarm_name};
use probecause::domain::shard::holders;
use probecause::model::settings::ShardSettings;
use probecause::model::target::TargetName;

use emulator::Emulator;
use gateway::{NO_ROUTE, THROTTLED, gateway, until_named};
use process::Daemon;
use proxy::Proxy;

/// Five heartbeats of 30 s until the alarm of a silent daemon fires, a minute until the
/// other one looks, and what a loaded machine takes.
const TAKEOVER: Duration = Duration::from_secs(400);

#[cfg(test)]
async fn replica(here: &str, endpoint: &str, gateway: SocketAddr, index: u32) -> Daemon {
    Daemon::start(&format!(
        "location = \"{here}\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [shard]\ntotal = 2\nindex = {index}\nreplicas_per_target = 2\n\
         [cloudwatch]\nenabled = true\nregion = \"eu-west-1\"\nresolution = \"10s\"\n\
         endpoint_url = \"{endpoint}\"\n\
         [[target]]\nname = \"orders\"\nurl = \"http://{gateway}/orders\"\n\
         interval = \"1s\"\ntimeout = \"900ms\"\naws = {{ integration = \"lambda\" }}\n"
    ))
    .await
}

/// How often a daemon has written to an alarm.
#[cfg(test)]
fn writes(proxy: &Proxy, alarm: &str) -> usize {
    let calls = proxy.calls();
    let writes = calls.iter().filter(|call| {
        [
            "PutMetricAlarm",
            "TagResource",
            "DisableAlarmActions",
            "DeleteAlarms",
        ]
        .contains(&call.operation.as_str())
            && call.body.contains(alarm)
    });
    writes.count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run --long"]
async fn of_two_replicas_one_manages_the_alarm_until_it_is_gone() {
    let emulator = Emulator::get().await;
    let here = format!("replicas-{}", std::process::id());
    let shards = ShardSettings {
        total: 2,
        replicas_per_target: 2,
        ..ShardSettings::default()
    };
    let order = holders(&shards, &TargetName::new("orders"));
    let (gateway, mode) = gateway().await;
    mode.store(THROTTLED, Ordering::Relaxed);
    let ways = (
        Proxy::start(emulator.address).await,
        Proxy::start(emulator.address).await,
    );
    let mut first = replica(&here, &ways.0.url(), gateway, order[0]).await;
    let mut second = replica(&here, &ways.1.url(), gateway, order[1]).await;

    let alarm = target_alarm_name(&here, "orders");
    let heartbeat = heartbeat_name(&here, order[0]);
    for name in [&heartbeat, &heartbeat_name(&here, order[1])] {
        emulator.until(name, StateValue::Ok, TAKEOVER, || {}).await;
    }
    until_named(&emulator, &alarm, "lambda-throttled").await;
    assert!(writes(&ways.0, &alarm) > 0);
    // Its words may be the second one's, whose datapoint may have tipped it.
    let of_alarm = format!("\"{alarm}\"");
    let defines = |call: &proxy::Call| {
        let is_put = call.operation == "PutMetricAlarm" && call.body.contains("\"Tags\"");
        is_put && call.body.contains(&of_alarm)
    };
    let defined = ways.1.calls().iter().filter(|call| defines(call)).count();
    assert_eq!(defined, 0, "two manage the same alarm");

    // It stops, and tears nothing down.
    assert_eq!(first.terminate().await, Some(0));
    let left = emulator.describe(&alarm).await;
    assert_eq!(left.actions_enabled, Some(true));
    emulator
        .until(&heartbeat, StateValue::Alarm, TAKEOVER, || {})
        .await;
    mode.store(NO_ROUTE, Ordering::Relaxed);
    until_named(&emulator, &alarm, "route-not-found").await;
    assert!(writes(&ways.1, &alarm) > 0, "nobody else could have");
    assert_eq!(second.terminate().await, Some(0));
    let left = emulator.describe(&alarm).await;
    assert_eq!(left.actions_enabled, Some(true));
}
