//! Creates responses from bodies that a text contains without a status line.
//!
//! `PowerShell` 7 prints the body of an error response instead of its status, and curl without `-i`
//! prints only the body. `known_body` infers the status.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::transcript::body::known_text;
use crate::domain::transcript::exchange::response::RawResponse;
use crate::domain::transcript::exchange::{Exchange, Section, Source};
use crate::domain::transcript::pages::known_body::{self, Host};
use crate::domain::transcript::pattern::pattern;
use crate::domain::transcript::reader::Reader;

/// Matches an error of `PowerShell` that consists of a body. The body may start on the next line.
static POWERSHELL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"^\s*(?:Invoke-(?:WebRequest|RestMethod)|iwr|irm|curl)\s?:\s*([{<].*)?$")
});

/// Maximum number of kept bodies that belong to no command.
const MAX_BODIES: usize = 8;

impl Reader {
    /// Reads an error of `PowerShell` that consists of the body of the response. Returns whether
    /// the line was recognized.
    pub(in crate::domain::transcript::reader) fn powershell_body(
        &mut self,
        line: &str,
        number: usize,
    ) -> bool {
        let found = POWERSHELL.as_ref().and_then(|it| it.captures(line));
        let Some(found) = found else { return false };
        match found.get(1) {
            Some(body) => self.body_alone(body.as_str(), number, false),
            None => {
                self.awaits_body = true;
                true
            }
        }
    }

    /// Returns whether the current command may have printed only a body.
    pub(in crate::domain::transcript::reader) fn expects_body(&self) -> bool {
        let current = &self.current;
        let command = current.command.as_ref();
        command.is_some_and(|command| command.write_out.is_none())
            && !current.is_answered()
            && !current.progress.is_known
            && current.method() != "HEAD"
    }

    /// Reads a JSON body without a status line. Returns whether the body was recognized.
    pub(in crate::domain::transcript::reader) fn client_body(
        &mut self,
        body: &str,
        number: usize,
    ) -> bool {
        let is_awaited = std::mem::take(&mut self.awaits_body);
        if is_awaited || self.expects_body() {
            return self.body_alone(body, number, !is_awaited);
        }
        let is_known = known_body::status_of_gateway(body).is_some();
        if is_known && !self.current.is_answered() && !self.is_write_out() {
            self.keep_body(body.to_owned(), number);
            return true;
        }
        false
    }

    /// Reads a line that may be a complete body. Returns whether the line is one.
    pub(in crate::domain::transcript::reader) fn text_body(
        &mut self,
        line: &str,
        number: usize,
    ) -> bool {
        let known = known_text::of_line(line);
        let current = &mut self.current;
        if let Some(response) = &mut current.response {
            let is_body = current.source == Source::Message
                && response.body.is_empty()
                && known == Some(response.status);
            if is_body {
                response.raw_body(line.trim());
                response.is_cut = false;
            }
            return is_body;
        }
        if self.expects_body() {
            // A common phrase, such as `Not Found`, is a body only on the first line of the output.
            let may_be = known.is_some() || self.current.loose.is_empty();
            return may_be && !line.starts_with(['{', '<']) && self.body_alone(line, number, true);
        }
        let is_alone = known.is_some() && !self.current.is_answered();
        if is_alone {
            self.keep_body(line.to_owned(), number);
        }
        is_alone
    }

    /// Records a response of which only the body is known. `is_weak` is the value of
    /// [`Exchange::is_weak`]. Returns whether the status can be inferred from the body; if not,
    /// nothing is recorded.
    pub(in crate::domain::transcript::reader) fn body_alone(
        &mut self,
        body: &str,
        number: usize,
        is_weak: bool,
    ) -> bool {
        let Some(status) = known_body::status_of(body, self.host()) else {
            return false;
        };
        if self.current.is_answered() {
            self.next(Exchange::default());
        }
        let current = &mut self.current;
        current.begin(number);
        current.is_weak = is_weak;
        current.source = Source::Message;
        current.section = Section::After;
        current.response = Some(inferred(status, body));
        true
    }

    fn host(&self) -> Host {
        let url = self.current.url();
        Host::of(url.as_ref().and_then(|url| url.host_str()))
    }

    /// Keeps a body that belongs to no command. At most [`MAX_BODIES`] different bodies are kept.
    /// The body becomes a response only at the end of the text, and only if the text has no other
    /// response or failure.
    pub(in crate::domain::transcript::reader) fn keep_body(&mut self, body: String, number: usize) {
        let is_repeated = self.bodies.iter().any(|(known, ..)| *known == body);
        if self.bodies.len() < MAX_BODIES && !is_repeated {
            let is_other = self.current.protocols.is_other();
            self.bodies.push((body, number, is_other));
        } else {
            self.unused.add_line(number);
        }
    }

    /// At the end of the text, adds a response for each kept body if the text has no other response
    /// or failure. The URL of these responses is that of the last command in the text.
    pub(in crate::domain::transcript::reader) fn add_kept_bodies(&mut self) {
        let is_only = self.found.is_empty();
        for (body, number, is_other) in std::mem::take(&mut self.bodies) {
            if !is_only {
                self.unused.add_line(number);
                continue;
            }
            self.current.request.url.clone_from(&self.last_url);
            let status = known_body::status_of(&body, self.host())
                .or_else(|| known_body::status_of_gateway(&body));
            let Some(status) = status else { continue };
            let current = &mut self.current;
            current.begin(number);
            current.source = Source::Message;
            current.response = Some(inferred(status, &body));
            // A gRPC call has no HTTP status of its own.
            current.is_status_unknown = is_other;
            self.next(Exchange::default());
        }
    }
}

/// Returns a response of which the body is known and the status is inferred from the body.
fn inferred(status: u16, body: &str) -> RawResponse {
    let mut response = RawResponse::of_status(status, None);
    response.is_reformatted = true;
    response.is_inferred = true;
    response.raw_body(body.trim());
    response
}
