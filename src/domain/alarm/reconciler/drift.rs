//! Reads the account, and detects alarms that were changed by hand.
//!
//! At start, after a reload and when the known state is wrong, the alarms are read with their tags
//! and a new plan is made. In between, the alarms are reviewed without tags, because reading tags
//! takes one request per alarm. A change by hand is reported once, counted, and overwritten or left
//! as is, according to the drift policy.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use crate::domain::alarm::annotation::DEFINITION_TAG;
use crate::domain::alarm::heartbeat_shard;
use crate::domain::alarm::plan::{ActualAlarm, FieldDiff, Plan, Step};
use crate::domain::alarm::reconciler::Reconciler;
use crate::domain::alarm::reconciler::call::{
    Call, CallFailure, Notice, Output, ReadData, ReadId, ReadScope,
};
use crate::domain::alarm::reconciler::disable_actions::{AlarmRef, DISABLED};
use crate::domain::alarm::reconciler::known::KnownAlarm;
use crate::domain::alarm::reconciler::schedule::BACKOFF;
use crate::domain::alarm::spec::AlarmSpec;
use crate::model::settings::DriftPolicy;

/// The read of the account in progress, and the time of the next read.
#[derive(Debug)]
pub(super) struct Reading {
    /// Whether the next read must be a full read, which includes tags.
    pub(super) is_stale: bool,
    under_way: Option<(ReadId, ReadStage)>,
    review_at: Duration,
    /// Number of consecutive full reads that failed.
    failures: u32,
    retry_at: Duration,
}

/// The kind of the read in progress.
#[derive(Debug)]
enum ReadStage {
    /// Reads the alarms with their tags.
    Full,
    /// Reads the alarms without tags.
    Review,
    /// Reads the tags of the alarms that a review found and that are not known as managed. The
    /// field contains all other alarms that the review found.
    Unknown(Vec<ActualAlarm>),
    /// Reads the tags of the alarms that, according to a review, seem to have changed. The field
    /// contains all other alarms that the review found.
    Changed(Vec<ActualAlarm>),
}

/// The description of the change if an alarm was deleted by hand.
const DELETED: &str = "deleted";

impl Reading {
    pub(super) const fn new() -> Self {
        Self {
            is_stale: true,
            under_way: None,
            review_at: Duration::ZERO,
            failures: 0,
            retry_at: Duration::ZERO,
        }
    }

    /// Discards the read in progress, whose result is outdated, and requires a full read.
    pub(super) fn restart(&mut self) {
        self.is_stale = true;
        self.under_way = None;
        self.failures = 0;
        self.retry_at = Duration::ZERO;
    }

    /// Returns whether the last full read failed. Until a full read succeeds, alarms that are not
    /// known as managed cannot be written.
    pub(super) const fn is_failing(&self) -> bool {
        self.is_stale && self.failures > 0
    }

    /// Returns the time at which the next read may begin; `None` if the next read must wait until
    /// the read in progress ends. A full read may begin during a review.
    pub(super) fn next(&self) -> Option<Duration> {
        let full = matches!(self.under_way, Some((_, ReadStage::Full)));
        match (self.is_stale, &self.under_way) {
            (true, _) if full => None,
            (true, _) => Some(self.retry_at),
            (false, None) => Some(self.review_at),
            (false, Some(_)) => None,
        }
    }
}

impl Reconciler {
    /// Begins to read the account with tags, if a full read is due and `disable` is not busy.
    pub(super) fn begin_full_read(&mut self, now: Duration) {
        let is_due = self.reading.is_stale && self.reading.next().is_some_and(|at| at <= now);
        if !is_due || self.disable.is_busy(now) {
            return;
        }
        let shards = self.view.shards.total;
        let scope = ReadScope::NamedAndShardsFrom(self.managed_names(), shards);
        self.begin_read(scope, ReadStage::Full);
    }

