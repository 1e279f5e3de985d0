//! Aggregates reports into datapoints: one datapoint per series and period, and an immediate
//! datapoint for each change of state.
//!
//! A window collects the values of one series in one period. A change of state has its own
//! datapoint, because waiting for the end of a window would delay the change by up to a minute. For
//! the same reason, the 0 with which an alarm stops firing has its own datapoint: the first 0 in an
//! alarm period after that of the last 1. `publisher` queues and sends the datapoints.

mod breaches;
mod window;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use self::breaches::Breaches;
use self::window::Window;
use crate::domain::alarm;
use crate::domain::alarm::by_cause::cause_values;
use crate::domain::diagnosis::Outcome;
use crate::domain::health::HealthState;
use crate::domain::report::Report;
use crate::io::sink::cloudwatch::datapoint::{Datapoint, Saved, Series};
use crate::model::cause::CauseId;
use crate::model::target::{CloudWatchMetric, MissingData, Target, TargetName};

/// Datapoints that do not wait for the end of a window.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Immediate {
    /// Datapoints that raise an alarm. The aggregator holds each of them for a limited time, until
    /// the alarm names the cause.
    pub(super) breaching: Vec<Datapoint>,
    /// All other datapoints.
    pub(super) other: Vec<Datapoint>,
}

/// The open windows of all targets, and the last published values, which decide whether a datapoint
/// is immediate.
#[derive(Debug, Default)]
pub(super) struct Aggregation {
    /// Open windows by start and series.
    open: BTreeMap<(Timestamp, Series), Window>,
    /// For each target, whether the last value of `Down` was 1.
    down: HashMap<TargetName, bool>,
    /// For each target whose last value of `Down` was 1, the probable cause at its last report or
    /// revision.
    cause: HashMap<TargetName, CauseId>,
    /// The series whose last 1 has not been followed by a 0 in a later alarm period.
    breaches: Breaches,
    /// The start of the period of the last heartbeat.
    heartbeat: Option<Timestamp>,
    /// The store's counter of row ids, shared so that ids are unique.
    ids: Arc<AtomicU64>,
}

impl Aggregation {
    pub(super) fn new(ids: Arc<AtomicU64>) -> Self {
        Self {
            ids,
            ..Self::default()
        }
    }

    /// Adds a report to the open windows, and returns the datapoints that do not wait for the end
    /// of a window.
    pub(super) fn add(&mut self, report: &Report, resolution: Duration) -> Immediate {
        let mut immediate = Immediate::default();
        let target = &report.target;
        if !target.cloudwatch.enabled {
            return immediate;
        }
        let start = window_start(report.at, resolution);
        let period = alarm_period_start(target, report.at, resolution);
        for metric in &target.cloudwatch.metrics {
            let Some(value) = value(report, *metric).filter(|value| value.is_finite()) else {
                continue;
            };
            let series = match (metric, report.diagnosis.cause()) {
                (CloudWatchMetric::Failures, Some(cause)) => {
                    Series::Failures(target.name.clone(), cause.clone())
                }
                (CloudWatchMetric::Failures, None) => continue,
                _ => Series::Target(target.name.clone(), *metric),
            };
            if *metric == CloudWatchMetric::Down {
                let down = value > 0.0;
                let before = self.down.insert(target.name.clone(), down);
                let cause = report.showing.as_ref().map(|verdict| &verdict.cause);
                let cause = cause.filter(|_| down);
                let times = Times {
                    at: report.at,
                    window: start,
                    period,
                };
                self.add_by_cause(target, cause, times, &mut immediate);
                let ends_breach = !down && self.breaches.end(&series, period);
                if down {
                    self.breaches.begin(series.clone(), period);
                }
                if before != Some(down) || ends_breach {
                    if !down {
                        self.close_series(start, &series, &mut immediate);
                    }
                    let point = Datapoint::new(next_id(&self.ids), series, report.at, value);
                    immediate.add(point, down);
                    continue;
                }
            }
            self.add_to_window(start, series, report.at, value);
        }
        immediate
    }

