//! Decides the order of the reconciler's work, and the delays after failures.

use std::time::Duration;

use crate::domain::alarm::reconciler::Reconciler;
use crate::domain::alarm::reconciler::call::{Call, CallFailure, CallFailureKind};
use crate::domain::alarm::reconciler::pending::AlarmUpdate;
use crate::domain::alarm::reconciler::task::Task;
use crate::domain::alarm::spec::AlarmKey;
use crate::domain::retry::Backoff;

/// Delays after consecutive failures that concern the account as a whole: 1 s, doubled up to 60 s.
/// A longer delay is not needed, because newly granted permissions take effect within 60 s.
pub(super) const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

impl Reconciler {
    /// Begins all work that may begin at `now`.
    pub(super) fn schedule(&mut self, now: Duration) {
        if now < self.not_before {
            self.updates.fail_where(|_| true);
            return;
        }
        if self.task.is_none() {
            self.begin_disable(now);
        }
        if !self.view.active {
            if self.task.is_none() {
                self.begin_mark();
            }
            return;
        }
        // A write in progress may belong to the previous configuration, so a full read begins only
        // after the write.
        if self.task.is_none() {
            self.begin_full_read(now);
        }
        self.fail_impossible(now);
        self.begin_urgent(now);
        if self.reading.is_stale {
            if self.task.is_none() {
                self.begin_mark();
            }
            return;
        }
        self.begin_peer_read(now);
        self.begin_other(now);
        self.begin_review(now);
    }

    /// Begins to disable the actions of alarms whose targets were removed. An alarm is read first
    /// if it is unknown whether the alarm exists and is managed.
    fn begin_disable(&mut self, now: Duration) {
        let read = self.next_read();
        let names = self.disable.begin_lookup(read, now);
        if !names.is_empty() {
            self.call(Call::ReadNamed { read, names });
        }
        let names = self.disable.names(now);
        if !names.is_empty() {
            self.task = Some(Task::Disable(names.clone()));
            self.call(Call::DisableActions { names });
        }
    }

    fn begin_mark(&mut self) {
        if let Some(write) = self.disable.mark() {
            self.task = Some(Task::Mark);
            self.call(Call::Write(write));
        }
    }

    /// Begins urgent updates. An urgent update does not wait for planned steps. The update waits
    /// for a full read of the account only if this daemon manages the alarm and the alarm is not
    /// known to exist.
    fn begin_urgent(&mut self, now: Duration) {
        while self.task.is_none() && now >= self.not_before {
            let Some((key, update)) = self.take_update(true, now) else {
                return;
            };
            self.begin_update(key, update, now);
        }
    }

    /// Begins work that is not urgent: tagging disabled alarms, planned steps, and other updates.
    fn begin_other(&mut self, now: Duration) {
        while self.task.is_none() && now >= self.not_before {
            self.begin_mark();
            if self.task.is_some() || self.begin_step(now) {
                continue;
            }
            let Some((key, update)) = self.take_update(false, now) else {
                return;
            };
            self.begin_update(key, update, now);
        }
    }

    fn take_update(&mut self, urgent: bool, now: Duration) -> Option<(AlarmKey, AlarmUpdate)> {
        let mut updates = std::mem::take(&mut self.updates);
        let taken = updates.take(urgent, now, |key| self.can_write(key, now));
        self.updates = updates;
        taken
    }

    /// Settles as failed the tickets of alarms that cannot be written at present: alarms in
    /// quarantine and, while reads of the account fail, alarms that must be read first.
    fn fail_impossible(&mut self, now: Duration) {
        if self.quarantine.is_empty() && !self.reading.is_failing() {
            return;
        }
        let is_failing = self.reading.is_failing();
        let mut updates = std::mem::take(&mut self.updates);
        updates.fail_where(|key| {
            self.is_quarantined(key, now) || (is_failing && !self.can_write(key, now))
        });
        self.updates = updates;
    }

    /// Returns whether an alarm may be written now. The alarm must not be in quarantine. While a
    /// full read of the account is due or in progress, an alarm that this daemon manages must also
    /// be known to exist and to have the managed tag.
    fn can_write(&self, key: &AlarmKey, now: Duration) -> bool {
        match self.managed.by_key.get(key) {
            Some(spec) => {
                let known = !self.reading.is_stale || self.known.is_managed(&spec.name);
                known && !self.quarantine.contains(&spec.name, now)
            }
            // Another daemon's alarm is read before each write, so no full read is needed.
            None => !self.is_quarantined(key, now),
        }
    }

    fn is_quarantined(&self, key: &AlarmKey, now: Duration) -> bool {
        let spec = self.probed.by_key.get(key);
        spec.is_some_and(|spec| self.quarantine.contains(&spec.name, now))
    }

    /// Delays the next call after a failure that concerns the whole account. After a rejected call,
    /// the account is also read again.
    pub(super) fn back_off(&mut self, failure: Option<&CallFailure>, now: Duration) {
        if failure.is_some_and(|failure| failure.kind == CallFailureKind::Rejected) {
            // A rejected call shows that the known state of the account is wrong.
            self.reading.restart();
            self.planned.clear();
        }
        self.not_before = now + BACKOFF.delay(self.failures);
        self.failures = self.failures.saturating_add(1);
    }
}
