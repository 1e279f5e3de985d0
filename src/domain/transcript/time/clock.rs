//! Reads the durations that shells and `time` programs print.

use std::time::Duration;

use super::{number, seconds, sexagesimal, with_unit};

/// Returns the elapsed time of a command from a line that a shell or a program such as `time`
/// printed. Returns `None` for any other line. [`is_other`] recognizes the lines of such output
/// that do not contain the elapsed time.
pub(in crate::domain::transcript) fn elapsed(line: &str) -> Option<Duration> {
    let words: Vec<&str> = line.split_whitespace().take(MAX_WORDS).collect();
    match words.as_slice() {
        // Output of bash and POSIX shells.
        ["real", time] => minutes_and_seconds(time),
        // Output of ksh and mksh.
        [time, "real", ..] if time.ends_with('s') => minutes_and_seconds(time),
        // Output of `time` on BSD.
        [time, "real", _, "user", _, "sys", ..] => seconds(number(time)?),
        // Output of zsh.
        [.., "cpu", time, "total"] => sexagesimal(time),
        // Output of fish.
        ["Executed", "in", time, unit, ..] => with_unit(&format!("{time} {unit}")),
        // Output of GNU time, with and without `-v`.
        ["Elapsed", "(wall", "clock)", .., time] => sexagesimal(time),
        [_, _, time, ..] if time.ends_with("elapsed") && line.contains("system") => {
            sexagesimal(time.strip_suffix("elapsed")?)
        }
        // Output of `Measure-Command` of PowerShell.
        ["TotalSeconds", ":", time] => seconds(number(time)?),
        ["TotalMilliseconds", ":", time] => seconds(number(time)? / 1000.0),
        // Output of hyperfine.
        ["Time", "(mean", "\u{b1}", "\u{3c3}):", time, unit, ..]
        | ["Time", "(abs", "\u{2261}):", time, unit, ..] => with_unit(&format!("{time} {unit}")),
        // Output of csh and tcsh.
        [user, system, time, share, ..]
            if user.ends_with('u') && system.ends_with('s') && share.ends_with('%') =>
        {
            number(user.trim_end_matches('u'))?;
            sexagesimal(time)
        }
        _ => None,
    }
}

/// Returns whether a line, such as `user 0m0.016s`, is output of a shell or a `time` program but
/// does not contain the elapsed time.
pub(in crate::domain::transcript) fn is_other(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let (first, second, third) = (words.next(), words.next(), words.next());
    match (first, second) {
        (Some("user" | "sys"), Some(time)) if third.is_none() => {
            minutes_and_seconds(time).is_some()
        }
        (Some("usr" | "sys"), Some("time")) => true,
        (Some(name), Some(":")) => MEASURED.contains(&name),
        (Some(line), None) => line.len() >= 20 && line.bytes().all(|byte| byte == b'_'),
        _ => false,
    }
}

/// Maximum number of words of a line that are examined.
const MAX_WORDS: usize = 16;

/// Names of the values that `Measure-Command` prints but that are not used.
const MEASURED: &[&str] = &[
    "Days",
    "Hours",
    "Minutes",
    "Seconds",
    "Milliseconds",
    "Ticks",
    "TotalDays",
    "TotalHours",
    "TotalMinutes",
];

/// Parses a duration such as `0m30.163s`, `30.163s` or `30.16`; `None` for other text.
fn minutes_and_seconds(time: &str) -> Option<Duration> {
    let time = time.strip_suffix('s').unwrap_or(time);
    let (minutes, rest) = time.split_once('m').unwrap_or(("0", time));
    seconds(number(minutes)? * 60.0 + number(rest)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines, each with the expected duration in seconds.
    const LINES: &[(&str, Option<f64>)] = &[
        ("real\t0m30.163s", Some(30.163)),
        ("real    1m0,500s", Some(60.5)),
        ("real 30.16", Some(30.16)),
        (
            "    0m30.16s real     0m0.01s user     0m0.00s system",
            Some(30.16),
        ),
        (
            "       30.16 real         0.01 user         0.00 sys",
            Some(30.16),
        ),
        (
            "curl -i   0.02s user 0.01s system 0% cpu 30.163 total",
            Some(30.163),
        ),
        (
            "curl -i  0.02s user 0.01s system 0% cpu 1:30.16 total",
            Some(90.16),
        ),
        (
            "Executed in   30.16 secs      fish           external",
            Some(30.16),
        ),
        (
            "Executed in  386.12 millis    fish           external",
            Some(0.386_12),
        ),
        (
            "Executed in    2.50 mins    fish           external",
            Some(150.0),
        ),
        (
            "0.01user 0.00system 0:30.16elapsed 0%CPU (0avgtext+0avgdata 12000maxresident)k",
            Some(30.16),
        ),
        (
            "\tElapsed (wall clock) time (h:mm:ss or m:ss): 0:30.16",
            Some(30.16),
        ),
        (
            "\tElapsed (wall clock) time (h:mm:ss or m:ss): 1:00:30",
            Some(3630.0),
        ),
        ("TotalSeconds      : 30,1630512", Some(30.163_051_2)),
        ("TotalMilliseconds : 30163.0512", Some(30.163_051_2)),
        ("0.018u 0.012s 0:30.16 0.0%\t0+0k 0+0io 0pf+0w", Some(30.16)),
        (
            "  Time (mean \u{b1} \u{3c3}):     30.163 s \u{b1}  0.010 s",
            Some(30.163),
        ),
        ("real life", None),
        ("real m", None),
        ("real 0m\u{20ac}s", None),
        ("user 0m0.016s", None),
        ("in total 30 total", None),
    ];

    #[test]
    fn the_durations_of_every_shell_are_read() {
        for (line, expected) in LINES {
            let found = elapsed(line).map(|time| time.as_secs_f64());
            let close = match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() < 1e-6,
                (found, expected) => found == *expected,
            };
            assert!(close, "{line}: {found:?}");
        }
    }

    #[test]
    fn the_other_lines_of_time_are_recognized() {
        for line in [
            "user    0m0.016s",
            "sys 0.01",
            "   usr time   15.12 millis    0.11 millis   15.01 millis",
            "Milliseconds      : 163",
            "________________________________________________________",
        ] {
            assert!(is_other(line), "{line}");
        }
        assert!(!is_other("user agent") && !is_other("{\"sys\": 1}"));
    }
}
