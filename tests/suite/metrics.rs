//! The text of `/metrics`: the catalogue of metrics, the samples of the `page_state` fixture,
//! and the effect of a reload.

use crate::support::page_state;

use std::collections::BTreeSet;

use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::io::sink::prometheus::{PrometheusSink, families};
use probecause::model::settings::Settings;

/// The samples in `text` that contain all `parts`.
fn lines(text: &str, parts: &[&str]) -> Vec<String> {
    text.lines()
        .filter(|line| !line.starts_with('#') && parts.iter().all(|part| line.contains(part)))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_catalogue_lists_names_types_labels_and_help_of_target_metrics() {
    let catalogue: String = families()
        .iter()
        .map(|family| {
            let (name, kind) = (family.name, family.kind.as_str());
            format!("{name} {kind} {:?}\n    {}\n", family.labels, family.help)
        })
        .collect();
    insta::assert_snapshot!("catalogue", catalogue);
}

#[test]
fn the_catalogue_lists_the_metrics_of_the_daemon() {
    let text = page_state::sinks().0.render();
    let target_metrics: BTreeSet<_> = families().iter().map(|family| family.name).collect();
    let heads: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with('#'))
        .filter(|line| !target_metrics.contains(line.split(' ').nth(2).unwrap()))
        .collect();
    insta::assert_snapshot!("daemon_catalogue", heads.join("\n"));
}

#[test]
fn every_declared_metric_is_rendered_with_its_labels() {
    let text = page_state::sinks().0.render();
    for family in families() {
        let sample = text
            .lines()
            .find(|line| {
                let rest = line.strip_prefix(family.name);
                rest.is_some_and(|rest| rest.starts_with('{') || rest.starts_with("_bucket{"))
            })
            .unwrap_or_else(|| panic!("{} is declared but not rendered", family.name));
        for label in family.labels {
            assert!(
                sample.contains(&format!("{label}=\"")),
                "{sample} lacks {label}"
            );
        }
        for head in ["HELP", "TYPE"] {
            let head = format!("# {head} {} ", family.name);
            assert_eq!(text.matches(&head).count(), 1, "{head}");
        }
    }
}

#[test]
fn a_failing_target_exports_all_of_its_series() {
    let text = page_state::sinks().0.render();
    insta::assert_snapshot!("orders", lines(&text, &["target=\"orders\""]).join("\n"));
}

#[test]
fn a_target_before_its_first_probe_is_unknown_and_has_no_probe_series() {
    let text = page_state::sinks().0.render();
    let fresh = lines(&text, &["target=\"fresh\""]);
    assert!(
        !fresh.iter().any(|line| line.starts_with("probe_")),
        "{fresh:?}"
    );
    let health = lines(&text, &["probecause_health", "target=\"fresh\"", "} 1"]);
    assert_eq!(health.len(), 1);
    assert!(health[0].contains("state=\"unknown\""), "{health:?}");
}

#[test]
fn each_failing_target_has_one_probable_cause_and_others_have_none() {
    let text = page_state::sinks().0.render();
    for (target, expected) in [
        ("orders", 1),
        ("checkout", 1),
        ("stock", 1),
        ("catalogue", 0),
        ("fresh", 0),
    ] {
        let target = format!("target=\"{target}\"");
        let found = lines(&text, &["probecause_probable_cause{", &target]);
        assert_eq!(found.len(), expected, "{found:?}");
    }
}

#[test]
fn a_reload_drops_series_of_removed_targets_and_relabels_the_others() {
    let (sink, _) = page_state::sinks();
    let mut settings = page_state::settings();
    settings
        .targets
        .retain(|target| target.name.as_str() == "catalogue");
    settings.location = "us-east-1".to_owned();
    sink.configure(&settings);
    let text = sink.render();
    assert!(!text.contains("target=\"orders\""));
    assert!(
        !text.contains("team="),
        "a label that is no longer configured"
    );
    let kept = "probecause_probes_total{target=\"catalogue\",location=\"us-east-1\",result=\"success\"} 70";
    assert_eq!(lines(&text, &["catalogue", "result=\"success\""]), [kept]);
    // A late report of a removed target does not create its series again.
    for report in page_state::reports() {
        sink.publish(&report);
    }
    assert!(!sink.render().contains("target=\"orders\""));
}

#[test]
fn without_targets_the_metrics_are_declared_and_have_no_samples() {
    let sink = PrometheusSink::new(DaemonMetrics::new().unwrap());
    sink.configure(&Settings::default());
    let text = sink.render();
    assert!(text.contains("# TYPE probe_success gauge\n"));
    assert!(lines(&text, &["target="]).is_empty());
}
