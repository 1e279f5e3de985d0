//! Runs `probecause diagnose` on captured failures of HTTP APIs and REST APIs.

use std::process::{Command, Output};

const CAPTURES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/transcripts/http-api-lambda-failures.md"
);

const REST: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/transcripts/rest-api-failures.md"
);

fn diagnose(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_probecause"))
        .arg("diagnose")
        .args(arguments)
        .output()
        .unwrap()
}

/// One line per response: `certainty cause cause …`, the most likely cause first.
fn verdicts(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            let causes: Vec<&str> = value["candidates"]
                .as_array()
                .unwrap()
                .iter()
                .map(|candidate| candidate["cause"].as_str().unwrap())
                .collect();
            assert_eq!(value["cause"], causes[0]);
            format!(
                "{} {}",
                value["certainty"].as_str().unwrap(),
                causes.join(" ")
            )
        })
        .collect()
}

#[test]
fn the_causes_of_the_five_captures_are_named() {
    let output = diagnose(&[CAPTURES, "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let verdicts = verdicts(&output);
    let expected = [
        "likely integration-timeout",
        "possible lambda-function-error lambda-malformed-response",
        "possible lambda-permission-denied",
        "likely lambda-throttled",
        "possible lambda-function-error lambda-malformed-response",
    ];
    assert_eq!(verdicts.len(), expected.len());
    for (verdict, start) in verdicts.iter().zip(expected) {
        assert!(verdict.starts_with(start), "{verdict} instead of {start}");
    }
}

/// Half of them passed through the CloudFront of an edge-optimized API, which is not named
/// as a cause.
#[test]
fn the_failures_of_a_rest_api_are_named_with_their_rivals() {
    let output = diagnose(&[REST, "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let expected = [
        "possible lambda-function-error lambda-malformed-response function-missing",
        "possible lambda-permission-denied lambda-throttled",
        "likely integration-timeout integration-unreachable",
        "proven api-throttled",
        "proven quota-exceeded",
        "possible route-not-found unauthorized",
        "possible forbidden probe-blocked unauthorized route-not-found",
        "proven authorizer-failure",
    ];
    assert_eq!(verdicts(&output), expected);
}

#[test]
fn the_floor_is_taken_from_a_response_that_did_not_reach_the_function() {
    let output = diagnose(&[CAPTURES, "--json"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let third: serde_json::Value = serde_json::from_str(text.lines().nth(2).unwrap()).unwrap();
    let from = third["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .find(|evidence| evidence["fact"] == "floor_from")
        .unwrap();
    assert_eq!(
        from["value"],
        "response 4 (same host, cause lambda-throttled)"
    );
    assert_eq!(third["time"], "2025-05-20T04:47:06.000Z");
    assert_eq!(third["duration_seconds"], 0.168);
    assert!(third["phases"]["processing"].is_null());
}

#[test]
fn without_a_floor_a_function_error_is_not_reported_as_a_missing_permission() {
    let text = std::fs::read_to_string(CAPTURES).unwrap();
    let parts: Vec<&str> = text.split("\n# ").collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{}\n# {}", parts[1], parts[4])).unwrap();
    let output = diagnose(&[file.path().to_str().unwrap(), "--json"]);
    let verdicts = verdicts(&output);
    assert_eq!(verdicts.len(), 2);
    for verdict in verdicts {
        assert!(verdict.starts_with("possible lambda-function-error lambda-malformed-response"));
    }
}

#[test]
fn an_unreadable_file_is_named_and_the_command_exits_with_2() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "# nothing here\n").unwrap();
    for (argument, expected) in [
        ("/nonexistent/file", "cannot read /nonexistent/file"),
        (
            file.path().to_str().unwrap(),
            "no response or failed request found in",
        ),
    ] {
        let output = diagnose(&[argument, CAPTURES]);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(expected));
        // The other file is still diagnosed.
        assert!(String::from_utf8_lossy(&output.stdout).contains("integration-timeout"));
    }
}

#[test]
fn the_text_output_for_the_five_captures() {
    let output = diagnose(&[CAPTURES]);
    insta::assert_snapshot!("five_captures", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_status_that_the_text_does_not_state_is_not_published() {
    let attempt = "[error] 31#31: *5 connect() failed (111: Connection refused) while connecting to \
        upstream, client: 10.0.0.5, server: _, request: \"GET / HTTP/1.1\", upstream: \
        \"http://10.0.3.7/\", host: \"x.example\"\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), attempt.repeat(2)).unwrap();
    let path = file.path().to_str().unwrap();
    let shown = String::from_utf8(diagnose(&[path]).stdout).unwrap();
    assert!(shown.contains("status unknown"), "{shown}");
    assert!(!shown.contains("502"), "{shown}");
    let shown = String::from_utf8(diagnose(&[path, "--json"]).stdout).unwrap();
    let value: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert!(value["status"].is_null(), "{shown}");
    assert!(!shown.contains("502"), "{shown}");
}
