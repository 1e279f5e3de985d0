//! Completeness: each alert has tests, labels, annotations and a runbook entry.

use std::collections::BTreeSet;

use probecause::domain::diagnosis::rulebook::Rulebook;

use crate::deploy_prometheus::{CASES, read, root, values};

/// The text of all promtool unit tests.
fn cases() -> String {
    let files = CASES.map(|name| root("tests/deploy_prometheus").join(format!("{name}.yaml")));
    files
        .map(|file| std::fs::read_to_string(file).unwrap())
        .concat()
}

/// The anchors of the headings in a Markdown file.
fn anchors(file: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root(file)).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let words = headings.map(|line| line.trim_start_matches('#').trim());
    words
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect()
}

#[test]
fn every_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() {
    let (alerts, cases) = (read("alerts.rules.yaml"), cases());
    for alert in values(&alerts, "- alert:") {
        let alert_name = format!("- alertname: {alert}\n");
        let outcomes: BTreeSet<bool> = cases
            .split(&alert_name)
            .skip(1)
            .map(|rest| rest.lines().nth(1).unwrap().trim() == "exp_alerts: []")
            .collect();
        assert_eq!(outcomes, [false, true].into(), "{alert}");
    }
}

#[test]
fn every_alert_has_severity_component_summary_description_and_runbook() {
    let text = read("alerts.rules.yaml");
    let alerts: Vec<&str> = text.split("- alert:").skip(1).collect();
    assert!(alerts.len() > 15);
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        for key in [
            "severity:",
            "component:",
            "summary:",
            "description:",
            "runbook_url:",
        ] {
            assert_eq!(values(alert, key).len(), 1, "{key} of {name}");
        }
    }
}

#[test]
fn every_runbook_link_points_to_a_heading() {
    let runbook = anchors("deploy/prometheus/runbook.md");
    let causes = anchors("config/rules/README.md");
    let text = read("alerts.rules.yaml");
    let links = text
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("https://"));
    let mut local = 0;
    for link in links {
        let (page, anchor) = link.split_once('#').unwrap();
        if page.ends_with("/deploy/prometheus/runbook.md") {
            assert!(runbook.contains(anchor), "{link}");
            local += 1;
        } else if !anchor.starts_with("{{") {
            assert!(page.contains("/config/rules/README.md"), "{link}");
            assert!(causes.contains(anchor), "{link}");
        }
    }
    assert!(local > 10, "{local} links into the runbook");
    for cause in Rulebook::embedded().unwrap().causes() {
        assert!(causes.contains(cause.id.as_str()), "{}", cause.id);
    }
}
