//! Reads a text line by line and adds each line to the exchange that it belongs to.
//!
//! Each line is cleaned and then passed to the first parser that recognizes it. An unrecognized
//! line belongs to the headers or the body before it, or is other output.

use std::collections::BTreeMap;

use super::command::{self, MAX_COMMAND};
use super::entry;
use super::exchange::{Exchange, Section, Source};
use super::execution_log::ExecutionLogs;
use super::fault::curl;
use super::glued::{is_prompt, split_glued};
use super::json_doc::{self, Block};
use super::object;
use super::proxy_log;
use super::status;
use super::text::{Cleaner, Line};
use super::time::clocks::Clock;
use super::time::{clock, meter};
use super::trace::Dump;
use super::{MAX_TRANSCRIPTS, Reading, Transcript, Unused};

/// Reads one text line by line and collects its transcripts.
#[derive(Debug)]
pub(super) struct Reader {
    cleaner: Cleaner,
    pub(super) current: Exchange,
    /// An incomplete command that continues on the next line.
    command: Option<String>,
    /// The section of a curl trace that is being read.
    pub(super) dump: Option<Dump>,
    /// A JSON document that is being collected.
    pub(super) block: Option<Block>,
    /// The dump of an object that is being read.
    pub(super) object: object::Dump,
    /// The status from a line that consists of a status code only.
    pub(super) bare_status: Option<u16>,
    /// Whether the current lines belong to a request that is shown without curl's mark `>`.
    pub(super) in_request: bool,
    /// Headers of an object whose status has not been read yet.
    pub(super) early_headers: Vec<(String, String)>,
    /// The execution logs of REST APIs that are being read.
    pub(super) execution: ExecutionLogs,
    /// For each request of which nginx logged a failed attempt, the index of its transcript in
    /// `found`.
    pub(super) attempts: BTreeMap<String, usize>,
    /// Whether `PowerShell` announced a body that starts on the next line.
    pub(super) awaits_body: bool,
    /// The time of day in the prefix of the current line, in seconds since midnight.
    pub(super) stamp: Option<f64>,
    pub(super) found: Vec<Transcript>,
    /// For each transcript in `found`, whether it may be a heading or the text of a page.
    weak: Vec<bool>,
    left_out: usize,
    pub(super) unused: Unused,
    /// The value of `unused` at the last command.
    pub(super) unused_before: Unused,
    /// Whether no transcript was found since the last command or the start of the text.
    is_separated: bool,
}

impl Reader {
    pub(super) fn new(text: &str) -> Self {
        Self {
            cleaner: Cleaner::new(text),
            current: Exchange::default(),
            command: None,
            dump: None,
            block: None,
            object: object::Dump::default(),
            bare_status: None,
            in_request: false,
            early_headers: Vec::new(),
            execution: ExecutionLogs::default(),
            attempts: BTreeMap::new(),
            awaits_body: false,
            stamp: None,
            found: Vec::new(),
            weak: Vec::new(),
            left_out: 0,
            unused: Unused::default(),
            unused_before: Unused::default(),
            is_separated: true,
        }
    }

    /// Reads a line. `number` is the number of the line, counted from 1. The line is split at
    /// carriage returns, because progress meters use them to overwrite a line.
    pub(super) fn line(&mut self, raw: &str, number: usize) {
        let raw = raw.trim_end_matches('\r');
        for part in raw.split('\r') {
            self.cleaner.is_in_body = self.current.section == Section::Body;
            let line = self.cleaner.clean(part);
            if let Some(spent) = line.spent {
                self.current.times.set(Clock::Meter, spent);
            }
            // An empty part between carriage returns is not an empty line.
            if line.text.is_empty() && part.len() < raw.len() {
                continue;
            }
            if line.is_fence {
                self.boundary();
                if line.text.is_empty() {
                    continue;
                }
            }
            let (text, spent) = meter::removed(&line.text);
            if let Some(spent) = spent {
                self.current.times.set(Clock::Meter, spent);
            }
            if text.is_empty() && !line.text.is_empty() {
                continue;
            }
            let line = Line {
                text: text.into(),
                ..line.clone()
            };
            self.cleaned(&line, number);
        }
    }

