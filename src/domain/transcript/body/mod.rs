//! Finds the body in the lines that follow the headers of a response.
//!
//! A copied text may differ from the response: its line ends may be different, its JSON may be
//! indented, and a prompt or the output of curl's `-w` may follow the body. The announced length
//! (`Content-Length`) shows which form of the text was sent. If no form has this length, the body
//! is kept as copied and marked as not exact.

pub(super) mod json_text;
pub(super) mod known_text;
mod surroundings;

use self::surroundings::{later_start, whole_text, with_plain_quotes};
use super::time::trailer::{self, Trailer};

/// The properties of a body that are known before its text is read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Announced<'a> {
    /// The announced length in bytes; `None` if it is unknown or the body was compressed.
    pub(super) length: Option<usize>,
    /// Whether the response has no body, because it is a response to HEAD or its status is 204 or
    /// 304.
    pub(super) is_empty: bool,
    /// Whether a program may have changed the whitespace of the body, such as by indenting JSON.
    pub(super) is_reformatted: bool,
    /// Whether a part of the response is missing (see `RawResponse::is_cut`).
    pub(super) is_cut: bool,
    /// The format of curl's option `-w`; `None` if the command does not have this option.
    pub(super) write_out: Option<&'a str>,
}

/// A body, and the values that curl's `-w` printed after the body.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Body {
    pub(super) text: String,
    /// Whether `text` consists of exactly the bytes that were sent, as far as the copied text
    /// shows.
    pub(super) is_exact: bool,
    /// Whether the end of the body is missing.
    pub(super) is_truncated: bool,
    pub(super) trailer: Trailer,
}

/// Finds the body in `raw`, the lines after the headers.
pub(super) fn settle(raw: &str, announced: Announced<'_>) -> Body {
    if announced.is_empty {
        return Body {
            text: String::new(),
            is_exact: true,
            is_truncated: false,
            trailer: trailer_of(raw, announced.write_out),
        };
    }
    let raw = with_plain_quotes(raw.trim_start_matches(['\n', '\r']));
    let raw = raw.as_ref();
    let fitting = announced.length.filter(|length| *length > 0);
    if announced.length == Some(0) {
        return Body {
            is_exact: true,
            trailer: trailer_of(raw, announced.write_out),
            ..Body::default()
        };
    }
    if let Some(length) = fitting {
        let sent = |raw| {
            let json = announced
                .is_reformatted
                .then(|| json_of_length(raw, length));
            json.flatten().or_else(|| of_length(raw, length))
        };
        // Lines of a log may precede the body.
        let later = || sent(&raw[later_start(raw)?..]);
        if let Some((text, rest)) = sent(raw).or_else(later) {
            return Body {
                text,
                is_exact: true,
                is_truncated: false,
                trailer: trailer_of(rest, announced.write_out),
            };
        }
    }
    find_shown_body(raw, announced)
}

/// Returns whether a line states that a part of the text was left out, such as `[...]` or `snip`.
pub(super) fn is_elision(line: &str) -> bool {
    let line = line.trim();
    let words = line
        .trim_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase();
    let is_dots = line.len() >= 2
        && line
            .chars()
            .all(|c| matches!(c, '.' | '\u{2026}' | '[' | ']' | ' '));
    let notices = [
        "snip",
        "snipped",
        "truncated",
        "omitted",
        "redacted",
        "truncated output",
    ];
    line == "\u{2026}"
        || (is_dots && line.contains(".."))
        || (line.len() < 60 && notices.contains(&words.as_str()))
}

/// Returns the body in the form in which it was copied. This function is used if the announced
/// length is unknown or no form of the text has this length.
fn find_shown_body(raw: &str, announced: Announced<'_>) -> Body {
    let format = announced.write_out;
    let by_format = format.and_then(|format| trailer::by_format(raw, format));
    let (text, behind) = match by_format {
        Some((at, found)) => (&raw[..at], Some(found)),
        None => (whole_text(raw, announced.length), None),
    };
    let is_json = json_text::end_of_value(text);
    let (text, rest) = match is_json {
        Some(end) => text.split_at(end),
        None => without_labels(text),
    };
    let text = text.trim_end();
    let text = text
        .strip_suffix('%')
        .filter(|text| ends_markup(text))
        .unwrap_or(text);
    let missing = announced.length.is_some_and(|length| length > text.len());
    let is_complete = is_json.is_some() && !text.is_empty();
    Body {
        is_truncated: announced.is_cut || (missing && !is_complete),
        is_exact: announced.length.is_none()
            && !announced.is_cut
            && !announced.is_reformatted
            && !text.is_empty(),
        text: text.to_owned(),
        trailer: behind.unwrap_or_else(|| trailer::labeled(rest)),
    }
}

