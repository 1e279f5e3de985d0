//! Writes the samples of metrics that may have several samples or additional labels, or whose
//! sample may be missing. `families` declares the metrics.

use crate::domain::health::HealthState;
use crate::domain::report::CauseInfo;
use crate::model::observation::Phase;

use super::exposition::SampleWriter;
use super::series::{LatestProbe, PROCESSING_BUCKETS, TargetSeries};

pub(super) fn latest<V: std::fmt::Display>(
    writer: &mut SampleWriter<'_>,
    series: &TargetSeries,
    value: impl FnOnce(&LatestProbe) -> Option<V>,
) {
    if let Some(value) = series.latest.as_ref().and_then(value) {
        writer.sample(series.labels(), value);
    }
}

pub(super) fn phases(writer: &mut SampleWriter<'_>, series: &TargetSeries) {
    let Some(probe) = &series.latest else { return };
    for phase in Phase::ALL {
        // The value is zero for a phase that was not reached, as in blackbox_exporter.
        let time = probe.phases.get(phase).unwrap_or_default();
        let label = [("phase", phase.as_str())];
        writer.sample_with(series.labels(), &label, time.as_secs_f64());
    }
}

pub(super) fn tls_version(writer: &mut SampleWriter<'_>, series: &TargetSeries) {
    let latest = series.latest.as_ref();
    if let Some(version) = latest.and_then(|probe| probe.tls_version.as_deref()) {
        writer.sample_with(series.labels(), &[("version", version)], 1);
    }
}

pub(super) fn probes(writer: &mut SampleWriter<'_>, series: &TargetSeries) {
    writer.sample_with(series.labels(), &[("result", "success")], series.succeeded);
    writer.sample_with(series.labels(), &[("result", "failure")], series.failed);
}

pub(super) fn failures(writer: &mut SampleWriter<'_>, series: &TargetSeries) {
    for (cause, count) in &series.failures {
        writer.sample_with(series.labels(), &[("cause", cause.as_str())], count);
    }
}

pub(super) fn down_seconds(writer: &mut SampleWriter<'_>, series: &TargetSeries) {
    for (claim, time) in &series.down {
        let labels = [
            ("cause", claim.cause.as_str()),
            ("certainty", claim.certainty.as_str()),
            ("owner", claim.owner),
        ];
        writer.sample_with(series.labels(), &labels, time.as_secs_f64());
    }
}

pub(super) fn missed(writer: &mut SampleWriter<'_>, series: &TargetSeries) {
    for (reason, count) in series.missed() {
        writer.sample_with(series.labels(), &[("reason", reason)], count);
    }
}

pub(super) fn probable_cause(writer: &mut SampleWriter<'_>, series: &TargetSeries) {
    if let Some((cause, certainty)) = &series.showing {
        let more = [("cause", cause.as_str()), ("certainty", certainty.as_str())];
        writer.sample_with(series.labels(), &more, 1);
    }
}

pub(super) fn cause_info(writer: &mut SampleWriter<'_>, info: &CauseInfo) {
    let labels = [
        ("cause", info.cause.as_str()),
        ("owner", info.owner.as_str()),
        ("title", info.title.as_str()),
    ];
    writer.sample_with("", &labels, 1);
}

pub(super) fn health(writer: &mut SampleWriter<'_>, series: &TargetSeries) {
    for state in HealthState::ALL {
        let holds = u8::from(series.health == state);
        writer.sample_with(series.labels(), &[("state", state.as_str())], holds);
    }
}

pub(super) fn processing(writer: &mut SampleWriter<'_>, series: &TargetSeries) {
    let (labels, histogram) = (series.labels(), &series.processing);
    let mut cumulative = 0;
    for ((_, bound), count) in PROCESSING_BUCKETS.iter().zip(histogram.counts) {
        cumulative += count;
        writer.sample_part("_bucket", labels, &[("le", bound)], cumulative);
    }
    writer.sample_part("_bucket", labels, &[("le", "+Inf")], histogram.count);
    writer.sample_part("_sum", labels, &[], histogram.sum.as_secs_f64());
    writer.sample_part("_count", labels, &[], histogram.count);
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since the epoch fit in 52 bits for many thousand years"
)]
pub(super) fn unix(at: jiff::Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}
