//! Writes one alarm at a time: a planned step, a new annotation, or both at once.
//!
//! Tags are written before the description, because notifications are routed by tags. An annotation
//! that an alarm already has is not written again, because an account accepts only three alarm
//! writes a second. A target's alarm is written before its per-cause alarms.

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::alarm::annotation::{Annotation, DEFINITION_TAG};
use crate::domain::alarm::plan::Step;
use crate::domain::alarm::reconciler::Reconciler;
use crate::domain::alarm::reconciler::call::{
    Call, CallFailure, CallFailureKind, Notice, UpdateResult, Write, WriteFailure, WriteOperation,
};
use crate::domain::alarm::reconciler::known::KnownAlarm;
use crate::domain::alarm::reconciler::pending::AlarmUpdate;
use crate::domain::alarm::reconciler::task::{Task, UpdateWrite, Writing};
use crate::domain::alarm::spec::{AlarmKey, AlarmSpec};
use crate::model::settings::DriftPolicy;

impl Reconciler {
    /// Begins to write an update of an alarm. An alarm that another daemon manages is read first.
    pub(super) fn begin_update(&mut self, key: AlarmKey, update: AlarmUpdate, now: Duration) {
        let Some(spec) = self.managed.by_key.get(&key).cloned() else {
            return self.begin_handoff(key, update);
        };
        let annotation = update.annotation.clone();
        let annotation = annotation.unwrap_or_else(|| Annotation::healthy(&spec));
        let update = UpdateWrite {
            key,
            update,
            period: spec.period,
            causes: VecDeque::new(),
        };
        self.begin_write(spec, annotation, Some(update), now);
    }

    /// Begins the next planned step whose alarm is not in quarantine, together with the pending
    /// update of that alarm if this update is due. Returns whether a step was found.
    pub(super) fn begin_step(&mut self, now: Duration) -> bool {
        let mut steps = self.planned.iter();
        let next = steps.position(|step| !self.quarantine.contains(step.name(), now));
        let Some(step) = next.and_then(|index| self.planned.remove(index)) else {
            return false;
        };
        let (Step::Create(spec) | Step::Update { spec, .. }) = &step else {
            return true;
        };
        let (spec, key) = (spec.clone(), spec.key.clone());
        if let Some(update) = self.updates.take_of(&key, now) {
            self.planned.push_front(step);
            self.begin_update(key, update, now);
            return true;
        }
        let annotation = match &step {
            Step::Update { actual, .. } => {
                let known = self.known.annotation(&spec.name).cloned();
                let found = || Annotation::kept(&spec, &actual.tags, &actual.description);
                known.unwrap_or_else(found)
            }
            _ => self.first_annotation(&spec),
        };
        self.planned.push_front(step);
        self.begin_write(spec, annotation, None, now);
        true
    }

    /// Begins to write one alarm, together with its planned step, if any.
    fn begin_write(
        &mut self,
        spec: AlarmSpec,
        annotation: Annotation,
        update: Option<UpdateWrite>,
        now: Duration,
    ) {
        let mut steps = self.planned.iter();
        let planned = steps.position(|step| step.name() == spec.name);
        let step = planned.and_then(|index| self.planned.remove(index));
        let write = match &step {
            Some(step) => Write::of_step(step, &annotation),
            None => self.write_of_annotation(&spec, &annotation),
        };
        let puts_definition = self.view.cloudwatch.drift == DriftPolicy::Mend;
        let writing = Writing {
            spec,
            annotation,
            step,
            puts_definition,
            update,
        };
        match write {
            Some(write) => {
                self.task = Some(Task::Write(Box::new(writing)));
                self.call(Call::Write(write));
            }
            None => self.alarm_written(writing, now),
        }
    }

