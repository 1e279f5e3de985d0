//! Collects the pages in HTML or XML that a text shows without the headers above them.
//!
//! A page may be the body of a response whose status is stated above the page, or the whole output
//! of a command. If it is neither, its lines are read one by one.

mod api_sentences;
mod cloudfront_text;
pub(super) mod code_list;
mod inferred;
pub(super) mod inline;
mod platform_text;
mod quoted;
mod vendor_sentences;
mod vendor_text;

pub(super) use self::platform_text::text_fact;
use super::Reader;
use crate::domain::transcript::exchange::{Section, Source};
use crate::domain::transcript::pages::known_body::{self, Host};
use crate::domain::transcript::pages::page::{MAX_PAGE, Page, leaves_page, start_of};

/// Maximum distance in lines from a message that states the status of a response to the first line
/// of a page that is the body of this response.
const MAX_DISTANCE: usize = 8;

impl Reader {
    /// Adds a line to the page that is being collected, or starts a page. Returns whether the line
    /// belongs to a page.
    pub(super) fn read_page_line(&mut self, line: &str, number: usize) -> bool {
        if self.is_replayed {
            return false;
        }
        if self.page.is_some() {
            return self.continue_page(line);
        }
        let is_outside = matches!(self.current.section, Section::Before | Section::After);
        if !is_outside || self.dump.is_some() || self.object.is_open() || self.is_write_out() {
            return false;
        }
        let is_expected = self.awaits_body || self.expects_body() || self.awaits_page(number);
        let Some(at) = start_of(line, is_expected) else {
            return false;
        };
        let (before, rest) = line.split_at(at);
        if before.contains(char::is_alphanumeric) {
            // The members of an object are read by `object`.
            let starts = ["{", "[{", "[\"", "['"];
            let is_object = starts.iter().any(|start| before.starts_with(start));
            if is_object || self.current.source == Source::Object {
                return false;
            }
            let stamp = self.stamp;
            self.is_replayed = true;
            self.dispatch(before, stamp, number);
            self.is_replayed = false;
        }
        let mut page = Page {
            number,
            ..Page::default()
        };
        page.add(rest);
        let is_closed = page.is_closed;
        self.page = Some(page);
        if is_closed {
            self.end_page();
        }
        true
    }

    fn continue_page(&mut self, line: &str) -> bool {
        if leaves_page(line) {
            self.end_page();
            return false;
        }
        let Some(page) = &mut self.page else {
            return false;
        };
        page.add(line.strip_prefix("> ").unwrap_or(line));
        if page.is_closed || page.text.len() > MAX_PAGE {
            self.end_page();
        }
        true
    }

    /// Ends the page that is being collected. Adds it to the response above it, or infers a
    /// response from it. If neither is possible, reads its lines one by one, unless the page is the
    /// output of a command and has another topic than an error.
    pub(super) fn end_page(&mut self) {
        let Some(page) = self.page.take() else {
            return;
        };
        let body = page.body();
        if self.attach_page(&page, &body) {
            return;
        }
        let is_awaited = std::mem::take(&mut self.awaits_body);
        if (is_awaited || self.expects_body()) && self.body_alone(&body, page.number, !is_awaited) {
            return;
        }
        if !self.current.is_answered() && known_body::status_of_gateway(&body).is_some() {
            self.keep_body(body, page.number);
            return;
        }
        if self.expects_body() && known_body::is_of_other_topic(&body) {
            self.unused.add_line(page.number);
            return;
        }
        self.is_replayed = true;
        for (index, line) in page.text.lines().enumerate() {
            self.dispatch(line, None, page.number + index);
        }
        self.is_replayed = false;
    }

    /// Returns whether a page that starts at line `number` may be the body of the current response.
    /// The response must be read from a message or an object, and must not have a body yet.
    fn awaits_page(&self, number: usize) -> bool {
        let current = &self.current;
        let has_room = current
            .response
            .as_ref()
            .is_some_and(|response| response.body.is_empty());
        has_room
            && match current.source {
                Source::Message => number <= self.message_line + MAX_DISTANCE,
                Source::Object => true,
                Source::Wire => false,
            }
    }

    /// Adds a page to the response of the message or object above it, unless the page names another
    /// status. Returns whether the page was added.
    fn attach_page(&mut self, page: &Page, body: &str) -> bool {
        let is_awaited = self.awaits_page(page.number);
        let Some(response) = self.current.response.as_mut().filter(|_| is_awaited) else {
            return false;
        };
        let stated = known_body::status_of(body, Host::Other);
        if stated.is_some_and(|status| status != response.status) {
            return false;
        }
        response.raw_body(body);
        response.is_cut = !page.is_closed;
        true
    }
}
