//! Removes from the lines of a text what does not belong to a transcript: terminal escapes, HTML,
//! the prefixes of logs and quotes, and curl's progress meter.
//!
//! The parsers of the transcript formats, such as `wget`, interpret the cleaned lines.

mod anchor;
pub mod decode;
mod escapes;
pub(super) mod glued;
mod html;
mod logcat;
mod prefix;
pub(super) mod string_literal;

use std::borrow::Cow;
use std::time::Duration;

pub(super) use self::anchor::is_information;
use self::prefix::Prefix;
use super::time::meter;
use crate::domain::transcript::documents::json_doc;

/// Cleans the lines of one text. The lines must be passed in order, because the prefix of a line is
/// learned from earlier lines.
#[derive(Debug)]
pub(super) struct Cleaner {
    prefix: Prefix,
    /// Whether the text is HTML source, in which characters such as `<` are written as entities.
    escaped: bool,
    /// Whether the current line is in the summary of a failed build step of `BuildKit`.
    in_build_summary: bool,
    /// Whether the next line may belong to the body of a response. In a body, an element with its
    /// closing tag, such as `<pre>…</pre>`, is content instead of the markup of a code block.
    pub(super) is_in_body: bool,
}

/// A cleaned line, with the values that the removed parts contained.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line<'a> {
    pub(super) text: Cow<'a, str>,
    /// The time of day in the prefix or at the start of the line, in seconds since midnight; `None`
    /// if the line has no timestamp.
    pub(super) stamp: Option<f64>,
    /// The duration of the request so far, from curl's progress meter at the start of the line;
    /// `None` if the line does not contain it.
    pub(super) spent: Option<Duration>,
    /// Whether the line starts or ends a code block in Markdown, Jira or a bulletin board, or ends
    /// one in HTML.
    pub(super) is_fence: bool,
}

impl Cleaner {
    pub(super) fn new(text: &str) -> Self {
        Self {
            prefix: Prefix::default(),
            escaped: html::is_escaped(text),
            in_build_summary: false,
            is_in_body: false,
        }
    }

    /// Cleans one line.
    pub(super) fn clean<'a>(&mut self, raw: &'a str) -> Line<'a> {
        let plain = escapes::removed(raw);
        let plain = match json_doc::log_line(&plain).or_else(|| json_doc::of_console(&plain)) {
            Some(message) => Cow::Owned(message),
            None => plain,
        };
        let plain = if self.escaped {
            let plain = html::without_opening(&plain);
            Cow::Owned(html::unescaped(plain).into_owned())
        } else {
            plain
        };
        // The progress meter is removed first, because the meter may stand before the prefix but is
        // not part of the prefix.
        let (shown, spent) = meter::removed(&plain);
        // Terraform draws a line to the left of its errors.
        let shown = shown.strip_prefix("\u{2502} ").unwrap_or(shown);
        let shown = self.without_build_time(shown);
        let (before, rest) = match logcat::split(shown) {
            ("", _) => self.prefix.split(shown),
            logged => logged,
        };
        let stamp = prefix::time_of_day(before).or_else(|| leading_stamp(rest));
        let rest = if self.is_in_body && html::has_closing(rest) {
            rest
        } else {
            html::without_opening(rest)
        };
        let rest = without_stream_id(rest);
        let is_fence = is_fence(rest) || is_fence(&plain) || html::is_closing(rest);
        // Some chat programs put code on the same line, directly after the opening fence.
        let rest = if is_fence {
            code_after_fence(rest)
        } else {
            without_closing_fence(rest)
        };
        let text = if rest.len() == raw.len() {
            Cow::Borrowed(raw)
        } else {
            Cow::Owned(rest.to_owned())
        };
        Line {
            text,
            stamp,
            spent,
            is_fence,
        }
    }

    /// Returns a line without the number of the step and the time that `BuildKit` (`docker build`)
    /// writes before the output of a step, such as `#12 0.279 `. The summary of a failed step
    /// contains only the time.
    fn without_build_time<'a>(&mut self, line: &'a str) -> &'a str {
        if line.starts_with(" > [") || line.starts_with("> [") {
            self.in_build_summary = true;
        } else if line.starts_with("------") {
            self.in_build_summary = false;
        }
        let digits = |text: &'a str| text.trim_start_matches(|it: char| it.is_ascii_digit());
        let step = line.strip_prefix('#').map(|rest| (rest, digits(rest)));
        let timed = match step {
            Some((rest, after)) if after.len() < rest.len() => after.strip_prefix(' '),
            Some(_) => None,
            None => self.in_build_summary.then_some(line),
        };
        let starts = |timed: &&str| timed.starts_with(|it: char| it.is_ascii_digit());
        let after = timed.filter(starts).map(digits);
        let Some(fraction) = after.and_then(|after| after.strip_prefix('.')) else {
            return line;
        };
        let rest = digits(fraction);
        let is_fraction = (1..=3).contains(&(fraction.len() - rest.len()));
        rest.strip_prefix(' ')
            .filter(|_| is_fraction)
            .unwrap_or(line)
    }
}

