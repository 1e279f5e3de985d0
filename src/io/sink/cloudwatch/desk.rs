//! Where the sender leaves what alarms are to say, and the keeper picks it up.
//!
//! One note per alarm: a newer one replaces an older, so a slow CloudWatch never makes
//! a queue. Who waits for a note learns how it went and never waits for a failing call.
//! While a group incident is open the notes of targets rest: one statement on the
//! heartbeat's alarm stands for all of them.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::domain::alarm::AlarmKey;
use crate::domain::alarm::annotation::Annotation;
use crate::model::target::TargetName;

/// The notes that wait.
#[derive(Debug, Default)]
pub(super) struct Desk {
    waiting: Mutex<Waiting>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    notes: HashMap<AlarmKey, Note>,
    /// Only the heartbeat's note is written.
    resting: bool,
    /// Targets whose alarms another daemon manages: their notes rest until it is gone.
    elsewhere: HashSet<TargetName>,
}

/// What one alarm is to say.
#[derive(Debug)]
pub(super) struct Note {
    /// `None`: that all is well, in the words of its alarm.
    pub(super) words: Option<Annotation>,
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
    /// It waits for the end of a group incident, whose own words are the ones to read, or
    /// for the end of the daemon that manages the alarm and writes the same.
    Resting,
    /// The last try failed; another will follow.
    Failed,
}

impl Progress {
    /// Whether a page that goes out now finds the words that it should.
    pub(super) const fn is_in_time(self) -> bool {
        matches!(self, Self::Written | Self::Resting)
    }
}

impl Desk {
    /// Leaves a note for a target's alarm, in place of an older one.
    pub(super) fn leave(
        &self,
        target: &TargetName,
        words: Option<Annotation>,
        not_before: Instant,
    ) -> watch::Receiver<Progress> {
        self.leave_for(AlarmKey::Target(target.clone()), words, not_before)
    }

    /// Leaves a note for any alarm, in place of an older one.
    pub(super) fn leave_for(
        &self,
        subject: AlarmKey,
        words: Option<Annotation>,
        not_before: Instant,
    ) -> watch::Receiver<Progress> {
        let mut waiting = self.waiting();
        let (progress, receiver) = watch::channel(Progress::Waiting);
        let note = Note {
            words,
            urgent: subject == AlarmKey::Heartbeat,
            not_before,
            progress,
        };
        if waiting.rests(&subject, &note) {
            note.finish(Progress::Resting);
        }
        waiting.notes.insert(subject, note);
        drop(waiting);
        self.bell.notify_one();
        receiver
    }

    /// Opens, rewrites or (`None`) ends a group incident: the heartbeat's alarm says its
    /// words before anything else is written, and the notes of targets rest meanwhile.
    /// Those that are still true are written once it is over.
    pub(super) fn group(&self, words: Option<Annotation>) -> watch::Receiver<Progress> {
        self.rest(words.is_some());
        self.leave_for(AlarmKey::Heartbeat, words, Instant::now())
    }

    /// Puts a target's note before those that are not urgent. Not even another daemon's
    /// alarm rests then: that one may not have looked yet.
    pub(super) fn hurry(&self, target: &TargetName) {
        let mut waiting = self.waiting();
        let in_group = waiting.resting;
        if let Some(note) = waiting.notes.get_mut(&AlarmKey::Target(target.clone())) {
            note.urgent = true;
            if !in_group {
                note.finish(Progress::Waiting);
            }
            self.bell.notify_one();
        }
    }

    /// Waits until a note is left or hurried.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Takes a note that may be written now, of the given urgency, of the alarms that can be
    /// written; the heartbeat's first.
    pub(super) fn take(
        &self,
        urgent: bool,
        now: Instant,
        can: &dyn Fn(&AlarmKey) -> bool,
    ) -> Option<(AlarmKey, Note)> {
        let mut waiting = self.waiting();
        let ready = |note: &Note| note.urgent == urgent && note.not_before <= now;
        let notes = waiting.notes.iter();
        let mut subjects = notes
            .filter(|(subject, note)| ready(note) && !waiting.rests(subject, note) && can(subject));
        let first = waiting
            .notes
            .get(&AlarmKey::Heartbeat)
            .filter(|note| ready(note) && can(&AlarmKey::Heartbeat));
        let subject = match first {
            Some(_) => AlarmKey::Heartbeat,
            None => subjects.next()?.0.clone(),
        };
        waiting.notes.remove_entry(&subject)
    }

