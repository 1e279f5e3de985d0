//! Disables the actions of alarms whose targets, causes or shards were removed.
//!
//! The actions of alarms known as managed are disabled without a prior read, up to 100 alarms per
//! call. Other alarms may not exist or may not be managed, for example if the account has not been
//! read yet. Such alarms are read first, and those without the managed tag stay unchanged. Each
//! disabled alarm gets a tag that marks it as disabled by Probecause. Without the mark, an alarm
//! whose target is configured again would look as if it had been changed by hand.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::domain::alarm::annotation::DEFINITION_TAG;
use crate::domain::alarm::reconciler::call::{
    CallFailure, CallFailureKind, NAMES_PER_CALL, ReadData, ReadId, Write, WriteOperation,
};

/// The value of the fingerprint tag of an alarm whose actions Probecause disabled. The next plan
/// writes such an alarm regardless of the drift policy.
pub(super) const DISABLED: &str = "silenced";

/// The name of an alarm, and its ARN if it is known.
#[derive(Debug)]
pub(super) struct AlarmRef {
    pub(super) name: String,
    pub(super) arn: Option<String>,
}

/// The alarms whose actions are to be disabled, and the disabled alarms that are to be marked.
#[derive(Debug)]
pub(super) struct DisableActions {
    /// Managed alarms whose actions are still to be disabled.
    enabled: VecDeque<AlarmRef>,
    /// The names of alarms that have not been read yet. Such an alarm may not exist or may not be
    /// managed by Probecause.
    unknown: Vec<String>,
    /// The read in progress of alarms in `unknown`: the id of the read, and the names of the
    /// alarms.
    lookup: Option<(ReadId, Vec<String>)>,
    /// Alarms whose actions were disabled, but that do not yet have the tag that marks them as
    /// disabled by Probecause.
    unmarked: Vec<AlarmRef>,
    /// Maximum number of names in the next call. The maximum is 1 after CloudWatch rejected a call
    /// with several names, to find the rejected name.
    batch: usize,
    /// The earliest time of the next call; in the future after a denied or rejected call.
    not_before: Duration,
}

/// The delay after a denied or rejected call: a minute, within which newly granted permissions take
/// effect.
const RETRY: Duration = Duration::from_secs(60);

impl Default for DisableActions {
    fn default() -> Self {
        Self {
            enabled: VecDeque::new(),
            unknown: Vec::new(),
            lookup: None,
            unmarked: Vec::new(),
            batch: NAMES_PER_CALL,
            not_before: Duration::ZERO,
        }
    }
}

impl DisableActions {
    /// Adds managed alarms whose actions are to be disabled.
    pub(super) fn add(&mut self, alarms: impl IntoIterator<Item = AlarmRef>) {
        let before = self.enabled.len();
        self.enabled.extend(alarms);
        if self.enabled.len() > before {
            self.not_before = Duration::ZERO;
        }
    }

    /// Adds the name of an alarm that may not exist or may not be managed by Probecause.
    pub(super) fn add_unknown(&mut self, name: String) {
        self.unknown.push(name);
    }

    /// Records that an alarm was written. If the alarm is in `unknown`, its target was removed
    /// during the write. The alarm now exists, so its actions are to be disabled.
    pub(super) fn record_write(&mut self, name: &str, arn: Option<&String>) {
        let unknown = self.unknown.iter().position(|unknown| unknown == name);
        if let Some(index) = unknown {
            let name = self.unknown.swap_remove(index);
            let arn = arn.cloned();
            self.add([AlarmRef { name, arn }]);
        }
    }

    /// Removes the alarms in `desired`, because their actions must stay enabled.
    pub(super) fn retain_undesired(&mut self, desired: &BTreeSet<String>) {
        self.enabled.retain(|alarm| !desired.contains(&alarm.name));
        self.unknown.retain(|name| !desired.contains(name));
        if let Some((_, names)) = &mut self.lookup {
            names.retain(|name| !desired.contains(name));
        }
    }

    /// Returns whether no work is left: no alarm is to be read, to be disabled, or to be marked as
    /// disabled by a tag.
    pub(super) fn is_done(&self) -> bool {
        self.enabled.is_empty()
            && self.unknown.is_empty()
            && self.lookup.is_none()
            && self.unmarked.is_empty()
    }

    /// Returns true if alarms are being read, if a disabled alarm is still to be marked by a tag,
    /// or if an alarm can be read or disabled at `now`. A full read of the account must wait until
    /// this method returns false.
    pub(super) fn is_busy(&self, now: Duration) -> bool {
        let waits = now < self.not_before;
        !self.unmarked.is_empty() || self.lookup.is_some() || (!waits && !self.is_done())
    }

