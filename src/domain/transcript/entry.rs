//! Distinguishes the entries of a log, so that separate errors are not merged into one result.
//!
//! One error often takes several lines: a message, its causes and a stack trace. Another error
//! usually starts where a line names another request, or has its own time and log level.

use std::sync::LazyLock;

use regex::Regex;

use super::pattern::pattern;

/// The properties that distinguish log entries, from one line or from all lines of one error.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    /// The time of day at the start of the line, in seconds since midnight; `None` without a time.
    stamp: Option<f64>,
    /// Whether the line has a log level.
    is_leveled: bool,
    /// Whether the line is an event of Kubernetes.
    is_event: bool,
    /// The URL or the host of the request that the line names in a known form, if any.
    request: Option<String>,
}

/// Number of bytes at the start of a line that are searched for a time, a log level and an event of
/// Kubernetes.
const HEAD: usize = 120;

/// Maximum length of a line that is searched for a request, in bytes.
const MAX_LINE: usize = 8_192;

/// Minimum number of seconds between the lines of separate errors without a log level.
const APART: f64 = 1.0;

/// Matches the time at the start of a line, with an optional date before the time.
static STAMP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?x)^(?:[\w.-]+\s+\|\s+)?[\s\[("]*(?:(?:time|ts|timestamp|t)="?)?
        (?:[IWEFD]?\d[\d/.-]*[T\s]+|(?:(?:[A-Z][a-z]{2}|\d{1,4}),?\s+){1,4}|\d{1,2}/[A-Z][a-z]{2}/\d{4}:)?
        (\d\d:\d\d:\d\d(?:[.,]\d+)?)"#,
    )
});

/// Matches a log level.
static LEVEL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"\b(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|FATAL|CRIT|CRITICAL|SEVERE)\b|\[(?:info|notice|warn|error|crit|alert|emerg)\]|\blevel=\w|^[IWEF]\d{4}\s",
    )
});

/// Matches an event of Kubernetes, as `kubectl describe` and `kubectl get events` print it.
static EVENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"^\s*(?:(?:Warning|Normal)\s+\w+\s+\d+[smhd]|\S+\s+(?:Warning|Normal)\s+\w+\s+\w+/)")
});

/// Matches the request that an error message names.
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
    /// from the line.
    pub(super) fn of(line: &str, stamp: Option<f64>) -> Self {
        let mut end = line.len().min(HEAD);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let head = &line[..end];
        let matches = |pattern: &LazyLock<Option<Regex>>| {
            pattern.as_ref().is_some_and(|found| found.is_match(head))
        };
        let own_stamp = || {
            let found = STAMP.as_ref()?.captures(head)?;
            seconds(&found[1])
        };
        let request = || {
            let found = REQUEST.as_ref()?.captures(line)?;
            let found = found.get(1).or_else(|| found.get(2))?;
            Some(found.as_str().trim_end_matches([':', ',', '.']).to_owned())
        };
        Self {
            stamp: own_stamp().or(stamp),
            is_leveled: matches(&LEVEL),
            is_event: matches(&EVENT),
            request: (line.len() <= MAX_LINE).then(request).flatten(),
        }
    }

    /// Returns whether the line names a request in a known form.
    pub(super) fn has_request(&self) -> bool {
        self.request.is_some()
    }

    /// Returns whether this line starts another error than the error with the properties `last`.
    pub(super) fn is_apart(&self, last: &Self) -> bool {
        if let (Some(request), Some(known)) = (&self.request, &last.request)
            && request != known
        {
            return true;
        }
        if self.is_event && last.is_event {
            return true;
        }
        match (self.stamp, last.stamp) {
            (Some(stamp), Some(known)) => self.is_leveled || (stamp - known).abs() >= APART,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Adds the properties of another line of the same error.
    pub(super) fn add(&mut self, line: Self) {
        self.stamp = line.stamp.or(self.stamp);
        self.is_leveled |= line.is_leveled;
        self.is_event |= line.is_event;
        self.request = self.request.take().or(line.request);
    }
}

/// Returns the seconds since midnight of a time such as `03:12:44,123`; `None` for other texts.
fn seconds(time: &str) -> Option<f64> {
    let mut sum = 0.0;
    for part in time.split(':') {
        let part: f64 = part.replace(',', ".").parse().ok()?;
        sum = sum * 60.0 + part;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_seconds_since_midnight() {
        assert_eq!(seconds("03:12:44"), Some(11_564.0));
        assert_eq!(seconds("00:00:01,5"), Some(1.5));
    }

    #[test]
    fn another_entry_starts_at_another_time_or_request() {
        let cases = [
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
            ("Error: a", "Error: b", false),
            ("[ERROR] a", "[ERROR] b", false),
        ];
        for (last, line, expected) in cases {
            let (last, line) = (Entry::of(last, None), Entry::of(line, None));
            assert_eq!(line.is_apart(&last), expected, "{last:?} {line:?}");
        }
    }
}
