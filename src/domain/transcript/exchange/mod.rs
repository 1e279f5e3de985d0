//! Collects the lines of a text about one request and its response.
//!
//! `reader` recognizes each line and calls the method for this kind of line. This module tracks
//! which section (such as the headers) the next line belongs to. `settle` turns the result into a
//! transcript.

mod address;
mod attempt;
mod doubt;
pub(super) mod entry;
mod loose;
mod protocols;
pub(super) mod response;
pub(super) mod settle;
mod via_proxy;

use url::Url;

use super::command::{self, Command};
use super::fault::curl;
use super::fault::{self, Found, Progress};
use super::status::StatusLine;
use super::time::clocks::{Clock, Times};
use crate::domain::diagnosis::aws::LogFinding;
use crate::domain::diagnosis::fact::FactValue;
use crate::domain::transcript::exchange::entry::Entry;
use crate::domain::transcript::exchange::protocols::Protocols;
use crate::domain::transcript::exchange::response::RawResponse;
use crate::model::observation::{FaultKind, Phase, Phases};

/// One request and its response, as far as they have been read.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange {
    pub(super) command: Option<Command>,
    /// The number of the line on which the command, response or failure starts; zero until the line
    /// is known.
    pub(super) line: usize,
    pub(super) request: Request,
    pub(super) progress: Progress,
    pub(super) response: Option<RawResponse>,
    pub(super) section: Section,
    pub(super) fault: Option<FoundFault>,
    /// The information lines in which curl reported failures after it last established a
    /// connection.
    pub(super) reasons: String,
    pub(super) times: Times,
    pub(super) redirects: u32,
    /// Unrecognized output, which may be the output of `-w` if there is no response.
    pub(super) loose: String,
    pub(super) source: Source,
    /// Whether the text shows the headers with curl's mark `<`.
    pub(super) is_marked: bool,
    /// The duration of each phase, from a HAR file or this program's own output.
    pub(super) phases: Phases,
    /// Facts that the text states: the evidence in this program's own output, the failure in the
    /// log of a proxy, or the code on an error page.
    pub(super) facts: Vec<(String, FactValue)>,
    /// Whether the status of the response is unknown. The status in `response` is then a
    /// placeholder.
    pub(super) is_status_unknown: bool,
    /// What a log of API Gateway states about the request; `None` for other texts.
    pub(super) log: Option<LogFinding>,
    /// Whether the text of the exchange may be something other than a response, such as a heading.
    /// Such an exchange counts only if the text contains no other exchange.
    pub(super) is_weak: bool,
    /// The time of day at which wget started the request, in seconds since midnight; `None` if
    /// unknown.
    pub(super) wget_started: Option<f64>,
    /// Whether the next headers in text from a browser's developer tools belong to the request.
    pub(super) is_closed: bool,
    /// The number of the line on which the current section of a trace starts.
    pub(super) traced_line: usize,
    /// Whether curl repeats the headers of the response without the mark `<`, as with `-iv`.
    pub(super) is_echo: bool,
    /// The properties of the log entry that the error message is part of.
    pub(super) entry: Entry,
    /// Whether it is doubtful that a request failed (see [`super::Transcript::is_doubtful`]).
    pub(super) is_doubtful: bool,
    /// Whether a line shows that an HTTP request was made.
    pub(super) shows_request: bool,
    /// The protocols that the lines of the exchange name.
    pub(super) protocols: Protocols,
    /// Whether a server reports the failed TLS handshake of a client.
    pub(super) is_of_server: bool,
    /// Whether a later line of the text contains another shell command, so that an exit code may
    /// belong to that command.
    pub(super) is_left: bool,
    /// Whether the lines of the headers may be indented.
    pub(super) is_indented: bool,
    /// Whether the fault precedes the response in the text.
    pub(super) is_fault_first: bool,
    /// The number of the line with the last status line.
    pub(super) response_line: usize,
}

/// The known parts of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) url: Option<Url>,
    /// Whether `url` is from an error message.
    pub(super) is_of_message: bool,
    pub(super) method: Option<String>,
    pub(super) host: Option<String>,
    pub(super) path: Option<String>,
    /// The URL of the host that curl's messages name; used if the text shows no other URL.
    pub(super) reached: Option<Url>,
    /// Whether curl used a proxy. Curl's messages may then name the proxy instead of the host.
    pub(super) has_proxy: bool,
}

/// The part of the exchange that the next line belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Section {
    #[default]
    Before,
    Headers,
    Body,
    After,
}

