//! Infers the status of a response from its body.
//!
//! curl without `-i` prints only the body. Gateways, web servers and platforms generate pages and
//! texts that contain the status, or that they send with one status only.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::transcript::body::known_text;
use crate::domain::transcript::documents::json_doc;
use crate::domain::transcript::pattern::pattern;

/// Maximum length of a body that is examined, in bytes.
const MAX_BODY: usize = 65_536;

/// Reason phrases and similar texts, converted to lower case, that servers send as the whole body,
/// each with its status.
const REASONS: &[(&str, u16)] = &[
    ("bad request", 400),
    ("unauthorized", 401),
    ("forbidden", 403),
    ("access denied", 403),
    ("not found", 404),
    ("method not allowed", 405),
    ("too many requests", 429),
    ("internal server error", 500),
    ("bad gateway", 502),
    ("service unavailable", 503),
    ("service temporarily unavailable", 503),
    ("gateway timeout", 504),
    ("gateway time-out", 504),
];

/// Error codes of S3 and other AWS APIs that respond in XML, each with its status, from the lists
/// of error codes in the documentation of AWS.
const XML_CODES: &[(&str, u16)] = &[
    ("AccessDenied", 403),
    ("AllAccessDisabled", 403),
    ("InvalidAccessKeyId", 403),
    ("SignatureDoesNotMatch", 403),
    ("RequestTimeTooSkewed", 403),
    ("MissingAuthenticationToken", 403),
    ("NoSuchBucket", 404),
    ("NoSuchKey", 404),
    ("NoSuchUpload", 404),
    ("NoSuchVersion", 404),
    ("NoSuchWebsiteConfiguration", 404),
    ("MethodNotAllowed", 405),
    ("PreconditionFailed", 412),
    ("ExpiredToken", 400),
    ("InvalidRequest", 400),
    ("InvalidArgument", 400),
    ("AuthorizationHeaderMalformed", 400),
    ("InternalError", 500),
    ("ServiceUnavailable", 503),
    ("SlowDown", 503),
];

/// Parts of pages that do not state their status, each with the status of the response.
const PARTS: &[(&str, u16)] = &[
    ("Our services aren't available right now", 503),
    ("herokucdn.com/error-pages/application-error", 503),
    ("herokucdn.com/error-pages/no-such-app", 404),
    ("used Cloudflare to restrict access", 403),
    ("<title>Attention Required! | Cloudflare</title>", 403),
];

/// Matches what follows the status in the title or heading of an error page: the end tag or a
/// typical word. If something else follows, the number may be part of the title of another page.
const AFTER: &str = r"[\s:|-]*(?:</|error\b|bad\b|misdirected\b|not\b|forbidden|unauthorized|access\b|service\b|gateway\b|internal\b|server\b|web server|too many|request\b|proxy\b|payload\b|method\b|first byte|between bytes|connection\b|backend|all backends|fetch\b|file or directory|resource\b|payment\b|authorization\b)";

/// Captures the rest of the title or heading, which is searched for words of an article
/// ([`PROSE`]).
const REST: &str = r"([^<]{0,200})";

/// Matches words that occur in the title or heading of an article, a report or a list, but not of
/// an error page.
static PROSE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)\w: \w|\b(?:how|what|why|when|we|you|fix\w*|guide|explained|meaning|means|pages|codes|errors|report\w*|tools?|tips|handling|troubleshoot\w*|causes|solved|team|users?|teams|love)\b",
    )
});

/// Captures the title of a page.
static TITLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?i)<title[^>]{0,100}>([^<]{0,200})</title"));

/// Matches the headings of a page that start with a status. Captures the status.
static HEADINGS: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?i)<h[1-6][^>]{0,200}>\s*([45]\d\d)\b"));

/// Expressions that capture the status in the title or in a heading of a page.
static NUMBER: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let words = r"(?:error[\s:]*|http (?:status|error)[\s:]*)?";
    [
        format!(r"(?i)<title>\s*{words}([45]\d\d)\b{AFTER}{REST}"),
        r"(?i)<title>[^<]{0,200}\|\s*(5[0-3]\d): ".to_owned(),
        r"(?i)<title>[^<]{0,80}error(?:\s(?:code|status|page))?\s*\((?:error )?([45]\d\d)\)\s*</title>".to_owned(),
        format!(r"(?i)<h[1-3][^>]{{0,200}}>\s*{words}([45]\d\d)\b{AFTER}{REST}"),
    ]
    .iter()
    .filter_map(|expression| pattern(expression))
    .collect()
});

