//! Reads what curl's `-w` prints after a body: durations and the status, in any format.
//!
//! If the command shows the format, the format is matched with the end of the text. If that fails
//! or the format is unknown, the text is searched for labels such as `time_total: 30.163`,
//! `Time: 30.163s` or `Total time = 30163 ms`.

use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use super::{seconds, with_unit};
use crate::domain::transcript::pattern::pattern;
use crate::domain::transcript::status;

/// The total duration and the status in the text after a body; `None` for a missing value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::domain::transcript) struct Trailer {
    pub(in crate::domain::transcript) time: Option<Duration>,
    pub(in crate::domain::transcript) status: Option<u16>,
}

/// Maximum length in bytes of a line that is searched for labels, and of a variable's value.
const MAX_LINE: usize = 2_000;

/// The expressions for labeled durations, from the most to the least specific label.
static TIMES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let value = r#"["'\]]*\s*(?:[:=]|is|in)?\s*["']?(\d+(?:[.,]\d+)?\s*[a-z\u{b5}\u{3bc}]*)"#;
    [
        r"time[_ ]?total|total[_ ]time",
        r"total|elapsed(?:[_ ]time)?|duration|(?:response|request)[_ ]?time|time[_ ]taken|took",
        r"time",
    ]
    .iter()
    .filter_map(|names| pattern(&format!(r"(?i)(?:^|[^a-z_])(?:{names}){value}")))
    .collect()
});

/// Matches words that name one phase of a request. A duration with such a label is not the total
/// duration.
static PHASE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?i)look ?up|connect|pre ?transfer|start ?transfer|redirect|first byte|ttfb|handshake|dns",
    )
});

/// Matches a labeled status code.
static STATUS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?i)(?:^|[^a-z_])(?:http[_ ]?(?:status|code)|(?:http[_ ])?status(?:[_ ]?code)?|response[_ ]code|code)["']?\s*[:=]?\s*["']?([1-5]\d\d)\b"#,
    )
});

/// Returns the duration with the most specific label, and the first labeled status code, in the
/// text after a body.
pub(in crate::domain::transcript) fn labeled(text: &str) -> Trailer {
    let mut best: Option<(usize, Duration)> = None;
    let mut status = None;
    for line in text.lines().filter(|line| line.len() <= MAX_LINE) {
        if let Some(found) = time_in(line)
            && best.is_none_or(|(rank, _)| found.0 < rank)
        {
            best = Some(found);
        }
        status = status.or_else(|| status_in(line));
    }
    Trailer {
        time: best.map(|(_, time)| time),
        status,
    }
}

/// Matches a line that consists of labels and values. A label has at most three words.
static ALONE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?ix)^\W*(?:(?:[a-z_()/-]+\s+){0,2}[a-z_()/-]+["'\])]*\s*(?:[:=]|\bis\b|\bin\b)?\s*["'\[(]*\d[\d.,:]*
        \s*(?:s|secs?|seconds?|ms|msec|millis|milliseconds?|[u\x{b5}\x{3bc}]s|m|mins?|minutes?|b|bytes|kb)?["'\])]*(?:\W+|$))+$"#,
    )
});

/// Returns the values (see [`labeled`]) in the lines of a text that consist only of labels and
/// values or contain `time_total`.
pub(in crate::domain::transcript) fn labeled_alone(text: &str) -> Trailer {
    let is_alone = |line: &&str| {
        line.len() <= MAX_LINE
            && (line.contains("time_total")
                || ALONE.as_ref().is_some_and(|alone| alone.is_match(line)))
    };
    labeled(&text.lines().filter(is_alone).collect::<Vec<_>>().join("\n"))
}

/// Returns whether a line looks like labels and values that `-w` printed.
pub(in crate::domain::transcript) fn is_labeled(line: &str) -> bool {
    line.len() <= MAX_LINE
        && (line.contains("time_total") || line.split_whitespace().count() <= MAX_LABEL_WORDS)
        && (time_in(line).is_some() || status_in(line).is_some())
        && !line.trim_start().starts_with(['{', '<', '"'])
        || line.trim_start().starts_with('{') && line.contains("\"time_total\":")
}

/// Maximum number of words of a line with labels other than `time_total`. A line with more words
/// counts as text of the body, not as output of `-w`.
const MAX_LABEL_WORDS: usize = 12;

/// Returns the duration in a line with the label `time_total`; `None` for other lines.
pub(in crate::domain::transcript) fn total(line: &str) -> Option<Duration> {
    let has_label = line.len() <= MAX_LINE && line.contains("time_total");
    has_label
        .then(|| time_in(line))
        .flatten()
        .map(|(_, time)| time)
}

