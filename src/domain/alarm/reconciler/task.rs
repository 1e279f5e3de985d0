//! The write that is under way, and what belongs to it.

use std::collections::VecDeque;

use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::plan::Step;
use crate::domain::alarm::reconciler::pending::AlarmUpdate;
use crate::domain::alarm::spec::{AlarmKey, AlarmSpec};

/// What the call under way belongs to.
#[derive(Debug)]
pub(super) enum Task {
    Write(Box<Writing>),
    Inspect(Box<Handoff>),
    Handoff(Box<Handoff>),
    /// Disables the actions of these alarms.
    Disable(Vec<String>),
    /// Marks an alarm as disabled by Probecause.
    Mark,
}

/// The write of an alarm.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) spec: AlarmSpec,
    pub(super) annotation: Annotation,
    /// The planned step that is carried out with it.
    pub(super) step: Option<Step>,
    /// Without a step, whether the definition is written with the annotation.
    pub(super) puts_definition: bool,
    pub(super) update: Option<UpdateWrite>,
}

/// An update that is being written.
#[derive(Debug)]
pub(super) struct UpdateWrite {
    pub(super) key: AlarmKey,
    pub(super) update: AlarmUpdate,
    /// Seconds of the target's alarm.
    pub(super) period: u32,
    /// Alarms of the target's causes that are still to be written.
    pub(super) causes: VecDeque<AlarmKey>,
}

/// An update of another daemon's alarm that is being written.
#[derive(Debug)]
pub(super) struct Handoff {
    pub(super) key: AlarmKey,
    pub(super) spec: AlarmSpec,
    pub(super) update: AlarmUpdate,
    /// Decided once the alarm was read.
    pub(super) annotation: Option<Annotation>,
}

impl Task {
    /// Whether it writes the alarm of this name.
    pub(super) fn writes(&self, name: &str) -> bool {
        matches!(self, Self::Write(writing) if writing.spec.name == name)
    }

    /// The update of this alarm, if it is under way.
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
