//! Defines types for numbers: bounded integers, sizes, amounts of money and shard indexes.

use serde::{Deserialize, Deserializer, de};
use toml::Value;

use super::{Checked, checked};

/// An integer from `MIN` to `MAX`.
#[derive(Debug)]
pub(in crate::io::config) struct Bounded<const MIN: u32, const MAX: u32>(u32);

/// The value of `shard.index`: a number or the text `"auto"`.
#[derive(Debug)]
pub(in crate::io::config) enum IndexValue {
    /// An index, which `validate::shard` compares with the number of shards.
    Number(i64),
    /// The text `"auto"`: the daemon determines the index at startup.
    Auto,
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Bounded<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        let bounded = u32::try_from(number).ok();
        let bounded = bounded.filter(|number| (MIN..=MAX).contains(number));
        bounded.map(Self).ok_or_else(|| {
            de::Error::custom(format!(
                "{number} is out of range; write a number from {MIN} to {MAX}"
            ))
        })
    }
}

impl<const MIN: u32, const MAX: u32> Checked for Bounded<MIN, MAX> {
    type Inner = u32;

    fn into_inner(self) -> u32 {
        self.0
    }
}

/// Maximum value of `body_limit` in bytes. The response bodies of all running probes are in memory
/// at the same time, so a higher limit could exhaust the memory.
const MAX_BODY_LIMIT: usize = 16 * 1024 * 1024;

checked! {
    /// A non-negative amount in US dollars per day.
    DollarsPerDay(f64) from f64, |dollars: f64| {
        if dollars.is_finite() && dollars >= 0.0 {
            return Ok(dollars);
        }
        Err(format!(
            "{dollars} is not a non-negative amount in USD; write an amount per day, such as 1.0, \
             or 0 for no metric queries"
        ))
    };

    /// The maximum number of bytes of a response body that a probe keeps, written with a unit.
    BodyLimit(usize) from Value, |value| {
        let text = match value {
            Value::String(text) => text,
            Value::Integer(number) => return Err(format!(
                "a size needs a unit; write \"{number}B\" for {number} bytes"
            )),
            _ => return Err("a size is text with a unit; write text such as \"64KB\"".to_owned()),
        };
        let bytes = size(&text).ok_or_else(|| {
            format!(
                "{text:?} is not a whole number of B, KB or MB; write a size such as \"64KB\", \
                 \"1MB\" or \"512B\""
            )
        })?;
        if bytes > MAX_BODY_LIMIT {
            return Err(format!("{text:?} is too large; write \"16MB\" or less"));
        }
        Ok(bytes)
    };

    /// The value of `shard.index`: a number or the text `"auto"`.
    ShardIndexValue(IndexValue) from Value, |value| match value {
        Value::Integer(number) => Ok(IndexValue::Number(number)),
        Value::String(text) if text == "auto" => Ok(IndexValue::Auto),
        _ => Err("not a shard index; write an integer such as 0, or \"auto\""),
    };
}

/// Parses a size and returns the number of bytes, or `None` if the text is not a size or the number
/// is too large. Decimal and binary units both mean powers of 1024, as is usual for memory.
fn size(text: &str) -> Option<usize> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor: usize = match unit.trim() {
        "B" => 1,
        "KB" | "KiB" => 1024,
        "MB" | "MiB" => 1024 * 1024,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit_and_fits_into_memory() {
        let check = |text: &str, bytes: Option<usize>| assert_eq!(size(text), bytes, "{text:?}");
        check("512B", Some(512));
        check("64KB", Some(64 * 1024));
        check(" 64 KiB ", Some(64 * 1024));
        check("1MB", Some(1024 * 1024));
        for wrong in [
            "",
            "64",
            "KB",
            "-1KB",
            "1.5MB",
            "1GB",
            "99999999999999999999B",
        ] {
            check(wrong, None);
        }
        check(&format!("{}MB", usize::MAX), None);
    }
}
