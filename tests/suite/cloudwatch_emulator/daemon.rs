//! A whole daemon against the emulator, which then dies under it.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::types::StateValue;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::support::cloudwatch::emulator::Emulator;
use crate::support::cloudwatch::gateway::until_named;
use crate::support::cloudwatch::proxy::Proxy;
use crate::support::loopback::serve;
use crate::support::process::{Daemon, sum};

/// Probed each second: enough slots in a few seconds to compare lags.
const TARGETS: usize = 30;

/// How long the schedule is watched after the emulator has stopped.
const WATCHED: Duration = Duration::from_secs(15);

/// How long the daemon may take to write the alarms of all targets: the emulator answers
/// slowly on a loaded machine.
const APPLIED_WITHIN: Duration = Duration::from_secs(60);

/// A gateway in the words of the captures, throttled.
async fn gateway() -> std::net::SocketAddr {
    let headers = [
        ("content-type", "application/json"),
        ("apigw-requestid", "K2ZRZgLwoAMEbag="),
    ];
    let body = r#"{"message":"Service Unavailable"}"#;
    let answer = (StatusCode::SERVICE_UNAVAILABLE, headers, body);
    let router = axum::Router::new().fallback(get(move || async move { answer }));
    serve(router).await
}

fn config(location: &str, cloudwatch: &str, gateway: std::net::SocketAddr) -> String {
    let targets: String = (0..TARGETS)
        .map(|index| {
            format!("[[target]]\nname = \"t{index}\"\nurl = \"http://{gateway}/{index}\"\n")
        })
        .collect();
    format!(
        "location = \"{location}\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [cloudwatch]\nenabled = true\nregion = \"eu-west-1\"\nresolution = \"10s\"\n\
         endpoint_url = \"{cloudwatch}\"\n\
         [defaults]\ninterval = \"1s\"\ntimeout = \"900ms\"\n{targets}"
    )
}

/// Probes started and how late: the cumulative buckets of the lag.
fn lag(metrics: &str) -> BTreeMap<String, f64> {
    let lines = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix("probecause_schedule_lag_seconds_bucket{le=\"")?;
        let (bound, count) = rest.split_once("\"} ")?;
        Some((bound.to_owned(), count.parse().ok()?))
    });
    lines.collect()
}

/// Slots of all targets since the start: probes that started and probes that were missed.
fn all_slots(metrics: &str) -> f64 {
    lag(metrics)["+Inf"] + sum(metrics, "probecause_missed_total{")
}

/// The share of probes between two scrapes that started within 10 ms.
fn punctual(before: &str, after: &str) -> f64 {
    let (before, after) = (lag(before), lag(after));
    let between = |bound: &str| after[bound] - before[bound];
    between("0.01") / between("+Inf")
}

/// What the daemon applies is what the command line would: in the end nothing is left to do.
/// The first alarm may fire while the daemon still writes those of its other targets.
async fn plan_until_nothing_to_do(daemon: &Daemon) -> String {
    let deadline = Instant::now() + APPLIED_WITHIN;
    loop {
        let plan = Command::new(env!("CARGO_BIN_EXE_probecause"))
            .args(["alarms", "plan", "--detailed-exitcode", "--config"])
            .arg(&daemon.config)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .output()
            .await
            .unwrap();
        let shown = String::from_utf8_lossy(&plan.stdout).into_owned();
        if plan.status.code() == Some(0) {
            return shown;
        }
        assert!(Instant::now() < deadline, "still to do:\n{shown}");
        sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn a_daemon_keeps_its_schedule_when_cloudwatch_dies() {
    let emulator = Emulator::get().await;
    let proxy = Proxy::start(emulator.address).await;
    let location = format!("daemon-{}", std::process::id());
    let text = config(&location, &proxy.url(), gateway().await);
    let mut daemon = Daemon::start(&text).await;
    let alarm = probecause::domain::alarm::target_alarm_name(&location, "t0");
    emulator
        .until(&alarm, StateValue::Alarm, Duration::from_secs(120), || {})
        .await;
    // All targets fail at once, and CloudWatch accepts three alarm writes a second. A
    // datapoint waits two seconds for its cause, so an alarm may fire before it names it.
    until_named(&emulator, &alarm, "lambda-throttled").await;
    let tags = emulator.tags(&alarm).await;
    assert_eq!(tags["probecause:target"], "t0", "{tags:?}");

    let plan = plan_until_nothing_to_do(&daemon).await;
    assert!(plan.contains("0 to create"), "{plan}");

    // Beside a daemon without CloudWatch: whatever else this machine does delays both.
    let text = config("control", "http://127.0.0.1:9", gateway().await);
    let control = Daemon::start(&text.replace("enabled = true", "enabled = false")).await;
    let all = |text: &str| lag(text)["+Inf"] >= TARGETS as f64;
    drop(emulator);
    let began = (
        daemon.metrics_until(all).await,
        control.metrics_until(all).await,
    );
    sleep(WATCHED).await;
    let ended = (daemon.get("/metrics").await, control.get("/metrics").await);
    let (own, other) = (punctual(&began.0, &ended.0), punctual(&began.1, &ended.1));
    println!("within 10 ms of their slot: {own:.4}, without CloudWatch {other:.4}");
    assert!(own >= other - 0.1, "CloudWatch delays the schedule");
    // Both saw as many slots, with a probe or without; the scrapes are moments apart.
    let slots = |(began, ended): (&str, &str)| all_slots(ended) - all_slots(began);
    let (own, other) = (slots((&began.0, &ended.0)), slots((&began.1, &ended.1)));
    let apart = 3.0 * TARGETS as f64;
    assert!(
        (own - other).abs() <= apart,
        "{own} slots, without CloudWatch {other}"
    );

    assert_eq!(daemon.terminate().await, Some(0));
    let mut log = String::new();
    while let Some(line) = daemon.log.next_line().await.unwrap() {
        log.push_str(&line);
        log.push('\n');
    }
    let said = log
        .lines()
        .filter(|line| line.contains("ERROR") && line.contains("PutMetricData"));
    assert_eq!(
        said.count(),
        1,
        "that CloudWatch is gone is said once:\n{log}"
    );
}
