//! Separates a body from the text around it: lines of a log before the body, and sentences after
//! it. Also restores plain quotes in a JSON body.

use std::borrow::Cow;

use super::known_text;

/// Number of bytes after the headers that are searched for the start of the body.
const REACH: usize = 2_000;

/// Texts with which HTML, XML and JSON bodies begin, in lowercase.
const STARTS: [&str; 5] = ["<!doctype", "<html", "<?xml", "{\"", "{\n"];

/// Returns the byte offset of a body that begins after other text, recognized by a text of
/// [`STARTS`]. Returns `None` if the first [`REACH`] bytes contain no such text, or begin with one.
pub(super) fn later_start(raw: &str) -> Option<usize> {
    let head = raw[..raw.floor_char_boundary(REACH)].to_ascii_lowercase();
    let starts = STARTS.iter().filter_map(|start| head.find(start));
    starts.min().filter(|at| *at > 0)
}

/// Returns only the first line of a text if no length is announced and this line is a complete body
/// that a proxy writes, because the other lines are then not part of the body. Returns other texts
/// unchanged.
pub(super) fn whole_text(raw: &str, length: Option<usize>) -> &str {
    let Some((first, _)) = raw.split_once('\n').filter(|_| length.is_none()) else {
        return raw;
    };
    // After `:` or `,`, the body may continue on the next line, because mail programs wrap lines.
    let is_whole = known_text::of_line(first).is_some() && !first.trim_end().ends_with([':', ',']);
    if is_whole { first } else { raw }
}

/// Replaces the typographic quotes in a JSON object that contains no plain quotes. Forums and word
/// processors insert typographic quotes. Returns other texts unchanged.
pub(super) fn with_plain_quotes(raw: &str) -> Cow<'_, str> {
    let is_json = raw.starts_with('{') && !raw.contains('"');
    if is_json && raw.contains(['\u{201c}', '\u{201d}']) {
        Cow::Owned(raw.replace(['\u{201c}', '\u{201d}'], "\""))
    } else {
        Cow::Borrowed(raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_around_a_body_is_separated() {
        assert_eq!(
            later_start("CONFIG: Total: 5 bytes\nCONFIG: <html>"),
            Some(31)
        );
        assert_eq!(later_start("<html>"), None);
        let text = "no healthy upstream\nAny idea?";
        assert_eq!(whole_text(text, None), "no healthy upstream");
        assert_eq!(whole_text(text, Some(29)), text);
        assert_eq!(whole_text("hello\nthere", None), "hello\nthere");
        let quoted = "{\n\u{201c}message\u{201d}: \u{201c}no\u{201d}\n}";
        assert_eq!(with_plain_quotes(quoted), "{\n\"message\": \"no\"\n}");
        let mixed = "{\"a\": \"\u{201c}b\u{201d}\"}";
        assert_eq!(with_plain_quotes(mixed), mixed);
    }
}
