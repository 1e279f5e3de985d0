//! Parses HTTP status lines, such as `HTTP/1.1 503 Service Unavailable`, and recognizes request
//! lines.

use crate::model::observation::HttpVersion;

/// An HTTP status line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StatusLine {
    pub(super) version: HttpVersion,
    pub(super) status: u16,
    /// The reason phrase; `None` if the line has none.
    pub(super) reason: Option<String>,
}

/// Maximum length of a reason phrase in characters.
const MAX_REASON: usize = 200;

/// Parses a line that starts with `HTTP/`; `None` if the line is not a status line.
pub(super) fn parse(line: &str) -> Option<StatusLine> {
    let rest = line.strip_prefix("HTTP/")?;
    let (version, rest) = rest.split_once([' ', '\t'])?;
    let version = version_of(version)?;
    // Markdown may emphasize the status.
    let rest = rest.trim_start().trim_start_matches("**");
    let status = code(rest)?;
    Some(StatusLine {
        version,
        status,
        reason: reason(rest[3..].trim_end_matches(['*', '`'])),
    })
}

/// Returns whether a text is an HTTP request line.
pub(super) fn is_request_line(sent: &str) -> bool {
    let words: Vec<&str> = sent.split(' ').take(4).collect();
    let is_method = |word: &str| word.bytes().all(|byte| byte.is_ascii_uppercase());
    matches!(words.as_slice(), [method, _, version]
        if version.starts_with("HTTP/") && !method.is_empty() && is_method(method))
}

/// Returns the HTTP version for a number such as `1.1`; `None` if the version is unknown.
pub(super) fn version_of(number: &str) -> Option<HttpVersion> {
    Some(match number {
        "0.9" => HttpVersion::Http09,
        "1.0" => HttpVersion::Http10,
        "1.1" | "1.x" => HttpVersion::Http11,
        "2" | "2.0" => HttpVersion::Http2,
        "3" | "3.0" => HttpVersion::Http3,
        _ => return None,
    })
}

/// Returns the status code at the start of a text: a number from 100 to 999, not followed by a
/// letter, digit or underscore. Returns `None` if the text does not start with such a number.
pub(super) fn code(text: &str) -> Option<u16> {
    let digits = text.get(..3)?;
    let ends = !text[3..].starts_with(|next: char| next.is_alphanumeric() || next == '_');
    let number: u16 = digits.parse().ok()?;
    (ends && digits.bytes().all(|byte| byte.is_ascii_digit()) && (100..=999).contains(&number))
        .then_some(number)
}

/// Returns the reason phrase in the text after a status code; `None` if the text is blank.
pub(super) fn reason(text: &str) -> Option<String> {
    let text = text.trim();
    let reason: String = text.chars().take(MAX_REASON).collect();
    (!reason.is_empty()).then_some(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines_of_every_version_are_parsed() {
        for (line, expected) in [
            ("HTTP/0.9 200 OK", Some(("0.9", 200, Some("OK")))),
            ("HTTP/1.0 500 Oops", Some(("1.0", 500, Some("Oops")))),
            (
                "HTTP/1.1  503 Service  Unavailable ",
                Some(("1.1", 503, Some("Service  Unavailable"))),
            ),
            ("HTTP/2 502 ", Some(("2", 502, None))),
            ("HTTP/2.0 502", Some(("2", 502, None))),
            ("HTTP/3 503", Some(("3", 503, None))),
            ("HTTP/1.1 999 ", Some(("1.1", 999, None))),
            (
                "HTTP/1.1 **403 Forbidden**",
                Some(("1.1", 403, Some("Forbidden"))),
            ),
            ("HTTP/1.1 503 Oops`", Some(("1.1", 503, Some("Oops")))),
            ("HTTP/1.1 5035", None),
            ("HTTP/1.1 50", None),
            ("HTTP/1.1 +50", None),
            ("HTTP/1.1", None),
            ("HTTP/4 200", None),
            ("HTTP/2 \u{20ac}", None),
            ("http", None),
        ] {
            let found = parse(line);
            let found = found.as_ref().map(|found| {
                (
                    found.version.as_str(),
                    found.status,
                    found.reason.as_deref(),
                )
            });
            assert_eq!(found, expected, "{line}");
        }
    }
}
