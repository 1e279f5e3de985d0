//! Brings the alarms of one destination to the desired state, as a pure state machine.
//!
//! [`Reconciler::step`] handles an event and returns the outputs for the executor: calls to make,
//! results of updates, events to log. The reconciler owns the known and the desired state. Order of
//! work: disable the actions of alarms of removed targets, write alarms that are about to fire,
//! carry out the plan, write other updates, review the account. At most one write is in progress.
//! Reads run concurrently with writes, so that an urgent update of a known alarm does not wait for
//! a read. Times are durations since the reconciler was created.
//!
//! `schedule` picks the next work; `pending` holds updates; `apply` writes alarms; `drift` reads
//! and plans; `known` holds the known alarms; `disable_actions` holds alarms of removed targets;
//! `quarantine` holds alarms whose writes failed; `ownership` and `handoff` handle alarms of
//! targets that several daemons probe.

mod apply;
pub mod call;
mod disable_actions;
mod drift;
mod handoff;
mod known;
mod ownership;
mod pending;
mod quarantine;
#[cfg(test)]
mod races;
mod schedule;
mod task;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use self::call::{
    Call, CallFailure, Notice, Outcome, Output, ReadId, Ticket, UpdateResult, WriteFailure,
};
use self::disable_actions::{AlarmRef, DisableActions};
use self::drift::Reading;
use self::known::{KnownAlarm, KnownAlarms};
use self::ownership::Ownership;
use self::pending::PendingUpdates;
use self::quarantine::Quarantine;
use self::task::Task;
use crate::domain::alarm::alarms_of_location;
use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::destination::DestinationView;
use crate::domain::alarm::plan::Step;
use crate::domain::alarm::spec::{AlarmKey, AlarmSpec};
use crate::model::target::TargetName;

/// The state machine that manages the alarms of one destination.
#[derive(Debug)]
pub struct Reconciler {
    view: Arc<DestinationView>,
    review_every: Duration,
    updates: PendingUpdates,
    /// The desired alarms that this daemon manages.
    managed: Specs,
    /// The desired heartbeat alarm of this daemon, and the desired alarms of every target that this
    /// daemon probes.
    probed: Specs,
    ownership: Ownership,
    /// Causes that this daemon wrote to alarms of other daemons and that these alarms still name,
    /// by target.
    handed: HashMap<TargetName, String>,
    known: KnownAlarms,
    reading: Reading,
    /// The alarms that were changed by hand: a description of the change, by alarm name.
    drifted: BTreeMap<String, String>,
    /// Steps of the plan that have not been carried out yet.
    planned: VecDeque<Step>,
    quarantine: Quarantine,
    disable: DisableActions,
    /// The task in progress, with the step or update that the task writes.
    task: Option<Task>,
    failures: u32,
    /// The earliest time of the next call; in the future after a failure that concerns the whole
    /// account.
    not_before: Duration,
    last_read: u64,
    outputs: Vec<Output>,
}

/// An event that the reconciler reacts to.
#[derive(Clone, Debug)]
pub enum Event {
    /// The settings of the destination changed.
    Configured(Arc<DestinationView>),
    /// An annotation of a target's alarm was requested.
    Requested {
        /// The target whose alarm is annotated.
        target: TargetName,
        /// The annotation to write; `None` if no failure is known.
        annotation: Option<Annotation>,
        /// The earliest time to write the annotation.
        not_before: Duration,
    },
    /// The update of a target's alarm became urgent, because the alarm is about to fire.
    BecameUrgent {
        /// The target whose alarm is about to fire.
        target: TargetName,
        /// The ticket that receives the result of the update.
        ticket: Ticket,
    },
    /// An incident of a group of targets or of the prober opened, changed or closed. The field is
    /// the annotation for the heartbeat alarm; `None` if the incident closed.
    Group(Option<Annotation>),
    /// A call ended; the field is its outcome.
    Finished(Outcome),
    /// The time that [`Reconciler::next_wakeup`] returned was reached.
    Timer,
}

