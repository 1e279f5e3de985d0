//! The metrics and labels of the daemon, from the declarations and the rendered metrics.

use std::collections::{BTreeMap, BTreeSet};

use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::domain::health::HealthState;
use probecause::domain::report::MissedReason;
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::io::sink::prometheus::{Kind, families};
use probecause::model::cause::Certainty;

/// Labels that Prometheus adds, and the target label `team` of the examples.
const ADDED: [&str; 4] = ["job", "instance", "location", "team"];

/// The metrics of the daemon, each with its allowed labels.
pub(crate) fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let mut known = daemon_metrics();
    known.insert("up".to_owned(), labels(&[]));
    for family in families() {
        let mut with = labels(family.labels);
        with.insert("target".to_owned());
        let suffixes: &[&str] = match family.kind {
            Kind::Histogram => &["_bucket", "_sum", "_count"],
            Kind::Gauge | Kind::Counter => &[""],
        };
        for suffix in suffixes {
            known.insert(format!("{}{suffix}", family.name), with.clone());
        }
    }
    known
}

/// The values that a label may have; `None` if any value is allowed.
pub(crate) fn label_values(metric: &str, label: &str) -> Option<BTreeSet<String>> {
    let words: Vec<String> = match (metric, label) {
        ("probecause_evidence_dropped_total", "reason") => dropped_reasons(),
        (_, "reason") => owned(MissedReason::ALL.map(MissedReason::as_str)),
        (_, "state") => owned(HealthState::ALL.map(HealthState::as_str)),
        (_, "certainty") => owned(Certainty::ALL.map(Certainty::as_str)),
        (_, "result") => owned(["success", "failure"]),
        (_, "outcome") => owned(["ok", "throttled", "denied", "failed"]),
        (_, "cause") => {
            let rules = Rulebook::embedded().unwrap();
            rules.causes().map(|cause| cause.id.to_string()).collect()
        }
        _ => return None,
    };
    Some(words.into_iter().collect())
}

fn owned<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).into()
}

/// Adds the labels of [`ADDED`].
fn labels(own: &[&str]) -> BTreeSet<String> {
    own.iter()
        .chain(&ADDED)
        .map(|&label| label.to_owned())
        .collect()
}

/// Renders the daemon's metrics about itself, with a sample of each.
fn rendered() -> String {
    let metrics = DaemonMetrics::new().unwrap();
    for requests in [&metrics.cloudwatch_requests, &metrics.evidence_requests] {
        requests.with_label_values(&["PutMetricData", "ok"]).inc();
    }
    let mut text = String::new();
    metrics.render_into(&mut text).unwrap();
    text
}

/// The daemon's metrics about itself, each with its allowed labels.
fn daemon_metrics() -> BTreeMap<String, BTreeSet<String>> {
    let mut known = BTreeMap::new();
    for line in rendered().lines().filter(|line| !line.starts_with('#')) {
        let series = line.rsplit_once(' ').unwrap().0;
        let (name, rest) = series.split_once('{').unwrap_or((series, ""));
        let pairs = rest.split(',').filter_map(|pair| pair.split_once('='));
        let own: Vec<&str> = pairs.map(|(label, _)| label).collect();
        known.insert(name.to_owned(), labels(&own));
    }
    known
}

/// The values of the label `reason` for dropped evidence requests.
fn dropped_reasons() -> Vec<String> {
    let text = rendered();
    let reasons = text.lines().filter_map(|line| {
        let rest = line.strip_prefix("probecause_evidence_dropped_total{reason=\"")?;
        Some(rest.split_once('"')?.0.to_owned())
    });
    reasons.collect()
}
