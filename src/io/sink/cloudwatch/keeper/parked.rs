//! Alarms that CloudWatch does not let us write: put aside one by one and tried again at
//! times, so that one topic that is not allowed holds back no other alarm.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::io::sink::cloudwatch::client::{CallError, FailureKind};

/// The alarms that are put aside, by name.
#[derive(Debug, Default)]
pub(super) struct Parked {
    by_name: HashMap<String, Aside>,
    /// Alarms that were put aside since the last one that could be written.
    in_a_row: u32,
}

#[derive(Debug)]
struct Aside {
    until: Instant,
    failures: u32,
}

/// First wait; it doubles from there. Permissions that were just granted take effect
/// within a minute.
const FIRST: Duration = Duration::from_secs(30);

/// Longest wait.
const LAST: Duration = Duration::from_secs(600);

/// So many in a row are no matter of single alarms: nothing may be written at all.
const ALL: u32 = 10;

/// Whether a failure says something about the one alarm that was written.
pub(super) const fn is_of_one(failure: &CallError) -> bool {
    matches!(failure.kind, FailureKind::Denied | FailureKind::Refused)
}

impl Parked {
    /// Puts an alarm aside; false: so many are that the trouble is everybody's.
    pub(super) fn park(&mut self, name: &str, now: Instant) -> bool {
        let aside = self.by_name.entry(name.to_owned()).or_insert(Aside {
            until: now,
            failures: 0,
        });
        let wait = FIRST * 2_u32.pow(aside.failures.min(10));
        aside.until = now + wait.min(LAST);
        aside.failures = aside.failures.saturating_add(1);
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.in_a_row < ALL
    }

    /// An alarm was written.
    pub(super) fn free(&mut self, name: &str) {
        self.by_name.remove(name);
        self.in_a_row = 0;
    }

    /// Whether nothing is put aside.
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Whether an alarm is not to be tried yet.
    pub(super) fn holds(&self, name: &str, now: Instant) -> bool {
        self.by_name
            .get(name)
            .is_some_and(|aside| aside.until > now)
    }

    /// When the next one is to be tried again; of those whose time has come nobody waits.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let times = self.by_name.values().map(|aside| aside.until);
        times.filter(|until| *until > now).min()
    }

    /// Forgets all: another configuration may be allowed what this one was not.
    pub(super) fn clear(&mut self) {
        self.by_name.clear();
        self.in_a_row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_alarm_waits_longer_each_time_and_many_are_everybodys_trouble() {
        let now = Instant::now();
        let mut parked = Parked::default();
        assert!(parked.park("a", now));
        assert!(parked.holds("a", now + FIRST - Duration::from_secs(1)));
        assert!(!parked.holds("a", now + FIRST));
        assert!(!parked.holds("b", now));
        parked.park("a", now);
        assert!(parked.holds("a", now + FIRST));
        for _ in 0..5 {
            parked.park("a", now);
        }
        assert!(!parked.holds("a", now + LAST));
        assert_eq!(parked.next(now), Some(now + LAST));
        parked.free("a");
        assert_eq!(parked.next(now), None);
        let names: Vec<_> = (0..ALL).map(|number| number.to_string()).collect();
        let alone: Vec<_> = names.iter().map(|name| parked.park(name, now)).collect();
        assert_eq!(alone.iter().filter(|alone| !**alone).count(), 1);
    }
}