/// Returns the body of `length` bytes at the start of a text, in a form that may have been sent,
/// and the rest of the text. Returns `None` if no form has this length, or if the text after
/// these bytes on the same line may belong to the body.
fn of_length(raw: &str, length: usize) -> Option<(String, &str)> {
    // Empty lines after the body belong to the surrounding text.
    let end = raw.trim_end_matches('\n').len();
    let raw = raw.get(..=end).unwrap_or(raw);
    let by_lines = by_lines(raw, length, "\n").or_else(|| by_lines(raw, length, "\r\n"));
    let is_whole = |text: &str| !text.starts_with('{') || json_text::end_of_value(text).is_some();
    if let Some(found) = by_lines.filter(|(text, _)| is_whole(text)) {
        return Some(found);
    }
    if let Some(found) = json_of_length(raw, length) {
        return Some(found);
    }
    // Other output may follow on the same line, such as a prompt or the output of `-w`.
    let whole = raw.is_char_boundary(length) && length <= raw.len();
    let rest = raw.get(length..).filter(|_| whole)?;
    let line = rest.lines().next().unwrap_or_default();
    let is_other = json_text::end_of_value(raw) == Some(length)
        || line.starts_with(['%', '$', '#'])
        || trailer::is_labeled(line)
        || line.ends_with(['$', '#', '%', '>']) && line.contains('@');
    is_other.then(|| (raw[..length].to_owned(), rest))
}

/// Returns the lines at the start of a text that have `length` bytes in total if each of them ends
/// with `end`, and the rest of the text. Returns `None` if no number of lines has this length. The
/// last line end may be missing from the text, because it is often not copied.
fn by_lines<'a>(raw: &'a str, length: usize, end: &str) -> Option<(String, &'a str)> {
    let (mut at, mut sent) = (0, 0);
    for line in raw.split('\n') {
        at += line.len();
        sent += line.len();
        if sent == length || sent + end.len() == length {
            let mut text = raw[..at].replace('\n', end);
            if sent < length {
                text.push_str(end);
            }
            return Some((text, raw.get(at + 1..).unwrap_or_default()));
        }
        if sent > length {
            return None;
        }
        at += 1;
        sent += end.len();
    }
    None
}

/// Returns the JSON value at the start of a text in the form that has `length` bytes, and the rest
/// of the text. Returns `None` if the text does not start with a JSON value, if no form has this
/// length, or if it is unclear which form was sent.
fn json_of_length(raw: &str, length: usize) -> Option<(String, &str)> {
    let end = json_text::end_of_value(raw)?;
    // A form adds at most one space after each colon and comma, so it is at most twice as long as
    // the value.
    if length > end.saturating_mul(2) {
        return None;
    }
    let (value, rest) = raw.split_at(end);
    // A line end after the value is rare, so the forms with a line end are tried last.
    ["", "\n", "\r\n"].iter().find_map(|end| {
        let mut fitting: Vec<String> = Vec::new();
        let forms = std::iter::once(value.to_owned()).chain(json_text::compact_forms(value));
        for form in forms.map(|form| form + end) {
            if form.len() == length && !fitting.contains(&form) {
                fitting.push(form);
            }
        }
        (fitting.len() == 1).then(|| (fitting.swap_remove(0), rest))
    })
}

