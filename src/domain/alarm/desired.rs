//! Computes the alarms that a configuration requires: one per target whose alarm is enabled, one
//! per configured cause of such a target, and one for the heartbeat of each shard.
//!
//! The desired alarms depend only on the settings. `plan` compares the desired alarms with the
//! alarms that exist in the account.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::alarm::destination::DestinationView;
use crate::domain::alarm::name::{cause_alarm_name, heartbeat_name, target_alarm_name};
use crate::domain::alarm::spec::{AlarmKey, AlarmSpec, Condition, LOCATION, MetricId};
use crate::domain::shard::assigned_shards;
use crate::model::settings::{CloudWatchSettings, Settings, ShardSettings};
use crate::model::target::{CauseAlarm, CloudWatchMetric, MissingData, Target};

/// The name of the daemon's heartbeat metric. The metric's dimensions are `Location` and, except
/// for the first shard, `Shard`.
pub const HEARTBEAT_METRIC: &str = "Heartbeat";

/// The name of the dimension that contains the cause of a per-cause series.
const CAUSE: &str = "Cause";

/// Maximum number of actions per alarm state (CloudWatch's limit).
pub const MAX_ACTIONS: usize = 5;

/// Number of consecutive periods without a heartbeat after which the heartbeat alarm fires: more
/// than one, because a single lost request or a restart must not page.
const HEARTBEATS_MISSED: u32 = 3;

/// Period of the heartbeat alarm with high-resolution metrics, in seconds. With a period of 10 s, a
/// restart could page, because a restart may take longer than three such periods.
const FAST_HEARTBEAT_PERIOD: u32 = 30;

/// Returns every alarm of a configuration in the order of [`alarms_of`], as if all targets belonged
/// to the main destination.
#[must_use]
pub fn desired(settings: &Settings) -> Vec<AlarmSpec> {
    alarms_of(&DestinationView::of_all(settings))
}

/// Returns the alarms that a destination requires: the heartbeat alarms, then the alarms of targets
/// in the order of the configuration, each followed by the target's per-cause alarms. The view of a
/// shard has only the heartbeat alarm of this shard; the view of a whole location has one per
/// shard. Empty if the view is inactive.
#[must_use]
pub fn alarms_of(view: &DestinationView) -> Vec<AlarmSpec> {
    alarms_where(view, |_| true)
}

/// Returns the heartbeat alarms of [`alarms_of`] and the alarms of targets for which `test` returns
/// true.
#[must_use]
pub fn alarms_where(view: &DestinationView, test: impl Fn(&Target) -> bool) -> Vec<AlarmSpec> {
    let heartbeats = match view.shards.own {
        Some(own) => own..own + 1,
        None => 0..view.shards.total,
    };
    alarms(view, heartbeats, view.targets.iter(), test)
}

/// Returns the alarms that a destination requires for all shards of the location together.
#[must_use]
pub fn alarms_of_location(view: &DestinationView) -> Vec<AlarmSpec> {
    let targets = view.targets.iter().chain(&view.elsewhere);
    alarms(view, 0..view.shards.total, targets, |_| true)
}

fn alarms<'a>(
    view: &DestinationView,
    heartbeats: std::ops::Range<u32>,
    targets: impl Iterator<Item = &'a Arc<Target>>,
    test: impl Fn(&Target) -> bool,
) -> Vec<AlarmSpec> {
    if !view.active {
        return Vec::new();
    }
    heartbeats
        .map(|shard| heartbeat_alarm(view, shard))
        .chain(
            targets
                .filter(|target| has_alarm(target) && test(target))
                .flat_map(|target| of_target(view, target)),
        )
        .collect()
}

/// Returns whether a target has an alarm: its alarm is enabled, and the metric that the alarm
/// watches is published.
#[must_use]
pub fn has_alarm(target: &Target) -> bool {
    target.alarm.enabled
        && target.cloudwatch.enabled
        && target.cloudwatch.metrics.contains(&CloudWatchMetric::Down)
}

/// Returns the shortest alarm period in seconds that contains a probe: 10, 20 or 30 for
/// high-resolution metrics and probe intervals up to 30 s, otherwise a multiple of 60.
#[must_use]
pub fn period(interval: Duration, resolution: Duration) -> u32 {
    let seconds = interval.as_secs() + u64::from(interval.subsec_nanos() > 0);
    let seconds = u32::try_from(seconds.max(1)).unwrap_or(u32::MAX - 60);
    if resolution < Duration::from_secs(60) && seconds <= 30 {
        seconds.next_multiple_of(10)
    } else {
        seconds.next_multiple_of(60)
    }
}

