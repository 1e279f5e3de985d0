//! Property tests with random inputs: health, the schedule, the alarm plan, and diagnosis.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use probecause::domain::alarm::annotation::Annotation;
use probecause::domain::alarm::definition::Definition;
use probecause::domain::alarm::desired;
use probecause::domain::alarm::plan::{ActualAlarm, Plan, Step};
use probecause::domain::diagnosis::Outcome;
use probecause::domain::diagnosis::catalog::{CATALOG, FactType};
use probecause::domain::diagnosis::fact::{FactValue, Facts};
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::domain::health::{Health, HealthState};
use probecause::domain::schedule::{Action, Schedule};
use probecause::model::cause::Certainty;
use probecause::model::settings::{DriftPolicy, Settings};
use probecause::model::target::{HealthSettings, Target, TargetName};
use proptest::prelude::*;

fn outcomes() -> impl Strategy<Value = Vec<Outcome>> {
    let one = prop_oneof![
        Just(Outcome::Passed),
        Just(Outcome::Degraded),
        Just(Outcome::Failed)
    ];
    prop::collection::vec(one, 1..200)
}

proptest! {
    /// A target is down only after enough consecutive failures, and up again only after
    /// enough consecutive successes.
    #[test]
    fn health_changes_only_at_its_thresholds(
        outcomes in outcomes(),
        failures in 1_u32..5,
        successes in 1_u32..5,
    ) {
        let settings = HealthSettings {
            consecutive_failures: failures,
            consecutive_successes: successes,
        };
        let mut health = Health::new(settings, Timestamp::UNIX_EPOCH);
        let mut streak = (Outcome::Passed, 0);
        for outcome in outcomes {
            let length = if streak.0 == outcome { streak.1 + 1 } else { 1 };
            streak = (outcome, length);
            let before = health.state();
            let changed = health.observe(outcome, Timestamp::UNIX_EPOCH);
            prop_assert_eq!(changed.is_some(), before != health.state());
            let Some(change) = changed else { continue };
            match change.to {
                HealthState::Down => {
                    prop_assert!(streak.0 == Outcome::Failed && streak.1 >= failures);
                }
                HealthState::Up if change.from != HealthState::Unknown => {
                    prop_assert!(streak.0 == Outcome::Passed && streak.1 >= successes);
                }
                HealthState::Degraded if change.from == HealthState::Down => {
                    prop_assert!(streak.0 == Outcome::Degraded && streak.1 >= successes);
                }
                _ => {}
            }
        }
    }
}

/// The result of a simulated schedule.
#[derive(Default)]
struct Simulation {
    /// The starts of each target's probes.
    starts: BTreeMap<TargetName, Vec<Duration>>,
    /// The number of missed slots of each target.
    missed: BTreeMap<TargetName, usize>,
    /// The highest number of probes in flight.
    max_in_flight: usize,
}

