//! Tests that run a schedule in simulated time.

use super::*;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn target(name: &str, interval: u64) -> Arc<Target> {
    let url = "http://localhost/".parse().unwrap();
    let mut target = Target::with_defaults(name, url);
    target.interval = Duration::from_secs(interval);
    Arc::new(target)
}

fn targets(count: usize, interval: u64) -> Vec<Arc<Target>> {
    (0..count)
        .map(|index| target(&format!("target-{index}"), interval))
        .collect()
}

fn configured(targets: &[Arc<Target>]) -> Schedule {
    let mut schedule = Schedule::default();
    schedule.configure(targets, Duration::ZERO);
    schedule
}

type Starts = Vec<(Duration, String)>;
type Misses = Vec<(Duration, MissedReason)>;

/// Runs a schedule until `until`; each probe takes `length`. Returns the times and targets of
/// all started probes, and all missed slots.
fn play(
    schedule: &mut Schedule,
    until: Duration,
    length: Duration,
    capacity: usize,
) -> (Starts, Misses) {
    let (mut starts, mut misses) = (Vec::new(), Vec::new());
    let mut running: BTreeSet<(Duration, TargetName)> = BTreeSet::new();
    loop {
        let ends = running.first().map(|(end, _)| *end);
        let due = schedule.next_due();
        let Some(now) = ends
            .into_iter()
            .chain(due)
            .min()
            .filter(|now| *now <= until)
        else {
            return (starts, misses);
        };
        while let Some((end, name)) = running.first().cloned().filter(|(end, _)| *end <= now) {
            running.remove(&(end, name.clone()));
            schedule.finished(&name, now);
        }
        for action in schedule.due(now, capacity - running.len()) {
            match action {
                Action::Start(target, _) => {
                    assert!(
                        running.iter().all(|(_, name)| *name != target.name),
                        "two probes of one target at once"
                    );
                    running.insert((now + length, target.name.clone()));
                    starts.push((now, target.name.to_string()));
                    assert!(running.len() <= capacity);
                }
                Action::Missed(_, slot, reason) => misses.push((slot, reason)),
            }
        }
    }
}

#[test]
fn a_thousand_targets_are_first_probed_within_five_seconds() {
    let mut schedule = configured(&targets(1000, 60));
    let (starts, misses) = play(&mut schedule, seconds(5.0), seconds(0.1), 2000);
    assert_eq!((starts.len(), misses.len()), (1000, 0));
}

#[test]
fn six_thousand_targets_are_spread_over_their_interval() {
    let mut schedule = configured(&targets(6000, 60));
    let (starts, _) = play(&mut schedule, seconds(59.999), seconds(0.1), 6000);
    assert_eq!(starts.len(), 6000);
    for second in 0..60 {
        let range = seconds(f64::from(second))..seconds(f64::from(second + 1));
        let count = starts.iter().filter(|(at, _)| range.contains(at)).count();
        // The expected number is 100 probes per second; six standard deviations are 60.
        assert!((40..160).contains(&count), "{count} in second {second}");
    }
}

#[test]
fn slots_are_one_interval_apart() {
    let mut schedule = configured(&targets(1, 10));
    let (starts, misses) = play(&mut schedule, seconds(100.0), seconds(3.0), 10);
    assert_eq!(misses, []);
    let offset = offset(&TargetName::new("target-0"), seconds(10.0));
    for (at, _) in &starts[1..] {
        assert_eq!((*at - offset).as_nanos() % seconds(10.0).as_nanos(), 0);
    }
    // The second probe does not start shortly after the first one.
    assert!(starts[1].0 - starts[0].0 >= seconds(5.0));
    assert!((9..=11).contains(&starts.len()));
}

#[test]
fn a_probe_longer_than_its_interval_misses_slots_and_is_followed_at_once() {
    let mut schedule = configured(&targets(1, 5));
    let (starts, misses) = play(&mut schedule, seconds(61.0), seconds(30.0), 10);
    assert!(
        misses
            .iter()
            .all(|(_, reason)| *reason == MissedReason::StillRunning)
    );
    assert!(misses.len() >= 9, "{misses:?}");
    assert_eq!(starts[1].0 - starts[0].0, seconds(30.0));
}