/// Returns the period of the heartbeat alarm, in seconds.
#[must_use]
pub fn heartbeat_period(cloudwatch: &CloudWatchSettings) -> u32 {
    if cloudwatch.resolution < Duration::from_secs(60) {
        FAST_HEARTBEAT_PERIOD
    } else {
        60
    }
}

/// Returns the dimensions of a shard's heartbeat metric. The first shard has only the dimension
/// `Location`, so that its alarm stays the same when a second shard is added.
#[must_use]
pub fn heartbeat_dimensions(location: &str, shard: u32) -> Vec<(String, String)> {
    let location = (LOCATION.to_owned(), location.to_owned());
    let shard = (shard > 0).then(|| ("Shard".to_owned(), shard.to_string()));
    std::iter::once(location).chain(shard).collect()
}

fn heartbeat_alarm(view: &DestinationView, shard: u32) -> AlarmSpec {
    let cloudwatch = &view.cloudwatch;
    AlarmSpec {
        name: heartbeat_name(&view.location, shard),
        key: AlarmKey::Heartbeat,
        shard: (view.shards.total > 1).then_some(shard),
        metric: MetricId {
            namespace: cloudwatch.namespace.clone(),
            name: HEARTBEAT_METRIC.to_owned(),
            dimensions: heartbeat_dimensions(&view.location, shard),
        },
        condition: Condition::LessThanOne,
        period: heartbeat_period(cloudwatch),
        evaluation_periods: HEARTBEATS_MISSED,
        datapoints_to_alarm: HEARTBEATS_MISSED,
        missing: MissingData::Breaching,
        actions: actions(cloudwatch, None),
        actions_enabled: cloudwatch.actions_enabled,
    }
}

/// Returns the alarm of a target, then the target's per-cause alarms, all with the same period.
fn of_target(view: &DestinationView, target: &Target) -> Vec<AlarmSpec> {
    let first = target_alarm(view, target);
    let causes = target.alarm.causes.iter();
    let causes = causes.map(|one| cause_alarm(&first, target, one));
    let causes: Vec<_> = causes.collect();
    std::iter::once(first).chain(causes).collect()
}

fn target_alarm(view: &DestinationView, target: &Target) -> AlarmSpec {
    let cloudwatch = &view.cloudwatch;
    AlarmSpec {
        name: target_alarm_name(&view.location, target.name.as_str()),
        key: AlarmKey::Target(target.name.clone()),
        shard: first_assigned_shard(&view.shards, target),
        metric: MetricId {
            namespace: cloudwatch.namespace.clone(),
            name: CloudWatchMetric::Down.as_str().to_owned(),
            dimensions: vec![
                ("Target".to_owned(), target.name.as_str().to_owned()),
                (LOCATION.to_owned(), view.location.clone()),
            ],
        },
        condition: Condition::AtLeastOne,
        period: period(target.interval, cloudwatch.resolution),
        evaluation_periods: target.alarm.periods,
        datapoints_to_alarm: target.alarm.datapoints,
        missing: target.alarm.missing,
        actions: actions(cloudwatch, target.alarm.actions.as_deref()),
        actions_enabled: cloudwatch.actions_enabled,
    }
}

fn first_assigned_shard(shards: &ShardSettings, target: &Target) -> Option<u32> {
    let several = (shards.total > 1).then(|| assigned_shards(shards, &target.name));
    several?.first().copied()
}

fn cause_alarm(of_target: &AlarmSpec, target: &Target, one: &CauseAlarm) -> AlarmSpec {
    let mut spec = of_target.clone();
    spec.name = cause_alarm_name(of_target.location(), target.name.as_str(), &one.cause);
    spec.key = AlarmKey::Cause {
        target: target.name.clone(),
        cause: one.cause.clone(),
        owner: one.owner,
    };
    let cause = one.cause.as_str().to_owned();
    spec.metric.dimensions.push((CAUSE.to_owned(), cause));
    // The series has datapoints only while its cause occurs, and a single 0 when the cause ends, so
    // missing datapoints mean that the cause does not occur.
    spec.missing = MissingData::NotBreaching;
    spec.actions.clone_from(&one.actions);
    spec.actions.truncate(MAX_ACTIONS);
    spec
}

