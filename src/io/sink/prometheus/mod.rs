//! The Prometheus sink: what a scrape of `/metrics` answers.
//!
//! Reading order: `catalogue` (every family, declared once), `series` (the numbers kept
//! for one target), `text` (labels, escaping, lines). The per-target series are rendered
//! here: ten thousand targets must cost a scrape at most 100 ms, which a registry that
//! collects objects misses. It refuses to judge: it repeats what a report says.

mod catalogue;
mod series;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::report::{CauseInfo, Missed, Report, Update};
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::io::store::KeptIncident;
use crate::model::settings::Settings;
use crate::model::target::TargetName;

use catalogue::{Body, FAMILIES};
use series::Series;
use text::Lines;

pub use catalogue::{Family, Kind, families};

/// The media type of [`PrometheusSink::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Keeps the newest numbers of every target and renders them. Shared by reference;
/// every method takes a short lock and does no I/O.
#[derive(Debug)]
pub struct PrometheusSink {
    metrics: DaemonMetrics,
    causes: Mutex<Arc<[CauseInfo]>>,
    targets: Mutex<BTreeMap<TargetName, Series>>,
}

impl PrometheusSink {
    /// A sink without targets and causes.
    #[must_use]
    pub fn new(metrics: DaemonMetrics) -> Self {
        Self {
            metrics,
            causes: Mutex::default(),
            targets: Mutex::new(BTreeMap::new()),
        }
    }

    /// Takes over what becomes `probecause_cause_info`.
    pub fn explain(&self, causes: &Arc<[CauseInfo]>) {
        *self.causes.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(causes);
    }

    /// Takes over a configuration: new targets appear as unknown, removed ones vanish,
    /// kept ones keep their counters under their new labels.
    pub fn configure(&self, settings: &Settings) {
        // Prometheus wants one set of label names in a family, so each target carries
        // every configured name, empty where it has no value of its own.
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
                let labels = text::label_block(target, &settings.location, &names);
                let series = match old.remove(&target.name) {
                    Some(known) => known.reconfigured(labels, target.interval),
                    None => Series::new(labels, target.interval),
                };
                (target.name.clone(), series)
            })
            .collect();
    }

    /// Takes a probe's report. One of a target that is no longer configured is dropped.
    pub fn publish(&self, report: &Report) {
        if let Some(series) = self.lock().get_mut(&report.target.name) {
            series.observe(report);
        }
    }

    /// Takes a better cause of an open incident.
    pub fn update(&self, update: &Update) {
        if let Some(series) = self.lock().get_mut(&update.target.name) {
            series.show(Some(&update.incident.verdict));
        }
    }

    /// Takes an incident of before a restart that goes on.
    pub fn resume(&self, kept: &KeptIncident) {
        let target = kept.incident.scope.target();
        let mut all = self.lock();
        if let Some(series) = target.and_then(|name| all.get_mut(name)) {
            series.health = kept.health;
            series.show(Some(&kept.incident.verdict));
            series.incident_opened = Some(kept.incident.opened);
        }
    }

    /// Counts a missed slot.
    pub fn missed(&self, missed: &Missed) {
        if let Some(series) = self.lock().get_mut(&missed.target.name) {
            series.miss(missed.reason);
        }
    }

    /// Everything in the text exposition format, the daemon's own metrics last.
    ///
    /// The lock is taken per family, so that a scrape of very many targets never holds
    /// up a report for longer than a few milliseconds.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(self.expected_size());
        for family in FAMILIES {
            family.head(&mut out);
            let mut lines = Lines::new(&mut out, family.name);
            match family.body {
                Body::Target(write) => {
                    for series in self.lock().values() {
                        write(&mut lines, series);
                    }
                }
                Body::Causes(write) => {
                    let causes = self.causes.lock();
                    for cause in &**causes.unwrap_or_else(PoisonError::into_inner) {
                        write(&mut lines, cause);
                    }
                }
            }
        }
        if let Err(error) = self.metrics.render_into(&mut out) {
            tracing::error!(%error, "the daemon's own metrics cannot be rendered");
        }
        out
    }

    fn expected_size(&self) -> usize {
        // About 50 lines a target of a name (30 bytes on average), labels and a value;
        // growing a string of many megabytes by doubling would copy it again and again.
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

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TargetName, Series>> {
        // A panic while the lock was held leaves at worst one number behind.
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