#[test]
fn a_slot_without_capacity_is_missed_and_made_up_for_in_order() {
    let mut schedule = configured(&targets(20, 10));
    let (starts, misses) = play(&mut schedule, seconds(60.0), seconds(1.0), 1);
    assert!(
        misses
            .iter()
            .any(|(_, reason)| *reason == MissedReason::NoCapacity)
    );
    // With a capacity of one and probes of one second, the capacity is always used and no
    // target starves.
    let names: BTreeSet<_> = starts.iter().map(|(_, name)| name).collect();
    assert_eq!(names.len(), 20);
    assert!(starts.len() >= 55, "{}", starts.len());
}

#[test]
fn slots_that_pass_while_suspended_are_counted_and_one_probe_follows() {
    let mut schedule = configured(&[target("orders", 10)]);
    let first = schedule.next_due().unwrap();
    assert_eq!(schedule.due(first, 1).len(), 1);
    schedule.finished(&TargetName::new("orders"), first);
    let slot = schedule.next_due().unwrap();
    let actions = schedule.due(slot + seconds(35.0), 1);
    let held = |action: &Action| matches!(action, Action::Missed(_, _, MissedReason::HeldUp));
    assert_eq!(actions.iter().filter(|action| held(action)).count(), 3);
    let newest = slot + seconds(30.0);
    assert!(matches!(actions.last(), Some(Action::Start(_, at)) if *at == newest));
}

#[test]
fn a_confirming_probe_does_not_move_the_grid() {
    let name = TargetName::new("orders");
    let mut schedule = configured(&[target("orders", 60)]);
    let first = schedule.next_due().unwrap();
    schedule.due(first, 1);
    schedule.finished(&name, first);
    let slot = schedule.next_due().unwrap();
    let confirmation = first + seconds(10.0);
    schedule.confirm(&name, confirmation);
    assert_eq!(schedule.next_due(), Some(confirmation));
    assert_eq!(schedule.due(confirmation, 1).len(), 1);
    let next = schedule.next_due().unwrap();
    let grid = seconds(60.0);
    assert!(
        next == slot || next == slot + grid,
        "{next:?} is off the grid"
    );
}

#[test]
fn a_confirming_probe_does_not_delay_a_slot() {
    let mut schedule = configured(&[target("orders", 60)]);
    let first = schedule.next_due().unwrap();
    schedule.confirm(&TargetName::new("orders"), first + seconds(10.0));
    assert_eq!(schedule.next_due(), Some(first));
}

#[test]
fn a_reload_keeps_slots_drops_removed_targets_and_probes_new_ones_soon() {
    let mut schedule = configured(&[target("orders", 60), target("users", 60)]);
    let now = seconds(10.0);
    schedule.due(now, 10);
    schedule.finished(&TargetName::new("orders"), now);
    let slot = slot_after(&target("orders", 60), now);
    schedule.configure(&[target("orders", 60), target("new", 60)], now);
    let (starts, _) = play(&mut schedule, seconds(130.0), seconds(0.1), 10);
    assert!(starts.iter().all(|(_, name)| name != "users"));
    let first_of = |wanted: &str| starts.iter().find(|(_, name)| name == wanted).unwrap().0;
    assert!(first_of("new") <= now + seconds(5.0));
    let kept = first_of("orders");
    assert!(kept == slot || kept == slot + seconds(60.0));
}

#[test]
fn a_target_with_a_changed_interval_is_not_probed_twice_at_once() {
    let mut schedule = configured(&[target("orders", 60)]);
    let first = schedule.next_due().unwrap();
    schedule.due(first, 1);
    schedule.configure(&[target("orders", 30)], first);
    let actions = schedule.due(first + seconds(10.0), 5);
    assert!(
        actions
            .iter()
            .all(|action| matches!(action, Action::Missed(..))),
        "{actions:?}"
    );
    schedule.finished(&TargetName::new("orders"), first + seconds(11.0));
    assert!(schedule.has_waiting());
}

#[test]
fn a_target_with_another_url_is_probed_at_once() {
    let kept = target("kept", 600);
    let moving = target("moving", 600);
    let mut schedule = configured(&[Arc::clone(&kept), Arc::clone(&moving)]);
    play(&mut schedule, seconds(10.0), seconds(1.0), 10);
    let mut moved = Target::clone(&moving);
    moved.url = "http://localhost/elsewhere".parse().unwrap();
    schedule.configure(&[kept, Arc::new(moved)], seconds(20.0));
    let (starts, misses) = play(&mut schedule, seconds(25.0), seconds(1.0), 10);
    let names: Vec<_> = starts.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["moving"]);
    assert!(starts[0].0 <= seconds(21.0), "{starts:?}");
    assert!(misses.is_empty());
}
