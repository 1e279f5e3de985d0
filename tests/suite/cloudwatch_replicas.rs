//! Two replicas watch the same target. One of them manages its alarm, and the other takes over
//! when the first stops.
//!
//! The takeover waits for missing heartbeats, which takes minutes, so only `tests/run --long`
//! runs this test.

use crate::support::cloudwatch::emulator;
use crate::support::cloudwatch::gateway;
use crate::support::cloudwatch::proxy;
use crate::support::process;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_sdk_cloudwatch::types::StateValue;
use probecause::domain::alarm::{heartbeat_name, target_alarm_name};
use probecause::domain::shard::assigned_shards;
use probecause::model::settings::ShardSettings;
use probecause::model::target::TargetName;

use emulator::Emulator;
use gateway::{NO_ROUTE, THROTTLED, gateway, until_named};
use process::Daemon;
use proxy::Proxy;

/// Time limit of a takeover: five heartbeat periods of 30 s until the heartbeat alarm of a stopped
/// daemon fires, a minute until the other replica reads it, and reserve for a loaded machine.
const TAKEOVER_LIMIT: Duration = Duration::from_secs(400);

#[cfg(test)]
async fn replica(location: &str, endpoint: &str, gateway: SocketAddr, index: u32) -> Daemon {
    Daemon::start(&format!(
        "location = \"{location}\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [shard]\ntotal = 2\nindex = {index}\nreplicas_per_target = 2\n\
         [cloudwatch]\nenabled = true\nregion = \"eu-west-1\"\nresolution = \"10s\"\n\
         endpoint_url = \"{endpoint}\"\n\
         [[target]]\nname = \"orders\"\nurl = \"http://{gateway}/orders\"\n\
         interval = \"1s\"\ntimeout = \"20s\"\naws = {{ integration = \"lambda\" }}\n"
    ))
    .await
}

/// Number of writes to an alarm through a proxy.
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
async fn one_of_two_replicas_manages_the_alarm_and_the_other_takes_over_when_it_stops() {
    let emulator = Emulator::get().await;
    let location = format!("replicas-{}", std::process::id());
    let shards = ShardSettings {
        total: 2,
        replicas_per_target: 2,
        ..ShardSettings::default()
    };
    let owners = assigned_shards(&shards, &TargetName::new("orders"));
    let (gateway, behavior) = gateway().await;
    behavior.store(THROTTLED, Ordering::Relaxed);
    let proxies = (
        Proxy::start(emulator.address).await,
        Proxy::start(emulator.address).await,
    );
    let mut first = replica(&location, &proxies.0.url(), gateway, owners[0]).await;
    let mut second = replica(&location, &proxies.1.url(), gateway, owners[1]).await;

    let alarm = target_alarm_name(&location, "orders");
    let heartbeat = heartbeat_name(&location, owners[0]);
    for name in [&heartbeat, &heartbeat_name(&location, owners[1])] {
        emulator
            .until(name, StateValue::Ok, TAKEOVER_LIMIT, || {})
            .await;
    }
    until_named(&emulator, &alarm, "lambda-throttled").await;
    assert!(writes(&proxies.0, &alarm) > 0);
    // The second replica may write the description, since its datapoint may have fired the alarm,
    // but it must not define the alarm.
    let quoted_name = format!("\"{alarm}\"");
    let is_definition = |call: &proxy::Call| {
        let is_put = call.operation == "PutMetricAlarm" && call.body.contains("\"Tags\"");
        is_put && call.body.contains(&quoted_name)
    };
    let definitions = proxies
        .1
        .calls()
        .iter()
        .filter(|call| is_definition(call))
        .count();
    assert_eq!(definitions, 0, "both replicas define the alarm");

    // The first replica stops and leaves the alarm enabled.
    assert_eq!(first.terminate().await, Some(0));
    let remaining = emulator.describe(&alarm).await;
    assert_eq!(remaining.actions_enabled, Some(true));
    emulator
        .until(&heartbeat, StateValue::Alarm, TAKEOVER_LIMIT, || {})
        .await;
    behavior.store(NO_ROUTE, Ordering::Relaxed);
    until_named(&emulator, &alarm, "route-not-found").await;
    assert!(
        writes(&proxies.1, &alarm) > 0,
        "the second replica has not written to the alarm"
    );
    assert_eq!(second.terminate().await, Some(0));
    let remaining = emulator.describe(&alarm).await;
    assert_eq!(remaining.actions_enabled, Some(true));
}
