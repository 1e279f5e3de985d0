//! Reads the lines of HAProxy's HTTP log and TCP log.
//!
//! The termination state is explained in HAProxy's configuration manual, "Session state at
//! disconnection".

use std::sync::LazyLock;

use regex::Regex;

use super::{Entry, Logged};
use crate::domain::transcript::exchange::settle::millis;
use crate::domain::transcript::fault::other_protocol;
use crate::domain::transcript::pattern::pattern;

/// Matches the fields from the server to the request. The server is missing if the start of the
/// line was cut off. Captures the server, the total time in milliseconds, the status, the
/// termination state, the method and the path.
static LINE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?:^\W*| \S+/(\S+) )-?\d+/\s*-?\d+/\s*-?\d+/\s*-?\d+/\s*\+?(-?\d+) (\d{3}|-1) \d+ \S+ \S+ ([A-Za-z-]{4}) \d+/\d+/\d+/\d+/\+?\d+ \d+/\d+ (?:\{[^}]*\} ){0,2}"([A-Z]+|<BADREQ>) ?(\S*)"#,
    )
});

/// Matches a line of the TCP log from the frontend on. Captures the server, the total time in
/// milliseconds, and the termination state.
static TCP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"\] \S+ [^\s/]+/(\S+) -?\d+/-?\d+/\+?(-?\d+) \d+ ([A-Za-z-]{2}) \d+/\d+/\d+/\d+/\+?\d+ \d+/\d+\s*$",
    )
});

/// Reads a line of HAProxy's HTTP log or TCP log; `None` for other lines.
pub(super) fn read(line: &str) -> Option<Logged> {
    if !line.contains('/') {
        return None;
    }
    // Only the HTTP log contains the request, in quotes.
    let expression = LINE.as_ref().filter(|_| line.contains(" \""));
    let Some(found) = expression.and_then(|expression| expression.captures(line)) else {
        return tcp(line);
    };
    let Ok(status) = found[3].parse::<u16>() else {
        return Some(Logged::Passed);
    };
    let error = error_of(&found[4], found.get(1).map(|server| server.as_str()));
    if status < 500 {
        return Some(Logged::Passed);
    }
    Some(
        Entry {
            status,
            method: Some(found[5].to_owned()),
            time: found[2].parse().ok().and_then(millis),
            error,
            ..Entry::default()
        }
        .failed(),
    )
}

/// Reads a line of the TCP log, which contains no status; `None` for other lines.
fn tcp(line: &str) -> Option<Logged> {
    let found = TCP.as_ref()?.captures(line)?;
    let error = error_of(&found[3], Some(&found[1]));
    if error.is_none() || other_protocol::is_named(line) {
        return Some(Logged::Passed);
    }
    let entry = Entry {
        status: 503,
        is_status_unknown: true,
        time: found[2].parse().ok().and_then(millis),
        error,
        ..Entry::default()
    };
    Some(entry.failed())
}

/// Returns the value of the fact `proxy_log.error` for a termination state and the name of the
/// server; `None` if the state does not show a failure of the upstream. `server` is `None` if the
/// start of the line was cut off.
fn error_of(state: &str, server: Option<&str>) -> Option<&'static str> {
    Some(match state.get(..2)? {
        "SC" if server == Some("<NOSRV>") => "unhealthy",
        "SC" if server.is_none() => "unreachable",
        "SC" => "refused",
        "sC" | "sH" => "timeout",
        "SH" => "reset",
        "PH" => "malformed",
        _ => return None,
    })
}
