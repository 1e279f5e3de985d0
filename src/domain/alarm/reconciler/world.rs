//! Simulates a destination in virtual time for tests: a reconciler, an account that it reads and
//! writes, and calls that can be held back or fail.

use std::collections::{BTreeMap, BTreeSet};

use super::call::{CallFailureKind, PeerAlarm, ReadData, Write, WriteFailure, WriteOperation};
use super::*;
use crate::domain::alarm::annotation::{CAUSE_TAG, MANAGED_TAG};
use crate::domain::alarm::definition::Definition;
use crate::domain::alarm::peers::HeartbeatState;
use crate::domain::alarm::plan::ActualAlarm;
use crate::domain::alarm::plan::tests::{applied, settings};
use crate::domain::alarm::{alarms_of_location, desired};
use crate::model::settings::Settings;

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const REVIEW: Duration = Duration::from_secs(600);

/// A reconciler, its account, and its calls in progress.
pub(super) struct World {
    pub(super) reconciler: Reconciler,
    pub(super) now: Duration,
    pub(super) account: BTreeMap<String, ActualAlarm>,
    /// Names of heartbeat alarms in state ALARM; all other existing alarms are in state OK.
    pub(super) stopped: BTreeSet<String>,
    /// Calls in progress.
    pub(super) open: Vec<Call>,
    /// The kinds of calls that are held back, such as `Write`. Such calls stay in progress.
    pub(super) held: Vec<&'static str>,
    /// The calls that fail: kind of call, part of an alarm name (empty for all) and kind of
    /// failure.
    pub(super) failing: Vec<(&'static str, &'static str, CallFailureKind)>,
    /// The calls that ended, such as `Write orders`.
    pub(super) made: Vec<String>,
    pub(super) settled: Vec<(u64, UpdateResult)>,
    pub(super) notices: Vec<Notice>,
    pub(super) drifted: i64,
}

/// Returns the view of settings with one target, `orders`, modified by `change`.
pub(super) fn view(change: impl FnOnce(&mut Settings)) -> Arc<DestinationView> {
    let mut settings = settings(|_, _| {});
    change(&mut settings);
    Arc::new(DestinationView::of_all(&settings))
}

pub(super) fn cause(cause: &str) -> Option<Annotation> {
    Some(Annotation {
        cause: cause.to_owned(),
        certainty: "likely".to_owned(),
        owner: "service".to_owned(),
        description: format!("down: {cause}"),
    })
}

impl World {
    /// Creates the world of a daemon that has just started, with an empty account.
    pub(super) fn start(view: Arc<DestinationView>) -> Self {
        let mut world = Self {
            reconciler: Reconciler::new(view, REVIEW),
            now: Duration::ZERO,
            account: BTreeMap::new(),
            stopped: BTreeSet::new(),
            open: Vec::new(),
            held: Vec::new(),
            failing: Vec::new(),
            made: Vec::new(),
            settled: Vec::new(),
            notices: Vec::new(),
            drifted: 0,
        };
        world.step(Event::Timer);
        world
    }

    /// Creates the world of a daemon that has created all its alarms.
    pub(super) fn applied(view: Arc<DestinationView>) -> Self {
        let mut world = Self::start(view);
        world.run();
        world.made.clear();
        world
    }

    /// Handles one event without ending any call.
    pub(super) fn step(&mut self, event: Event) {
        for output in self.reconciler.step(event, self.now) {
            match output {
                Output::Call(call) => self.open.push(call),
                Output::Settled(ticket, result) => self.settled.push((ticket.0, result)),
                Output::Drifted(more) => self.drifted += more,
                Output::Log(notice) => self.notices.push(notice),
            }
        }
    }

    /// Ends every call that is not held, and the calls that follow, without advancing the time.
    pub(super) fn run(&mut self) {
        while let Some(index) = self.open.iter().position(|call| !self.is_held(call)) {
            let call = self.open.remove(index);
            let outcome = self.perform(call);
            self.step(Event::Finished(outcome));
        }
    }

