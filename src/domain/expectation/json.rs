//! Checks the values at a JSON path of a body against a condition.

use serde_json::{Number, Value};

use crate::model::target::{Comparison, JsonPath, JsonTest, Pattern};

/// Maximum length, in characters, of a received JSON value in a message.
const MAX_SHOWN: usize = 100;

/// Returns a description of the problem if the body does not meet the condition on the values at
/// the path; `None` if the condition is met.
pub(super) fn problem(path: &JsonPath, test: &JsonTest, body: &str) -> Option<String> {
    let source = &path.source;
    let Ok(document) = serde_json::from_str::<Value>(body) else {
        return Some(format!(
            "body is not JSON, so it has no value at `{source}`"
        ));
    };
    let nodes = path.path.query(&document).all();
    if nodes.is_empty() {
        let is_met = *test == JsonTest::Exists(false);
        return (!is_met).then(|| format!("body has no value at `{source}`"));
    }
    let wrong = match failing_index(test, &nodes) {
        Some(index) => *nodes.get(index)?,
        None => return None,
    };
    let actual = shorten(wrong);
    let wanted = describe_expected(test);
    let more = match nodes.len() {
        1 => String::new(),
        count if needs_one(test) => format!(" (the first of {count} values; none matches)"),
        count => format!(" (one of {count} values)"),
    };
    Some(format!(
        "body has {actual} instead of {wanted} at `{source}`{more}"
    ))
}

/// Returns whether one matching value is enough to meet the condition. Otherwise all values must
/// match.
const fn needs_one(test: &JsonTest) -> bool {
    matches!(
        test,
        JsonTest::Equals(_) | JsonTest::Contains(_) | JsonTest::Regex(_) | JsonTest::Exists(true)
    )
}

/// Returns the index of the value to show in the message; `None` if the values meet the condition.
fn failing_index(test: &JsonTest, nodes: &[&Value]) -> Option<usize> {
    let is_met = |node: &&Value| match test {
        JsonTest::Equals(value) => is_equal(node, value),
        JsonTest::Differs(value) => !is_equal(node, value),
        JsonTest::Compares(comparison, bound) => node
            .as_f64()
            .is_some_and(|number| comparison.is_met(number, *bound)),
        JsonTest::Contains(part) => contains(node, part),
        JsonTest::Lacks(part) => !contains(node, part),
        JsonTest::Regex(pattern) => matches(node, pattern),
        JsonTest::NoMatch(pattern) => !matches(node, pattern),
        JsonTest::Exists(wanted) => *wanted,
    };
    if needs_one(test) {
        let is_failing = !nodes.iter().any(is_met);
        is_failing.then_some(0)
    } else {
        nodes.iter().position(|node| !is_met(node))
    }
}

/// Returns whether the value is a string that contains `part`.
fn contains(node: &Value, part: &str) -> bool {
    node.as_str().is_some_and(|text| text.contains(part))
}

/// Returns whether the value is a string in which the pattern matches.
fn matches(node: &Value, pattern: &Pattern) -> bool {
    node.as_str().is_some_and(|text| pattern.0.is_match(text))
}

/// Returns a description of the expected value for a message.
fn describe_expected(test: &JsonTest) -> String {
    match test {
        JsonTest::Equals(value) => value.to_string(),
        JsonTest::Differs(value) => format!("a value other than {value}"),
        JsonTest::Compares(comparison, bound) => bound_text(*comparison, *bound),
        JsonTest::Contains(part) => format!("a string that contains `{part}`"),
        JsonTest::Lacks(part) => format!("a string that does not contain `{part}`"),
        JsonTest::Regex(pattern) => format!("a string that matches `{}`", pattern.0.as_str()),
        JsonTest::NoMatch(pattern) => {
            format!("a string that does not match `{}`", pattern.0.as_str())
        }
        JsonTest::Exists(_) => "no value".to_owned(),
    }
}

fn bound_text(comparison: Comparison, bound: f64) -> String {
    format!("a number {} {bound}", comparison.sign())
}

/// Returns whether two JSON values are equal. Numbers are compared by value: `1` equals `1.0`.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            // Two integers are not converted to `f64`, which cannot represent large integers
            // exactly.
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

