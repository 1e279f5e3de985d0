//! Converts another tool's request headers, and its conditions on response headers, to a `headers`
//! table of this configuration.

use serde_json::Value as Json;

use super::form::{quoted, same};

/// Names of request headers whose value is never a secret.
const PUBLIC: [&str; 14] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "content-type",
    "host",
    "origin",
    "pragma",
    "referer",
    "user-agent",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// Maximum number of headers that a message repeats.
const MAX_SHOWN: usize = 10;

/// Formats the table of the request headers. Placeholders replace values that may be secrets.
pub(in crate::io::config) fn table(value: &Json) -> String {
    as_table(value, "\"Accept\" = \"application/json\"", |name, value| {
        let lower = name.to_ascii_lowercase();
        match value {
            Json::String(text) if PUBLIC.contains(&lower.as_str()) => quoted(text),
            Json::Bool(_) | Json::Number(_) if PUBLIC.contains(&lower.as_str()) => {
                quoted(&value.to_string())
            }
            _ if is_secret(&lower) => "{ env = \"NAME\" }".to_owned(),
            _ => "\"VALUE\"".to_owned(),
        }
    })
}

/// Formats the table of the conditions on response headers.
pub(in crate::io::config) fn tests(value: &Json) -> String {
    as_table(
        value,
        "\"Content-Type\" = { contains = \"json\" }",
        |_, value| same(value),
    )
}

/// Formats the table of the regular expressions that response headers must not match.
pub(super) fn negated_tests(value: &Json) -> String {
    tests(value).replace("\"regex\" =", "\"not_regex\" =")
}

fn is_secret(lower: &str) -> bool {
    let words = [
        "auth",
        "token",
        "key",
        "secret",
        "cookie",
        "password",
        "signature",
    ];
    words.iter().any(|word| lower.contains(word))
}

fn as_table(value: &Json, example: &str, show: impl Fn(&str, &Json) -> String) -> String {
    let entries: Vec<(String, Json)> = match value {
        Json::Object(entries) if !is_pair(value) => {
            let entries = entries.iter();
            entries
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        }
        Json::Array(items) => items.iter().filter_map(entry).collect(),
        Json::String(text) => text
            .lines()
            .filter_map(|line| entry(&line.into()))
            .collect(),
        other => entry(other).into_iter().collect(),
    };
    let shown: Vec<String> = entries
        .iter()
        .take(MAX_SHOWN)
        .map(|(name, value)| format!("{} = {}", quoted(name), show(name, value)))
        .collect();
    if shown.is_empty() {
        format!("{{ {example} }}")
    } else {
        format!("{{ {} }}", shown.join(", "))
    }
}

/// Returns whether a table describes a single header: one of its entries, such as `name`, has the
/// header's name as its value.
fn is_pair(value: &Json) -> bool {
    ["name", "key", "header"]
        .iter()
        .any(|key| value.get(key).is_some_and(Json::is_string))
}

/// Returns the name of one header and its value or condition, or `None` if `item` is not a header.
/// A header is written as `"Name: value"`, as `"Name=value"`, or as a table such as
/// `{ Name = "…" }`, `{ name = "…", value = "…" }` or `{ header = "…", regexp = "…" }`.
fn entry(item: &Json) -> Option<(String, Json)> {
    match item {
        Json::String(line) => {
            let (name, value) = line.split_once(':').or_else(|| line.split_once('='))?;
            let name = name.trim();
            let valid = http::HeaderName::from_bytes(name.as_bytes()).is_ok();
            valid.then(|| (name.to_owned(), value.trim().into()))
        }
        Json::Object(entries) => {
            let first = |keys: &[&str]| keys.iter().find_map(|key| entries.get(*key));
            if let Some(Json::String(name)) = first(&["name", "key", "header"]) {
                if let Some(regex) = first(&["regexp", "regex", "pattern"]) {
                    return Some((name.clone(), serde_json::json!({ "regex": regex })));
                }
                return Some((name.clone(), first(&["value"]).cloned().unwrap_or_default()));
            }
            let (name, value) = entries.iter().next()?;
            Some((name.clone(), value.clone()))
        }
        _ => None,
    }
}

/// Formats a `headers` table with a `User-Agent` header.
pub(super) fn user_agent(value: &Json) -> String {
    one("User-Agent", value.as_str().unwrap_or("my-probe"))
}

/// Formats a `headers` table with an `Accept` header.
pub(super) fn accept(value: &Json) -> String {
    one("Accept", value.as_str().unwrap_or("application/json"))
}

/// Formats a `headers` table with a `Content-Type` header. The value may be a word such as `json`.
pub(super) fn content_type(value: &Json) -> String {
    let word = value.as_str().unwrap_or("json");
    let lower = word.to_ascii_lowercase();
    one(
        "Content-Type",
        match lower.as_str() {
            "json" => "application/json",
            "xml" => "application/xml",
            "form" => "application/x-www-form-urlencoded",
            _ if word.contains('/') => word,
            _ => "text/plain",
        },
    )
}

fn one(name: &str, value: &str) -> String {
    format!("{{ \"{name}\" = {} }}", same(&value.into()))
}
