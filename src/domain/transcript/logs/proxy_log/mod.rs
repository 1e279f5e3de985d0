//! Reads the lines of nginx's error log about a failed upstream. `refused` reads those about a
//! request that nginx itself refused.
//!
//! Each line is about one attempt to get a response from an upstream. The line does not contain the
//! status, so the status is inferred: nginx responds with 504 if the last attempt timed out and
//! with 502 if it failed in another way. If the response has already begun, only its body is cut
//! off.

mod refused;

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

/// Captures the host of the request.
static HOST: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r#", host: "([^"]+)""#));

/// Matches a line that lost its time, level and process. Captures the same parts as [`LINE`], with
/// an empty first part.
static BARE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"^\W*()([a-z_]+\(\).+?|upstream .+?|no live .+?), client: .*?, request: "(([A-Z]+) ([^\s?"]+)[^"]*)""#,
    )
});

/// Matches the message of nginx about a failed upstream in a line without the client and the
/// request. Captures the message.
static SHORT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?:^|[\s`"'*>:])((?:(?:connect|recv|writev|SSL_do_handshake)\(\) failed \(|upstream timed out \(\d|upstream prematurely closed connection |upstream sent too big header |no live upstreams |peer closed connection in SSL handshake ).{0,300}?while (?:(?:connecting|SSL handshaking|sending request) to|reading response header from) upstream)\b"#,
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

/// Prefixes of the messages about an upstream, each with the value of the fact `proxy_log.error`.
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

/// The value of the fact `proxy_log.error` if nginx considers every upstream unavailable.
const UNHEALTHY: &str = "unhealthy";

/// The steps of a request after the response has begun. In nginx's messages, the step follows the
/// word `while`.
const AFTER_HEADERS: [&str; 2] = ["reading upstream", "sending to client"];

/// The step of a connection that no longer carries HTTP, such as a WebSocket.
const UPGRADED: &str = "proxying upgraded connection";

/// What a line of nginx's error log reports.
#[derive(Debug)]
pub(in crate::domain::transcript) enum Line {
    /// A failed attempt to get a response from an upstream.
    Attempt(Box<Attempt>),
    /// A request that nginx itself refused, such as one that is too large.
    Refused(Box<Exchange>),
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
/// time, the level and the process is read only if it states a failed attempt. If it also lacks the
/// client and the request, it may be quoted in a sentence, so [`Exchange::is_weak`] is set.
pub(in crate::domain::transcript) fn read(line: &str) -> Option<Line> {
    // A log in JSON escapes the quotes, and an issue tracker may replace them with typographic
    // quotes.
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
        let short = || Some(Line::Attempt(Box::new(shortened(line)?)));
        let refused = || Some(Line::Refused(Box::new(refused::read(line)?)));
        let found = attempt(&LINE).or_else(refused).or_else(short);
        return Some(found.unwrap_or(Line::Other));
    }
    if line.len() > MAX_LINE {
        return None;
    }
    if line.contains(", client: ") {
        return attempt(&BARE);
    }
    let mut short = shortened(line)?;
    short.exchange.is_weak = true;
    Some(Line::Attempt(Box::new(short)))
}

/// Returns the failed attempt in a line that was shortened to the message; `None` for other lines.
fn shortened(line: &str) -> Option<Attempt> {
    if !line.contains(" upstream") || line.contains(", client: ") {
        return None;
    }
    let found = SHORT.as_ref()?.captures(line)?;
    let (what, step) = found[1].rsplit_once(" while ")?;
    let error = error(what, step)?;
    Some(Attempt {
        request: line.to_owned(),
        is_last: error == UNHEALTHY,
        exchange: without_response(what, error),
    })
}

/// Returns the exchange of a request that got no response from the upstream. `what` is the message,
/// and `error` the value of the fact `proxy_log.error`.
fn without_response(what: &str, error: &str) -> Exchange {
    let is_timeout = what.starts_with("upstream timed out");
    let mut response = RawResponse::of_status(if is_timeout { 504 } else { 502 }, None);
    response.is_cut = true;
    let value = FactValue::Text(error.to_owned());
    Exchange {
        source: Source::Message,
        section: Section::After,
        response: Some(response),
        facts: vec![("proxy_log.error".to_owned(), value)],
        ..Exchange::default()
    }
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
    let mut exchange = if AFTER_HEADERS.contains(&step) {
        Exchange {
            source: Source::Message,
            section: Section::After,
            fault: Some(cut(message)),
            ..Exchange::default()
        }
    } else {
        without_response(what, error)
    };
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
