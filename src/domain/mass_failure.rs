//! Detects groups: sets of very many targets that fail at the same time.
//!
//! Updating hundreds of alarms takes minutes, during which each alarm pages without naming a cause.
//! Updating one alarm for the group takes a second. The targets keep their own incidents; this
//! module only counts these incidents. The cause of a group is the most frequent cause of the
//! group's incidents. The functions are pure: the current time is an argument.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::domain::diagnosis::Verdict;
use crate::model::cause::CauseId;
use crate::model::target::TargetName;

/// The open group, if any, and the recent incidents that may form one.
#[derive(Clone, Debug, Default)]
pub struct MassFailure {
    /// The targets with an unresolved incident that opened within the last minute, with the
    /// opening time, oldest first. Empty while a group is open.
    newest: VecDeque<(Timestamp, TargetName)>,
    /// The time at which the open group formed, and the targets whose incidents belong to it;
    /// `None` if no group is open.
    group: Option<(Timestamp, HashSet<TargetName>)>,
}

/// A change of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupTransition {
    /// A group has formed, because enough incidents opened within a minute.
    Started,
    /// The group has dissolved; this many targets still fail individually.
    Ended(usize),
}

/// A summary of the causes of a group's incidents.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSummary {
    /// Number of open incidents in the group.
    pub failing: usize,
    /// The time at which the group formed.
    pub since: Timestamp,
    /// The verdict with the lowest certainty among the verdicts that have the most frequent cause.
    pub leading: Arc<Verdict>,
    /// Each cause with its number of incidents, the most frequent first.
    pub causes: Vec<(CauseId, usize)>,
}

/// Minimum number of targets whose incidents form a group. At three alarm writes a second
/// (CloudWatch's limit), updating 100 alarms takes more than half a minute, and 100 pages are too
/// many to read.
const MIN_OPENED: usize = 100;

/// The period within which [`MIN_OPENED`] incidents must open to form a group. The period equals
/// the default probe interval: a common cause affects all targets with this interval within about
/// one period. Targets with a longer interval join the open group.
const PERIOD: SignedDuration = SignedDuration::from_secs(60);

/// Minimum number of members of a group; a group with fewer members dissolves. The number is half
/// of [`MIN_OPENED`], so that a group does not flap. Fewer than 50 alarms need no group, because
/// updating them takes only about a quarter of a minute.
const MIN_MEMBERS: usize = MIN_OPENED / 2;

/// Maximum duration of a group. A group that lasts longer would hide unrelated targets that fail in
/// the meantime.
const MAX_DURATION: SignedDuration = SignedDuration::from_hours(1);

/// Maximum number of causes that the text of a summary names, so that the text fits on one line.
/// Incidents with other causes are only counted.
const MAX_NAMED: usize = 3;

impl MassFailure {
    /// Resumes a group that existed before a restart, from the open incidents and the times at
    /// which they opened. Incidents that opened more than a minute before the group formed do not
    /// belong to it.
    #[must_use]
    pub fn resumed<'a>(
        since: Timestamp,
        open: impl Iterator<Item = (&'a TargetName, Timestamp)>,
    ) -> Self {
        let members = open.filter(|(_, opened)| *opened >= since - PERIOD);
        Self {
            newest: VecDeque::new(),
            group: Some((since, members.map(|(name, _)| name.clone()).collect())),
        }
    }

    /// Returns the targets of the open group, in no particular order; empty if no group is open.
    pub fn members(&self) -> impl Iterator<Item = &TargetName> {
        self.group.iter().flat_map(|(_, members)| members)
    }

    /// Returns the time at which the open group formed; `None` if no group is open.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        self.group.as_ref().map(|(since, _)| *since)
    }

    /// Counts a newly opened incident of a target. Returns the change of the group, if any.
    pub fn opened(&mut self, target: &TargetName, now: Timestamp) -> Option<GroupTransition> {
        if let Some((_, members)) = &mut self.group {
            members.insert(target.clone());
            return None;
        }
        self.newest.push_back((now, target.clone()));
        while let Some((at, _)) = self.newest.front()
            && *at < now - PERIOD
        {
            self.newest.pop_front();
        }
        let members: HashSet<TargetName> =
            self.newest.iter().map(|(_, name)| name.clone()).collect();
        (members.len() >= MIN_OPENED).then(|| {
            self.newest.clear();
            self.group = Some((now, members));
            GroupTransition::Started
        })
    }

    /// Removes a target whose incident is resolved. Returns the change of the group, if any.
    pub fn resolved(&mut self, target: &TargetName) -> Option<GroupTransition> {
        self.newest.retain(|(_, name)| name != target);
        let (_, members) = self.group.as_mut()?;
        members.remove(target);
        let left = members.len();
        (left < MIN_MEMBERS).then(|| self.end(left))
    }

    /// Dissolves a group that has lasted too long or has too few members. Returns the change of the
    /// group, if any.
    pub fn expire(&mut self, now: Timestamp) -> Option<GroupTransition> {
        let (since, members) = self.group.as_ref()?;
        let left = members.len();
        let over = now.duration_since(*since) >= MAX_DURATION || left < MIN_MEMBERS;
        over.then(|| self.end(left))
    }

    fn end(&mut self, left: usize) -> GroupTransition {
        self.group = None;
        GroupTransition::Ended(left)
    }
}