    /// Returns the end of the delay after a failed call; `None` if no such delay is running at
    /// `now`, or if no alarm is left to read or disable.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        let waits = !self.enabled.is_empty() || !self.unknown.is_empty();
        (waits && self.not_before > now).then_some(self.not_before)
    }

    /// Returns the names of the alarms to disable in the next call; empty if no alarm is left to
    /// disable, or if no call may be made now.
    pub(super) fn names(&self, now: Duration) -> Vec<String> {
        if now < self.not_before {
            return Vec::new();
        }
        let some = self.enabled.iter().take(self.batch);
        some.map(|alarm| alarm.name.clone()).collect()
    }

    /// Begins to read up to [`NAMES_PER_CALL`] alarms in `unknown` and returns their names. Returns
    /// no names if `unknown` is empty or no read may begin now.
    pub(super) fn begin_lookup(&mut self, read: ReadId, now: Duration) -> Vec<String> {
        if now < self.not_before || self.unknown.is_empty() || self.lookup.is_some() {
            return Vec::new();
        }
        let rest = self.unknown.len().saturating_sub(NAMES_PER_CALL);
        let names = self.unknown.split_off(rest);
        self.lookup = Some((read, names.clone()));
        names
    }

    /// Handles the result of a read of alarms in `unknown`. Returns `None` if the result belongs to
    /// another read, `Some(false)` if the read failed for a reason that concerns the account as a
    /// whole, and `Some(true)` otherwise.
    pub(super) fn handle_lookup(
        &mut self,
        read: ReadId,
        result: &Result<ReadData, CallFailure>,
        now: Duration,
    ) -> Option<bool> {
        let (_, names) = self.lookup.take_if(|(lookup, _)| *lookup == read)?;
        match result {
            Ok(ReadData::Alarms(found)) => {
                let managed = found
                    .iter()
                    .filter(|alarm| alarm.is_managed() && names.contains(&alarm.name));
                let managed = managed.map(|alarm| AlarmRef {
                    name: alarm.name.clone(),
                    arn: Some(alarm.arn.clone()),
                });
                self.add(managed.collect::<Vec<_>>());
            }
            Ok(ReadData::States(_)) => {}
            Err(failure) => {
                self.unknown.extend(names);
                if !failure.concerns_one_alarm() {
                    return Some(false);
                }
                self.not_before = now + RETRY;
            }
        }
        Some(true)
    }

    /// Records that the actions of these alarms were disabled. An alarm that has become desired
    /// again is marked too, so that the next plan enables its actions.
    pub(super) fn record_disabled(&mut self, names: Vec<String>) {
        for name in names {
            let known = self.enabled.iter().position(|alarm| alarm.name == name);
            let alarm = known.and_then(|index| self.enabled.remove(index));
            self.unmarked
                .push(alarm.unwrap_or(AlarmRef { name, arn: None }));
        }
        self.batch = NAMES_PER_CALL;
        self.not_before = Duration::ZERO;
    }

    /// Records that a call to disable the actions of these alarms was denied or rejected.
    pub(super) fn record_failure(
        &mut self,
        kind: CallFailureKind,
        names: &[String],
        now: Duration,
    ) {
        if kind == CallFailureKind::Rejected && names.len() > 1 {
            self.batch = 1;
            return;
        }
        // The first alarm may have caused the failure, so it is moved to the end of the queue.
        if let Some(first) = self
            .enabled
            .pop_front_if(|first| names.contains(&first.name))
        {
            self.enabled.push_back(first);
        }
        self.not_before = now + RETRY;
    }

    /// Returns the write of the tag that marks the next alarm as disabled by Probecause; `None` if
    /// no alarm is to be marked.
    pub(super) fn mark(&self) -> Option<Write> {
        let alarm = self.unmarked.last()?;
        let tag = (DEFINITION_TAG, DISABLED.to_owned());
        Some(Write {
            alarm: alarm.name.clone(),
            arn: alarm.arn.clone(),
            operations: vec![WriteOperation::Tag(vec![tag])],
        })
    }

    /// Removes the alarm returned by [`Self::mark`], because its mark was written or cannot be
    /// written.
    pub(super) fn finish_mark(&mut self) {
        self.unmarked.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn disable(names: &[&str]) -> DisableActions {
        let mut disable = DisableActions::default();
        disable.add(names.iter().map(|name| AlarmRef {
            name: (*name).to_owned(),
            arn: None,
        }));
        disable
    }

    #[test]
    fn a_denied_call_is_repeated_later_and_delays_nothing_else() {
        let mut disable = disable(&["a", "b"]);
        assert_eq!(disable.names(NOW), ["a", "b"]);
        disable.record_failure(CallFailureKind::Denied, &disable.names(NOW), NOW);
        assert!(disable.names(NOW).is_empty());
        assert!(!disable.is_busy(NOW));
        assert_eq!(disable.next(NOW), Some(NOW + RETRY));
        assert!(!disable.is_done());
        assert_eq!(disable.names(NOW + RETRY).len(), 2);
        disable.record_disabled(disable.names(NOW + RETRY));
        assert_eq!((disable.enabled.len(), disable.unmarked.len()), (0, 2));
    }

    #[test]
    fn a_rejected_name_is_found_and_tried_after_the_others() {
        let mut disable = disable(&["bad", "a", "b"]);
        disable.record_failure(CallFailureKind::Rejected, &disable.names(NOW), NOW);
        assert_eq!(disable.names(NOW), ["bad"]);
        disable.record_failure(CallFailureKind::Rejected, &disable.names(NOW), NOW);
        let later = NOW + RETRY;
        assert_eq!(disable.names(later), ["a"]);
        disable.record_disabled(disable.names(later));
        assert_eq!(disable.names(later), ["b", "bad"]);
    }
}