/// The kind of text that an exchange was read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Source {
    /// Lines of the HTTP protocol, as curl shows them.
    #[default]
    Wire,
    /// The dump of an object that a program printed.
    Object,
    /// An error message, a line of a log, or a body without a status line.
    Message,
}

/// A fault and the message that describes it.
#[derive(Clone, Debug)]
pub(super) struct FoundFault {
    pub(super) found: Found,
    pub(super) message: String,
}

/// Maximum length of [`Exchange::reasons`] in bytes.
const MAX_REASONS: usize = 4_096;

impl Exchange {
    /// Creates the exchange for a response of which the text states only the status. `line` is the
    /// number of the line.
    pub(super) fn stated(status: u16, line: usize) -> Self {
        let mut response = RawResponse::of_status(status, None);
        response.is_cut = true;
        Self {
            line,
            source: Source::Message,
            section: Section::After,
            response: Some(response),
            ..Self::default()
        }
    }

    /// Returns whether the exchange has a response or a fault.
    pub(super) fn is_answered(&self) -> bool {
        self.response.is_some() || self.fault.is_some()
    }

    /// Returns whether the exchange is complete. The next request then starts another exchange.
    pub(super) fn is_over(&self) -> bool {
        let answered = self
            .response
            .as_ref()
            .is_some_and(|response| !response.may_precede_another());
        answered || self.fault.is_some()
    }

    /// Sets the command that made the request.
    pub(super) fn set_command(&mut self, text: &str) {
        let command = command::parse(text);
        self.protocols.note_command(text);
        self.progress.is_windows |= command.is_windows;
        let is_https = |url: &Url| url.scheme() == "https";
        self.progress.uses_tls |= command.url.as_ref().is_some_and(is_https);
        self.command = Some(command);
    }

    /// Returns whether a response may follow the fault, because curl's error message may precede
    /// its standard output.
    pub(super) fn may_follow_fault(&self) -> bool {
        let fault = self.fault.as_ref().map(|fault| fault.found);
        self.response
            .as_ref()
            .is_none_or(RawResponse::may_precede_another)
            && self.command.is_some()
            && fault.is_some_and(|found| {
                matches!(found.phase, Phase::Processing | Phase::Transfer)
                    && found.kind != FaultKind::ConnectionClosed
            })
    }

    /// Records the line on which the command, response or failure starts, unless a line is already
    /// recorded.
    pub(super) fn begin(&mut self, line: usize) {
        if self.line == 0 {
            self.line = line;
        }
    }

    /// Records the number of a line at which a response may start, such as the first line of a
    /// trace section.
    pub(super) fn begin_if_unknown(&mut self, line: usize) {
        self.traced_line = line;
    }

    /// Ends the response, if a response has started. The lines that follow are other output.
    pub(super) fn end_of_body(&mut self) {
        if self.section != Section::Before {
            self.section = Section::After;
        }
    }

    /// Returns the progress of the request, with the duration that is known so far.
    pub(super) fn progress(&self) -> Progress {
        Progress {
            is_answered: self.response.is_some(),
            time: self.progress.time.or_else(|| self.times.get()),
            ..self.progress
        }
    }

    /// Records a status line. `marked` is whether curl marked the line as received.
    pub(super) fn status(&mut self, status: StatusLine, marked: bool, line: usize) {
        self.begin(line);
        self.response_line = line;
        let is_repeated = self.response.as_ref().is_some_and(|response| {
            self.is_marked && !marked && response.status == status.status && !self.is_echo
        });
        if is_repeated {
            self.is_echo = true;
            self.section = Section::Headers;
            return;
        }
        if self.response.as_ref().is_some_and(RawResponse::is_redirect) {
            self.redirects += 1;
        }
        self.is_echo = false;
        self.is_fault_first |= self.fault.is_some();
        self.is_marked = marked;
        let mut response = RawResponse::new(status);
        response.is_connect = self.request.method.as_deref() == Some("CONNECT");
        self.response = Some(response);
        self.section = Section::Headers;
    }

    /// Records a header line. `marked` is whether curl marked the line as received.
    pub(super) fn header(&mut self, line: &str, marked: bool) {
        let Some(response) = &mut self.response else {
            return;
        };
        if line.trim().is_empty() {
            // Some texts have an empty line after every line, so not every empty line ends the
            // headers.
            let is_end = marked || !self.is_marked || self.is_echo;
            if is_end && !response.is_spaced_out() {
                self.section = Section::Body;
            }
        } else if self.is_echo && !marked && response.has_header(line) {
            // Curl repeats this header without a mark, so the line is ignored.
        } else if response.header(line, self.is_marked && !marked) {
            self.section = Section::Body;
            if !super::body::is_elision(line) {
                response.body(line);
            }
        }
    }

