//! Tests of races between reads, writes and events of a reconciler, in virtual time.
//!
//! | Race | Test |
//! | --- | --- |
//! | urgent update during a full read | `an_urgent_update_is_written_during_a_full_read` |
//! | urgent update of an alarm that is not known yet | `an_unknown_alarm_waits_for_the_read` |
//! | tags cannot be read | `denied_tags_do_not_delay_an_urgent_update` |
//! | conflict with a foreign alarm | `a_foreign_alarm_of_the_same_name_is_never_written` |
//! | drift during an incident | `drift_during_an_incident_keeps_the_cause` |
//! | deletion by hand during an incident | `an_alarm_deleted_during_an_incident_is_created_with_its_cause` |
//! | takeover from a stopped daemon | `a_daemon_takes_over_the_alarms_of_one_that_is_gone` |
//! | reload while an update is in progress | `a_reload_during_an_update_plans_after_it` |
//! | reload and an urgent update during the read | `a_reload_writes_the_new_definition_after_an_urgent_update` |
//! | removal of a target while its alarm is created | `a_target_removed_during_its_creation_is_disabled` |
//! | removal and return of a target | `a_target_that_returns_while_it_is_disabled_notifies_again` |
//! | denied write of another alarm | `a_denied_alarm_delays_no_other` |
//! | failure of the account | `a_failing_account_settles_tickets_and_is_tried_again` |
//! | shutdown | `a_removed_destination_is_done_once_its_alarms_are_disabled` |

use super::call::CallFailureKind;
use super::world::{REVIEW, SECOND, World, account_of, cause, foreign, view};
use super::*;
use crate::domain::shard::{assigned_shards, share};
use crate::model::settings::{DriftPolicy, Settings, ShardSettings};
use crate::model::target::Target;

use UpdateResult::{Failed, Suppressed, Written};

fn with_targets(settings: &mut Settings, names: &[&str]) {
    let url: url::Url = "https://orders.example/".parse().unwrap();
    let target = |name: &&str| Arc::new(Target::with_defaults(name, url.clone()));
    settings.targets = names.iter().map(target).collect();
}

#[test]
fn an_urgent_update_is_written_during_a_full_read() {
    let mut world = World::applied(view(|_| {}));
    world.held = vec!["ReadAll"];
    world.step(Event::Configured(view(|settings| {
        settings.cloudwatch.namespace = "Other".to_owned();
    })));
    world.fail("orders", "dns-failure", 1);
    world.run();
    assert_eq!(world.made, ["Write orders"]);
    assert_eq!(world.settled, [(1, Written)]);
    assert_eq!(world.named("orders"), "dns-failure");
    world.held.clear();
    world.run();
    assert_eq!(
        world.named("orders"),
        "dns-failure",
        "the read overwrote the cause"
    );
}

#[test]
fn an_unknown_alarm_waits_for_the_read() {
    let mut world = World::start(view(|_| {}));
    world.fail("orders", "dns-failure", 1);
    assert_eq!(world.settled, []);
    world.run();
    let calls = ["ReadAll", "Write orders", "Write (heartbeat)"];
    assert_eq!(world.made, calls, "the created alarm names the cause");
    assert_eq!(world.settled, [(1, Written)]);
}

#[test]
fn denied_tags_do_not_delay_an_urgent_update() {
    let mut world = World::applied(view(|_| {}));
    // Reads with tags fail from now on.
    world.failing = vec![("ReadAll", "", CallFailureKind::Denied)];
    world.step(Event::Configured(view(|settings| {
        with_targets(settings, &["orders", "payments"]);
    })));
    world.run();
    world.fail("orders", "dns-failure", 1);
    world.fail("payments", "dns-failure", 2);
    world.run();
    // `orders` is known as managed. `payments` may be a foreign alarm, so its ticket fails.
    assert_eq!(world.settled, [(2, Failed), (1, Written)]);
    world.failing.clear();
    world.pass(SECOND);
    assert_eq!(world.named("payments"), "dns-failure");
}

#[test]
fn a_foreign_alarm_of_the_same_name_is_never_written() {
    let mut world = World::start(view(|_| {}));
    world.account.extend([foreign("orders")]);
    let before = world.account.clone();
    world.fail("orders", "dns-failure", 1);
    world.pass(SECOND * 1200);
    world.step(Event::Configured(view(|settings| settings.targets.clear())));
    world.run();
    let name = "probecause local orders";
    assert_eq!(world.account[name], before[name]);
    let conflict = Notice::Conflict(name.to_owned());
    let reported = world.notices.iter().filter(|notice| **notice == conflict);
    assert_eq!(reported.count(), 1);
    assert_eq!(
        world.settled,
        [(1, Written)],
        "the ticket is settled although nothing is written"
    );
}

