//! Removes curl's progress meter, which is mixed with other output, and reads the time spent from
//! the meter.
//!
//! The meter has twelve columns and no line end of its own, so the next output follows it directly:
//! `  0     0    0 … --:--:--  0:00:29 --:--:--     0< HTTP/1.1 500`.

use std::time::Duration;

use super::sexagesimal;

/// The columns of the progress meter, from left to right.
const COLUMNS: [Column; 12] = [
    Column::Size,
    Column::Size,
    Column::Size,
    Column::Size,
    Column::Size,
    Column::Size,
    Column::Size,
    Column::Size,
    Column::Time,
    Column::Time,
    Column::Time,
    Column::Speed,
];

/// The index of the column with the time spent.
const SPENT: usize = 9;

#[derive(Clone, Copy)]
/// The kind of value that a column contains. `Size` includes percentages.
enum Column {
    Size,
    Time,
    /// The last column, which other output may follow without a space.
    Speed,
}

/// Removes the progress meter, and curl's progress bar, from the start of a line. Returns the rest
/// of the line, and the time spent according to the last row that shows it; `None` if no row does.
pub(in crate::domain::transcript) fn removed(line: &str) -> (&str, Option<Duration>) {
    if is_head(line) {
        return ("", None);
    }
    let (mut rest, mut spent) = (line, None);
    while let Some((after, time)) = row(rest) {
        rest = after;
        spent = time.or(spent);
    }
    (without_bar(rest), spent)
}

/// Returns whether a line is one of the two header lines of the progress meter.
fn is_head(line: &str) -> bool {
    line.trim_start().starts_with("% Total") || line.trim_start().starts_with("Dload  Upload")
}

/// Removes one row of the progress meter from the start of a text. Returns the rest, and the time
/// spent if the row shows it. Returns `None` if the text does not start with a row.
fn row(text: &str) -> Option<(&str, Option<Duration>)> {
    let mut rest = text;
    let mut spent = None;
    for (index, column) in COLUMNS.iter().enumerate() {
        let start = rest.trim_start_matches([' ', '\t']);
        let (length, ends) = match column {
            Column::Size => (size(start), true),
            Column::Time => (time(start), true),
            Column::Speed => (size(start), false),
        };
        let (value, after) = start.split_at(length);
        if value.is_empty() || (ends && !after.starts_with([' ', '\t'])) {
            return None;
        }
        if index == SPENT {
            spent = sexagesimal(value).filter(|time| !time.is_zero());
        }
        rest = after;
    }
    Some((rest, spent))
}

/// Returns the length in bytes of a size or percentage at the start of a text, such as `33`,
/// `1024k` or `1.5M`. Returns zero if the text starts with neither.
fn size(text: &str) -> usize {
    let digits = text
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
        .count();
    let unit = text[digits..].starts_with(['k', 'M', 'G', 'T', 'P']);
    if digits > 0 && unit {
        digits + 1
    } else {
        digits
    }
}

/// Returns the length in bytes of a time at the start of a text, such as `0:00:29`, `--:--:--` or
/// `2d 03h`. Returns zero if the text does not start with a time.
fn time(text: &str) -> usize {
    let length = text
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'-' | b'd' | b'h'))
        .count();
    let day = text[..length].ends_with('d')
        && text[length..].len() > 3
        && text.as_bytes().get(length + 3) == Some(&b'h');
    match day {
        true => length + 4,
        false if text[..length].contains(':') => length,
        false => 0,
    }
}

/// Returns a line without the progress bar of curl's `-#` at its start, such as `##O#-  #   ` or
/// `#####   100.0%`.
fn without_bar(line: &str) -> &str {
    if !line.starts_with('#') {
        return line;
    }
    let bar = line
        .bytes()
        .take_while(|byte| matches!(byte, b'#' | b'O' | b'-' | b'=' | b' '))
        .count();
    let marks = line[..bar].bytes().filter(|byte| *byte == b'#').count();
    let rest = &line[bar..];
    let percent = rest
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
        .count();
    match rest[percent..].strip_prefix('%') {
        Some(after) if percent > 0 && marks > 1 => without_bar(after.trim_start()),
        _ if marks > 1 && line[..bar].contains(['O', '-', '=']) => rest,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: (&str, Option<u64>)) {
        let (rest, spent) = removed(line);
        assert_eq!((rest, spent.map(|time| time.as_secs())), expected, "{line}");
    }

    #[test]
    fn the_meter_is_removed_and_its_time_is_read() {
        check(
            "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current",
            ("", None),
        );
        check(
            "                                 Dload  Upload   Total   Spent    Left  Speed",
            ("", None),
        );
        check(
            "  0     0    0     0    0     0      0      0 --:--:--  0:00:29 --:--:--     0< HTTP/1.1 500 Oops",
            ("< HTTP/1.1 500 Oops", Some(29)),
        );
        check(
            "  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0*   Trying",
            ("*   Trying", None),
        );
        check(
            "100    72  100    72    0     0      2      0  0:00:36  0:00:30  0:00:06    19{\"a\":1}",
            ("{\"a\":1}", Some(30)),
        );
        check(
            "100 1024k  100 1.5M    0     0      2k     0  0:00:36  1:00:30  0:00:06  19k",
            ("", Some(3630)),
        );
        check(
            "  0   0  0   0  0   0   0   0 --:--:--  0:00:01 --:--:--   0  0   0  0   0  0   0   0   0 --:--:--  0:00:02 --:--:--   0",
            ("", Some(2)),
        );
    }

    #[test]
    fn a_progress_bar_is_removed() {
        check(
            "##O#-  #        curl: (35) schannel: x",
            ("curl: (35) schannel: x", None),
        );
        check(
            "######################################## 100.0%",
            ("", None),
        );
        check(
            "## Heading - with a dash",
            ("## Heading - with a dash", None),
        );
        check("# comment", ("# comment", None));
    }

    #[test]
    fn other_numbers_stay() {
        check(
            "1 2 3 4 5 6 7 8 9 10 11 12",
            ("1 2 3 4 5 6 7 8 9 10 11 12", None),
        );
        check("0:00:29", ("0:00:29", None));
        check("", ("", None));
    }
}
