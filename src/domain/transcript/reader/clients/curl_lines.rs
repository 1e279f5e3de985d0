//! Reads the lines of curl's `-v` output, which start with a mark such as `*`, `>` or `<`, and of
//! curl's `--trace` output.

use crate::domain::transcript::clients::trace::{Dump, Kind};
use crate::domain::transcript::exchange::response::RawResponse;
use crate::domain::transcript::exchange::{Exchange, FoundFault, Section, Source};
use crate::domain::transcript::fault::curl::CurlError;
use crate::domain::transcript::fault::{self, Found};
use crate::domain::transcript::reader::Reader;
use crate::domain::transcript::status;
use crate::domain::transcript::text;
use crate::domain::transcript::time::clocks::Clock;
use crate::model::observation::FaultKind;

impl Reader {
    /// Reads a line of a curl trace. Returns whether the line belongs to a trace.
    pub(in crate::domain::transcript::reader) fn read_trace_line(
        &mut self,
        line: &str,
        stamp: Option<f64>,
        number: usize,
    ) -> bool {
        if let Some(information) = line.strip_prefix("== Info: ") {
            self.end_dump();
            self.information(information.trim(), stamp);
            return true;
        }
        if let Some(dump) = Dump::start(line) {
            self.end_dump();
            if dump.kind == Kind::SentHeader {
                self.start_request();
            }
            let is_exact = true;
            let started = dump.kind == Kind::SentHeader;
            if matches!(dump.kind, Kind::SentHeader | Kind::ReceivedHeader) {
                self.current.times.stamp(stamp, started, is_exact);
            }
            self.dump = Some(dump);
            self.current.begin_if_unknown(number);
            return true;
        }
        let is_data = self.dump.as_mut().is_some_and(|dump| dump.data(line));
        if !is_data {
            self.end_dump();
        }
        is_data
    }

    /// Ends the current section of a trace and adds its data to the exchange.
    pub(in crate::domain::transcript::reader) fn end_dump(&mut self) {
        let Some(dump) = self.dump.take() else { return };
        let text = dump.text();
        let number = self.current.traced_line;
        for line in text.strip_suffix("\r\n").unwrap_or(&text).split("\r\n") {
            match dump.kind {
                Kind::SentHeader => self.current.sent(line),
                Kind::ReceivedHeader => self.read_received_line(line, number),
                Kind::ReceivedData | Kind::Other => {}
            }
        }
        if dump.kind == Kind::ReceivedData
            && let Some(response) = &mut self.current.response
        {
            response.raw_body(&text);
        }
    }

    /// Reads a line with one of curl's marks, such as `*`, `>` or `<`. Returns whether the line was
    /// recognized.
    pub(in crate::domain::transcript::reader) fn read_marked_line(
        &mut self,
        line: &str,
        stamp: Option<f64>,
        number: usize,
    ) -> bool {
        if is_count(line) {
            self.current.counted();
            return true;
        }
        self.in_sent &= line.starts_with('>');
        let is_inside = self.current.section == Section::Body;
        if let Some(rest) = line.strip_prefix('*')
            && (rest.starts_with([' ', '\t']) || rest.is_empty())
            && (!is_inside || self.current.is_marked || text::is_information(rest))
        {
            self.information(rest.trim(), stamp);
            return true;
        }
        if let Some(sent) = line.strip_prefix('>')
            && (sent.is_empty() || sent.starts_with(' '))
            && (!is_inside || self.current.is_marked)
        {
            if self.read_quoted_line(line, number) {
                return true;
            }
            let sent = sent.trim();
            self.in_sent = !sent.is_empty();
            if status::is_request_line(sent) {
                self.start_request();
                self.current.times.stamp(stamp, true, self.has_stamps());
            }
            self.current.sent(sent);
            return true;
        }
        if let Some(received) = line
            .strip_prefix("< ")
            .or_else(|| (line == "<").then_some(""))
        {
            if status::parse(received).is_some() {
                self.start_response(true);
                self.current.times.stamp(stamp, false, self.has_stamps());
            } else if is_inside && !self.current.is_marked {
                return false;
            }
            self.read_received_line(received, number);
            return true;
        }
        false
    }

