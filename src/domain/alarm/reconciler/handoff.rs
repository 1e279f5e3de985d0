//! Writes urgent updates to alarms that another daemon manages.
//!
//! The other daemon may detect the failure later or not at all, or may have stopped, so this daemon
//! names the cause before the alarm fires. This daemon updates the cause until the alarm names a
//! cause that this daemon did not write, which shows that the other daemon has taken over. The
//! alarm's definition is not changed.

use std::time::Duration;

use crate::domain::alarm::annotation::{Annotation, CAUSE_TAG, DEFINITION_TAG, MANAGED_TAG};
use crate::domain::alarm::reconciler::Reconciler;
use crate::domain::alarm::reconciler::call::{
    Call, CallFailure, PeerAlarm, UpdateResult, Write, WriteFailure, WriteOperation,
};
use crate::domain::alarm::reconciler::pending::AlarmUpdate;
use crate::domain::alarm::reconciler::task::{Handoff, Task};
use crate::domain::alarm::spec::{AlarmKey, AlarmSpec};

/// The decision about an update of another daemon's alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// The update is written now.
    Write,
    /// Nothing is written, because the alarm already names the cause of the update.
    Unchanged,
    /// The update is written when the alarm no longer fires.
    Wait,
    /// Nothing is written, because the daemon that manages the alarm updates it, or because no
    /// managed alarm exists.
    Yield,
}

/// The current state of another daemon's alarm.
#[derive(Clone, Copy, Debug)]
struct Current<'a> {
    /// The value of the alarm's cause tag, which is `none` while no failure is known; `None` if the
    /// alarm does not have this tag.
    cause: Option<&'a str>,
    firing: bool,
    /// The cause that this daemon last wrote to the alarm; `None` if this daemon wrote no cause.
    handed: Option<&'a str>,
}

impl Reconciler {
    /// Begins an update of an alarm that this daemon does not manage.
    pub(super) fn begin_handoff(&mut self, key: AlarmKey, update: AlarmUpdate) {
        let Some(spec) = self.probed.by_key.get(&key).cloned() else {
            // The target was removed, so there is no alarm to update.
            self.updates.finish(update, UpdateResult::Failed);
            return;
        };
        let name = spec.name.clone();
        self.task = Some(Task::Inspect(Box::new(Handoff {
            key,
            spec,
            update,
            annotation: None,
        })));
        self.call(Call::Inspect { name });
    }

    /// Handles the result of reading another daemon's alarm: writes, postpones or drops the update.
    pub(super) fn inspected(
        &mut self,
        mut handoff: Handoff,
        result: Result<Option<PeerAlarm>, CallFailure>,
        now: Duration,
    ) {
        let alarm = match result {
            Ok(alarm) => alarm.filter(|alarm| alarm.tags.contains_key(MANAGED_TAG)),
            Err(failure) => return self.handoff_failed(handoff, &failure, now),
        };
        let decision = alarm.as_ref().map_or(Decision::Yield, |alarm| {
            let target = handoff.spec.key.target();
            let handed = target.and_then(|target| self.handed.get(target));
            let current = Current {
                cause: alarm.tags.get(CAUSE_TAG).map(String::as_str),
                firing: alarm.firing,
                handed: handed.map(String::as_str),
            };
            current.decide(handoff.update.annotation.as_ref(), handoff.update.urgent)
        });
        match (decision, alarm) {
            (Decision::Write, Some(alarm)) => {
                let healthy = || Annotation::healthy(&handoff.spec);
                let annotation = handoff.update.annotation.clone().unwrap_or_else(healthy);
                let mut tags = annotation.tags(&handoff.spec);
                tags.retain(|(key, _)| *key != DEFINITION_TAG);
                self.call(Call::Write(Write {
                    alarm: handoff.spec.name.clone(),
                    arn: Some(alarm.arn),
                    operations: vec![
                        WriteOperation::Tag(tags),
                        WriteOperation::PutDescription(annotation.description.clone()),
                    ],
                }));
                handoff.annotation = Some(annotation);
                self.task = Some(Task::Handoff(Box::new(handoff)));
            }
            (Decision::Wait, _) => {
                let period = Duration::from_secs(u64::from(handoff.spec.period));
                handoff.update.not_before = now + period * 2;
                self.updates.put_back(handoff.key, handoff.update);
            }
            (decision, _) => {
                if decision == Decision::Yield {
                    self.set_handed(&handoff.spec, None);
                }
                self.finish_handoff(handoff);
            }
        }
    }

