//! A whole daemon against the emulator, which then dies under it.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::types::StateValue;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::emulator::Emulator;
use crate::gateway::until_named;
use crate::loopback::serve;
use crate::proxy::Proxy;
use crate::support::Daemon;

/// Probed each second: enough slots in a few seconds to compare lags.
const TARGETS: usize = 30;

/// How long the schedule is watched before and after the emulator's end.
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

/// The share of probes between two scrapes that started within 10 ms, and their number.
fn punctual(before: &str, after: &str) -> (f64, f64) {
    let (before, after) = (lag(before), lag(after));
    let between = |bound: &str| after[bound] - before[bound];
    (between("0.01") / between("+Inf"), between("+Inf"))
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

    let all = |text: &str| lag(text)["+Inf"] >= TARGETS as f64;
    let begun = daemon.metrics_until(all).await;
    sleep(WATCHED).await;
    let alive = daemon.get("/metrics").await;
    drop(emulator);
    sleep(WATCHED).await;
    let dead = daemon.get("/metrics").await;
    let (before, after) = (punctual(&begun, &alive), punctual(&alive, &dead));
    println!(
        "within 10 ms: {:.4} of {} probes with CloudWatch, {:.4} of {} without",
        before.0, before.1, after.0, after.1
    );
    // A rate, not a speed: each of the targets once a second, whatever CloudWatch does.
    let expected = TARGETS as f64 * WATCHED.as_secs_f64();
    for (_, probes) in [before, after] {
        assert!(
            (probes - expected).abs() <= expected * 0.1,
            "{probes} of {expected}"
        );
    }
    assert!(after.0 >= before.0 - 0.05, "{before:?}, then {after:?}");

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
