//! CloudWatch goes down and comes back while the daemon makes 200 probes a second.
//!
//! The emulator loses its state when it stops, so the test applies the alarms again once a
//! new emulator runs. CloudWatch itself would keep them.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_cloudwatch::types::StateValue;
use jiff::Timestamp;
use probecause::domain::alarm::target_alarm_name;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::durability::daemon::{Daemon, DaemonFiles, metric_value, wait_until_within};
use crate::durability::probed_server::ProbedServer;
use crate::durability::recording_proxy::RecordingProxy;
use crate::durability::{TARGETS, config, long_form, target_names};
use crate::support::cloudwatch::emulator::Emulator;

const PATIENCE: Duration = Duration::from_secs(120);

/// Time limit for sending the backlog. It takes seconds, but on a loaded machine the emulator
/// accepts thousands of datapoints slowly.
const BACKLOG_PATIENCE: Duration = Duration::from_secs(600);

/// How long one target fails during the outage. The emulator evaluates all datapoints of the
/// last three periods of 10 s, so the failure must be older than that when CloudWatch is back.
const FAILURE_DURATION: Duration = Duration::from_secs(5);

/// A target that stays healthy.
const HEALTHY: &str = "t0";
/// A target that fails and recovers during the outage.
const FAILS_DURING_OUTAGE: &str = "t1";
/// A target that fails once CloudWatch is back.
const FAILS_AFTER_OUTAGE: &str = "t2";

/// Share of the probes between two scrapes that started at most a second late. A scheduler that
/// waits for a call to CloudWatch is late by several seconds. Smaller delays depend on what else
/// runs on this machine.
fn share_on_time(before: &str, after: &str) -> f64 {
    let count = |bound: &str| {
        let series = format!("probecause_schedule_lag_seconds_bucket{{le=\"{bound}\"}} ");
        metric_value(after, &series) - metric_value(before, &series)
    };
    count("1") / count("+Inf")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn an_outage_of_cloudwatch_loses_no_datapoint_and_fires_no_alarm_for_an_old_failure() {
    let _guard = crate::durability::ONE_AT_A_TIME.lock().await;
    let outage = Duration::from_secs(if long_form() { 180 } else { 40 });
    let emulator = Emulator::get().await;
    let (probed, address) = ProbedServer::start().await;
    let (proxy, url) = RecordingProxy::start(Some(emulator.address)).await;
    let location = format!("outage-{}", std::process::id());
    let alarm_key = |name: &str| {
        let has_alarm = [HEALTHY, FAILS_DURING_OUTAGE, FAILS_AFTER_OUTAGE].contains(&name);
        format!("alarm = {{ enabled = {has_alarm} }}")
    };
    let files = DaemonFiles::new(&config(&location, &url, address, alarm_key));
    let daemon = Daemon::start(&files).await;
    for target in [HEALTHY, FAILS_DURING_OUTAGE, FAILS_AFTER_OUTAGE] {
        let alarm = target_alarm_name(&location, target);
        emulator
            .until(&alarm, StateValue::Ok, PATIENCE, || {})
            .await;
    }

    stop_cloudwatch(emulator, &daemon, &probed, outage).await;
    let emulator = Emulator::get().await;
    proxy.forward_to(emulator.address);
    apply_alarms(&files).await;
    probed.fail([FAILS_AFTER_OUTAGE.to_owned()]);
    check_return_of_cloudwatch(&emulator, &daemon, &location).await;
    let series = "probecause_cloudwatch_maybe_duplicates_total ";
    let counted = daemon.metric(series).await;
    let series = "probecause_sink_dropped_total{sink=\"cloudwatch\"} ";
    let dropped = daemon.metric(series).await;
    let duplicates = proxy.duplicates();
    assert_eq!(daemon.terminate().await, Some(0));

    println!("{duplicates} duplicate datapoints, {counted} counted as duplicates by the daemon");
    assert!(duplicates as f64 <= counted);
    assert!(dropped < 1.0, "{dropped} datapoints dropped");
    send_rest(&files, (&location, &url), &probed, &proxy).await;
    check_no_value_is_lost(&probed, &proxy);
}

/// Stops the emulator and compares the daemon's schedule with that of a second daemon without
/// CloudWatch, since other load on this machine delays both.
async fn stop_cloudwatch(
    emulator: Emulator,
    daemon: &Daemon,
    probed: &ProbedServer,
    outage: Duration,
) {
    let (_control_targets, address) = ProbedServer::start().await;
    let text = config("control", "http://127.0.0.1:9", address, |_| String::new());
    let files = DaemonFiles::new(&text.replace("enabled = true", "enabled = false"));
    let control = Daemon::start(&files).await;
    control
        .wait_for_metric("probecause_schedule_lag_seconds_count ", TARGETS)
        .await;

    let before = (daemon.get("/metrics").await, control.get("/metrics").await);
    let memory = daemon.memory();
    drop(emulator);
    probed.fail([FAILS_DURING_OUTAGE.to_owned()]);
    sleep(FAILURE_DURATION).await;
    probed.fail([]);
    sleep(outage.saturating_sub(FAILURE_DURATION)).await;
    let after = (daemon.get("/metrics").await, control.get("/metrics").await);
    let spooled = metric_value(&after.0, "probecause_spool_datapoints ");
    let memory_after = daemon.memory();
    println!("{outage:?} without CloudWatch: {spooled} datapoints in the spool");
    println!("resident memory: {memory:.1} MiB before, {memory_after:.1} MiB at the end");
    let on_time = share_on_time(&before.0, &after.0);
    let control_on_time = share_on_time(&before.1, &after.1);
    println!(
        "probes within a second of their slot: {on_time:.4}, in the daemon without CloudWatch {control_on_time:.4}"
    );
    assert_eq!(control.terminate().await, Some(0));
    assert!(
        spooled >= TARGETS as f64,
        "only {spooled} datapoints in the spool"
    );
    assert!(memory_after < memory + 32.0, "resident memory grew");
    assert!(
        on_time >= control_on_time - 0.1,
        "the outage of CloudWatch delays the schedule"
    );
}

/// Checks that a current failure fires its alarm, that a past one does not, and that the
/// daemon sends its whole backlog.
async fn check_return_of_cloudwatch(emulator: &Emulator, daemon: &Daemon, location: &str) {
    let alarm = target_alarm_name(location, FAILS_AFTER_OUTAGE);
    let old_alarm = target_alarm_name(location, FAILS_DURING_OUTAGE);
    let mut states = Vec::new();
    let started = Instant::now();
    loop {
        states.push(alarm_state(emulator, &old_alarm).await);
        if alarm_state(emulator, &alarm).await == StateValue::Alarm {
            break;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "the alarm of the current failure did not fire"
        );
        sleep(Duration::from_secs(1)).await;
    }
    println!(
        "the alarm of the current failure fired {:.0?} after CloudWatch was back",
        started.elapsed()
    );
    assert!(
        !states.contains(&StateValue::Alarm),
        "the alarm of a past failure fired"
    );
    wait_until_within("the backlog is sent", BACKLOG_PATIENCE, async || {
        daemon.metric("probecause_spool_datapoints ").await < 1.0
    })
    .await;
    println!(
        "the backlog was sent {:.0?} after CloudWatch was back",
        started.elapsed()
    );
}

/// Runs a daemon without probes until CloudWatch has the datapoints that the first daemon saved
/// at its shutdown. A shutdown sends for at most 5 s, and on a loaded machine the emulator needs
/// longer for the values of the last window.
async fn send_rest(
    files: &DaemonFiles,
    (location, cloudwatch): (&str, &str),
    probed: &ProbedServer,
    proxy: &RecordingProxy,
) {
    let (_idle_target, address) = ProbedServer::start().await;
    let text = config(location, cloudwatch, address, |_| String::new());
    let (settings, _) = text.split_once("[[target]]").unwrap();
    files.configure(&format!(
        "{settings}[[target]]\nname = \"idle\"\nurl = \"http://{address}/idle\"\n\
         cloudwatch = {{ enabled = false }}\nalarm = {{ enabled = false }}\n"
    ));
    let left = probed.probe_count().saturating_sub(accepted_values(proxy));
    println!("{left} values were left at the shutdown");
    let daemon = Daemon::start(files).await;
    wait_until_within("the rest is sent", BACKLOG_PATIENCE, async || {
        accepted_values(proxy) >= probed.probe_count()
    })
    .await;
    assert_eq!(daemon.terminate().await, Some(0));
}

/// Number of probe results that CloudWatch accepted.
fn accepted_values(proxy: &RecordingProxy) -> usize {
    let datapoints = proxy.datapoints("Failed");
    datapoints.iter().map(|(.., count)| count).sum()
}

async fn alarm_state(emulator: &Emulator, alarm: &str) -> StateValue {
    emulator.describe(alarm).await.state_value.unwrap()
}

/// Applies the alarms with the command line.
async fn apply_alarms(files: &DaemonFiles) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_probecause"));
    command
        .args(["alarms", "apply", "--config"])
        .arg(files.config());
    command
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    let applied = command.output().await.unwrap();
    assert!(
        applied.status.success(),
        "{}",
        String::from_utf8_lossy(&applied.stderr)
    );
}

