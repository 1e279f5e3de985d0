//! Tracks the alarms whose writes failed.
//!
//! Each such alarm is skipped for a while and then written again, so that a problem with one alarm,
//! such as a missing permission, does not delay the writes of other alarms.

use std::collections::HashMap;
use std::time::Duration;

use crate::domain::retry::Backoff;

/// The alarms whose last write failed, by name.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    by_name: HashMap<String, Entry>,
    /// Number of failed writes of all alarms since the last successful write.
    in_a_row: u32,
}

#[derive(Debug)]
struct Entry {
    until: Duration,
    failures: u32,
}

/// Time in quarantine after an alarm's first failed write; each further failed write doubles the
/// time. This initial time is short, because a new permission takes effect within a minute.
const FIRST: Duration = Duration::from_secs(30);

/// Maximum time in quarantine after a failed write, so that an alarm is written at most ten minutes
/// after the reason for the failed writes is fixed.
const LONGEST: Duration = Duration::from_secs(600);

/// Number of consecutive failed writes after which all writes to the account are assumed to fail.
/// Problems with single alarms rarely cause ten failed writes in a row.
const ACCOUNT_FAILS: u32 = 10;

impl Quarantine {
    /// Adds an alarm whose write failed. Returns true if the failure is assumed to concern only
    /// this alarm, and false if so many writes failed in a row that all writes are likely to fail.
    pub(super) fn add(&mut self, name: &str, now: Duration) -> bool {
        let entry = self.by_name.entry(name.to_owned()).or_insert(Entry {
            until: now,
            failures: 0,
        });
        entry.until = now + Backoff::new(FIRST, LONGEST).delay(entry.failures);
        entry.failures = entry.failures.saturating_add(1);
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.in_a_row < ACCOUNT_FAILS
    }

    /// Removes an alarm that was written, and resets the count of consecutive failed writes.
    pub(super) fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
        self.in_a_row = 0;
    }

    /// Returns whether an alarm is in quarantine at `now`.
    pub(super) fn contains(&self, name: &str, now: Duration) -> bool {
        self.by_name
            .get(name)
            .is_some_and(|entry| entry.until > now)
    }

    /// Returns whether the last write of every alarm succeeded. A failed write counts even after
    /// the alarm has left quarantine.
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Returns the time at which the next alarm leaves quarantine; `None` if no alarm is in
    /// quarantine at `now`.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        let times = self.by_name.values().map(|entry| entry.until);
        times.filter(|until| *until > now).min()
    }

    /// Removes all alarms, because permissions may differ under a new configuration.
    pub(super) fn clear(&mut self) {
        self.by_name.clear();
        self.in_a_row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alarm_waits_longer_each_time_and_many_are_a_problem_of_the_account() {
        let now = Duration::from_secs(7);
        let mut quarantine = Quarantine::default();
        assert!(quarantine.add("a", now));
        assert!(quarantine.contains("a", now + FIRST - Duration::from_secs(1)));
        assert!(!quarantine.contains("a", now + FIRST));
        assert!(!quarantine.contains("b", now));
        quarantine.add("a", now);
        assert!(quarantine.contains("a", now + FIRST));
        for _ in 0..5 {
            quarantine.add("a", now);
        }
        assert!(!quarantine.contains("a", now + LONGEST));
        assert_eq!(quarantine.next(now), Some(now + LONGEST));
        quarantine.remove("a");
        assert_eq!(quarantine.next(now), None);
        let names: Vec<_> = (0..ACCOUNT_FAILS)
            .map(|number| number.to_string())
            .collect();
        let single: Vec<_> = names.iter().map(|name| quarantine.add(name, now)).collect();
        assert_eq!(single.iter().filter(|single| !**single).count(), 1);
    }
}
