//! Ends the exchanges of a text and keeps their transcripts.

use super::Reader;
use super::collection::Origin;
use crate::domain::transcript::Transcript;
use crate::domain::transcript::exchange::{Exchange, Source};

impl Reader {
    /// Ends the current exchange, keeps its transcripts, and makes `next` the current exchange.
    pub(super) fn next(&mut self, next: Exchange) {
        let mut last = std::mem::replace(&mut self.current, next);
        self.early_headers.clear();
        if let Some(attempt) = last.split() {
            self.keep(last);
            last = attempt;
        }
        self.keep(last);
    }

    /// Ends the current exchange, and records an exchange to which no further line belongs.
    pub(super) fn complete(&mut self, exchange: Exchange) {
        self.next(exchange);
        self.next(Exchange::default());
    }

    /// Keeps the transcript of an ended exchange if it has a response or a fault.
    fn keep(&mut self, last: Exchange) {
        let has_command = last.command.is_some();
        let (line, is_weak) = (last.line, last.is_weak);
        let is_message = last.source == Source::Message;
        let is_try = last.wget_started.is_some();
        if let Some(transcript) = last.finish() {
            let origin = Origin {
                is_weak,
                has_command,
                is_message,
                is_try,
            };
            self.add(transcript, origin);
        } else if has_command && line > 0 {
            self.unused.add_line(line);
        }
    }

    /// Ends the current exchange if it has a response or reports a failure. A command without
    /// output is kept, because its output may follow.
    pub(super) fn end_exchange(&mut self) {
        if self.current.is_answered() || !self.current.reasons.is_empty() {
            self.next(Exchange::default());
        }
    }

    /// Adds the transcript of an exchange that one or more lines of a log describe completely.
    /// Returns its index in `found`; `None` if it was not added.
    pub(super) fn insert(&mut self, exchange: Exchange) -> Option<usize> {
        self.end_exchange();
        let transcript = exchange.finish()?;
        let at = self.found.len();
        self.add(transcript, Origin::default());
        (self.found.len() > at).then_some(at)
    }

    pub(super) fn add(&mut self, transcript: Transcript, origin: Origin) {
        self.is_separated = false;
        self.found.add(transcript, origin);
    }
}