    /// Ends the text and returns the transcripts and the unused lines.
    pub(super) fn finish(mut self) -> Reading {
        self.boundary();
        self.next(Exchange::default());
        // Possible headings are kept only if no other transcript was found.
        if self.weak.iter().any(|weak| !weak) {
            let mut weak = self.weak.iter();
            let unused = &mut self.unused;
            self.found.retain(|transcript| {
                let is_weak = weak.next() == Some(&true);
                if is_weak {
                    unused.add_line(transcript.line);
                }
                !is_weak
            });
        }
        // The lines of an execution log may be mixed with other lines.
        self.found.sort_by_key(|transcript| transcript.line);
        Reading {
            transcripts: self.found,
            left_out: self.left_out,
            unused: self.unused,
        }
    }

    /// Ends the current exchange and continues with `next`. Keeps the transcript of the ended
    /// exchange if it has a response or a fault.
    pub(super) fn next(&mut self, next: Exchange) {
        let last = std::mem::replace(&mut self.current, next);
        self.early_headers.clear();
        let is_weak = last.is_weak;
        let (line, has_command) = (last.line, last.command.is_some());
        if let Some(transcript) = last.finish() {
            self.add(transcript, is_weak);
        } else if has_command && line > 0 {
            self.unused.add_line(line);
        }
    }

