//! Which datapoints the reports come to: values of a period together, changes of state
//! at once.
//!
//! A transition is sent as a datapoint of its own, because a window that is still open
//! would keep it back for a minute.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::alarm::by_cause::cause_values;
use crate::domain::diagnosis::Outcome;
use crate::domain::health::HealthState;
use crate::domain::report::Report;
use crate::io::sink::cloudwatch::datapoint::{Datapoint, Series};
use crate::model::cause::CauseId;
use crate::model::target::{CloudWatchMetric, MissingData, Target, TargetName};

/// What of a report cannot wait for its window.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Urgent {
    /// The state in CloudWatch changes.
    pub(super) now: Vec<Datapoint>,
    /// The state in CloudWatch becomes `down`: the alarm's words go first.
    pub(super) tipping: Vec<Datapoint>,
}

/// The open windows of every target.
#[derive(Debug, Default)]
pub(super) struct Windows {
    open: BTreeMap<(Timestamp, Series), Window>,
    /// The last value of `Down` per target, for what changes goes at once.
    down: HashMap<TargetName, bool>,
    /// The cause per target whose own series was last told 1.
    cause: HashMap<TargetName, CauseId>,
    /// The store's, so that no two rows share one.
    ids: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Window {
    row: u64,
    last: Timestamp,
    values: Vec<(f64, f64)>,
    kept: Kept,
}

/// Whether a window's values are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    No,
    /// They were handed over as they are.
    Maybe,
    Yes,
}

/// A window that is over.
#[derive(Debug, PartialEq)]
pub(super) struct Closed {
    pub(super) datapoint: Datapoint,
    /// It is on disk as it is.
    pub(super) kept: bool,
}

/// CloudWatch takes this many distinct values per datapoint; a window that has more
/// counts further values to the nearest it has.
const MAX_VALUES: usize = 150;

impl Windows {
    pub(super) fn new(ids: Arc<AtomicU64>) -> Self {
        Self {
            ids,
            ..Self::default()
        }
    }

    /// Takes a report in, and says what of it cannot wait for its window.
    pub(super) fn add(&mut self, report: &Report, resolution: Duration) -> Urgent {
        let mut urgent = Urgent::default();
        let target = &report.target;
        if !target.cloudwatch.enabled {
            return urgent;
        }
        let start = window_start(report.at, resolution);
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
                self.by_cause(
                    target,
                    cause.filter(|_| down),
                    report.at,
                    start,
                    &mut urgent,
                );
                if before != Some(down) {
                    let point = Datapoint::new(next(&self.ids), series, report.at, value);
                    urgent.add(point, down);
                    continue;
                }
            }
            self.window(start, series, report.at).add(value);
        }
        urgent
    }

    /// Takes a better cause of a target that is down.
    pub(super) fn revise(&mut self, target: &Target, cause: &CauseId, at: Timestamp) -> Urgent {
        let mut urgent = Urgent::default();
        if self.is_down(&target.name) && self.cause.get(&target.name) != Some(cause) {
            self.by_cause(target, Some(cause), at, at, &mut urgent);
        }
        urgent
    }

    /// Takes out every window that is over.
    pub(super) fn close(&mut self, now: Timestamp, resolution: Duration) -> Vec<Closed> {
        let current = window_start(now, resolution);
        let later = self.open.split_off(&(current, Series::Heartbeat));
        let over = std::mem::replace(&mut self.open, later);
        over.into_iter().map(closed).collect()
    }

    /// Takes out every window, over or not.
    pub(super) fn close_all(&mut self) -> Vec<Closed> {
        let all = std::mem::take(&mut self.open);
        all.into_iter().map(closed).collect()
    }

    /// What open windows have that was not handed over to be kept: it counts as handed
    /// over from now on.
    pub(super) fn unkept(&mut self) -> Vec<Datapoint> {
        let windows = self.open.iter_mut();
        let unkept = windows.filter(|(_, window)| window.kept == Kept::No);
        unkept
            .map(|((_, series), window)| {
                window.kept = Kept::Maybe;
                window.datapoint(series.clone())
            })
            .collect()
    }

    /// How the handing over went.
    pub(super) fn settle(&mut self, kept: bool) {
        for window in self.open.values_mut() {
            if window.kept == Kept::Maybe {
                window.kept = if kept { Kept::Yes } else { Kept::No };
            }
        }
    }

    /// The rows of open windows.
    pub(super) fn rows(&self) -> HashSet<u64> {
        self.open.values().map(|window| window.row).collect()
    }

    /// Whether CloudWatch was last told that a target is down.
    pub(super) fn is_down(&self, target: &TargetName) -> bool {
        self.down.get(target).copied().unwrap_or(false)
    }

    /// Forgets targets that are gone.
    pub(super) fn keep(&mut self, known: impl Fn(&TargetName) -> bool) {
        self.down.retain(|target, _| known(target));
        self.cause.retain(|target, _| known(target));
    }

    /// Tells the series of single causes what occurs now, and what does not any more.
    fn by_cause(
        &mut self,
        target: &Target,
        now: Option<&CauseId>,
        at: Timestamp,
        start: Timestamp,
        urgent: &mut Urgent,
    ) {
        let before = self.cause.get(&target.name).cloned();
        for (cause, value) in cause_values(target, before.as_ref(), now) {
            let series = Series::DownBy(target.name.clone(), cause.clone());
            if before.as_ref() == Some(&cause) && value > 0.0 {
                self.window(start, series, at).add(value);
            } else {
                let point = Datapoint::new(next(&self.ids), series, at, value);
                urgent.add(point, value > 0.0);
            }
        }
        match now {
            Some(cause) => drop(self.cause.insert(target.name.clone(), cause.clone())),
            None => drop(self.cause.remove(&target.name)),
        }
    }

    fn window(&mut self, start: Timestamp, series: Series, at: Timestamp) -> &mut Window {
        let ids = &self.ids;
        let window = self.open.entry((start, series)).or_insert_with(|| Window {
            row: next(ids),
            last: at,
            values: Vec::new(),
            kept: Kept::No,
        });
        window.last = window.last.max(at);
        window
    }
}

