//! Suggests the value to write for a known key whose value is in the syntax of another tool.

use serde_json::Value as Json;

use super::form::{labels, quoted, truth};
use super::header::{table as header_table, tests as header_tests};
use super::placeholder::{placeholder, placeholder_in_url};
use super::status::statuses;
use super::times::days;
use super::urls;

/// Suffixes of the paths of keys that [`replaced_nowhere`] does not check, because the text of
/// these keys may contain anything, even an expression such as `${NAME}`.
const FREE_TEXT: [&str; 1] = ["request.body"];

/// Returns the text to write instead of a value of the wrong type, such as `5` instead of `"5"`.
/// Returns `None` if the value cannot be converted. `section` is the path of the key, and
/// `expected` is the required type as named by serde.
pub(in crate::io::config) fn retyped(
    section: &str,
    value: &Json,
    expected: &str,
) -> Option<String> {
    match expected {
        "i64" if section.ends_with("certificate_days") => days(value).map(|days| days.to_string()),
        "a boolean" => truth(value).map(|truth| truth.to_string()),
        "i64" => {
            let number: i64 = match value {
                Json::String(text) => text.trim().parse().ok()?,
                Json::Number(number) => number.as_f64().filter(|it| it.abs() < 1e9)? as i64,
                _ => return None,
            };
            Some(number.to_string())
        }
        "a string" if value.is_array() && section.ends_with("url") => {
            Some("`urls = [\"https://…\", \"https://…\"]`".to_owned())
        }
        "f64" => {
            let number: f64 = value
                .as_str()?
                .trim()
                .trim_start_matches('$')
                .parse()
                .ok()?;
            Some(number.to_string())
        }
        _ => None,
    }
}

/// Returns the text to write, such as `status = [200]`, instead of a value that is not a list
/// although its key requires a list. If the value cannot be converted, returns an example for
/// `status`, and `None` for any other key. `section` is the path of the key.
pub(in crate::io::config) fn as_list(section: &str, value: &Json) -> Option<String> {
    let key = section.rsplit('.').next().unwrap_or_default();
    match (key, value) {
        ("status", value) => Some(statuses(value).map_or_else(
            || "a list, such as `status = [200, \"2xx\"]`".to_owned(),
            |list| format!("`status = {list}`"),
        )),
        ("layer", Json::String(address)) => Some(format!(
            "[[target.layer]] with `name = \"NAME\"` and `connect_to = {}`",
            quoted(address)
        )),
        // A URL can contain a password. `urls::url` hides such a URL; the next arm would repeat it.
        ("urls", Json::String(text)) => {
            let items = text
                .split([',', ';'])
                .map(|item| urls::url(&item.trim().into()));
            let items: Vec<String> = items.collect();
            Some(format!("`{key} = [{}]`", items.join(", ")))
        }
        (_, Json::String(text)) if text.len() <= 100 && !text.is_empty() => {
            let items = text.split([',', ';']).map(str::trim);
            let items: Vec<String> = items.map(quoted).collect();
            Some(format!("`{key} = [{}]`", items.join(", ")))
        }
        ("target" | "maintenance", Json::Object(_)) => {
            Some(format!("[[{key}]], with double brackets"))
        }
        ("layer", Json::Object(_)) => Some("[[target.layer]], with double brackets".to_owned()),
        _ => None,
    }
}

/// Returns the text to write, such as `headers = { … }`, instead of a value that is not a table
/// although its key requires a table. Returns `None` if the value cannot be converted. `section` is
/// the path of the key.
pub(in crate::io::config) fn as_table(section: &str, value: &Json) -> Option<String> {
    let key = section.rsplit('.').next().unwrap_or_default();
    let is_expected = section.contains("expect");
    match (key, value) {
        ("headers", _) if is_expected => Some(format!("`headers = {}`", header_tests(value))),
        ("headers", _) => Some(format!("`headers = {}`", header_table(value))),
        ("labels", _) => Some(format!("`labels = {}`", labels(value))),
        ("body", Json::String(text)) if is_expected && text.len() <= 100 => {
            Some(format!("`body = {{ contains = {} }}`", quoted(text)))
        }
        ("body", _) if is_expected => Some("`body = { contains = \"TEXT\" }`".to_owned()),
        ("basic", _) => {
            Some("`basic = { username = \"USER\", password = { env = \"NAME\" } }`".to_owned())
        }
        ("auth", _) => Some(
            "`auth = { basic = { username = \"USER\", password = { env = \"NAME\" } } }` or \
             `auth = { bearer = { env = \"NAME\" } }`"
                .to_owned(),
        ),
        (_, Json::Array(items)) if items.iter().all(Json::is_object) => {
            Some(format!("[{section}], with single brackets"))
        }
        _ => None,
    }
}

/// Returns an error message if `text` contains a variable or an expression, because this program
/// does not replace them. Returns `None` for any other text, and for keys whose text may contain
/// anything. `section` is the path of the key to which `text` belongs.
pub(in crate::io::config) fn replaced_nowhere(section: &str, text: &str) -> Option<String> {
    if section.contains("expect.") || FREE_TEXT.iter().any(|end| section.ends_with(end)) {
        return None;
    }
    let key = section.rsplit('.').next().unwrap_or_default();
    let is_url = ["url", "urls", "proxy"].contains(&key);
    let found = if is_url {
        placeholder_in_url(text)?
    } else {
        placeholder(text)?
    };
    let name = &found.variable;
    let remedy = if ["url", "urls"].contains(&key) {
        format!(
            "write the value itself, or `url = {{ env = {name:?} }}` with the whole URL in the \
             variable"
        )
    } else if section.ends_with("headers.authorization")
        || section.ends_with("headers.Authorization")
    {
        format!("write `bearer = {{ env = {name:?} }}` in the table `auth` instead of this header")
    } else if section.contains("request.headers.") {
        format!("write `{{ env = {name:?} }}`, with the whole value in the variable")
    } else {
        "write the value itself, or generate this file, for example with envsubst".to_owned()
    };
    Some(format!(
        "contains {}, but probecause does not expand it; {remedy}",
        found.shown
    ))
}