/// Checks that CloudWatch has one value for every probe, in the window of the probe.
fn check_no_value_is_lost(probed: &ProbedServer, proxy: &RecordingProxy) {
    let datapoints = proxy.datapoints("Failed");
    let accepted = accepted_values(proxy);
    println!(
        "{} probes, {accepted} values in CloudWatch",
        probed.probe_count()
    );
    assert_eq!(accepted, probed.probe_count());

    let window = |at: Timestamp| at.as_second().div_euclid(10);
    let mut windows: HashMap<(&str, i64), usize> = HashMap::new();
    for (target, at, count) in &datapoints {
        *windows.entry((target, window(*at))).or_default() += count;
    }
    let first = datapoints
        .iter()
        .map(|(_, at, _)| window(*at))
        .min()
        .unwrap();
    let last = datapoints
        .iter()
        .map(|(_, at, _)| window(*at))
        .max()
        .unwrap();
    let target_names: Vec<_> = target_names().collect();
    let mut compared = 0;
    for number in first..=last {
        let from = Timestamp::from_second(number * 10).unwrap();
        let to = Timestamp::from_second(number * 10 + 10).unwrap();
        for name in &target_names {
            let probes = probed.probes_between(name, from, to);
            let accepted = windows.get(&(name.as_str(), number)).copied().unwrap_or(0);
            // A probe that starts at the end of a window may be counted in the next one.
            assert!(
                probes.abs_diff(accepted) <= 1,
                "{name} at {from}: {probes} probes, {accepted} values"
            );
            compared += 1;
        }
    }
    println!("{compared} windows have the values of their probes");
}