impl Urgent {
    fn add(&mut self, datapoint: Datapoint, tipping: bool) {
        if tipping {
            self.tipping.push(datapoint);
        } else {
            self.now.push(datapoint);
        }
    }
}

impl Window {
    fn add(&mut self, value: f64) {
        self.kept = Kept::No;
        let full = self.values.len() >= MAX_VALUES;
        let same = self
            .values
            .iter_mut()
            .min_by(|(a, _), (b, _)| (a - value).abs().total_cmp(&(b - value).abs()));
        match same {
            Some((nearest, count)) if full || *nearest == value => *count += 1.0,
            _ => self.values.push((value, 1.0)),
        }
    }

    fn datapoint(&self, series: Series) -> Datapoint {
        Datapoint {
            row: self.row,
            series,
            at: self.last,
            values: self.values.clone(),
            maybe_arrived: false,
        }
    }
}

fn next(ids: &AtomicU64) -> u64 {
    ids.fetch_add(1, Ordering::Relaxed)
}

fn closed(((_, series), window): ((Timestamp, Series), Window)) -> Closed {
    Closed {
        datapoint: window.datapoint(series),
        kept: window.kept == Kept::Yes,
    }
}

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

/// Nobody is paged during maintenance: a `down` of 1 is held back then, which leaves the
/// alarm as it is, or told as 0 where silence itself would raise it.
fn down(report: &Report) -> Option<f64> {
    match report.health {
        HealthState::Unknown => None,
        HealthState::Up | HealthState::Degraded => Some(0.0),
        HealthState::Down if !report.maintenance => Some(1.0),
        HealthState::Down => (report.target.alarm.missing == MissingData::Breaching).then_some(0.0),
    }
}