#[test]
fn drift_during_an_incident_keeps_the_cause() {
    for (policy, period) in [(DriftPolicy::Mend, 60), (DriftPolicy::Leave, 300)] {
        let mut world = World::applied(view(|settings| settings.cloudwatch.drift = policy));
        world.fail("orders", "dns-failure", 1);
        world.run();
        world.alarm("orders").definition.as_mut().unwrap().period = 300;
        world.pass(REVIEW);
        assert_eq!(world.named("orders"), "dns-failure");
        assert_eq!(world.alarm("orders").description, "down: dns-failure");
        world.fail("orders", "certificate-expired", 2);
        world.run();
        assert_eq!(world.named("orders"), "certificate-expired");
        let definition = world.alarm("orders").definition.clone().unwrap();
        assert_eq!(definition.period, period, "{policy:?}");
    }
}

#[test]
fn an_alarm_deleted_during_an_incident_is_created_with_its_cause() {
    let mut world = World::applied(view(|_| {}));
    world.account.remove("probecause local orders");
    world.fail("orders", "dns-failure", 1);
    world.run();
    let calls = ["Write orders", "ReadAll", "Write orders"];
    assert_eq!(
        world.made, calls,
        "the alarm is missing, the account is read, the alarm is created"
    );
    assert_eq!(
        world.settled,
        [(1, Failed)],
        "the ticket is settled although the alarm was missing"
    );
    assert_eq!(world.named("orders"), "dns-failure");
}

/// Returns the view of one of two daemons that both probe `orders`, and the index of the other
/// shard.
fn replica(first: bool) -> (Arc<DestinationView>, u32) {
    let shards = ShardSettings {
        total: 2,
        replicas_per_target: 2,
        ..ShardSettings::default()
    };
    let order = assigned_shards(&shards, &TargetName::new("orders"));
    let (own, other) = if first { (0, 1) } else { (1, 0) };
    let mut whole = crate::domain::alarm::plan::tests::settings(|_, _| {});
    whole.shards = shards;
    let view = DestinationView::of_all(&share(whole, order[own]));
    (Arc::new(view), order[other])
}

#[test]
fn a_daemon_takes_over_the_alarms_of_one_that_is_gone() {
    let (second, first) = replica(false);
    let mut world = World::start(Arc::clone(&second));
    world.account = account_of(&second);
    world.pass(SECOND);
    world.request("orders", cause("dns-failure"));
    world.run();
    assert_eq!(
        world.named("orders"),
        "none",
        "only the first daemon names the cause"
    );
    world.step(Event::BecameUrgent {
        target: TargetName::new("orders"),
        ticket: Ticket(1),
    });
    world.run();
    assert_eq!(
        world.named("orders"),
        "dns-failure",
        "an urgent update is written"
    );
    assert_eq!(world.settled, [(1, Written)]);

    let heartbeat = crate::domain::alarm::heartbeat_name("local", first);
    world.stopped.insert(heartbeat.clone());
    world.pass(SECOND * 180);
    assert!(world.notices.contains(&Notice::PeersChanged(vec![first])));
    world.request("orders", cause("certificate-expired"));
    world.run();
    assert_eq!(world.named("orders"), "certificate-expired");

    world.stopped.remove(&heartbeat);
    world.pass(SECOND * 120);
    assert!(world.notices.contains(&Notice::PeersChanged(Vec::new())));
    world.request("orders", cause("dns-failure"));
    world.run();
    assert_eq!(
        world.named("orders"),
        "certificate-expired",
        "the first daemon manages the alarm again"
    );
}

#[test]
fn a_reload_during_an_update_plans_after_it() {
    let mut world = World::applied(view(|_| {}));
    world.held = vec!["Write"];
    world.fail("orders", "dns-failure", 1);
    let other = |settings: &mut Settings| settings.cloudwatch.namespace = "Other".to_owned();
    world.step(Event::Configured(view(other)));
    assert_eq!(world.open.len(), 1, "no read begins before the write ends");
    world.held.clear();
    world.run();
    assert_eq!(world.settled, [(1, Written)]);
    assert_eq!(world.named("orders"), "dns-failure");
    let definition = world.alarm("orders").definition.clone().unwrap();
    assert_eq!(definition.metric.unwrap().namespace, "Other");
}

#[test]
fn a_reload_writes_the_new_definition_after_an_urgent_update() {
    for drift in [DriftPolicy::Mend, DriftPolicy::Leave] {
        let with = |settings: &mut Settings| settings.cloudwatch.drift = drift;
        let mut world = World::applied(view(with));
        world.held = vec!["ReadAll"];
        world.step(Event::Configured(view(|settings| {
            with(settings);
            settings.cloudwatch.namespace = "Other".to_owned();
        })));
        world.fail("orders", "dns-failure", 1);
        world.run();
        world.held.clear();
        world.run();
        world.pass(REVIEW);
        let definition = world.alarm("orders").definition.clone().unwrap();
        assert_eq!(definition.metric.unwrap().namespace, "Other", "{drift:?}");
        assert_eq!(world.named("orders"), "dns-failure", "{drift:?}");
        assert_eq!(world.drifted, 0, "{drift:?}");
    }
}

