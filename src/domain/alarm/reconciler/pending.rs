//! Stores the updates that have yet to be written to alarms.
//!
//! There is at most one update per alarm. A newer update replaces an older one, so that no queue
//! builds up while CloudWatch is slow. While a group incident is open, the updates of targets'
//! alarms are suppressed, because the heartbeat alarm names the cause of the group incident.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::reconciler::call::{Ticket, UpdateResult};
use crate::domain::alarm::spec::AlarmKey;
use crate::model::target::TargetName;

/// The pending updates by alarm, the conditions under which updates are suppressed, and the tickets
/// that were settled but not yet returned.
#[derive(Debug, Default)]
pub(super) struct PendingUpdates {
    updates: HashMap<AlarmKey, AlarmUpdate>,
    /// Whether a group incident is open, during which updates of targets' alarms are suppressed.
    group_open: bool,
    /// The targets whose alarms are updated only if an update is urgent, because another daemon
    /// manages these alarms.
    elsewhere: HashSet<TargetName>,
    /// The last sequence number. Each update gets a number when it is added, and a new number when
    /// it becomes urgent. Updates of the same urgency are written in the order of their numbers.
    last_order: u64,
    settled: Vec<(Ticket, UpdateResult)>,
}

/// An update of an alarm: a requested annotation that has yet to be written.
#[derive(Debug)]
pub(super) struct AlarmUpdate {
    /// The annotation to write; `None` if no failure is known.
    pub(super) annotation: Option<Annotation>,
    /// Whether the update is written before planned steps and other updates, because the alarm is
    /// about to fire or is the heartbeat alarm.
    pub(super) urgent: bool,
    /// The earliest time to write the update.
    pub(super) not_before: Duration,
    order: u64,
    waiting: Vec<Ticket>,
}

impl PendingUpdates {
    /// Adds an update of an alarm. The update replaces an older pending update of the same alarm,
    /// and the tickets of the older update are settled as failed.
    pub(super) fn add(
        &mut self,
        key: AlarmKey,
        annotation: Option<Annotation>,
        not_before: Duration,
    ) {
        let update = AlarmUpdate {
            annotation,
            urgent: key == AlarmKey::Heartbeat,
            not_before,
            order: self.order(),
            waiting: Vec::new(),
        };
        if let Some(mut replaced) = self.updates.insert(key, update) {
            self.settle(&mut replaced, UpdateResult::Failed);
        }
    }

    /// Handles a group incident that opened, changed or closed. `annotation` is the annotation for
    /// the heartbeat alarm; `None` if the incident closed. The update of the heartbeat alarm is
    /// written before all other updates. While the incident is open, updates of targets' alarms are
    /// kept, but suppressed.
    pub(super) fn group(&mut self, annotation: Option<Annotation>, now: Duration) {
        self.group_open = annotation.is_some();
        self.settle_suppressed();
        self.add(AlarmKey::Heartbeat, annotation, now);
    }

    /// Marks the pending update of a target's alarm as urgent and registers a ticket for the result
    /// of the update. Returns false if no update of the alarm is pending.
    pub(super) fn mark_urgent(&mut self, target: &TargetName, ticket: Ticket) -> bool {
        let order = self.order();
        let key = AlarmKey::Target(target.clone());
        let Some(update) = self.updates.get_mut(&key) else {
            return false;
        };
        if !update.urgent {
            update.urgent = true;
            update.order = order;
        }
        update.wait(ticket);
        self.settle_suppressed();
        true
    }

    /// Removes and returns the next update that has the given urgency, is due, is not suppressed,
    /// and is of an alarm for which `can_write` returns true; `None` if there is no such update.
    /// The update of the heartbeat alarm comes first.
    pub(super) fn take(
        &mut self,
        urgent: bool,
        now: Duration,
        can_write: impl Fn(&AlarmKey) -> bool,
    ) -> Option<(AlarmKey, AlarmUpdate)> {
        let ready = self.updates.iter().filter(|(key, update)| {
            update.urgent == urgent
                && update.not_before <= now
                && !self.is_suppressed(key, update)
                && can_write(key)
        });
        let first = ready.min_by_key(|(key, update)| (**key != AlarmKey::Heartbeat, update.order));
        let key = first?.0.clone();
        self.updates.remove_entry(&key)
    }

