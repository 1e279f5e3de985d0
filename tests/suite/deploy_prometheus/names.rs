//! Every metric, label and label value in the rules exists. An alert on a name that does not
//! exist never fires, and Prometheus does not report it.

use std::collections::BTreeSet;

use regex::Regex;

use crate::deploy_prometheus::{catalogue, read, values};

/// Lists the unknown names in `text`. `recorded` are the names of the recording rules.
fn findings(text: &str, recorded: &[&str]) -> Vec<String> {
    let known = catalogue::metrics();
    let all: BTreeSet<&String> = known.values().flatten().collect();
    let mut found = Vec::new();
    // A selector in an expression or in a `printf` format: a name and optional matchers.
    let selector = r"(?:\b[a-z_]+:)?\b(?:probe|probecause)_[a-z0-9_]+(?::[a-z0-9_]+)?|\bup\b";
    let selector = Regex::new(&format!(r"({selector})(?:\{{([^}}]*)\}})?")).unwrap();
    let matcher = Regex::new(r#"(\w+)(=~|!=|!~|=)(?:"([^"]*)"|%q)"#).unwrap();
    for part in selector.captures_iter(text) {
        let name = &part[1];
        let is_recorded = name.contains(':');
        if is_recorded && !recorded.contains(&name) {
            found.push(format!("nothing records {name}"));
        } else if !is_recorded && !known.contains_key(name) {
            found.push(format!("no metric is called {name}"));
        }
        let Some(matchers) = part.get(2) else {
            continue;
        };
        for one in matcher.captures_iter(matchers.as_str()) {
            let label = &one[1];
            let has = match known.get(name) {
                Some(labels) => labels.contains(label),
                None => all.contains(&label.to_owned()),
            };
            if !has {
                found.push(format!("{name} has no label {label}"));
            }
            let (Some(value), Some(allowed)) = (one.get(3), catalogue::label_values(name, label))
            else {
                continue;
            };
            let split = value.as_str().split('|');
            let unknown = split.filter(|value| !allowed.contains(*value));
            found.extend(unknown.map(|value| format!("{label} is never {value}")));
        }
    }
    let grouping =
        Regex::new(r"\b(?:by|on|without|group_left|group_right) \(([a-z_, ]*)\)").unwrap();
    for part in grouping.captures_iter(text) {
        for label in part[1].split(", ").filter(|label| !label.is_empty()) {
            if !all.contains(&label.to_owned()) {
                found.push(format!("no metric has a label {label}"));
            }
        }
    }
    found
}

/// The text of a rule file without the names of its groups.
fn rules(file: &str) -> String {
    let text = read(file);
    let lines = text
        .lines()
        .filter(|line| !line.trim().starts_with("- name:"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_metric_label_and_label_value_in_the_rules_exists() {
    let recording = rules("recording.rules.yaml");
    let recorded = values(&recording, "- record:");
    assert!(recorded.len() > 15, "{recorded:?}");
    for text in [&recording, &rules("alerts.rules.yaml")] {
        assert_eq!(findings(text, &recorded), Vec::<String>::new());
    }
}

#[test]
fn an_unknown_name_is_reported() {
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(findings(text, &["a:probecause_b:c"]), expected, "{text}");
    };
    check("sum by (target) (probecause_probes_total)", &[]);
    check("a:probecause_b:c{cause=%q} and up", &[]);
    check(
        "probecause_probe_total > 0",
        &["no metric is called probecause_probe_total"],
    );
    check(
        "target:probecause_b:c",
        &["nothing records target:probecause_b:c"],
    );
    check(
        r#"probe_success{phase="tls"}"#,
        &["probe_success has no label phase"],
    );
    check(
        r#"probecause_health{state="dwon"}"#,
        &["state is never dwon"],
    );
    check("count by (tem) (up)", &["no metric has a label tem"]);
    check(
        r#"probecause_evidence_dropped_total{reason=~"denied|late"}"#,
        &["reason is never late"],
    );
}

#[test]
fn recording_rules_are_named_level_metric_operation() {
    let text = rules("recording.rules.yaml");
    let form = Regex::new(
        "^(job|location|target|cause|owner|certainty|_)+:probecause_[a-z_]+:[a-z0-9_]+$",
    );
    let form = form.unwrap();
    let names = values(&text, "- record:");
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(form.is_match(name), "{name}");
    }
}