/// Simulates a schedule with at most `limit` probes in flight; `durations` holds the
/// duration of every probe of each target, in milliseconds.
fn simulate(
    targets: &[Arc<Target>],
    durations: &[u64],
    limit: usize,
    until: Duration,
) -> Simulation {
    let mut schedule = Schedule::default();
    schedule.configure(targets, Duration::ZERO);
    let index = |name: &TargetName| targets.iter().position(|target| target.name == *name);
    let mut running: BTreeSet<(Duration, TargetName)> = BTreeSet::new();
    let mut simulation = Simulation::default();
    loop {
        let ends = running.first().map(|(end, _)| *end);
        let Some(now) = ends.into_iter().chain(schedule.next_due()).min() else {
            return simulation;
        };
        if now > until {
            return simulation;
        }
        while let Some(first) = running.first().filter(|(end, _)| *end <= now).cloned() {
            running.remove(&first);
            schedule.finished(&first.1, now);
        }
        for action in schedule.due(now, limit - running.len()) {
            match action {
                Action::Start(target, _) => {
                    let duration = index(&target.name).map_or(0, |index| durations[index]);
                    let end = now + Duration::from_millis(duration);
                    running.insert((end, target.name.clone()));
                    simulation
                        .starts
                        .entry(target.name.clone())
                        .or_default()
                        .push(now);
                }
                Action::Missed(target, ..) => {
                    *simulation.missed.entry(target.name.clone()).or_default() += 1;
                }
            }
        }
        simulation.max_in_flight = simulation.max_in_flight.max(running.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Two probes of a target never overlap, and every slot is either started or reported
    /// as missed.
    #[test]
    fn the_schedule_never_overlaps_probes_and_starves_no_target(
        shapes in prop::collection::vec((1_u64..60, 1_u64..20_000), 1..40),
        limit in 1_usize..20,
    ) {
        let durations: Vec<_> = shapes.iter().map(|(_, duration)| *duration).collect();
        let targets: Vec<_> = (0..).zip(&shapes).map(|(number, (interval, _)): (usize, _)| {
            let url = "http://localhost/".parse().unwrap();
            let mut target = Target::with_defaults(&format!("target-{number}"), url);
            target.interval = Duration::from_secs(*interval);
            Arc::new(target)
        }).collect();
        let until = Duration::from_secs(600);
        let simulation = simulate(&targets, &durations, limit, until);
        prop_assert!(simulation.max_in_flight <= limit);
        for (target, duration) in targets.iter().zip(&durations) {
            let starts = simulation.starts.get(&target.name).cloned().unwrap_or_default();
            let duration = Duration::from_millis(*duration);
            for pair in starts.windows(2) {
                prop_assert!(pair[1] - pair[0] >= duration, "two probes overlap");
            }
            let slots = until.as_secs() / target.interval.as_secs();
            let missed = simulation.missed.get(&target.name).copied().unwrap_or_default();
            let accounted = (starts.len() + missed) as u64;
            prop_assert!(accounted + 2 >= slots, "{accounted} of {slots} slots");
            // If the limit allows all probes at the same time, each target is probed in each
            // of its intervals. The first probe starts early, off the grid, and may last into
            // the first slot. Each probe after it starts immediately and gains the rest of an
            // interval, until the grid is reached.
            if limit >= targets.len() && duration < target.interval {
                let rest = target.interval - duration;
                let most = 2 + duration.as_millis() / rest.as_millis();
                prop_assert!(missed as u128 <= most, "{missed} missed");
            }
            // The target that waits longest goes first, so each is probed eventually.
            prop_assert!(!starts.is_empty());
        }
    }
}

/// The alarms of an account that match the settings exactly.
fn applied(settings: &Settings) -> Vec<ActualAlarm> {
    let specs = desired(settings).into_iter();
    specs
        .map(|spec| {
            let annotation = Annotation::healthy(&spec);
            let tags = annotation.tags(&spec).into_iter();
            ActualAlarm {
                name: spec.name.clone(),
                arn: format!("arn:{}", spec.name),
                tags: tags.map(|(key, value)| (key.to_owned(), value)).collect(),
                description: annotation.description,
                definition: Some(Definition::of(&spec)),
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// After any changes to the account, applying the plan leaves nothing to change, and
    /// alarms of others stay as they are.
    #[test]
    fn an_applied_plan_leaves_nothing_to_change(
        count in 0_usize..12,
        changes in prop::collection::vec((0_usize..13, 0_u8..6), 0..20),
    ) {
        let mut settings = Settings::default();
        settings.cloudwatch.enabled = true;
        settings.cloudwatch.drift = DriftPolicy::Mend;
        for number in 0..count {
            let url = "https://orders.example/".parse().unwrap();
            let target = Target::with_defaults(&format!("target {number}"), url);
            settings.targets.push(Arc::new(target));
        }
        let good = applied(&settings);
        let mut account = good.clone();
        for (at, change) in changes {
            let Some(alarm) = account.get_mut(at) else { continue };
            match change {
                0 => { account.remove(at); }
                1 => alarm.tags.clear(),
                2 => alarm.definition.as_mut().unwrap().period += 60,
                3 => alarm.definition.as_mut().unwrap().actions_enabled ^= true,
                4 => { alarm.tags.insert("probecause:definition".to_owned(), "old".to_owned()); }
                _ => alarm.description.push_str(" by hand"),
            }
        }
        let wanted = desired(&settings);
        let location = &settings.location;
        let plan = Plan::new(&wanted, &account, location, DriftPolicy::Mend);
        let foreign: Vec<_> = account.iter().filter(|alarm| !alarm.is_managed()).cloned().collect();
        for step in &plan.steps {
            if let Step::Create(spec) | Step::Update { spec, .. } = step {
                account.retain(|alarm| alarm.name != spec.name);
                account.extend(good.iter().filter(|alarm| alarm.name == spec.name).cloned());
            }
        }
        let again = Plan::new(&wanted, &account, location, DriftPolicy::Mend);
        prop_assert!(!again.has_changes(), "{:?}", again.changes().collect::<Vec<_>>());
        for alarm in foreign {
            prop_assert!(account.contains(&alarm), "a foreign alarm was changed");
        }
    }
}

const PHASES: [&str; 7] = [
    "resolve",
    "connect",
    "tls",
    "processing",
    "transfer",
    "expect",
    "degraded",
];

/// Facts of the catalog with possible values; free text and numbers are random.
fn facts() -> impl Strategy<Value = Facts> {
    let one = (0..CATALOG.len(), any::<u16>(), -10.0_f64..100.0);
    let phases = prop::sample::select(PHASES.as_slice());
    (phases, prop::collection::vec(one, 1..25)).prop_map(|(phase, chosen)| {
        let mut facts = Facts::defaults();
        for (index, word, number) in chosen {
            let info = &CATALOG[index];
            let name = info.name.replace('*', "x-amzn-errortype");
            let value = match info.kind {
                FactType::Number => FactValue::Number(number),
                FactType::Word(words) => {
                    FactValue::Text(words[usize::from(word) % words.len()].to_owned())
                }
                FactType::Scalar if word % 2 == 0 => FactValue::Number(number),
                FactType::Text | FactType::Scalar => FactValue::Text(word.to_string()),
            };
            facts.set(&name, value);
        }
        facts.set_text("phase", phase);
        facts
    })
}

#[test]
fn diagnosis_is_total_and_deterministic_and_certain_only_with_a_clear_lead() {
    let rulebook = Rulebook::embedded().unwrap();
    let again = Rulebook::embedded().unwrap();
    let named = std::cell::Cell::new(0);
    proptest!(ProptestConfig::with_cases(2000), |(facts in facts())| {
        let diagnosis = rulebook.diagnose(&facts);
        prop_assert_eq!(&diagnosis, &again.diagnose(&facts));
        let verdict = diagnosis.verdict.expect("a failure has a verdict");
        let shares: Vec<_> = verdict.candidates.iter().map(|one| one.share).collect();
        prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{shares:?}");
        prop_assert!(shares.is_sorted_by(|one, other| one >= other), "{shares:?}");
        prop_assert_eq!(&verdict.candidates[0].cause, &verdict.cause);
        let causes: BTreeSet<_> = verdict.candidates.iter().map(|one| &one.cause).collect();
        prop_assert_eq!(causes.len(), shares.len());
        if shares[0] < 0.9 {
            prop_assert_eq!(verdict.certainty, Certainty::Possible);
        }
        named.set(named.get() + usize::from(verdict.cause.as_str() != "unexplained"));
    });
    let named = named.get();
    assert!(named > 100, "only {named} cases have a named cause");
}