/// The definitions of desired alarms, by key.
#[derive(Debug, Default)]
struct Specs {
    by_key: HashMap<AlarmKey, AlarmSpec>,
    /// The keys of the per-cause alarms of each target.
    causes: HashMap<TargetName, Vec<AlarmKey>>,
}

impl Reconciler {
    /// Creates a reconciler that has not read the account yet. The reconciler reviews the account
    /// for changes by hand every `review_every`.
    #[must_use]
    pub fn new(view: Arc<DestinationView>, review_every: Duration) -> Self {
        let mut reconciler = Self {
            view,
            review_every,
            updates: PendingUpdates::default(),
            managed: Specs::default(),
            probed: Specs::default(),
            ownership: Ownership::default(),
            handed: HashMap::new(),
            known: KnownAlarms::default(),
            reading: Reading::new(),
            drifted: BTreeMap::new(),
            planned: VecDeque::new(),
            quarantine: Quarantine::default(),
            disable: DisableActions::default(),
            task: None,
            failures: 0,
            not_before: Duration::ZERO,
            last_read: 0,
            outputs: Vec::new(),
        };
        reconciler.assign_alarms();
        reconciler
    }

    /// Handles one event and returns the outputs for the executor. `now` is the time since the
    /// reconciler was created.
    pub fn step(&mut self, event: Event, now: Duration) -> Vec<Output> {
        let mut only_added = false;
        match event {
            Event::Configured(view) => self.configure(view),
            Event::Requested {
                target,
                annotation,
                not_before,
            } => {
                let key = AlarmKey::Target(target);
                self.updates.add(key, annotation, not_before);
                // If a task is in progress, the new update waits until the task ends, so nothing is
                // scheduled.
                only_added = self.task.is_some();
            }
            Event::BecameUrgent { target, ticket } => self.mark_urgent(&target, ticket),
            Event::Group(annotation) => self.updates.group(annotation, now),
            Event::Finished(outcome) => self.finish(outcome, now),
            Event::Timer => {}
        }
        if !only_added {
            self.schedule(now);
        }
        let settled = self.updates.take_settled().into_iter();
        let settled = settled.map(|(ticket, result)| Output::Settled(ticket, result));
        self.outputs.extend(settled);
        std::mem::take(&mut self.outputs)
    }

