//! Reads the lines of Squid's access log in its native format (Squid's documentation, "Log
//! Formats").

use std::sync::LazyLock;

use regex::Regex;

use super::{Entry, Logged};
use crate::domain::transcript::command;
use crate::domain::transcript::pattern::pattern;
use crate::domain::transcript::time::seconds;

/// Matches a line. Captures the duration in milliseconds, the result of the cache, the status, the
/// method and the URL.
static LINE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"\b(\d{1,9}) \S+ ((?:TCP|UDP|NONE)(?:_[A-Z_]+)?)/(\d{3}) \d+ ([A-Z]+) (\S{1,2000}) \S+ (?:HIER_)?[A-Z_]+/\S+",
    )
});

/// Reads a line of the log; `None` for other lines.
pub(super) fn read(line: &str) -> Option<Logged> {
    if !line.contains("TCP_") && !line.contains("NONE") {
        return None;
    }
    let found = LINE.as_ref()?.captures(line)?;
    let (result, status) = (&found[2], found[3].parse::<u16>().ok()?);
    let is_denied = result.starts_with("TCP_DENIED") && status == 403;
    // The status 407 is not a failure: a client usually sends its password only after a 407.
    if result.ends_with("_ABORTED") || status < 500 && !is_denied {
        return Some(Logged::Passed);
    }
    let url = match &found[4] {
        "CONNECT" => command::url_of(&format!("https://{}/", &found[5])),
        _ => command::url_of(&found[5]),
    };
    let facts = if is_denied {
        vec![("platform_error", "ERR_ACCESS_DENIED")]
    } else {
        Vec::new()
    };
    let milliseconds = found[1].parse::<f64>().ok();
    Some(
        Entry {
            status,
            method: Some(found[4].to_owned()),
            url,
            time: milliseconds.and_then(|time| seconds(time / 1000.0)),
            error: result.ends_with("_TIMEDOUT").then_some("timeout"),
            facts,
            ..Entry::default()
        }
        .failed(),
    )
}
