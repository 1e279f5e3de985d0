//! Infers the status of a response from its body. Standard bodies of gateways and frameworks name
//! their status.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::domain::transcript::pattern::pattern;

/// Maximum length of a body that is examined, in bytes.
const MAX_BODY: usize = 65_536;

/// JSON pointers to the members of a body that may contain the status.
const STATUS: [&str; 5] = [
    "/status",
    "/statusCode",
    "/status_code",
    "/error/code",
    "/error/status",
];

/// JSON pointers to the members of a body that may contain a message.
const MESSAGE: [&str; 5] = ["/message", "/Message", "/error", "/error/message", "/title"];

/// Messages that gateways write for one status only, in lower case. The REST APIs of API Gateway
/// write `Internal server error` for 500 and for 502, so this spelling is not listed.
const PHRASES: &[(&str, u16)] = &[
    ("bad request", 400),
    ("unauthorized", 401),
    ("forbidden", 403),
    ("missing authentication token", 403),
    ("not found", 404),
    ("method not allowed", 405),
    ("too many requests", 429),
    ("limit exceeded", 429),
    ("bad gateway", 502),
    ("service unavailable", 503),
    ("gateway timeout", 504),
    ("gateway time-out", 504),
    ("endpoint request timed out", 504),
];

/// Matches the title of an error page, with the status.
static TITLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?i)<title>\s*(?:error\s)?([45]\d\d)\b"));

/// Matches the title of a page that consists of a status and a phrase.
static ERROR_TITLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?i)<title>\s*(?:error\s)?([45]\d\d)[\s:-]*([a-z -]*)</title>"));

/// Phrases in the titles of error pages besides [`PHRASES`], in lower case.
const TITLES: &[(&str, u16)] = &[
    ("internal server error", 500),
    ("service temporarily unavailable", 503),
];

/// Returns whether a line contains the title of an error page: a status and its phrase.
pub(in crate::domain::transcript) fn is_error_title(line: &str) -> bool {
    let found = ERROR_TITLE.as_ref().filter(|_| line.len() <= MAX_BODY);
    found.and_then(|it| it.captures(line)).is_some_and(|found| {
        let phrase = found[2].trim().to_lowercase();
        let mut known = PHRASES.iter().chain(TITLES);
        known.any(|(known, status)| *known == phrase && found[1] == status.to_string())
    })
}

/// Returns the status that a body names; `None` if the body names no status of an error.
pub(in crate::domain::transcript) fn status_of_body(body: &str) -> Option<u16> {
    let body = body.trim();
    if body.len() > MAX_BODY {
        return None;
    }
    if body.starts_with('<') {
        return TITLE.as_ref()?.captures(body)?[1].parse().ok();
    }
    let value: Value = serde_json::from_str(body).ok()?;
    let number = STATUS.iter().find_map(|path| {
        let member = value.pointer(path)?;
        let number = member.as_u64().or_else(|| member.as_str()?.parse().ok())?;
        u16::try_from(number).ok()
    });
    number
        .filter(|status| (400..600).contains(status))
        .or_else(|| {
            MESSAGE.iter().find_map(|path| {
                let message = value.pointer(path)?.as_str()?.trim().trim_end_matches('.');
                if message == "Internal Server Error" {
                    return Some(500);
                }
                let lower = message.to_lowercase();
                let found = PHRASES.iter().find(|(phrase, _)| *phrase == lower);
                found.map(|(_, status)| *status)
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_with_a_status_and_its_phrase_is_that_of_an_error_page() {
        for (line, expected) in [
            ("<head><title>502 Bad Gateway</title></head>", true),
            ("<TITLE>Error 404: Not Found</TITLE>", true),
            ("<title>503 Service Temporarily Unavailable</title>", true),
            ("<title>500 ways to cook</title>", false),
            ("<title>404 Bad Gateway</title>", false),
            ("502 Bad Gateway", false),
        ] {
            assert_eq!(is_error_title(line), expected, "{line}");
        }
    }

    #[test]
    fn standard_bodies_name_their_status() {
        for (body, expected) in [
            ("{\"message\":\"Internal Server Error\"}", Some(500)),
            ("{\"message\": \"Service Unavailable\"}", Some(503)),
            ("{\"message\":\"Endpoint request timed out\"}", Some(504)),
            ("{\"status\":500,\"error\":\"oops\"}", Some(500)),
            ("{\"statusCode\":\"404\"}", Some(404)),
            ("<html><title>502 Bad Gateway</title>", Some(502)),
            ("{\"message\":\"Internal server error\"}", None),
            ("{\"message\":\"hello\"}", None),
            ("{\"status\":200}", None),
            ("{\"status\":\"ok\"}", None),
            ("{", None),
        ] {
            assert_eq!(status_of_body(body), expected, "{body}");
        }
    }
}
