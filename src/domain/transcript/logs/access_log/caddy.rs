//! Reads the lines in which Caddy 1 states the status of a response and the error of the upstream.

use std::sync::LazyLock;

use regex::Regex;

use super::{Entry, Logged, upstream_error};
use crate::domain::transcript::pattern::pattern;

/// Captures the status and the error in a line such as `[ERROR 502 /a] dial tcp …: refused`.
static LINE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"\[ERROR (5\d\d) /[^\]]{0,400}\] (.{1,400})"));

/// Reads a line of Caddy 1's error log; `None` for other lines.
pub(super) fn read(line: &str) -> Option<Logged> {
    if !line.contains("[ERROR 5") {
        return None;
    }
    let found = LINE.as_ref()?.captures(line)?;
    Some(
        Entry {
            status: found[1].parse().ok()?,
            error: upstream_error(&found[2]),
            process: Some("caddy".to_owned()),
            ..Entry::default()
        }
        .failed(),
    )
}
