//! Reads the status in the message of a failed assertion. The message also names the expected
//! status, which is not that of the response.

use std::sync::LazyLock;

use regex::Regex;

use super::message_forms::{Stated, follows_status};
use crate::domain::transcript::pattern::pattern;

/// Matches the expected status.
static EXPECTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"(?i)\b(?:expected|expecting|wanted|want)\b[^\d\n]{0,80}?\b([1-5]\d\d)\b")
});

/// Matches the response's status if the expected status follows it, as in
/// `expected 503 to equal 200`.
static FIRST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)\bexpected\s(?:[\w ]{0,30}\s)?([1-5]\d\d)\s(?:to|not to)\s(?:\w+\s)?(?:be|eql?|equal)\b",
    )
});

/// Matches the response's status after a word such as `got` or `received`.
static ACTUAL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:got|gets|received|was|actual(?:ly)?|returned|found|saw|status(?: code)?)\b[^\d\n]{0,40}?\b([1-5]\d\d)\b",
    )
});

/// Matches words that show that a line is about HTTP or an assertion.
static HTTP: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?i)\bstatus|http|\bresponse|\bassert"));

/// Returns the response's status that a failed assertion states; `Some(None)` if the assertion
/// states only the expected status. Returns `None` if the line names no expected number, or if
/// nothing shows that this number is a status.
pub(super) fn status(line: &str) -> Option<Option<Stated<'_>>> {
    let expected = EXPECTED.as_ref()?.captures(line)?.get(1)?;
    let has_reason = |at: usize| follows_status(&line[at..]);
    let is_http = HTTP.as_ref().is_some_and(|words| words.is_match(line));
    if !has_reason(expected.end()) && !is_http {
        return None;
    }
    let first = FIRST.as_ref().and_then(|first| first.captures(line));
    let actual = first.and_then(|found| found.get(1)).or_else(|| {
        let found = ACTUAL.as_ref()?.captures_iter(line);
        let mut found = found.filter_map(|found| found.get(1));
        found.find(|status| status.start() != expected.start() && has_reason(status.end()))
    });
    Some(actual.map(|status| Stated {
        status: status.as_str(),
        rest: &line[status.end()..],
        is_weak: false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_the_response_is_found() {
        for (line, expected) in [
            (
                "AssertionError: expected status 200 but got 502",
                Some(Some("502")),
            ),
            (
                "Error: expected 200 \"OK\", got 503 \"Service Unavailable\"",
                Some(Some("503")),
            ),
            (
                "AssertionError: expected 404 to equal 200",
                Some(Some("404")),
            ),
            ("got status 500, want 200", Some(Some("500"))),
            (
                "Status was expected to be 200 but was 504",
                Some(Some("504")),
            ),
            ("Error: expected HTTP status 200", Some(None)),
            ("Error: expected 200 rows, got 503", None),
            ("Error: unexpected status code 503", None),
        ] {
            let found = status(line).map(|found| found.map(|found| found.status));
            assert_eq!(found, expected, "{line}");
        }
    }
}