    /// Takes an alarm's note, if it may be written now. A resting one is taken too: who
    /// asks writes the alarm anyway.
    pub(super) fn take_of(&self, subject: &AlarmKey, now: Instant) -> Option<Note> {
        let mut waiting = self.waiting();
        let ready = waiting.notes.get(subject)?.not_before <= now;
        ready.then(|| waiting.notes.remove(subject)).flatten()
    }

    /// Forgets an alarm's note: something newer was written without it.
    pub(super) fn discard(&self, subject: &AlarmKey) {
        if let Some(note) = self.waiting().notes.remove(subject) {
            note.finish(Progress::Written);
        }
    }

    /// Gives a note back for another try, unless there is a newer one.
    pub(super) fn give_back(&self, subject: AlarmKey, note: Note) {
        note.finish(Progress::Failed);
        self.waiting().notes.entry(subject).or_insert(note);
    }

    /// Tells whoever waits that nothing is being written at present.
    pub(super) fn fail_all(&self) {
        self.fail_where(&|_| true);
    }

    /// Tells whoever waits for the alarms that cannot be written that it is in vain.
    pub(super) fn fail_where(&self, cannot: &dyn Fn(&AlarmKey) -> bool) {
        for (subject, note) in &self.waiting().notes {
            let waits = *note.progress.borrow() == Progress::Waiting;
            if waits && cannot(subject) {
                note.finish(Progress::Failed);
            }
        }
    }

    /// When the next note that waits for its time may be written.
    pub(super) fn next(&self) -> Option<Instant> {
        let waiting = self.waiting();
        let notes = waiting.notes.iter();
        notes
            .filter(|(subject, note)| !waiting.rests(subject, note))
            .map(|(_, note)| note.not_before)
            .min()
    }

    fn rest(&self, resting: bool) {
        let mut waiting = self.waiting();
        waiting.resting = resting;
        waiting.settle();
    }

    /// Lets the notes of these targets rest, and of no others.
    pub(super) fn rest_elsewhere(&self, targets: HashSet<TargetName>) {
        let mut waiting = self.waiting();
        waiting.elsewhere = targets;
        waiting.settle();
        drop(waiting);
        self.bell.notify_one();
    }