    /// Advances the time, and runs every timer and call that becomes due.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.run();
        while let Some(at) = self
            .reconciler
            .next_wakeup(self.now)
            .filter(|at| *at <= end)
        {
            self.now = at;
            self.step(Event::Timer);
            self.run();
        }
        self.now = end;
    }

    /// Requests an update that names a cause on a failing target's alarm, and marks the update as
    /// urgent.
    pub(super) fn fail(&mut self, target: &str, name: &str, ticket: u64) {
        self.request(target, cause(name));
        self.step(Event::BecameUrgent {
            target: TargetName::new(target),
            ticket: Ticket(ticket),
        });
    }

    pub(super) fn request(&mut self, target: &str, annotation: Option<Annotation>) {
        self.step(Event::Requested {
            target: TargetName::new(target),
            annotation,
            not_before: self.now,
        });
    }

    /// Returns the cause that the alarm of a target names; empty if the alarm does not exist.
    pub(super) fn named(&self, target: &str) -> &str {
        let alarm = self.account.get(&format!("probecause local {target}"));
        let named = alarm.and_then(|alarm| alarm.tags.get(CAUSE_TAG));
        named.map_or("", String::as_str)
    }

    pub(super) fn alarm(&mut self, target: &str) -> &mut ActualAlarm {
        let name = format!("probecause local {target}");
        self.account.get_mut(&name).unwrap()
    }

    fn is_held(&self, call: &Call) -> bool {
        self.held.contains(&kind(call))
    }

    fn perform(&mut self, call: Call) -> Outcome {
        let failure = self.record(&call);
        match call {
            Call::ReadAlarms { read, .. }
            | Call::ReadTags { read, .. }
            | Call::ReadNamed { read, .. }
            | Call::ReadStates { read, .. } => Outcome::Read {
                read,
                result: failure.map_or_else(|| Ok(self.read(call)), Err),
            },
            Call::Inspect { name } => {
                let found = self.account.get(&name).map(|alarm| PeerAlarm {
                    arn: alarm.arn.clone(),
                    tags: alarm.tags.clone(),
                    firing: false,
                });
                Outcome::Inspected(failure.map_or(Ok(found), Err))
            }
            Call::Write(write) => {
                let failed = failure.map(|failure| WriteFailure {
                    failure,
                    completed: 0,
                    missing: false,
                });
                Outcome::Written(failed.map_or_else(|| self.write(write), Err))
            }
            Call::DisableActions { names } => {
                for name in names.iter().filter(|_| failure.is_none()) {
                    let alarm = self.account.get_mut(name).unwrap();
                    alarm.definition.as_mut().unwrap().actions_enabled = false;
                }
                Outcome::Disabled(failure.map_or(Ok(()), Err))
            }
            Call::Delete { .. } => Outcome::Deleted(Ok(())),
        }
    }

    /// Records a call. Returns the failure with which the call must end, if any.
    fn record(&mut self, call: &Call) -> Option<CallFailure> {
        let name = match call {
            Call::Write(write) => write.alarm.clone(),
            Call::Inspect { name } => name.clone(),
            Call::DisableActions { names } | Call::ReadNamed { names, .. } => names.join(", "),
            _ => String::new(),
        };
        let short = name.replace("probecause local ", "");
        let made = format!("{} {short}", kind(call));
        self.made.push(made.trim_end().to_owned());
        let mut failing = self.failing.iter();
        let fails =
            failing.find(|(operation, part, _)| *operation == kind(call) && name.contains(part));
        fails.map(|(operation, _, kind)| CallFailure {
            operation,
            kind: *kind,
        })
    }

    fn read(&self, call: Call) -> ReadData {
        match call {
            Call::ReadAlarms {
                scope,
                location,
                with_tags,
                ..
            } => {
                let all = self.account.values();
                let included = all.filter(|alarm| scope.includes(&location, &alarm.name));
                let mut found: Vec<_> = included.cloned().collect();
                if !with_tags {
                    found.iter_mut().for_each(|alarm| alarm.tags.clear());
                }
                ReadData::Alarms(found)
            }
            Call::ReadTags { alarms, .. } => {
                let names = alarms.iter().map(|alarm| alarm.name.clone());
                ReadData::Alarms(self.find(&names.collect::<Vec<_>>()))
            }
            Call::ReadNamed { names, .. } => ReadData::Alarms(self.find(&names)),
            Call::ReadStates { names, .. } => {
                let existing = names
                    .into_iter()
                    .filter(|name| self.account.contains_key(name));
                let state = |name: String| {
                    let state = if self.stopped.contains(&name) {
                        HeartbeatState::Alarm
                    } else {
                        HeartbeatState::Ok
                    };
                    (name, state)
                };
                ReadData::States(existing.map(state).collect())
            }
            other => panic!("not a read: {other:?}"),
        }
    }

    fn find(&self, names: &[String]) -> Vec<ActualAlarm> {
        let found = names.iter().filter_map(|name| self.account.get(name));
        found.cloned().collect()
    }

    fn write(&mut self, write: Write) -> Result<Option<String>, WriteFailure> {
        for (completed, operation) in write.operations.into_iter().enumerate() {
            if let WriteOperation::PutDefinition(put) = &operation {
                let fresh = applied(std::slice::from_ref(&put.0)).remove(0);
                let alarm = self.account.entry(write.alarm.clone()).or_insert_with(|| {
                    let tags = put.1.tags(&put.0).into_iter();
                    ActualAlarm {
                        tags: tags.map(|(key, value)| (key.to_owned(), value)).collect(),
                        ..fresh
                    }
                });
                alarm.definition = Some(Definition::of(&put.0));
                alarm.description.clone_from(&put.1.description);
                continue;
            }
            let missing = WriteFailure {
                failure: CallFailure {
                    operation: "DescribeAlarms",
                    kind: CallFailureKind::Transient,
                },
                completed,
                missing: true,
            };
            let alarm = self.account.get_mut(&write.alarm).ok_or(missing)?;
            match operation {
                WriteOperation::Tag(tags) => {
                    let tags = tags.into_iter().map(|(key, value)| (key.to_owned(), value));
                    alarm.tags.extend(tags);
                }
                WriteOperation::PutDescription(text) => alarm.description = text,
                WriteOperation::PutDefinition(_) => {}
            }
        }
        Ok(write.arn)
    }
}

const fn kind(call: &Call) -> &'static str {
    match call {
        Call::ReadAlarms {
            with_tags: true, ..
        } => "ReadAll",
        Call::ReadAlarms { .. } => "Review",
        Call::ReadTags { .. } => "ReadTags",
        Call::ReadNamed { .. } => "ReadNamed",
        Call::ReadStates { .. } => "ReadStates",
        Call::Inspect { .. } => "Inspect",
        Call::Write(_) => "Write",
        Call::DisableActions { .. } => "Disable",
        Call::Delete { .. } => "Delete",
    }
}

/// Returns an alarm with this name that Probecause does not manage.
pub(super) fn foreign(name: &str) -> (String, ActualAlarm) {
    let mut theirs = applied(&desired(&settings(|_, _| {}))).remove(1);
    theirs.name = format!("probecause local {name}");
    theirs.tags.remove(MANAGED_TAG);
    (theirs.name.clone(), theirs)
}

/// Returns all alarms of a location by name, as an account contains them.
pub(super) fn account_of(view: &DestinationView) -> BTreeMap<String, ActualAlarm> {
    let alarms = applied(&alarms_of_location(view)).into_iter();
    alarms.map(|alarm| (alarm.name.clone(), alarm)).collect()
}