    /// Handles the result of writing an update to another daemon's alarm.
    pub(super) fn handoff_written(
        &mut self,
        handoff: Handoff,
        result: Result<Option<String>, WriteFailure>,
        now: Duration,
    ) {
        let is_tagged = result
            .as_ref()
            .map_or_else(|failed| failed.completed > 0, |_| true);
        if is_tagged && let Some(annotation) = &handoff.annotation {
            let cause = annotation.names_cause().then(|| annotation.cause.clone());
            self.set_handed(&handoff.spec, cause);
        }
        match result {
            Ok(_) => self.finish_handoff(handoff),
            Err(failed) => self.handoff_failed(handoff, &failed.failure, now),
        }
    }

    fn finish_handoff(&mut self, handoff: Handoff) {
        self.quarantine.remove(&handoff.spec.name);
        self.updates.finish(handoff.update, UpdateResult::Written);
    }

    fn handoff_failed(&mut self, handoff: Handoff, failure: &CallFailure, now: Duration) {
        let target = handoff.spec.key.target();
        if target.is_some_and(|target| self.handed.contains_key(target)) {
            self.updates.put_back(handoff.key, handoff.update);
        } else {
            self.updates.finish(handoff.update, UpdateResult::Failed);
        }
        self.write_failed(&handoff.spec.name, failure, now);
    }

    /// Records the cause that this daemon wrote to another daemon's alarm; `None` if the alarm no
    /// longer names a cause that this daemon wrote. While a cause is recorded, updates of the
    /// target are not suppressed.
    fn set_handed(&mut self, spec: &AlarmSpec, cause: Option<String>) {
        let target = spec.key.target();
        let Some(target) = target.filter(|name| !self.ownership.manages(&self.view, name)) else {
            return;
        };
        self.updates.suppress(target, cause.is_none());
        match cause {
            Some(cause) => drop(self.handed.insert(target.clone(), cause)),
            None => drop(self.handed.remove(target)),
        }
    }
}

impl Current<'_> {
    /// Decides how to handle an update. `annotation` is the annotation to write; `None` if no
    /// failure is known. `urgent` is whether the alarm is about to fire.
    fn decide(self, annotation: Option<&Annotation>, urgent: bool) -> Decision {
        let is_own_cause = self.handed.is_some() && self.handed == self.cause;
        match annotation {
            Some(annotation) if self.cause == Some(&annotation.cause) => Decision::Unchanged,
            Some(_) if urgent || is_own_cause => Decision::Write,
            None if is_own_cause && self.firing => Decision::Wait,
            None if is_own_cause => Decision::Write,
            _ => Decision::Yield,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        (cause, firing, handed): (&str, bool, Option<&str>),
        (annotation, urgent): (Option<&str>, bool),
        expected: Decision,
    ) {
        let annotation = annotation.map(|cause| Annotation {
            cause: cause.to_owned(),
            certainty: "likely".to_owned(),
            owner: "service".to_owned(),
            description: String::new(),
        });
        let current = Current {
            cause: Some(cause),
            firing,
            handed,
        };
        assert_eq!(current.decide(annotation.as_ref(), urgent), expected);
    }

    #[test]
    fn an_urgent_update_is_written_whichever_daemon_manages_the_alarm() {
        use Decision::{Unchanged, Write};
        check(("none", false, None), (Some("timeout"), true), Write);
        check(("refused", false, None), (Some("timeout"), true), Write);
        check(("timeout", false, None), (Some("timeout"), true), Unchanged);
    }

    #[test]
    fn only_the_daemon_that_named_the_cause_updates_it() {
        use Decision::{Write, Yield};
        let own = ("timeout", true, Some("timeout"));
        check(own, (Some("refused"), false), Write);
        let other = ("throttled", true, Some("timeout"));
        check(other, (Some("refused"), false), Yield);
        check(other, (None, false), Yield);
        check(("timeout", false, None), (None, false), Yield);
        check(("none", false, Some("timeout")), (None, false), Yield);
    }

    #[test]
    fn a_cause_stays_while_the_alarm_fires() {
        let handed = Some("timeout");
        check(("timeout", true, handed), (None, false), Decision::Wait);
        check(("timeout", false, handed), (None, false), Decision::Write);
    }
}