/// Matches a title or heading that may be a reason phrase. Captures its text.
static PHRASE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?i)<(?:title|h1)[^>]{0,200}>\s*([a-z][a-z -]{4,40}?)\s*</"));

/// Captures the error code in an XML document.
static XML_CODE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"<(?:Error|ErrorResponse)\b[\s\S]{0,600}?<Code>\s*([A-Za-z]{4,60})\s*</")
});

/// The kind of the host that a request was sent to. It affects which status is inferred from the
/// body of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain::transcript) enum Host {
    /// The default host name of an API of API Gateway.
    ApiGateway,
    /// The host name of a Lambda function URL.
    FunctionUrl,
    Other,
}

impl Host {
    pub(in crate::domain::transcript) fn of(name: Option<&str>) -> Self {
        match name {
            Some(name) if name.contains(".execute-api.") => Self::ApiGateway,
            Some(name) if name.contains(".lambda-url.") => Self::FunctionUrl,
            _ => Self::Other,
        }
    }
}

/// Returns the status of a body that a client printed; `None` if the body does not show that the
/// request failed, or if it is longer than [`MAX_BODY`].
pub(in crate::domain::transcript) fn status_of(body: &str, host: Host) -> Option<u16> {
    let body = body.trim();
    if body.len() > MAX_BODY {
        return None;
    }
    if body.starts_with('<') {
        return of_markup(body).or_else(|| phrase_of_markup(body));
    }
    if body.starts_with(['{', '[']) {
        return json_doc::status_of_body(body).or_else(|| of_api(body, host));
    }
    let body = body.strip_suffix('%').unwrap_or(body);
    let lower = body.to_lowercase();
    let reason = REASONS.iter().find(|(reason, _)| *reason == lower);
    known_text::of_line(body).or_else(|| match reason.map(|(_, status)| *status) {
        Some(500) if host == Host::FunctionUrl => Some(502),
        status => status,
    })
}

/// Returns the status of a body that only a gateway or a platform writes; `None` for other bodies
/// and for bodies longer than [`MAX_BODY`]. Such a body counts as a response even if the text shows
/// no command that printed it.
pub(in crate::domain::transcript) fn status_of_gateway(body: &str) -> Option<u16> {
    let body = body.trim();
    if body.len() > MAX_BODY {
        return None;
    }
    if body.starts_with('<') {
        return of_markup(body);
    }
    if body.starts_with('{') {
        return json_doc::status_of_gateway(body).or_else(|| of_api(body, Host::ApiGateway));
    }
    known_text::of_line(body)
}

/// Length in bytes below which a body may be one of API Gateway. It allows for whitespace that a
/// program added.
const MAX_API_BODY: usize = 200;

/// Returns 502 for the body that REST APIs send with 502 and, less often, with 500; `None` for
/// other bodies and for hosts other than API Gateway.
fn of_api(body: &str, host: Host) -> Option<u16> {
    let letters = body.chars().filter(|letter| !letter.is_whitespace());
    let is_internal = host == Host::ApiGateway
        && body.len() < MAX_API_BODY
        && letters.eq("{\"message\":\"Internalservererror\"}".chars());
    is_internal.then_some(502)
}

/// Returns the status for an error code in [`XML_CODES`]; `None` for other codes.
pub(in crate::domain::transcript) fn status_of_code(code: &str) -> Option<u16> {
    let known = XML_CODES.iter().find(|(known, _)| *known == code)?;
    Some(known.1)
}

fn of_markup(body: &str) -> Option<u16> {
    let number = NUMBER.iter().find_map(|expression| {
        let found = expression.captures(body)?;
        let rest = found.get(2).map_or("", |rest| rest.as_str());
        let is_prose = PROSE.as_ref().is_some_and(|prose| prose.is_match(rest));
        let is_section = found[0].starts_with("<h") && !found[0].starts_with("<h1");
        let is_of_page = !is_section || !has_other_title(body);
        found[1].parse().ok().filter(|_| !is_prose && is_of_page)
    });
    let number = number.filter(|_| !lists_statuses(body));
    let part = || PARTS.iter().find(|(part, _)| body.contains(part));
    let code = || {
        let found = XML_CODE.as_ref()?.captures(body)?;
        let known = XML_CODES.iter().find(|(code, _)| *code == &found[1])?;
        Some(known.1)
    };
    number
        .or_else(|| part().map(|(_, status)| *status))
        .or_else(code)
}