    /// Returns the time at which [`Event::Timer`] is due; `None` if no work is due before another
    /// event.
    #[must_use]
    pub fn next_wakeup(&self, now: Duration) -> Option<Duration> {
        if self.is_done() {
            return None;
        }
        if self.not_before > now {
            return Some(self.not_before);
        }
        let disable = self.disable.next(now);
        if !self.view.active {
            return disable;
        }
        let times = [
            disable,
            self.reading.next(),
            self.ownership.next(),
            self.updates.next(now),
            self.quarantine.next(now),
        ];
        times.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// Returns whether the destination is inactive and no work is left: no alarm to disable or to
    /// mark as disabled, and no task in progress.
    #[must_use]
    pub fn is_done(&self) -> bool {
        !self.view.active && self.disable.is_done() && self.task.is_none()
    }

    fn configure(&mut self, view: Arc<DestinationView>) {
        let names = |view: &DestinationView| -> BTreeSet<String> {
            let specs = alarms_of_location(view).into_iter();
            specs.map(|spec| spec.name).collect()
        };
        let desired = names(&view);
        let removed = names(&self.view).into_iter();
        self.disable_removed(removed.filter(|name| !desired.contains(name)));
        self.disable.retain_undesired(&desired);
        self.quarantine.clear();
        self.view = view;
        self.assign_alarms();
        self.reading.restart();
        self.planned.clear();
        self.not_before = Duration::ZERO;
        if !self.view.active {
            self.set_drifted(BTreeMap::new());
        }
    }

    /// Schedules disabling the actions of the named alarms, which are no longer desired. Skips
    /// alarms that this daemon does not manage.
    fn disable_removed(&mut self, removed: impl Iterator<Item = String>) {
        let managed = self.managed_names();
        for name in removed {
            match self.known.get(&name) {
                Some(KnownAlarm::Managed { arn, .. }) => {
                    let arn = arn.clone();
                    self.disable.add([AlarmRef { name, arn }]);
                }
                // A write that creates this alarm again may be in progress, so the alarm may exist.
                Some(KnownAlarm::Deleted { .. }) => self.disable.add_unknown(name),
                None if managed.contains(&name) => self.disable.add_unknown(name),
                Some(KnownAlarm::Foreign) | None => {}
            }
        }
    }

    fn mark_urgent(&mut self, target: &TargetName, ticket: Ticket) {
        let key = AlarmKey::Target(target.clone());
        if self.updates.mark_urgent(target, ticket) {
            return;
        }
        let task = self.task.as_mut();
        match task.and_then(|task| task.update_of(&key)) {
            Some(update) => update.wait(ticket),
            // No update of this alarm is pending or in progress, so none has to be written.
            None => self.updates.settle_now(ticket, UpdateResult::Written),
        }
    }

    fn finish(&mut self, outcome: Outcome, now: Duration) {
        match outcome {
            Outcome::Read { read, result } => {
                match self.disable.handle_lookup(read, &result, now) {
                    Some(true) => {}
                    Some(false) => self.back_off(result.err().as_ref(), now),
                    None => {
                        self.states_read(read, &result, now);
                        self.alarms_read(read, result, now);
                    }
                }
            }
            Outcome::Inspected(result) => {
                if let Some(Task::Inspect(handoff)) = self.task.take() {
                    self.inspected(*handoff, result, now);
                }
            }
            Outcome::Written(result) => {
                if result.is_ok() {
                    self.failures = 0;
                }
                match self.task.take() {
                    Some(Task::Write(writing)) => self.written(*writing, result, now),
                    Some(Task::Handoff(handoff)) => self.handoff_written(*handoff, result, now),
                    Some(Task::Mark) => self.handle_mark(result.err(), now),
                    other => self.task = other,
                }
            }
            Outcome::Disabled(result) => {
                if let Some(Task::Disable(names)) = self.task.take() {
                    self.actions_disabled(names, result, now);
                }
            }
            Outcome::Deleted(_) => {}
        }
    }

    fn actions_disabled(
        &mut self,
        names: Vec<String>,
        result: Result<(), CallFailure>,
        now: Duration,
    ) {
        match result {
            Ok(()) => {
                self.failures = 0;
                self.log(Notice::ActionsDisabled(names.clone()));
                self.disable.record_disabled(names);
            }
            Err(failure) if failure.concerns_one_alarm() => {
                self.disable.record_failure(failure.kind, &names, now);
            }
            Err(failure) => self.back_off(Some(&failure), now),
        }
    }

    /// Handles the result of marking an alarm as disabled. The write is not retried if the alarm
    /// was deleted or the call was denied or rejected.
    fn handle_mark(&mut self, failed: Option<WriteFailure>, now: Duration) {
        match failed {
            Some(failed) if !failed.missing && !failed.failure.concerns_one_alarm() => {
                self.back_off(Some(&failed.failure), now);
            }
            _ => self.disable.finish_mark(),
        }
    }

    fn managed_names(&self) -> HashSet<String> {
        let specs = self.managed.by_key.values();
        specs.map(|spec| spec.name.clone()).collect()
    }

    const fn next_read(&mut self) -> ReadId {
        self.last_read += 1;
        ReadId(self.last_read)
    }

    fn call(&mut self, call: Call) {
        self.outputs.push(Output::Call(call));
    }

    fn log(&mut self, notice: Notice) {
        self.outputs.push(Output::Log(notice));
    }
}

impl Specs {
    fn new(alarms: Vec<AlarmSpec>) -> Self {
        let mut specs = Self::default();
        for spec in alarms {
            if let AlarmKey::Cause { target, .. } = &spec.key {
                let causes = specs.causes.entry(target.clone()).or_default();
                causes.push(spec.key.clone());
            }
            specs.by_key.insert(spec.key.clone(), spec);
        }
        specs
    }
}
