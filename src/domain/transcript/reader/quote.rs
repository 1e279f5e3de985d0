//! Reads the lines that a mail program or Markdown marks as quoted with `>`.
//!
//! curl marks the headers that it sends with the same character. A line is therefore read as quoted
//! only if the text after `>` is neither a request line nor a usual header of a request.

use super::Reader;
use crate::domain::transcript::exchange::Section;
use crate::domain::transcript::exchange::response::header_of;
use crate::domain::transcript::status;

/// Names of headers that clients usually send, in lower case.
const REQUEST_HEADERS: [&str; 22] = [
    "host",
    "user-agent",
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "origin",
    "pragma",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "transfer-encoding",
    "upgrade",
];

impl Reader {
    /// Reads the text of a quoted line outside of the headers that curl sent. Returns whether the
    /// line was recognized.
    pub(super) fn read_quoted_line(&mut self, line: &str, number: usize) -> bool {
        let is_outside = matches!(self.current.section, Section::Before | Section::After);
        let text = line.trim_start_matches(['>', ' ']);
        let is_sent = self.in_sent || is_sent(text);
        if !is_outside || text.is_empty() || is_sent {
            return false;
        }
        let is_known = self.block(text, number) || self.read_page_line(text, number);
        if !is_known && !self.wget(text, number) {
            self.outside(text, number);
        }
        true
    }
}

/// Returns whether a text is a request line, a usual header of a request, or a header whose name
/// starts with `x-`.
fn is_sent(text: &str) -> bool {
    let is_header = |name: &str| name.starts_with("x-") || REQUEST_HEADERS.contains(&name);
    status::is_request_line(text.trim())
        || header_of(text).is_some_and(|(name, _)| is_header(&name))
}