    /// Reads a line that curl marked as received.
    fn read_received_line(&mut self, line: &str, number: usize) {
        if let Some(status) = status::parse(line.trim_end()) {
            self.start_response(true);
            self.current.status(status, true, number);
        } else if self.current.section == Section::Headers {
            self.current.header(line.trim_end(), true);
        }
    }

    fn information(&mut self, text: &str, stamp: Option<f64>) {
        let starts = text.starts_with("Trying") || text.starts_with("About to connect");
        if starts && self.current.is_over() {
            self.next(self.current.successor());
        }
        if starts {
            self.current.times.stamp(stamp, true, self.has_stamps());
        }
        self.current.information(text);
    }

    /// Starts another exchange at a request line if the current exchange is complete.
    pub(in crate::domain::transcript::reader) fn start_request(&mut self) {
        if self.current.is_over() {
            self.next(self.current.successor());
        }
    }

    /// Starts another exchange at a status line, unless the line belongs to the current exchange.
    /// `marked` is whether curl marked the line as received.
    pub(in crate::domain::transcript::reader) fn start_response(&mut self, marked: bool) {
        let is_repeated = self.current.is_marked && !marked;
        let has_failed = self.current.fault.is_some() && !self.current.may_follow_fault();
        let is_wire = self.current.source == Source::Wire;
        let follows = self.current.may_follow_fault() && !marked;
        if (self.current.is_over() && !is_repeated && !follows) || has_failed || !is_wire {
            self.next(self.current.successor());
        }
    }

    /// Reads curl's announcement of another attempt after a failure. Returns whether the line was
    /// recognized.
    pub(in crate::domain::transcript::reader) fn read_retry_notice(&mut self, line: &str) -> bool {
        let is_retry = line.starts_with("Warning: ") && line.contains(" Will retry in ");
        if is_retry && self.current.fault.is_some() {
            self.next(self.current.retry());
        }
        is_retry
    }

    /// Starts another exchange at an error message of curl if the current exchange has already
    /// failed.
    pub(in crate::domain::transcript::reader) fn current_or_next(&mut self) {
        if self.current.fault.is_some() && self.current.source == Source::Wire {
            self.next(self.current.successor());
        }
    }
}

impl Exchange {
    /// Records an error message of curl.
    pub(in crate::domain::transcript::reader) fn record_curl_error(
        &mut self,
        error: &CurlError,
        line: usize,
    ) {
        self.note_host(&error.message);
        if let Some(time) = fault::time_in(&error.message) {
            self.times.set(Clock::Message, time);
            self.progress.time = Some(time);
        }
        if let Some(status) = error.status() {
            if self.response.is_none() {
                self.begin(line);
                self.response = Some(RawResponse::of_status(status, None));
            }
        } else if let Some(found) = error.fault(&self.reasons, &self.progress())
            && !self.may_be_of_redirect(error, &found)
        {
            self.fault = Some(FoundFault {
                found,
                message: format!("curl ({}): {}", error.code, error.message),
            });
            self.begin(line);
        }
        self.section = Section::After;
    }

    /// Returns whether the fault is a fault of the client itself ([`FaultKind::Local`]) and may
    /// concern a URL to which the server redirected curl.
    fn may_be_of_redirect(&self, error: &CurlError, found: &Found) -> bool {
        let command = self.command.as_ref();
        let url = command.and_then(|command| command.url.as_ref());
        let follows = command.is_some_and(|command| command.follows);
        found.kind == FaultKind::Local
            && url.is_some_and(|url| error.may_concern_redirect(url.scheme(), follows))
    }
}

/// Returns whether a line is a byte count of curl's `-v`, such as `{ [33 bytes data]`.
fn is_count(line: &str) -> bool {
    let line = line.trim_end();
    (line.starts_with("{ [") || line.starts_with("} ["))
        && (line.ends_with("data]") || line.ends_with("shown]"))
}