/// Returns the time of day at the start of a line without a prefix, in seconds since midnight;
/// `None` if the line does not start with a time.
fn leading_stamp(line: &str) -> Option<f64> {
    let start = line.get(..line.len().min(8))?;
    let is_time = start
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b':');
    is_time.then(|| prefix::time_of_day(line)).flatten()
}

/// Returns a line without the transfer and connection ids that curl's `--trace-ids` adds, such as
/// `[0-0] `.
fn without_stream_id(line: &str) -> &str {
    let Some((id, rest)) = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
    else {
        return line;
    };
    let fits = |part: &str| part == "x" || part.bytes().all(|byte| byte.is_ascii_digit());
    let is_id = id
        .split_once('-')
        .is_some_and(|(a, b)| !a.is_empty() && !b.is_empty() && fits(a) && fits(b));
    if is_id { rest } else { line }
}

/// Returns the code after the fence on a line; empty if at most the name of a language follows.
fn code_after_fence(line: &str) -> &str {
    // A list marker may precede the fence.
    let marks = ["```", "~~~"].iter().filter_map(|mark| line.find(mark));
    let fence = &line[marks.min().unwrap_or(0)..];
    let code = fence
        .trim_start()
        .trim_start_matches('`')
        .trim_end_matches('`');
    let is_behind = code.len() < line.trim().len() || !is_fence(line);
    if is_behind && code.trim().contains([' ', '{']) {
        code
    } else {
        ""
    }
}

/// Returns a line without the closing fence at its end and without the punctuation after this
/// fence. Returns the line unchanged if it does not end with a fence or is only a fence.
fn without_closing_fence(line: &str) -> &str {
    let bare = line.trim_end_matches([',', '.', ';', ')', ' ']);
    match bare.strip_suffix("```") {
        Some(rest) if !rest.is_empty() => rest,
        _ => line,
    }
}

/// Returns whether a line starts or ends a code block in Markdown (also inside quotes and lists),
/// in Jira or on a bulletin board.
fn is_fence(line: &str) -> bool {
    let line = line.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '>' | '|'));
    let item = line.trim_start_matches(|c: char| c.is_ascii_digit() || "-*+. ".contains(c));
    [line, item]
        .iter()
        .any(|line| line.starts_with("```") || line.starts_with("~~~"))
        || is_jira_fence(line)
}

/// Returns whether a line starts or ends a code block in Jira or on a bulletin board.
fn is_jira_fence(line: &str) -> bool {
    const MARKS: [&str; 4] = ["{code", "{noformat", "[code", "[/code"];
    let line = line.trim_end();
    let rest = MARKS.iter().find_map(|mark| line.strip_prefix(mark));
    rest.is_some_and(|rest| {
        let parameters = rest.strip_suffix(['}', ']']);
        parameters.is_some_and(|it| {
            let value = it.strip_prefix([':', '=']);
            // The name of a language starts with a letter, so `{code:500}` is a printed object.
            it.is_empty()
                || value.is_some_and(|it| {
                    it.starts_with(|first: char| first.is_alphabetic()) && !it.contains(' ')
                })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_are_found_at_every_nesting() {
        for line in [
            "```",
            "  ```sh",
            "> ```",
            "> > ~~~ console",
            "- ```",
            "1. ```bash",
            "| ~~~",
            "{code}",
            "> {code:bash}",
            "{code:title=a.sh|borderStyle=solid}",
            "[code=php]",
            "{noformat}",
            "[/code]",
        ] {
            assert!(Cleaner::new("").clean(line).is_fence, "{line}");
        }
        for line in [
            "`curl`",
            "~ $ curl",
            "text ```",
            "--- a",
            "{code: 1}",
            "{code:503}",
            "[code=503]",
            "{\"code\":1}",
        ] {
            assert!(!Cleaner::new("").clean(line).is_fence, "{line}");
        }
    }

    #[test]
    fn escapes_prefixes_and_stream_ids_are_removed() {
        let mut cleaner = Cleaner::new("");
        let mut clean = |line| {
            let line = cleaner.clean(line);
            (line.text.into_owned(), line.stamp)
        };
        assert_eq!(
            clean("22:10:33.5 [0-0] * Trying 127.0.0.1:80...").0,
            "* Trying 127.0.0.1:80..."
        );
        assert_eq!(
            clean("\x1b[1m22:10:34.5 [0-0] < HTTP/1.1 503\x1b[0m"),
            ("< HTTP/1.1 503".to_owned(), Some(79_834.5))
        );
        assert_eq!(clean("22:10:35.5 [0-1] < a: b").0, "< a: b");
    }
}
