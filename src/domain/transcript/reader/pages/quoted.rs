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

/// Letters at which Envoy's text ends in a message: quotes and marks of Markdown and HTML.
const ENDS: [char; 8] = ['"', '\'', '`', '*', '<', '\\', '\u{201d}', '\n'];

/// Letters that separate a body from the rest of a message.
const SEPARATORS: [char; 9] = [
    '"', '\'', '`', '*', '>', ':', '\u{201c}', '\u{201d}', '\u{ff1a}',
];

/// Maximum number of parts of a line that are examined.
const MAX_PARTS: usize = 24;

/// Returns the first body that only a gateway writes in a line; `None` if there is none or if the
/// line is longer than [`MAX_LINE`].
pub(super) fn body(line: &str) -> Option<String> {
    if line.len() > MAX_LINE {
        return None;
    }
    of_envoy(line)
        .or_else(|| of_member(line))
        .or_else(|| of_text(line))
}

/// Returns Envoy's text up to the mark or the quote that ends it.
fn of_envoy(line: &str) -> Option<String> {
    let at = line.find(ENVOY)?;
    let text = &line[at..];
    let end = text.find(ENDS).unwrap_or(text.len());
    // The reason may end with words in brackets, such as `TLS_error:|268435581:…:TLS_error_end`.
    let text = text[..end]
        .trim_end()
        .trim_end_matches(['.', ')', ',', '}']);
    Some(text.to_owned())
}

/// Returns the body with the member as JSON, if only a gateway writes this message.
fn of_member(line: &str) -> Option<String> {
    let found = MEMBER.as_ref()?.captures(line)?;
    let body = format!("{{\"message\":\"{}\"}}", &found[1]);
    known_body::status_of_gateway(&body).map(|_| body)
}

/// Returns the text of a proxy or platform between separators, such as a colon before and the end
/// of the line after it.
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
