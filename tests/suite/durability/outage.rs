//! CloudWatch dies under 200 probes a second, and comes back.
//!
//! The emulator keeps nothing when it dies, so that the alarms are applied again when it
//! is back; CloudWatch itself would have kept them.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_cloudwatch::types::StateValue;
use jiff::Timestamp;
use probecause::domain::alarm::target_alarm_name;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::durability::ledger::{Ledger, Probed};
use crate::durability::prober::{Home, Prober, until, value};
use crate::durability::{TARGETS, config, long, names};
use crate::support::cloudwatch::emulator::Emulator;

const PATIENCE: Duration = Duration::from_secs(120);

/// How long a target fails while CloudWatch is away. The emulator looks back over three
/// periods of 10 s and takes any datapoint in them, so that it has to be over long before.
const BRIEFLY: Duration = Duration::from_secs(5);

/// Stays healthy.
const HEALTHY: &str = "t0";
/// Fails and recovers while CloudWatch is away.
const BRIEF: &str = "t1";
/// Fails when CloudWatch is back.
const LATER: &str = "t2";

/// The share of probes between two scrapes that started within 10 ms.
fn punctual(before: &str, after: &str) -> f64 {
    let between = |bound: &str| {
        let series = format!("probecause_schedule_lag_seconds_bucket{{le=\"{bound}\"}} ");
        value(after, &series) - value(before, &series)
    };
    between("0.01") / between("+Inf")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn an_outage_of_cloudwatch_loses_nothing_and_fires_nothing() {
    let _alone = crate::durability::ALONE.lock().await;
    let outage = Duration::from_secs(if long() { 180 } else { 40 });
    let emulator = Emulator::get().await;
    let (probed, address) = Probed::start().await;
    let (ledger, url) = Ledger::start(Some(emulator.address)).await;
    let here = format!("outage-{}", std::process::id());
    let own = |name: &str| {
        let alarmed = [HEALTHY, BRIEF, LATER].contains(&name);
        format!("alarm = {{ enabled = {alarmed} }}")
    };
    let home = Home::new(&config(&here, &url, address, own));
    let prober = Prober::start(&home).await;
    for target in [HEALTHY, BRIEF, LATER] {
        let alarm = target_alarm_name(&here, target);
        emulator
            .until(&alarm, StateValue::Ok, PATIENCE, || {})
            .await;
    }

    go_away(emulator, &prober, &probed, outage).await;
    let emulator = Emulator::get().await;
    ledger.forward_to(emulator.address);
    apply(&home).await;
    probed.fail([LATER.to_owned()]);
    come_back(&emulator, &prober, &here).await;
    let series = "probecause_cloudwatch_maybe_duplicates_total ";
    let counted = prober.metric(series).await;
    let series = "probecause_sink_dropped_total{sink=\"cloudwatch\"} ";
    let dropped = prober.metric(series).await;
    assert_eq!(prober.terminate().await, Some(0));

    println!(
        "{} came twice, {counted} counted as such",
        ledger.duplicates()
    );
    assert!(ledger.duplicates() as f64 <= counted);
    assert!(dropped < 1.0, "{dropped} dropped");
    compare(&probed, &ledger);
}

/// Stops the emulator and watches the daemon beside one that sends nothing to CloudWatch:
/// whatever else this machine does delays both.
async fn go_away(emulator: Emulator, prober: &Prober, probed: &Probed, outage: Duration) {
    let (_others, address) = Probed::start().await;
    let text = config("control", "http://127.0.0.1:9", address, |_| String::new());
    let home = Home::new(&text.replace("enabled = true", "enabled = false"));
    let control = Prober::start(&home).await;
    control
        .metric_until("probecause_schedule_lag_seconds_count ", TARGETS)
        .await;

    let before = (prober.get("/metrics").await, control.get("/metrics").await);
    let memory = prober.memory();
    drop(emulator);
    probed.fail([BRIEF.to_owned()]);
    sleep(BRIEFLY).await;
    probed.fail([]);
    sleep(outage.saturating_sub(BRIEFLY)).await;
    let after = (prober.get("/metrics").await, control.get("/metrics").await);
    let waiting = value(&after.0, "probecause_spool_datapoints ");
    let memory_then = prober.memory();
    println!("{outage:?} without CloudWatch: {waiting} datapoints wait");
    println!("resident memory: {memory:.1} MiB before, {memory_then:.1} MiB at the end");
    let (own, other) = (punctual(&before.0, &after.0), punctual(&before.1, &after.1));
    println!("probes within 10 ms of their slot: {own:.4}, without CloudWatch {other:.4}");
    assert_eq!(control.terminate().await, Some(0));
    assert!(waiting >= TARGETS as f64, "only {waiting} datapoints wait");
    assert!(memory_then < memory + 32.0, "memory grew");
    assert!(own >= other - 0.1, "CloudWatch delays the schedule");
}

/// What is fresh fires, what is old does not, and in the end nothing waits.
async fn come_back(emulator: &Emulator, prober: &Prober, here: &str) {
    let alarm = target_alarm_name(here, LATER);
    let brief = target_alarm_name(here, BRIEF);
    let mut states = Vec::new();
    let begun = Instant::now();
    loop {
        states.push(state(emulator, &brief).await);
        if state(emulator, &alarm).await == StateValue::Alarm {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the live alarm never fired");
        sleep(Duration::from_secs(1)).await;
    }
    println!(
        "the alarm of a live failure: {:.0?} after the return",
        begun.elapsed()
    );
    assert!(!states.contains(&StateValue::Alarm), "an old failure fired");
    until("the backlog is sent", async || {
        prober.metric("probecause_spool_datapoints ").await < 1.0
    })
    .await;
    println!("nothing waits {:.0?} after the return", begun.elapsed());
}

async fn state(emulator: &Emulator, alarm: &str) -> StateValue {
    emulator.describe(alarm).await.state_value.unwrap()
}

/// Writes the alarms, as an operator would.
async fn apply(home: &Home) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_probecause"));
    command
        .args(["alarms", "apply", "--config"])
        .arg(home.config());
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

/// Every probe has its value, and each window has its own probes.
fn compare(probed: &Probed, ledger: &Ledger) {
    let points = ledger.points("Failed");
    let taken: usize = points.iter().map(|(.., count)| count).sum();
    println!("{} probes, {taken} values in CloudWatch", probed.count());
    assert_eq!(taken, probed.count());

    let window = |at: Timestamp| at.as_second().div_euclid(10);
    let mut windows: HashMap<(&str, i64), usize> = HashMap::new();
    for (target, at, count) in &points {
        *windows.entry((target, window(*at))).or_default() += count;
    }
    let first = points.iter().map(|(_, at, _)| window(*at)).min().unwrap();
    let last = points.iter().map(|(_, at, _)| window(*at)).max().unwrap();
    let names: Vec<_> = names().collect();
    let mut compared = 0;
    for number in first..=last {
        let from = Timestamp::from_second(number * 10).unwrap();
        let to = Timestamp::from_second(number * 10 + 10).unwrap();
        for name in &names {
            let asked = probed.between(name, from, to);
            let taken = windows.get(&(name.as_str(), number)).copied().unwrap_or(0);
            // A probe that was asked at the end of a window may be told in the next.
            assert!(
                asked.abs_diff(taken) <= 1,
                "{name} at {from}: {asked} asked, {taken} taken"
            );
            compared += 1;
        }
    }
    println!("{compared} windows have their own probes");
}
