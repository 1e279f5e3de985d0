//! Reads durations and numbers of days in the syntax of other tools, and formats them in the syntax
//! of this configuration.

use std::time::Duration;

use serde_json::Value as Json;

/// Formats a duration as TOML. A number without a unit is in seconds. Returns an example if the
/// value cannot be converted.
pub(super) fn seconds(value: &Json) -> String {
    duration_or(value, 1.0, "30s")
}

/// Formats a duration as TOML. A number without a unit is in milliseconds. Returns an example if
/// the value cannot be converted.
pub(super) fn milliseconds(value: &Json) -> String {
    duration_or(value, 0.001, "2s")
}

/// Formats a duration as TOML. A number without a unit is in minutes. Returns an example if the
/// value cannot be converted.
pub(super) fn minutes(value: &Json) -> String {
    duration_or(value, 60.0, "5m")
}

fn duration_or(value: &Json, unit: f64, example: &str) -> String {
    let found = match value {
        Json::Number(number) => number
            .as_f64()
            .and_then(|number| from_seconds(number * unit)),
        Json::String(text) => duration(text, unit),
        _ => None,
    };
    found.map_or_else(
        || format!("\"{example}\""),
        |found| format!("\"{}\"", shown(found)),
    )
}

/// Formats a duration as a value of this configuration, such as `1m 30s` or `1500ms`, without
/// quotes.
pub(in crate::io::config) fn shown(duration: Duration) -> String {
    // The `humantime` library formats 1500 ms as "1s 500ms", which is harder to read than "1500ms".
    if duration < Duration::from_secs(10) && duration.subsec_millis() != 0 {
        return format!("{}ms", duration.as_millis());
    }
    humantime::format_duration(duration).to_string()
}

/// Reads a duration in the syntax of other tools, such as ISO 8601, `HH:MM:SS`, `@every 30s`,
/// `*/5 * * * *`, `<= 2s` or `30S`. A number without a unit is multiplied by `unit` seconds.
/// Returns `None` for zero and for any other text. For a cron expression and for a number without a
/// unit, also returns `None` if the duration is shorter than 1 ms or longer than a year.
pub(in crate::io::config) fn duration(text: &str, unit: f64) -> Option<Duration> {
    let text = text.trim().trim_start_matches(['<', '>', '=']).trim();
    let text = text.strip_prefix("@every").unwrap_or(text).trim();
    if let Ok(number) = text.replace(',', ".").parse::<f64>() {
        return from_seconds(number * unit);
    }
    if let Some(clock) = clock(text) {
        return Some(clock);
    }
    if let Some(minutes) = text
        .strip_prefix("*/")
        .and_then(|text| text.strip_suffix(" * * * *"))
    {
        return from_seconds(minutes.parse::<f64>().ok()? * 60.0);
    }
    let lower = text.to_ascii_lowercase().replace(',', ".");
    let parsed = match lower.strip_prefix('p') {
        Some(iso) => humantime::parse_duration(&iso.replace('t', "")),
        None => humantime::parse_duration(&lower),
    };
    parsed.ok().filter(|duration| !duration.is_zero())
}

/// Reads a duration in the form `MM:SS` or `HH:MM:SS`. Returns `None` for zero and for any other
/// text.
fn clock(text: &str) -> Option<Duration> {
    let parts: Option<Vec<u64>> = text.split(':').map(|part| part.parse().ok()).collect();
    let seconds = match parts?.as_slice() {
        [minutes, seconds] if *seconds < 60 => minutes.checked_mul(60)? + seconds,
        [hours, minutes, seconds] if *minutes < 60 && *seconds < 60 => {
            hours.checked_mul(3600)? + minutes * 60 + seconds
        }
        _ => return None,
    };
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// Converts seconds to a duration, rounded to milliseconds. Returns `None` if the duration is not
/// in the range from 1 ms to a year.
fn from_seconds(seconds: f64) -> Option<Duration> {
    let valid = (0.001..=31_536_000.0).contains(&seconds);
    valid.then(|| Duration::from_millis((seconds * 1000.0).round() as u64))
}

/// Reads a number of days, and rounds it down. The value is a number, or text such as `14`, `14d`
/// or `336h`. A negative number becomes 0. Returns `None` for any other value, and for the text
/// `0`.
pub(in crate::io::config) fn days(value: &Json) -> Option<u64> {
    match value {
        Json::Number(number) => Some(number.as_f64()?.max(0.0).floor() as u64),
        Json::String(text) => Some(duration(text, 86_400.0)?.as_secs() / 86_400),
        _ => None,
    }
}

/// Formats a number of days. Returns an example if the value is not a number of days.
pub(super) fn day_count(value: &Json) -> String {
    days(value).unwrap_or(14).to_string()
}

/// Formats a number of days, or 0 if the value is `false`. Returns an example for other values.
pub(super) fn day_switch(value: &Json) -> String {
    match value {
        Json::Bool(false) => "0".to_owned(),
        other => day_count(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_other_tools_become_a_duration() {
        for (written, expected) in [
            ("10", Some("10s")),
            ("1,5", Some("1500ms")),
            ("30S", Some("30s")),
            ("5MIN", Some("5m")),
            ("PT1M30S", Some("1m 30s")),
            ("PT0.5S", Some("500ms")),
            ("0:30", Some("30s")),
            ("01:00:00", Some("1h")),
            ("@every 30s", Some("30s")),
            ("*/5 * * * *", Some("5m")),
            ("< 2s", Some("2s")),
            ("<=150ms", Some("150ms")),
            ("soon", None),
            ("", None),
            ("0", None),
            ("-5", None),
            ("0 0 * * *", None),
            ("99999999999999999999", None),
        ] {
            let found = duration(written, 1.0).map(shown);
            assert_eq!(found.as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn days_come_from_a_number_or_a_duration() {
        for (written, expected) in [
            (serde_json::json!(14.7), Some(14)),
            ("14d".into(), Some(14)),
            ("14 days".into(), Some(14)),
            ("> 336h".into(), Some(14)),
            ("14".into(), Some(14)),
            ("two weeks".into(), None),
            (true.into(), None),
        ] {
            assert_eq!(days(&written), expected, "{written}");
        }
    }
}
