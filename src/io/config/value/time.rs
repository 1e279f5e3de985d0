//! Defines types for durations, points in time, times of day, days of the week and time zones.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, de};
use toml::Value;

use super::{Checked, checked};
use crate::io::config::habits;

/// A duration of at least `MIN` nanoseconds and at most `MAX` seconds.
#[derive(Debug)]
pub(in crate::io::config) struct BoundedDuration<const MIN: u64, const MAX: u64>(Duration);

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// A year in seconds, the maximum of most durations. With this maximum, the sum of a point in time
/// and a duration cannot overflow.
const YEAR: u64 = 365 * DAY;

/// A duration from zero to a year.
pub(in crate::io::config) type AnyDuration = BoundedDuration<0, YEAR>;

/// A duration longer than zero, at most a year.
pub(in crate::io::config) type PositiveDuration = BoundedDuration<1, YEAR>;

/// The time between two probes of a target, from 100 ms to a day. A shorter interval would put too
/// much load on the target. With a longer interval, outages would be detected too late.
pub(in crate::io::config) type Interval = BoundedDuration<100_000_000, DAY>;

/// The wait before evidence is read, longer than zero and at most a day. AWS publishes metrics and
/// logs within minutes, and a pending request occupies memory, so a longer wait has no use.
pub(in crate::io::config) type EvidenceWait = BoundedDuration<1, DAY>;

/// The time between two readings of an AWS account, from a minute to a day. A reading of a large
/// account takes minutes, because AWS allows few calls per second.
pub(in crate::io::config) type DiscoveryInterval = BoundedDuration<60_000_000_000, DAY>;

/// The length of a weekly maintenance window, longer than zero and at most a week. A longer window
/// would overlap with the next one.
pub(in crate::io::config) type WindowLength = BoundedDuration<1, { 7 * DAY }>;

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for BoundedDuration<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let duration = bounded(&value, Duration::from_nanos(MIN), Duration::from_secs(MAX));
        duration.map(Self).map_err(de::Error::custom)
    }
}

impl<const MIN: u64, const MAX: u64> Checked for BoundedDuration<MIN, MAX> {
    type Inner = Duration;

    fn into_inner(self) -> Duration {
        self.0
    }
}

fn bounded(value: &Value, min: Duration, max: Duration) -> Result<Duration, String> {
    let text = match value {
        Value::String(text) => text,
        Value::Integer(number) => {
            return Err(format!(
                "a duration needs a unit; write \"{number}s\" for {number} seconds"
            ));
        }
        Value::Float(number) => {
            let suggested = habits::duration(&number.to_string(), 1.0);
            let suggested = suggested.map_or_else(|| "10s".to_owned(), habits::shown);
            return Err(format!("a duration needs a unit; write \"{suggested}\""));
        }
        _ => {
            return Err(
                "a duration must be text in quotes with a unit; write text such as \"10s\""
                    .to_owned(),
            );
        }
    };
    let suggested = habits::duration(text, 1.0);
    let duration = humantime::parse_duration(text).map_err(|_| match suggested {
        Some(suggested) => {
            format!(
                "{text:?} is not a duration; write \"{}\"",
                habits::shown(suggested)
            )
        }
        None => format!(
            "{text:?} is not a duration; write a duration such as \"10s\", \"500ms\" or \"1m 30s\""
        ),
    })?;
    if duration < min && duration.is_zero() {
        Err("must be longer than zero; write a duration such as \"10s\"".to_owned())
    } else if duration < min {
        let min = shown(min);
        Err(format!("{text:?} is too short; write \"{min}\" or more"))
    } else if duration > max
        && text.contains('M')
        && let Some(minutes) = suggested.filter(|suggested| (min..=max).contains(suggested))
    {
        let minutes = habits::shown(minutes);
        Err(format!(
            "{text:?} means months; write \"{minutes}\" for minutes"
        ))
    } else if duration > max {
        let max = shown(max);
        Err(format!("{text:?} is too long; write \"{max}\" or less"))
    } else {
        Ok(duration)
    }
}

/// Formats a duration in the largest unit of days, hours and seconds that divides it without
/// remainder. A duration shorter than a second is formatted in smaller units.
fn shown(bound: Duration) -> String {
    match bound.as_secs() {
        0 => habits::shown(bound),
        seconds if seconds % DAY == 0 => format!("{}d", seconds / DAY),
        seconds if seconds % HOUR == 0 => format!("{}h", seconds / HOUR),
        seconds => format!("{seconds}s"),
    }
}

/// A point in time or a time of day, written as a TOML date or time, or as text.
#[derive(Debug)]
struct TimeText(String);

impl<'de> Deserialize<'de> for TimeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Datetime(time) => Ok(Self(time.to_string())),
            _ => Err(de::Error::custom(
                "not a time; write a point in time such as 2026-05-01T22:00:00Z, or a time of day \
                 such as \"22:00\"",
            )),
        }
    }
}