fn actions(cloudwatch: &CloudWatchSettings, own: Option<&[String]>) -> Vec<String> {
    let mut actions = own.unwrap_or(&cloudwatch.alarm_actions).to_vec();
    actions.truncate(MAX_ACTIONS);
    actions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cause::{CauseId, Owner};

    fn settings(change: impl FnOnce(&mut Settings, &mut Target)) -> Settings {
        let url = "https://orders.example/".parse().unwrap();
        let mut target = Target::with_defaults("orders", url);
        let mut settings = Settings::default();
        settings.cloudwatch.enabled = true;
        settings.cloudwatch.alarm_actions = vec!["arn:topic".to_owned()];
        change(&mut settings, &mut target);
        settings.targets.push(Arc::new(target));
        settings
    }

    fn check(change: impl FnOnce(&mut Settings, &mut Target), names: &[&str]) -> Vec<AlarmSpec> {
        let alarms = desired(&settings(change));
        let seen: Vec<_> = alarms.iter().map(|alarm| alarm.name.as_str()).collect();
        assert_eq!(seen, names);
        alarms
    }

    #[test]
    fn each_target_has_an_alarm_and_the_location_has_a_heartbeat() {
        let alarms = check(
            |_, _| {},
            &["probecause local (heartbeat)", "probecause local orders"],
        );
        assert_eq!(alarms[1].period, 60);
        assert_eq!(alarms[1].actions, ["arn:topic"]);
        assert_eq!(alarms[1].missing, MissingData::Ignore);
        assert_eq!(alarms[0].missing, MissingData::Breaching);
        assert_eq!(alarms[0].evaluation_periods, 3);
    }

    #[test]
    fn no_alarm_is_desired_while_cloudwatch_is_disabled() {
        check(|settings, _| settings.cloudwatch.enabled = false, &[]);
    }

    #[test]
    fn a_target_may_opt_out_of_its_alarm() {
        let heartbeat = ["probecause local (heartbeat)"];
        check(|_, target| target.alarm.enabled = false, &heartbeat);
        check(|_, target| target.cloudwatch.enabled = false, &heartbeat);
        check(|_, target| target.cloudwatch.metrics.clear(), &heartbeat);
    }

    #[test]
    fn actions_of_a_target_replace_the_global_actions() {
        let both = ["probecause local (heartbeat)", "probecause local orders"];
        let alarms = check(|_, target| target.alarm.actions = Some(Vec::new()), &both);
        assert!(alarms[1].actions.is_empty());
        assert_eq!(alarms[0].actions, ["arn:topic"]);
    }

    #[test]
    fn a_period_is_accepted_by_cloudwatch_and_contains_a_probe() {
        let minute = Duration::from_secs(60);
        let ten = Duration::from_secs(10);
        for (interval, resolution, expected) in [
            (1, minute, 60),
            (60, minute, 60),
            (61, minute, 120),
            (300, minute, 300),
            (5, ten, 10),
            (11, ten, 20),
            (30, ten, 30),
            (31, ten, 60),
        ] {
            assert_eq!(period(Duration::from_secs(interval), resolution), expected);
        }
        assert_eq!(period(Duration::from_millis(10_500), ten), 20);
    }

    #[test]
    fn a_configured_cause_has_its_own_alarm() {
        let alarms = check(
            |_, target| {
                target.alarm.periods = 3;
                target.alarm.datapoints = 2;
                target.alarm.missing = MissingData::Breaching;
                target.alarm.causes.push(CauseAlarm {
                    cause: CauseId::new("lambda-throttled").unwrap(),
                    owner: Owner::Service,
                    actions: Vec::new(),
                });
            },
            &[
                "probecause local (heartbeat)",
                "probecause local orders",
                "probecause local orders (lambda-throttled)",
            ],
        );
        let dimensions = alarms[2].metric.dimensions.iter();
        let dimensions: Vec<_> = dimensions.map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            dimensions,
            ["Target=orders", "Location=local", "Cause=lambda-throttled"]
        );
        assert_eq!(alarms[2].metric.name, "Down");
        assert!(
            alarms[2].actions.is_empty(),
            "no topic is configured for the cause"
        );
        assert_eq!(alarms[2].missing, MissingData::NotBreaching);
        assert_eq!(alarms[1].missing, MissingData::Breaching);
        assert_eq!(alarms[2].evaluation_periods, 3);
        assert_eq!(alarms[2].datapoints_to_alarm, 2);
    }

    #[test]
    fn the_fingerprint_follows_the_definition() {
        let alarms = desired(&settings(|_, _| {}));
        let mut changed = alarms[1].clone();
        assert_eq!(changed.fingerprint(), alarms[1].fingerprint());
        changed.actions_enabled = false;
        assert_ne!(changed.fingerprint(), alarms[1].fingerprint());
    }
}