impl GroupSummary {
    /// Summarizes the verdicts of a group's incidents; `None` without verdicts.
    pub fn of<'a>(
        since: Timestamp,
        verdicts: impl Iterator<Item = &'a Arc<Verdict>>,
    ) -> Option<Self> {
        let mut counted: HashMap<&CauseId, (usize, &Arc<Verdict>)> = HashMap::new();
        let mut failing = 0;
        for verdict in verdicts {
            failing += 1;
            let (count, weakest) = counted.entry(&verdict.cause).or_insert((0, verdict));
            *count += 1;
            if verdict.certainty < weakest.certainty {
                *weakest = verdict;
            }
        }
        let mut counted: Vec<_> = counted.into_values().collect();
        counted.sort_by_key(|(count, verdict)| (std::cmp::Reverse(*count), &verdict.cause));
        let (_, leading) = counted.first()?;
        Some(Self {
            failing,
            since,
            leading: Arc::clone(leading),
            causes: counted
                .iter()
                .map(|(count, verdict)| (verdict.cause.clone(), *count))
                .collect(),
        })
    }
}

impl fmt::Display for GroupSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.since.strftime("%Y-%m-%d %H:%M:%SZ");
        write!(f, "{} targets failing since {since} (", self.failing)?;
        for (index, (cause, count)) in self.causes.iter().take(MAX_NAMED).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {cause}")?;
        }
        let others = self.causes.iter().skip(MAX_NAMED).map(|(_, count)| count);
        match others.sum::<usize>() {
            0 => f.write_str(")"),
            others => write!(f, ", {others} with other causes)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cause::{Certainty, Owner};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn name(index: usize) -> TargetName {
        TargetName::new(&format!("t{index}"))
    }

    /// Opens the incidents of these targets, `millis` milliseconds apart. Returns the group's
    /// changes.
    fn open(
        group: &mut MassFailure,
        targets: std::ops::Range<usize>,
        millis: i64,
    ) -> Vec<GroupTransition> {
        let opened = (0..).zip(targets).filter_map(|(turn, index)| {
            let now = at(0) + SignedDuration::from_millis(turn * millis);
            group.opened(&name(index), now)
        });
        opened.collect()
    }

    #[test]
    fn a_hundred_incidents_within_a_minute_form_a_group_and_99_do_not() {
        let mut group = MassFailure::default();
        assert_eq!(open(&mut group, 0..99, 600), []);
        assert_eq!(group.since(), None);
        assert_eq!(open(&mut group, 99..100, 600), [GroupTransition::Started]);
        assert_eq!(group.members().count(), 100);
    }

    #[test]
    fn incidents_that_open_more_slowly_form_no_group() {
        assert_eq!(open(&mut MassFailure::default(), 0..300, 700), []);
    }

    #[test]
    fn a_flapping_target_is_counted_once() {
        let mut group = MassFailure::default();
        for _ in 0..150 {
            assert_eq!(group.opened(&name(1), at(1)), None);
            assert_eq!(group.resolved(&name(1)), None);
        }
        for _ in 0..150 {
            assert_eq!(group.opened(&name(2), at(1)), None);
        }
    }

    #[test]
    fn later_failures_join_a_group_and_it_dissolves_below_fifty_members() {
        let mut group = MassFailure::default();
        assert_eq!(open(&mut group, 0..130, 1), [GroupTransition::Started]);
        assert_eq!(group.members().count(), 130);
        let ends: Vec<_> = (0..130).map(|index| group.resolved(&name(index))).collect();
        let over = ends
            .iter()
            .position(|end| *end == Some(GroupTransition::Ended(49)));
        assert_eq!(over, Some(80));
        assert_eq!(ends.iter().flatten().count(), 1);
        assert_eq!(group.members().count(), 0);
    }

    #[test]
    fn a_group_dissolves_after_an_hour_and_is_not_formed_again_by_its_members() {
        let mut group = MassFailure::default();
        open(&mut group, 0..200, 1);
        let since = group.since().unwrap();
        assert_eq!(group.expire(since + SignedDuration::from_mins(59)), None);
        let later = since + SignedDuration::from_hours(1);
        assert_eq!(group.expire(later), Some(GroupTransition::Ended(200)));
        assert_eq!(group.opened(&name(500), later), None);
    }

    #[test]
    fn a_group_is_resumed_after_a_restart_if_enough_targets_still_fail() {
        let check = |left: usize, over| {
            let names: Vec<_> = (0..left).map(name).collect();
            let open = names.iter().map(|name| (name, at(950)));
            let older = TargetName::new("older");
            let open = open.chain([(&older, at(939))]);
            let mut group = MassFailure::resumed(at(1000), open);
            assert_eq!(group.expire(at(1010)), over, "{left} left");
        };
        check(50, None);
        check(49, Some(GroupTransition::Ended(49)));
    }

    fn verdict(cause: &str, certainty: Certainty) -> Arc<Verdict> {
        Arc::new(Verdict {
            cause: CauseId::new(cause).unwrap(),
            title: String::new(),
            owner: Owner::Platform,
            hop: None,
            certainty,
            candidates: Vec::new(),
            next: Vec::new(),
        })
    }

    #[test]
    fn a_summary_has_the_most_frequent_cause_with_its_lowest_certainty() {
        use Certainty::{Likely, Possible, Proven};
        let mut named = vec![verdict("dns-failure", Proven); 12];
        named.extend(vec![verdict("lambda-throttled", Proven); 80]);
        named.push(verdict("lambda-throttled", Likely));
        named.extend(["too-slow", "tls-handshake", "lambda-timeout"].map(|c| verdict(c, Possible)));
        let summary = GroupSummary::of(at(1_790_000_000), named.iter()).unwrap();
        assert_eq!(summary.leading.certainty, Likely);
        assert_eq!(
            summary.to_string(),
            "96 targets failing since 2026-09-21 14:13:20Z (81 lambda-throttled, 12 dns-failure, \
             1 lambda-timeout, 2 with other causes)"
        );
        assert_eq!(GroupSummary::of(at(0), [].iter()), None);
    }
}
