//! Decides when each target is probed. `engine::scheduler` starts the probes.
//!
//! A time is a `Duration` since a fixed point on the monotonic clock; the caller passes the current
//! time. A jump of the wall clock or a suspended machine therefore does not cause a burst of
//! probes. The slots of a target are one interval apart, at an offset derived from a hash of the
//! target's name. The hash spreads the load evenly, and a target keeps its slots over reloads.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::report::MissedReason;
use crate::model::hash::{fnv1a, mix};
use crate::model::target::{Target, TargetName};

/// The probe schedule of all targets.
#[derive(Debug, Default)]
pub struct Schedule {
    entries: HashMap<TargetName, Entry>,
    /// The due time of each target's next slot, with the target's name.
    due: BTreeSet<(Duration, TargetName)>,
    /// The targets that missed a slot and wait for capacity, longest wait first.
    waiting: VecDeque<TargetName>,
}

/// An action for a slot of a target.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Start a probe of the target for the slot that was due at the given time.
    Start(Arc<Target>, Duration),
    /// Record the slot that was due at the given time as missed: no probe started in it, for the
    /// given reason.
    Missed(Arc<Target>, Duration, MissedReason),
}

/// The scheduling state of one target.
#[derive(Debug)]
struct Entry {
    target: Arc<Target>,
    /// The due time of the next slot.
    due: Duration,
    /// Whether a probe of the target is running.
    running: bool,
    /// The due time of the late probe after a missed slot; `None` if no late probe is needed. The
    /// late probe starts as soon as the target's running probe has ended and capacity is free.
    overdue: Option<Duration>,
    /// Whether the target is in [`Schedule::waiting`].
    waiting: bool,
}

/// Maximum time from the start or a reload until the first probes of up to [`MAX_TARGETS_AT_ONCE`]
/// targets have started. A first probe that takes at most 1 s therefore ends within 5 s.
const FIRST_PROBES_WITHIN: Duration = Duration::from_secs(4);

/// Maximum time from a reload until the first probe of a target's new URL has started.
const MOVED_PROBES_WITHIN: Duration = Duration::from_secs(1);

/// Maximum number of targets whose first probes start within [`FIRST_PROBES_WITHIN`], and of
/// targets whose new URL is probed within [`MOVED_PROBES_WITHIN`]. With more targets, the first
/// probe starts in the target's slot, because thousands of handshakes within seconds would distort
/// each other's measured durations.
const MAX_TARGETS_AT_ONCE: usize = 1000;

