//! Distinguishes the entries of a log, so that separate errors are not merged into one result.
//!
//! One error often takes several lines: a message, its causes and a stack trace. Another error
//! usually starts where a line names another request, or has its own time and log level.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::transcript::pattern::{MAX_LINE, pattern};
use crate::domain::transcript::time::time_of_day;

/// The properties of one line, or of all lines of one error so far. They decide whether the next
/// line starts another log entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::domain::transcript) struct Entry {
    /// The time of day at the start of the line, in seconds since midnight; `None` without a time.
    stamp: Option<f64>,
    /// Whether the line has a log level. Always false if a collector of logs added the time.
    is_leveled: bool,
    /// Whether the line is an event of Kubernetes.
    is_event: bool,
    /// Whether the line states the cause of the error in the lines before it.
    is_cause: bool,
    /// The URL or the host of the request that the line names in a form that [`REQUEST`] matches;
    /// `None` if the line names no request in such a form.
    request: Option<String>,
}

/// Number of bytes at the start of a line that are searched for a time, a log level and an event of
/// Kubernetes.
const MAX_HEAD: usize = 120;

/// Maximum number of seconds between the times of two lines of one error if the second line has no
/// log level. Two lines that were written at once may have times that differ by a whole second.
const MAX_APART: f64 = 1.0;

/// Minimum number of digits of the fraction of a second in a time that a collector of logs adds to
/// each line, such as GitHub Actions (7) and Docker (9). The lines of one error then have different
/// times.
const MIN_COLLECTED_DIGITS: usize = 7;

/// Texts that mark a line as the cause of the error in the lines before it.
const CAUSES: [&str; 3] = ["Caused by: ", "Suppressed: ", "[cause]: "];

/// Matches the date and the time at the start of a line. Captures the time and, if there is one,
/// the fraction of a second.
static STAMP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?x)^(?:[\w.-]+\s+\|\s+)?[\s\[("]*(?:(?:time|ts|timestamp|t)="?)?
        (?:[IWEFD]?\d[\d/.-]*[T\s]+|(?:(?:[A-Z][a-z]{2}|\d{1,4}),?\s+){1,4}|\d{1,2}/[A-Z][a-z]{2}/\d{4}:)?
        (\d\d:\d\d:\d\d(?:[.,](\d+))?)"#,
    )
});

/// Matches a log level. npm writes `ERR!` on each line of an error, so `ERR!` is not a level.
static LEVEL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"\b(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRIT|CRITICAL|SEVERE)\b|\bERR(?:[^\w!]|$)|\[(?:info|notice|warn|error|crit|alert|emerg)\]|\blevel=\w|^[IWEF]\d{4}\s",
    )
});

/// Matches an event of Kubernetes, as `kubectl describe` and `kubectl get events` print it.
static EVENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"^\s*(?:(?:Warning|Normal)\s+\w+\s+\d+[smhd]|\S+\s+(?:Warning|Normal)\s+\w+\s+\w+/)")
});

/// Matches the request that an error message names. Captures the URL or the host.
static REQUEST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?x)(?:\b(?i:get|post|put|head|patch|delete|options)\s\\?["'`<]?
          |\brequest\s(?:to|for)\s\\?["'`<]?|\bfor\surl:?\s\\?["'`<(]?|\bfetching\s\\?["'`<]?)
          (https?://[^\s"'`<>\\)]+)
        |ConnectionPool\(host='([^']+)'"#,
    )
});

impl Entry {
    /// Returns the properties of a line. `stamp` is the time of day in a prefix that was removed
    /// from the line; it is used if the line itself has no time.
    pub(in crate::domain::transcript) fn of(line: &str, stamp: Option<f64>) -> Self {
        let head = &line[..line.floor_char_boundary(MAX_HEAD)];
        let matches = |pattern: &LazyLock<Option<Regex>>| {
            pattern.as_ref().is_some_and(|found| found.is_match(head))
        };
        let found = STAMP.as_ref().and_then(|found| found.captures(head));
        let fraction = found.as_ref().and_then(|found| found.get(2));
        let is_collected = fraction.is_some_and(|digits| digits.len() >= MIN_COLLECTED_DIGITS);
        Self {
            stamp: found.and_then(|found| time_of_day(&found[1])).or(stamp),
            is_leveled: !is_collected && matches(&LEVEL),
            is_event: matches(&EVENT),
            is_cause: CAUSES.iter().any(|text| line.contains(text)),
            request: request_in(line),
        }
    }

    /// Returns whether [`REQUEST`] matched the line.
    pub(in crate::domain::transcript) fn has_request(&self) -> bool {
        self.request.is_some()
    }