/// Returns whether a page is not an error page: its title is not about an error, or its headings name
/// several statuses.
pub(in crate::domain::transcript) fn is_of_other_topic(page: &str) -> bool {
    has_other_title(page) || lists_statuses(page)
}

/// Returns whether a page has a title that is not about an error. A heading with a status may then
/// be the heading of a section about this status.
fn has_other_title(body: &str) -> bool {
    let found = TITLE.as_ref().and_then(|title| title.captures(body));
    let words = [
        "error",
        "unavailable",
        "not found",
        "denied",
        "forbidden",
        "failed",
        "timeout",
    ];
    found.is_some_and(|found| {
        let title = found[1].to_lowercase();
        // A page that lists errors is documentation.
        let is_of_error =
            words.iter().any(|word| title.contains(word)) && !title.contains("errors");
        !title.trim().is_empty() && !is_of_error
    })
}

/// Returns whether the headings of a page start with different statuses, as in documentation.
fn lists_statuses(body: &str) -> bool {
    let Some(headings) = HEADINGS.as_ref() else {
        return false;
    };
    let mut statuses = headings
        .captures_iter(body)
        .map(|found| found[1].to_owned());
    let first = statuses.next();
    statuses.any(|status| Some(status) != first)
}

fn phrase_of_markup(body: &str) -> Option<u16> {
    let found = PHRASE.as_ref()?.captures(body)?;
    let phrase = found[1].to_lowercase();
    let known = REASONS.iter().find(|(reason, _)| *reason == phrase);
    known.map(|(_, status)| *status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_name_their_status() {
        for (body, expected) in [
            ("no healthy upstream", Some(503)),
            ("no healthy upstream%", Some(503)),
            (
                "upstream connect error or disconnect/reset before headers. reset reason: overflow",
                Some(503),
            ),
            ("error code: 1033", Some(530)),
            ("error code: 521", Some(521)),
            ("error code: 7", None),
            ("Bad Gateway", Some(502)),
            ("all is well", None),
            ("{\"message\":\"Service Unavailable\"}", Some(503)),
            (
                "<html><head><title>502 Bad Gateway</title></head>",
                Some(502),
            ),
            ("<TITLE>ERROR</TITLE><H1>403 ERROR</H1>", Some(403)),
            (
                "<html><body><h1>503 Service Unavailable</h1>\nNo server",
                Some(503),
            ),
            (
                "<title>x.example | 522: Connection timed out</title>",
                Some(522),
            ),
            ("<title>Server Error (500)</title>", Some(500)),
            ("<!doctype html><title>Not Found</title>", Some(404)),
            (
                "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code></Error>",
                Some(404),
            ),
            ("<Error><Code>Strange</Code></Error>", None),
            ("<html><title>Welcome</title></html>", None),
            ("<html><title>Room 404 of the hotel</title></html>", None),
            ("<html><title>500 ways to cook</title></html>", None),
            ("<html><title>404 Media</title></html>", None),
            (
                "<title>503 Service Unavailable: what it means</title>",
                None,
            ),
            ("<title>Error reports of the week (502)</title>", None),
            (
                "<h1>How to read it</h1><h2>500 Server Error</h2><h2>502 Bad Gateway</h2>",
                None,
            ),
            ("<title>Home</title><h2>500 Internal tools</h2>", None),
            ("<title>404 Not Found | shop.example</title>", Some(404)),
            ("<TITLE>Error 404: Not Found</TITLE>", Some(404)),
            ("<title>503 first byte timeout</title>", Some(503)),
        ] {
            assert_eq!(status_of(body, Host::Other), expected, "{body}");
        }
    }

    #[test]
    fn the_host_decides_about_bodies_of_several_statuses() {
        let body = "{\"message\": \"Internal server error\"}";
        let api = Host::of(Some("a1.execute-api.eu-west-1.amazonaws.com"));
        let url = Host::of(Some("x.lambda-url.eu-west-1.on.aws"));
        assert_eq!(status_of(body, api), Some(502));
        assert_eq!(status_of(body, Host::Other), None);
        assert_eq!(status_of("Internal Server Error", url), Some(502));
        assert_eq!(status_of("Internal Server Error", Host::Other), Some(500));
    }

    #[test]
    fn a_body_without_a_command_must_be_one_of_a_gateway() {
        assert_eq!(status_of_gateway("upstream request timeout"), Some(504));
        assert_eq!(status_of_gateway("Not Found"), None);
        assert_eq!(status_of_gateway("{\"status\":500}"), None);
    }
}
