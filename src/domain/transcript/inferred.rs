//! Infers the status of a response of which a text shows only the body.
//!
//! `PowerShell` 7 prints the body of an error response instead of its status, and curl without `-i`
//! prints only the body. Standard bodies name their status: in a member of an object, or in the
//! title of a page.

use std::sync::LazyLock;

use regex::Regex;

use super::command::Command;
use super::exchange::{Exchange, Section, Source};
use super::json_doc;
use super::pattern::pattern;
use super::reader::Reader;
use super::response::RawResponse;

/// Matches an error of `PowerShell` that consists of a body. The body may start on the next line.
static POWERSHELL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"^\s*(?:Invoke-(?:WebRequest|RestMethod)|iwr|irm|curl)\s?:\s*([{<].*)?$")
});

impl Reader {
    /// Reads an error of `PowerShell` that consists of the body of the response. Returns whether
    /// the line was recognized.
    pub(super) fn powershell_body(&mut self, line: &str, number: usize) -> bool {
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

    /// Reads a body without a status line if a client may have printed it. Returns whether a
    /// response was recorded.
    pub(super) fn client_body(&mut self, body: &str, number: usize) -> bool {
        let is_expected = std::mem::take(&mut self.awaits_body);
        (is_expected || self.is_silent()) && self.body_alone(body, number, !is_expected)
    }

    /// Reads the title of an error page if curl printed the page. The lines since the command and
    /// the lines that follow belong to the page. Returns whether the line was recognized.
    pub(super) fn client_page(&mut self, line: &str, number: usize) -> bool {
        if !self.is_silent() || !json_doc::is_error_title(line) {
            return false;
        }
        let before = &self.current.loose;
        let start = before.find('<').unwrap_or(before.len());
        let page = format!("{}{}", &before[start..], line.trim_start());
        if !self.body_alone(&page, number, true) {
            return false;
        }
        self.unused = self.unused_before;
        if let Some(response) = &mut self.current.response {
            response.raw_body("\n");
        }
        self.current.section = Section::Body;
        true
    }

    /// Returns whether the current command prints only the body of the response, which was not read
    /// yet.
    fn is_silent(&self) -> bool {
        let is_silent = |command: &Command| !command.shows_headers && command.write_out.is_none();
        let command = self.current.command.as_ref();
        command.is_some_and(is_silent) && !self.current.is_answered()
    }

    /// Records the response to which a body belongs. `is_weak` is the value of
    /// [`Exchange::is_weak`]. Returns whether the body names its status; if not, nothing is
    /// recorded.
    fn body_alone(&mut self, body: &str, number: usize, is_weak: bool) -> bool {
        let Some(status) = json_doc::status_of_body(body) else {
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
        let mut response = RawResponse::of_status(status, None);
        response.is_reformatted = true;
        response.raw_body(body.trim());
        current.response = Some(response);
        true
    }
}