/// Returns a JSON value as text for a message, shortened to [`MAX_SHOWN`] characters. Control
/// characters are escaped, as in JSON.
fn shorten(value: &Value) -> String {
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
        check_test(path, &JsonTest::Equals(expected.clone()), body, message);
    }

    fn check_test(path: &str, test: &JsonTest, body: &str, message: Option<&str>) {
        let path = JsonPath {
            source: path.to_owned(),
            path: serde_json_path::JsonPath::parse(&format!("$.{path}")).unwrap(),
        };
        assert_eq!(problem(&path, test, body).as_deref(), message, "{body}");
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
            Some("body has 1 instead of 3 at `list[*]` (the first of 2 values; none matches)"),
        );
        check("list[*]", &3.into(), r#"{"list":[1,3.0]}"#, None);
    }

    #[test]
    fn numbers_are_compared_with_a_bound() {
        let number = |comparison, bound| JsonTest::Compares(comparison, bound);
        let body = r#"{"n":3,"s":"UP","list":[1,5]}"#;
        for (path, test, message) in [
            ("n", number(Comparison::Greater, 2.0), None),
            ("n", number(Comparison::AtLeast, 3.0), None),
            ("n", number(Comparison::AtMost, 3.0), None),
            (
                "n",
                number(Comparison::Less, 3.0),
                Some("body has 3 instead of a number < 3 at `n`"),
            ),
            (
                "s",
                number(Comparison::Less, 3.0),
                Some("body has \"UP\" instead of a number < 3 at `s`"),
            ),
            (
                "list[*]",
                number(Comparison::Less, 5.0),
                Some("body has 5 instead of a number < 5 at `list[*]` (one of 2 values)"),
            ),
        ] {
            check_test(path, &test, body, message);
        }
    }

    #[test]
    fn values_differ_match_and_exist() {
        let pattern = JsonTest::Regex(Pattern(regex::Regex::new("^U").unwrap()));
        let body = r#"{"n":3,"s":"UP","list":[1,5],"empty":[]}"#;
        for (path, test, message) in [
            ("n", JsonTest::Differs(4.into()), None),
            (
                "n",
                JsonTest::Differs(3.into()),
                Some("body has 3 instead of a value other than 3 at `n`"),
            ),
            ("list[*]", JsonTest::Differs(9.into()), None),
            (
                "none",
                JsonTest::Differs(9.into()),
                Some("body has no value at `none`"),
            ),
            ("s", JsonTest::Contains("P".to_owned()), None),
            (
                "s",
                JsonTest::Contains("x".to_owned()),
                Some("body has \"UP\" instead of a string that contains `x` at `s`"),
            ),
            ("s", pattern.clone(), None),
            (
                "n",
                pattern,
                Some("body has 3 instead of a string that matches `^U` at `n`"),
            ),
            ("none", JsonTest::Exists(false), None),
            (
                "none",
                JsonTest::Exists(true),
                Some("body has no value at `none`"),
            ),
            ("n", JsonTest::Exists(true), None),
            (
                "n",
                JsonTest::Exists(false),
                Some("body has 3 instead of no value at `n`"),
            ),
            (
                "empty[0]",
                JsonTest::Exists(true),
                Some("body has no value at `empty[0]`"),
            ),
        ] {
            check_test(path, &test, body, message);
        }
    }

    #[test]
    fn values_lack_a_text_or_a_pattern() {
        let no_match = JsonTest::NoMatch(Pattern(regex::Regex::new("^U").unwrap()));
        let body = r#"{"n":3,"s":"UP"}"#;
        for (path, test, message) in [
            ("s", JsonTest::Lacks("x".to_owned()), None),
            ("n", JsonTest::Lacks("x".to_owned()), None),
            (
                "s",
                JsonTest::Lacks("P".to_owned()),
                Some("body has \"UP\" instead of a string that does not contain `P` at `s`"),
            ),
            (
                "none",
                JsonTest::Lacks("x".to_owned()),
                Some("body has no value at `none`"),
            ),
            (
                "s",
                no_match,
                Some("body has \"UP\" instead of a string that does not match `^U` at `s`"),
            ),
            (
                "n",
                JsonTest::NoMatch(Pattern(regex::Regex::new("3").unwrap())),
                None,
            ),
        ] {
            check_test(path, &test, body, message);
        }
    }
}