    /// Returns the write that annotates an alarm; `None` if the alarm already has this annotation,
    /// is not managed, or was deleted by hand.
    fn write_of_annotation(&self, spec: &AlarmSpec, annotation: &Annotation) -> Option<Write> {
        let arn = match self.known.get(&spec.name) {
            Some(KnownAlarm::Foreign | KnownAlarm::Deleted { .. }) => return None,
            Some(KnownAlarm::Managed {
                annotation: known, ..
            }) if known == annotation => {
                return None;
            }
            Some(KnownAlarm::Managed { arn, .. }) => arn.clone(),
            None => None,
        };
        let mut tags = annotation.tags(spec);
        let put = match self.view.cloudwatch.drift {
            DriftPolicy::Mend => put(spec, annotation),
            DriftPolicy::Leave => {
                // The definition is not written, so its fingerprint must not change either.
                tags.retain(|(key, _)| *key != DEFINITION_TAG);
                WriteOperation::PutDescription(annotation.description.clone())
            }
        };
        Some(Write {
            alarm: spec.name.clone(),
            arn,
            operations: vec![WriteOperation::Tag(tags), put],
        })
    }

    /// Handles the result of a write.
    pub(super) fn written(
        &mut self,
        mut writing: Writing,
        result: Result<Option<String>, WriteFailure>,
        now: Duration,
    ) {
        let arn = match result {
            Ok(arn) => arn,
            Err(failed) => return self.alarm_not_written(writing, &failed, now),
        };
        let (name, cause) = (writing.spec.name.clone(), writing.annotation.cause.clone());
        let step = writing.step.take();
        let has_definition = step.is_some() || writing.puts_definition;
        self.log(match step {
            Some(Step::Create(_)) => Notice::Created(name, cause),
            Some(_) => Notice::Updated(name, cause),
            None => Notice::Annotated(name, writing.annotation.clone()),
        });
        self.disable.record_write(&writing.spec.name, arn.as_ref());
        let annotation = writing.annotation.clone();
        if has_definition {
            self.known.record_write(&writing.spec, arn, annotation);
            self.clear_drift(&writing.spec.name);
        } else {
            self.known
                .record_annotation(&writing.spec.name, arn, annotation);
        }
        self.alarm_written(writing, now);
    }

    fn alarm_written(&mut self, mut writing: Writing, now: Duration) {
        self.quarantine.remove(&writing.spec.name);
        if let (AlarmKey::Target(target), Some(update)) = (&writing.spec.key, &mut writing.update) {
            let causes = self.managed.causes.get(target);
            update.causes = causes.cloned().unwrap_or_default().into();
        }
        self.write_next_cause(writing, now);
    }

    /// Writes the annotation to the target's per-cause alarm for the cause that the annotation
    /// names. Schedules the removal of causes from the target's other per-cause alarms, late enough
    /// that these alarms can fire first.
    fn write_next_cause(&mut self, writing: Writing, now: Duration) {
        let annotation = writing.annotation;
        let Some(mut update) = writing.update else {
            return;
        };
        while let Some(key) = update.causes.pop_front() {
            let Some(spec) = self.managed.by_key.get(&key).cloned() else {
                continue;
            };
            let AlarmKey::Cause { cause, .. } = &key else {
                continue;
            };
            if cause.as_str() == annotation.cause {
                self.updates.discard(&key);
                return self.begin_write(spec, annotation, Some(update), now);
            }
            let known = self.known.annotation(&spec.name);
            if known.is_some_and(Annotation::names_cause) {
                // A cause that occurred for less than a period fires its alarm only after the
                // period ends. The alarm must still name the cause then, so the cause is removed
                // only after two periods. After a recovery, no further delay is needed, because the
                // update of the target's alarm has already been delayed by two periods.
                let period = Duration::from_secs(u64::from(update.period));
                let wait = if annotation.names_cause() {
                    period * 2
                } else {
                    Duration::ZERO
                };
                self.updates.add(key, None, now + wait);
            }
        }
        self.updates.finish(update.update, UpdateResult::Written);
    }

