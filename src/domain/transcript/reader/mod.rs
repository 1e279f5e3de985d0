//! Reads a text line by line and adds each line to the exchange that it belongs to.
//!
//! Each line is cleaned and then passed to the first parser that recognizes it. An unrecognized
//! line belongs to the headers or the body before it, or is other output.

mod clients;
mod collection;
mod documents;
mod durations;
mod logs;
mod pages;
mod quote;
mod results;
mod separate;

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use self::clients::paragraph::Paragraph;
use super::command::{self, MAX_COMMAND};
use super::exchange::{Exchange, Section, Source};
use super::fault::curl;
use super::status;
use super::text::{Cleaner, Line};
use super::time::clocks::Clock;
use super::time::meter;
use super::{Reading, Unused};
use crate::domain::diagnosis::fact::FactValue;
use crate::domain::transcript::clients::prose;
use crate::domain::transcript::clients::trace::Dump;
use crate::domain::transcript::clients::wrapped::Wrapped;
use crate::domain::transcript::documents::json_doc::{self, Block};
use crate::domain::transcript::documents::object;
use crate::domain::transcript::exchange::entry;
use crate::domain::transcript::logs::access_log;
use crate::domain::transcript::logs::execution_log::ExecutionLogs;
use crate::domain::transcript::logs::proxy_log;
use crate::domain::transcript::outcome::Outcomes;
use crate::domain::transcript::pages::heading::Heading;
use crate::domain::transcript::pages::page::Page;
use crate::domain::transcript::reader::collection::Collection;
use crate::domain::transcript::reader::pages::code_list::CodeLine;
use crate::domain::transcript::text::glued::{is_prompt, split_glued};

/// A part of a test result that was copied from the console of API Gateway. The label of the part
/// was read, and its value follows on the next lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Latency,
    Body,
    Headers,
}

