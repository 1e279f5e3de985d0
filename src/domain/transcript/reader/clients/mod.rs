//! Reads the lines outside of headers and bodies: error messages, exit codes, requests and dumps of
//! objects. The modules of `transcript::clients`, such as `message`, parse the lines.

mod aws_error;
mod commands;
mod curl_lines;
mod load_test;
mod okhttp;
pub(super) mod paragraph;
mod unwrap;
mod wget;

use std::sync::LazyLock;

use regex::Regex;

use super::{Reader, ends_before_url};
use crate::domain::transcript::clients::{client_gone, message};
use crate::domain::transcript::command;
use crate::domain::transcript::exchange::entry::Entry;
use crate::domain::transcript::exchange::response::{RawResponse, header_of};
use crate::domain::transcript::exchange::{Exchange, Section, Source};
use crate::domain::transcript::fault::curl::CurlError;
use crate::domain::transcript::pattern::pattern;
use crate::domain::transcript::reader::pages::inline;
use crate::domain::transcript::status;
use crate::domain::transcript::time::clocks::{Clock, Times};
use crate::domain::transcript::time::trailer;

impl Reader {
    /// Reads a line outside of headers and bodies.
    pub(super) fn outside(&mut self, line: &str, number: usize) {
        if line.trim().is_empty() {
            self.in_request = false;
            return;
        }
        // Below a response or a fault, only indented lines, such as a stack trace, belong to it.
        if !self.current.is_answered() || line.starts_with([' ', '\t']) {
            self.current.note_sign(line);
        }
        self.current.is_left = self.current.is_left || is_other_command(line);
        let awaits_url = std::mem::replace(&mut self.awaits_url, ends_before_url(line));
        if awaits_url && self.url_line(line) {
            return;
        }
        if is_binary(line) || self.read_log_line(line, number) || self.read_request_line(line) {
            return;
        }
        if self.code_list(line, number) {
            return;
        }
        if let Some(time) = trailer::total(line) {
            self.record(Clock::Client, time);
        }
        if self.powershell_body(line, number) || self.text_body(line, number) {
            return;
        }
        if self.is_write_out() || self.dictionary(line, number) {
            self.current.unrecognized(line);
            return;
        }
        if self.platform_line(line, number) || self.client_line(line, number) {
            return;
        }
        let members = self.object.line(line);
        if !members.is_empty() || self.object.is_open() {
            for member in members {
                self.member(member, number);
            }
            return;
        }
        if self.devtools_header(line) || self.printed_body(line) {
            return;
        }
        if let Some(status) = status::code(line.trim()).filter(|_| line.trim().len() == 3) {
            self.bare_status = Some(status);
            return;
        }
        self.other_line(line, number);
    }

    /// Reads a line that is an exit code or an error message, or that quotes a body. Any other line
    /// is recorded as unrecognized output.
    fn other_line(&mut self, line: &str, number: usize) {
        let prints_code = self
            .current
            .command
            .as_ref()
            .is_some_and(|it| it.prints_code);
        let code = prints_code.then(|| line.trim().parse().ok()).flatten();
        if let Some(code) = code.or_else(|| message::exit_code(line)) {
            self.exit_code(code, line, number);
        } else if let Some(message) = message::read(line) {
            self.message(&message, line, number);
            if !self.current.is_answered() {
                self.inline_bodies(line, number);
            }
        } else if !self.inline_bodies(line, number) {
            self.note_platform_error(line);
            self.current.unrecognized(line);
            self.unused.add(line, number);
        }
    }

    /// Skips a message of a server about a failure that the client caused, and its stack trace.
    /// Returns whether the line belongs to such a message.
    fn client_line(&mut self, line: &str, number: usize) -> bool {
        self.is_of_client = client_gone::is_of_client(line)
            || self.is_of_client && client_gone::continues_trace(line);
        if self.is_of_client {
            self.unused.add(line, number);
        }
        self.is_of_client
    }

    /// Reads a line that starts with the URL of the request whose error message is on the line
    /// before. Returns whether the line was recognized.
    fn url_line(&mut self, line: &str) -> bool {
        let word = line.split_whitespace().next().unwrap_or_default();
        let url = command::url_of(word.trim_end_matches(['.', ',', ':']));
        let is_open = self.current.is_answered() && self.current.url().is_none();
        match url {
            Some(url) if is_open => {
                self.current.request.url = Some(url);
                true
            }
            _ => false,
        }
    }

    /// Returns whether the current line counts as output of curl's `-w`: the command has this
    /// option, and neither a response nor a fault has been read so far.
    pub(super) fn is_write_out(&self) -> bool {
        let current = &self.current;
        let command = current.command.as_ref();
        !current.is_answered() && command.is_some_and(|command| command.write_out.is_some())
    }

    /// Reads a line of a request that is shown without curl's marks. Returns whether the line was
    /// recognized.
    fn read_request_line(&mut self, line: &str) -> bool {
        if status::is_request_line(line.trim()) && !line.contains("//") {
            self.start_request();
            self.in_request = true;
        } else if !self.in_request || header_of(line).is_none() {
            return false;
        }
        self.current.sent(line.trim());
        true
    }

    /// Records the exit code of a command as an error of curl, if curl may have returned it, no
    /// other command follows, and neither a response nor a fault has been read.
    fn exit_code(&mut self, code: u32, line: &str, number: usize) {
        let is_open = self.current.fault.is_none()
            && self.current.response.is_none()
            && !self.current.is_left;
        // Shells and wrappers use the codes 1 and 2 for failures of their own.
        let is_of_curl = code > 2 || line.contains("curl") || line.trim().len() <= 3;
        if is_open && is_of_curl && self.current.command.is_some() {
            let error = CurlError {
                code,
                message: line.trim().to_owned(),
            };
            self.current.record_curl_error(&error, number);
        }
    }

