//! How the keeper writes one alarm: a step of the plan, a new cause, or both at once.
//!
//! Tags go before the description, and nothing is written that is there already: each
//! write counts against three a second for the whole account. A target's alarm goes
//! before those of its causes.

use std::time::Duration;

use aws_sdk_cloudwatch::types::MetricAlarm;
use tokio::time::Instant;
use tracing::info;

use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::plan::Step;
use crate::domain::alarm::{AlarmKey, AlarmSpec};
use crate::io::sink::cloudwatch::account;
use crate::io::sink::cloudwatch::client::{Api, CallError, FailureKind};
use crate::io::sink::cloudwatch::desk::{Note, Progress};
use crate::io::sink::cloudwatch::keeper::parked::is_of_one;
use crate::io::sink::cloudwatch::keeper::{Keeper, Kept};
use crate::model::settings::DriftPolicy;
use crate::model::target::TargetName;

impl Keeper {
    /// Writes one alarm of the plan, with what it is to say already.
    pub(super) async fn carry_out(&mut self, api: &Api, step: Step) -> Result<(), CallError> {
        let (Step::Create(spec) | Step::Update { spec, .. }) = &step else {
            return Ok(());
        };
        let subject = spec.key.clone();
        if let Some(note) = self.desk.take_of(&subject, Instant::now()) {
            self.todo.push_front(step);
            return self.write(api, subject, note).await;
        }
        let name = spec.name.clone();
        match self.write_step(api, &step, None).await {
            Ok(()) => self.parked.free(&name),
            Err(failure) => {
                self.todo.push_front(step);
                return self.put_aside(&name, failure);
            }
        }
        Ok(())
    }

    /// Puts an alarm aside that CloudWatch does not let us write; what is everybody's
    /// trouble comes back.
    pub(super) fn put_aside(&mut self, name: &str, failure: CallError) -> Result<(), CallError> {
        if !is_of_one(&failure) || !self.parked.park(name, Instant::now()) {
            return Err(failure);
        }
        self.link.trouble(&failure);
        // What is known of the account does not hold; a definition that is refused would be
        // refused again.
        self.stale |= failure.kind == FailureKind::Refused && failure.operation != "PutMetricAlarm";
        Ok(())
    }

    /// Writes what an alarm is to say; of a target's, those of its causes with it.
    pub(super) async fn write(
        &mut self,
        api: &Api,
        subject: AlarmKey,
        note: Note,
    ) -> Result<(), CallError> {
        let Some(spec) = self.specs.by_subject.get(&subject).cloned() else {
            return self.write_for_peer(api, subject, note).await;
        };
        let words = note
            .words
            .clone()
            .unwrap_or_else(|| Annotation::healthy(&spec));
        let mut result = self.write_one(api, &spec, &words).await;
        if result.is_ok() {
            self.parked.free(&spec.name);
            if let AlarmKey::Target(target) = &subject {
                result = self.write_causes(api, target, &spec, &words).await;
            }
        }
        match result {
            Ok(()) => {
                note.finish(Progress::Written);
                Ok(())
            }
            Err(failure) => {
                self.desk.give_back(subject, note);
                self.put_aside(&spec.name, failure)
            }
        }
    }

    /// Has the alarm of the cause that a target shows say the same words, and those of its
    /// other causes, when they had their time to fire, that all is well.
    async fn write_causes(
        &mut self,
        api: &Api,
        target: &TargetName,
        of_target: &AlarmSpec,
        words: &Annotation,
    ) -> Result<(), CallError> {
        let subjects = self.specs.causes.get(target).cloned().unwrap_or_default();
        for subject in subjects {
            let Some(spec) = self.specs.by_subject.get(&subject).cloned() else {
                continue;
            };
            let AlarmKey::Cause { cause, .. } = &subject else {
                continue;
            };
            if cause.as_str() == words.cause {
                self.desk.discard(&subject);
                if let Err(failure) = self.write_one(api, &spec, words).await {
                    // The target's own alarm was written: it must not wait for this one.
                    self.desk
                        .leave_for(subject, Some(words.clone()), Instant::now());
                    self.put_aside(&spec.name, failure)?;
                }
            } else if self.words_of(&spec).is_some_and(Annotation::names_cause) {
                // A cause that was shown for less than a period fires its alarm when the
                // period is over: it must find its words then. After a recovery that time
                // has passed already.
                let period = Duration::from_secs(u64::from(of_target.period));
                let wait = if words.names_cause() {
                    period * 2
                } else {
                    Duration::ZERO
                };
                self.desk.leave_for(subject, None, Instant::now() + wait);
            }
        }
        Ok(())
    }

    /// Writes one alarm: with the step that the plan has for it, so that it is written
    /// once, or its words alone.
    async fn write_one(
        &mut self,
        api: &Api,
        spec: &AlarmSpec,
        words: &Annotation,
    ) -> Result<(), CallError> {
        let mut steps = self.todo.iter();
        let planned = steps.position(|step| step.name() == spec.name);
        let Some(step) = planned.and_then(|index| self.todo.remove(index)) else {
            return self.write_words(api, spec, words).await;
        };
        let result = self.write_step(api, &step, Some(words)).await;
        if result.is_err() {
            self.todo.push_back(step);
        }
        result
    }

