//! Finds bodies of gateways in messages: after a colon, in quotes or bold, or as the member
//! `message` of an object that is not JSON.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::transcript::body::known_text;
use crate::domain::transcript::pages::known_body;
use crate::domain::transcript::pattern::{MAX_LINE, pattern};

/// Captures the value of a member `message` in an object of JavaScript, Python, Ruby or PHP.
static MEMBER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r#"(?:^|[\s{,(\["':])[mM]essage["']?\s*(?::|=>|=)\s*["']([^"'\\{}]{4,120})["']"#)
});

/// The start of the text that Envoy writes if it got no response from the upstream.
const ENVOY: &str = "upstream connect error or disconnect/reset before headers";

/// Characters that end Envoy's text in a message: quotes, marks of Markdown and HTML, the backslash
/// of an escape sequence, and the line feed.
const ENDS: [char; 8] = ['"', '\'', '`', '*', '<', '\\', '\u{201d}', '\n'];

/// Characters that separate a body from the rest of a message.
const SEPARATORS: [char; 9] = [
    '"', '\'', '`', '*', '>', ':', '\u{201c}', '\u{201d}', '\u{ff1a}',
];

/// Maximum number of parts of a line that are examined. [`SEPARATORS`] separate the parts.
const MAX_PARTS: usize = 24;

/// Returns a response body that a line contains and that only gateways write. Returns `None` if
/// there is none or if the line is longer than [`MAX_LINE`].
pub(super) fn body(line: &str) -> Option<String> {
    if line.len() > MAX_LINE {
        return None;
    }
    of_envoy(line)
        .or_else(|| of_member(line))
        .or_else(|| of_text(line))
}

/// Returns Envoy's text up to the first of [`ENDS`] or up to the end of the line; `None` if the
/// line does not contain this text.
fn of_envoy(line: &str) -> Option<String> {
    let at = line.find(ENVOY)?;
    let text = &line[at..];
    let end = text.find(ENDS).unwrap_or(text.len());
    // The punctuation of the surrounding message may follow the text.
    let text = text[..end]
        .trim_end()
        .trim_end_matches(['.', ')', ',', '}']);
    Some(text.to_owned())
}

/// Returns a JSON body with the `message` that an object in the line contains; `None` if there is
/// no such object or if other programs may also write this message.
fn of_member(line: &str) -> Option<String> {
    let found = MEMBER.as_ref()?.captures(line)?;
    let body = format!("{{\"message\":\"{}\"}}", &found[1]);
    known_body::status_of_gateway(&body).map(|_| body)
}

/// Returns the first part of a line that only a proxy or platform writes; `None` if there is none.
/// [`SEPARATORS`] separate the parts. The part before the first separator is not examined.
fn of_text(line: &str) -> Option<String> {
    let parts = line.split(SEPARATORS).take(MAX_PARTS).skip(1);
    let mut parts = parts.map(|part| part.trim().trim_end_matches(','));
    parts
        .find(|part| !part.starts_with("error code") && known_text::of_line(part).is_some())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_in_a_message_is_found() {
        for (line, expected) in [
            (
                "Error: upstream connect error or disconnect/reset before headers. reset reason: overflow",
                Some(
                    "upstream connect error or disconnect/reset before headers. reset reason: overflow",
                ),
            ),
            (
                "I get **upstream connect error or disconnect/reset before headers** here",
                Some("upstream connect error or disconnect/reset before headers"),
            ),
            (
                "  message: 'Missing Authentication Token',",
                Some("{\"message\":\"Missing Authentication Token\"}"),
            ),
            ("Error: no healthy upstream", Some("no healthy upstream")),
            ("it says \"RBAC: access denied\" again", None),
            (
                "it says \"no healthy upstream\" again",
                Some("no healthy upstream"),
            ),
            ("there is no healthy upstream", None),
            ("message: 'hello world'", None),
        ] {
            assert_eq!(body(line).as_deref(), expected, "{line}");
        }
    }
}
