//! Converts the conditions of Gatus, such as `[STATUS] == 200`, to keys of `expect` with values.

use serde_json::Value as Json;

use super::form::quoted;
use super::status::statuses;
use super::times::{duration, shown};

/// The comparison operators in the conditions of Gatus.
const OPERATORS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];

/// Returns an instruction to write the keys that correspond to a list of conditions. `table` is the
/// name of the `expect` table, such as `[target.expect]`.
pub(super) fn list(value: &Json, table: &str) -> String {
    let items = match value {
        Json::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut keys: Vec<String> = Vec::new();
    let mut without_key = String::new();
    for item in items.iter().filter_map(Json::as_str) {
        match translate(item) {
            Some(key) if !keys.contains(&key) => keys.push(key),
            Some(_) => {}
            None if item.contains("[CONNECTED]") => {
                without_key +=
                    "; `[CONNECTED]` needs no key, because every probe checks the connection";
            }
            None => {
                let name = item.split_whitespace().next().unwrap_or_default();
                without_key += &format!("; no key corresponds to the condition on `{name}`");
            }
        }
    }
    if keys.is_empty() {
        keys.push("status = [200]".to_owned());
        without_key.insert_str(0, ", for example");
    }
    match combined(keys).as_slice() {
        [key] => format!("write `{key}` in {table}{without_key}"),
        keys => format!(
            "write these lines in {table}{without_key}:\n{}",
            keys.join("\n")
        ),
    }
}

/// Combines conditions on the same key, because TOML allows a key only once. Conditions on a JSON
/// value become one table of operators, and other conditions on the body become a list. For any
/// other key, only the first condition is kept.
fn combined(conditions: Vec<String>) -> Vec<String> {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for condition in conditions {
        let (key, value) = condition.split_once(" = ").unwrap_or((&condition, ""));
        match lines.iter_mut().find(|(other, _)| other == key) {
            Some((_, values)) => values.push(value.to_owned()),
            None => lines.push((key.to_owned(), vec![value.to_owned()])),
        }
    }
    let line = |(key, values): (String, Vec<String>)| match values.as_slice() {
        [value] => format!("{key} = {value}"),
        values if key.starts_with("body.json.") => {
            let inner = values.iter().map(|value| operators_of(value));
            format!("{key} = {{ {} }}", inner.collect::<Vec<_>>().join(", "))
        }
        values if key.starts_with("body.") => format!("{key} = [{}]", values.join(", ")),
        // `status`, `slower_than` and `certificate_days` cannot express two conditions.
        [first, ..] => format!("{key} = {first}"),
        [] => key,
    };
    lines.into_iter().map(line).collect()
}

/// Returns the content of a table of operators, such as `">" = 0` for `{ ">" = 0 }`. For any other
/// value, returns a test for equality, such as `"==" = 3` for `3`.
fn operators_of(value: &str) -> String {
    let inner = value
        .strip_prefix("{ ")
        .and_then(|rest| rest.strip_suffix(" }"));
    inner.map_or_else(|| format!("\"==\" = {value}"), str::to_owned)
}

/// Converts one condition to a line such as `status = [200]`. Returns `None` if the condition is
/// malformed or no key of `expect` corresponds to it.
fn translate(condition: &str) -> Option<String> {
    let (left, operator, right) = OPERATORS.iter().find_map(|operator| {
        let (left, right) = condition.split_once(&format!(" {operator} "))?;
        Some((left.trim(), *operator, right.trim()))
    })?;
    match left {
        "[STATUS]" => {
            let codes = right
                .strip_prefix("any(")
                .and_then(|text| text.strip_suffix(')'));
            let written = match (codes, operator) {
                (Some(codes), "==") => codes.to_owned(),
                (Some(_), _) => return None,
                (None, _) => format!("{operator}{right}"),
            };
            Some(format!("status = {}", statuses(&written.into())?))
        }
        "[RESPONSE_TIME]" => {
            let limit = duration(right, 0.001)?;
            Some(format!("slower_than = \"{}\"", shown(limit)))
        }
        "[CERTIFICATE_EXPIRATION]" => {
            let days = duration(right, 86_400.0)?.as_secs() / 86_400;
            Some(format!("certificate_days = {days}"))
        }
        "[BODY]" => body(operator, right),
        _ => length(left, operator, right)
            .or_else(|| presence(left, operator, right))
            .or_else(|| json(left, operator, right)),
    }
}

fn body(operator: &str, right: &str) -> Option<String> {
    let (test, value) = match (pattern(right)?, operator) {
        (Glob::Contains(text), "==") => ("contains", text),
        (Glob::Contains(text), "!=") => ("not_contains", text),
        (Glob::Regex(regex), "==") => ("regex", regex),
        (Glob::Regex(regex), "!=") => ("not_regex", regex),
        _ => return None,
    };
    Some(format!("body.{test} = {}", quoted(&value)))
}

/// A test of a string, converted from a value or a pattern of Gatus.
enum Glob {
    /// The string must contain this text.
    Contains(String),
    /// The string must match this regular expression.
    Regex(String),
}

/// Converts a value, such as `OK`, or a pattern, such as `pat(*error*)`, to a test. Returns `None`
/// for other functions of Gatus, such as `any(…)`.
fn pattern(right: &str) -> Option<Glob> {
    let glob = right
        .strip_prefix("pat(")
        .and_then(|text| text.strip_suffix(')'));
    let Some(glob) = glob else {
        let is_function = right.starts_with("any(") || right.starts_with("pat(");
        let whole = format!("(?s)^{}$", regex::escape(right));
        return (!is_function).then_some(Glob::Regex(whole));
    };
    let inner = glob.trim_matches('*');
    let (start, end) = (!glob.starts_with('*'), !glob.ends_with('*'));
    if !start && !end && !inner.contains('*') {
        return Some(Glob::Contains(inner.to_owned()));
    }
    let parts: Vec<String> = inner.split('*').map(regex::escape).collect();
    let anchor = |is_anchored: bool, mark| if is_anchored { mark } else { "" };
    Some(Glob::Regex(format!(
        "(?s){}{}{}",
        anchor(start, "^"),
        parts.join(".*"),
        anchor(end, "$")
    )))
}

/// Converts a condition on a value of a JSON body, such as `[BODY].status == UP`. Returns `None`
/// for any other condition, and for a function that no operator of this configuration expresses.
fn json(left: &str, operator: &str, right: &str) -> Option<String> {
    let path = left
        .strip_prefix("[BODY]")
        .map(|path| path.trim_start_matches('.'))?;
    let test = if right.starts_with("pat(") {
        match (pattern(right)?, operator) {
            (Glob::Contains(text), "==") => format!("{{ contains = {} }}", quoted(&text)),
            (Glob::Contains(text), "!=") => format!("{{ not_contains = {} }}", quoted(&text)),
            (Glob::Regex(regex), "==") => format!("{{ regex = {} }}", quoted(&regex)),
            (Glob::Regex(regex), "!=") => format!("{{ not_regex = {} }}", quoted(&regex)),
            _ => return None,
        }
    } else if right.starts_with("any(") {
        return None;
    } else {
        match operator {
            "==" => literal(right),
            operator => format!("{{ \"{operator}\" = {} }}", literal(right)),
        }
    };
    Some(format!("body.json.{} = {test}", quoted(path)))
}

/// Converts a condition on a length, such as `len([BODY].data) > 0`. Returns `None` for any other
/// condition, for a length that is not a number, and for `>= 0`, which every list meets.
fn length(left: &str, operator: &str, right: &str) -> Option<String> {
    let path = left.strip_prefix("len([BODY].")?.strip_suffix(')')?;
    let count: u64 = right.parse().ok()?;
    match (operator, count) {
        (">", count) => exists(path, count),
        (">=", count) => exists(path, count.checked_sub(1)?),
        _ => {
            // The filter is evaluated for each child of the root `$`, always with the same result,
            // because its path starts at `$`. The query therefore selects a value exactly if the
            // condition is met.
            let filter = format!("$[?length($.{path}) {operator} {count}]");
            Some(format!(
                "body.json.{} = {{ exists = true }}",
                quoted(&filter)
            ))
        }
    }
}

/// Formats a condition that the list at `path` has an item at `index`.
fn exists(path: &str, index: u64) -> Option<String> {
    let path = quoted(&format!("{path}[{index}]"));
    Some(format!("body.json.{path} = {{ exists = true }}"))
}

/// Converts a condition on the presence of a value, such as `has([BODY].data) == true`, to a key
/// `body.json` with `exists`. Returns `None` if `left` is not `has([BODY].…)`. An operator other
/// than `==` is read as `!=`, and a right side other than `true` as `false`.
fn presence(left: &str, operator: &str, right: &str) -> Option<String> {
    let path = left.strip_prefix("has([BODY].")?.strip_suffix(')')?;
    let is_present = (operator == "==") == (right == "true");
    Some(format!(
        "body.json.{} = {{ exists = {is_present} }}",
        quoted(path)
    ))
}

/// Formats a number, a boolean or a string, as written in a condition, as a TOML value.
fn literal(text: &str) -> String {
    let is_bare = text.parse::<f64>().is_ok() || ["true", "false"].contains(&text);
    if is_bare {
        text.to_owned()
    } else {
        quoted(text.trim_matches('"'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_becomes_a_key_of_expect() {
        for (written, expected) in [
            ("[STATUS] == 200", Some("status = [200]")),
            ("[STATUS] < 300", Some("status = [\"100-299\"]")),
            ("[STATUS] == any(200, 429)", Some("status = [200, 429]")),
            ("[RESPONSE_TIME] < 150", Some("slower_than = \"150ms\"")),
            (
                "[CERTIFICATE_EXPIRATION] > 48h",
                Some("certificate_days = 2"),
            ),
            (
                "[BODY] == pat(*<h1>Example*)",
                Some("body.contains = \"<h1>Example\""),
            ),
            ("[BODY] == pat(*a*b*)", Some("body.regex = \"(?s)a.*b\"")),
            ("[BODY].status == UP", Some("body.json.\"status\" = \"UP\"")),
            ("[BODY].count == 3", Some("body.json.\"count\" = 3")),
            ("[BODY].id != 0", Some("body.json.\"id\" = { \"!=\" = 0 }")),
            (
                "len([BODY].data) > 0",
                Some("body.json.\"data[0]\" = { exists = true }"),
            ),
            (
                "len([BODY].data) < 5",
                Some("body.json.\"$[?length($.data) < 5]\" = { exists = true }"),
            ),
            (
                "has([BODY].data) == false",
                Some("body.json.\"data\" = { exists = false }"),
            ),
            (
                "[BODY] != pat(*error*)",
                Some("body.not_contains = \"error\""),
            ),
            ("[STATUS] != any(500, 503)", None),
            ("[BODY] == pat(ok*)", Some("body.regex = \"(?s)^ok\"")),
            (
                "[BODY] != pat(*a*b)",
                Some("body.not_regex = \"(?s)a.*b$\""),
            ),
            ("[BODY] == OK", Some("body.regex = \"(?s)^OK$\"")),
            ("[BODY] == any(a, b)", None),
            (
                "[BODY].name == pat(john*)",
                Some("body.json.\"name\" = { regex = \"(?s)^john\" }"),
            ),
            (
                "[BODY].name == pat(*john*)",
                Some("body.json.\"name\" = { contains = \"john\" }"),
            ),
            (
                "[BODY].name != pat(*bad*)",
                Some("body.json.\"name\" = { not_contains = \"bad\" }"),
            ),
            ("[BODY].name == any(a, b)", None),
            ("[DNS_RCODE] == NOERROR", None),
            ("nonsense", None),
        ] {
            assert_eq!(translate(written).as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn a_condition_on_a_length_selects_something_only_if_it_holds() {
        for (path, body) in [
            ("data", r#"{"data": ITEMS}"#),
            ("page.items", r#"{"page": {"items": ITEMS, "next": null}}"#),
        ] {
            let key = translate(&format!("len([BODY].{path}) < 3")).unwrap();
            let query = key.split('"').nth(1).unwrap();
            let query = serde_json_path::JsonPath::parse(query).unwrap();
            for (items, holds) in [("[]", true), ("[1, 2]", true), ("[1, 2, 3]", false)] {
                let body: Json = serde_json::from_str(&body.replace("ITEMS", items)).unwrap();
                assert_eq!(!query.query(&body).is_empty(), holds, "{path}: {items}");
            }
        }
    }

    #[test]
    fn several_conditions_become_lines_with_distinct_keys() {
        let conditions = [
            "[STATUS] == 200",
            "[BODY].count > 0",
            "[BODY].count <= 9",
            "[BODY] == pat(*ok*)",
            "[BODY] == pat(*ready*)",
            "[BODY].state == UP",
            "[BODY].state != pat(*DOWN*)",
            "[CONNECTED] == true",
        ];
        let message = list(&conditions.as_slice().into(), "[target.expect]");
        let expected = [
            "write these lines in [target.expect]; `[CONNECTED]` needs no key, because every probe \
             checks the connection:",
            "status = [200]",
            "body.json.\"count\" = { \">\" = 0, \"<=\" = 9 }",
            "body.contains = [\"ok\", \"ready\"]",
            "body.json.\"state\" = { \"==\" = \"UP\", not_contains = \"DOWN\" }",
        ];
        assert_eq!(message, expected.join("\n"));
        let lines = message.split_once('\n').unwrap().1;
        assert!(lines.parse::<toml::Table>().is_ok(), "{lines}");
    }

    #[test]
    fn conditions_without_a_key_are_named() {
        let conditions = ["[CONNECTED] == true", "[DNS_RCODE] == NOERROR"];
        assert_eq!(
            list(&conditions.as_slice().into(), "[target.expect]"),
            "write `status = [200]` in [target.expect], for example; `[CONNECTED]` needs no key, \
             because every probe checks the connection; no key corresponds to the condition on \
             `[DNS_RCODE]`"
        );
    }
}
