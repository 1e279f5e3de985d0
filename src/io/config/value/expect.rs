//! Types of the values in `[target.expect]`: status ranges, patterns, JSON paths and JSON values.

use regex::Regex;
use toml::Value;

use super::checked;
use super::secret::single_text;
use crate::model::target::{JsonPath, Pattern, TextMatch};

checked! {
    /// An inclusive range of HTTP status codes.
    StatusRange((u16, u16)) from Value, |value: Value| status_range(&value).ok_or(
        "not a status from 100 to 599; write 200, \"2xx\" or \"200-204\""
    );

    /// A regular expression that has been compiled.
    PatternText(Pattern) from String, |source: String| pattern(&source);

    /// A condition on a text: equality, a contained part or a regular expression.
    TextTest(TextMatch) from Value, |value| match value {
        Value::String(text) => Ok(TextMatch::Equals(text)),
        value => match single_text(value) {
            Some((key, text)) if key == "contains" => Ok(TextMatch::Contains(text)),
            Some((key, text)) if key == "regex" => pattern(&text).map(TextMatch::Regex),
            _ => Err(
                "not a condition on a text; write \"text\" for equality, \
                 { contains = \"part\" } or { regex = \"pattern\" }".to_owned()
            ),
        },
    };

    /// A value that is compared with a part of a JSON body.
    JsonValue(serde_json::Value) from Value, json_value;
}

fn status_range(value: &Value) -> Option<(u16, u16)> {
    let text = match value {
        Value::Integer(code) => code.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let code = |text: &str| {
        let code = text.trim().parse().ok();
        code.filter(|code| (100..=599).contains(code))
    };
    if let Some(class) = text.strip_suffix("xx") {
        let first = code(&format!("{class}00"))?;
        return Some((first, first + 99));
    }
    let (from, to) = text.split_once('-').unwrap_or((&text, &text));
    let range = (code(from)?, code(to)?);
    (range.0 <= range.1).then_some(range)
}

fn pattern(source: &str) -> Result<Pattern, String> {
    Regex::new(source).map(Pattern).map_err(|error| {
        // The library prints the pattern over several lines; the last line contains the reason.
        let printed = error.to_string();
        let reason = printed.lines().last().unwrap_or_default().trim();
        let reason = reason.strip_prefix("error: ").unwrap_or(reason);
        format!("not a regular expression ({reason}); correct it, or use contains for plain text")
    })
}

/// Parses a key of `expect.body.json`: a JSON path, of which the leading `$.` may be omitted.
pub(in crate::io::config) fn json_path(source: &str) -> Result<JsonPath, String> {
    let whole = if source.starts_with('$') {
        source.to_owned()
    } else {
        format!("$.{source}")
    };
    let path = serde_json_path::JsonPath::parse(&whole).map_err(|error| {
        format!("not a JSON path ({error}); write \"status\" or \"$.checks[0].state\"")
    })?;
    let source = source.strip_prefix("$.").unwrap_or(source).to_owned();
    Ok(JsonPath { source, path })
}

fn json_value(value: Value) -> Result<serde_json::Value, String> {
    Ok(match value {
        Value::String(text) => text.into(),
        Value::Integer(number) => number.into(),
        Value::Boolean(truth) => truth.into(),
        Value::Datetime(time) => time.to_string().into(),
        Value::Float(number) => serde_json::Number::from_f64(number)
            .ok_or_else(|| format!("{number} is not allowed in JSON; write a finite number"))?
            .into(),
        Value::Array(items) => {
            let items = items.into_iter().map(json_value);
            items.collect::<Result<Vec<_>, _>>()?.into()
        }
        Value::Table(table) => {
            let entries = table.into_iter();
            let entries = entries.map(|(key, value)| Ok((key, json_value(value)?)));
            serde_json::Value::Object(entries.collect::<Result<_, String>>()?)
        }
    })
}
