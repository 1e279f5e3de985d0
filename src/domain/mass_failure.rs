//! Whether very many targets fail at once: one incident of the group then, told in one place.
//!
//! Writing hundreds of alarms takes minutes, in which each pages without a cause; one
//! statement takes a second. Whether it is the targets' fault or not, their incidents stay
//! their own: this only counts them. Pure: `now` is an argument. It refuses to invent a
//! cause: the group is said to have the one that most of its incidents name.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::domain::diagnosis::Verdict;
use crate::model::cause::CauseId;
use crate::model::target::TargetName;

/// The targets that fail together.
#[derive(Clone, Debug, Default)]
pub struct MassFailure {
    /// Incidents that opened within the last minute, oldest first.
    newest: VecDeque<(Timestamp, TargetName)>,
    /// While a group is open: since when, and whose incidents belong to it.
    group: Option<(Timestamp, HashSet<TargetName>)>,
}

/// What an incident or the time changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupTransition {
    /// From now on they are one group.
    Started,
    /// Those that are left, so many, are each one's own again.
    Ended(usize),
}

/// What a group's incidents name.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSummary {
    /// Incidents looked at.
    pub failing: usize,
    /// Since when they are a group.
    pub since: Timestamp,
    /// What most of them name, no surer than the least sure of these.
    pub leading: Arc<Verdict>,
    /// Each cause with how often it is named, the most frequent first.
    pub causes: Vec<(CauseId, usize)>,
}

/// Incidents that make a group: writing as many alarms takes `CloudWatch` half a minute and
/// more (three calls a second, two for each), and no person reads as many pages.
const MANY: usize = 100;

/// Within which time. One common cause shows on every target within an interval and its
/// confirming probe; targets that are probed less often join an open group.
const WITHIN: SignedDuration = SignedDuration::from_secs(60);

/// Fewer left than this are told one by one: half of what makes a group, so that it does
/// not come and go with a few, and so few alarms are written within a quarter of a minute.
const FEW: usize = MANY / 2;

/// After this long a group says nothing new, and its words must not stand in for those of
/// an unrelated target that fails meanwhile.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// Causes that a census names; the rest is counted.
const NAMED: usize = 3;

impl MassFailure {
    /// Goes on with a group of before a restart, given the incidents that are open still
    /// and when they opened.
    #[must_use]
    pub fn resumed<'a>(
        since: Timestamp,
        open: impl Iterator<Item = (&'a TargetName, Timestamp)>,
    ) -> Self {
        let members = open.filter(|(_, opened)| *opened >= since - WITHIN);
        Self {
            newest: VecDeque::new(),
            group: Some((since, members.map(|(name, _)| name.clone()).collect())),
        }
    }

    /// Whose incidents belong to the open group, in no order; empty without one.
    pub fn members(&self) -> impl Iterator<Item = &TargetName> {
        self.group.iter().flat_map(|(_, members)| members)
    }

    /// Since when a group is open.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        self.group.as_ref().map(|(since, _)| *since)
    }

    /// Takes a target's incident that opened.
    pub fn opened(&mut self, target: &TargetName, now: Timestamp) -> Option<GroupTransition> {
        if let Some((_, members)) = &mut self.group {
            members.insert(target.clone());
            return None;
        }
        self.newest.push_back((now, target.clone()));
        while let Some((at, _)) = self.newest.front()
            && *at < now - WITHIN
        {
            self.newest.pop_front();
        }
        let members: HashSet<TargetName> =
            self.newest.iter().map(|(_, name)| name.clone()).collect();
        (members.len() >= MANY).then(|| {
            self.newest.clear();
            self.group = Some((now, members));
            GroupTransition::Started
        })
    }

    /// Takes a target's incident that is over.
    pub fn resolved(&mut self, target: &TargetName) -> Option<GroupTransition> {
        self.newest.retain(|(_, name)| name != target);
        let (_, members) = self.group.as_mut()?;
        members.remove(target);
        let left = members.len();
        (left < FEW).then(|| self.end(left))
    }

    /// Lets time pass.
    pub fn passes(&mut self, now: Timestamp) -> Option<GroupTransition> {
        let (since, members) = self.group.as_ref()?;
        let left = members.len();
        let over = now.duration_since(*since) >= LONGEST || left < FEW;
        over.then(|| self.end(left))
    }

    fn end(&mut self, left: usize) -> GroupTransition {
        self.group = None;
        GroupTransition::Ended(left)
    }
}

