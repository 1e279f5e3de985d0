//! A daemon against the emulator, which stops while the daemon runs. The daemon must keep its
//! probe schedule and log the failure once.

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

/// Number of targets. Each is probed once per second, which gives enough probes in a few seconds to
/// compare the lag of two daemons.
const TARGETS: usize = 30;

/// How long the test measures the schedule after the emulator has stopped.
const MEASURED_FOR: Duration = Duration::from_secs(15);

/// Time limit for the daemon to write the alarms of all targets. The emulator responds slowly on a
/// loaded machine.
const APPLY_LIMIT: Duration = Duration::from_secs(60);

/// Serves the response that API Gateway sends for a throttled function, as captured from AWS.
async fn gateway() -> std::net::SocketAddr {
    let headers = [
        ("content-type", "application/json"),
        ("apigw-requestid", "K2ZRZgLwoAMEbag="),
    ];
    let body = r#"{"message":"Service Unavailable"}"#;
    let response = (StatusCode::SERVICE_UNAVAILABLE, headers, body);
    let router = axum::Router::new().fallback(get(move || async move { response }));
    serve(router).await
}

/// A configuration with all targets behind a gateway.
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
         [defaults]\ninterval = \"1s\"\ntimeout = \"20s\"\n{targets}"
    )
}

/// The cumulative buckets of the schedule lag: the number of started probes by upper bound in
/// seconds.
fn lag(metrics: &str) -> BTreeMap<String, f64> {
    let lines = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix("probecause_schedule_lag_seconds_bucket{le=\"")?;
        let (bound, count) = rest.split_once("\"} ")?;
        Some((bound.to_owned(), count.parse().ok()?))
    });
    lines.collect()
}

/// Number of scheduled probes since the start: started and missed ones.
fn scheduled_probes(metrics: &str) -> f64 {
    lag(metrics)["+Inf"] + sum(metrics, "probecause_missed_total{")
}

/// The share of probes between two scrapes that started within 10 ms of their scheduled time.
fn punctual(before: &str, after: &str) -> f64 {
    let (before, after) = (lag(before), lag(after));
    let between = |bound: &str| after[bound] - before[bound];
    between("0.01") / between("+Inf")
}

/// Runs `alarms plan` until it finds no changes, and returns its output. The daemon applies the same
/// plan as the command line, but the first alarm may fire before it has written all alarms.
async fn plan_until_no_changes(daemon: &Daemon) -> String {
    let deadline = Instant::now() + APPLY_LIMIT;
    loop {
        let plan = Command::new(env!("CARGO_BIN_EXE_probecause"))
            .args(["alarms", "plan", "--detailed-exitcode", "--config"])
            .arg(&daemon.config)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .output()
            .await
            .unwrap();
        let stdout = String::from_utf8_lossy(&plan.stdout).into_owned();
        if plan.status.code() == Some(0) {
            return stdout;
        }
        assert!(
            Instant::now() < deadline,
            "timed out with pending changes:\n{stdout}"
        );
        sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the CloudWatch emulator: run by tests/run"]
async fn a_daemon_keeps_its_schedule_while_cloudwatch_is_unreachable() {
    let emulator = Emulator::get().await;
    let proxy = Proxy::start(emulator.address).await;
    let location = format!("daemon-{}", std::process::id());
    let text = config(&location, &proxy.url(), gateway().await);
    let mut daemon = Daemon::start(&text).await;
    let alarm = probecause::domain::alarm::target_alarm_name(&location, "t0");
    emulator
        .until(&alarm, StateValue::Alarm, Duration::from_secs(120), || {})
        .await;
    // All targets fail at the same time, and CloudWatch accepts three alarm writes per second. A
    // datapoint waits two seconds for its cause, so an alarm may fire before it names the cause.
    until_named(&emulator, &alarm, "lambda-throttled").await;
    let tags = emulator.tags(&alarm).await;
    assert_eq!(tags["probecause:target"], "t0", "{tags:?}");

    let plan = plan_until_no_changes(&daemon).await;
    assert!(plan.contains("0 to create"), "{plan}");

    // A second daemon without CloudWatch is the control: load on this machine delays both.
    let text = config("control", "http://127.0.0.1:9", gateway().await);
    let control = Daemon::start(&text.replace("enabled = true", "enabled = false")).await;
    let all_probed = |text: &str| lag(text)["+Inf"] >= TARGETS as f64;
    drop(emulator);
    daemon.metrics_until(all_probed).await;
    control.metrics_until(all_probed).await;
    // Both are scraped at the same time, because a scrape takes seconds on a busy machine.
    let before = tokio::join!(daemon.get("/metrics"), control.get("/metrics"));
    sleep(MEASURED_FOR).await;
    let after = tokio::join!(daemon.get("/metrics"), control.get("/metrics"));
    let (measured, baseline) = (punctual(&before.0, &after.0), punctual(&before.1, &after.1));
    println!(
        "probes within 10 ms of the schedule: {measured:.4}, without CloudWatch: {baseline:.4}"
    );
    assert!(
        measured >= baseline - 0.1,
        "the CloudWatch failure delays the schedule"
    );
    // Both scheduled about the same number of probes.
    let scheduled =
        |(before, after): (&str, &str)| scheduled_probes(after) - scheduled_probes(before);
    let (measured, baseline) = (
        scheduled((&before.0, &after.0)),
        scheduled((&before.1, &after.1)),
    );
    let tolerance = 3.0 * TARGETS as f64;
    assert!(
        (measured - baseline).abs() <= tolerance,
        "{measured} scheduled probes, without CloudWatch: {baseline}"
    );

    assert_eq!(daemon.terminate().await, Some(0));
    let mut log = String::new();
    while let Some(line) = daemon.log.next_line().await.unwrap() {
        log.push_str(&line);
        log.push('\n');
    }
    let errors = log
        .lines()
        .filter(|line| line.contains("ERROR") && line.contains("PutMetricData"));
    assert_eq!(
        errors.count(),
        1,
        "the failure of PutMetricData must be logged once:\n{log}"
    );
}
