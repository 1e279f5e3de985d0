//! Reads the lines of Apache httpd's error log about a failed upstream.
//!
//! The messages are those of `mod_proxy`, `mod_proxy_http` and `mod_proxy_fcgi`. One request often
//! has several lines.

use std::sync::LazyLock;

use regex::Regex;

use super::{Entry, Logged};
use crate::domain::transcript::pattern::pattern;

/// Matches a line of the level `error`. Captures the process, the number and the text of the system
/// error, and the message.
static LINE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"\[(?:\w+:)?error\] ?(?:\[pid (\d+(?::tid \d+)?)\] )?(?:\((\d+)\)([^:]{0,120}): )?(?:\[client [^\]]*\] )?(?:AH\d{5}: )?(.*)$",
    )
});

/// Parts of messages, each with the value of the fact `proxy_log.error` that applies unless the
/// system error shows another one, and with the status of the response.
const MESSAGES: &[(&str, &str, u16)] = &[
    ("error reading status line from remote server", "reset", 502),
    ("Error reading from remote server", "reset", 502),
    ("DNS lookup failure for", "name-not-found", 502),
    (
        "Error during SSL Handshake with remote server",
        "tls-failed",
        502,
    ),
    ("attempt to connect to", "unreachable", 503),
    ("failed to make connection to backend", "unreachable", 503),
    ("disabling worker for", "unreachable", 503),
    ("disabled connection for", "unhealthy", 503),
    ("Error dispatching request to", "reset", 503),
];

/// Reads a line of the log; `None` for other lines.
pub(super) fn read(line: &str) -> Option<Logged> {
    if !line.contains("error]") {
        return None;
    }
    let found = LINE.as_ref()?.captures(line)?;
    let message = found.get(4)?.as_str();
    let mut known = MESSAGES.iter();
    let (_, error, status) = known.find(|(part, _, _)| message.contains(part))?;
    let system = found.get(3).map_or("", |text| text.as_str()).to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| system.contains(part));
    let error = if says(&["refused"]) {
        "refused"
    } else if says(&["timeout", "timed out"]) {
        "timeout"
    } else {
        error
    };
    Some(
        Entry {
            status: *status,
            error: Some(error),
            process: Some(found.get(1).map_or("", |pid| pid.as_str()).to_owned()),
            ..Entry::default()
        }
        .failed(),
    )
}
