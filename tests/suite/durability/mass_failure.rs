//! Very many targets fail at once: the number of pages and of alarm writes, and the time
//! until all alarms are in the right state.

use std::time::Duration;

use probecause::domain::alarm::heartbeat_name;
use tokio::time::{Instant, sleep};

use crate::durability::daemon::{Daemon, DaemonFiles, wait_until, wait_until_within};
use crate::durability::fake_cloudwatch::FakeCloudWatch;
use crate::durability::long_form;
use crate::durability::probed_server::ProbedServer;

/// Time limit for creating all alarms. The daemon creates three per second.
const CREATION_LIMIT: Duration = Duration::from_secs(600);

/// Time limit for all alarms to change their state after their targets did: an alarm's period, in
/// which the maximum counts, and a reserve.
const STATE_LIMIT: Duration = Duration::from_secs(120);

fn config(cloudwatch: &str, probed: std::net::SocketAddr, targets: usize) -> String {
    let targets: String = (0..targets)
        .map(|number| {
            format!("[[target]]\nname = \"t{number}\"\nurl = \"http://{probed}/t{number}\"\n")
        })
        .collect();
    format!(
        "location = \"mass-failure\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [cloudwatch]\nenabled = true\nregion = \"eu-west-1\"\n\
         endpoint_url = \"{cloudwatch}\"\n\
         [defaults]\ninterval = \"5s\"\ntimeout = \"60s\"\nconfirm_after = \"1s\"\n{targets}"
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes, since three alarms are created per second: run by tests/run"]
async fn when_all_targets_fail_at_once_every_alarm_fires_and_the_heartbeat_alarm_names_the_cause() {
    let _guard = crate::durability::ONE_AT_A_TIME.lock().await;
    let targets = if long_form() { 1000 } else { 120 };
    let (probed, address) = ProbedServer::start().await;
    let (cloudwatch, url) = FakeCloudWatch::start().await;
    let files = DaemonFiles::new(&config(&url, address, targets));
    let daemon = Daemon::start(&files).await;
    wait_until_within("all alarms exist", CREATION_LIMIT, async || {
        cloudwatch.alarms() == targets + 1
    })
    .await;
    let health = "probecause_health{";
    wait_until("all targets are up", async || {
        let metrics = daemon.get("/metrics").await;
        let up = metrics.lines().filter(|line| {
            line.starts_with(health) && line.contains("state=\"up\"") && line.ends_with(" 1")
        });
        up.count() == targets
    })
    .await;
    sleep(Duration::from_secs(2)).await;
    let writes_before = cloudwatch.writes().len();

    let started = Instant::now();
    probed.fail((0..targets).map(|number| format!("t{number}")));
    wait_until_within("all alarms fire", STATE_LIMIT, async || {
        cloudwatch.firing() == targets
    })
    .await;
    let time_to_fire = started.elapsed();
    // By then all alarm writes that follow from the failures have been made.
    sleep(Duration::from_secs(20)).await;
    let written = cloudwatch.writes().len() - writes_before;
    let heartbeat = heartbeat_name("mass-failure", 0);
    let cause = cloudwatch.tag(&heartbeat, "probecause:cause");
    let late = daemon.metric("probecause_alarm_updates_late_total ").await;
    println!(
        "{targets} targets failing: {} pages, all alarms firing after {time_to_fire:.1?}, {written} \
         alarm writes, {late} late alarm updates; `{heartbeat}` names {cause:?}",
        cloudwatch.pages()
    );
    assert_eq!(cloudwatch.pages(), targets);
    assert_eq!(cause.as_deref(), Some("lambda-throttled"));
    assert!(written < targets / 4, "{written} alarm writes");

    let started = Instant::now();
    probed.fail([]);
    wait_until_within("no alarm fires", STATE_LIMIT, async || {
        cloudwatch.firing() == 0
    })
    .await;
    let time_to_recover = started.elapsed();
    wait_until("the heartbeat alarm names no cause", async || {
        cloudwatch.tag(&heartbeat, "probecause:cause").as_deref() == Some("none")
    })
    .await;
    let written = cloudwatch.writes().len() - writes_before;
    println!("no alarm firing after {time_to_recover:.1?}, {written} alarm writes in total");
    assert_eq!(cloudwatch.pages(), targets, "an alarm paged more than once");
    assert_eq!(daemon.terminate().await, Some(0));
}