    /// Records a revised cause of a target, and returns datapoints for the per-cause series of the
    /// old and the new cause. Returns no datapoints if the target is not down, if the cause is the
    /// same as before, or if neither cause has a per-cause alarm.
    pub(super) fn revise(
        &mut self,
        target: &Target,
        cause: &CauseId,
        at: Timestamp,
        resolution: Duration,
    ) -> Immediate {
        let mut immediate = Immediate::default();
        if self.is_down(&target.name) && self.cause.get(&target.name) != Some(cause) {
            let times = Times {
                at,
                window: window_start(at, resolution),
                period: alarm_period_start(target, at, resolution),
            };
            self.add_by_cause(target, Some(cause), times, &mut immediate);
        }
        immediate
    }

    /// Returns a heartbeat datapoint for the first call in each period, and `None` for each further
    /// call in the same period.
    pub(super) fn heartbeat(&mut self, now: Timestamp, resolution: Duration) -> Option<Datapoint> {
        let current = Some(window_start(now, resolution));
        let before = std::mem::replace(&mut self.heartbeat, current);
        (before != current).then(|| Datapoint::new(next_id(&self.ids), Series::Heartbeat, now, 1.0))
    }

    /// Removes the windows that have ended and returns their datapoints.
    pub(super) fn close(&mut self, now: Timestamp, resolution: Duration) -> Vec<Datapoint> {
        let current = window_start(now, resolution);
        let later = self.open.split_off(&(current, Series::Heartbeat));
        let ended = std::mem::replace(&mut self.open, later);
        datapoints(ended)
    }

    /// Removes all windows, ended or not, and returns their datapoints.
    pub(super) fn close_all(&mut self) -> Vec<Datapoint> {
        datapoints(std::mem::take(&mut self.open))
    }

    /// Returns the datapoints of the open windows that are not saved, and marks these windows as
    /// [`Saved::Pending`].
    pub(super) fn unsaved(&mut self) -> Vec<Datapoint> {
        let unsaved = self
            .open
            .iter_mut()
            .filter(|(_, window)| window.saved == Saved::No);
        unsaved
            .map(|((_, series), window)| {
                window.saved = Saved::Pending;
                window.datapoint(series.clone())
            })
            .collect()
    }

    /// Records whether the windows that are [`Saved::Pending`] were saved.
    pub(super) fn settle(&mut self, saved: bool) {
        for window in self.open.values_mut() {
            window.saved.settle(saved);
        }
    }

    /// Returns the row ids of open windows.
    pub(super) fn rows(&self) -> impl Iterator<Item = u64> {
        self.open.values().map(|window| window.row)
    }

    /// Returns whether the last value of a target's `Down` was 1.
    pub(super) fn is_down(&self, target: &TargetName) -> bool {
        self.down.get(target).copied().unwrap_or(false)
    }

    /// Drops the last published values of targets for which `known` returns false.
    pub(super) fn retain_targets(&mut self, known: impl Fn(&TargetName) -> bool) {
        self.down.retain(|target, _| known(target));
        self.cause.retain(|target, _| known(target));
        self.breaches.retain_targets(&known);
    }

    /// Adds the values of the per-cause series: 1 for the cause `shown`, if any, and 0 for the
    /// previous cause if it differs. If the 0 is in the same alarm period as a 1 of its series,
    /// another 0 is added with the first report of a later period. A cause without a per-cause
    /// alarm has no series. A repeated 1 is added to its window; every other value is added to
    /// `immediate`.
    fn add_by_cause(
        &mut self,
        target: &Target,
        shown: Option<&CauseId>,
        times: Times,
        immediate: &mut Immediate,
    ) {
        let before = self.cause.get(&target.name).cloned();
        for (cause, value) in cause_values(target, before.as_ref(), shown) {
            let series = Series::DownBy(target.name.clone(), cause.clone());
            if value > 0.0 {
                self.breaches.begin(series.clone(), times.period);
            } else {
                self.breaches.end(&series, times.period);
                self.close_series(times.window, &series, immediate);
            }
            if before.as_ref() == Some(&cause) && value > 0.0 {
                self.add_to_window(times.window, series, times.at, value);
            } else {
                let point = Datapoint::new(next_id(&self.ids), series, times.at, value);
                immediate.add(point, value > 0.0);
            }
        }
        for alarm in &target.alarm.causes {
            let series = Series::DownBy(target.name.clone(), alarm.cause.clone());
            if Some(&alarm.cause) != shown && self.breaches.end(&series, times.period) {
                let point = Datapoint::new(next_id(&self.ids), series, times.at, 0.0);
                immediate.add(point, false);
            }
        }
        match shown {
            Some(cause) => drop(self.cause.insert(target.name.clone(), cause.clone())),
            None => drop(self.cause.remove(&target.name)),
        }
    }

