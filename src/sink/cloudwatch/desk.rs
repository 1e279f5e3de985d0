//! Where the sender leaves what alarms are to say, and the keeper picks it up.
//!
//! One note per target: a newer one replaces an older, so a slow CloudWatch never makes
//! a queue. Who waits for a note learns how it went and never waits for a failing call.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::alarm::words::Words;
use crate::target::TargetName;

/// The notes that wait.
#[derive(Debug, Default)]
pub(super) struct Desk {
    notes: Mutex<HashMap<TargetName, Note>>,
    bell: Notify,
}

/// What one target's alarm is to say.
#[derive(Debug)]
pub(super) struct Note {
    /// `None`: that all is well, in the words of its alarm.
    pub(super) words: Option<Words>,
    /// Its alarm is about to fire.
    pub(super) urgent: bool,
    /// When it may be written.
    pub(super) not_before: Instant,
    progress: watch::Sender<Progress>,
}

/// How far a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Waiting,
    Written,
    /// The last try failed; another will follow.
    Failed,
}

impl Desk {
    /// Leaves a note, in place of an older one.
    pub(super) fn leave(
        &self,
        target: &TargetName,
        words: Option<Words>,
        not_before: Instant,
    ) -> watch::Receiver<Progress> {
        let (progress, receiver) = watch::channel(Progress::Waiting);
        let note = Note {
            words,
            urgent: false,
            not_before,
            progress,
        };
        self.notes().insert(target.clone(), note);
        self.bell.notify_one();
        receiver
    }

    /// Puts a target's note before those that are not urgent.
    pub(super) fn hurry(&self, target: &TargetName) {
        if let Some(note) = self.notes().get_mut(target) {
            note.urgent = true;
            self.bell.notify_one();
        }
    }

    /// Waits until a note is left or hurried.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Takes a note that may be written now, of the given urgency.
    pub(super) fn take(&self, urgent: bool, now: Instant) -> Option<(TargetName, Note)> {
        let mut notes = self.notes();
        let ready = |note: &Note| note.urgent == urgent && note.not_before <= now;
        let target = notes.iter().find(|(_, note)| ready(note))?.0.clone();
        notes.remove_entry(&target)
    }

    /// Takes a target's note, if it may be written now.
    pub(super) fn take_of(&self, target: &TargetName, now: Instant) -> Option<Note> {
        let mut notes = self.notes();
        let ready = notes.get(target)?.not_before <= now;
        ready.then(|| notes.remove(target)).flatten()
    }

    /// Gives a note back for another try, unless there is a newer one.
    pub(super) fn give_back(&self, target: TargetName, note: Note) {
        note.finish(Progress::Failed);
        self.notes().entry(target).or_insert(note);
    }

    /// Tells whoever waits that nothing is being written at present.
    pub(super) fn fail_all(&self) {
        for note in self.notes().values() {
            note.finish(Progress::Failed);
        }
    }

    /// When the next note that waits for its time may be written.
    pub(super) fn next(&self) -> Option<Instant> {
        self.notes().values().map(|note| note.not_before).min()
    }

    fn notes(&self) -> MutexGuard<'_, HashMap<TargetName, Note>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Note {
    /// Tells whoever waits how it went.
    pub(super) fn finish(&self, progress: Progress) {
        self.progress.send_replace(progress);
    }
}
