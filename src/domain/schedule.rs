//! When each target is due: a pure calendar of slots.
//!
//! Time is a `Duration` since some fixed moment on the monotonic clock, given by the
//! caller, so that a jump of the wall clock or a suspended machine cannot bunch probes.
//! Each target has a grid of slots, `interval` apart, at an offset that hashes its name:
//! load spreads evenly and a target keeps its place over reloads. The calendar decides
//! what is due, missed or waiting; it starts nothing.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::report::MissedReason;
use crate::model::hash::{fnv1a, mix};
use crate::model::target::{Target, TargetName};

/// The calendar of all targets.
#[derive(Debug, Default)]
pub struct Schedule {
    entries: HashMap<TargetName, Entry>,
    /// What is due when; one element per entry.
    due: BTreeSet<(Duration, TargetName)>,
    /// Targets that missed a slot for want of a place, in the order in which they did.
    waiting: VecDeque<TargetName>,
}

/// What to do about a slot.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Start a probe for the slot that was due at this time.
    Start(Arc<Target>, Duration),
    /// No probe runs in the slot that was due at this time.
    Missed(Arc<Target>, Duration, MissedReason),
}

#[derive(Debug)]
struct Entry {
    target: Arc<Target>,
    /// When this target is next looked at.
    due: Duration,
    running: bool,
    /// The slot that a running probe made this target miss: probed when that one ends.
    overdue: Option<Duration>,
    waiting: bool,
}

/// A daemon with few targets shows something at once: their first probes come within
/// this time of the start (the promise is 5 s; the rest is for the probes themselves).
const FIRST_PROBES_WITHIN: Duration = Duration::from_secs(4);

/// Up to this many targets, first probes come soon; beyond it they keep to their slots,
/// since thousands of handshakes in a few seconds would distort each other's times.
const SOON_UP_TO: usize = 1000;

impl Schedule {
    /// Takes the targets of a configuration. A target that is configured as before keeps
    /// its place; a new or changed one is probed soon; one that is gone is forgotten, and
    /// what its running probe still reports is for the caller to drop.
    pub fn configure(&mut self, targets: &[Arc<Target>], now: Duration) {
        let mut old = std::mem::take(&mut self.entries);
        self.due.clear();
        let soon = targets.len() <= SOON_UP_TO;
        for target in targets {
            let entry = match old.remove(&target.name) {
                Some(kept) if kept.target.interval == target.interval => Entry {
                    target: Arc::clone(target),
                    ..kept
                },
                changed => Entry {
                    due: first_due(target, now, soon),
                    running: changed.is_some_and(|entry| entry.running),
                    target: Arc::clone(target),
                    overdue: None,
                    waiting: false,
                },
            };
            self.due.insert((entry.due, target.name.clone()));
            self.entries.insert(target.name.clone(), entry);
        }
        let entries = &self.entries;
        self.waiting
            .retain(|name| entries.get(name).is_some_and(|entry| entry.waiting));
    }

    /// When the calendar next wants to be asked; `None` without targets.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Everything to be done by now, with `places` free for probes. A started target
    /// counts as running until [`Schedule::finished`].
    pub fn due(&mut self, now: Duration, mut places: usize) -> Vec<Action> {
        let mut actions = Vec::new();
        // Who has waited longest goes first, or a crowd of newcomers would starve it.
        while places > 0 {
            let Some(name) = self.waiting.pop_front() else {
                break;
            };
            if let Some(entry) = self.entries.get_mut(&name) {
                entry.waiting = false;
                let slot = entry.overdue.take().unwrap_or(now);
                places -= 1;
                entry.running = true;
                actions.push(Action::Start(Arc::clone(&entry.target), slot));
            }
        }
        while let Some((due, _)) = self.due.first().filter(|(due, _)| *due <= now) {
            let due = *due;
            let Some((_, name)) = self.due.pop_first() else {
                break;
            };
            let Some(entry) = self.entries.get_mut(&name) else {
                continue;
            };
            let slots = entry.advance(due, now);
            self.due.insert((entry.due, name.clone()));
            let (last, passed) = slots;
            for slot in passed {
                let reason = MissedReason::HeldUp;
                actions.push(Action::Missed(Arc::clone(&entry.target), slot, reason));
            }
            if entry.running {
                entry.overdue = Some(last);
                let reason = MissedReason::StillRunning;
                actions.push(Action::Missed(Arc::clone(&entry.target), last, reason));
            } else if places == 0 {
                if !std::mem::replace(&mut entry.waiting, true) {
                    entry.overdue = Some(last);
                    self.waiting.push_back(name);
                }
                let reason = MissedReason::NoCapacity;
                actions.push(Action::Missed(Arc::clone(&entry.target), last, reason));
            } else if !entry.waiting {
                places -= 1;
                entry.running = true;
                actions.push(Action::Start(Arc::clone(&entry.target), last));
            }
        }
        actions
    }

    /// A probe ended. If it ran over a slot of its target, that one is due at once.
    pub fn finished(&mut self, name: &TargetName, now: Duration) {
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        entry.running = false;
        if entry.overdue.is_some() && !std::mem::replace(&mut entry.waiting, true) {
            // The slot is already counted as missed: it only waits for a place now.
            entry.overdue = Some(now);
            self.waiting.push_back(name.clone());
        }
    }

    /// Whether a target waits for a place, which [`Schedule::due`] would give it.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Looks at a target sooner than its next slot: the confirmation of a first failure.
    pub fn look_again(&mut self, name: &TargetName, at: Duration) {
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        if at < entry.due {
            self.due.remove(&(entry.due, name.clone()));
            entry.due = at;
            self.due.insert((at, name.clone()));
        }
    }
}

impl Entry {
    /// Moves to the first slot after `now`. Returns the slot to act on (the newest that
    /// is due) and those before it that have passed unseen.
    fn advance(&mut self, due: Duration, now: Duration) -> (Duration, Vec<Duration>) {
        let interval = self.target.interval;
        let mut passed = Vec::new();
        let mut last = due;
        let mut next = slot_after(&self.target, due);
        // A first or confirming probe lies off the grid; a slot right behind it would
        // only repeat it.
        if next - due < interval / 2 && !is_slot(&self.target, due) {
            next += interval;
        }
        while next <= now {
            passed.push(std::mem::replace(&mut last, next));
            next += interval;
        }
        self.due = next;
        (last, passed)
    }
}

/// Where in its interval a target's slots lie: a restart keeps the spread.
#[must_use]
pub fn offset(name: &TargetName, interval: Duration) -> Duration {
    let hash = mix(fnv1a(name.as_str()));
    let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(hash.checked_rem(nanos).unwrap_or(0))
}

fn first_due(target: &Target, now: Duration, soon: bool) -> Duration {
    if soon {
        now + offset(&target.name, target.interval.min(FIRST_PROBES_WITHIN))
    } else if is_slot(target, now) {
        now
    } else {
        slot_after(target, now)
    }
}

/// The first slot of a target's grid strictly after a moment.
fn slot_after(target: &Target, moment: Duration) -> Duration {
    let interval = target.interval;
    let offset = offset(&target.name, interval);
    let Some(beyond) = moment.checked_sub(offset) else {
        return offset;
    };
    let nanos = beyond.as_nanos() % interval.as_nanos().max(1);
    let into = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
    moment - into + interval
}

fn is_slot(target: &Target, moment: Duration) -> bool {
    slot_after(target, moment) == moment + target.interval
}

#[cfg(test)]
mod tests;