    /// Begins to read the account without tags, if a review is due.
    pub(super) fn begin_review(&mut self, now: Duration) {
        let is_due = !self.reading.is_stale && self.reading.next().is_some_and(|at| at <= now);
        // While planned steps are still to be carried out, a review would plan these steps again.
        let mut steps = self.planned.iter();
        if is_due && steps.all(|step| self.quarantine.contains(step.name(), now)) {
            let scope = ReadScope::Named(self.managed_names());
            self.begin_read(scope, ReadStage::Review);
        }
    }

    fn begin_read(&mut self, scope: ReadScope, stage: ReadStage) {
        self.known.begin_read();
        let read = self.next_read();
        let with_tags = matches!(stage, ReadStage::Full);
        self.reading.under_way = Some((read, stage));
        self.call(Call::ReadAlarms {
            read,
            location: self.view.location.clone(),
            scope,
            with_tags,
        });
    }

    /// Handles the result of the read in progress. A failed review is not retried before the next
    /// review is due, because no other work depends on a review.
    pub(super) fn alarms_read(
        &mut self,
        read: ReadId,
        result: Result<ReadData, CallFailure>,
        now: Duration,
    ) {
        let is_current = |(current, _): &mut (ReadId, ReadStage)| *current == read;
        let Some((_, stage)) = self.reading.under_way.take_if(is_current) else {
            return;
        };
        self.reading.review_at = now + self.review_every;
        let found = match result {
            Ok(ReadData::Alarms(found)) => found,
            Ok(ReadData::States(_)) => return,
            Err(_) => {
                if matches!(stage, ReadStage::Full) {
                    let wait = BACKOFF.delay(self.reading.failures);
                    self.reading.retry_at = now + wait;
                    self.reading.failures = self.reading.failures.saturating_add(1);
                }
                return;
            }
        };
        match stage {
            ReadStage::Full => {
                let plan = self.plan(&found);
                self.adopt(plan);
                self.reading.is_stale = false;
                self.reading.failures = 0;
                self.log(Notice::Planned(self.planned.len()));
            }
            ReadStage::Review => self.compare(found),
            ReadStage::Unknown(mut known) => {
                known.extend(found);
                self.check_changed(known);
            }
            ReadStage::Changed(mut others) => {
                others.extend(found);
                let plan = self.plan(&others);
                self.adopt(plan);
            }
        }
    }

    /// Compares the alarms of a review with the desired alarms. For alarms that are not known as
    /// managed, tags are read first.
    fn compare(&mut self, found: Vec<ActualAlarm>) {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for mut alarm in found {
            if self.known.add_tags(&mut alarm) {
                known.push(alarm);
            } else {
                unknown.push(alarm);
            }
        }
        if unknown.is_empty() {
            self.check_changed(known);
        } else {
            self.read_tags(unknown, ReadStage::Unknown(known));
        }
    }

    /// Adopts the plan for the alarms of a review. If alarms seem to have changed, their tags are
    /// read before the plan is adopted, because such an alarm may be a foreign alarm of the same
    /// name, which must not be overwritten.
    fn check_changed(&mut self, actual: Vec<ActualAlarm>) {
        let plan = self.plan(&actual);
        let changed = plan.steps.iter().filter(|step| step.drift().is_some());
        let changed = changed.filter(|step| !self.drifted.contains_key(step.name()));
        let changed: HashSet<_> = changed.map(Step::name).collect();
        if changed.is_empty() {
            self.adopt(plan);
            return;
        }
        let is_changed = |alarm: &ActualAlarm| changed.contains(alarm.name.as_str());
        let (changed, others) = actual.into_iter().partition(is_changed);
        self.read_tags(changed, ReadStage::Changed(others));
    }

    fn read_tags(&mut self, alarms: Vec<ActualAlarm>, stage: ReadStage) {
        let read = self.next_read();
        self.reading.under_way = Some((read, stage));
        self.call(Call::ReadTags { read, alarms });
    }

    fn plan(&self, actual: &[ActualAlarm]) -> Plan {
        let drift = self.view.cloudwatch.drift;
        Plan::new(&self.managed_alarms(), actual, &self.view.location, drift)
    }

