use aws_sdk_cloudwatch::types::MetricDatum;

use super::window::MAX_VALUES;
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

fn throttled_alarm() -> CauseAlarm {
    CauseAlarm {
        cause: CauseId::new("lambda-throttled").unwrap(),
        owner: Owner::Service,
        actions: Vec::new(),
    }
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
                hop: None,
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
        prober_fault: false,
    }
}

/// Adds a report for each step (second and health). Returns the immediate datapoints as
/// `second=value`, followed by `x` and the number of values if there are several, by `!` for a
/// breaching datapoint, and by the cause of a per-cause series.
fn check(
    aggregation: &mut Aggregation,
    target: &Arc<Target>,
    steps: &[(i64, HealthState)],
) -> String {
    let mut seen = Vec::new();
    for (second, health) in steps {
        let immediate = aggregation.add(&report(target, *second, *health), MINUTE);
        let other = immediate.other.iter().map(|point| (point, ""));
        let breaching = immediate.breaching.iter().map(|point| (point, "!"));
        for (point, mark) in other.chain(breaching) {
            let ((value, count), cause) = (point.values[0], cause_of(point));
            let count = if count > 1.0 {
                format!("x{count}")
            } else {
                String::new()
            };
            seen.push(format!("{second}={value}{count}{mark}{cause}"));
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
fn a_change_of_state_is_immediate_and_other_values_wait_for_the_end_of_the_minute() {
    use HealthState::{Down, Up};
    let mut aggregation = Aggregation::default();
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
        check(&mut aggregation, &target(|_| {}), &steps),
        "0=0 30=1! 61=0"
    );
    let closed = aggregation.close(at(65), MINUTE);
    assert_eq!(closed.len(), 1);
    assert_eq!(closed[0].values, [(0.0, 2.0), (1.0, 1.0)]);
    assert_eq!(closed[0].at, at(40));
    assert_eq!(aggregation.close_all()[0].at, at(70));
    assert!(aggregation.close_all().is_empty());
}

#[test]
fn the_values_of_a_period_before_a_change_of_state_are_sent_with_the_change() {
    use HealthState::{Down, Up};
    let mut aggregation = Aggregation::default();
    let steps = [
        (50, Up),
        (55, Down),
        (61, Down),
        (65, Down),
        (70, Up),
        (80, Up),
        (90, Down),
    ];
    // If the values of 61 and 65 came after the value of 70, the alarm would fire again.
    assert_eq!(
        check(&mut aggregation, &target(|_| {}), &steps),
        "50=0 55=1! 70=1x2 70=0 90=1!"
    );
    assert_eq!(aggregation.close_all()[0].values, [(0.0, 1.0)]);
}

#[test]
fn the_first_zero_of_the_period_after_a_breaching_one_is_immediate() {
    use HealthState::{Down, Up};
    let steps = [
        (0, Up),
        (10, Down),
        (20, Up),
        (30, Up),
        (61, Up),
        (70, Up),
        (121, Up),
    ];
    // The maximum of the first minute stays 1, so the alarm stops firing with the value of 61.
    let mut aggregation = Aggregation::default();
    assert_eq!(
        check(&mut aggregation, &target(|_| {}), &steps),
        "0=0 10=1! 20=0 61=0"
    );
    // The alarm of a target that is probed every 90 seconds has a period of two minutes.
    let slow = target(|target| target.interval = Duration::from_secs(90));
    let mut aggregation = Aggregation::default();
    assert_eq!(
        check(&mut aggregation, &slow, &steps),
        "0=0 10=1! 20=0 121=0"
    );
    // The same holds for the series of a cause, whose only values after the outage are these.
    let with_cause = target(|target| target.alarm.causes = vec![throttled_alarm()]);
    let mut aggregation = Aggregation::default();
    assert_eq!(
        check(&mut aggregation, &with_cause, &steps),
        "0=0 10=1! lambda-throttled 10=1! 20=0 lambda-throttled 20=0 61=0 lambda-throttled 61=0"
    );
}

#[test]
fn a_target_of_unknown_health_has_no_datapoints() {
    let mut aggregation = Aggregation::default();
    let steps = [(0, HealthState::Unknown)];
    assert_eq!(check(&mut aggregation, &target(|_| {}), &steps), "");
    assert!(aggregation.close_all().is_empty());
}

#[test]
fn an_outage_during_maintenance_is_published_when_maintenance_ends() {
    let target = target(|_| {});
    let mut aggregation = Aggregation::default();
    let mut in_maintenance = report(&target, 10, HealthState::Down);
    in_maintenance.maintenance = true;
    assert_eq!(
        aggregation.add(&in_maintenance, MINUTE),
        Immediate::default()
    );
    assert!(aggregation.close_all().is_empty());
    assert_eq!(
        check(&mut aggregation, &target, &[(20, HealthState::Down)]),
        "20=1!"
    );
}

#[test]
fn each_enabled_metric_has_its_own_series_and_failures_have_a_cause() {
    let target = target(|target| target.cloudwatch.metrics.extend(CloudWatchMetric::ALL));
    let mut aggregation = Aggregation::default();
    check(
        &mut aggregation,
        &target,
        &[(1, HealthState::Down), (2, HealthState::Down)],
    );
    let closed = aggregation.close_all();
    let data: Vec<_> = closed
        .iter()
        .map(|point| point.datum(&view(MINUTE)))
        .collect();
    let names: Vec<_> = data.iter().filter_map(MetricDatum::metric_name).collect();
    // `Processing` is missing, because the probe failed before that phase.
    assert_eq!(names, ["Down", "Failed", "Duration", "Failures"]);
    let failures = closed[3].datum(&view(Duration::from_secs(10)));
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
fn a_window_holds_at_most_as_many_distinct_values_as_cloudwatch_accepts() {
    let mut window = Window::new(0, at(0));
    for number in 0..1000 {
        window.add(f64::from(number), at(0));
    }
    assert_eq!(window.values.len(), MAX_VALUES);
    let total: f64 = window.values.iter().map(|(_, count)| count).sum();
    assert!((total - 1000.0).abs() < f64::EPSILON);
}

#[test]
fn the_series_of_a_cause_is_one_while_the_cause_is_shown_and_zero_once_afterwards() {
    use HealthState::{Down, Up};
    let target = target(|target| {
        target.alarm.causes = vec![throttled_alarm()];
    });
    let mut aggregation = Aggregation::default();
    let steps = [(0, Up), (10, Down), (20, Down), (30, Up), (40, Up)];
    assert_eq!(
        check(&mut aggregation, &target, &steps),
        "0=0 10=1! lambda-throttled 10=1! 30=1 lambda-throttled 30=0 lambda-throttled 30=1 30=0"
    );
    let closed = aggregation.close_all().into_iter();
    let series: Vec<_> = closed.map(|point| point.series).collect();
    let by_cause = |series: &Series| matches!(series, Series::DownBy(..));
    assert!(!series.iter().any(by_cause), "{series:?}");
    // The cause changes while the target is down: the previous series gets 0, and the new
    // cause has no alarm and thus no series.
    check(&mut aggregation, &target, &[(50, Down)]);
    let other = CauseId::new("lambda-function-error").unwrap();
    let immediate = aggregation.revise(&target, &other, at(55), MINUTE);
    assert_eq!(immediate.other[0].values, [(0.0, 1.0)]);
    assert!(immediate.breaching.is_empty());
    assert_eq!(
        aggregation.revise(&target, &other, at(56), MINUTE),
        Immediate::default()
    );
}

#[test]
fn a_window_counts_as_saved_only_in_the_form_that_was_saved() {
    let target = target(|target| {
        target.cloudwatch.metrics = [CloudWatchMetric::Failed].into();
    });
    let mut aggregation = Aggregation::default();
    check(&mut aggregation, &target, &[(1, HealthState::Up)]);
    let first = aggregation.unsaved();
    assert_eq!(first.len(), 1);
    assert!(aggregation.unsaved().is_empty());
    aggregation.settle(true);
    check(&mut aggregation, &target, &[(2, HealthState::Up)]);
    let second = aggregation.unsaved();
    assert_eq!(
        (second[0].row, &second[0].values[..]),
        (first[0].row, &[(0.0, 2.0)][..])
    );
    // The window closes before the result of the save is known.
    assert_eq!(aggregation.close_all()[0].saved, Saved::Pending);
    check(&mut aggregation, &target, &[(3, HealthState::Up)]);
    aggregation.unsaved();
    aggregation.settle(true);
    assert_eq!(aggregation.close_all()[0].saved, Saved::Yes);
}

#[test]
fn a_target_that_is_not_published_has_no_datapoints() {
    let target = target(|target| target.cloudwatch.enabled = false);
    let mut aggregation = Aggregation::default();
    assert_eq!(
        check(&mut aggregation, &target, &[(0, HealthState::Down)]),
        ""
    );
    assert!(aggregation.close_all().is_empty());
}