    async fn write_step(
        &mut self,
        api: &Api,
        step: &Step,
        words: Option<&Annotation>,
    ) -> Result<(), CallError> {
        match step {
            Step::Create(spec) => {
                let words = words.cloned().unwrap_or_else(|| self.first_words(spec));
                account::put(api, &self.pace, spec, &words).await?;
                info!(
                    alarm = spec.name,
                    cause = words.cause,
                    "cloudwatch: alarm created"
                );
                self.remember(spec, None, words);
            }
            Step::Update { spec, actual, .. } => {
                let words = words
                    .cloned()
                    .unwrap_or_else(|| Annotation::kept(spec, &actual.tags, &actual.description));
                // The cause goes first, as everywhere in the daemon, and the definition's
                // tag last: what was written half must not look like a change by hand.
                account::tag_words(api, &self.pace, &actual.arn, spec, &words).await?;
                account::put(api, &self.pace, spec, &words).await?;
                account::tag(api, &self.pace, &actual.arn, spec, &words).await?;
                info!(
                    alarm = spec.name,
                    cause = words.cause,
                    "cloudwatch: alarm updated"
                );
                self.remember(spec, Some(actual.arn.clone()), words);
            }
            Step::Drift { .. } | Step::Unchanged { .. } | Step::Conflict(_) | Step::Orphan(_) => {
                return Ok(());
            }
        }
        self.link.well("PutMetricAlarm");
        Ok(())
    }

    /// Tags first: they are what a notification is routed by, and they are quick.
    async fn write_words(
        &mut self,
        api: &Api,
        spec: &AlarmSpec,
        words: &Annotation,
    ) -> Result<(), CallError> {
        let known = match self.account.get(&spec.name) {
            // Told once, when it was found so.
            Some(Kept::Foreign | Kept::Deleted { .. }) => return Ok(()),
            Some(Kept::Ours { words: said, .. }) if said == words => return Ok(()),
            Some(Kept::Ours { arn, .. }) => arn.clone(),
            None => None,
        };
        let arn = match known {
            Some(arn) => arn,
            None => self.found(api, spec).await?.alarm_arn.unwrap_or_default(),
        };
        account::tag(api, &self.pace, &arn, spec, words).await?;
        match self.current.cloudwatch.drift {
            DriftPolicy::Mend => {
                account::put(api, &self.pace, spec, words).await?;
                self.remember(spec, Some(arn), words.clone());
            }
            DriftPolicy::Leave => {
                let alarm = self.found(api, spec).await?;
                account::put_words(api, &self.pace, &alarm, words).await?;
                self.remember_words(spec, Some(arn), words.clone());
            }
        }
        self.link.well("TagResource");
        self.link.well("PutMetricAlarm");
        info!(
            alarm = spec.name,
            cause = words.cause,
            certainty = words.certainty,
            "cloudwatch: alarm names the cause"
        );
        Ok(())
    }

    /// The alarm as it is now.
    async fn found(&mut self, api: &Api, spec: &AlarmSpec) -> Result<MetricAlarm, CallError> {
        let found = account::one(api, &spec.name).await?;
        found.ok_or_else(|| {
            // Deleted under our hands: the next reading finds what is to be done.
            self.stale = true;
            CallError {
                operation: "DescribeAlarms",
                kind: FailureKind::Failed,
                text: format!("the alarm `{}` is gone", spec.name),
            }
        })
    }

    /// What a new alarm says first: an alarm that was deleted says again what it said, and
    /// one of a cause that its target shows already says so.
    fn first_words(&self, spec: &AlarmSpec) -> Annotation {
        if let Some(words) = self.words_of(spec) {
            return words.clone();
        }
        if let AlarmKey::Cause { target, cause, .. } = &spec.key {
            let of_target = AlarmKey::Target(target.clone());
            let of_target = self.specs.by_subject.get(&of_target);
            let shown = of_target.and_then(|of_target| self.words_of(of_target));
            if let Some(words) = shown.filter(|words| words.cause == cause.as_str()) {
                return words.clone();
            }
        }
        Annotation::healthy(spec)
    }

    /// What an alarm of ours says, or said before it was deleted.
    fn words_of(&self, spec: &AlarmSpec) -> Option<&Annotation> {
        match self.account.get(&spec.name)? {
            Kept::Foreign => None,
            Kept::Ours { words, .. } | Kept::Deleted { words, .. } => Some(words),
        }
    }

    /// Keeps what was written, the whole definition with it.
    fn remember(&mut self, spec: &AlarmSpec, arn: Option<String>, words: Annotation) {
        self.remember_words(spec, arn, words);
        if self.drifted.remove(&spec.name).is_some() {
            info!(
                alarm = spec.name,
                "cloudwatch: the alarm is as configured again"
            );
            self.metrics.alarms_drifted.dec();
        }
    }

    fn remember_words(&mut self, spec: &AlarmSpec, arn: Option<String>, words: Annotation) {
        let kept = Kept::Ours {
            arn,
            words,
            fingerprint: spec.fingerprint(),
        };
        self.account.insert(spec.name.clone(), kept);
        self.written.insert(spec.name.clone());
    }
}