    /// Ends the current exchange if it has a response or reports a failure. A command without output
    /// is kept, because its output may follow.
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
        self.add(transcript, false);
        (self.found.len() > at).then_some(at)
    }

    pub(super) fn add(&mut self, transcript: Transcript, is_weak: bool) {
        self.is_separated = false;
        if self.found.len() < MAX_TRANSCRIPTS {
            self.weak.push(is_weak);
            self.found.push(transcript);
        } else {
            self.left_out += 1;
        }
    }

    /// Ends the current document, trace section, command and exchange at the border of a code
    /// block, at a new command or at the end of the text.
    fn boundary(&mut self) {
        self.end_block();
        self.end_dump();
        self.end_command();
        self.end_execution();
        self.object = object::Dump::default();
        self.awaits_body = false;
        self.end_exchange();
    }

    fn cleaned(&mut self, line: &Line<'_>, number: usize) {
        if let Some(command) = &mut self.command {
            let is_longer = command.len() + line.text.len() < MAX_COMMAND;
            if is_longer && !line.text.is_empty() {
                command.push('\n');
                command.push_str(&line.text);
            }
            if !command::continues(&line.text) {
                self.end_command();
            }
            return;
        }
        if self.block(json_doc::without_time(&line.text), number) {
            return;
        }
        // If standard output has no final line end, standard error follows on the same line.
        let (body, rest) = split_glued(&line.text, self.current.section);
        if let Some(body) = body {
            self.dispatch(body, None, number);
        }
        self.dispatch(rest, line.stamp, number);
    }

    /// Passes a line to the first parser that recognizes it, or adds the line to the current
    /// section. The line neither continues a command nor belongs to a recognized JSON document.
    pub(super) fn dispatch(&mut self, line: &str, stamp: Option<f64>, number: usize) {
        self.stamp = stamp;
        if self.traced(line, stamp, number) || self.timed(line) {
            return;
        }
        // nginx logs the messages of applications, which may contain errors of their own requests.
        if let Some(error) = curl::error(line).filter(|_| !proxy_log::is_line(line)) {
            self.current_or_next();
            self.current.curl_failed(&error, number);
            if !self.current.is_answered() {
                self.unused.add_line(number);
            }
            return;
        }
        if self.commanded(line, stamp, number) {
            return;
        }
        if self.marked(line, stamp, number) || self.wget(line, number) {
            return;
        }
        if let Some(status) = status::parse(line.trim_end()) {
            if !self.is_raw_form(status.status) {
                self.start_response(false);
            }
            self.current.times.stamp(stamp, false, self.has_stamps());
            self.current.status(status, false, number);
            return;
        }
        match self.current.section {
            Section::Headers => self.current.header(line, false),
            Section::Body if is_prompt(line) => self.current.end_of_body(),
            Section::Body if self.ends_body(line) => {
                self.current.end_of_body();
                if !self.block(json_doc::without_time(line), number) {
                    self.outside(line, number);
                }
            }
            Section::Body => self.current.body(line),
            Section::Before | Section::After => self.outside(line, number),
        }
    }

    /// Returns whether a line after a complete body is an error message about another request or is
    /// from the log of another program.
    fn ends_body(&self, line: &str) -> bool {
        let is_whole = self.current.has_whole_body();
        is_whole && entry::names_request(line)
            || (is_whole || self.current.has_closed_body()) && Self::is_logged(line)
    }

    /// Returns whether a status line starts the raw form of a response that was already read as an
    /// object; `PowerShell` prints both. If so, sets the exchange's source to [`Source::Wire`].
    fn is_raw_form(&mut self, status: u16) -> bool {
        let current = &mut self.current;
        let known = current.response.as_ref().map(|response| response.status);
        let repeats = current.source == Source::Object && known == Some(status);
        if repeats {
            current.source = Source::Wire;
        }
        repeats
    }

    /// Returns whether curl itself added timestamps to the lines (`--trace-time`).
    pub(super) fn has_stamps(&self) -> bool {
        let command = self.current.command.as_ref();
        command.is_some_and(|command| command.stamps)
    }

    /// Reads the duration that a shell or a `time` program prints. Returns whether the line is part
    /// of such output.
    fn timed(&mut self, line: &str) -> bool {
        if let Some(time) = clock::elapsed(line) {
            self.record(Clock::Shell, time);
            self.current.end_of_body();
            return true;
        }
        let is_other = clock::is_other(line);
        if is_other {
            self.current.end_of_body();
        }
        is_other
    }

    /// Records a duration for the last transcript if it has no duration and nothing was read after
    /// it; otherwise for the current exchange.
    pub(super) fn record(&mut self, clock: Clock, time: std::time::Duration) {
        let is_new = !self.current.is_answered()
            && self.current.reasons.is_empty()
            && self.current.command.is_none();
        match self.found.last_mut() {
            Some(last) if is_new && !self.is_separated && !last.timed => {
                last.observation.duration = time;
                last.timed = true;
            }
            _ => self.current.times.set(clock, time),
        }
    }

    /// Reads the first line of a command. Returns whether the line starts a command.
    fn commanded(&mut self, line: &str, stamp: Option<f64>, number: usize) -> bool {
        let is_inside = matches!(self.current.section, Section::Headers | Section::Body);
        let Some(command) = command::find(line, is_inside) else {
            return false;
        };
        self.boundary();
        let last = std::mem::take(&mut self.current);
        // The last exchange is discarded, because it has neither a response nor a fault. If it has
        // a command, its first line counts as unused.
        if last.command.is_some() && last.line > 0 {
            self.unused.add_line(last.line);
        }
        self.is_separated = true;
        self.unused_before = self.unused;
        let end = command.floor_char_boundary(MAX_COMMAND);
        self.command = Some(command[..end].to_owned());
        self.current.progress.is_windows = line.starts_with("PS ") || line.contains(":\\");
        self.current.begin(number);
        self.current.times.stamp(stamp, true, false);
        if !command::continues(line) {
            self.end_command();
        }
        true
    }

    fn end_command(&mut self) {
        if let Some(command) = self.command.take() {
            self.current.set_command(&command);
        }
    }
}