    /// Handles a failed write: schedules the planned step and the update for another attempt.
    fn alarm_not_written(&mut self, mut writing: Writing, failed: &WriteFailure, now: Duration) {
        let (name, key) = (writing.spec.name.clone(), writing.spec.key.clone());
        let is_own = writing
            .update
            .as_ref()
            .is_none_or(|update| update.key == key);
        if let Some(step) = writing.step.take().filter(|_| !self.reading.is_stale) {
            if writing.update.is_some() {
                self.planned.push_back(step);
            } else {
                self.planned.push_front(step);
            }
        }
        let goes_on = if failed.missing {
            // The alarm was deleted by hand. The account is read again before the alarm is written.
            self.known.record_missing(&name);
            self.reading.is_stale = true;
            true
        } else {
            self.write_failed(&name, &failed.failure, now)
        };
        if is_own {
            if let Some(update) = writing.update {
                self.updates.put_back(update.key, update.update);
            }
            return;
        }
        // The target's alarm was written, so only the per-cause alarm needs another attempt.
        self.updates.add(key, Some(writing.annotation.clone()), now);
        if goes_on {
            self.write_next_cause(writing, now);
        } else if let Some(update) = writing.update {
            self.updates.put_back(update.key, update.update);
        }
    }

    /// Handles a failed write of an alarm. Returns true if the failure concerns only this alarm,
    /// which is then in quarantine. Otherwise all writes are delayed.
    pub(super) fn write_failed(
        &mut self,
        name: &str,
        failure: &CallFailure,
        now: Duration,
    ) -> bool {
        if !failure.concerns_one_alarm() || !self.quarantine.add(name, now) {
            self.back_off(Some(failure), now);
            return false;
        }
        // A rejected call shows that the known state is wrong, so the account is read again. A
        // rejected definition is an exception, because CloudWatch would reject it again after the
        // read.
        let is_rejected = failure.kind == CallFailureKind::Rejected;
        self.reading.is_stale |= is_rejected && failure.operation != "PutMetricAlarm";
        true
    }

    /// Returns the annotation with which an alarm is created. An alarm that was deleted by hand
    /// gets its last annotation. A per-cause alarm gets the annotation of the target's alarm if
    /// that annotation names the same cause. Otherwise, the annotation names no cause.
    fn first_annotation(&self, spec: &AlarmSpec) -> Annotation {
        if let Some(annotation) = self.known.annotation(&spec.name) {
            return annotation.clone();
        }
        if let AlarmKey::Cause { target, cause, .. } = &spec.key {
            let of_target = AlarmKey::Target(target.clone());
            let of_target = self.managed.by_key.get(&of_target);
            let named = of_target.and_then(|of_target| self.known.annotation(&of_target.name));
            if let Some(annotation) = named.filter(|named| named.cause == cause.as_str()) {
                return annotation.clone();
            }
        }
        Annotation::healthy(spec)
    }
}

impl Write {
    /// Returns the write of a planned step; `None` if the step writes nothing.
    #[must_use]
    pub fn of_step(step: &Step, annotation: &Annotation) -> Option<Self> {
        match step {
            Step::Create(spec) => Some(Self {
                alarm: spec.name.clone(),
                arn: None,
                operations: vec![put(spec, annotation)],
            }),
            Step::Update { spec, actual, .. } => {
                // The cause is written first and the fingerprint last. If the fingerprint were
                // written first, a failed write of the definition would look like a change by hand.
                let all = annotation.tags(spec);
                let mut first = all.clone();
                first.retain(|(key, value)| {
                    *key != DEFINITION_TAG && actual.tags.get(*key) != Some(value)
                });
                let tag = (!first.is_empty()).then_some(WriteOperation::Tag(first));
                let others = [put(spec, annotation), WriteOperation::Tag(all)];
                Some(Self {
                    alarm: spec.name.clone(),
                    arn: Some(actual.arn.clone()),
                    operations: tag.into_iter().chain(others).collect(),
                })
            }
            Step::Drift { .. } | Step::Unchanged { .. } | Step::Conflict(_) | Step::Orphan(_) => {
                None
            }
        }
    }
}

fn put(spec: &AlarmSpec, annotation: &Annotation) -> WriteOperation {
    WriteOperation::PutDefinition(Box::new((spec.clone(), annotation.clone())))
}
