//! Runs `probecause scorecard` on simulated faults and checks its marks and exit codes.

use std::fmt::Write as _;
use std::time::Duration;

use probecause::io::simulator::{ApiType, Options, RouteFault, Simulator};
use serde_json::Value;
use tokio::process::Command;

/// The integration timeout: short enough for a test, and distinct from all other durations.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Returns a configuration of simulator routes. Each target is a name, its fault and the cause in
/// its `injected` label.
fn config(simulator: &Simulator, ca_file: &str, targets: &[(&str, RouteFault, &str)]) -> String {
    let mut text = String::new();
    for (name, fault, truth) in targets {
        let url = format!("https://{}{}", simulator.address(), fault.route());
        let aws = simulator.declarations(ApiType::HttpApi, fault.route());
        let limit = humantime::format_duration(aws.integration_timeout.unwrap()).to_string();
        writeln!(
            text,
            "[[target]]\nname = {name:?}\nurl = {url:?}\ninterval = \"2s\"\ntimeout = \"20s\"\n\
             confirm_after = \"1s\"\nlabels = {{ injected = {truth:?} }}\n\
             tls = {{ ca_file = {ca_file:?} }}\n\
             aws = {{ integration = \"lambda\", authorizer = \"none\", integration_timeout = {limit:?} }}\n"
        )
        .unwrap();
    }
    text
}

/// Runs the scorecard on `targets` for 8 s with the arguments `more`. Compares the lines
/// `target mark` and the exit code.
async fn check(targets: &[(&str, RouteFault, &str)], more: &[&str], marks: &[&str], code: i32) {
    let options = Options {
        integration_timeout: TIMEOUT,
        ..Options::default()
    };
    let simulator = Simulator::start(options).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("ca.pem");
    std::fs::write(&ca_file, simulator.ca_pem()).unwrap();
    let file = directory.path().join("lab.toml");
    let text = config(&simulator, ca_file.to_str().unwrap(), targets);
    std::fs::write(&file, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_probecause"))
        .args(["scorecard", "--json", "--for", "8s", "--config"])
        .arg(&file)
        .args(more)
        .output()
        .await
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let cards = lines.iter().filter(|line| line["event"] == "card");
    let actual: Vec<String> = cards
        .map(|card| {
            let word = |key: &str| card[key].as_str().unwrap().to_owned();
            format!("{} {}", word("target"), word("mark"))
        })
        .collect();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(actual, marks, "{stdout}\n{stderr}");
    assert_eq!(output.status.code(), Some(code), "{stdout}\n{stderr}");
    if let Some(last) = lines.last() {
        assert_eq!(last["event"], "summary");
        assert_eq!(last["success"], code == 0);
    }
    simulator.stop().await;
}

#[tokio::test]
async fn an_injected_cause_that_is_named_or_a_leading_candidate_passes() {
    check(
        &[
            ("orders", RouteFault::None, "none"),
            ("timeout", RouteFault::Timeout, "integration-timeout"),
            ("throttled", RouteFault::Throttled, "lambda-throttled"),
            (
                "malformed",
                RouteFault::Malformed,
                "lambda-malformed-response",
            ),
            ("error", RouteFault::FunctionError, "lambda-function-error"),
        ],
        &[],
        &[
            "orders right",
            "timeout right",
            "throttled right",
            // Without evidence it equals a function error, which leads.
            "malformed candidate",
            "error right",
        ],
        0,
    )
    .await;
}

#[tokio::test]
async fn another_cause_fails_and_expect_overrides_the_label() {
    check(
        &[
            ("throttled", RouteFault::Throttled, "integration-timeout"),
            ("orders", RouteFault::None, "none"),
        ],
        &["--expect", "orders=too-slow"],
        &["throttled wrong", "orders unnamed"],
        1,
    )
    .await;
}

#[tokio::test]
async fn an_expectation_for_an_unknown_target_is_a_usage_error() {
    let expect = ["--expect", "unknown=too-slow"];
    check(&[("orders", RouteFault::None, "none")], &expect, &[], 2).await;
}
