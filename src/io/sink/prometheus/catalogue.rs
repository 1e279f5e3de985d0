//! Every per-target metric: its name, type, labels and help, declared once.
//!
//! Dashboards and alerts of other people rest on these names: they are kept, added to,
//! never renamed. `probe_*` are `blackbox_exporter`'s own, so that its dashboards fit.
//! A family names the function that writes it, so none can be declared and forgotten.

use crate::domain::health::HealthState;
use crate::domain::report::CauseInfo;
use crate::model::observation::Phase;

use super::series::{Last, PROCESSING_BUCKETS, Series};
use super::text::Lines;

/// A metric family.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The metric's name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Labels beside `target`, `location` and the configured ones; for a family that
    /// does not belong to a target, all labels.
    pub labels: &'static [&'static str],
    /// One line of help.
    pub help: &'static str,
    pub(super) body: Body,
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up.
    Counter,
    /// Buckets, a sum and a count.
    Histogram,
}

/// What a family is written from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    /// Each target in turn.
    Target(fn(&mut Lines<'_>, &Series)),
    /// Each cause of the rule book in turn.
    Causes(fn(&mut Lines<'_>, &CauseInfo)),
}

/// Every family that this sink renders itself, in the order of the output.
#[must_use]
pub const fn families() -> &'static [Family] {
    FAMILIES
}

impl Kind {
    /// The type as the exposition format writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

impl Family {
    /// The HELP and TYPE lines.
    pub(super) fn head(&self, out: &mut String) {
        for part in ["# HELP ", self.name, " ", self.help, "\n"] {
            out.push_str(part);
        }
        for part in ["# TYPE ", self.name, " ", self.kind.as_str(), "\n"] {
            out.push_str(part);
        }
    }
}

const fn family(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
    write: fn(&mut Lines<'_>, &Series),
) -> Family {
    Family {
        name,
        kind,
        labels,
        help,
        body: Body::Target(write),
    }
}

const fn gauge(
    name: &'static str,
    help: &'static str,
    write: fn(&mut Lines<'_>, &Series),
) -> Family {
    family(name, Kind::Gauge, &[], help, write)
}

pub(super) const FAMILIES: &[Family] = &[
    gauge(
        "probe_success",
        "Whether the newest probe succeeded (1) or failed (0).",
        |lines, series| newest(lines, series, |last| Some(f64::from(last.success))),
    ),
    gauge(
        "probe_duration_seconds",
        "How long the newest probe took.",
        |lines, series| newest(lines, series, |last| Some(last.duration.as_secs_f64())),
    ),
    family(
        "probe_http_duration_seconds",
        Kind::Gauge,
        &["phase"],
        "How long the newest probe spent in each phase, summed over redirects.",
        phases,
    ),
    gauge(
        "probe_http_status_code",
        "Status of the newest answer; 0 without one.",
        |lines, series| newest(lines, series, |last| Some(f64::from(last.status))),
    ),
    gauge(
        "probe_http_version",
        "HTTP version of the newest answer; 0 without one.",
        |lines, series| newest(lines, series, |last| Some(last.version)),
    ),
    gauge(
        "probe_http_ssl",
        "Whether the last hop of the newest probe used TLS.",
        |lines, series| newest(lines, series, |last| Some(f64::from(last.ssl))),
    ),
    gauge(
        "probe_http_redirects",
        "Redirects that the newest probe followed.",
        |lines, series| newest(lines, series, |last| Some(f64::from(last.redirects))),
    ),
    gauge(
        "probe_http_content_length",
        "Length that the newest answer announced; -1 where it announced none.",
        |lines, series| newest(lines, series, |last| Some(last.content_length)),
    ),
    gauge(
        "probe_ssl_earliest_cert_expiry",
        "When the first certificate of the presented chain expires, in Unix time.",
        |lines, series| newest(lines, series, |last| last.expiry.map(|at| at.as_second())),
    ),
    family(
        "probe_tls_version_info",
        Kind::Gauge,
        &["version"],
        "TLS version of the newest probe; always 1.",
        tls_version,
    ),
    gauge(
        "probe_dns_lookup_time_seconds",
        "How long the newest probe spent resolving names.",
        |lines, series| {
            newest(lines, series, |last| {
                Some(last.phases.resolve.unwrap_or_default().as_secs_f64())
            });
        },
    ),
    family(
        "probecause_probes_total",
        Kind::Counter,
        &["result"],
        "Probes by result.",
        probes,
    ),
    family(
        "probecause_failures_total",
        Kind::Counter,
        &["cause"],
        "Failed probes by probable cause, each judged on its own.",
        failures,
    ),
    family(
        "probecause_missed_total",
        Kind::Counter,
        &["reason"],
        "Slots in which no probe ran, by reason.",
        missed,
    ),
    family(
        "probecause_probable_cause",
        Kind::Gauge,
        &["cause", "certainty"],
        "The probable cause, from the first failed probe until the target is up again; always 1.",
        probable_cause,
    ),
    Family {
        name: "probecause_cause_info",
        kind: Kind::Gauge,
        labels: &["cause", "owner", "title"],
        help: "Who acts on a cause and what it means; always 1.",
        body: Body::Causes(cause_info),
    },
    family(
        "probecause_health",
        Kind::Gauge,
        &["state"],
        "Health after its thresholds: 1 for the state the target is in, else 0.",
        health,
    ),
    gauge(
        "probecause_last_probe_timestamp_seconds",
        "When the newest probe ended, in Unix time.",
        |lines, series| newest(lines, series, |last| Some(unix(last.at))),
    ),
    gauge(
        "probecause_interval_seconds",
        "Time from one slot of the target to the next, as configured.",
        |lines, series| lines.sample(series.labels(), series.interval.as_secs_f64()),
    ),
    gauge(
        "probecause_maintenance",
        "Whether the newest probe fell into a maintenance window (1) or not (0).",
        |lines, series| newest(lines, series, |last| Some(u8::from(last.maintenance))),
    ),
    gauge(
        "probecause_incident_start_timestamp_seconds",
        "When the open incident began, in Unix time.",
        |lines, series| {
            if let Some(opened) = series.incident_opened {
                lines.sample(series.labels(), unix(opened));
            }
        },
    ),
    gauge(
        "probecause_floor_seconds",
        "Time this front door takes without reaching the function, by which the newest probe was judged.",
        |lines, series| newest(lines, series, |last| last.floor),
    ),
    family(
        "probecause_processing_seconds",
        Kind::Histogram,
        &["le"],
        "Time from the request sent to the first byte of the answer.",
        processing,
    ),
];

fn newest<V: std::fmt::Display>(
    lines: &mut Lines<'_>,
    series: &Series,
    value: impl FnOnce(&Last) -> Option<V>,
) {
    if let Some(value) = series.last.as_ref().and_then(value) {
        lines.sample(series.labels(), value);
    }
}

fn phases(lines: &mut Lines<'_>, series: &Series) {
    let Some(last) = &series.last else { return };
    for phase in Phase::ALL {
        // Zero for a phase that was not reached, as blackbox_exporter has it.
        let time = last.phases.get(phase).unwrap_or_default();
        let label = [("phase", phase.as_str())];
        lines.labelled(series.labels(), &label, time.as_secs_f64());
    }
}

fn tls_version(lines: &mut Lines<'_>, series: &Series) {
    let version = series
        .last
        .as_ref()
        .and_then(|last| last.tls_version.as_deref());
    if let Some(version) = version {
        lines.labelled(series.labels(), &[("version", version)], 1);
    }
}

fn probes(lines: &mut Lines<'_>, series: &Series) {
    lines.labelled(series.labels(), &[("result", "success")], series.succeeded);
    lines.labelled(series.labels(), &[("result", "failure")], series.failed);
}

fn failures(lines: &mut Lines<'_>, series: &Series) {
    for (cause, count) in &series.failures {
        lines.labelled(series.labels(), &[("cause", cause.as_str())], count);
    }
}

fn missed(lines: &mut Lines<'_>, series: &Series) {
    for (reason, count) in series.missed() {
        lines.labelled(series.labels(), &[("reason", reason)], count);
    }
}

fn probable_cause(lines: &mut Lines<'_>, series: &Series) {
    if let Some((cause, certainty)) = &series.showing {
        let more = [("cause", cause.as_str()), ("certainty", certainty.as_str())];
        lines.labelled(series.labels(), &more, 1);
    }
}

fn cause_info(lines: &mut Lines<'_>, info: &CauseInfo) {
    let labels = [
        ("cause", info.cause.as_str()),
        ("owner", info.owner.as_str()),
        ("title", info.title.as_str()),
    ];
    lines.labelled("", &labels, 1);
}

fn health(lines: &mut Lines<'_>, series: &Series) {
    for state in HealthState::ALL {
        let holds = u8::from(series.health == state);
        lines.labelled(series.labels(), &[("state", state.as_str())], holds);
    }
}

fn processing(lines: &mut Lines<'_>, series: &Series) {
    let mut cumulated = 0;
    for ((_, bound), count) in PROCESSING_BUCKETS.iter().zip(series.processing.counts) {
        cumulated += count;
        lines.part("_bucket", series.labels(), &[("le", bound)], cumulated);
    }
    let Series { processing, .. } = series;
    lines.part(
        "_bucket",
        series.labels(),
        &[("le", "+Inf")],
        processing.count,
    );
    lines.part("_sum", series.labels(), &[], processing.sum.as_secs_f64());
    lines.part("_count", series.labels(), &[], processing.count);
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since the epoch fit 52 bits for many thousand years"
)]
fn unix(at: jiff::Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}