    /// Removes the window of `series` that begins at `start`, if it is open, and adds the datapoint
    /// of the window to `immediate`.
    ///
    /// Called when the value of the series falls to 0. If the values before the fall were sent
    /// later, at the end of the period, the alarm would stop firing and then fire a second time.
    fn close_series(&mut self, start: Timestamp, series: &Series, immediate: &mut Immediate) {
        if let Some(window) = self.open.remove(&(start, series.clone())) {
            immediate.other.push(window.datapoint(series.clone()));
        }
    }

    fn add_to_window(&mut self, start: Timestamp, series: Series, at: Timestamp, value: f64) {
        let window = self.open.entry((start, series));
        window
            .or_insert_with(|| Window::new(next_id(&self.ids), at))
            .add(value, at);
    }
}

/// The time at which a value was measured, and the starts of the window and of the alarm period
/// that contain this time.
#[derive(Clone, Copy)]
struct Times {
    at: Timestamp,
    /// The start of the window.
    window: Timestamp,
    /// The start of the period of the target's alarm.
    period: Timestamp,
}

impl Immediate {
    fn add(&mut self, datapoint: Datapoint, breaching: bool) {
        if breaching {
            self.breaching.push(datapoint);
        } else {
            self.other.push(datapoint);
        }
    }
}

fn next_id(ids: &AtomicU64) -> u64 {
    ids.fetch_add(1, Ordering::Relaxed)
}

fn datapoints(windows: BTreeMap<(Timestamp, Series), Window>) -> Vec<Datapoint> {
    let windows = windows.into_iter();
    windows
        .map(|((_, series), window)| window.datapoint(series))
        .collect()
}

/// Returns the value of a metric for a report; `None` if the report has no value for the metric.
fn value(report: &Report, metric: CloudWatchMetric) -> Option<f64> {
    let failed = report.diagnosis.outcome == Outcome::Failed;
    match metric {
        CloudWatchMetric::Down => down(report),
        CloudWatchMetric::Failed => Some(f64::from(u8::from(failed))),
        CloudWatchMetric::Duration => Some(report.observation.duration.as_secs_f64()),
        CloudWatchMetric::Processing => {
            let processing = report.observation.phases.processing;
            processing.map(|time| time.as_secs_f64())
        }
        CloudWatchMetric::Failures => failed.then_some(1.0),
    }
}

/// Returns the value of the metric `Down` for a report; `None` if no value is published. For an
/// outage during maintenance, which must not raise the alarm, the value is `None`, or 0 if missing
/// data would raise the alarm.
fn down(report: &Report) -> Option<f64> {
    match report.health {
        HealthState::Unknown => None,
        HealthState::Up | HealthState::Degraded => Some(0.0),
        HealthState::Down if !report.maintenance => Some(1.0),
        HealthState::Down => (report.target.alarm.missing == MissingData::Breaching).then_some(0.0),
    }
}

/// Returns the start of the window of the length `resolution` that contains `at`.
fn window_start(at: Timestamp, resolution: Duration) -> Timestamp {
    let width = i64::try_from(resolution.as_secs().max(1)).unwrap_or(60);
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(width)).unwrap_or(at)
}

/// Returns the start of the period of the target's alarm that contains `at`.
fn alarm_period_start(target: &Target, at: Timestamp, resolution: Duration) -> Timestamp {
    let period = alarm::period(target.interval, resolution);
    window_start(at, Duration::from_secs(period.into()))
}

#[cfg(test)]
mod tests;
