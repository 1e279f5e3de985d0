//! How the keeper writes one alarm: a step of the plan, a new cause, or both at once.
//!
//! Tags go before the description, and nothing is written that is there already: each
//! write counts against three a second for the whole account.

use tokio::time::Instant;
use tracing::info;

use crate::alarm::AlarmSpec;
use crate::alarm::plan::Step;
use crate::alarm::words::Words;
use crate::sink::cloudwatch::account;
use crate::sink::cloudwatch::client::{Api, CallError, FailureKind};
use crate::sink::cloudwatch::desk::{Note, Progress};
use crate::sink::cloudwatch::keeper::{Keeper, Kept};
use crate::target::TargetName;

impl Keeper {
    /// Writes one alarm of the plan, with what it is to say already.
    pub(super) async fn carry_out(&mut self, api: &Api, step: &Step) -> Result<(), CallError> {
        let (Step::Create(spec) | Step::Update { spec, .. }) = step else {
            return Ok(());
        };
        if let Some(target) = spec.subject.target()
            && let Some(note) = self.desk.take_of(target, Instant::now())
        {
            return self
                .write_alarm(api, target.clone(), note, Some(step))
                .await;
        }
        self.write_step(api, step, None).await
    }

    /// Writes what a target's alarm is to say.
    pub(super) async fn write(
        &mut self,
        api: &Api,
        target: TargetName,
        note: Note,
    ) -> Result<(), CallError> {
        let Some(spec) = self.specs.get(&target) else {
            note.finish(Progress::Failed);
            return Ok(());
        };
        // An alarm that the plan was to write is written once, now.
        let planned = self.todo.iter().position(|step| match step {
            Step::Create(planned) | Step::Update { spec: planned, .. } => planned.name == spec.name,
            _ => false,
        });
        let step = planned.and_then(|index| self.todo.remove(index));
        let result = self.write_alarm(api, target, note, step.as_ref()).await;
        if result.is_err() {
            self.todo.extend(step);
        }
        result
    }

    async fn write_alarm(
        &mut self,
        api: &Api,
        target: TargetName,
        note: Note,
        step: Option<&Step>,
    ) -> Result<(), CallError> {
        let Some(spec) = self.specs.get(&target).cloned() else {
            note.finish(Progress::Failed);
            return Ok(());
        };
        let words = note.words.clone().unwrap_or_else(|| Words::healthy(&spec));
        let result = match step {
            Some(step) => self.write_step(api, step, Some(&words)).await,
            None => self.write_words(api, &spec, &words).await,
        };
        match &result {
            Ok(()) => note.finish(Progress::Written),
            // The same words would be refused again.
            Err(failure) if failure.kind == FailureKind::Refused => note.finish(Progress::Failed),
            Err(_) => self.desk.give_back(target, note),
        }
        result
    }

    async fn write_step(
        &mut self,
        api: &Api,
        step: &Step,
        words: Option<&Words>,
    ) -> Result<(), CallError> {
        match step {
            Step::Create(spec) => {
                let words = words.cloned().unwrap_or_else(|| Words::healthy(spec));
                account::put(api, &self.pace, spec, &words).await?;
                info!(
                    alarm = spec.name,
                    cause = words.cause,
                    "cloudwatch: alarm created"
                );
                self.remember(spec, None, &words);
            }
            Step::Update { spec, actual, .. } => {
                let words = words
                    .cloned()
                    .unwrap_or_else(|| Words::kept(spec, &actual.tags, &actual.description));
                // The cause goes first, as everywhere in the daemon.
                account::tag(api, &self.pace, &actual.arn, spec, &words).await?;
                account::put(api, &self.pace, spec, &words).await?;
                info!(
                    alarm = spec.name,
                    cause = words.cause,
                    "cloudwatch: alarm updated"
                );
                self.remember(spec, Some(actual.arn.clone()), &words);
            }
            Step::Drift { .. } | Step::Leave { .. } | Step::Clash(_) | Step::Orphan(_) => {
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
        words: &Words,
    ) -> Result<(), CallError> {
        let known = match self.account.get(&spec.name) {
            // Told once, when the plan found the clash.
            Some(Kept::Foreign) => return Ok(()),
            Some(Kept::Ours {
                cause, description, ..
            }) if *cause == words.cause && *description == words.description => return Ok(()),
            Some(Kept::Ours { arn, .. }) => arn.clone(),
            None => None,
        };
        let arn = match known {
            Some(arn) => Some(arn),
            None => account::arn(api, &spec.name).await?,
        };
        let Some(arn) = arn else {
            // Deleted under our hands: the next reading plans it anew.
            self.stale = true;
            return Err(CallError {
                operation: "TagResource",
                kind: FailureKind::Failed,
                text: format!(
                    "the alarm `{}` is gone and will be created again",
                    spec.name
                ),
            });
        };
        account::tag(api, &self.pace, &arn, spec, words).await?;
        account::put(api, &self.pace, spec, words).await?;
        self.link.well("TagResource");
        self.link.well("PutMetricAlarm");
        info!(
            alarm = spec.name,
            cause = words.cause,
            certainty = words.certainty,
            "cloudwatch: alarm names the cause"
        );
        self.remember(spec, Some(arn), words);
        Ok(())
    }

    fn remember(&mut self, spec: &AlarmSpec, arn: Option<String>, words: &Words) {
        let kept = Kept::Ours {
            arn,
            cause: words.cause.clone(),
            description: words.description.clone(),
        };
        self.account.insert(spec.name.clone(), kept);
    }
}
