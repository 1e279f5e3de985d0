//! Reports become datapoints: what changed at once, the rest aggregated per window.
//!
//! Time is an argument. A window is a minute (or 10 s with high resolution) of the wall
//! clock, and its datapoints carry a time inside it, however late they are sent. A value
//! that is no number is never sent: CloudWatch would refuse the whole batch.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{MetricDatum, StandardUnit};
use jiff::Timestamp;

use crate::alarm::HEARTBEAT_METRIC;
use crate::cause::CauseId;
use crate::diagnosis::Outcome;
use crate::health::HealthState;
use crate::report::Report;
use crate::sink::cloudwatch::account::dimension;
use crate::target::{CloudWatchMetric, MissingData, TargetName};

/// One datapoint of one series, of one or more values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Datapoint {
    pub(super) series: Series,
    pub(super) at: Timestamp,
    /// Distinct values with how often each came; at least one.
    pub(super) values: Vec<(f64, f64)>,
}

/// A metric series of this daemon.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Series {
    Heartbeat,
    Target(TargetName, CloudWatchMetric),
    Failures(TargetName, CauseId),
}

/// What a report comes to.
#[derive(Debug, PartialEq)]
pub(super) enum Urgency {
    /// Nothing to send at once.
    Window,
    /// The state in CloudWatch changes.
    Now(Datapoint),
    /// The state in CloudWatch becomes `down`: the alarm's words go first.
    Tipping(Datapoint),
}

/// The open windows of every target.
#[derive(Debug, Default)]
pub(super) struct Windows {
    open: BTreeMap<(Timestamp, Series), Window>,
    /// The last value of `Down` per target, for what changes goes at once.
    down: HashMap<TargetName, bool>,
}

#[derive(Debug)]
struct Window {
    last: Timestamp,
    values: Vec<(f64, f64)>,
}

/// CloudWatch takes this many distinct values per datapoint; a window that has more
/// counts further values to the nearest it has.
const MAX_VALUES: usize = 150;

impl Windows {
    /// Takes a report in, and says what of it cannot wait for its window.
    pub(super) fn add(&mut self, report: &Report, resolution: Duration) -> Urgency {
        let target = &report.target;
        if !target.cloudwatch.enabled {
            return Urgency::Window;
        }
        let start = window_start(report.at, resolution);
        let mut urgency = Urgency::Window;
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
                urgency = self.urgency(&target.name, &series, value, report.at);
                if urgency != Urgency::Window {
                    continue;
                }
            }
            let window = self.open.entry((start, series)).or_insert(Window {
                last: report.at,
                values: Vec::new(),
            });
            window.last = window.last.max(report.at);
            window.add(value);
        }
        urgency
    }

    /// Takes out every window that is over.
    pub(super) fn close(&mut self, now: Timestamp, resolution: Duration) -> Vec<Datapoint> {
        let current = window_start(now, resolution);
        let later = self.open.split_off(&(current, Series::Heartbeat));
        let over = std::mem::replace(&mut self.open, later);
        over.into_iter().map(datapoint).collect()
    }

    /// Takes out every window, over or not.
    pub(super) fn close_all(&mut self) -> Vec<Datapoint> {
        std::mem::take(&mut self.open)
            .into_iter()
            .map(datapoint)
            .collect()
    }

    /// Whether CloudWatch was last told that a target is down.
    pub(super) fn is_down(&self, target: &TargetName) -> bool {
        self.down.get(target).copied().unwrap_or(false)
    }

    /// Forgets targets that are gone.
    pub(super) fn keep(&mut self, known: impl Fn(&TargetName) -> bool) {
        self.down.retain(|target, _| known(target));
    }

    fn urgency(
        &mut self,
        target: &TargetName,
        series: &Series,
        value: f64,
        at: Timestamp,
    ) -> Urgency {
        let down = value > 0.0;
        let before = self.down.insert(target.clone(), down);
        if before == Some(down) {
            return Urgency::Window;
        }
        let datapoint = Datapoint {
            series: series.clone(),
            at,
            values: vec![(value, 1.0)],
        };
        if down {
            Urgency::Tipping(datapoint)
        } else {
            Urgency::Now(datapoint)
        }
    }
}

impl Window {
    fn add(&mut self, value: f64) {
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
}

impl Datapoint {
    /// A sign of life.
    pub(super) fn heartbeat(at: Timestamp) -> Self {
        Self {
            series: Series::Heartbeat,
            at,
            values: vec![(1.0, 1.0)],
        }
    }

