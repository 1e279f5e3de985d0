//! Reads the lines of nginx's error log about a failed upstream.
//!
//! Each line is about one attempt to get a response from an upstream. The line does not contain the
//! status, so the status is inferred: nginx responds with 504 if the last attempt timed out and
//! with 502 if it failed in another way. If the response has already begun, only its body is cut
//! off.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::diagnosis::fact::FactValue;
use crate::domain::transcript::command;
use crate::domain::transcript::exchange::response::RawResponse;
use crate::domain::transcript::exchange::{Exchange, FoundFault, MAX_DETAIL, Section, Source};
use crate::domain::transcript::fault::Found;
use crate::domain::transcript::pattern::{MAX_LINE, pattern};
use crate::model::observation::{FaultKind, Phase};

/// Matches the level, the process and the thread in a line of nginx's error log.
static HEAD: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"\[(?:debug|info|notice|warn|error|crit|alert|emerg)\] \d+#\d+: "));

/// Matches a line of nginx's error log about the failure of a request. Captures the process, thread
/// and connection, the message, and the first line of the request with its method and path.
static LINE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"\[(?:error|crit|alert|emerg)\] (\d+#\d+: \*\d+) (.+?), client: .*?, request: "(([A-Z]+) ([^\s?"]+)[^"]*)""#,
    )
});

/// Matches the host of the request.
static HOST: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r#", host: "([^"]+)""#));

/// Matches a line that lost its time, level and process. Captures the same parts as [`LINE`], with
/// an empty first part.
static BARE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"^\W*()([a-z_]+\(\).+?|upstream .+?|no live .+?), client: .*?, request: "(([A-Z]+) ([^\s?"]+)[^"]*)""#,
    )
});

/// Matches a message about a name that was not resolved.
static UNRESOLVED: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^\S+ could not be resolved \(\d+: "));

/// Matches a message about a failed system call. Captures the name of the call and the error
/// number.
static CALL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"^(?:kevent\(\) reported that )?(\w+)\(\)(?: to \S+)? failed \((\d+): ")
});

/// The starts of messages about an upstream, with the value of the fact `proxy_log.error`.
const MESSAGES: &[(&str, &str)] = &[
    ("upstream timed out", "timeout"),
    ("no live upstreams", UNHEALTHY),
    ("no resolver defined to resolve ", "name-not-found"),
    ("upstream SSL certificate", "tls-failed"),
    ("SSL_do_handshake() failed", "tls-failed"),
    ("peer closed connection in SSL handshake", "tls-failed"),
    ("upstream prematurely closed connection", "reset"),
    ("upstream rejected request", "reset"),
    ("upstream sent ", "malformed"),
];

/// The value of the fact `proxy_log.error` if nginx has no further upstream to try.
const UNHEALTHY: &str = "unhealthy";

/// The steps of a request after the response has begun. In nginx's messages, the step follows the
/// word `while`.
const AFTER_HEADERS: [&str; 2] = ["reading upstream", "sending to client"];

/// The step of a connection that is no longer an HTTP request, such as a WebSocket.
const UPGRADED: &str = "proxying upgraded connection";

/// What a line of nginx's error log reports.
#[derive(Debug)]
pub(in crate::domain::transcript) enum Line {
    /// A failed attempt to get a response from an upstream.
    Attempt(Box<Attempt>),
    /// Any other event, such as a failed subrequest or a shutdown of nginx.
    Other,
}

/// A failed attempt to get a response from an upstream.
#[derive(Debug)]
pub(in crate::domain::transcript) struct Attempt {
    /// The process, thread and connection, and the first line of the request. Attempts for the same
    /// request have the same value. If the process is unknown, this is the whole log line, so each
    /// line counts as another request.
    pub(in crate::domain::transcript) request: String,
    /// Whether the line states only that no further upstream is available, not why the earlier
    /// attempts failed.
    pub(in crate::domain::transcript) is_last: bool,
    pub(in crate::domain::transcript) exchange: Exchange,
}

/// Returns whether a line is from nginx's error log.
pub(in crate::domain::transcript) fn is_line(line: &str) -> bool {
    line.len() <= MAX_LINE && HEAD.as_ref().is_some_and(|head| head.is_match(line))
}

