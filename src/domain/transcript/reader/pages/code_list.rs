//! Skips lists of status codes, such as an enumeration in source code, a table in documentation, or
//! a list of the statuses that a service may return.
//!
//! A line such as `503 Service Unavailable` may be an error message. Adjacent lines that start with
//! different codes are a list.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::transcript::exchange::{Exchange, Source};
use crate::domain::transcript::pattern::pattern;
use crate::domain::transcript::reader::Reader;

/// Matches a line that starts with a status code and a name. Captures the code.
static CODE_LINE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^[^\w<]{0,12}([1-5]\d\d)\b[^\w<]{1,8}[A-Za-z]{2}"));

/// Maximum length in bytes of an entry of a list.
const MAX_ENTRY: usize = 200;

/// A line that starts with a status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain::transcript::reader) struct CodeLine {
    status: u16,
    number: usize,
    /// Whether this line and the previous line are entries of one list.
    is_list: bool,
}

impl Reader {
    /// Skips a line of a list of status codes, and removes the response that was read from the
    /// previous entry. Returns whether the line belongs to a list.
    pub(in crate::domain::transcript::reader) fn code_list(
        &mut self,
        line: &str,
        number: usize,
    ) -> bool {
        let last = self.code_line.take();
        let Some(status) = status_of(line) else {
            return false;
        };
        let last = last.filter(|last| last.number + 1 == number);
        let is_other = last.is_some_and(|last| last.status != status);
        let is_list = is_other || last.is_some_and(|last| last.is_list);
        self.code_line = Some(CodeLine {
            status,
            number,
            is_list,
        });
        if !is_list {
            return false;
        }
        let current = &self.current;
        let is_entry =
            current.source == Source::Message && current.is_weak && current.line + 1 == number;
        if is_entry {
            self.current = Exchange::default();
            self.unused.add_line(number - 1);
        }
        self.unused.add(line, number);
        true
    }
}

/// Returns the status code at the start of a line; `None` if the line does not start with a status
/// code and a name, or if it is too long for an entry of a list.
fn status_of(line: &str) -> Option<u16> {
    if line.len() > MAX_ENTRY {
        return None;
    }
    CODE_LINE.as_ref()?.captures(line)?[1].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_start_with_a_code_are_recognized() {
        for (line, expected) in [
            ("  502: BAD_GATEWAY,", Some(502)),
            ("| 503 | Service Unavailable |", Some(503)),
            ("- `504 Gateway Timeout` the upstream is slow", Some(504)),
            ("2025-11-11 03:12:44 502 Bad Gateway", None),
            ("<h1>502 Bad Gateway</h1>", None),
            ("502", None),
        ] {
            assert_eq!(status_of(line), expected, "{line}");
        }
    }
}
