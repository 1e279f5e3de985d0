//! The reconciler's task in progress, with the planned step or update that it writes.
//!
//! At most one task is in progress. `apply`, `handoff` and `schedule` begin tasks, and the outcome
//! of a task's call ends the task.

use std::collections::VecDeque;

use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::plan::Step;
use crate::domain::alarm::reconciler::pending::AlarmUpdate;
use crate::domain::alarm::spec::{AlarmKey, AlarmSpec};

/// A task of the reconciler: a write, or the read that precedes a write to another daemon's alarm.
#[derive(Debug)]
pub(super) enum Task {
    /// Writes an alarm that this daemon manages.
    Write(Box<Writing>),
    /// Reads an alarm that another daemon manages.
    Inspect(Box<Handoff>),
    /// Writes an update to an alarm that another daemon manages.
    Handoff(Box<Handoff>),
    /// Disables the actions of the alarms with these names.
    Disable(Vec<String>),
    /// Writes the tag that marks an alarm as disabled by Probecause.
    Mark,
}

/// The write in progress of an alarm that this daemon manages.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) spec: AlarmSpec,
    pub(super) annotation: Annotation,
    /// The planned step that this write carries out, if any.
    pub(super) step: Option<Step>,
    /// Whether the drift policy requires the definition to be written together with the annotation
    /// even without a planned step.
    pub(super) puts_definition: bool,
    pub(super) update: Option<UpdateWrite>,
}

/// An update that is being written to an alarm that this daemon manages.
#[derive(Debug)]
pub(super) struct UpdateWrite {
    pub(super) key: AlarmKey,
    pub(super) update: AlarmUpdate,
    /// The period of the alarm in seconds. A target's per-cause alarms have the same period as the
    /// target's alarm.
    pub(super) period: u32,
    /// The target's per-cause alarms that are still to be written.
    pub(super) causes: VecDeque<AlarmKey>,
}

/// An update that is being written to an alarm that another daemon manages.
#[derive(Debug)]
pub(super) struct Handoff {
    pub(super) key: AlarmKey,
    pub(super) spec: AlarmSpec,
    pub(super) update: AlarmUpdate,
    /// The annotation to write; `None` until the alarm has been read.
    pub(super) annotation: Option<Annotation>,
}

impl Task {
    /// Returns whether this task writes the alarm `name` and this daemon manages the alarm.
    pub(super) fn writes(&self, name: &str) -> bool {
        matches!(self, Self::Write(writing) if writing.spec.name == name)
    }

    /// Returns the update of the alarm `key` that this task writes; `None` if there is no such
    /// update.
    pub(super) fn update_of(&mut self, key: &AlarmKey) -> Option<&mut AlarmUpdate> {
        match self {
            Self::Write(writing) => {
                let update = writing.update.as_mut();
                let same = update.filter(|update| update.key == *key);
                same.map(|update| &mut update.update)
            }
            Self::Inspect(handoff) | Self::Handoff(handoff) => {
                (handoff.key == *key).then_some(&mut handoff.update)
            }
            Self::Disable(_) | Self::Mark => None,
        }
    }
}