/// Reads a line of nginx's error log; `None` for other lines. A line that was copied without the
/// time, the level and the process is read only if it states a failed attempt.
pub(in crate::domain::transcript) fn read(line: &str) -> Option<Line> {
    // A log in JSON escapes the quotes, and an issue tracker may replace them.
    let is_changed = line.contains("\\\"") || line.contains(['\u{201c}', '\u{201d}']);
    if is_changed && line.contains(", client: ") {
        let line = line.replace("\\\"", "\"");
        return read(&line.replace(['\u{201c}', '\u{201d}'], "\""));
    }
    let attempt = |expression| {
        let attempt = attempt(line, expression)?;
        Some(Line::Attempt(Box::new(attempt)))
    };
    if is_line(line) {
        return Some(attempt(&LINE).unwrap_or(Line::Other));
    }
    let may_be = line.len() <= MAX_LINE && line.contains(", client: ");
    may_be.then(|| attempt(&BARE)).flatten()
}

/// Returns the failed attempt in a line; `None` if the line is about something else. Returns `None`
/// also for a failed subrequest, such as a copy of the request for `mirror`, because such a failure
/// need not change the response. `expression` is [`LINE`] or [`BARE`].
fn attempt(line: &str, expression: &LazyLock<Option<Regex>>) -> Option<Attempt> {
    let found = expression.as_ref()?.captures(line)?;
    let (message, request) = (&found[2], &found[3]);
    let (what, step) = message.rsplit_once(" while ").unwrap_or((message, ""));
    if line.contains(", subrequest: \"") || step == UPGRADED {
        return None;
    }
    let error = error(what, step)?;
    let mut exchange = Exchange {
        source: Source::Message,
        section: Section::After,
        ..Exchange::default()
    };
    if AFTER_HEADERS.contains(&step) {
        exchange.fault = Some(cut(message));
    } else {
        let is_timeout = what.starts_with("upstream timed out");
        let status = if is_timeout { 504 } else { 502 };
        let mut response = RawResponse::of_status(status, None);
        response.is_cut = true;
        exchange.response = Some(response);
        let value = FactValue::Text(error.to_owned());
        exchange.facts = vec![("proxy_log.error".to_owned(), value)];
    }
    if let Some(host) = HOST.as_ref().and_then(|it| it.captures(line)) {
        let (host, path) = (&host[1], &found[5]);
        let scheme = scheme(line, host, request);
        exchange.request.method = Some(found[4].to_owned());
        exchange.request.url = command::url_of(&format!("{scheme}://{host}{path}"));
    }
    Some(Attempt {
        request: match &found[1] {
            // Without the process, each line counts as a request of its own.
            "" => line.to_owned(),
            process => format!("{process} {request}"),
        },
        is_last: error == UNHEALTHY,
        exchange,
    })
}

/// Returns the value of the fact `proxy_log.error` for a message and the step that failed. Returns
/// `None` if the message states no known failure of an upstream.
fn error(what: &str, step: &str) -> Option<&'static str> {
    if UNRESOLVED.as_ref()?.is_match(what) {
        return Some("name-not-found");
    }
    // In a step that does not concern the upstream, a message such as that of a failed system call
    // may be about the connection to the client.
    let is_upstream = what.starts_with("upstream ") || what.starts_with("no ");
    if !is_upstream && !step.ends_with("upstream") {
        return None;
    }
    let by_start = MESSAGES.iter().find(|(start, _)| what.starts_with(start));
    by_start
        .map(|(_, error)| *error)
        .or_else(|| call_error(what))
}

/// Returns the value of the fact `proxy_log.error` for a failed system call; `None` if the message
/// is not about one, or if the error number is unknown and the call is not `connect`. The numbers
/// are those of Linux, BSD and Windows.
fn call_error(what: &str) -> Option<&'static str> {
    let found = CALL.as_ref()?.captures(what)?;
    match &found[2] {
        "111" | "61" | "10061" => Some("refused"),
        "110" | "60" | "10060" => Some("timeout"),
        "104" | "54" | "32" | "10053" | "10054" => Some("reset"),
        _ => (&found[1] == "connect").then_some("unreachable"),
    }
}

/// Returns the fault of a response whose body was cut off. The line does not state what the client
/// received, so the fault is inferred.
fn cut(message: &str) -> FoundFault {
    FoundFault {
        found: Found {
            phase: Phase::Transfer,
            kind: FaultKind::Truncated,
            is_stated: false,
            is_vague: false,
            rank: 0,
        },
        message: message.chars().take(MAX_DETAIL).collect(),
    }
}

/// Returns the scheme of the request. nginx does not log it, so `http` is assumed unless the port,
/// the version of HTTP or the referrer shows TLS.
fn scheme(line: &str, host: &str, request: &str) -> &'static str {
    let has_port = host.contains(':');
    let is_new = request.ends_with(" HTTP/2.0") || request.ends_with(" HTTP/3.0");
    let is_https = host.ends_with(":443")
        || (is_new && !has_port)
        || line.contains(&format!(", referrer: \"https://{host}/"));
    if is_https { "https" } else { "http" }
}

#[cfg(test)]
mod tests;
