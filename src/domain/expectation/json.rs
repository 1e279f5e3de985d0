//! Compares the values at JSON paths with the expected ones.

use serde_json::{Number, Value};

use crate::model::target::JsonPath;

/// Maximum length of an actual value in a message, in characters.
const MAX_SHOWN: usize = 100;

/// The problem of a body that does not have the value at the path; `None` if it has.
pub(super) fn problem(path: &JsonPath, value: &Value, body: &str) -> Option<String> {
    let source = &path.source;
    let Ok(document) = serde_json::from_str::<Value>(body) else {
        return Some(format!("body is not JSON, so it has no `{source}`"));
    };
    let nodes = path.path.query(&document);
    if nodes.is_empty() {
        return Some(format!("body has no value at `{source}`"));
    }
    let is_met = nodes.iter().any(|node| is_equal(node, value));
    let actual = shown(nodes.first().filter(|_| !is_met)?);
    let more = match nodes.len() {
        1 => String::new(),
        count => format!(" (the first of {count} values)"),
    };
    Some(format!(
        "body has {actual} instead of {value} at `{source}`{more}"
    ))
}

/// Whether two JSON values are equal. Numbers are compared by value: `1` equals `1.0`.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            // Integers are compared as such, because large ones have no exact `f64`.
            let is_integer = |number: &Number| number.is_i64() || number.is_u64();
            let both = is_integer(one) && is_integer(other);
            one == other || (!both && one.as_f64() == other.as_f64())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let has_equal = |(key, value): (&String, &Value)| {
                other.get(key).is_some_and(|other| is_equal(value, other))
            };
            one.len() == other.len() && one.iter().all(has_equal)
        }
        _ => one == other,
    }
}

/// A JSON value for a message, shortened. Control characters are escaped, as in JSON.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().nth(MAX_SHOWN).is_none() {
        return text;
    }
    let start: String = text.chars().take(MAX_SHOWN).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &Value, body: &str, message: Option<&str>) {
        let path = JsonPath {
            source: path.to_owned(),
            path: serde_json_path::JsonPath::parse(&format!("$.{path}")).unwrap(),
        };
        assert_eq!(problem(&path, expected, body).as_deref(), message, "{body}");
    }

    #[test]
    fn json_numbers_are_compared_by_value_and_a_mismatch_shows_the_actual_value() {
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(200));
        let shortened = format!("body has \"{}… instead of 1 at `a`", "x".repeat(99));
        for (body, expected, message) in [
            (r#"{"a":1}"#, serde_json::json!(1.0), None),
            (r#"{"a":1.0}"#, serde_json::json!(1), None),
            (r#"{"a":1e0}"#, serde_json::json!(1), None),
            (r#"{"a":-0.0}"#, serde_json::json!(0), None),
            (
                r#"{"a":[1,{"b":2.0}]}"#,
                serde_json::json!([1.0, {"b": 2}]),
                None,
            ),
            (
                r#"{"a":1.5}"#,
                serde_json::json!(1),
                Some("body has 1.5 instead of 1 at `a`"),
            ),
            (
                r#"{"a":9007199254740993}"#,
                serde_json::json!(9_007_199_254_740_992_u64),
                Some("body has 9007199254740993 instead of 9007199254740992 at `a`"),
            ),
            (
                r#"{"a":"1"}"#,
                serde_json::json!(1),
                Some("body has \"1\" instead of 1 at `a`"),
            ),
            (
                r#"{"a":null}"#,
                serde_json::json!(1),
                Some("body has null instead of 1 at `a`"),
            ),
            (
                r#"{"a":[1]}"#,
                serde_json::json!(1),
                Some("body has [1] instead of 1 at `a`"),
            ),
            (
                "{\"a\":\"\\u001b[31m\"}",
                serde_json::json!("x"),
                Some("body has \"\\u001b[31m\" instead of \"x\" at `a`"),
            ),
            (&long, serde_json::json!(1), Some(shortened.as_str())),
        ] {
            check("a", &expected, body, message);
        }
        check(
            "list[*]",
            &3.into(),
            r#"{"list":[1,2]}"#,
            Some("body has 1 instead of 3 at `list[*]` (the first of 2 values)"),
        );
        check("list[*]", &3.into(), r#"{"list":[1,3.0]}"#, None);
    }
}
