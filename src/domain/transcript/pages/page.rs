//! Recognizes the lines of a page in HTML or XML that a text shows without the headers above it.
//! `reader::pages` collects them.

use crate::domain::transcript::body::is_elision;
use crate::domain::transcript::command;
use crate::domain::transcript::status;
use crate::domain::transcript::text;
use crate::domain::transcript::text::glued::is_prompt;
use crate::domain::transcript::time::clock;

/// A page that is being collected.
#[derive(Clone, Debug, Default)]
pub(in crate::domain::transcript) struct Page {
    pub(in crate::domain::transcript) text: String,
    /// The number of the page's first line in the text.
    pub(in crate::domain::transcript) number: usize,
    /// Whether the end of the page was read.
    pub(in crate::domain::transcript) is_closed: bool,
}

/// Length in bytes beyond which a page ends, even without an end tag.
pub(in crate::domain::transcript) const MAX_PAGE: usize = 65_536;

/// Number of bytes at the start of a line that are searched for the start of a page.
const REACH: usize = 600;

/// Texts with which a page starts, in lower case. The first three may also follow other text on a
/// line.
const STARTS: [&str; 5] = [
    "<!doctype html",
    "<html",
    "<?xml ",
    "<error>",
    "<errorresponse",
];

/// Tags inside a page, in lower case. A page whose first lines are missing may start with such a
/// tag, but only where a body is expected.
const PARTS: [&str; 4] = ["<head>", "<title>", "<h1>", "<h2>"];

/// End tags of pages, in lower case.
const ENDS: [&str; 3] = ["</html>", "</error>", "</errorresponse>"];

impl Page {
    /// Adds a line.
    pub(in crate::domain::transcript) fn add(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        let lower = line.to_ascii_lowercase();
        self.is_closed |= ENDS.iter().any(|end| lower.contains(end));
    }

    /// Returns the page up to and including its last end tag. If the end tag is missing, removes
    /// quotes and backticks from the end. Restores the line ends and quotes of a page that a
    /// program printed as a string literal.
    pub(in crate::domain::transcript) fn body(&self) -> String {
        let lower = self.text.to_ascii_lowercase();
        let ends = ENDS
            .iter()
            .filter_map(|end| Some(lower.rfind(end)? + end.len()));
        let end = ends.max().unwrap_or(lower.len());
        let quotes = |letter: char| letter.is_whitespace() || "`\"'".contains(letter);
        let text = self.text[..end].trim_start().trim_end_matches(quotes);
        if text.contains('\n') || !text.contains("\\n") {
            return text.to_owned();
        }
        let text = text.replace("\\r\\n", "\n").replace("\\n", "\n");
        text.replace("\\\"", "\"")
    }
}

/// Returns the byte offset at which a page starts in a line; `None` if no page starts in the line.
/// `is_expected` is whether a body is expected. If so, one of [`PARTS`] at the start of a line also
/// starts a page.
pub(in crate::domain::transcript) fn start_of(line: &str, is_expected: bool) -> Option<usize> {
    let may_start = |at: usize| {
        let next = line.as_bytes().get(at + 1);
        next.is_some_and(|next| b"!?hHeEtT".contains(next))
    };
    if !line.match_indices('<').any(|(at, _)| may_start(at)) {
        return None;
    }
    let head = &line[..line.floor_char_boundary(REACH)];
    let lower = head.to_ascii_lowercase();
    let blank = |letter: char| letter.is_whitespace() || matches!(letter, '`' | '"' | '\'');
    let first = lower.len() - lower.trim_start_matches(blank).len();
    let starts = |list: &[&str]| list.iter().any(|start| lower[first..].starts_with(start));
    if starts(&STARTS)
        || is_expected && starts(&PARTS)
        || lower[first..].starts_with("<h2>our services")
    {
        return Some(first);
    }
    let inside = STARTS[..3]
        .iter()
        .filter_map(|start| lower.find(start))
        .min()?;
    let follows = lower[..inside].ends_with([' ', ':', '"', '\'', '`', '=', '(']);
    follows.then_some(inside)
}

/// Returns whether a line certainly does not belong to a page.
pub(in crate::domain::transcript) fn leaves_page(line: &str) -> bool {
    let marked = |mark: &str| line.strip_prefix(mark);
    status::parse(line.trim_end()).is_some()
        || line.starts_with("curl: (")
        || line.starts_with("< HTTP/")
        || marked("* ").is_some_and(text::is_information)
        || marked("> ").is_some_and(status::is_request_line)
        || is_prompt(line)
        || is_elision(line)
        || clock::elapsed(line).is_some()
        || command::find(line, true).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_page_is_found() {
        for (line, is_expected, expected) in [
            ("<html>", false, Some(0)),
            ("  <!DOCTYPE HTML PUBLIC", false, Some(2)),
            ("`<html>", false, Some(1)),
            ("S3 response: <?xml version=\"1.0\"?>", false, Some(13)),
            ("Error: 502 \"<html>\\r\\n<head>", false, Some(12)),
            ("<Error><Code>NoSuchKey</Code>", false, Some(0)),
            ("<title>502</title>", false, None),
            ("<title>502</title>", true, Some(0)),
            ("a tag<html> in a word", false, None),
            ("<Response [503]>", true, None),
        ] {
            assert_eq!(start_of(line, is_expected), expected, "{line}");
        }
    }
}