    /// Removes and returns the update of the alarm `key`; `None` if no update of this alarm is due.
    /// A suppressed update is returned too, because the caller writes the alarm for a planned step.
    pub(super) fn take_of(&mut self, key: &AlarmKey, now: Duration) -> Option<AlarmUpdate> {
        let is_due = self.updates.get(key)?.not_before <= now;
        is_due.then(|| self.updates.remove(key)).flatten()
    }

    /// Removes the pending update of an alarm, and settles the update's tickets as written. Called
    /// before a newer annotation is written to the alarm.
    pub(super) fn discard(&mut self, key: &AlarmKey) {
        if let Some(update) = self.updates.remove(key) {
            self.finish(update, UpdateResult::Written);
        }
    }

    /// Puts back an update that could not be written yet, unless a newer update is pending. The
    /// tickets of the update are settled as failed.
    pub(super) fn put_back(&mut self, key: AlarmKey, mut update: AlarmUpdate) {
        self.settle(&mut update, UpdateResult::Failed);
        self.updates.entry(key).or_insert(update);
    }

    /// Completes an update and settles its tickets with `result`.
    pub(super) fn finish(&mut self, mut update: AlarmUpdate, result: UpdateResult) {
        self.settle(&mut update, result);
    }

    /// Reports a failure to the tickets that wait for the update of an alarm that cannot be written
    /// at present. `cannot` returns true for such an alarm. The updates stay pending.
    pub(super) fn fail_where(&mut self, cannot: impl Fn(&AlarmKey) -> bool) {
        for (key, update) in &mut self.updates {
            if !update.waiting.is_empty() && cannot(key) {
                let waiting = update.waiting.drain(..);
                let failed = waiting.map(|ticket| (ticket, UpdateResult::Failed));
                self.settled.extend(failed);
            }
        }
    }

    /// Settles a ticket for an alarm of which no update is pending or in progress.
    pub(super) fn settle_now(&mut self, ticket: Ticket, result: UpdateResult) {
        self.settled.push((ticket, result));
    }

    /// Removes and returns the settled tickets with their results.
    pub(super) fn take_settled(&mut self) -> Vec<(Ticket, UpdateResult)> {
        std::mem::take(&mut self.settled)
    }

    /// Returns the earliest time after `now` at which an update that is not suppressed becomes due;
    /// `None` if there is no such update.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        let updates = self.updates.iter();
        updates
            .filter(|(key, update)| !self.is_suppressed(key, update))
            .map(|(_, update)| update.not_before)
            .filter(|at| *at > now)
            .min()
    }

    /// Replaces the set of targets whose alarms other daemons manage and whose updates are
    /// therefore suppressed unless they are urgent.
    pub(super) fn suppress_elsewhere(&mut self, targets: HashSet<TargetName>) {
        self.elsewhere = targets;
        self.settle_suppressed();
    }

    /// Starts or stops suppressing updates of a target whose alarms another daemon manages.
    pub(super) fn suppress(&mut self, target: &TargetName, suppress: bool) {
        if suppress {
            self.elsewhere.insert(target.clone());
            self.settle_suppressed();
        } else {
            self.elsewhere.remove(target);
        }
    }

    fn is_suppressed(&self, key: &AlarmKey, update: &AlarmUpdate) -> bool {
        key.target().is_some_and(|target| {
            self.group_open || (!update.urgent && self.elsewhere.contains(target))
        })
    }

    fn settle_suppressed(&mut self) {
        let mut updates = std::mem::take(&mut self.updates);
        for (key, update) in &mut updates {
            if !update.waiting.is_empty() && self.is_suppressed(key, update) {
                self.settle(update, UpdateResult::Suppressed);
            }
        }
        self.updates = updates;
    }

    fn settle(&mut self, update: &mut AlarmUpdate, result: UpdateResult) {
        let waiting = update.waiting.drain(..);
        self.settled.extend(waiting.map(|ticket| (ticket, result)));
    }

    fn order(&mut self) -> u64 {
        self.last_order += 1;
        self.last_order
    }
}