/// Returns the rank of the label in a line, and the duration; `None` if the line has no labeled
/// duration. A label of lower rank is more specific.
fn time_in(line: &str) -> Option<(usize, Duration)> {
    TIMES.iter().enumerate().find_map(|(rank, names)| {
        let found = names.captures(line)?;
        let value = found.get(1)?.as_str();
        let whole = found.get(0)?;
        let before = &line[..whole.end() - value.len()];
        let label = line[whole.start()..].trim_start_matches(|c: char| !c.is_alphabetic());
        let is_own = rank == 0 || is_of_request(&line[..line.len() - label.len()]);
        let of_phase = PHASE.as_ref().is_some_and(|phase| phase.is_match(before));
        let has_unit = value.contains(|c: char| c.is_alphabetic() || c == '.' || c == ',');
        (rank == 0 || (has_unit && !of_phase && is_own))
            .then(|| with_unit(value).or_else(|| number_alone(value)))
            .flatten()
            .map(|time| (rank, time))
    })
}

/// Words that may precede the label of the duration of a request, as in `Request duration`.
const OWN: &str = "total overall elapsed request response http https curl the a it this that which and \
    in real wall call api with or is";

/// Returns whether a label after the text `before` may be about the request. In `Build time: 5 s`,
/// the word before the label names something else.
fn is_of_request(before: &str) -> bool {
    let word = before.rsplit(|c: char| !c.is_whitespace() && !c.is_alphanumeric());
    let word = word.into_iter().next().unwrap_or_default();
    let word = word.split_whitespace().next_back().unwrap_or_default();
    let is_name = word.chars().all(char::is_alphabetic);
    !is_name
        || word.is_empty()
        || OWN
            .split_whitespace()
            .any(|own| own.eq_ignore_ascii_case(word))
}

/// Parses a number of seconds with a fraction before one of the words in `WORDS`, as in `0.123
/// from`. Returns `None` for other text. Any other word after the number may be a unit.
fn number_alone(value: &str) -> Option<Duration> {
    const WORDS: [&str; 7] = ["from", "for", "to", "at", "and", "with", "size"];
    let word = value.split_whitespace().nth(1)?;
    if !value.contains(['.', ',']) || !WORDS.contains(&word.to_lowercase().as_str()) {
        return None;
    }
    let number = value.trim_end_matches(|c: char| !c.is_ascii_digit());
    seconds(super::number(number.split_whitespace().next()?)?)
}

fn status_in(line: &str) -> Option<u16> {
    let found = STATUS.as_ref()?.captures(line)?;
    status::code(found.get(1)?.as_str())
}

/// A part of a format of `-w`: fixed text, or the name of a variable.
#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Value(String),
}

/// Matches a format of `-w` with the end of a text. Returns the byte offset at which the output of
/// `-w` starts, and the values in this output. Returns `None` if the text does not match, if a
/// value is not valid for its variable, or if the format has no variable.
pub(in crate::domain::transcript) fn by_format(
    text: &str,
    format: &str,
) -> Option<(usize, Trailer)> {
    let mut rest = text.trim_end();
    let mut trailer = Trailer::default();
    let parts = parts(format);
    if !parts.iter().any(|part| matches!(part, Part::Value(_))) {
        return None;
    }
    for (index, part) in parts.iter().enumerate().rev() {
        match part {
            Part::Text(text) => {
                let text = if index + 1 == parts.len() {
                    text.trim_end()
                } else {
                    text
                };
                // The format may start with a line end that the text lacks.
                rest = rest.strip_suffix(text).or_else(|| {
                    let short = if index == 0 { text.trim_start() } else { text };
                    rest.strip_suffix(short)
                })?;
            }
            Part::Value(name) => {
                let before = index.checked_sub(1).and_then(|index| parts.get(index));
                let start = match before {
                    Some(Part::Text(text)) if rest.contains(text.as_str()) => {
                        rest.rfind(text.as_str())? + text.len()
                    }
                    // The format may start with a line end that the text lacks.
                    Some(Part::Text(text)) if index == 1 && text.trim().is_empty() => {
                        rest.len() - value_length(name, rest)
                    }
                    Some(Part::Text(text)) if index == 1 => {
                        rest.rfind(text.trim_start())? + text.trim_start().len()
                    }
                    Some(_) => return None,
                    None => rest.len() - value_length(name, rest),
                };
                trailer.value(name, &rest[start..])?;
                rest = &rest[..start];
            }
        }
    }
    Some((rest.len(), trailer))
}

impl Trailer {
    /// Records the value of a variable of `-w`. Returns `None` if the value is not valid for this
    /// variable.
    fn value(&mut self, name: &str, value: &str) -> Option<()> {
        if value.len() > MAX_LINE || value.contains('\n') && name != "json" {
            return None;
        }
        match name {
            "http_code" | "response_code" => {
                // curl prints 000 if there is no response.
                self.status = Some(status::code(value)).filter(|_| value != "000")?;
                self.status?;
            }
            "time_total" => self.time = Some(seconds(super::number(value)?)?),
            name if name.starts_with("time_") => {
                super::number(value)?;
            }
            "json" => *self = labeled(value),
            _ => {}
        }
        Some(())
    }
}

