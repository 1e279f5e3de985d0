//! Tests of the lines of nginx's error log.

use super::*;

/// Returns a line of nginx's error log with a message and what follows the request.
fn line(level: &str, message: &str, end: &str) -> String {
    format!(
        "2025/11/11 03:12:44 [{level}] 31#31: *5 {message}, client: 10.0.0.5, server: _, request: \"GET /a?b HTTP/1.1\", upstream: \"http://10.0.3.7/\", host: \"x.example\"{end}"
    )
}

/// Returns the status and the fact that a message leads to, or `cut` for a body that was cut
/// off, or `-` if the message leads to no result.
fn result(level: &str, message: &str, end: &str) -> String {
    let Some(Line::Attempt(attempt)) = read(&line(level, message, end)) else {
        return "-".to_owned();
    };
    let exchange = attempt.exchange;
    exchange.response.map_or("cut".to_owned(), |response| {
        format!("{} {:?}", response.status, exchange.facts[0].1)
    })
}

/// Messages about upstreams, each with the expected status and fact.
const UPSTREAM: &[(&str, u16, &str)] = &[
    (
        "upstream timed out (110: Connection timed out) while reading response header from upstream",
        504,
        "timeout",
    ),
    (
        "connect() failed (110: Connection timed out) while connecting to upstream",
        502,
        "timeout",
    ),
    (
        "connect() failed (111: Connection refused) while connecting to upstream",
        502,
        "refused",
    ),
    (
        "kevent() reported that connect() failed (61: Connection refused) while connecting to upstream",
        502,
        "refused",
    ),
    (
        "connect() failed (10061: No connection could be made) while connecting to upstream",
        502,
        "refused",
    ),
    (
        "connect() to unix:/a.sock failed (2: No such file or directory) while connecting to upstream",
        502,
        "unreachable",
    ),
    (
        "recv() failed (104: Connection reset by peer) while reading response header from upstream",
        502,
        "reset",
    ),
    (
        "recv() failed (54: Connection reset by peer) while reading response header from upstream",
        502,
        "reset",
    ),
    (
        "writev() failed (32: Broken pipe) while sending request to upstream",
        502,
        "reset",
    ),
    (
        "a.internal could not be resolved (3: Host not found)",
        502,
        "name-not-found",
    ),
    (
        "a.internal could not be resolved (2: Server failure)",
        502,
        "name-not-found",
    ),
    (
        "a.internal could not be resolved (110: Operation timed out)",
        502,
        "name-not-found",
    ),
    (
        "no resolver defined to resolve a.internal",
        502,
        "name-not-found",
    ),
    (
        "no live upstreams while connecting to upstream",
        502,
        "unhealthy",
    ),
    (
        "SSL_do_handshake() failed (SSL: error:0A000410:SSL routines::sslv3 alert) while SSL handshaking to upstream",
        502,
        "tls-failed",
    ),
    (
        "peer closed connection in SSL handshake (104: Connection reset by peer) while SSL handshaking to upstream",
        502,
        "tls-failed",
    ),
    (
        "upstream SSL certificate verify error: (10:certificate has expired) while SSL handshaking to upstream",
        502,
        "tls-failed",
    ),
    (
        "upstream sent too big header while reading response header from upstream",
        502,
        "malformed",
    ),
];

#[test]
fn messages_about_upstreams_are_recognized() {
    for (message, status, error) in UPSTREAM {
        let found = result("error", message, "");
        assert_eq!(found, format!("{status} Text({error:?})"), "{message}");
    }
}

/// Other messages: the level, the message, what follows the request, and the expected result.
const OTHER: &[(&str, &str, &str, &str)] = &[
    (
        "error",
        "client intended to send too large body: 1 bytes",
        "",
        "-",
    ),
    (
        "warn",
        "upstream sent more data than specified while reading upstream",
        "",
        "-",
    ),
    (
        "warn",
        "an upstream response is buffered to a temporary file",
        "",
        "-",
    ),
    (
        "error",
        "FastCGI sent in stderr: \"PHP message: upstream timed out (110: x)\" while reading response header from upstream",
        "",
        "-",
    ),
    (
        "error",
        "upstream timed out (110: Connection timed out) while proxying upgraded connection",
        "",
        "-",
    ),
    (
        "error",
        "recv() failed (104: Connection reset by peer) while sending to client",
        "",
        "-",
    ),
    (
        "error",
        "connect() failed (111: Connection refused) while connecting to upstream",
        ", subrequest: \"/mirror\"",
        "-",
    ),
    (
        "error",
        "upstream timed out (110: Connection timed out) while reading upstream",
        "",
        "cut",
    ),
    (
        "error",
        "upstream prematurely closed connection while sending to client",
        "",
        "cut",
    ),
];

#[test]
fn other_messages_lead_to_no_status() {
    for (level, message, end, expected) in OTHER {
        assert_eq!(result(level, message, end), *expected, "{message}");
    }
    assert!(read("[error] upstream timed out").is_none());
    let of_stream = "[error] 31#31: *5 connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.5, server: 0.0.0.0:443, upstream: \"10.0.3.7:1\"";
    assert!(matches!(read(of_stream), Some(Line::Other)));
}

#[test]
fn the_scheme_is_https_if_the_line_shows_tls() {
    let url = |line: &str| match read(line) {
        Some(Line::Attempt(attempt)) => attempt.exchange.request.url.map(String::from),
        _ => None,
    };
    let message = "no live upstreams while connecting to upstream";
    let plain = line("error", message, "");
    for (line, expected) in [
        (plain.clone(), "http://x.example/a"),
        (plain.replace("HTTP/1.1", "HTTP/2.0"), "https://x.example/a"),
        (
            plain.replace("x.example", "x.example:443"),
            "https://x.example/a",
        ),
        (
            plain.replace("x.example", "x.example:8080"),
            "http://x.example:8080/a",
        ),
        (
            line("error", message, ", referrer: \"https://x.example/\""),
            "https://x.example/a",
        ),
    ] {
        assert_eq!(url(&line).as_deref(), Some(expected), "{line}");
    }
}
