//! Reads the durations in the output of shells, of curl's `-w` and of curl's progress meter.

pub(super) mod clock;
pub(super) mod clocks;
pub(super) mod meter;
pub(super) mod trailer;

use std::time::Duration;

/// Maximum plausible duration of a request in seconds.
const MAX: f64 = 86_400.0;

/// Converts seconds to a duration; `None` if the number is out of range.
pub(super) fn seconds(seconds: f64) -> Option<Duration> {
    let plausible = (0.0..=MAX).contains(&seconds);
    plausible
        .then(|| Duration::try_from_secs_f64(seconds).ok())
        .flatten()
}

/// Parses a number without a sign, with at most one decimal point or comma; `None` for other text.
pub(super) fn number(text: &str) -> Option<f64> {
    let fits = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
    let starts = text.starts_with(|c: char| c.is_ascii_digit());
    (starts && text.chars().all(fits))
        .then(|| text.replace(',', ".").parse().ok())
        .flatten()
}

/// Parses a duration in the form `H:MM:SS`, `M:SS` or seconds, each with an optional fraction;
/// `None` for other text.
pub(super) fn sexagesimal(text: &str) -> Option<Duration> {
    let mut parts = text.split(':').map(number);
    seconds(parts.try_fold(0.0, |sum, part| Some(sum * 60.0 + part?))?)
}

/// Parses a time of day such as `04:44:13.250`, in any form that [`sexagesimal`] accepts. Returns
/// the seconds since midnight; `None` for other text.
pub(super) fn time_of_day(text: &str) -> Option<f64> {
    sexagesimal(text).map(|time| time.as_secs_f64())
}

/// Returns a line without the timestamp at its start, if a JSON object or an id in parentheses
/// follows. Returns other lines unchanged. A timestamp is a time of day, with or without a date, or
/// the number of milliseconds since 1970.
pub(super) fn without_timestamp(line: &str) -> &str {
    let fits = |c: char| c.is_ascii_digit() || "TZ:.,+/- \t".contains(c);
    let rest = line.trim_start_matches(fits);
    let stamp = &line[..line.len() - rest.len()];
    let digits = stamp.bytes().filter(u8::is_ascii_digit).count();
    let is_time = stamp.contains(':') || digits >= EPOCH_DIGITS;
    let is_stamp = stamp.len() <= MAX_TIMESTAMP && is_time && rest.starts_with(['{', '(']);
    if is_stamp { rest } else { line }
}

/// Minimum number of digits of a time in milliseconds since 1970.
const EPOCH_DIGITS: usize = 12;

/// Maximum length of a timestamp in bytes.
const MAX_TIMESTAMP: usize = 60;

/// Parses the duration at the start of a text, such as `30.163s`, `30163 ms` or `0.5 min`. A number
/// without a unit is in seconds. Returns `None` if the text does not start with a duration.
pub(super) fn with_unit(text: &str) -> Option<Duration> {
    let text = text.trim();
    let length = text
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
        .count();
    let value = number(text[..length].trim_end_matches(['.', ',']))?;
    let unit: String = text[length..]
        .trim_start()
        .chars()
        .take_while(|letter| letter.is_alphabetic() || *letter == '\u{b5}')
        .collect();
    let scale = match unit.to_lowercase().as_str() {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "ms" | "msec" | "millis" | "millisecond" | "milliseconds" => 1e-3,
        "us" | "\u{b5}s" | "\u{3bc}s" | "micros" | "microseconds" => 1e-6,
        "m" | "min" | "mins" | "minutes" => 60.0,
        _ => return None,
    };
    seconds(value * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_before_an_object_or_an_id_is_removed() {
        for (line, expected) in [
            ("2025-11-11T03:12:44.123Z {\"a\":1}", "{\"a\":1}"),
            ("2025-11-11 03:12:44,123\t(5d9c7d1e) x", "(5d9c7d1e) x"),
            ("1762830764123 {\"a\":1}", "{\"a\":1}"),
            ("503 {\"a\":1}", "503 {\"a\":1}"),
            ("03:12:44 The {\"a\":1}", "03:12:44 The {\"a\":1}"),
            ("ERROR refused {\"a\":1}", "ERROR refused {\"a\":1}"),
            ("{\"a\":1}", "{\"a\":1}"),
        ] {
            assert_eq!(without_timestamp(line), expected, "{line}");
        }
    }

    #[test]
    fn numbers_with_units_are_durations() {
        for (text, expected) in [
            ("30.163s", Some(30.163)),
            ("30,163 sec", Some(30.163)),
            ("30163ms", Some(30.163)),
            ("1.5 mins", Some(90.0)),
            ("12", Some(12.0)),
            ("12.", Some(12.0)),
            ("5 apples", None),
            ("-1s", None),
            ("1e9s", None),
            ("999999999999s", None),
            ("1.2.3", None),
        ] {
            let found = with_unit(text).map(|time| time.as_secs_f64());
            assert_eq!(found, expected, "{text}");
        }
    }
}
