//! Reads the lines in which a reverse proxy logs why its upstream failed, in formats that state the
//! reason as text. Most of them are formats of proxies written in Go, of development servers, and
//! of load balancers that report the state of a backend.
//!
//! If this module did not read such a line, the reason would be taken for the failure of a client's
//! request.

use std::sync::LazyLock;

use regex::Regex;

use super::{Entry, Logged, upstream_error};
use crate::domain::transcript::command;
use crate::domain::transcript::pattern::pattern;

/// The source of the reason why the upstream failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// The text after the words of the proxy is the error message about the upstream.
    Stated,
    /// The words themselves state the reason. Contains the value of the fact `proxy_log.error`.
    Known(&'static str),
}

/// The words that identify a proxy's message about its upstream, and what the message implies.
struct Words {
    /// The texts that the line contains, in this order. For [`Reason::Stated`], the error message
    /// follows the last text.
    parts: &'static [&'static str],
    /// The status of the response; `None` if it depends on the version or the configuration.
    status: Option<u16>,
    reason: Reason,
}

const fn stated(parts: &'static [&'static str], status: Option<u16>) -> Words {
    Words {
        parts,
        status,
        reason: Reason::Stated,
    }
}

const fn known(parts: &'static [&'static str], error: &'static str) -> Words {
    Words {
        parts,
        status: None,
        reason: Reason::Known(error),
    }
}

/// The words of each proxy, from its source code.
const WORDS: &[Words] = &[
    // cloudflared, `proxy/proxy.go`; the second entry is for versions until 2021. Cloudflare
    // responds with 502 (Cloudflare's documentation, "Tunnel: common errors").
    stated(
        &[
            "Unable to reach the origin service. ",
            " from cloudflared: ",
        ],
        Some(502),
    ),
    stated(&["Error proxying request to origin: "], Some(502)),
    // Go's `httputil.ReverseProxy`: the default `ErrorHandler` logs this and responds with 502.
    stated(&["http: proxy error: "], Some(502)),
    // oauth2-proxy, `pkg/upstream/http.go`.
    stated(&["Error proxying to upstream server: "], Some(502)),
    // Kubernetes, `apimachinery/pkg/util/proxy/transport.go`.
    stated(&["error trying to reach service: "], None),
    // Skipper, `proxy/proxy.go`.
    stated(&["error while proxying after ", ", status code "], None),
    // frp, `pkg/util/vhost/http.go`.
    stated(&["http proxy request [host: ", "] error: "], None),
    // http-proxy-middleware and Next.js.
    stated(&["[HPM] Error occurred while ", "prox"], None),
    stated(&["Failed to proxy http", " "], None),
    // nghttpx, `shrpx_http_downstream_connection.cc`.
    known(&["Backend connect failed; addr="], "unreachable"),
    // lighttpd, `gw_backend.c`.
    stated(&["(gw_backend.c", "establishing connection failed: "], None),
    // HAProxy, `src/check.c` and `src/server.c`.
    known(&["backend ", " has no server available!"], "unhealthy"),
    known(
        &[
            "erver ",
            "/",
            " is DOWN",
            " 0 active and 0 backup servers left",
        ],
        "unhealthy",
    ),
];

/// Matches a line of Traefik 3 or later about an upstream, in the console format or as `json_doc`
/// converts it from JSON. Captures the status and the error message.
static TRAEFIK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r#"\bproxy\.go:\d+ > ([45]\d\d) [A-Z][A-Za-z ]{2,40}? (?:\| )?error="?(.{1,400})"#)
});

/// Lines that precede the error message about the upstream: those of Vite, of the development
/// server of Create React App, and of YARP.
const HEADINGS: [&[&str]; 3] = [
    &["[vite] http proxy error"],
    &["Proxy error: Could not proxy request ", " to "],
    &["Request: An error was encountered before receiving a response."],
];

/// Matches a date and time in a line. Captures the date, the hour, the minute and the second.
static TIME: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"\b(\d{4}-\d\d-\d\d)T(\d\d):(\d\d):(\d\d)"));

/// Reads a line of a reverse proxy; `None` for other lines.
pub(super) fn read(line: &str) -> Option<Logged> {
    if line.contains("proxy.go:") {
        return of_traefik(line).or_else(|| of_words(line));
    }
    of_words(line)
}

fn of_words(line: &str) -> Option<Logged> {
    let (words, rest) = WORDS
        .iter()
        .find_map(|words| Some((words, after(line, words.parts)?)))?;
    let rest = until_quote(rest);
    if is_of_client(rest) {
        return Some(Logged::Passed);
    }
    let error = match words.reason {
        Reason::Known(error) => error,
        Reason::Stated => upstream_error(rest)?,
    };
    let destination = super::fields::value(line, "dest");
    Some(
        Entry {
            status: words.status.unwrap_or(502),
            url: destination.and_then(command::url_of),
            error: Some(error),
            // The lines name no process, so the words and the error stand for it. One failure often
            // has two lines with the same words and error. One of them may lack the destination.
            process: Some(format!("{} {error}", words.parts[0])),
            time_of_line: time_of(line),
            client: destination.map(str::to_owned),
            is_status_unknown: words.status.is_none(),
            ..Entry::default()
        }
        .failed(),
    )
}

/// Returns whether the error message about the upstream follows on the next line.
pub(in crate::domain::transcript) fn is_heading(line: &str) -> bool {
    HEADINGS.iter().any(|parts| after(line, parts).is_some())
}

/// Reads the error message below a heading ([`HEADINGS`]); `None` if it states no known failure.
pub(in crate::domain::transcript) fn below_heading(line: &str) -> Option<Logged> {
    let error = upstream_error(line)?;
    Some(
        Entry {
            status: 502,
            error: Some(error),
            is_status_unknown: true,
            ..Entry::default()
        }
        .failed(),
    )
}

/// Returns the text after the last part; `None` unless the line contains all parts in this order.
fn after<'a>(line: &'a str, parts: &[&str]) -> Option<&'a str> {
    parts.iter().try_fold(line, |rest, part| {
        let (_, rest) = rest.split_once(part)?;
        Some(rest)
    })
}

/// Returns the text before the quote that ends the value of a field; the whole text without such a
/// quote.
fn until_quote(text: &str) -> &str {
    let mut quotes = text.match_indices('"');
    let end = quotes.find(|(at, _)| *at > 0 && !text[..*at].ends_with('\\'));
    end.map_or(text, |(at, _)| &text[..at])
}

/// Returns whether `reason` states that the client closed its connection.
fn is_of_client(reason: &str) -> bool {
    ["context canceled", "client disconnected"]
        .iter()
        .any(|text| reason.contains(text))
}

/// Returns the date of a line, and its time of day in seconds since midnight; `None` if the line
/// has no time.
fn time_of(line: &str) -> Option<(String, f64)> {
    let found = TIME.as_ref()?.captures(line)?;
    let part = |index: usize| found[index].parse::<f64>().ok();
    let seconds = part(2)? * 3_600.0 + part(3)? * 60.0 + part(4)?;
    Some((found[1].to_owned(), seconds))
}

fn of_traefik(line: &str) -> Option<Logged> {
    let found = TRAEFIK.as_ref()?.captures(line)?;
    let status: u16 = found[1].parse().ok()?;
    if status < 500 || is_of_client(&found[2]) {
        return Some(Logged::Passed);
    }
    Some(
        Entry {
            status,
            error: upstream_error(&found[2]),
            ..Entry::default()
        }
        .failed(),
    )
}