    /// Returns whether this line starts another error than the error with the properties `last`.
    pub(in crate::domain::transcript) fn is_apart(&self, last: &Self) -> bool {
        if self.is_cause {
            return false;
        }
        if let (Some(request), Some(known)) = (&self.request, &last.request)
            && request != known
        {
            return true;
        }
        if self.is_event && last.is_event {
            return true;
        }
        match (self.stamp, last.stamp) {
            (Some(stamp), Some(known)) => self.is_leveled || (stamp - known).abs() > MAX_APART,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Adds the properties of another line of the same error.
    pub(in crate::domain::transcript) fn add(&mut self, line: Self) {
        self.stamp = line.stamp.or(self.stamp);
        self.is_event |= line.is_event;
        self.request = self.request.take().or(line.request);
    }
}

/// Returns whether a line names a request in a form that [`REQUEST`] matches.
pub(in crate::domain::transcript) fn names_request(line: &str) -> bool {
    line.len() <= MAX_LINE && REQUEST.as_ref().is_some_and(|found| found.is_match(line))
}

/// Returns the URL or the host of the request in a line that [`REQUEST`] matches; `None` for other
/// lines.
fn request_in(line: &str) -> Option<String> {
    let found = REQUEST.as_ref().filter(|_| line.len() <= MAX_LINE)?;
    let found = found.captures(line)?;
    let found = found.get(1).or_else(|| found.get(2))?;
    Some(found.as_str().trim_end_matches([':', ',', '.']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs of lines of a log, and whether the second line starts another error.
    const CASES: &[(&str, &str, bool)] = &[
        (
            "03:12:44 ERROR a: refused",
            "03:12:44 ERROR b: refused",
            true,
        ),
        (
            "2025-11-11 03:00:01 a: refused",
            "2025-11-11 03:00:09 b: timed out",
            true,
        ),
        (
            "[Tue Nov 11 03:12:44.1 2025] [error] a",
            "[Tue Nov 11 03:12:44.2 2025] [error] b",
            true,
        ),
        (
            "E0520 04:44:13.123456 1 a.go:1] x",
            "E0520 04:44:13.123457 1 a.go:1] y",
            true,
        ),
        ("11/Nov/2025:03:12:44 a", "11/Nov/2025:03:12:46 b", true),
        (
            "time=\"2025-11-11T03:12:44Z\" level=error msg=a",
            "time=\"2025-11-11T03:12:44Z\" level=error msg=b",
            true,
        ),
        (
            "Get \"http://a/\": refused",
            "Get \"http://b/\": refused",
            true,
        ),
        (
            "  Warning  Unhealthy  2m (x1)  kubelet  a",
            "  Warning  Unhealthy  1m  kubelet  b",
            true,
        ),
        (
            "HTTPSConnectionPool(host='a', port=443)",
            "HTTPSConnectionPool(host='b', port=443)",
            true,
        ),
        (
            "request to https://a/ failed",
            "request to https://b/ failed",
            true,
        ),
        (
            "Get \"http://a/\": refused",
            "Get \"http://a/\": refused",
            false,
        ),
        (
            "2025-11-11T03:00:01.100Z a: refused",
            "2025-11-11T03:00:01.101Z b: refused",
            false,
        ),
        ("03:12:44 ERROR a: refused", "Caused by: refused", false),
        (
            "03:12:44 ERROR c - Error: handshake_failure",
            "03:12:45 ERROR c - Caused by: a.B: NotAfter",
            false,
        ),
        ("03:12:44 a: refused", "03:12:45 b: refused", false),
        ("03:12:44 a: refused", "03:12:46 b: refused", true),
        (
            "[03:12:44 ERR] a: refused",
            "[03:12:44 ERR] b: refused",
            true,
        ),
        (
            "2025-11-11T03:12:44.1234567Z npm ERR! code ECONNREFUSED",
            "2025-11-11T03:12:44.1235567Z npm ERR! errno ECONNREFUSED",
            false,
        ),
        (
            "2025-11-11T03:12:44.1234567Z [ERROR] a: refused",
            "2025-11-11T03:12:44.1235567Z [ERROR] -> refused",
            false,
        ),
        (
            "03:12:44 npm ERR! code ECONNREFUSED",
            "03:12:44 npm ERR! errno ECONNREFUSED",
            false,
        ),
        (
            "03:12:44 Error: HTTPSConnectionPool(host='a', port=443) (Caused by x)",
            "03:12:50 Error: HTTPSConnectionPool(host='a', port=443) (Caused by x)",
            true,
        ),
        ("Error: a", "Error: b", false),
        ("[ERROR] a", "[ERROR] b", false),
    ];

    #[test]
    fn another_entry_starts_at_another_time_or_request() {
        for (last, line, expected) in CASES {
            let (last, line) = (Entry::of(last, None), Entry::of(line, None));
            assert_eq!(line.is_apart(&last), *expected, "{last:?} {line:?}");
        }
    }
}