/// Returns the length in bytes of the value of the variable `name` at the end of `text`. The length
/// is needed if no fixed text before the variable marks the start of the value.
fn value_length(name: &str, text: &str) -> usize {
    let fits: fn(char) -> bool = match name {
        "http_code" | "response_code" => return text.len().min(3),
        name if name.starts_with("time_") => |c| c.is_ascii_digit() || c == '.' || c == ',',
        "json" => return text.len() - text.rfind("{\"").unwrap_or(text.len()),
        _ => |c| !c.is_whitespace(),
    };
    text.len() - text.trim_end_matches(fits).len()
}

/// Splits a format of `-w` into text and variables. Omits `\r`, `%{stderr}` and `%{stdout}`.
fn parts(format: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = format;
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        let next = after.chars().next();
        (text, rest) = match (letter, next) {
            ('%', Some('{')) if let Some((name, after)) = after[1..].split_once('}') => {
                if !text.is_empty() {
                    parts.push(Part::Text(text));
                }
                if name != "stderr" && name != "stdout" {
                    // curl ignores the case of variable names.
                    parts.push(Part::Value(name.to_ascii_lowercase()));
                }
                (String::new(), after)
            }
            ('%', Some('%')) => (text + "%", &after[1..]),
            ('\\', Some('n')) => (text + "\n", &after[1..]),
            ('\\', Some('t')) => (text + "\t", &after[1..]),
            ('\\', Some('r')) => (text, &after[1..]),
            _ => {
                text.push(letter);
                (text, after)
            }
        };
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_every_style_are_read() {
        for (text, time, status) in [
            ("time_total: 0.123", Some(0.123), None),
            ("{\"a\":1}time_total: 0.123", Some(0.123), None),
            ("time_total=30,163s", Some(30.163), None),
            ("HTTP Status: 503\nTime: 30.163s", Some(30.163), Some(503)),
            ("status=503 time=30.163", Some(30.163), Some(503)),
            ("http_code: 503, total: 30.1", Some(30.1), Some(503)),
            ("Total time: 30163 ms", Some(30.163), None),
            ("Response time: 30.1 seconds", Some(30.1), None),
            ("took 30.5s", Some(30.5), None),
            ("Elapsed: 0.5 s", Some(0.5), None),
            (
                "time_namelookup:  0.004s\n   time_connect:  0.1s\n     time_total:  30.163s",
                Some(30.163),
                None,
            ),
            (
                "Connect time: 0.1s\nTTFB: 0.2s\nTotal: 0.3s",
                Some(0.3),
                None,
            ),
            (
                "{\"http_code\":503,\"time_total\":30.163,\"url\":\"x\"}",
                Some(30.163),
                Some(503),
            ),
            ("Total: 33", None, None),
            ("the time 12:00", None, None),
            ("total time: 500 requests in 30 s", None, None),
            ("Build time: 60.0 s", None, None),
            ("time_total: 0.5 from 192.0.2.1", Some(0.5), None),
            ("DNS: 0.1 Connect time: 0.2", None, None),
        ] {
            let found = labeled(text);
            let seconds = found.time.map(|time| time.as_secs_f64());
            assert_eq!((seconds, found.status), (time, status), "{text}");
        }
    }

    #[test]
    fn sentences_are_not_labels() {
        for (text, time) in [
            ("It took 30 days until we noticed.", None),
            ("request time: 30 s limit is documented.", None),
            ("Request took 30.5 s", Some(30.5)),
            ("HTTP Status: 503, Time: 30.5s", Some(30.5)),
        ] {
            let found = labeled_alone(text).time.map(|time| time.as_secs_f64());
            assert_eq!(found, time, "{text}");
        }
    }

    #[test]
    fn a_format_is_matched_from_the_end() {
        for (text, format, expected) in [
            (
                "503 30.163\n",
                "%{http_code} %{time_total}\\n",
                Some((0, Some(30.163), Some(503))),
            ),
            ("{\"a\":1}503", "%{http_code}", Some((7, None, Some(503)))),
            ("{}0.5\n", "%{time_total}", Some((2, Some(0.5), None))),
            (
                "body\n[0.5] 503",
                "\\n[%{time_total}] %{response_code}",
                Some((4, Some(0.5), Some(503))),
            ),
            (
                "a\nt=1.5 from 1.2.3.4",
                "\\nt=%{time_total} from %{remote_ip}\\n",
                Some((1, Some(1.5), None)),
            ),
            (
                "{\"x\":1}\n{\"time_total\":2.5}",
                "%{json}",
                Some((8, Some(2.5), None)),
            ),
            (
                "{\"time_total\":2.5}",
                "%{JSON}",
                Some((0, Some(2.5), None)),
            ),
            ("503", "\\n", None),
            ("000 0.001", "%{http_code} %{time_total}", None),
            ("nothing", "%{time_total}", None),
        ] {
            let found = by_format(text, format);
            let found = found.map(|(at, trailer)| {
                (
                    at,
                    trailer.time.map(|time| time.as_secs_f64()),
                    trailer.status,
                )
            });
            assert_eq!(found, expected, "{text}");
        }
    }
}
