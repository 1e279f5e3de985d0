//! Defines types for the values in `[target.expect]`: status ranges, patterns, JSON paths and
//! conditions.

use regex::Regex;
use toml::Value;

use super::checked;
use super::secret::single_text;
use crate::domain::diagnosis::nearest::nearest;
use crate::io::config::habits;
use crate::io::config::wording::alternatives;
use crate::model::target::{Comparison, JsonPath, JsonTest, Pattern, TextMatch};

checked! {
    /// An inclusive range of HTTP status codes: the first and the last code.
    StatusRange((u16, u16)) from Value, |value: Value| status_range(&value).ok_or_else(|| {
        let plain = serde_json::to_value(&value).unwrap_or_default();
        match habits::statuses(&plain) {
            Some(list) => format!(
                "must be a single status code or range; write {} as items of the list",
                list.trim_matches(['[', ']'])
            ),
            None => {
                "not a status code or range from 100 to 599; write, for example, 200, \"2xx\" or \
                 \"200-204\""
                    .to_owned()
            }
        }
    });

    /// A compiled regular expression.
    PatternText(Pattern) from String, |source: String| pattern(&source);

    /// A condition on a header value, such as equality, contained text or a regular expression.
    TextTest(TextMatch) from Value, |value| match value {
        Value::String(text) => Ok(TextMatch::Equals(text)),
        value => text_test(value),
    };

    /// The conditions on a value in a JSON body, written as an expected value or as a table of
    /// operators.
    JsonTests(Vec<JsonTest>) from Value, json_tests;
}

const TEXT_TEST: &str = "not a valid condition; write `\"text\"` for equality, \
     `{ contains = \"part\" }`, `{ regex = \"pattern\" }`, `{ not_contains = \"part\" }`, \
     `{ not_regex = \"pattern\" }`, `{ \"!=\" = \"text\" }` or `{ exists = false }`";

fn text_test(value: Value) -> Result<TextMatch, String> {
    if let Value::Table(table) = &value
        && let (1, Some(Value::Boolean(exists))) = (table.len(), table.get("exists"))
    {
        return Ok(TextMatch::Exists(*exists));
    }
    let Some((key, text)) = single_text(value) else {
        return Err(TEXT_TEST.to_owned());
    };
    match key.as_str() {
        "==" => Ok(TextMatch::Equals(text)),
        "!=" => Ok(TextMatch::Differs(text)),
        "contains" => Ok(TextMatch::Contains(text)),
        "not_contains" => Ok(TextMatch::Lacks(text)),
        "regex" => pattern(&text).map(TextMatch::Regex),
        "not_regex" => pattern(&text).map(TextMatch::NoMatch),
        _ => Err(TEXT_TEST.to_owned()),
    }
}

/// The operators in conditions on a value in a JSON body. The first six are comparisons, which
/// [`written_comparison`] recognizes at the start of a text.
const OPERATORS: [&str; 11] = [
    "==",
    "!=",
    "<=",
    ">=",
    "<",
    ">",
    "contains",
    "not_contains",
    "regex",
    "not_regex",
    "exists",
];

/// Names of operators in other tools and query languages, each with the corresponding operator in
/// [`OPERATORS`]. Names that are also usual keys of an object, such as `min` and `is`, are not
/// included.
const OTHER_OPERATORS: [(&str, &str); 27] = [
    ("eq", "=="),
    ("equals", "=="),
    ("equal", "=="),
    ("=", "=="),
    ("===", "=="),
    ("ne", "!="),
    ("neq", "!="),
    ("not_equals", "!="),
    ("not_equal", "!="),
    ("!==", "!="),
    ("<>", "!="),
    ("lt", "<"),
    ("less_than", "<"),
    ("lte", "<="),
    ("le", "<="),
    ("=<", "<="),
    ("gt", ">"),
    ("greater_than", ">"),
    ("gte", ">="),
    ("ge", ">="),
    ("=>", ">="),
    ("matches", "regex"),
    ("~", "regex"),
    ("=~", "regex"),
    ("!~", "not_regex"),
    ("not_matches", "not_regex"),
    ("includes", "contains"),
];

fn json_tests(value: Value) -> Result<Vec<JsonTest>, String> {
    let Value::Table(table) = value else {
        if let Value::String(text) = &value
            && let Some(remedy) = written_comparison(text)
        {
            return Err(remedy);
        }
        return json_value(value).map(|value| vec![JsonTest::Equals(value)]);
    };
    let is_operator = |key: &String| OPERATORS.contains(&key.as_str());
    let intended = table
        .keys()
        .find_map(|key| intended_operator(key).map(|operator| (key, operator)));
    if let Some((key, operator)) = intended {
        return Err(format!(
            "{key:?} is not an operator; write {operator:?}, or `{{ \"==\" = {{ … }} }}` for an \
             object with this key"
        ));
    }
    if !table.keys().any(is_operator) {
        return json_value(Value::Table(table)).map(|value| vec![JsonTest::Equals(value)]);
    }
    if let Some(key) = table.keys().find(|key| !is_operator(key)) {
        return Err(format!(
            "{key:?} is not an operator; write only {}, or `{{ \"==\" = {{ … }} }}` for a \
             whole object",
            alternatives(OPERATORS.iter().map(|operator| format!("{operator:?}")))
        ));
    }
    let tests = table.into_iter();
    tests.map(|(key, value)| json_test(&key, value)).collect()
}