/// Splits off the labeled output of curl's `-w` at the end of a text. Returns the text before the
/// output, and the output.
pub(super) fn without_labels(text: &str) -> (&str, &str) {
    let mut end = text.len();
    for line in text.rsplit('\n').take(MAX_LABELS) {
        let is_label = line.trim().is_empty() || trailer::is_labeled(line);
        if !is_label {
            // The first label may be on the last line of the body.
            if let Some(at) = line.find("time_total").filter(|_| line.len() < MAX_LINE) {
                let start = end - line.len() + at;
                return text.split_at(start.min(text.len()));
            }
            break;
        }
        end = end.saturating_sub(line.len() + 1);
    }
    text.split_at(end.min(text.len()))
}

/// Maximum number of lines at the end of a text that are treated as output of `-w`.
const MAX_LABELS: usize = 30;

/// Maximum length in bytes of a body's last line that is searched for a label of `-w`.
const MAX_LINE: usize = 100_000;

/// Returns whether a text may be a whole body: it ends like JSON, markup or a sentence, or has no
/// whitespace. A `%` after such a text is the mark that zsh prints for a missing line end.
fn ends_markup(text: &str) -> bool {
    text.ends_with(['}', ']', '>', '"', '.']) || !text.contains(char::is_whitespace)
}

fn trailer_of(rest: &str, format: Option<&str>) -> Trailer {
    format
        .and_then(|format| trailer::by_format(rest, format))
        .map_or_else(
            || match format {
                Some(_) => trailer::labeled(rest),
                // Sentences may follow the body, so only lines of labels and values count.
                None => trailer::labeled_alone(rest),
            },
            |(_, found)| found,
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, length: Option<usize>, expected: (&str, bool, bool)) {
        let body = settle(
            raw,
            Announced {
                length,
                ..Announced::default()
            },
        );
        let found = (body.text.as_str(), body.is_exact, body.is_truncated);
        assert_eq!(found, expected, "{raw:?}");
    }

    #[test]
    fn the_announced_length_ends_the_body() {
        check("{\"a\":1}\n$ ", Some(7), ("{\"a\":1}", true, false));
        check("{\"a\":1}\n", Some(8), ("{\"a\":1}\n", true, false));
        check("hi%", Some(2), ("hi", true, false));
        check("hi", Some(2), ("hi", true, false));
        check("", Some(0), ("", true, false));
        check("{\"a\":1}0.123", Some(7), ("{\"a\":1}", true, false));
        check("\u{20ac}uro", Some(6), ("\u{20ac}uro", true, false));
    }

    #[test]
    fn windows_line_ends_are_restored_by_the_length() {
        check("<a>\n<b>\n", Some(10), ("<a>\r\n<b>\r\n", true, false));
        check("<a>\n<b>", Some(10), ("<a>\r\n<b>\r\n", true, false));
        check("<a>\n<b>\n", Some(8), ("<a>\n<b>\n", true, false));
        check("<a>\n<b>\n\n$", Some(8), ("<a>\n<b>\n", true, false));
    }

    #[test]
    fn indented_json_is_restored_in_the_form_of_the_announced_length() {
        let raw = "{\n    \"message\": \"x\"\n}\n";
        check(raw, Some(15), ("{\"message\":\"x\"}", true, false));
        check(raw, Some(16), ("{\"message\": \"x\"}", true, false));
        check(
            raw,
            Some(40),
            ("{\n    \"message\": \"x\"\n}", false, false),
        );
        check(raw, None, ("{\n    \"message\": \"x\"\n}", true, false));
        let two = "{\n  \"a\": 1,\n  \"b\": 2\n}";
        check(two, Some(13), ("{\"a\":1,\"b\":2}", true, false));
    }

    #[test]
    fn a_missing_end_is_noticed() {
        check("hal", Some(9), ("hal", false, true));
        check("", Some(33), ("", false, true));
        check("", None, ("", false, false));
    }

    #[test]
    fn lines_of_write_out_are_no_body() {
        let body = settle(
            "oops\nHTTP Status: 503\nTime: 30.163s\n",
            Announced::default(),
        );
        assert_eq!(body.text, "oops");
        assert_eq!(body.trailer.status, Some(503));
        let body = settle("{\"a\":1}time_total: 0.123\n", Announced::default());
        assert_eq!(body.text, "{\"a\":1}");
        assert!(body.trailer.time.is_some());
    }
}
