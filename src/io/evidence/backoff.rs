//! What AWS refuses, told once, and when to try again.
//!
//! A daemon without permission must neither fill its log nor keep asking; one that is
//! throttled must leave room for others. Told anew only after it worked in between.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use tracing::{info, warn};

use crate::io::aws::{CallError, FailureKind};
use crate::io::evidence::clients::Operation;
use crate::io::evidence::place::Place;

/// What was asked of whom: a log group, or nothing more than the operation.
pub(super) type Subject = (Place, Operation, Option<String>);

/// The present troubles.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    now: HashMap<Subject, Trouble>,
    told: HashSet<(Subject, FailureKind)>,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// What kind.
    pub(super) kind: FailureKind,
    /// Not again before.
    pub(super) until: Timestamp,
    times: u32,
}

/// The first pause after throttling or a fault: a second or two is what it usually takes.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// The longest: evidence that is later helps nobody with this incident.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Permissions are given by people: a minute at first, in case that credentials were
/// only briefly not to be had, then rarely.
const FIRST_DENIED: Duration = Duration::from_secs(60);

/// How rarely a lasting refusal is tried.
const LONGEST_DENIED: Duration = Duration::from_secs(1800);

impl Troubles {
    /// What stands in the way of asking now.
    pub(super) fn in_the_way(&self, subject: &Subject, now: Timestamp) -> Option<Trouble> {
        let trouble = self.now.get(subject).copied();
        trouble.filter(|trouble| now < trouble.until)
    }

    /// Notes a failure, tells it if it is new, and gives when to try again. `jitter` is
    /// between 0 and 1: daemons that were throttled together must not come back together.
    pub(super) fn failed(
        &mut self,
        subject: &Subject,
        failure: &CallError,
        now: Timestamp,
        jitter: f64,
    ) -> Timestamp {
        let kind = failure.kind;
        let times = match self.now.get(subject) {
            Some(known) if known.kind == kind => known.times.saturating_add(1),
            _ => 1,
        };
        let (first, longest) = match kind {
            FailureKind::Denied | FailureKind::Refused => (FIRST_DENIED, LONGEST_DENIED),
            FailureKind::Throttled | FailureKind::Failed | FailureKind::Lost => {
                (FIRST_PAUSE, LONGEST_PAUSE)
            }
        };
        let doubled = first.saturating_mul(1 << times.saturating_sub(1).min(16));
        let until = now
            + doubled
                .min(longest)
                .mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        self.now
            .insert(subject.clone(), Trouble { kind, until, times });
        self.tell(subject, failure);
        until
    }

    /// An operation works.
    pub(super) fn well(&mut self, subject: &Subject) {
        if self.now.remove(subject).is_none() {
            return;
        }
        self.told.retain(|((place, operation, group), kind)| {
            let same = *place == subject.0 && *operation == subject.1;
            let here = *group == subject.2 || *kind == FailureKind::Denied;
            !(same && here)
        });
        info!(
            operation = subject.1.name(),
            "evidence: {} works again in {}",
            subject.1.name(),
            subject.0.name()
        );
    }

    fn tell(&mut self, subject: &Subject, failure: &CallError) {
        let (place, operation, group) = subject.clone();
        // A missing permission is missing for every group alike; a missing group is not.
        let group = group.filter(|_| failure.kind != FailureKind::Denied);
        let suffix = group.as_ref().map(|group| format!(" (log group {group})"));
        let name = place.name();
        if self.told.insert(((place, operation, group), failure.kind)) {
            warn!(
                operation = operation.name(),
                outcome = failure.kind.as_str(),
                "evidence: {}{} in {name}: {}; what is seen from outside stands",
                operation.name(),
                suffix.unwrap_or_default(),
                failure.text
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn subject(group: Option<&str>) -> Subject {
        let operation = Operation::FilterLogEvents;
        (Place::default(), operation, group.map(str::to_owned))
    }

    fn failure(kind: FailureKind) -> CallError {
        CallError {
            operation: "FilterLogEvents",
            kind,
            text: "no".to_owned(),
        }
    }

    /// The pauses in seconds after one failure upon another, each tried when its pause ends.
    #[track_caller]
    fn check(kind: FailureKind, expected: &[i64]) {
        let (mut troubles, mut now, mut pauses) = (Troubles::default(), at(0), Vec::new());
        for _ in expected {
            let until = troubles.failed(&subject(None), &failure(kind), now, 1.0);
            assert!(troubles.in_the_way(&subject(None), now).is_some());
            assert!(troubles.in_the_way(&subject(None), until).is_none());
            pauses.push(until.as_second() - now.as_second());
            now = until;
        }
        assert_eq!(pauses, expected);
    }

    #[test]
    fn throttling_is_answered_with_pauses_that_grow() {
        check(FailureKind::Throttled, &[5, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn a_lasting_refusal_is_tried_every_half_hour() {
        check(FailureKind::Denied, &[60, 120, 240, 480, 960, 1800, 1800]);
    }

    #[test]
    fn half_of_a_pause_is_chance() {
        let until =
            Troubles::default().failed(&subject(None), &failure(FailureKind::Denied), at(0), 0.0);
        assert_eq!(until, at(30));
    }

    #[test]
    fn a_group_that_is_missing_does_not_stand_in_the_way_of_another() {
        let mut troubles = Troubles::default();
        let missing = subject(Some("a"));
        troubles.failed(&missing, &failure(FailureKind::Refused), at(0), 1.0);
        assert!(troubles.in_the_way(&missing, at(1)).is_some());
        assert!(troubles.in_the_way(&subject(Some("b")), at(1)).is_none());
        troubles.well(&missing);
        assert!(troubles.in_the_way(&missing, at(1)).is_none());
    }

    #[test]
    fn a_missing_permission_is_told_once_for_all_groups_and_anew_after_it_worked() {
        let mut troubles = Troubles::default();
        for group in ["a", "b"] {
            troubles.failed(
                &subject(Some(group)),
                &failure(FailureKind::Denied),
                at(0),
                1.0,
            );
        }
        assert_eq!(troubles.told.len(), 1);
        troubles.well(&subject(Some("a")));
        assert_eq!(troubles.told.len(), 0);
    }
}