/// Returns the operator that a key probably stands for. The key is another tool's name for an
/// operator, such as `gt`, or a misspelled operator, such as `contain`. Returns `None` for a valid
/// operator and for any other key.
fn intended_operator(key: &str) -> Option<&'static str> {
    if OPERATORS.contains(&key) {
        return None;
    }
    let name = key.trim_start_matches('$').to_ascii_lowercase();
    let name = name.replace(['-', ' '], "_");
    let other = OTHER_OPERATORS.iter().find(|(other, _)| *other == name);
    let words = OPERATORS[6..].iter().copied();
    other
        .map(|(_, operator)| *operator)
        .or_else(|| nearest(&name, words))
}

fn json_test(operator: &str, value: Value) -> Result<JsonTest, String> {
    let comparison = match operator {
        "==" => return json_value(value).map(JsonTest::Equals),
        "!=" => return json_value(value).map(JsonTest::Differs),
        "<" => Comparison::Less,
        "<=" => Comparison::AtMost,
        ">" => Comparison::Greater,
        ">=" => Comparison::AtLeast,
        "exists" => {
            let exists = value.as_bool().map(JsonTest::Exists);
            return exists.ok_or_else(|| {
                "the value of `exists` is not a boolean; write true or false".to_owned()
            });
        }
        text_test => {
            let text = value.as_str();
            let text = text
                .ok_or_else(|| format!("`{text_test}` needs a string; put the value in quotes"))?;
            return match text_test {
                "contains" => Ok(JsonTest::Contains(text.to_owned())),
                "not_contains" => Ok(JsonTest::Lacks(text.to_owned())),
                "not_regex" => pattern(text).map(JsonTest::NoMatch),
                _ => pattern(text).map(JsonTest::Regex),
            };
        }
    };
    let number = match value {
        Value::Integer(number) => Some(number as f64),
        Value::Float(number) if number.is_finite() => Some(number),
        _ => None,
    };
    number
        .map(|number| JsonTest::Compares(comparison, number))
        .ok_or_else(|| {
            format!("{operator:?} compares numbers; write a number, as in `{{ {operator:?} = 5 }}`")
        })
}

/// Returns an error message for a text such as `> 0`, which would otherwise be compared for
/// equality. Returns `None` for any other text.
fn written_comparison(text: &str) -> Option<String> {
    let operator = OPERATORS[..6]
        .iter()
        .find(|operator| text.starts_with(**operator))?;
    let rest = text.get(operator.len()..)?.trim();
    let is_bare = rest.parse::<f64>().is_ok() || ["true", "false"].contains(&rest);
    let is_equality = ["==", "!="].contains(operator);
    if rest.is_empty() || !is_bare && !is_equality {
        return None;
    }
    let operand = if is_bare {
        rest.to_owned()
    } else {
        habits::quoted(rest.trim_matches('"'))
    };
    Some(format!(
        "{text} is a string, not a comparison; write `{{ {operator:?} = {operand} }}` to compare, \
         or `{{ \"==\" = {text} }}` for this exact text",
        text = habits::quoted(text)
    ))
}

/// The flags that are recognized after a pattern between slashes, such as `/pattern/i`. With any
/// other text after the last slash, the value is a pattern that matches a path, such as
/// `/health/ready`.
const FLAGS: [&str; 15] = [
    "i", "g", "m", "s", "x", "u", "gi", "ig", "gm", "im", "mi", "is", "si", "iu", "ims",
];

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
    if let Some(bare) = delimited(source) {
        return Err(format!(
            "a pattern is written without delimiters, so the slashes would be part of it; write \
             {bare}"
        ));
    }
    Regex::new(source).map(Pattern).map_err(|error| {
        // The regex library prints the pattern over several lines; the last line contains the
        // reason.
        let printed = error.to_string();
        let reason = printed.lines().last().unwrap_or_default().trim();
        let reason = reason.strip_prefix("error: ").unwrap_or(reason);
        if reason.starts_with("look-around") {
            return format!(
                "unsupported regular expression ({reason}); write a pattern without look-around"
            );
        }
        if source.starts_with('*') {
            let part = habits::quoted(source.trim_matches('*'));
            return format!(
                "not a regular expression ({reason}); write {}, or `contains = {part}`",
                habits::quoted(&source.replace('*', ".*"))
            );
        }
        format!("not a regular expression ({reason}); correct it, or use `contains` for plain text")
    })
}

/// Converts `/pattern/flags` to a quoted pattern in the syntax of the regex library. Returns `None`
/// for any other text.
fn delimited(source: &str) -> Option<String> {
    let (pattern, flags) = source.strip_prefix('/')?.rsplit_once('/')?;
    let pattern = pattern.replace("\\/", "\0");
    if pattern.is_empty() || pattern.contains('/') || !FLAGS.contains(&flags) {
        return None;
    }
    let pattern = pattern.replace('\0', "/");
    let flags: String = flags
        .chars()
        .filter(|flag| "imsx".contains(*flag))
        .collect();
    Some(habits::quoted(&match flags.as_str() {
        "" => pattern,
        flags => format!("(?{flags}){pattern}"),
    }))
}

/// Parses a key of `expect.body.json` as a JSON path. The leading `$.` is optional.
pub(in crate::io::config) fn json_path(source: &str) -> Result<JsonPath, String> {
    let whole = if source.starts_with('$') {
        source.to_owned()
    } else {
        format!("$.{source}")
    };
    let path = serde_json_path::JsonPath::parse(&whole).map_err(|error| {
        format!(
            "not a JSON path ({error}); write a path such as \"status\" or \"$.checks[0].state\""
        )
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