    /// Returns whether an error message is about another request than that of the current exchange.
    fn is_other_entry(&self, entry: &Entry, message: &message::Message) -> bool {
        let current = &self.current;
        if !current.is_answered() {
            return false;
        }
        match current.source {
            Source::Message => entry.is_apart(&current.entry),
            Source::Wire => {
                entry.has_request() && message.url.is_some() && message.url != current.url()
            }
            Source::Object => false,
        }
    }

    /// Removes the URL and the duration that an earlier entry of a log contributed, if that entry
    /// reports no failure and the line with the properties `entry` is not part of it.
    fn forget_entry(&mut self, entry: &Entry) {
        let current = &mut self.current;
        let is_from_message = current.request.is_of_message || current.entry != Entry::default();
        if current.is_answered() || !is_from_message || !entry.is_apart(&current.entry) {
            return;
        }
        if std::mem::take(&mut current.request.is_of_message) {
            current.request.url = None;
        }
        if current.command.is_none() && current.wget_started.is_none() {
            current.times = Times::default();
        }
        current.entry = Entry::default();
    }

    /// Records an error message in the exchange that it belongs to.
    pub(super) fn message(&mut self, message: &message::Message, line: &str, number: usize) {
        let known = self
            .current
            .response
            .as_ref()
            .map(|response| response.status);
        let is_other = match (message.status, known) {
            (Some(status), Some(known)) => status != known,
            (Some(_), None) => self.current.source == Source::Wire && self.current.is_answered(),
            (None, _) => false,
        };
        self.awaits_body = false;
        if is_other
            && message
                .status
                .is_some_and(|status| self.adopt_status(status, number))
        {
            return;
        }
        let entry = Entry::of(line, self.stamp);
        self.forget_entry(&entry);
        let is_done = self.current.source == Source::Wire && self.current.fault.is_some();
        if is_other
            || (is_done && message.status.is_none() && message.url.is_some())
            || self.is_other_entry(&entry, message)
            || self.is_other_failure(message, line, number)
        {
            self.next(Exchange::default());
        }
        let current = &mut self.current;
        current.note_sign(line);
        current.entry.add(entry);
        if current.source == Source::Wire && current.is_answered() {
            self.unused.add(line, number);
            return;
        }
        let has_url = current.request.url.is_some();
        if let Some(url) = message.url.clone().filter(|_| !has_url) {
            current.progress.uses_tls = url.scheme() == "https";
            current.request.url = Some(url);
            current.request.is_of_message = true;
        }
        match message.status {
            Some(status) => self.message_status(status, message, line, number),
            None => self.message_fault(line, number),
        }
    }

    /// Records the fault that an error message states.
    fn message_fault(&mut self, line: &str, number: usize) {
        let current = &mut self.current;
        if current.request.url.is_none() {
            current.note_host(line);
        }
        if !current.lacks_tls(line) {
            current.message(line, number);
        }
        if current.fault.is_some() {
            current.source = Source::Message;
            // A server's log does not count if the text also shows the failure of a client.
            current.is_weak = current.is_of_server;
            self.fault_line = number;
        } else if current.response.is_none() {
            self.unused.add(line, number);
        }
    }

    /// Records the status that an error message states, and the body in the line.
    fn message_status(
        &mut self,
        status: u16,
        message: &message::Message,
        line: &str,
        number: usize,
    ) {
        self.message_line = number;
        let current = &mut self.current;
        if current.response.is_none() {
            current.begin(number);
            current.source = Source::Message;
            current.is_weak = message.is_weak;
            current.section = Section::After;
            current.fault = None;
            let mut response = RawResponse::of_status(status, message.reason.clone());
            response.is_cut = true;
            response.headers = std::mem::take(&mut self.early_headers);
            current.response = Some(response);
        }
        let body = message.body.clone().or_else(|| inline::body(line, status));
        if let (Some(response), Some(body)) = (&mut current.response, body)
            && response.body.is_empty()
        {
            response.raw_body(&body);
        }
        self.note_platform_error(line);
    }
}

/// Returns whether a line is a shell prompt with a command that does not print an exit code.
fn is_other_command(line: &str) -> bool {
    static PROMPT: LazyLock<Option<Regex>> = LazyLock::new(|| {
        pattern(
            r"^(?:[$%\x{276f}\x{279c}]|(?:\([\w.-]+\) ?)?\[?[\w.-]+@[\w.-]+[: ][^ ]* ?[$#%]|PS [A-Z]:[^>]{0,200}>)\s+(\w.*)$",
        )
    });
    let found = PROMPT.as_ref().and_then(|prompt| prompt.captures(line));
    found.is_some_and(|found| {
        let command = found[1].to_ascii_lowercase();
        let prints_code = ["$?", "errorlevel", "lastexitcode", "$status"];
        !prints_code.iter().any(|part| command.contains(part))
    })
}

/// Returns whether a line is binary data instead of text.
fn is_binary(line: &str) -> bool {
    let invalid = line.matches(char::REPLACEMENT_CHARACTER).count();
    invalid > MAX_INVALID && invalid * 20 > line.len()
}

/// Maximum number of U+FFFD characters (invalid bytes) in a line that is certainly text. A line
/// with more of them may be binary data.
const MAX_INVALID: usize = 8;