    /// Adopts a plan: stores the known alarms and the steps that create or update an alarm.
    fn adopt(&mut self, plan: Plan) {
        self.planned.clear();
        let mut known = HashMap::new();
        let mut drifted = BTreeMap::new();
        for step in plan.steps {
            // If the alarm was written during the read, the read may have returned the state before
            // the write, so the known state is kept.
            let is_writing = self
                .task
                .as_ref()
                .is_some_and(|task| task.writes(step.name()));
            if is_writing || self.known.is_newer(step.name()) {
                known.extend(self.known.take(step.name()));
                continue;
            }
            if let Some(changes) = step.drift() {
                drifted.insert(step.name().to_owned(), describe(changes));
            }
            match &step {
                Step::Conflict(spec) => {
                    self.report_conflict(spec);
                    known.insert(spec.name.clone(), KnownAlarm::Foreign);
                }
                Step::Unchanged { spec, actual }
                | Step::Update { spec, actual, .. }
                | Step::Drift { spec, actual, .. } => {
                    known.insert(spec.name.clone(), self.known.read(spec, actual));
                }
                Step::Create(spec) => {
                    if let Some(deleted) = self.known.deleted_by_hand(spec) {
                        known.insert(spec.name.clone(), deleted);
                        drifted.insert(spec.name.clone(), DELETED.to_owned());
                        if self.view.cloudwatch.drift == DriftPolicy::Leave {
                            continue;
                        }
                    }
                }
                Step::Orphan(alarm) => self.disable_heartbeat(alarm),
            }
            if matches!(step, Step::Create(_) | Step::Update { .. }) {
                self.planned.push_back(step);
            }
        }
        self.known.replace(known);
        self.set_drifted(drifted);
    }

    /// Records the alarms that were changed by hand: a description of the change, by alarm name.
    /// Reports each new change once.
    pub(super) fn set_drifted(&mut self, drifted: BTreeMap<String, String>) {
        let policy = self.view.cloudwatch.drift;
        for (alarm, differs) in &drifted {
            if self.drifted.get(alarm) != Some(differs) {
                let (alarm, differs) = (alarm.clone(), differs.clone());
                self.outputs
                    .push(Output::Log(Notice::ChangedByHand(alarm, differs, policy)));
            }
        }
        let count = |drifted: &BTreeMap<_, _>| i64::try_from(drifted.len()).unwrap_or(i64::MAX);
        let more = count(&drifted) - count(&self.drifted);
        if more != 0 {
            self.outputs.push(Output::Drifted(more));
        }
        self.drifted = drifted;
    }

    /// Records that an alarm is as configured again, if it was changed by hand.
    pub(super) fn clear_drift(&mut self, name: &str) {
        if self.drifted.remove(name).is_some() {
            self.outputs.push(Output::Drifted(-1));
            self.log(Notice::AsConfigured(name.to_owned()));
        }
    }

    /// Disables the actions of an orphan if it is the heartbeat alarm of a shard that is no longer
    /// configured, and this daemon is the first shard or the only daemon. Other orphans stay
    /// unchanged until `alarms prune` deletes them.
    fn disable_heartbeat(&mut self, alarm: &ActualAlarm) {
        let shards = &self.view.shards;
        let is_first = shards.own.is_none_or(|own| own == 0);
        let shard = heartbeat_shard(&self.view.location, &alarm.name);
        let is_surplus = shard.is_some_and(|shard| shard >= shards.total);
        let is_marked = alarm
            .tags
            .get(DEFINITION_TAG)
            .is_some_and(|tag| tag == DISABLED);
        if is_first && is_surplus && !is_marked {
            self.disable.add([AlarmRef {
                name: alarm.name.clone(),
                arn: Some(alarm.arn.clone()),
            }]);
        }
    }

    fn report_conflict(&mut self, spec: &AlarmSpec) {
        if !matches!(self.known.get(&spec.name), Some(KnownAlarm::Foreign)) {
            self.log(Notice::Conflict(spec.name.clone()));
        }
    }
}

/// Formats differences as text, such as `Period 300 instead of 60`.
fn describe(changes: &[FieldDiff]) -> String {
    let changes: Vec<_> = changes
        .iter()
        .map(|change| format!("{} {} instead of {}", change.field, change.from, change.to))
        .collect();
    changes.join(", ")
}