/// Reads one text line by line and collects its transcripts.
#[derive(Debug)]
pub(super) struct Reader {
    cleaner: Cleaner,
    current: Exchange,
    /// An incomplete command that continues on the next line.
    command: Option<String>,
    /// The section of a curl trace that is being read.
    dump: Option<Dump>,
    /// A JSON document that is being collected.
    block: Option<Block>,
    /// The dump of an object that is being read.
    object: object::Dump,
    /// The last status code that was alone on a line and has not been added to an object.
    bare_status: Option<u16>,
    /// Whether the current lines belong to a request that is shown without curl's mark `>`.
    in_request: bool,
    /// Whether the previous line is part of a request that curl marked as sent.
    in_sent: bool,
    /// Headers of an object whose status has not been read yet.
    early_headers: Vec<(String, String)>,
    /// The execution logs of REST APIs that are being read.
    execution: ExecutionLogs,
    /// The requests for which nginx logged failed attempts, by `Attempt::request`. The value is the
    /// index of the request's transcript in `found`.
    attempts: BTreeMap<String, usize>,
    /// The part of a console test that the next lines contain; `None` if no part is expected.
    awaited: Option<Awaited>,
    /// The duration of a console test whose status has not been read yet.
    latency: Option<Duration>,
    /// The last heading of an error page whose text was copied from a browser.
    heading: Option<Heading>,
    /// The last failed request that was read from an access log, and the number of its line.
    last_entry: Option<(access_log::Entry, usize)>,
    /// Whether the previous line introduces the message of a proxy about its upstream.
    is_below_proxy: bool,
    /// The line that was last searched for a status code at its start; `None` if it has none. Used
    /// to recognize lists of statuses.
    code_line: Option<CodeLine>,
    /// Whether the last line outside of headers and bodies belongs to a server's message about a
    /// failure that the client caused. The stack trace below such a message is skipped.
    is_of_client: bool,
    /// Whether the current lines are headers of a response in a log.
    in_headers: bool,
    /// Whether `PowerShell` announced a body that starts on the next line.
    awaits_body: bool,
    /// The time of day in the prefix of the current line, in seconds since midnight; `None` if the
    /// line has no timestamp.
    stamp: Option<f64>,
    /// An error message whose lines are being joined.
    wrapped: Option<Wrapped>,
    /// The wrapped paragraph that is being joined.
    paragraph: Paragraph,
    /// A page that is being collected outside of a response.
    page: Option<Page>,
    /// Whether the reader processes the lines of an unrecognized page again, or the text before a
    /// page on the same line. While this is true, no page starts.
    is_replayed: bool,
    /// Bodies that belong to no command, each with the number of its first line, and whether the
    /// text above the body names another protocol than HTTP.
    bodies: Vec<(String, usize, bool)>,
    /// The URL of the last command.
    last_url: Option<Url>,
    /// The number of the line with the last message that states a status; 0 if there is none.
    message_line: usize,
    /// The number of the line with the last message that states a fault; 0 if there is none.
    fault_line: usize,
    /// Whether the previous line ends with words that precede a URL. The current line may then
    /// start with the URL.
    awaits_url: bool,
    /// The facts of each recognized text that only one proxy or platform writes. Used to recognize
    /// repetitions.
    vendor_facts: Vec<Vec<(String, FactValue)>>,
    found: Collection,
    unused: Unused,
    /// Whether no transcript was found since the last command or the start of the text. If so, a
    /// duration does not belong to the last transcript.
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
            in_sent: false,
            early_headers: Vec::new(),
            execution: ExecutionLogs::default(),
            attempts: BTreeMap::new(),
            awaited: None,
            latency: None,
            heading: None,
            last_entry: None,
            is_below_proxy: false,
            code_line: None,
            is_of_client: false,
            in_headers: false,
            awaits_body: false,
            stamp: None,
            wrapped: None,
            paragraph: Paragraph::default(),
            page: None,
            is_replayed: false,
            bodies: Vec::new(),
            last_url: None,
            message_line: 0,
            fault_line: 0,
            awaits_url: false,
            vendor_facts: Vec::new(),
            found: Collection::default(),
            unused: Unused::default(),
            is_separated: true,
        }
    }

    /// Reads a line. `number` is the number of the line, counted from 1. The line is split at
    /// carriage returns, because progress meters use them to overwrite a line. `is_quoted` is whether
    /// the lines around it show that the line quotes a message.
    pub(super) fn line(&mut self, raw: &str, is_quoted: bool, number: usize) {
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
            if self.is_free() && (is_quoted || prose::is_prose(part)) {
                self.unused.add(part, number);
                continue;
            }
            self.read_cleaned_line(&line, number);
        }
    }

    /// Returns whether nothing is being read to which the next line may belong, such as a command,
    /// a response, a JSON document or a page.
    fn is_free(&self) -> bool {
        let is_outside = matches!(self.current.section, Section::Before | Section::After);
        let is_open = self.command.is_some()
            || self.block.is_some()
            || self.dump.is_some()
            || self.page.is_some()
            || self.object.is_open();
        is_outside && !is_open && !self.is_write_out()
    }

    /// Ends the text and returns the transcripts and the unused lines.
    pub(super) fn finish(mut self, outcomes: &Outcomes) -> Reading {
        self.boundary();
        self.next(Exchange::default());
        self.add_kept_bodies();
        self.found.finish(self.unused, outcomes)
    }

    /// Ends everything that is being collected, such as a page or a command, and the current
    /// exchange. Called at the border of a code block, at a new command and at the end of the text.
    fn boundary(&mut self) {
        self.end_paragraph();
        self.end_wrapped();
        self.end_page();
        self.end_block();
        self.end_dump();
        self.end_command();
        self.end_execution();
        if let Some(member) = self.object.end() {
            self.member(member, self.current.line);
        }
        self.awaits_body = false;
        self.end_exchange();
    }

    fn read_cleaned_line(&mut self, line: &Line<'_>, number: usize) {
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
        if self.block.is_none() && self.join_paragraph_line(&line.text, line.stamp, number) {
            return;
        }
        if self.block(json_doc::without_time(&line.text), number) {
            return;
        }
        self.plain(&line.text, line.stamp, number);
    }

    /// Reads a line outside of commands and JSON documents.
    pub(super) fn plain(&mut self, line: &str, stamp: Option<f64>, number: usize) {
        if self.join_wrapped_line(line, stamp, number) {
            return;
        }
        // If standard output has no final line end, standard error follows on the same line.
        let (body, rest) = split_glued(line, self.current.section);
        if let Some(body) = body {
            self.dispatch(body, None, number);
        }
        self.dispatch(rest, stamp, number);
    }

    /// Passes a line to the first parser that recognizes it, or adds the line to the current
    /// section. The line neither continues a command nor belongs to a recognized JSON document.
    fn dispatch(&mut self, line: &str, stamp: Option<f64>, number: usize) {
        self.stamp = stamp;
        if self.read_page_line(line, number) || self.okhttp_end(line) {
            return;
        }
        if self.read_trace_line(line, stamp, number)
            || self.read_timing(line)
            || self.read_retry_notice(line)
        {
            return;
        }
        // nginx logs the messages of applications. An error of curl in such a message may be about
        // a request of the application, so it is not read here.
        if let Some(error) = curl::error(line).filter(|_| !proxy_log::is_line(line)) {
            self.current_or_next();
            self.current.record_curl_error(&error, number);
            self.note_url(line);
            if !self.current.is_answered() {
                self.unused.add_line(number);
            }
            return;
        }
        // A log line of a load balancer may start with `https`, which is also a command of HTTPie.
        let is_logged = line.contains(" app/") && access_log::read(line).is_some();
        if !is_logged && self.start_command(line, stamp, number) {
            return;
        }
        if self.read_marked_line(line, stamp, number) || self.wget(line, number) {
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
            Section::Headers if self.current.is_indented => {
                self.current.header(line.trim_start(), false);
            }
            Section::Headers => self.current.header(line, false),
            Section::Body if is_bare_information(line) => {
                if !self.current.has_no_body() {
                    self.current.end_of_body();
                }
            }
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

    /// Returns whether a line ends the current body. An error message about another request ends a
    /// complete body. A line from the log of another program also ends a body of unknown length
    /// that seems to be complete.
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
}

/// Returns whether a line ends with words that precede a URL, such as `for`.
fn ends_before_url(line: &str) -> bool {
    let line = line.trim_end();
    [" for", " url:", " to", " from", " for url:"]
        .iter()
        .any(|end| line.ends_with(end))
}

/// Returns whether a line is an information line of curl that lost its mark `*`, as in Markdown.
fn is_bare_information(line: &str) -> bool {
    let line = line.trim_end();
    line.starts_with("Connection #") && line.ends_with(" left intact")
        || line.starts_with("Closing connection ") && line.len() < 40
}
