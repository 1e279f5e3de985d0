//! What the keeper says on an alarm that another daemon manages, because a page hangs on
//! it: that daemon may look a minute later, see nothing of the failure, or be gone.
//!
//! Who has named a cause there also says what becomes of it, until the alarm says something
//! else: then its own daemon has spoken. The definition stays as it is.

use std::time::Duration;

use aws_sdk_cloudwatch::types::StateValue;
use tokio::time::Instant;

use crate::domain::alarm::annotation::{Annotation, CAUSE_TAG, MANAGED_TAG};
use crate::domain::alarm::{AlarmKey, AlarmSpec};
use crate::io::sink::cloudwatch::account;
use crate::io::sink::cloudwatch::client::{Api, CallError};
use crate::io::sink::cloudwatch::desk::{Note, Progress};
use crate::io::sink::cloudwatch::keeper::Keeper;

/// What is done about a note for another daemon's alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Its words are written.
    Say,
    /// It says so already.
    Said,
    /// Not before the alarm is over.
    Wait,
    /// Its own daemon has spoken: what follows is not ours to say.
    Yield,
}

/// An alarm as it was found, and what of it is ours.
#[derive(Clone, Copy, Debug)]
struct Found<'a> {
    /// The cause that it says.
    cause: Option<&'a str>,
    firing: bool,
    /// The cause that we wrote there last.
    lent: Option<&'a str>,
}

impl Keeper {
    /// Writes a note for an alarm that another daemon manages.
    pub(super) async fn write_for_peer(
        &mut self,
        api: &Api,
        subject: AlarmKey,
        note: Note,
    ) -> Result<(), CallError> {
        let Some(spec) = self.held.by_subject.get(&subject).cloned() else {
            note.finish(Progress::Failed);
            return Ok(());
        };
        match self.say_for_peer(api, &spec, &note).await {
            Ok(Turn::Wait) => self.wait_for_the_end(&spec, note),
            Ok(_) => {
                note.finish(Progress::Written);
                self.parked.free(&spec.name);
            }
            Err(failure) => {
                if self.is_lent(&spec) {
                    self.desk.give_back(subject, note);
                } else {
                    note.finish(Progress::Failed);
                }
                return self.put_aside(&spec.name, failure);
            }
        }
        Ok(())
    }

    async fn say_for_peer(
        &mut self,
        api: &Api,
        spec: &AlarmSpec,
        note: &Note,
    ) -> Result<Turn, CallError> {
        let Some(alarm) = account::one(api, &spec.name).await? else {
            // It is made with its words by the one who manages it.
            self.lend(spec, None);
            return Ok(Turn::Yield);
        };
        let arn = alarm.alarm_arn().unwrap_or_default();
        let tags = account::tags_of(api, arn).await?;
        if !tags.contains_key(MANAGED_TAG) {
            self.lend(spec, None);
            return Ok(Turn::Yield);
        }
        let lent = spec.key.target().and_then(|one| self.lent.get(one));
        let found = Found {
            cause: tags.get(CAUSE_TAG).map(String::as_str),
            firing: alarm.state_value() == Some(&StateValue::Alarm),
            lent: lent.map(String::as_str),
        };
        let turn = found.turn(note.words.as_ref(), note.urgent);
        match turn {
            Turn::Say => {
                let healthy = || Annotation::healthy(spec);
                let words = note.words.clone().unwrap_or_else(healthy);
                account::tag_words(api, &self.pace, arn, spec, &words).await?;
                // From here on the alarm says a cause of ours, or none any more.
                self.lend(spec, words.names_cause().then(|| words.cause.clone()));
                account::put_words(api, &self.pace, &alarm, &words).await?;
            }
            Turn::Yield => self.lend(spec, None),
            Turn::Said | Turn::Wait => {}
        }
        Ok(turn)
    }

    /// Looks again when the alarm may be over, unless there is something newer to say.
    fn wait_for_the_end(&self, spec: &AlarmSpec, mut note: Note) {
        let period = Duration::from_secs(u64::from(spec.period));
        note.not_before = Instant::now() + period * 2;
        self.desk.give_back(spec.key.clone(), note);
    }

    fn is_lent(&self, spec: &AlarmSpec) -> bool {
        let target = spec.key.target();
        target.is_some_and(|target| self.lent.contains_key(target))
    }

    /// Remembers which cause of ours an alarm says: while there is one, the notes of its
    /// target do not rest.
    fn lend(&mut self, spec: &AlarmSpec, cause: Option<String>) {
        let Some(target) = spec.key.target() else {
            return;
        };
        self.desk.rest_for(target, cause.is_none());
        match cause {
            Some(cause) => drop(self.lent.insert(target.clone(), cause)),
            None => drop(self.lent.remove(target)),
        }
    }
}

impl Found<'_> {
    /// What to do about words (`None`: all is well), on which a page hangs or not.
    fn turn(self, words: Option<&Annotation>, urgent: bool) -> Turn {
        let ours = self.lent.is_some() && self.lent == self.cause;
        match words {
            Some(words) if self.cause == Some(&words.cause) => Turn::Said,
            Some(_) if urgent || ours => Turn::Say,
            None if ours && self.firing => Turn::Wait,
            None if ours => Turn::Say,
            _ => Turn::Yield,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        (cause, firing, lent): (&str, bool, Option<&str>),
        (words, urgent): (Option<&str>, bool),
        expected: Turn,
    ) {
        let words = words.map(|cause| Annotation {
            cause: cause.to_owned(),
            certainty: "likely".to_owned(),
            owner: "service".to_owned(),
            description: String::new(),
        });
        let found = Found {
            cause: Some(cause),
            firing,
            lent,
        };
        assert_eq!(found.turn(words.as_ref(), urgent), expected);
    }

    #[test]
    fn a_page_finds_its_cause_whoever_manages_the_alarm() {
        check(("none", false, None), (Some("timeout"), true), Turn::Say);
        check(("refused", false, None), (Some("timeout"), true), Turn::Say);
        check(
            ("timeout", false, None),
            (Some("timeout"), true),
            Turn::Said,
        );
    }

    #[test]
    fn only_who_named_the_cause_says_what_becomes_of_it() {
        let ours = ("timeout", true, Some("timeout"));
        check(ours, (Some("refused"), false), Turn::Say);
        let theirs = ("throttled", true, Some("timeout"));
        check(theirs, (Some("refused"), false), Turn::Yield);
        check(theirs, (None, false), Turn::Yield);
        check(("timeout", false, None), (None, false), Turn::Yield);
        check(("none", false, Some("timeout")), (None, false), Turn::Yield);
    }

    #[test]
    fn a_cause_stays_while_the_other_daemon_still_sees_the_failure() {
        check(
            ("timeout", true, Some("timeout")),
            (None, false),
            Turn::Wait,
        );
        check(
            ("timeout", false, Some("timeout")),
            (None, false),
            Turn::Say,
        );
    }
}