checked! {
    /// The value of `cloudwatch.backlog`: how long unsent datapoints are kept, from an hour to 13
    /// days.
    Backlog(Duration) from AnyDuration, |BoundedDuration(duration): AnyDuration| {
        if (Duration::from_secs(HOUR)..=Duration::from_secs(13 * DAY)).contains(&duration) {
            return Ok(duration);
        }
        Err(format!(
            "{} is out of range; write a duration from \"1h\" to \"13d\", because CloudWatch \
             rejects datapoints older than two weeks",
            humantime::format_duration(duration)
        ))
    };

    /// The value of `cloudwatch.resolution`: the period of the metrics, 10 or 60 seconds.
    Resolution(Duration) from AnyDuration, |BoundedDuration(duration): AnyDuration| {
        if [10, 60].map(Duration::from_secs).contains(&duration) {
            return Ok(duration);
        }
        Err(format!(
            "{} is not a supported resolution; write \"60s\" or \"10s\" (which costs more)",
            humantime::format_duration(duration)
        ))
    };

    /// A point in time, written with its offset from UTC.
    PointInTime(Timestamp) from TimeText, |TimeText(text): TimeText| text.parse().map_err(|_| {
        let local: Option<jiff::civil::DateTime> = text.parse().ok();
        let suggested = local.map_or_else(|| "2026-05-01T22:00:00".to_owned(), |it| it.to_string());
        format!(
            "{text:?} is not a point in time with a UTC offset; write, for example, {suggested}Z \
             or {suggested}+02:00"
        )
    });

    /// A time of day, without a date.
    TimeOfDay(Time) from TimeText, |TimeText(text): TimeText| {
        // The time parser would accept a date before the time and ignore it.
        let time = text.parse().ok().filter(|_| !text.contains(['-', 'T', 't', ' ']));
        time.ok_or_else(|| {
            let correction = time_of_day(&text).map_or_else(
                || "write it as HH:MM, such as \"22:00\"".to_owned(),
                |time| format!("write \"{time}\""),
            );
            format!("{text:?} is not a time of day; {correction}")
        })
    };

    /// A time zone, written as its name in the IANA database.
    ZoneName(TimeZone) from String, |text: String| TimeZone::get(&text).map_err(|_| format!(
        "{text:?} is not a time zone of the IANA database; write a name such as \"Europe/Berlin\" \
         or \"UTC\""
    ));

    /// A day of the week, written in full or as its first three letters.
    DayName(Weekday) from String, |text: String| {
        let lower = text.to_lowercase();
        let day = DAYS.iter().find(|(day, _)| *day == lower || day.get(..3) == Some(&lower));
        day.map(|(_, day)| *day).ok_or_else(|| {
            match days_of(&lower) {
                Some(days) => format!("{text:?} is not a day of the week; write {days}"),
                None => format!(
                    "{text:?} is not a day of the week; write a day such as \"mon\" or \"monday\""
                ),
            }
        })
    };
}

/// Converts a time of day such as `2:00`, `2am`, `10 PM`, `22h` or `22:00 UTC` to the format
/// `HH:MM`. Returns `None` if the text does not begin with a valid time.
fn time_of_day(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let end = lower
        .find(|c: char| !c.is_ascii_digit() && c != ':')
        .unwrap_or(lower.len());
    let mut parts = lower[..end].split(':');
    let hour: u8 = parts.next()?.parse().ok()?;
    let minute: u8 = parts.next().map_or(Some(0), |minute| minute.parse().ok())?;
    let hour = match lower[end..].trim() {
        "am" | "a.m." => hour % 12,
        "pm" | "p.m." => hour % 12 + 12,
        _ => hour,
    };
    (hour < 24 && minute < 60).then(|| format!("{hour:02}:{minute:02}"))
}

/// Returns the days to write for `weekdays`, `weekend`, `daily`, a range within one week such as
/// `mon-fri`, or a day such as `mondays`. Returns `None` for any other text. `lower` is the text in
/// lower case.
fn days_of(lower: &str) -> Option<String> {
    let position = |day: &str| {
        DAYS.iter().position(|(name, _)| {
            day.len() >= 2 && name.starts_with(day.trim_end_matches(['.', 's']))
        })
    };
    let (first, last) = match lower {
        "weekday" | "weekdays" | "workdays" => (0, 4),
        "weekend" | "weekends" => (5, 6),
        "daily" | "every day" | "everyday" | "all" | "*" => (0, 6),
        range => match range.split_once(['-', '–']) {
            Some((first, last)) => (position(first.trim())?, position(last.trim())?),
            None => position(range).map(|day| (day, day))?,
        },
    };
    let days = DAYS.get(first..=last)?.iter();
    let days: Vec<String> = days.map(|(name, _)| format!("{:?}", &name[..3])).collect();
    Some(days.join(", "))
}

const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];
