//! Alarms that must not page any more: their targets are gone.
//!
//! Those known as ours are silenced at once. One that is not known may exist all the same:
//! the account was not read yet, or the answer to its writing never came. It is looked at
//! first, and left alone without our tag.
//!
//! They are silenced by the hundred, then each is marked as silenced by us: otherwise a
//! target that comes back would find its alarm changed by hand. Where that is denied or
//! refused everything else goes on, and it is tried again at times.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use crate::domain::alarm::plan::ActualAlarm;
use crate::io::sink::cloudwatch::account::{self, NAMES_PER_CALL};
use crate::io::sink::cloudwatch::client::{Api, CallError, FailureKind};
use crate::io::sink::cloudwatch::keeper::parked::is_of_one;
use crate::io::sink::cloudwatch::keeper::{Keeper, Kept};

/// An alarm by its name, and its ARN as far as it is known.
#[derive(Debug)]
pub(super) struct Silenced {
    pub(super) name: String,
    pub(super) arn: Option<String>,
}

/// What is to be silenced, and what to be marked as silenced.
#[derive(Debug)]
pub(super) struct Silence {
    loud: VecDeque<Silenced>,
    /// To be silenced if they exist and are ours.
    unknown: Vec<String>,
    disown: Vec<Silenced>,
    /// Names in the next call: one, after a call for many was refused.
    at_once: usize,
    not_before: Option<Instant>,
}

/// Until a call that was denied or refused is made again.
const AGAIN: Duration = Duration::from_secs(60);

impl Default for Silence {
    fn default() -> Self {
        Self {
            loud: VecDeque::new(),
            unknown: Vec::new(),
            disown: Vec::new(),
            at_once: NAMES_PER_CALL,
            not_before: None,
        }
    }
}

impl Silence {
    /// These must not page any more.
    pub(super) fn add(&mut self, alarms: Vec<Silenced>) {
        self.loud.extend(alarms);
        self.not_before = None;
    }

    /// These are wanted again.
    pub(super) fn spare(&mut self, wanted: &BTreeSet<String>) {
        self.loud.retain(|one| !wanted.contains(&one.name));
        self.unknown.retain(|name| !wanted.contains(name));
    }

    /// Whether nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        self.loud.is_empty() && self.unknown.is_empty() && self.disown.is_empty()
    }

    /// When something is to be tried again; `None`: nothing waits for its time.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let waits = !self.loud.is_empty() || !self.unknown.is_empty();
        self.not_before.filter(|at| waits && *at > now)
    }

    fn waits(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|at| at > now)
    }

    /// The names of the next call, if it may be made.
    fn names(&self, now: Instant) -> Vec<String> {
        if self.waits(now) {
            return Vec::new();
        }
        let some = self.loud.iter().take(self.at_once);
        some.map(|one| one.name.clone()).collect()
    }

    fn done(&mut self, count: usize) {
        self.disown.extend(self.loud.drain(..count));
        self.at_once = NAMES_PER_CALL;
        self.not_before = None;
    }

    /// A call was denied, or refused for one of its names.
    fn failed(&mut self, kind: FailureKind, count: usize, now: Instant) {
        if kind == FailureKind::Refused && count > 1 {
            self.at_once = 1;
            return;
        }
        // The culprit goes behind the others.
        if let Some(first) = self.loud.pop_front() {
            self.loud.push_back(first);
        }
        self.not_before = Some(now + AGAIN);
    }
}

impl Keeper {
    /// These alarms are not desired any more.
    pub(super) fn let_go(&mut self, gone: impl Iterator<Item = String>) {
        let managed = self.specs.by_subject.values();
        let managed: HashSet<_> = managed.map(|spec| spec.name.as_str()).collect();
        let mut ours = Vec::new();
        for name in gone {
            match self.account.get(&name) {
                Some(Kept::Ours { arn, .. }) => {
                    let arn = arn.clone();
                    ours.push(Silenced { name, arn });
                }
                None if managed.contains(name.as_str()) => self.silence.unknown.push(name),
                Some(Kept::Foreign | Kept::Deleted { .. }) | None => {}
            }
        }
        self.silence.add(ours);
    }

