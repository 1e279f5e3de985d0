//! Alarms that cannot be written.
//!
//! Each such alarm is skipped for a while and then tried again, so that one forbidden topic does
//! not delay other alarms.

use std::collections::HashMap;
use std::time::Duration;

use crate::domain::retry::Backoff;

/// The alarms that cannot be written, by name.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    by_name: HashMap<String, Entry>,
    /// Number of alarms that were added since one was last written.
    in_a_row: u32,
}

#[derive(Debug)]
struct Entry {
    until: Duration,
    failures: u32,
}

/// The first wait of an alarm; it doubles with each failure. Permissions that were just granted
/// take effect within a minute.
const FIRST: Duration = Duration::from_secs(30);

/// The longest wait of an alarm.
const LONGEST: Duration = Duration::from_secs(600);

/// Number of consecutive failures from which the account is considered the problem, not single
/// alarms.
const ALL: u32 = 10;

impl Quarantine {
    /// Adds an alarm. Returns false if so many alarms failed in a row that all writes are likely
    /// to fail.
    pub(super) fn add(&mut self, name: &str, now: Duration) -> bool {
        let entry = self.by_name.entry(name.to_owned()).or_insert(Entry {
            until: now,
            failures: 0,
        });
        entry.until = now + Backoff::new(FIRST, LONGEST).delay(entry.failures);
        entry.failures = entry.failures.saturating_add(1);
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.in_a_row < ALL
    }

    /// Removes an alarm that was written.
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

    /// Returns whether no alarm is in quarantine.
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Returns when the next alarm leaves quarantine after `now`; `None` if there is none.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        let times = self.by_name.values().map(|entry| entry.until);
        times.filter(|until| *until > now).min()
    }

    /// Removes all alarms, because a new configuration may have other permissions.
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
        let names: Vec<_> = (0..ALL).map(|number| number.to_string()).collect();
        let single: Vec<_> = names.iter().map(|name| quarantine.add(name, now)).collect();
        assert_eq!(single.iter().filter(|single| !**single).count(), 1);
    }
}
