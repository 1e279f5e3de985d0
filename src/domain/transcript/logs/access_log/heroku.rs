//! Reads the lines that Heroku's router logs.
//!
//! The codes are listed in Heroku's documentation, "Heroku Error Codes".

use std::sync::LazyLock;

use regex::Regex;

use super::fields::value;
use super::{Entry, Logged};
use crate::domain::transcript::command;
use crate::domain::transcript::pattern::pattern;
use crate::domain::transcript::time::with_unit;

/// Codes of failures of the application, each with the value of the fact `proxy_log.error`. H10:
/// crashed, H12: request timeout, H13: closed without a response, H14: no web dynos, H17: malformed
/// response, H18: interrupted by the server, H19: connection timeout, H20: boot timeout, H21:
/// refused, H81: blank application.
const ERRORS: &[(&str, &str)] = &[
    ("H10", "unhealthy"),
    ("H12", "timeout"),
    ("H13", "reset"),
    ("H14", "unhealthy"),
    ("H17", "malformed"),
    ("H18", "reset"),
    ("H19", "timeout"),
    ("H20", "unhealthy"),
    ("H21", "refused"),
    ("H81", "unhealthy"),
];

/// Codes of failures that the client caused: an invalid or misdirected request, or a closed or idle
/// connection.
const CLIENT: [&str; 4] = ["H26", "H27", "H28", "H31"];

/// Matches a line that Heroku's router logged before 2013. Captures the code, the method,
/// and the host with the path.
static OLD: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"\bError (H\d\d) \([^)]{1,80}\) -> ([A-Z]+) (\S+)"));

/// Reads a line that Heroku's router logged before 2013, such as
/// `Error H12 (Request timeout) -> GET host/ …`; `None` for other lines.
fn read_old(line: &str) -> Option<Logged> {
    let found = OLD.as_ref()?.captures(line)?;
    if CLIENT.contains(&&found[1]) {
        return Some(Logged::Passed);
    }
    let error = ERRORS.iter().find(|(known, _)| *known == &found[1]);
    let status = value(line, "status").and_then(|status| status.parse().ok());
    Some(
        Entry {
            status: status.unwrap_or(503),
            method: Some(found[2].to_owned()),
            url: command::url_of(&format!("http://{}", &found[3])),
            time: value(line, "service").and_then(with_unit),
            error: error.map(|(_, error)| *error),
            ..Entry::default()
        }
        .failed(),
    )
}

/// Returns whether a line is the first part of a wrapped router line about an error: it has an
/// error code, but neither of the fields `bytes` and `protocol`, which come last.
pub(in crate::domain::transcript) fn is_start(line: &str) -> bool {
    let is_error = line.contains("heroku[router]: at=") && line.contains(" code=H");
    is_error && !ends(line)
}

/// Returns whether a line contains one of the fields `bytes` and `protocol`, with which a line of
/// the router ends.
pub(in crate::domain::transcript) fn ends(line: &str) -> bool {
    line.starts_with("bytes=") || line.contains(" bytes=") || line.contains("protocol=")
}

/// Joins the parts of a wrapped router line. A terminal may wrap a line within a word, so the parts
/// are joined without a space. Only a part that starts with a field is preceded by a space, because
/// the original space was lost when the line was wrapped.
pub(in crate::domain::transcript) fn joined<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    parts.fold(String::new(), |mut whole, part| {
        let name = part
            .split('=')
            .next()
            .filter(|name| name.len() < part.len());
        let is_field = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        if !whole.is_empty() && name.is_some_and(is_field) {
            whole.push(' ');
        }
        whole.push_str(part);
        whole
    })
}

/// Reads a line of Heroku's router; `None` for other lines, and if the line states neither a status
/// nor an error code.
pub(super) fn read(line: &str) -> Option<Logged> {
    if line.contains(") -> ") && line.contains("Error H") {
        return read_old(line);
    }
    if !line.contains("at=") || !line.contains("dyno=") || !line.contains("fwd=") {
        return None;
    }
    let code = value(line, "code");
    let status = value(line, "status").and_then(|status| status.parse().ok());
    let is_client = code.is_some_and(|code| CLIENT.contains(&code));
    let status: u16 = match status {
        _ if is_client => return Some(Logged::Passed),
        Some(status) => status,
        None if code.is_some() => 503,
        None => return None,
    };
    if status < 500 {
        return Some(Logged::Passed);
    }
    let error = ERRORS.iter().find(|(known, _)| Some(*known) == code);
    let scheme = value(line, "protocol").filter(|protocol| protocol.starts_with("http"));
    let url = value(line, "host").and_then(|host| {
        let path = value(line, "path").filter(|path| path.starts_with('/'));
        let scheme = scheme.unwrap_or("https");
        command::url_of(&format!("{scheme}://{host}{}", path.unwrap_or("/")))
    });
    Some(
        Entry {
            status,
            method: value(line, "method").map(str::to_owned),
            url,
            time: value(line, "service").and_then(with_unit),
            error: error.map(|(_, error)| *error),
            ..Entry::default()
        }
        .failed(),
    )
}
