//! Renders `/metrics` from the latest values of every target.
//!
//! `families` declares every metric family, `series` keeps the values of each target, and
//! `exposition` writes the text format. Per-target metrics are rendered here, because a scrape of
//! ten thousand targets must take at most 100 ms, and a registry of collector objects is slower.

mod exposition;
mod families;
mod samples;
mod series;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::report::{CauseInfo, Missed, Report, Update};
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::io::store::StoredIncident;
use crate::model::settings::Settings;
use crate::model::target::TargetName;

use exposition::SampleWriter;
use families::{Body, FAMILIES};
use series::TargetSeries;

pub use families::{Family, Kind, families};

/// The media type of the text that [`PrometheusSink::render`] returns.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The sink that keeps the latest values of every target and renders `/metrics`. Every method holds
/// a lock for a short time and does no I/O.
#[derive(Debug)]
pub struct PrometheusSink {
    metrics: DaemonMetrics,
    causes: Mutex<Arc<[CauseInfo]>>,
    targets: Mutex<BTreeMap<TargetName, TargetSeries>>,
}

impl PrometheusSink {
    /// Creates a sink without targets and causes.
    #[must_use]
    pub fn new(metrics: DaemonMetrics) -> Self {
        Self {
            metrics,
            causes: Mutex::default(),
            targets: Mutex::new(BTreeMap::new()),
        }
    }

    /// Sets the causes that the metric `probecause_cause_info` describes.
    pub fn set_causes(&self, causes: &Arc<[CauseInfo]>) {
        *self.causes.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(causes);
    }

    /// Applies a configuration: adds new targets with unknown health and removes targets that are
    /// no longer configured. The labels of the remaining targets are updated. A remaining target
    /// keeps its values, unless its URL changed.
    pub fn configure(&self, settings: &Settings) {
        // Prometheus expects one set of label names per family, so each target has every configured
        // label. A label that the target does not set has an empty value.
        let names: BTreeSet<&str> = settings
            .targets
            .iter()
            .flat_map(|target| target.labels.keys().map(String::as_str))
            .collect();
        let mut targets = self.lock();
        let mut old = std::mem::take(&mut *targets);
        *targets = settings
            .targets
            .iter()
            .map(|target| {
                let labels = exposition::label_block(target, &settings.location, &names);
                let series = match old.remove(&target.name) {
                    Some(known) if known.url == target.url => {
                        known.with_configuration(labels, target.interval)
                    }
                    _ => TargetSeries::new(labels, target),
                };
                (target.name.clone(), series)
            })
            .collect();
    }

    /// Records a probe's report. Ignores a report of a target that is no longer configured.
    pub fn publish(&self, report: &Report) {
        if let Some(series) = self.lock().get_mut(&report.target.name) {
            series.observe(report);
        }
    }

    /// Records a revised cause of an open incident.
    pub fn update(&self, update: &Update) {
        if let Some(series) = self.lock().get_mut(&update.target.name) {
            series.show(Some(&update.incident.verdict));
            series.stand(Some(&update.incident.verdict), update.at);
        }
    }

    /// Records a target's incident that was open before the restart and has not been resolved.
    /// Ignores incidents of the prober, of groups, and of targets that are no longer configured.
    pub fn resume(&self, kept: &StoredIncident) {
        let target = kept.incident.scope.target();
        let mut all = self.lock();
        if let Some(series) = target.and_then(|name| all.get_mut(name)) {
            series.health = kept.health;
            series.show(Some(&kept.incident.verdict));
            series.incident_opened = Some(kept.incident.opened);
        }
    }

    /// Counts a missed probe slot.
    pub fn missed(&self, missed: &Missed) {
        if let Some(series) = self.lock().get_mut(&missed.target.name) {
            series.miss(missed.reason);
        }
    }

    /// Renders all metrics in the text exposition format, the daemon's own metrics last.
    ///
    /// The lock is taken per family, so that a scrape of many targets delays a report by at most
    /// a few milliseconds.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(self.expected_size());
        for family in FAMILIES {
            family.head(&mut out);
            let mut writer = SampleWriter::new(&mut out, family.name);
            match family.body {
                Body::Target(write) => {
                    for series in self.lock().values() {
                        write(&mut writer, series);
                    }
                }
                Body::Causes(write) => {
                    let causes = self.causes.lock();
                    for cause in &**causes.unwrap_or_else(PoisonError::into_inner) {
                        write(&mut writer, cause);
                    }
                }
            }
        }
        if let Err(error) = self.metrics.render_into(&mut out) {
            tracing::error!(%error, "failed to render the daemon's own metrics");
        }
        out
    }

    fn expected_size(&self) -> usize {
        // The estimate is about 50 lines per target, each with the target's labels and about 64
        // bytes for the name and the value, and 16 KiB for all other lines. The caller reserves the
        // whole capacity at once, because a growing string of many megabytes would be copied
        // repeatedly.
        const LINES: usize = 50;
        const NAME_AND_VALUE: usize = 64;
        let labels: usize = self
            .lock()
            .values()
            .map(|series| series.labels().len())
            .sum();
        let targets = self.lock().len();
        LINES * (labels + targets * NAME_AND_VALUE) + 16 * 1024
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TargetName, TargetSeries>> {
        // A panic while the lock is held loses at most one value, so the values are still used.
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