impl Schedule {
    /// Applies a configuration. A target with the same interval and URL keeps its slots. A target
    /// with a new URL is probed within one second, unless more than 1000 targets have a new URL. A
    /// new target, or a target with a new interval, is probed within four seconds, unless there are
    /// more than 1000 targets. Above these limits, the target is probed in its next slot. A removed
    /// target is dropped.
    ///
    /// The caller must discard the results of probes that are still running for removed targets and
    /// old URLs.
    pub fn configure(&mut self, targets: &[Arc<Target>], now: Duration) {
        let mut old = std::mem::take(&mut self.entries);
        self.due.clear();
        let within = |limit| (targets.len() <= MAX_TARGETS_AT_ONCE).then_some(limit);
        let moved = |target: &&Arc<Target>| {
            let known = old.get(&target.name);
            known.is_some_and(|entry| entry.target.url != target.url)
        };
        let few_moved = targets.iter().filter(moved).count() <= MAX_TARGETS_AT_ONCE;
        for target in targets {
            let entry = match old.remove(&target.name) {
                Some(moved) if moved.target.url != target.url && few_moved => Entry {
                    due: first_due(target, now, Some(MOVED_PROBES_WITHIN)),
                    running: moved.running,
                    target: Arc::clone(target),
                    overdue: None,
                    waiting: false,
                },
                Some(kept) if kept.target.interval == target.interval => Entry {
                    target: Arc::clone(target),
                    ..kept
                },
                changed => Entry {
                    due: first_due(target, now, within(FIRST_PROBES_WITHIN)),
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

    /// Returns the time at which [`Schedule::due`] must be called next; `None` without targets.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Returns the actions due at `now`, at most `capacity` of which start a probe. A target counts
    /// as running from the start of its probe until [`Schedule::finished`] is called for it.
    pub fn due(&mut self, now: Duration, mut capacity: usize) -> Vec<Action> {
        let mut actions = Vec::new();
        // Waiting targets come first, so that targets that become due do not starve them.
        while capacity > 0 {
            let Some(name) = self.waiting.pop_front() else {
                break;
            };
            if let Some(entry) = self.entries.get_mut(&name) {
                entry.waiting = false;
                let slot = entry.overdue.take().unwrap_or(now);
                capacity -= 1;
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
            let (last, passed) = entry.advance(due, now);
            self.due.insert((entry.due, name.clone()));
            for slot in passed {
                let reason = MissedReason::HeldUp;
                actions.push(Action::Missed(Arc::clone(&entry.target), slot, reason));
            }
            if entry.running {
                entry.overdue = Some(last);
                let reason = MissedReason::StillRunning;
                actions.push(Action::Missed(Arc::clone(&entry.target), last, reason));
            } else if capacity == 0 {
                if !std::mem::replace(&mut entry.waiting, true) {
                    entry.overdue = Some(last);
                    self.waiting.push_back(name);
                }
                let reason = MissedReason::NoCapacity;
                actions.push(Action::Missed(Arc::clone(&entry.target), last, reason));
            } else if !entry.waiting {
                capacity -= 1;
                entry.running = true;
                actions.push(Action::Start(Arc::clone(&entry.target), last));
            }
        }
        actions
    }

    /// Records that the probe of a target ended. If a slot of the target passed during the probe,
    /// the next probe is due at once.
    pub fn finished(&mut self, name: &TargetName, now: Duration) {
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        entry.running = false;
        if entry.overdue.is_some() && !std::mem::replace(&mut entry.waiting, true) {
            // The passed slot is already counted as missed, so the late probe is due now and only
            // waits for capacity.
            entry.overdue = Some(now);
            self.waiting.push_back(name.clone());
        }
    }

    /// Returns whether a target waits for capacity. If so, [`Schedule::due`] starts a probe as soon
    /// as it is called with capacity.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Brings the target's next probe forward to `at`, to confirm a first failed or degraded
    /// result. Does nothing if the next probe is due earlier.
    pub fn confirm(&mut self, name: &TargetName, at: Duration) {
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
    /// Advances to the first slot after `now`. Returns the newest slot that is due, and the
    /// older slots that have passed without a probe.
    fn advance(&mut self, due: Duration, now: Duration) -> (Duration, Vec<Duration>) {
        let interval = self.target.interval;
        let mut passed = Vec::new();
        let mut last = due;
        let mut next = slot_after(&self.target, due);
        // A first or confirming probe is not in a regular slot. A regular slot shortly after such a
        // probe is skipped, because its probe would only repeat the previous one.
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

/// Returns the offset of a target's slots within its interval. The offset is the same after a
/// restart.
#[must_use]
pub fn offset(name: &TargetName, interval: Duration) -> Duration {
    let hash = mix(fnv1a(name.as_str()));
    let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(hash.checked_rem(nanos).unwrap_or(0))
}

/// Returns the time of a target's first probe: less than `within` after `now`, or the target's next
/// slot if `within` is `None`.
fn first_due(target: &Target, now: Duration, within: Option<Duration>) -> Duration {
    if let Some(limit) = within {
        now + offset(&target.name, target.interval.min(limit))
    } else if is_slot(target, now) {
        now
    } else {
        slot_after(target, now)
    }
}

/// Returns the first slot of a target strictly after `time`.
fn slot_after(target: &Target, time: Duration) -> Duration {
    let interval = target.interval;
    let offset = offset(&target.name, interval);
    let Some(beyond) = time.checked_sub(offset) else {
        return offset;
    };
    let nanos = beyond.as_nanos() % interval.as_nanos().max(1);
    let into = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
    time - into + interval
}

fn is_slot(target: &Target, time: Duration) -> bool {
    slot_after(target, time) == time + target.interval
}

#[cfg(test)]
mod tests;