#[test]
fn a_target_removed_during_its_creation_is_disabled() {
    let mut world = World::start(view(|_| {}));
    world.held = vec!["Write"];
    world.run();
    // The heartbeat alarm is created first, then the target's alarm.
    world.held.clear();
    let call = world.open.remove(0);
    assert!(matches!(&call, Call::Write(write) if write.alarm.ends_with("(heartbeat)")));
    world.step(Event::Finished(Outcome::Written(Ok(None))));
    world.step(Event::Configured(view(|settings| settings.targets.clear())));
    assert_eq!(
        world.open.len(),
        1,
        "no alarm is read while an alarm is being created"
    );
    world.run();
    let alarm = world.alarm("orders").definition.clone().unwrap();
    assert!(!alarm.actions_enabled);
}

#[test]
fn an_urgent_update_is_written_before_the_heartbeat_is_created() {
    let mut world = World::start(view(|_| {}));
    world.fail("orders", "dns-failure", 1);
    world.run();
    let writes = world.made.iter().filter(|call| call.starts_with("Write"));
    let writes: Vec<_> = writes.map(String::as_str).collect();
    assert_eq!(writes, ["Write orders", "Write (heartbeat)"]);
}

#[test]
fn a_heartbeat_created_during_the_removal_of_its_destination_is_disabled() {
    let running = view(|_| {});
    let mut world = World::start(Arc::clone(&running));
    world.held = vec!["Write"];
    world.run();
    let call = &world.open[0];
    assert!(matches!(call, Call::Write(write) if write.alarm.ends_with("(heartbeat)")));
    world.step(Event::Configured(Arc::new(running.removed())));
    world.held.clear();
    world.run();
    let heartbeat = world.alarm("(heartbeat)").definition.clone().unwrap();
    assert!(!heartbeat.actions_enabled);
    assert_eq!(
        world.account.len(),
        1,
        "the alarm of `orders` is not created"
    );
    assert!(world.reconciler.is_done());
}

#[test]
fn a_target_that_returns_while_it_is_disabled_notifies_again() {
    for policy in [DriftPolicy::Mend, DriftPolicy::Leave] {
        let with = move |settings: &mut Settings| settings.cloudwatch.drift = policy;
        let mut world = World::applied(view(with));
        world.held = vec!["Disable"];
        world.step(Event::Configured(view(|settings| {
            with(settings);
            settings.targets.clear();
        })));
        world.step(Event::Configured(view(with)));
        world.held.clear();
        world.run();
        let alarm = world.alarm("orders").definition.clone().unwrap();
        assert!(alarm.actions_enabled, "{policy:?}");
        assert_eq!(world.drifted, 0, "the alarm was not changed by hand");
    }
}

#[test]
fn a_denied_alarm_delays_no_other() {
    let both = |settings: &mut Settings| with_targets(settings, &["bad", "good"]);
    let mut world = World::start(view(both));
    world.failing = vec![("Write", "bad", CallFailureKind::Denied)];
    world.run();
    world.fail("bad", "dns-failure", 1);
    world.fail("good", "dns-failure", 2);
    world.run();
    assert_eq!(world.settled, [(1, Failed), (2, Written)]);
    world.failing.clear();
    world.pass(SECOND * 31);
    assert_eq!(world.named("bad"), "dns-failure", "the write is retried");
}

#[test]
fn a_failing_account_settles_tickets_and_is_tried_again() {
    let mut world = World::applied(view(|_| {}));
    world.failing = vec![("Write", "", CallFailureKind::Transient)];
    world.fail("orders", "dns-failure", 1);
    world.run();
    assert_eq!(world.settled, [(1, Failed)]);
    world.fail("orders", "certificate-expired", 2);
    assert_eq!(
        world.settled.len(),
        2,
        "the ticket is settled before the next attempt"
    );
    world.pass(SECOND * 20);
    assert!(world.made.len() < 7, "{:?}", world.made);
    world.failing.clear();
    world.pass(SECOND * 60);
    assert_eq!(world.named("orders"), "certificate-expired");
}

#[test]
fn a_group_incident_is_named_by_the_heartbeat_alone() {
    let mut world = World::applied(view(|_| {}));
    world.step(Event::Group(cause("prober-local")));
    world.fail("orders", "dns-failure", 1);
    world.run();
    assert_eq!(world.settled, [(1, Suppressed)]);
    assert_eq!(world.named("(heartbeat)"), "prober-local");
    assert_eq!(world.named("orders"), "none");
    world.step(Event::Group(None));
    world.run();
    assert_eq!(world.named("orders"), "dns-failure");
    assert_eq!(world.named("(heartbeat)"), "none");
}

#[test]
fn a_removed_destination_is_done_once_its_alarms_are_disabled() {
    let running = view(|_| {});
    let mut world = World::applied(Arc::clone(&running));
    world.fail("orders", "dns-failure", 1);
    assert!(!world.reconciler.is_done());
    world.step(Event::Configured(Arc::new(running.removed())));
    world.run();
    assert!(world.reconciler.is_done());
    assert_eq!(world.reconciler.next_wakeup(world.now), None);
    for name in ["orders", "(heartbeat)"] {
        let alarm = world.alarm(name).definition.clone().unwrap();
        assert!(!alarm.actions_enabled, "{name}");
    }
    let calls = ["Write orders", "Disable (heartbeat), orders"];
    assert_eq!(world.made[..2], calls);
}
