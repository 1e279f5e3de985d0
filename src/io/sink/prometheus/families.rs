//! Declares the metrics of targets and causes: name, type, labels and help.
//!
//! Dashboards and alerts depend on these names, so metrics are added but never renamed. The
//! `probe_*` metrics are those of `blackbox_exporter`, so that its dashboards work. Each family
//! contains the function that writes it, so that every declared family is written.

use crate::domain::report::CauseInfo;

use super::exposition::SampleWriter;
use super::samples::{
    cause_info, down_seconds, failures, health, latest, missed, phases, probable_cause, probes,
    processing, tls_version, unix,
};
use super::series::{LatestProbe, TargetSeries};

/// A metric family.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The metric's name.
    pub name: &'static str,
    /// The metric's type.
    pub kind: Kind,
    /// The label names in addition to `target`, `location` and the configured labels. For a family
    /// that does not belong to targets, all of its label names.
    pub labels: &'static [&'static str],
    /// The metric's help text, one line.
    pub help: &'static str,
    pub(super) body: Body,
}

/// The type of a metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value that can increase and decrease.
    Gauge,
    /// A value that only increases.
    Counter,
    /// A distribution of values: buckets, a sum and a count.
    Histogram,
}

/// The source of a family's samples.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    /// A function that is called once per target.
    Target(fn(&mut SampleWriter<'_>, &TargetSeries)),
    /// A function that is called once per cause.
    Causes(fn(&mut SampleWriter<'_>, &CauseInfo)),
}

/// Returns the families of this sink, in the order of the output. The daemon's metrics about itself
/// are not included.
#[must_use]
pub const fn families() -> &'static [Family] {
    FAMILIES
}

impl Kind {
    /// Returns the type's name in the exposition format.
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
    /// Writes the HELP and TYPE lines of the family.
    pub(super) fn head(&self, out: &mut String) {
        let (name, help, kind) = (self.name, self.help, self.kind.as_str());
        out.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }
}

const fn family(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
    write: fn(&mut SampleWriter<'_>, &TargetSeries),
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
    write: fn(&mut SampleWriter<'_>, &TargetSeries),
) -> Family {
    family(name, Kind::Gauge, &[], help, write)
}

pub(super) const FAMILIES: &[Family] = &[
    gauge(
        "probe_success",
        "Whether the latest probe succeeded (1) or failed (0).",
        |writer, series| latest(writer, series, |probe| Some(f64::from(probe.success))),
    ),
    gauge(
        "probe_duration_seconds",
        "Duration of the latest probe.",
        |writer, series| latest(writer, series, |probe| Some(probe.duration.as_secs_f64())),
    ),
    family(
        "probe_http_duration_seconds",
        Kind::Gauge,
        &["phase"],
        "Duration of each phase of the latest probe, summed over redirects.",
        phases,
    ),
    gauge(
        "probe_http_status_code",
        "HTTP status code of the latest probe; 0 without a response.",
        |writer, series| latest(writer, series, |probe| Some(f64::from(probe.status))),
    ),
    gauge(
        "probe_http_version",
        "HTTP version of the latest probe; 0 without a response.",
        |writer, series| latest(writer, series, |probe| Some(probe.version)),
    ),
    gauge(
        "probe_http_ssl",
        "Whether the final request of the latest probe used TLS (1) or not (0).",
        |writer, series| latest(writer, series, |probe| Some(f64::from(probe.ssl))),
    ),
    gauge(
        "probe_http_redirects",
        "Number of redirects that the latest probe followed.",
        |writer, series| latest(writer, series, |probe| Some(f64::from(probe.redirects))),
    ),
    gauge(
        "probe_http_content_length",
        "Content-Length of the latest probe's response in bytes; -1 if the header is missing, 0 \
         without a response.",
        |writer, series| latest(writer, series, |probe| Some(probe.content_length)),
    ),
    gauge(
        "probe_ssl_earliest_cert_expiry",
        "Earliest expiry in the presented certificate chain, as a Unix timestamp.",
        |writer, series| latest(writer, series, LatestProbe::expiry_seconds),
    ),
    gauge(
        "probe_ssl_last_chain_expiry_timestamp_seconds",
        "Expiry of the verified certificate path that is valid longest, as a Unix timestamp.",
        |writer, series| latest(writer, series, LatestProbe::path_expiry_seconds),
    ),
    family(
        "probe_tls_version_info",
        Kind::Gauge,
        &["version"],
        "TLS version of the latest probe, as a label; the value is always 1.",
        tls_version,
    ),
    gauge(
        "probe_dns_lookup_time_seconds",
        "Duration of name resolution in the latest probe.",
        |writer, series| {
            let time = |probe: &LatestProbe| probe.phases.resolve.unwrap_or_default().as_secs_f64();
            latest(writer, series, |probe| Some(time(probe)));
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
        "Failed probes by probable cause. Each probe is diagnosed separately.",
        failures,
    ),
    family(
        "probecause_down_seconds_total",
        Kind::Counter,
        &["cause", "certainty", "owner"],
        "Seconds for which incidents of the target had each cause while open, updated at each probe.",
        down_seconds,
    ),
    family(
        "probecause_replaced_connections_total",
        Kind::Counter,
        &[],
        "Reused connections that ended before a response began and were replaced by new ones.",
        |writer, series| writer.sample(series.labels(), series.replaced_connections),
    ),
    family(
        "probecause_missed_total",
        Kind::Counter,
        &["reason"],
        "Scheduled slots in which no probe ran, by reason.",
        missed,
    ),
    family(
        "probecause_probable_cause",
        Kind::Gauge,
        &["cause", "certainty"],
        "Probable cause, from the first failed probe until the target is up again; the value is \
         always 1.",
        probable_cause,
    ),
    Family {
        name: "probecause_cause_info",
        kind: Kind::Gauge,
        labels: &["cause", "owner", "title"],
        help: "Owner and title of each cause, as labels; the value is always 1.",
        body: Body::Causes(cause_info),
    },
    family(
        "probecause_health",
        Kind::Gauge,
        &["state"],
        "Health of the target according to its thresholds: 1 for the current state, 0 for all \
         other states.",
        health,
    ),
    gauge(
        "probecause_last_probe_timestamp_seconds",
        "End of the latest probe, as a Unix timestamp.",
        |writer, series| latest(writer, series, |probe| Some(unix(probe.at))),
    ),
    gauge(
        "probecause_interval_seconds",
        "Configured interval between the target's probes.",
        |writer, series| writer.sample(series.labels(), series.interval.as_secs_f64()),
    ),
    gauge(
        "probecause_maintenance",
        "Whether the latest probe was in a maintenance window (1) or not (0).",
        |writer, series| latest(writer, series, |probe| Some(u8::from(probe.maintenance))),
    ),
    gauge(
        "probecause_incident_start_timestamp_seconds",
        "Start of the open incident, as a Unix timestamp.",
        |writer, series| {
            if let Some(opened) = series.incident_opened {
                writer.sample(series.labels(), unix(opened));
            }
        },
    ),
    gauge(
        "probecause_floor_seconds",
        "Time that the front door needs to respond without invoking the Lambda function, as used \
         to diagnose the latest probe.",
        |writer, series| latest(writer, series, |probe| probe.floor),
    ),
    family(
        "probecause_processing_seconds",
        Kind::Histogram,
        &["le"],
        "Time from sending the request to the first byte of the response.",
        processing,
    ),
];
