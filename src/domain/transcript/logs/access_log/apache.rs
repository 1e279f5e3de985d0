//! Reads the lines of Apache httpd's error log about a failed upstream.
//!
//! The messages are those of `mod_proxy`, `mod_proxy_http` and `mod_proxy_fcgi`. One request often
//! has several lines.

use std::sync::LazyLock;

use regex::Regex;

use super::{Entry, Logged};
use crate::domain::transcript::pattern::pattern;

/// Matches a line of the level `error` from a proxy module. httpd 2.2 does not log the module.
/// Captures the module, the process, the number and the text of the system error, and the message.
static LINE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"\[(?:(proxy\w*):)?error\] ?(?:\[pid (\d+(?::tid \d+)?)\] )?(?:\((\d+)\)([^:]{0,120}): )?(?:\[client [^\]]*\] )?(?:AH\d{5}: )?(.*)$",
    )
});

/// Matches the time of a line. Captures the day (such as `Tue Nov 11`), the hour, the minute, the
/// second and the year.
static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"\[([A-Z][a-z]{2} [A-Z][a-z]{2} +\d+) (\d\d):(\d\d):(\d\d(?:\.\d+)?) (\d{4})\]")
});

/// Captures the address of the client.
static CLIENT: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"\[client ([^\]]{1,60})\]"));

/// Parts of messages, each with the value of the fact `proxy_log.error` that applies unless the
/// system error implies another value, and with the status of the response.
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
    ("All workers are in error state", "unhealthy", 503),
    ("Error dispatching request to", "reset", 503),
];

/// Reads a line of httpd's error log about a failed upstream; `None` for other lines.
pub(super) fn read(line: &str) -> Option<Logged> {
    if !line.contains("error]") {
        return None;
    }
    let found = LINE.as_ref()?.captures(line)?;
    let module = found.get(1).map(|module| module.as_str());
    let message = found.get(5)?.as_str();
    if module.is_none() && !message.contains("proxy") {
        return None;
    }
    let mut known = MESSAGES.iter();
    let (_, error, status) = known.find(|(part, _, _)| message.contains(part))?;
    let system = found.get(4).map_or("", |text| text.as_str()).to_lowercase();
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
            process: found.get(2).map(|pid| pid.as_str().to_owned()),
            time_of_line: time_of(line),
            client: CLIENT
                .as_ref()
                .and_then(|it| it.captures(line))
                .map(|it| it[1].to_owned()),
            // After a failed connection, a balancer may have used another worker.
            is_status_unknown: module == Some("proxy_balancer"),
            ..Entry::default()
        }
        .failed(),
    )
}

/// Returns the date of a line, and its time of day in seconds since midnight; `None` if the line
/// has no time.
fn time_of(line: &str) -> Option<(String, f64)> {
    let found = TIME.as_ref()?.captures(line)?;
    let part = |index: usize| found[index].parse::<f64>().ok();
    let seconds = part(2)? * 3_600.0 + part(3)? * 60.0 + part(4)?;
    Some((format!("{} {}", &found[1], &found[5]), seconds))
}