impl AlarmUpdate {
    /// Registers a ticket that receives the result of this update.
    pub(super) fn wait(&mut self, ticket: Ticket) {
        self.waiting.push(ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> TargetName {
        TargetName::new(text)
    }

    fn cause(cause: &str) -> Option<Annotation> {
        Some(Annotation {
            cause: cause.to_owned(),
            certainty: "likely".to_owned(),
            owner: "prober".to_owned(),
            description: String::new(),
        })
    }

    fn pending(targets: &[&str]) -> PendingUpdates {
        let mut updates = PendingUpdates::default();
        for target in targets {
            let key = AlarmKey::Target(name(target));
            updates.add(key, cause("dns-failure"), Duration::ZERO);
        }
        updates
    }

    /// Removes all updates and returns their alarms, in the order in which they would be written.
    fn taken(updates: &mut PendingUpdates) -> String {
        let mut keys = Vec::new();
        let any = |_: &AlarmKey| true;
        while let Some((key, _)) = updates
            .take(true, Duration::ZERO, any)
            .or_else(|| updates.take(false, Duration::ZERO, any))
        {
            keys.push(key.to_string());
        }
        keys.join(" ")
    }

    const ONE: Ticket = Ticket(1);

    #[test]
    fn the_heartbeat_is_first_and_urgent_updates_follow_in_order() {
        let mut updates = pending(&["a", "b", "c", "d"]);
        updates.mark_urgent(&name("c"), ONE);
        updates.mark_urgent(&name("b"), ONE);
        updates.group(None, Duration::ZERO);
        assert_eq!(taken(&mut updates), "heartbeat c b a d");
    }

    #[test]
    fn updates_of_targets_are_suppressed_while_a_group_is_open_and_written_afterwards() {
        let mut updates = pending(&["a"]);
        updates.mark_urgent(&name("a"), ONE);
        updates.group(cause("prober-local"), Duration::ZERO);
        updates.add(
            AlarmKey::Target(name("b")),
            cause("dns-failure"),
            Duration::ZERO,
        );
        updates.mark_urgent(&name("b"), Ticket(2));
        let suppressed = [ONE, Ticket(2)].map(|ticket| (ticket, UpdateResult::Suppressed));
        assert_eq!(updates.take_settled(), suppressed);
        assert_eq!(taken(&mut updates), "heartbeat");
        updates.group(None, Duration::ZERO);
        assert_eq!(taken(&mut updates), "heartbeat a b");
    }

    #[test]
    fn an_update_for_another_daemons_alarm_is_suppressed_until_that_daemon_is_gone() {
        let mut updates = pending(&["a", "b"]);
        updates.suppress_elsewhere([name("a")].into());
        assert_eq!(taken(&mut updates), "b");
        updates.suppress_elsewhere(HashSet::new());
        assert_eq!(taken(&mut updates), "a");
    }

    #[test]
    fn an_urgent_update_for_another_daemons_alarm_is_written() {
        let mut updates = pending(&["a"]);
        updates.suppress_elsewhere([name("a")].into());
        updates.mark_urgent(&name("a"), ONE);
        assert_eq!(
            updates.take_settled(),
            [],
            "the update has not been written yet"
        );
        assert_eq!(taken(&mut updates), "a");
    }

    #[test]
    fn an_alarm_that_cannot_be_written_settles_its_ticket_at_once() {
        let mut updates = pending(&["a", "b"]);
        updates.mark_urgent(&name("a"), ONE);
        updates.mark_urgent(&name("b"), Ticket(2));
        let is_a = |key: &AlarmKey| key.target() == Some(&name("a"));
        updates.fail_where(is_a);
        assert_eq!(updates.take_settled(), [(ONE, UpdateResult::Failed)]);
        let (key, _) = updates
            .take(true, Duration::ZERO, |key| !is_a(key))
            .unwrap();
        assert_eq!(key.target(), Some(&name("b")));
    }

    #[test]
    fn a_newer_update_replaces_a_suppressed_one() {
        let mut updates = pending(&["a"]);
        updates.group(cause("prober-local"), Duration::ZERO);
        updates.add(AlarmKey::Target(name("a")), None, Duration::ZERO);
        updates.group(None, Duration::ZERO);
        updates.discard(&AlarmKey::Heartbeat);
        let (_, update) = updates.take(false, Duration::ZERO, |_| true).unwrap();
        assert_eq!(update.annotation, None, "the failure is over");
    }
}