    /// Returns whether no line of the body was read yet.
    pub(super) fn has_no_body(&self) -> bool {
        let response = self.response.as_ref();
        response.is_none_or(|response| response.body.is_empty())
    }

    /// Returns whether the body is complete according to the announced length, or the response has
    /// no body.
    pub(super) fn has_whole_body(&self) -> bool {
        let response = self.response.as_ref();
        response.is_some_and(|it| it.is_complete() || it.is_without_body(self.method()))
    }

    /// Returns whether the body ends like a complete one, although its length is unknown.
    pub(super) fn has_closed_body(&self) -> bool {
        self.response.as_ref().is_some_and(RawResponse::is_closed)
    }

    /// Records a line of the body.
    pub(super) fn body(&mut self, line: &str) {
        if let Some(response) = &mut self.response {
            response.body(line);
        }
    }

    /// Records a request line or header that curl sent.
    pub(super) fn sent(&mut self, sent: &str) {
        let words: Vec<&str> = sent.split(' ').take(4).collect();
        if let [method, path, version] = words.as_slice()
            && version.starts_with("HTTP/")
        {
            self.request.method = Some((*method).to_owned());
            self.request.path = Some((*path).to_owned());
            self.progress.is_sent |= *method != "CONNECT";
            self.progress.is_known = true;
            self.progress.is_connected = true;
        } else if let Some((name, value)) = sent.split_once(':')
            && name.eq_ignore_ascii_case("host")
        {
            self.request.host = Some(value.trim().to_owned());
        }
    }

    /// Records an information line of curl.
    pub(super) fn information(&mut self, text: &str) {
        self.follow(text);
        self.note_host(text);
        for (name, slot) in [
            ("[:authority: ", &mut self.request.host),
            ("[:path: ", &mut self.request.path),
            ("[:method: ", &mut self.request.method),
        ] {
            if let Some((_, rest)) = text.split_once(name) {
                *slot = Some(rest.trim().trim_end_matches(']').to_owned());
            }
        }
        if text.starts_with("Issue another request to this URL")
            && let Some(response) = &mut self.response
        {
            response.is_interim = true;
        }
        if curl::is_failure(text) {
            if let Some(time) = fault::time_in(text) {
                self.progress.time = Some(time);
                self.times.set(Clock::Message, time);
            }
            if self.reasons.len() + text.len() < MAX_REASONS {
                self.reasons.push_str(text);
                self.reasons.push('\n');
            }
        }
    }

    /// Updates the progress of the connection from an information line of curl.
    fn follow(&mut self, text: &str) {
        let progress = &mut self.progress;
        if text.starts_with("Trying") || text.starts_with("About to connect") {
            progress.is_known = true;
        }
        if text.starts_with("Connected to") || text.ends_with("... connected") {
            progress.is_known = true;
            progress.is_connected = true;
            self.reasons.clear();
        }
        if text.contains("port 443") || text.contains(":443...") || text.starts_with("ALPN") {
            progress.uses_tls = true;
        }
        if text.starts_with("SSL connection using") || text.starts_with("TLS 1.") {
            progress.uses_tls = true;
            progress.is_secured = true;
        }
    }

    /// Records that `curl -v` printed a count of received or sent bytes. Without TLS, a count after
    /// the request and before any header means that the response has no headers (HTTP/0.9).
    pub(super) fn counted(&mut self) {
        let progress = &mut self.progress;
        progress.is_bare = progress.is_sent && !progress.uses_tls && self.response.is_none();
    }

    /// Records a fault from an error message of a program other than curl. Of several messages, the
    /// most specific one counts. After a response, a message counts only if it states that the body
    /// is truncated or cannot be decoded.
    pub(super) fn message(&mut self, message: &str, line: usize) {
        if let Some(time) = fault::time_in(message) {
            self.times.set(Clock::Message, time);
        }
        let Some(found) = fault::of_message(message, &self.progress()) else {
            return;
        };
        let is_better = self
            .fault
            .as_ref()
            .is_none_or(|fault| found.rank < fault.found.rank);
        let ends_body = matches!(found.kind, FaultKind::Truncated | FaultKind::Decode);
        if is_better && (self.response.is_none() || ends_body) {
            self.begin(line);
            self.section = Section::After;
            self.fault = Some(FoundFault {
                found,
                message: message.trim().chars().take(MAX_DETAIL).collect(),
            });
        }
    }
}

/// Maximum length of a fault's message in characters.
pub(super) const MAX_DETAIL: usize = 500;
