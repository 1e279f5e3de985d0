//! Reads the lines of the access log of ingress-nginx.
//!
//! The format is `upstreaminfo` of ingress-nginx's documentation, "Log format". After a timeout,
//! nginx itself logs 504 as the status of the upstream, and 0 as the length of the upstream's
//! response.

use std::sync::LazyLock;

use regex::Regex;

use super::{Entry, Logged};
use crate::domain::transcript::pattern::pattern;
use crate::domain::transcript::time::{number, seconds};

/// Matches the fields from the request on. Captures the method, the status, the duration in
/// seconds, and the fields after the two upstream names.
static LINE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#""([A-Z]+) \S+ HTTP/[\d.]+" (\d{3}) \d+ "[^"]*" "[^"]*" \d+ (\d+\.\d+) \[[^\]]*\] \[[^\]]*\](.*)$"#,
    )
});

/// Reads a line of the access log of ingress-nginx; `None` for other lines.
pub(super) fn read(line: &str) -> Option<Logged> {
    if !line.contains("] [") {
        return None;
    }
    let found = LINE.as_ref()?.captures(line)?;
    let status: u16 = found[2].parse().ok()?;
    if status < 500 {
        return Some(Logged::Passed);
    }
    // In each field, commas separate the values of several attempts.
    let rest = found[4].replace(", ", ",");
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let is_cut = fields.len() < 4;
    let all = |field: &str, value: &str| field.split(',').all(|part| part == value);
    let is_timeout = match fields.as_slice() {
        [_, length, _, by_upstream, ..] => all(by_upstream, "504") && all(length, "0"),
        _ => true,
    };
    Some(
        Entry {
            status,
            method: Some(found[1].to_owned()),
            time: number(&found[3]).and_then(seconds),
            error: (status == 504 && is_timeout).then_some("timeout"),
            is_cut,
            ..Entry::default()
        }
        .failed(),
    )
}
