//! Small values: from text and number to what they mean, or the mend.
//!
//! Each takes one value and gives its meaning or a message; where it stands is the
//! caller's to say.

use std::time::Duration;

use url::Url;

use crate::io::config::file::{DurationText, SizeText};
use crate::io::config::layer::Found;
use crate::io::config::problem::Problems;

/// Puts what was found into its place; where it is wrong, reports it and leaves the default.
pub(super) fn set<V, U>(
    slot: &mut U,
    found: Option<Found<'_, V>>,
    parse: impl FnOnce(&V) -> Result<U, String>,
    problems: &mut Problems,
) {
    let Some(found) = found else {
        return;
    };
    match parse(found.value) {
        Ok(value) => *slot = value,
        Err(message) => problems.error(found.site.problem(message)),
    }
}

/// A duration of at most a year, zero included.
pub(super) fn duration(text: &DurationText) -> Result<Duration, String> {
    match humantime::parse_duration(&text.0) {
        Ok(duration) if duration <= A_YEAR => Ok(duration),
        Ok(_) => Err(format!(
            "{:?} is more than a year; write a shorter time",
            text.0
        )),
        Err(_) => Err(format!(
            "{:?} is not a duration; write \"10s\", \"500ms\" or \"1m 30s\"",
            text.0
        )),
    }
}

/// Keeps sums of times and durations far from the end of the clock.
const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A duration that is not zero.
pub(super) fn positive_duration(text: &DurationText) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("zero leaves no time at all; write \"10s\" or so".to_owned()),
        duration => Ok(duration),
    }
}

/// A number from `least` to `most`.
pub(super) fn count(value: i64, least: u32, most: u32) -> Result<u32, String> {
    u32::try_from(value)
        .ok()
        .filter(|count| (least..=most).contains(count))
        .ok_or_else(|| format!("{value} is out of range; write a number from {least} to {most}"))
}

/// Bytes: decimal and binary units alike mean powers of 1024, as people expect of memory.
pub(super) fn size(text: &SizeText) -> Result<usize, String> {
    let wrong = || {
        format!(
            "{:?} is not a size; write \"64KB\", \"1MB\" or \"512B\"",
            text.0
        )
    };
    let trimmed = text.0.trim();
    let digits = trimmed
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let number: usize = number.parse().map_err(|_| wrong())?;
    let factor: usize = match unit.trim() {
        "B" => 1,
        "KB" | "KiB" => 1024,
        "MB" | "MiB" => 1024 * 1024,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).ok_or_else(wrong)
}

/// A name that people and metrics can bear: 1 to `most` characters, no control characters,
/// no blanks at its ends.
pub(super) fn name(text: &str, most: usize) -> Result<(), String> {
    if text.is_empty() {
        return Err("empty; write a short word such as \"orders\"".to_owned());
    }
    let length = text.chars().count();
    if length > most {
        return Err(format!("{length} characters long; keep it to {most}"));
    }
    if text.chars().any(char::is_control) {
        return Err("has a control character, such as a line break; remove it".to_owned());
    }
    if text.trim() != text {
        return Err("starts or ends with a blank; remove it".to_owned());
    }
    Ok(())
}

/// A text that says something.
pub(super) fn filled(text: &str) -> Result<String, String> {
    name(text, MAX_TEXT).map(|()| text.to_owned())
}

/// Longer than any identifier of AWS, role ARNs (2,048) excepted by their own rule.
const MAX_TEXT: usize = 1024;

/// An `http` or `https` URL with a host and without credentials. Never quotes the URL: it
/// could hold a password.
pub(super) fn web_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| {
        format!("not a URL ({error}); write it whole, such as \"https://example.com/health\"")
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!(
            "the scheme {:?} is not supported; use http or https",
            url.scheme()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "has credentials in it; use `auth`, which reads them from a file or variable"
                .to_owned(),
        );
    }
    Ok(url)
}

/// One of the choices by its word.
pub(super) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<String> = choices
            .iter()
            .map(|(word, _)| format!("{word:?}"))
            .collect();
        format!(
            "{text:?} is not one of the choices; write {}",
            words.join(" or ")
        )
    })
}

/// An Amazon resource name.
pub(super) fn arn(text: &str) -> Result<(), String> {
    // arn:partition:service:region:account:resource
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    if parts.len() == 6 && parts[0] == "arn" && !parts[2].is_empty() && !parts[5].is_empty() {
        return Ok(());
    }
    Err(format!(
        "{text:?} is not an ARN; write it whole, such as \"arn:aws:sns:eu-west-1:123456789012:on-call\""
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_size(written: &str, bytes: Option<usize>) {
        assert_eq!(
            size(&SizeText(written.to_owned())).ok(),
            bytes,
            "{written:?}"
        );
    }

    #[test]
    fn sizes_have_a_unit_and_fit_into_memory() {
        check_size("512B", Some(512));
        check_size("64KB", Some(64 * 1024));
        check_size(" 64 KiB ", Some(64 * 1024));
        check_size("1MB", Some(1024 * 1024));
        for wrong in [
            "",
            "64",
            "KB",
            "-1KB",
            "1.5MB",
            "1GB",
            "99999999999999999999B",
        ] {
            check_size(wrong, None);
        }
        check_size(&format!("{}MB", usize::MAX), None);
    }

    fn check_arn(text: &str, good: bool) {
        assert_eq!(arn(text).is_ok(), good, "{text:?}");
    }

    #[test]
    fn an_arn_has_six_parts() {
        check_arn("arn:aws:sns:eu-west-1:123456789012:on-call", true);
        check_arn(
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:page:live",
            true,
        );
        check_arn("arn:aws:iam::123456789012:role/reader", true);
        check_arn("arn:aws:sns:eu-west-1:123456789012:", false);
        check_arn("arn:aws:sns", false);
        check_arn("", false);
    }

    #[test]
    fn a_url_with_a_password_is_refused_without_a_word_of_it() {
        let said = web_url("ftp://shop:hunter2@example.com/").expect_err("a bad scheme");
        assert!(!said.contains("hunter2"), "{said}");
        let said = web_url("https://shop:hunter2@exa mple/").expect_err("a bad host");
        assert!(!said.contains("hunter2"), "{said}");
        let said = web_url("shop:hunter2@example.com").expect_err("no scheme");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