    /// Lets the notes of a target rest, or (`false`) be written, though another daemon
    /// manages its alarm.
    pub(super) fn rest_for(&self, target: &TargetName, resting: bool) {
        let mut waiting = self.waiting();
        if resting {
            waiting.elsewhere.insert(target.clone());
            waiting.settle();
        } else {
            waiting.elsewhere.remove(target);
            drop(waiting);
            self.bell.notify_one();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn rests(&self, subject: &AlarmKey, note: &Note) -> bool {
        match subject.target() {
            Some(target) => self.resting || (!note.urgent && self.elsewhere.contains(target)),
            None => false,
        }
    }

    /// Tells whoever waits for a resting note that it need not.
    fn settle(&self) {
        for (subject, note) in &self.notes {
            if self.rests(subject, note) {
                note.finish(Progress::Resting);
            }
        }
    }
}

impl Note {
    /// Tells whoever waits how it went.
    pub(super) fn finish(&self, progress: Progress) {
        self.progress.send_replace(progress);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::target::Target;

    fn name(text: &str) -> TargetName {
        let url = "https://orders.example/".parse().unwrap();
        Target::with_defaults(text, url).name
    }

    fn words(cause: &str) -> Option<Annotation> {
        Some(Annotation {
            cause: cause.to_owned(),
            certainty: "likely".to_owned(),
            owner: "prober".to_owned(),
            description: String::new(),
        })
    }

    /// Every note in the order in which the keeper takes them.
    fn taken(desk: &Desk) -> String {
        let now = Instant::now();
        let any = |_: &AlarmKey| true;
        let take = || {
            desk.take(true, now, &any)
                .or_else(|| desk.take(false, now, &any))
        };
        let subjects = std::iter::from_fn(take).map(|(subject, _)| subject.to_string());
        subjects.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_heartbeats_note_goes_before_all_others() {
        let desk = Desk::default();
        for target in ["a", "b", "c"] {
            desk.leave(&name(target), words("dns-failure"), Instant::now());
            desk.hurry(&name(target));
        }
        desk.leave_for(AlarmKey::Heartbeat, words("prober-local"), Instant::now());
        assert!(taken(&desk).starts_with("heartbeat "));
    }

    #[test]
    fn targets_rest_while_a_group_is_open_and_are_written_when_it_is_over() {
        let desk = Desk::default();
        let before = desk.leave(&name("a"), words("dns-failure"), Instant::now());
        let group = desk.group(words("prober-local"));
        let during = desk.leave(&name("b"), words("dns-failure"), Instant::now());
        desk.hurry(&name("b"));
        assert!(before.borrow().is_in_time(), "its words are the group's");
        assert!(during.borrow().is_in_time());
        assert_eq!(*group.borrow(), Progress::Waiting);
        assert_eq!(taken(&desk), "heartbeat");
        assert_eq!(desk.next(), None, "nothing to wake up for");
        desk.fail_all();
        assert!(during.borrow().is_in_time(), "resting is no failure");
        desk.group(None);
        assert_eq!(taken(&desk), "heartbeat b a");
    }

    #[test]
    fn what_another_daemon_manages_rests_until_that_is_gone() {
        let desk = Desk::default();
        desk.rest_elsewhere([name("a")].into());
        let theirs = desk.leave(&name("a"), words("dns-failure"), Instant::now());
        let ours = desk.leave(&name("b"), words("dns-failure"), Instant::now());
        assert!(theirs.borrow().is_in_time(), "the other one writes it");
        assert!(!ours.borrow().is_in_time());
        assert_eq!(taken(&desk), "b");
        desk.rest_elsewhere(HashSet::new());
        assert_eq!(taken(&desk), "a");
    }

    #[test]
    fn what_another_daemon_manages_does_not_rest_when_a_page_hangs_on_it() {
        let desk = Desk::default();
        desk.rest_elsewhere([name("a")].into());
        let theirs = desk.leave(&name("a"), words("dns-failure"), Instant::now());
        desk.hurry(&name("a"));
        assert!(!theirs.borrow().is_in_time(), "nobody has written it yet");
        assert_eq!(taken(&desk), "a");
    }

    #[test]
    fn who_waits_for_an_alarm_that_cannot_be_written_is_told_at_once() {
        let desk = Desk::default();
        let waits = desk.leave(&name("a"), words("dns-failure"), Instant::now());
        let other = desk.leave(&name("b"), words("dns-failure"), Instant::now());
        desk.hurry(&name("a"));
        let is_a = |subject: &AlarmKey| subject.target() == Some(&name("a"));
        desk.fail_where(&is_a);
        assert_eq!(*waits.borrow(), Progress::Failed);
        assert_eq!(*other.borrow(), Progress::Waiting);
        assert!(
            desk.take(true, Instant::now(), &|subject| !is_a(subject))
                .is_none()
        );
    }

    #[test]
    fn a_newer_note_takes_the_place_of_a_resting_one() {
        let desk = Desk::default();
        desk.group(words("prober-local"));
        desk.leave(&name("a"), words("dns-failure"), Instant::now());
        desk.leave(&name("a"), None, Instant::now());
        desk.group(None);
        desk.discard(&AlarmKey::Heartbeat);
        let (_, note) = desk.take(false, Instant::now(), &|_| true).unwrap();
        assert_eq!(note.words, None, "no longer true, not written");
    }
}