    /// Bytes it takes in a request at most, roughly.
    pub(super) fn size(&self, location: &str) -> usize {
        let names = match &self.series {
            Series::Heartbeat => 0,
            Series::Target(target, _) => target.as_str().len(),
            Series::Failures(target, cause) => target.as_str().len() + cause.as_str().len(),
        };
        // Field names and framing of a datum with three dimensions, then two doubles of
        // nine bytes per value.
        300 + names + location.len() + 18 * self.values.len()
    }

    /// The datapoint as CloudWatch takes it.
    pub(super) fn datum(&self, location: &str, resolution: Duration) -> MetricDatum {
        let (name, unit) = match &self.series {
            Series::Heartbeat => (HEARTBEAT_METRIC, StandardUnit::None),
            Series::Failures(..) => (CloudWatchMetric::Failures.as_str(), StandardUnit::Count),
            Series::Target(_, metric) => (
                metric.as_str(),
                match metric {
                    CloudWatchMetric::Duration | CloudWatchMetric::Processing => {
                        StandardUnit::Seconds
                    }
                    _ => StandardUnit::None,
                },
            ),
        };
        let mut datum = MetricDatum::builder()
            .metric_name(name)
            .unit(unit)
            .timestamp(DateTime::from_millis(self.at.as_millisecond()))
            .storage_resolution(if resolution < Duration::from_secs(60) {
                1
            } else {
                60
            });
        if let Series::Target(target, _) | Series::Failures(target, _) = &self.series {
            datum = datum.dimensions(dimension("Target", target.as_str()));
        }
        datum = datum.dimensions(dimension("Location", location));
        if let Series::Failures(_, cause) = &self.series {
            datum = datum.dimensions(dimension("Cause", cause.as_str()));
        }
        match self.values[..] {
            [(value, 1.0)] => datum.value(value).build(),
            _ => datum
                .set_values(Some(self.values.iter().map(|(value, _)| *value).collect()))
                .set_counts(Some(self.values.iter().map(|(_, count)| *count).collect()))
                .build(),
        }
    }
}

fn datapoint(((_, series), window): ((Timestamp, Series), Window)) -> Datapoint {
    Datapoint {
        series,
        at: window.last,
        values: window.values,
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

fn window_start(at: Timestamp, resolution: Duration) -> Timestamp {
    let width = i64::try_from(resolution.as_secs().max(1)).unwrap_or(60);
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(width)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cause::{Certainty, Owner};
    use crate::diagnosis::{Diagnosis, Verdict};
    use crate::observation::Observation;
    use crate::target::Target;

    const MINUTE: Duration = Duration::from_secs(60);

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
            match windows.add(&report(target, *second, *health), MINUTE) {
                Urgency::Window => {}
                Urgency::Now(point) => seen.push(format!("{second}={}", point.values[0].0)),
                Urgency::Tipping(point) => seen.push(format!("{second}={}!", point.values[0].0)),
            }
        }
        seen.join(" ")
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
        assert_eq!(closed[0].values, [(0.0, 2.0), (1.0, 1.0)]);
        assert_eq!(closed[0].at, at(40));
        assert_eq!(windows.close_all()[0].at, at(70));
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
        assert_eq!(windows.add(&covered, MINUTE), Urgency::Window);
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
            .map(|point| point.datum("here", MINUTE))
            .collect();
        let names: Vec<_> = names.iter().filter_map(MetricDatum::metric_name).collect();
        // No processing: the phase was never reached.
        assert_eq!(names, ["Down", "Failed", "Duration", "Failures"]);
        let failures = closed[3].datum("here", Duration::from_secs(10));
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
            last: at(0),
            values: Vec::new(),
        };
        for number in 0..1000 {
            window.add(f64::from(number));
        }
        assert_eq!(window.values.len(), MAX_VALUES);
        let total: f64 = window.values.iter().map(|(_, count)| count).sum();
        assert!((total - 1000.0).abs() < f64::EPSILON);
    }

    #[test]
    fn an_unpublished_target_has_no_datapoints() {
        let target = target(|target| target.cloudwatch.enabled = false);
        let mut windows = Windows::default();
        assert_eq!(check(&mut windows, &target, &[(0, HealthState::Down)]), "");
        assert!(windows.close_all().is_empty());
    }
}
