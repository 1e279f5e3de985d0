//! Tests of alarms that were changed or deleted by hand, in virtual time.

use super::world::{REVIEW, World, view};
use super::*;
use crate::model::settings::DriftPolicy;

/// Changes the account by hand, then compares the reported changes and the following writes with
/// `expected`.
fn check(policy: DriftPolicy, change: impl FnOnce(&mut World), expected: &[&str]) -> World {
    let mut world = World::applied(view(|settings| settings.cloudwatch.drift = policy));
    change(&mut world);
    world.pass(REVIEW);
    let drifted = world.reconciler.drifted.len();
    assert_eq!(world.drifted, i64::try_from(drifted).unwrap());
    let changed = world.notices.iter().filter_map(|notice| match notice {
        Notice::ChangedByHand(name, differs, _) => Some(format!("{name}: {differs}")),
        _ => None,
    });
    let writes = world.made.iter().filter(|call| call.starts_with("Write"));
    let seen: Vec<_> = changed.chain(writes.cloned()).collect();
    assert_eq!(seen, expected);
    world
}

fn disabled_by_hand(world: &mut World) {
    let definition = world.alarm("orders").definition.as_mut().unwrap();
    definition.actions_enabled = false;
}

fn deleted_by_hand(world: &mut World) {
    world.account.remove("probecause local orders");
}

const DISABLED: &str = "probecause local orders: ActionsEnabled false instead of true";
const DELETED: &str = "probecause local orders: deleted";

#[test]
fn a_change_by_hand_is_reported_and_overwritten_or_left() {
    let overwritten = [DISABLED, "Write orders"];
    let world = check(DriftPolicy::Mend, disabled_by_hand, &overwritten);
    assert_eq!(world.drifted, 0, "the alarm is as configured again");
    let left = check(DriftPolicy::Leave, disabled_by_hand, &[DISABLED]);
    assert_eq!(left.drifted, 1);
}

#[test]
fn a_deleted_alarm_is_reported_and_created_again_or_left() {
    check(
        DriftPolicy::Mend,
        deleted_by_hand,
        &[DELETED, "Write orders"],
    );
    let mut left = check(DriftPolicy::Leave, deleted_by_hand, &[DELETED]);
    left.pass(REVIEW);
    assert_eq!(left.drifted, 1, "the alarm stays known as deleted");
}

#[test]
fn a_deleted_alarm_whose_definition_changed_is_created() {
    let mut world = World::applied(view(|settings| {
        settings.cloudwatch.drift = DriftPolicy::Leave;
    }));
    deleted_by_hand(&mut world);
    world.step(Event::Configured(view(|settings| {
        settings.cloudwatch.drift = DriftPolicy::Leave;
        settings.cloudwatch.namespace = "Other".to_owned();
    })));
    world.run();
    assert_eq!(world.made, ["ReadAll", "Write (heartbeat)", "Write orders"]);
}

#[test]
fn an_alarm_that_was_written_after_a_review_began_is_not_judged_by_it() {
    let mut world = World::applied(view(|_| {}));
    world.held = vec!["Review"];
    world.now = REVIEW;
    world.step(Event::Timer);
    let mut before = world.account.clone();
    world.fail("orders", "dns-failure", 1);
    world.run();
    world.held.clear();
    // The review returns the alarm as it was before the write.
    std::mem::swap(&mut before, &mut world.account);
    world.alarm("orders").definition.as_mut().unwrap().period = 300;
    world.run();
    assert_eq!(world.made, ["Write orders", "Review", "ReadTags"]);
    assert_eq!(world.drifted, 0);
}

#[test]
fn an_alarm_that_is_being_created_is_not_created_again_after_a_review() {
    let mut world = World::start(view(|_| {}));
    world.held = vec!["Write"];
    world.pass(REVIEW * 2);
    world.held.clear();
    world.run();
    let creations = ["ReadAll", "Write (heartbeat)", "Write orders"];
    assert_eq!(world.made[..3], creations);
    assert!(!world.made[3..].contains(&"Write orders".to_owned()));
}

#[test]
fn known_tags_are_not_read_again() {
    let mut world = World::applied(view(|_| {}));
    world.pass(REVIEW * 3);
    assert_eq!(world.made, ["Review", "Review", "Review"]);
}
