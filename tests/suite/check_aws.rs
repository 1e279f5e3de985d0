//! `probecause check --aws` as a command: its output, progress and exit code.

use std::net::TcpListener;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs `check --aws` with a configuration and without the environment of the test.
fn check(config: &str, arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.toml");
    std::fs::write(&path, config).unwrap();
    Command::new(env!("CARGO_BIN_EXE_probecause"))
        .args(["check", "--aws"])
        .args(arguments)
        .arg(&path)
        .env_clear()
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap()
}

#[test]
fn a_target_without_aws_resources_causes_no_call() {
    let config = "[[target]]\nname = \"orders\"\nurl = \"https://orders.example/\"\n";
    let output = check(config, &[]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("fine: 1 target\n\norders ("), "{text}");
    assert_eq!(text.matches("declaration missing: ").count(), 5, "{text}");
    assert!(text.contains("\n  next step: declare "), "{text}");
}

#[test]
fn calls_that_fail_are_shown_and_are_no_problem() {
    // A port on which nothing listens.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let config = format!(
        "[evidence]\nendpoint_url = \"http://127.0.0.1:{port}\"\n\
         [[target]]\nname = \"orders\"\nurl = \"https://orders.example/\"\n\
         aws = {{ region = \"eu-west-1\", function = \"orders\" }}\n"
    );
    let output = check(&config, &["--json"]);
    assert_eq!(output.status.code(), Some(0));
    let progress = String::from_utf8_lossy(&output.stderr);
    let first = "AWS call 1 of 6: cloudwatch:GetMetricData in eu-west-1\n";
    assert!(progress.starts_with(first), "{progress}");
    assert_eq!(progress.lines().count(), 6, "{progress}");
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["target"], "orders");
    assert_eq!(line["scope"], "eu-west-1");
    let sources = line["sources"].as_array().unwrap().iter();
    let states: Vec<&str> = sources
        .map(|source| source["state"].as_str().unwrap())
        .collect();
    let missing = "declaration-missing";
    assert_eq!(states, ["unknown", missing, missing, "off", "off"]);
    assert_eq!(line["next_step"], "set `evidence.configuration = true`");
}

#[test]
fn an_invalid_configuration_is_reported_without_a_call() {
    let output = check("[[target]]\nname = \"orders\"\n", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("next step"), "{text}");
}