    /// Silences the next alarms, then marks one of them. True if there was something to do.
    pub(super) async fn keep_silent(&mut self, api: &Api, now: Instant) -> Result<bool, CallError> {
        if !self.silence.unknown.is_empty() && !self.silence.waits(now) {
            self.look_at_unknown(api, now).await?;
            return Ok(true);
        }
        let names = self.silence.names(now);
        if !names.is_empty() {
            match account::silence(api, &self.pace, &names).await {
                Ok(()) => {
                    self.link.well("DisableAlarmActions");
                    info!(alarms = ?names, "cloudwatch: actions disabled: no longer configured");
                    self.silence.done(names.len());
                }
                Err(failure) if is_of_one(&failure) => {
                    self.link.trouble(&failure);
                    self.silence.failed(failure.kind, names.len(), now);
                }
                Err(failure) => return Err(failure),
            }
            return Ok(true);
        }
        let Some(one) = self.silence.disown.last() else {
            return Ok(false);
        };
        match self.mark(api, one).await {
            // Deleted meanwhile, or no permission: the same again would not help.
            Err(failure) if is_of_one(&failure) => self.link.trouble(&failure),
            result => result?,
        }
        self.silence.disown.pop();
        Ok(true)
    }

    /// Looks which of the alarms that are not known exist and are ours.
    async fn look_at_unknown(&mut self, api: &Api, now: Instant) -> Result<(), CallError> {
        let unknown = &mut self.silence.unknown;
        let names = unknown.split_off(unknown.len().saturating_sub(NAMES_PER_CALL));
        let found = match account::named(api, &names).await {
            Ok(found) => found,
            Err(failure) => {
                unknown.extend(names);
                if !is_of_one(&failure) {
                    return Err(failure);
                }
                self.link.trouble(&failure);
                self.silence.not_before = Some(now + AGAIN);
                return Ok(());
            }
        };
        let ours = found.into_iter().filter(ActualAlarm::is_ours);
        let ours = ours.map(|alarm| Silenced {
            name: alarm.name,
            arn: Some(alarm.arn),
        });
        self.silence.add(ours.collect());
        Ok(())
    }

    /// Marks an alarm as silenced by us.
    async fn mark(&self, api: &Api, one: &Silenced) -> Result<(), CallError> {
        let arn = match &one.arn {
            Some(arn) => Some(arn.clone()),
            None => account::one(api, &one.name)
                .await?
                .and_then(|alarm| alarm.alarm_arn),
        };
        match arn {
            Some(arn) => account::disown_definition(api, &self.pace, &arn).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence(names: &[&str]) -> Silence {
        let mut silence = Silence::default();
        let alarm = |name: &&str| Silenced {
            name: (*name).to_owned(),
            arn: None,
        };
        silence.add(names.iter().map(alarm).collect());
        silence
    }

    #[tokio::test(start_paused = true)]
    async fn a_denied_call_is_made_again_later_and_holds_nothing_up() {
        let now = Instant::now();
        let mut silence = silence(&["a", "b"]);
        assert_eq!(silence.names(now), ["a", "b"]);
        silence.failed(FailureKind::Denied, 2, now);
        assert!(silence.names(now).is_empty());
        assert_eq!(silence.next(now), Some(now + AGAIN));
        assert!(!silence.is_done());
        assert_eq!(silence.names(now + AGAIN).len(), 2);
        silence.done(2);
        assert_eq!((silence.loud.len(), silence.disown.len()), (0, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_names_the_refused_one_is_found_and_waits_alone() {
        let now = Instant::now();
        let mut silence = silence(&["bad", "a", "b"]);
        silence.failed(FailureKind::Refused, 3, now);
        assert_eq!(silence.names(now), ["bad"]);
        silence.failed(FailureKind::Refused, 1, now);
        let later = now + AGAIN;
        assert_eq!(silence.names(later), ["a"]);
        silence.done(1);
        assert_eq!(silence.names(later), ["b", "bad"]);
    }
}
