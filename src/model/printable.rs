//! Escapes untrusted text before it is written to a terminal or a log.
//!
//! Responses, pasted texts and configurations can contain control characters that move the
//! cursor, set colors or the window title, or reverse the text direction. These characters are
//! replaced with escape sequences, so that readers see them and terminals do not interpret them.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns the text with each character that a terminal may interpret replaced with an escape
/// sequence, such as `\u{1b}` or `\n`.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escape_unsafe(text, |out, letter| out.extend(letter.escape_default()))
}

/// Returns the JSON text `json` with each unsafe character replaced with an escape sequence, even
/// if JSON allows the character unescaped, such as U+009B or a bidirectional mark. The JSON value
/// does not change. `json` must not contain line breaks between values, because they would be
/// escaped.
#[must_use]
pub fn printable_json(json: &str) -> Cow<'_, str> {
    escape_unsafe(json, |out, letter| {
        for unit in letter.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn escape_unsafe(text: &str, escape: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_unsafe(letter) {
            escape(&mut out, letter);
        } else {
            out.push(letter);
        }
    }
    Cow::Owned(out)
}

/// Returns whether a terminal or an editor may interpret a character instead of displaying it.
const fn is_unsafe(letter: char) -> bool {
    matches!(
        letter,
        // C0 and C1 control characters, and DEL.
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        // Bidirectional marks, embeddings, overrides and isolates.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Line and paragraph separators, and zero-width characters.
        | '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
        // Soft hyphen, deprecated format characters, interlinear annotations and tags.
        | '\u{ad}' | '\u{206a}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_controls_stays() {
        for text in ["", "status 503", "\u{20ac}\u{3b1} \u{1f600}", "a\\b"] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn controls_are_shown_as_escapes() {
        for (text, expected) in [
            ("\x1b[31mred", "\\u{1b}[31mred"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("\u{202e}evil", "\\u{202e}evil"),
            ("a\u{200b}b\x7f", "a\\u{200b}b\\u{7f}"),
        ] {
            assert_eq!(printable(text), expected);
        }
    }

    #[test]
    fn json_keeps_its_value() {
        let text = "\u{9b}2J \u{202e}x \u{e0041} \u{20ac}";
        let json = serde_json::to_string(text).unwrap();
        let safe = printable_json(&json);
        assert!(!safe.contains(is_unsafe), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
    }
}
