//! Public pastes, with the right answer for each.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use super::folder;

/// The pastes that are read rightly but have no rule yet, and what the rule would need.
const AWAITING_A_RULE: &[(&str, &str)] = &[];

/// The certainties in ascending order.
const CERTAINTIES: [&str; 4] = ["possible", "likely", "corroborated", "proven"];

#[test]
fn the_causes_of_public_pastes_are_named() {
    let text = std::fs::read_to_string(folder("field").join("expected.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() >= 42, "{} cases", cases.len());
    let awaiting: BTreeMap<_, _> = AWAITING_A_RULE.iter().copied().collect();
    let mut wrong = Vec::new();
    for case in &cases {
        let file = case["file"].as_str().unwrap();
        let found = diagnose(file);
        let expected = case["answers"].as_array().unwrap();
        // The reading must be right even without a rule.
        assert_eq!(found.len(), expected.len(), "answers of {file}");
        let faults: Vec<String> = found
            .iter()
            .zip(expected)
            .flat_map(|(found, expected)| compare(found, expected))
            .collect();
        match awaiting.get(file) {
            Some(rule) if faults.is_empty() => {
                wrong.push(format!("{file}: no longer awaits a rule: {rule}"));
            }
            None if !faults.is_empty() => wrong.push(format!("{file}: {}", faults.join(", "))),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What was read of each paste: status or error, and the time.
#[test]
fn public_pastes_are_read_rightly() {
    let mut files: Vec<String> = std::fs::read_dir(folder("field"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".txt"))
        .collect();
    files.sort();
    let lines: Vec<String> = files.iter().map(|file| reading(file)).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

fn reading(file: &str) -> String {
    use probecause::domain::transcript;
    let bytes = std::fs::read(folder("field").join(file)).unwrap();
    let found = transcript::read(&transcript::text::decode::decode(&bytes)).transcripts;
    let answers = found.iter().map(|one| {
        let response = one.observation.response.as_ref();
        let shown = response.map_or_else(String::new, |response| {
            format!(
                " [HTTP/{}, {:?}, {} headers, known: {}, exact body: {}]",
                response.version,
                response.reason.as_deref().unwrap_or_default(),
                response.headers.len(),
                one.headers_known,
                one.body_exact
            )
        });
        format!(
            "\n  {} {}{shown}",
            one.method,
            super::summary(one).escape_debug()
        )
    });
    format!("{file}{}", answers.collect::<String>())
}

/// The results of `diagnose --json`.
fn diagnose(file: &str) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_probecause"))
        .args(["diagnose", "--json"])
        .arg(folder("field").join(file))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// In what a result differs from the expected one.
fn compare(found: &Value, expected: &Value) -> Vec<String> {
    let cause = found["cause"].as_str().unwrap_or_default();
    let mut wrong = Vec::new();
    let list = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items
            .filter_map(|item| Some(item.as_str()?.to_owned()))
            .collect()
    };
    if let Some(right) = expected["cause"].as_str()
        && cause != right
    {
        wrong.push(format!("`{cause}` instead of `{right}`"));
    }
    let candidates = list(&expected["candidates"]);
    if !candidates.is_empty() && !candidates.iter().any(|candidate| candidate == cause) {
        wrong.push(format!("`{cause}` instead of one of {candidates:?}"));
    }
    let named = found["candidates"].as_array().into_iter().flatten();
    let named: Vec<&str> = named.filter_map(|one| one["cause"].as_str()).collect();
    for never in list(&expected["never"]) {
        if named.contains(&never.as_str()) {
            wrong.push(format!("names `{never}`"));
        }
    }
    let rank = |value: &Value| {
        let name = value.as_str().unwrap_or("possible");
        CERTAINTIES.iter().position(|certainty| *certainty == name)
    };
    if rank(&found["certainty"]) < rank(&expected["at_least"]) {
        wrong.push(format!("only {}", found["certainty"]));
    }
    wrong
}
