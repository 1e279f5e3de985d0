//! Reads the lines of nginx's error log about a failed upstream.
//!
//! Each line reports the failure of one request, without the status. The status is therefore
//! inferred: nginx responds with 504 after a timeout and with 502 after another upstream failure.

use std::sync::LazyLock;

use regex::Regex;

use super::command;
use super::exchange::{Exchange, Section, Source};
use super::pattern::pattern;
use super::response::RawResponse;
use crate::domain::diagnosis::fact::FactValue;

/// Maximum length of a line that is examined, in bytes.
const MAX_LINE: usize = 8_192;

/// Matches a line of nginx's error log about a request. Captures the message.
static LINE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"\[(?:warn|error|crit|alert|emerg)\] \d+#\d+: (?:\*\d+ )?(.+?), client: ")
});

/// Captures the method and the path of the request.
static REQUEST: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"request: "([A-Z]+) ([^\s?"]+)"#));

/// Captures the host of the request.
static HOST: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r#"host: "([^"]+)""#));

/// Parts of messages, each with a value of the fact `proxy_log.error`. The first part in this list
/// that a message contains determines the value.
const ERRORS: &[(&str, &str)] = &[
    ("upstream timed out", "timeout"),
    ("(110: ", "timeout"),
    ("(60: Operation timed out", "timeout"),
    ("no live upstreams", "unhealthy"),
    ("could not be resolved", "name-not-found"),
    ("host not found in upstream", "name-not-found"),
    ("SSL_do_handshake() failed", "tls-failed"),
    ("in SSL handshake", "tls-failed"),
    ("upstream SSL certificate", "tls-failed"),
    ("(111: ", "refused"),
    ("(61: Connection refused", "refused"),
    ("prematurely closed connection", "reset"),
    ("(104: ", "reset"),
    ("(54: Connection reset", "reset"),
    ("upstream sent ", "malformed"),
    ("connect() ", "unreachable"),
];

/// Returns the value of the fact `proxy_log.error` for a message; `None` if the message is not
/// about a failed upstream.
fn error(message: &str) -> Option<&'static str> {
    let is_upstream = message.contains("upstream") || message.contains("could not be resolved");
    let found = ERRORS.iter().find(|(part, _)| message.contains(part));
    found.filter(|_| is_upstream).map(|(_, error)| *error)
}

/// Returns the request in a line of nginx's error log about a failed upstream, with the inferred
/// response; `None` for other lines.
pub(super) fn read(line: &str) -> Option<Exchange> {
    let found = LINE.as_ref().filter(|_| line.len() <= MAX_LINE)?;
    let found = found.captures(line)?;
    let error = error(found.get(1)?.as_str())?;
    let status = if error == "timeout" { 504 } else { 502 };
    let mut response = RawResponse::of_status(status, None);
    response.is_cut = true;
    let mut exchange = Exchange {
        source: Source::Message,
        section: Section::After,
        response: Some(response),
        ..Exchange::default()
    };
    let value = FactValue::Text(error.to_owned());
    exchange.facts = vec![("proxy_log.error".to_owned(), value)];
    let request = REQUEST.as_ref().and_then(|it| it.captures(line));
    let host = HOST.as_ref().and_then(|it| it.captures(line));
    if let (Some(request), Some(host)) = (request, host) {
        exchange.request.method = Some(request[1].to_owned());
        exchange.request.url = command::url_of(&format!("http://{}{}", &host[1], &request[2]));
    }
    Some(exchange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_about_upstreams_are_recognized() {
        for (message, expected) in [
            (
                "upstream timed out (110: Connection timed out) while reading response header from upstream",
                Some("timeout"),
            ),
            (
                "connect() failed (111: Connection refused) while connecting to upstream",
                Some("refused"),
            ),
            (
                "connect() to unix:/a.sock failed (2: No such file or directory) while connecting to upstream",
                Some("unreachable"),
            ),
            (
                "recv() failed (104: Connection reset by peer) while reading response header from upstream",
                Some("reset"),
            ),
            (
                "a.internal could not be resolved (3: Host not found)",
                Some("name-not-found"),
            ),
            (
                "upstream sent too big header while reading response header from upstream",
                Some("malformed"),
            ),
            ("client intended to send too large body: 1 bytes", None),
            ("an upstream response is buffered to a temporary file", None),
        ] {
            assert_eq!(error(message), expected, "{message}");
        }
    }
}
