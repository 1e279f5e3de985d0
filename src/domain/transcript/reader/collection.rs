//! Keeps the transcripts of one text, and removes those that repeat others.
//!
//! A person often writes an error message into a sentence and shows the same message again below
//! the command. The message in the sentence is not another failure.

use crate::domain::transcript::outcome::{Outcome, Outcomes};
use crate::domain::transcript::{MAX_TRANSCRIPTS, Reading, Transcript, Unused};

/// How a transcript was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// Whether the transcript may be a heading or the text of a page instead of a response.
    pub(super) is_weak: bool,
    /// Whether the text shows the command that made the request.
    pub(super) has_command: bool,
    /// Whether the transcript was read from an error message of a program.
    pub(super) is_message: bool,
    /// Whether the transcript is an attempt of wget. wget may try a failed request again, so the
    /// same fault may occur twice.
    pub(super) is_try: bool,
}

/// Minimum number of different errors in a list of errors.
const MIN_LIST: usize = 3;

/// The transcripts of one text, in order, and counts of the transcripts and log lines that were not
/// kept.
#[derive(Debug, Default)]
pub(super) struct Collection {
    found: Vec<(Transcript, Origin)>,
    left_out: usize,
    /// Number of log lines about requests that succeeded or whose failure the client caused.
    pub(super) passed: usize,
}

impl Collection {
    /// Adds a transcript, or counts it as left out if there are already [`MAX_TRANSCRIPTS`].
    pub(super) fn add(&mut self, transcript: Transcript, origin: Origin) {
        if self.found.len() < MAX_TRANSCRIPTS {
            self.found.push((transcript, origin));
        } else {
            self.left_out += 1;
        }
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut Transcript> {
        let last = self.found.last_mut();
        last.map(|(transcript, _)| transcript)
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Transcript> {
        let found = self.found.get_mut(index);
        found.map(|(transcript, _)| transcript)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) const fn len(&self) -> usize {
        self.found.len()
    }

    /// Returns the transcripts that are not repetitions. Weak transcripts are returned only if the
    /// text has no others and they are not a list of errors. The first line of each removed
    /// transcript counts as unused.
    ///
    /// A message about a failure that `outcomes` shows to be over is removed as well, and a message
    /// that its author doubts becomes doubtful.
    pub(super) fn finish(mut self, mut unused: Unused, outcomes: &Outcomes) -> Reading {
        let is_list = self.is_list();
        let has_certain = self.found.iter().any(|(_, origin)| !origin.is_weak);
        let endings: Vec<Outcome> = (self.found.iter())
            .map(|(transcript, origin)| outcome_of(transcript, *origin, outcomes))
            .collect();
        for ((transcript, _), ending) in self.found.iter_mut().zip(&endings) {
            transcript.is_doubtful |= *ending == Outcome::Doubted;
        }
        let is_kept = |index: usize| {
            if endings[index] == Outcome::Over {
                return false;
            }
            let is_weak = self.found[index].1.is_weak;
            let is_heading = is_weak && has_certain;
            let is_entry = is_weak && is_list;
            !is_heading && !is_entry && !self.is_repetition(index)
        };
        let kept: Vec<bool> = (0..self.found.len()).map(is_kept).collect();
        let mut transcripts = Vec::new();
        for ((transcript, _), is_kept) in self.found.into_iter().zip(kept) {
            if is_kept {
                transcripts.push(transcript);
            } else {
                unused.add_line(transcript.line);
            }
        }
        // The lines of an execution log may be mixed with other lines, so the transcripts may be
        // out of order.
        transcripts.sort_by_key(|transcript| transcript.line);
        Reading {
            transcripts,
            left_out: self.left_out,
            passed: self.passed,
            unused,
        }
    }

    /// Returns whether the weak transcripts are entries of a list of errors, as in documentation:
    /// their facts state at least [`MIN_LIST`] different errors, and none has a URL.
    fn is_list(&self) -> bool {
        let weak = self.found.iter().filter(|(_, origin)| origin.is_weak);
        let mut errors: Vec<&Vec<_>> = Vec::new();
        for (transcript, _) in weak {
            if transcript.url.is_some() {
                return false;
            }
            if !transcript.facts.is_empty() && !errors.contains(&&transcript.facts) {
                errors.push(&transcript.facts);
            }
        }
        errors.len() >= MIN_LIST
    }

    /// Returns whether the transcript at `index` repeats the fault of another transcript. The other
    /// transcript must have a command, or add the missing URL, or be earlier. An earlier one counts
    /// only if the transcript at `index` is an error message that names no other URL. A transcript
    /// with a command or from wget is never a repetition.
    fn is_repetition(&self, index: usize) -> bool {
        let (own, own_origin) = &self.found[index];
        if own_origin.has_command || own_origin.is_try {
            return false;
        }
        let others = self.found.iter().enumerate();
        others
            .filter(|(other, (transcript, _))| *other != index && has_same_fault(own, transcript))
            .any(|(other, (transcript, origin))| {
                let adds_url = own.url.is_none() && transcript.url.is_some();
                let is_equal = own.url.is_none() || own.url == transcript.url;
                let is_earlier = other < index && own_origin.is_message;
                origin.has_command || adds_url || (is_earlier && is_equal)
            })
    }
}

/// Returns what the text says about the failure of a transcript below it. A response that the text
/// shows in full, and the output of a command, stand for themselves.
fn outcome_of(transcript: &Transcript, origin: Origin, outcomes: &Outcomes) -> Outcome {
    let response = transcript.observation.response.as_ref();
    let is_shown = response.is_some_and(|response| !response.headers.is_empty());
    let is_success = response.is_some_and(|response| response.status < 400);
    if origin.has_command || is_shown || is_success || transcript.log.is_some() {
        return Outcome::Open;
    }
    let fault = transcript.observation.fault.as_ref();
    let text = fault.map_or("", |fault| fault.detail.as_str());
    outcomes.after(transcript.line, transcript.url.as_ref(), text)
}

/// Returns whether two transcripts have the same fault with the same message.
fn has_same_fault(one: &Transcript, other: &Transcript) -> bool {
    let fault = one.observation.fault.as_ref();
    fault.is_some() && fault == other.observation.fault.as_ref()
}
