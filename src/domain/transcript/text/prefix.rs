//! Removes the prefix that logs, mails and quotes add to each line of a transcript.
//!
//! The prefix is learned from a line with an anchor, a part that certainly belongs to a transcript,
//! such as `< HTTP/1.1 503`. The prefix is then removed from the following lines, even if its
//! digits or its log level differ from line to line. Examples of a prefix are `[fetch] `, `> > `,
//! `12:01:02 INFO ` and `web_1  | `.

use super::anchor;
use crate::domain::transcript::time;

/// The parts and the length of the prefix, as learned from the last line with an anchor.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefix {
    parts: Vec<Part>,
    /// The byte offset of the anchor in its line. Lines without the prefix may be indented by this
    /// number of spaces instead.
    column: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// One or more digits.
    Digits,
    /// A word in uppercase letters, such as a log level.
    Capitals,
    /// `stdout` or `stderr`.
    Stream,
    /// Exactly this character.
    Exact(char),
}

/// Maximum length of a prefix in bytes.
const MAX_PREFIX: usize = 160;

/// Maximum number of words in a prefix that are not typical of logs.
const MAX_WORDS: usize = 3;

/// The names of the output streams. Both must have the same length, because the code uses the
/// length of the first name for both.
const STREAMS: [&str; 2] = ["stdout", "stderr"];

/// Words that are typical of the prefixes of logs, in lower case.
const LOG_WORDS: &[&str] = &["stdout", "stderr", "am", "pm", "utc", "at", "on"];

impl Prefix {
    /// Splits a line into its prefix and the rest. Learns a new prefix if the line contains an
    /// anchor and the text before the anchor may be a prefix.
    pub(super) fn split<'a>(&mut self, line: &'a str) -> (&'a str, &'a str) {
        if let Some(at) = anchor::find(line) {
            let before = &line[..at];
            if at == 0 || (at <= MAX_PREFIX && is_plausible(before)) {
                if self.prefix_length(line) != Some(at) {
                    *self = Self::of(before);
                }
                return line.split_at(at);
            }
        }
        line.split_at(self.prefix_length(line).unwrap_or(0))
    }

    fn of(before: &str) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = before;
        while let Some(letter) = rest.chars().next() {
            let is_stream = STREAMS.iter().any(|name| rest.starts_with(name));
            rest = &rest[if is_stream {
                STREAMS[0].len()
            } else {
                letter.len_utf8()
            }..];
            let part = if is_stream {
                Part::Stream
            } else if letter.is_ascii_digit() {
                Part::Digits
            } else if letter.is_ascii_uppercase()
                && (parts.last() == Some(&Part::Capitals)
                    || rest.starts_with(|next: char| next.is_ascii_uppercase() || next == ' '))
            {
                Part::Capitals
            } else {
                Part::Exact(letter)
            };
            let repeats = !matches!(part, Part::Exact(_)) && parts.last() == Some(&part);
            if !repeats {
                parts.push(part);
            }
        }
        Self {
            parts,
            column: before.len(),
        }
    }

    /// Returns the length in bytes of the prefix, or of the spaces in its place, at the start of a
    /// line; `None` if the line has neither.
    fn prefix_length(&self, line: &str) -> Option<usize> {
        if self.parts.is_empty() {
            return None;
        }
        self.shape_length(line).or_else(|| self.indent_length(line))
    }

    fn shape_length(&self, line: &str) -> Option<usize> {
        let mut rest = line;
        for (index, part) in self.parts.iter().enumerate() {
            let length = match part {
                Part::Digits => run(rest, |byte| byte.is_ascii_digit()),
                Part::Capitals => run(rest, |byte| byte.is_ascii_uppercase()),
                Part::Stream if STREAMS.iter().any(|name| rest.starts_with(name)) => {
                    STREAMS[0].len()
                }
                Part::Exact(letter) if rest.starts_with(*letter) => letter.len_utf8(),
                // The space at the end of a prefix is often missing on an empty line.
                Part::Exact(' ') if rest.is_empty() && self.only_blanks_from(index) => 0,
                Part::Exact(_) | Part::Stream => 0,
            };
            if length == 0 {
                let lost = rest.is_empty() && index > 0 && self.only_blanks_from(index);
                return lost.then_some(line.len());
            }
            rest = &rest[length..];
        }
        Some(line.len() - rest.len())
    }

    fn only_blanks_from(&self, index: usize) -> bool {
        self.parts[index..]
            .iter()
            .all(|part| *part == Part::Exact(' '))
    }

    /// Returns the column of the anchor if it is at least 3 and the line has only spaces up to this
    /// column; otherwise `None`.
    fn indent_length(&self, line: &str) -> Option<usize> {
        let before = line.as_bytes().get(..self.column)?;
        let blank = self.column > 2 && before.iter().all(|byte| *byte == b' ');
        blank.then_some(self.column)
    }
}

fn run(text: &str, fits: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| fits(*byte)).count()
}

/// Returns whether the text before an anchor may be a prefix, and not the start of a sentence.
fn is_plausible(before: &str) -> bool {
    let words = before
        .split_whitespace()
        .filter(|word| !is_log_word(word))
        .count();
    let last = before.trim_end().chars().next_back();
    let separated = last.is_none_or(|last| !last.is_alphanumeric());
    words == 0 || (words <= MAX_WORDS && separated && before.ends_with([' ', '\t', '|', '"']))
}

