//! Adds the response in the dump of an object to the current exchange. `object` parses the lines of
//! the dump.

use crate::domain::transcript::clients::message;
use crate::domain::transcript::documents::json_doc;
use crate::domain::transcript::documents::object::{self, Member};
use crate::domain::transcript::exchange::response::{RawResponse, header_of};
use crate::domain::transcript::exchange::{Exchange, Section, Source};
use crate::domain::transcript::reader::Reader;

impl Reader {
    /// Reads a response that is printed as a Python dictionary. Returns whether the line was
    /// recognized.
    pub(in crate::domain::transcript::reader) fn dictionary(
        &mut self,
        line: &str,
        number: usize,
    ) -> bool {
        if !line.starts_with("{'") || !line.contains("'headers'") {
            return false;
        }
        let documents = json_doc::read(&object::to_json(line));
        for document in documents.into_iter().flatten() {
            self.document(document, number);
        }
        true
    }

    /// Reads a line of a body that a program prints below the headers. Returns whether the line was
    /// recognized.
    pub(in crate::domain::transcript::reader) fn printed_body(&mut self, line: &str) -> bool {
        let current = &mut self.current;
        let (Source::Object, Some(response)) = (current.source, &mut current.response) else {
            return false;
        };
        let length = response
            .value("content-length")
            .and_then(|length| length.parse().ok());
        let starts = response.body.is_empty() && !response.headers.is_empty();
        let is_body = line.starts_with(['{', '[', '<']) || length == Some(line.len());
        let goes_on = !response.body.is_empty()
            && !response.is_reformatted
            && length.is_some_and(|length| response.body.len() < length);
        if (starts && is_body) || goes_on {
            response.body(line);
            return true;
        }
        false
    }

    /// Reads a header below the status that a browser's developer tools show. Returns whether the
    /// line was recognized.
    pub(in crate::domain::transcript::reader) fn devtools_header(&mut self, line: &str) -> bool {
        let current = &mut self.current;
        if current.source != Source::Object {
            return false;
        }
        let Some(response) = &mut current.response else {
            return false;
        };
        let is_error = message::read(line).is_some();
        let Some((name, value)) = header_of(line.trim()).filter(|_| !is_error) else {
            return false;
        };
        let of_request = [
            "accept",
            "user-agent",
            "host",
            "authority",
            "cookie",
            "origin",
        ];
        if of_request.contains(&name.as_str()) {
            current.is_closed = true;
        }
        if !current.is_closed && !value.is_empty() && !line.starts_with([' ', '\t']) {
            response.push(name, value);
        }
        true
    }

    /// Adds a member of an object to the current exchange.
    pub(in crate::domain::transcript::reader) fn member(&mut self, member: Member, number: usize) {
        if let Member::Status(status, reason) = member {
            self.object_status(status, reason, number);
            return;
        }
        let current = &mut self.current;
        match (member, &mut current.response) {
            (Member::Url(url), _) => {
                current.progress.uses_tls = url.scheme() == "https";
                current.request.url.get_or_insert(url);
            }
            (Member::Method(method), _) => {
                current.request.method.get_or_insert(method);
            }
            (Member::Reason(reason), Some(response)) => {
                response.reason.get_or_insert(reason);
            }
            (Member::Headers(headers), Some(response)) if response.headers.is_empty() => {
                for (name, value) in headers {
                    response.push(name, &value);
                }
            }
            (Member::Headers(headers), None) => {
                self.early_headers = headers;
                if let Some(status) = self.bare_status.take() {
                    self.object_status(status, None, number);
                }
            }
            (Member::Body(body, is_exact), Some(response)) if response.body.is_empty() => {
                response.raw_body(&body);
                response.is_reformatted = !is_exact;
            }
            _ => {}
        }
    }

    /// Adds the status of an object to the current exchange, or starts another exchange with this
    /// status.
    pub(in crate::domain::transcript::reader) fn object_status(
        &mut self,
        status: u16,
        reason: Option<String>,
        number: usize,
    ) {
        if self.adopt_status(status, number) {
            return;
        }
        self.current.is_weak = false;
        let known = self
            .current
            .response
            .as_ref()
            .map(|response| response.status);
        let is_wire = self.current.source == Source::Wire && self.current.is_answered();
        if is_wire && known == Some(status) {
            return;
        }
        // The current request failed, so a status below 400 belongs to another request.
        let has_failed = self.current.fault.is_some() && status < 400;
        if is_wire || has_failed || known.is_some_and(|known| known != status) {
            self.next(Exchange::default());
        }
        let current = &mut self.current;
        current.source = Source::Object;
        current.section = Section::After;
        if let Some(response) = &mut current.response {
            response.reason = response.reason.take().or(reason);
            response.is_cut = false;
            return;
        }
        current.begin(number);
        current.fault = None;
        let mut response = RawResponse::of_status(status, reason);
        response.headers = std::mem::take(&mut self.early_headers);
        current.response = Some(response);
    }
}