/// When the period that a time falls into began.
pub(super) fn window_start(at: Timestamp, resolution: Duration) -> Timestamp {
    let width = i64::try_from(resolution.as_secs().max(1)).unwrap_or(60);
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(width)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::types::MetricDatum;

    use super::*;
    use crate::domain::alarm::destination::DestinationView;
    use crate::domain::diagnosis::{Diagnosis, Verdict};
    use crate::model::cause::{Certainty, Owner};
    use crate::model::observation::Observation;
    use crate::model::settings::Settings;
    use crate::model::target::CauseAlarm;

    const MINUTE: Duration = Duration::from_secs(60);

    fn view(resolution: Duration) -> DestinationView {
        let mut settings = Settings {
            location: "here".to_owned(),
            ..Settings::default()
        };
        settings.cloudwatch.resolution = resolution;
        DestinationView::of_all(&settings)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn target(change: impl FnOnce(&mut Target)) -> Arc<Target> {
        let url = "https://orders.example/".parse().unwrap();
        let mut target = Target::with_defaults("orders", url);
        change(&mut target);
        Arc::new(target)
    }

    fn report(target: &Arc<Target>, second: i64, health: HealthState) -> Report {
        let mut observation = Observation::begun(at(second), "https://orders.example/");
        observation.duration = Duration::from_secs(2);
        let diagnosis = match health {
            HealthState::Down => Diagnosis {
                outcome: Outcome::Failed,
                verdict: Some(Arc::new(Verdict {
                    cause: CauseId::new("lambda-throttled").unwrap(),
                    title: String::new(),
                    owner: Owner::Service,
                    certainty: Certainty::Likely,
                    candidates: Vec::new(),
                    next: Vec::new(),
                })),
                evidence: Vec::new(),
                error: None,
            },
            _ => Diagnosis::passed(),
        };
        Report {
            target: Arc::clone(target),
            location: "here".into(),
            at: at(second),
            observation: Arc::new(observation),
            showing: diagnosis.verdict.clone(),
            floor: None,
            diagnosis: Arc::new(diagnosis),
            health,
            since: at(0),
            transition: None,
            incident: None,
            event: None,
            maintenance: false,
            own_trouble: false,
        }
    }

    /// Feeds (second, health) and returns what went at once, as `second=value`, with a
    /// `!` where it tips the alarm.
    fn check(windows: &mut Windows, target: &Arc<Target>, steps: &[(i64, HealthState)]) -> String {
        let mut seen = Vec::new();
        for (second, health) in steps {
            let urgent = windows.add(&report(target, *second, *health), MINUTE);
            for point in urgent.now {
                seen.push(format!(
                    "{second}={}{}",
                    point.values[0].0,
                    cause_of(&point)
                ));
            }
            for point in urgent.tipping {
                seen.push(format!(
                    "{second}={}!{}",
                    point.values[0].0,
                    cause_of(&point)
                ));
            }
        }
        seen.join(" ")
    }

    fn cause_of(point: &Datapoint) -> String {
        match &point.series {
            Series::DownBy(_, cause) => format!(" {cause}"),
            _ => String::new(),
        }
    }

    #[test]
    fn changes_go_at_once_and_the_rest_with_its_minute() {
        use HealthState::{Down, Up};
        let mut windows = Windows::default();
        let steps = [
            (0, Up),
            (10, Up),
            (20, Up),
            (30, Down),
            (40, Down),
            (61, Up),
            (70, Up),
        ];
        assert_eq!(
            check(&mut windows, &target(|_| {}), &steps),
            "0=0 30=1! 61=0"
        );
        let closed = windows.close(at(65), MINUTE);
        assert_eq!(closed.len(), 1);
        assert_eq!(closed[0].datapoint.values, [(0.0, 2.0), (1.0, 1.0)]);
        assert_eq!(closed[0].datapoint.at, at(40));
        assert_eq!(windows.close_all()[0].datapoint.at, at(70));
        assert!(windows.close_all().is_empty());
    }

    #[test]
    fn nothing_is_said_while_the_health_is_unknown() {
        let mut windows = Windows::default();
        let steps = [(0, HealthState::Unknown)];
        assert_eq!(check(&mut windows, &target(|_| {}), &steps), "");
        assert!(windows.close_all().is_empty());
    }

    #[test]
    fn an_outage_in_maintenance_is_told_when_maintenance_ends() {
        let target = target(|_| {});
        let mut windows = Windows::default();
        let mut covered = report(&target, 10, HealthState::Down);
        covered.maintenance = true;
        assert_eq!(windows.add(&covered, MINUTE), Urgent::default());
        assert!(windows.close_all().is_empty());
        assert_eq!(
            check(&mut windows, &target, &[(20, HealthState::Down)]),
            "20=1!"
        );
    }

    #[test]
    fn opted_in_metrics_are_series_of_their_own_and_failures_name_their_cause() {
        let target = target(|target| target.cloudwatch.metrics.extend(CloudWatchMetric::ALL));
        let mut windows = Windows::default();
        check(
            &mut windows,
            &target,
            &[(1, HealthState::Down), (2, HealthState::Down)],
        );
        let closed: Vec<_> = windows.close_all();
        let names: Vec<_> = closed
            .iter()
            .map(|closed| closed.datapoint.datum(&view(MINUTE)))
            .collect();
        let names: Vec<_> = names.iter().filter_map(MetricDatum::metric_name).collect();
        // No processing: the phase was never reached.
        assert_eq!(names, ["Down", "Failed", "Duration", "Failures"]);
        let failures = closed[3].datapoint.datum(&view(Duration::from_secs(10)));
        let dimensions: Vec<_> = failures
            .dimensions()
            .iter()
            .filter_map(|d| d.value())
            .collect();
        assert_eq!(dimensions, ["orders", "here", "lambda-throttled"]);
        assert_eq!(failures.values(), [1.0]);
        assert_eq!(failures.counts(), [2.0]);
        assert_eq!(failures.storage_resolution(), Some(1));
    }

    #[test]
    fn a_window_keeps_at_most_as_many_distinct_values_as_cloudwatch_takes() {
        let mut window = Window {
            row: 0,
            last: at(0),
            values: Vec::new(),
            kept: Kept::No,
        };
        for number in 0..1000 {
            window.add(f64::from(number));
        }
        assert_eq!(window.values.len(), MAX_VALUES);
        let total: f64 = window.values.iter().map(|(_, count)| count).sum();
        assert!((total - 1000.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_causes_own_series_is_one_while_it_is_shown_and_nought_once_when_it_is_not() {
        use HealthState::{Down, Up};
        let target = target(|target| {
            target.alarm.causes = vec![CauseAlarm {
                cause: CauseId::new("lambda-throttled").unwrap(),
                owner: Owner::Service,
                actions: Vec::new(),
            }];
        });
        let mut windows = Windows::default();
        let steps = [(0, Up), (10, Down), (20, Down), (30, Up), (40, Up)];
        assert_eq!(
            check(&mut windows, &target, &steps),
            "0=0 10=1! lambda-throttled 10=1! 30=0 lambda-throttled 30=0"
        );
        let names = windows.close_all().into_iter();
        let names: Vec<_> = names.map(|closed| closed.datapoint.series).collect();
        let by_cause = |series: &&Series| matches!(series, Series::DownBy(..));
        assert_eq!(names.iter().filter(by_cause).count(), 1, "{names:?}");
        // Revised while it is down: the former is over, the new one has no alarm.
        check(&mut windows, &target, &[(50, Down)]);
        let other = CauseId::new("lambda-function-error").unwrap();
        let urgent = windows.revise(&target, &other, at(55));
        assert_eq!(urgent.now[0].values, [(0.0, 1.0)]);
        assert!(urgent.tipping.is_empty());
        assert_eq!(windows.revise(&target, &other, at(56)), Urgent::default());
    }

    #[test]
    fn a_window_is_on_disk_only_as_it_was_when_it_was_handed_over() {
        let target = target(|target| {
            target.cloudwatch.metrics = [CloudWatchMetric::Failed].into();
        });
        let mut windows = Windows::default();
        check(&mut windows, &target, &[(1, HealthState::Up)]);
        let handed = windows.unkept();
        assert_eq!(handed.len(), 1);
        assert!(windows.unkept().is_empty());
        windows.settle(true);
        check(&mut windows, &target, &[(2, HealthState::Up)]);
        let more = windows.unkept();
        assert_eq!(
            (more[0].row, &more[0].values[..]),
            (handed[0].row, &[(0.0, 2.0)][..])
        );
        // Not settled when it closes: nobody knows.
        assert!(!windows.close_all()[0].kept);
        check(&mut windows, &target, &[(3, HealthState::Up)]);
        windows.unkept();
        windows.settle(true);
        assert!(windows.close_all()[0].kept);
    }

    #[test]
    fn an_unpublished_target_has_no_datapoints() {
        let target = target(|target| target.cloudwatch.enabled = false);
        let mut windows = Windows::default();
        assert_eq!(check(&mut windows, &target, &[(0, HealthState::Down)]), "");
        assert!(windows.close_all().is_empty());
    }
}