impl GroupSummary {
    /// Counts what the incidents of a group name; `None`: there are none.
    pub fn of<'a>(
        since: Timestamp,
        verdicts: impl Iterator<Item = &'a Arc<Verdict>>,
    ) -> Option<Self> {
        let mut counted: HashMap<&CauseId, (usize, &Arc<Verdict>)> = HashMap::new();
        let mut failing = 0;
        for verdict in verdicts {
            failing += 1;
            let (count, least) = counted.entry(&verdict.cause).or_insert((0, verdict));
            *count += 1;
            if verdict.certainty < least.certainty {
                *least = verdict;
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
        write!(f, "{} targets fail since {since} (", self.failing)?;
        for (index, (cause, count)) in self.causes.iter().take(NAMED).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {cause}")?;
        }
        let others = self.causes.iter().skip(NAMED).map(|(_, count)| count);
        match others.sum::<usize>() {
            0 => f.write_str(")"),
            others => write!(f, ", {others} others)"),
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

    /// Opens incidents of so many targets, some milliseconds apart each, from then on.
    fn open(
        throng: &mut MassFailure,
        many: std::ops::Range<usize>,
        millis: i64,
    ) -> Vec<GroupTransition> {
        let opened = (0..).zip(many).filter_map(|(turn, index)| {
            let now = at(0) + SignedDuration::from_millis(turn * millis);
            throng.opened(&name(index), now)
        });
        opened.collect()
    }

    #[test]
    fn a_hundred_incidents_within_a_minute_are_a_group_and_99_are_none() {
        let mut throng = MassFailure::default();
        assert_eq!(open(&mut throng, 0..99, 600), []);
        assert_eq!(throng.since(), None);
        assert_eq!(open(&mut throng, 99..100, 600), [GroupTransition::Started]);
        assert_eq!(throng.members().count(), 100);
    }

    #[test]
    fn incidents_that_open_more_slowly_are_each_ones_own() {
        assert_eq!(open(&mut MassFailure::default(), 0..300, 700), []);
    }

    #[test]
    fn one_target_that_comes_and_goes_is_counted_once() {
        let mut throng = MassFailure::default();
        for _ in 0..150 {
            assert_eq!(throng.opened(&name(1), at(1)), None);
            assert_eq!(throng.resolved(&name(1)), None);
        }
        for _ in 0..150 {
            assert_eq!(throng.opened(&name(2), at(1)), None);
        }
    }

    #[test]
    fn a_group_ends_when_few_are_left_and_who_fails_meanwhile_joins() {
        let mut throng = MassFailure::default();
        assert_eq!(open(&mut throng, 0..130, 1), [GroupTransition::Started]);
        assert_eq!(throng.members().count(), 130);
        let ends: Vec<_> = (0..130)
            .map(|index| throng.resolved(&name(index)))
            .collect();
        let over = ends
            .iter()
            .position(|end| *end == Some(GroupTransition::Ended(49)));
        assert_eq!(over, Some(80));
        assert_eq!(ends.iter().flatten().count(), 1);
        assert_eq!(throng.members().count(), 0);
    }

    #[test]
    fn a_group_ends_after_an_hour_and_what_still_fails_makes_no_new_one() {
        let mut throng = MassFailure::default();
        open(&mut throng, 0..200, 1);
        let since = throng.since().unwrap();
        assert_eq!(throng.passes(since + SignedDuration::from_mins(59)), None);
        let later = since + SignedDuration::from_hours(1);
        assert_eq!(throng.passes(later), Some(GroupTransition::Ended(200)));
        assert_eq!(throng.opened(&name(500), later), None);
    }

    #[test]
    fn a_group_of_before_a_restart_goes_on_if_enough_still_fail() {
        let check = |left: usize, over| {
            let names: Vec<_> = (0..left).map(name).collect();
            let open = names.iter().map(|name| (name, at(950)));
            let older = TargetName::new("older");
            let open = open.chain([(&older, at(939))]);
            let mut throng = MassFailure::resumed(at(1000), open);
            assert_eq!(throng.passes(at(1010)), over, "{left} left");
        };
        check(50, None);
        check(49, Some(GroupTransition::Ended(49)));
    }

    fn verdict(cause: &str, certainty: Certainty) -> Arc<Verdict> {
        Arc::new(Verdict {
            cause: CauseId::new(cause).unwrap(),
            title: String::new(),
            owner: Owner::Platform,
            certainty,
            candidates: Vec::new(),
            next: Vec::new(),
        })
    }

    #[test]
    fn a_group_is_said_to_have_what_most_name_and_as_surely_as_the_least_sure() {
        use Certainty::{Likely, Possible, Proven};
        let mut named = vec![verdict("dns-failure", Proven); 12];
        named.extend(vec![verdict("lambda-throttled", Proven); 80]);
        named.push(verdict("lambda-throttled", Likely));
        named.extend(["too-slow", "tls-handshake", "lambda-timeout"].map(|c| verdict(c, Possible)));
        let census = GroupSummary::of(at(1_790_000_000), named.iter()).unwrap();
        assert_eq!(census.leading.certainty, Likely);
        assert_eq!(
            census.to_string(),
            "96 targets fail since 2026-09-21 14:13:20Z (81 lambda-throttled, 12 dns-failure, \
             1 lambda-timeout, 2 others)"
        );
        assert_eq!(GroupSummary::of(at(0), [].iter()), None);
    }
}
