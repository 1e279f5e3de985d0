//! Every metric the daemon has, with its labels, as the code declares and renders them.

use std::collections::{BTreeMap, BTreeSet};

use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::domain::health::HealthState;
use probecause::domain::report::MissedReason;
use probecause::io::sink::daemon_metrics::DaemonMetrics;
use probecause::io::sink::prometheus::{Kind, families};
use probecause::model::cause::Certainty;

/// Labels that Prometheus adds, and the one that targets are given by the examples.
const ADDED: [&str; 4] = ["job", "instance", "location", "team"];

/// Metric → the labels that it may have.
pub(crate) fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let mut known = own();
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

/// The values that a label may have; `None` where anything may stand.
pub(crate) fn words(metric: &str, label: &str) -> Option<BTreeSet<String>> {
    let words: Vec<String> = match (metric, label) {
        ("probecause_evidence_dropped_total", "reason") => dropped_reasons(),
        (_, "reason") => owned(MissedReason::ALL.map(MissedReason::as_str)),
        (_, "state") => owned(HealthState::ALL.map(HealthState::as_str)),
        (_, "certainty") => owned(Certainty::ALL.map(Certainty::as_str)),
        (_, "result") => owned(["success", "failure"]),
        (_, "outcome") => owned(["ok", "throttled", "denied", "failed"]),
        (_, "cause") => {
            let rules = Rulebook::embedded().unwrap();
            rules.causes().map(|rule| rule.cause.to_string()).collect()
        }
        _ => return None,
    };
    Some(words.into_iter().collect())
}

fn owned<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).into()
}

fn labels(own: &[&str]) -> BTreeSet<String> {
    own.iter()
        .chain(&ADDED)
        .map(|&label| label.to_owned())
        .collect()
}

/// The daemon's metrics about itself, each with a sample, as they are rendered.
fn rendered() -> String {
    let metrics = DaemonMetrics::new().unwrap();
    for requests in [&metrics.cloudwatch_requests, &metrics.evidence_requests] {
        requests.with_label_values(&["PutMetricData", "ok"]).inc();
    }
    let mut text = String::new();
    metrics.render_into(&mut text).unwrap();
    text
}

fn own() -> BTreeMap<String, BTreeSet<String>> {
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

fn dropped_reasons() -> Vec<String> {
    let text = rendered();
    let reasons = text.lines().filter_map(|line| {
        let rest = line.strip_prefix("probecause_evidence_dropped_total{reason=\"")?;
        Some(rest.split_once('"')?.0.to_owned())
    });
    reasons.collect()
}