/// Returns whether a word of a prefix is typical of logs, such as a time, a tag, a log level, a
/// `key=value` pair, or punctuation.
fn is_log_word(word: &str) -> bool {
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    let of_time = |letter: char| letter.is_ascii_digit() || ":.,+-/TZ[]()".contains(letter);
    let lower = word
        .trim_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase();
    (has_digit && word.chars().all(of_time))
        || !word.chars().any(char::is_alphanumeric)
        || (word.starts_with('[') && word.trim_end_matches(':').ends_with(']'))
        || word.ends_with(':')
        || word.ends_with('|')
        || (word.len() > 1
            && word
                .chars()
                .all(|c| c.is_ascii_uppercase() || !c.is_alphanumeric()))
        // Kubernetes marks full and partial lines of a container log with `F` and `P`.
        || (word.len() == 1 && word.chars().all(|c| c.is_ascii_uppercase()))
        || LOG_WORDS.contains(&lower.as_str())
        || is_calendar_name(word)
        || (word.contains('=') && !word.contains("://"))
}

/// Returns whether a word is the abbreviated English name of a month or weekday.
fn is_calendar_name(word: &str) -> bool {
    const NAMES: &str =
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec Mon Tue Wed Thu Fri Sat Sun";
    let word = word.trim_end_matches(',');
    word.len() == 3 && NAMES.split(' ').any(|name| name == word)
}

/// Returns the time of day in a prefix such as `2025-05-20T04:44:13.250Z `, in seconds since
/// midnight; `None` if the prefix contains no time.
pub(super) fn time_of_day(prefix: &str) -> Option<f64> {
    let bytes = prefix.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let at = (0..bytes.len()).find(|&at| {
        let pair = |at: usize| digit(at) && digit(at + 1);
        (at == 0 || !digit(at - 1))
            && pair(at)
            && bytes.get(at + 2) == Some(&b':')
            && pair(at + 3)
            && bytes.get(at + 5) == Some(&b':')
            && pair(at + 6)
    })?;
    let seconds = prefix[at + 6..].bytes();
    let length = seconds
        .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
        .count();
    time::time_of_day(prefix[at..at + 6 + length].trim_end_matches(['.', ',']))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Removes the prefixes from the lines of a text, and compares the results with the expected
    /// lines.
    fn check(text: &str, expected: &[&str]) {
        let mut prefix = Prefix::default();
        let found: Vec<&str> = text.lines().map(|line| prefix.split(line).1).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_prefix_of_an_anchor_is_removed_from_the_lines_after_it() {
        for prefix in [
            "> > ",
            "    ",
            "\t",
            "-- ",
            "[fetch] ",
            "web_1  | ",
            "| ",
            "stderr: ",
            "12:01:02 ",
            "2025-05-20T04:44:13.1234567Z ",
            "May 20 04:44:13 host curl[77]: ",
            "2025-05-20T04:44:13.123456789Z stderr F ",
            "[2025-05-20T04:44:13.123Z] [INFO] ",
            "time=2025-05-20T04:44:13Z level=info ",
        ] {
            check(
                &format!("{prefix}< HTTP/1.1 503 Oops\n{prefix}< a: b\n{prefix}<\n{prefix}{{}}"),
                &["< HTTP/1.1 503 Oops", "< a: b", "<", "{}"],
            );
        }
    }

    #[test]
    fn digits_and_levels_may_differ() {
        check(
            "10:00:09.5 INFO < HTTP/2 503\n10:00:10.25 DEBUG < server: x\n10:00:10 x",
            &["< HTTP/2 503", "< server: x", "10:00:10 x"],
        );
    }

    #[test]
    fn curls_own_marks_stay() {
        check(
            "> GET / HTTP/1.1\n> Host: x\n>\n< HTTP/1.1 503 Oops\n<",
            &[
                "> GET / HTTP/1.1",
                "> Host: x",
                ">",
                "< HTTP/1.1 503 Oops",
                "<",
            ],
        );
        check(
            "> > GET / HTTP/1.1\n> > Host: x\n> >\n> < HTTP/1.1 503\n>\n> body",
            &[
                "> GET / HTTP/1.1",
                "> Host: x",
                ">",
                "< HTTP/1.1 503",
                "",
                "body",
            ],
        );
    }

    #[test]
    fn a_tag_is_no_prefix() {
        check("<p>curl: (7) Failed</p>", &["<p>curl: (7) Failed</p>"]);
    }

    #[test]
    fn a_sentence_is_no_prefix_and_a_hanging_indent_is_one() {
        check(
            "I get HTTP/1.1 503 here\na: b",
            &["I get HTTP/1.1 503 here", "a: b"],
        );
        check(
            "RawContent        : HTTP/1.1 503 Oops\n                    Server: x",
            &["HTTP/1.1 503 Oops", "Server: x"],
        );
    }

    #[test]
    fn the_time_of_day_is_found() {
        for (prefix, expected) in [
            ("2025-05-20T04:44:13.250Z ", Some(17_053.25)),
            ("22:10:33,5 ", Some(79_833.5)),
            ("[00:00:01] ", Some(1.0)),
            ("> > ", None),
            ("1:2:3 ", None),
            ("12:34:5", None),
        ] {
            assert_eq!(time_of_day(prefix), expected, "{prefix}");
        }
    }
}
