//! Converts values written for another tool to values of this configuration, as TOML.
//!
//! Most functions receive the value as it was written and return what to write instead, or an
//! example if the value cannot be converted. A value that may be a secret, such as a password or a
//! request body, is not repeated.

use serde_json::Value as Json;

/// Maximum length in bytes of a text that a message repeats.
pub(super) const MAX_SHOWN: usize = 100;

/// Formats a text as a TOML string.
pub(in crate::io::config) fn quoted(text: &str) -> String {
    let is_literal = text.contains(['"', '\\']) && !text.contains(['\'', '\n', '\r', '\t']);
    if is_literal && !text.chars().any(char::is_control) {
        format!("'{text}'")
    } else {
        format!("{text:?}")
    }
}

/// Formats a value that is not a secret, such as a pattern or a path, as TOML. Writes an ellipsis
/// for null, for an empty table, and for a string, list or table that is too long.
pub(super) fn same(value: &Json) -> String {
    match value {
        Json::String(text) if text.len() <= MAX_SHOWN => quoted(text),
        Json::Bool(_) | Json::Number(_) => value.to_string(),
        Json::Array(items) if items.len() <= 10 => {
            let items: Vec<String> = items.iter().map(same).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(entries) if !entries.is_empty() && entries.len() <= 10 => {
            let entries = entries.iter();
            let entries = entries.map(|(key, value)| format!("{} = {}", quoted(key), same(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Json::Object(_) => "{ … }".to_owned(),
        _ => "\"…\"".to_owned(),
    }
}

/// Formats a regular expression as TOML. Joins several expressions with `|`. Returns an example if
/// the value is neither a string nor a list of strings.
pub(super) fn pattern(value: &Json) -> String {
    let texts: Vec<&str> = match value {
        Json::String(text) => vec![text],
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    match texts.as_slice() {
        [] => "\"pattern\"".to_owned(),
        [one] => same(&Json::from(*one)),
        many => same(&Json::from(format!("({})", many.join(")|(")))),
    }
}

/// Reads a boolean, which may be written as a number or a word, such as `1` or `yes`. Returns
/// `None` for any other value.
pub(in crate::io::config) fn truth(value: &Json) -> Option<bool> {
    match value {
        Json::Bool(truth) => Some(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        Json::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "enabled" | "y" => Some(true),
            "false" | "no" | "off" | "disabled" | "none" | "n" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the value of `max_redirects` for a maximum number of redirects, or for a switch that
/// enables redirects. The numbers 0 and 1 count as a switch. Returns an example for any other
/// value.
pub(super) fn redirects(value: &Json) -> String {
    match (truth(value), value.as_u64()) {
        (Some(false), _) => "0".to_owned(),
        (None, Some(count)) => count.min(20).to_string(),
        _ => "5".to_owned(),
    }
}

/// Returns the value of `max_redirects` for a maximum number of redirects, or for a switch that
/// enables redirects. The numbers 0 and 1 count as a maximum number. Returns an example for any
/// other value.
pub(super) fn redirect_limit(value: &Json) -> String {
    match value.as_u64() {
        Some(count) => count.min(20).to_string(),
        None => redirects(value),
    }
}

/// Returns the value of `max_redirects` for a switch that disables redirects.
pub(super) fn no_redirects(value: &Json) -> String {
    let stops = truth(value).unwrap_or(true);
    if stops { "0" } else { "5" }.to_owned()
}

/// Returns the value of `ip` for a word or number that names one or both IP versions; `None` for
/// any other value.
pub(in crate::io::config) fn ip_version(value: &Json) -> Option<&'static str> {
    let text = match value {
        Json::String(text) => text.to_ascii_lowercase(),
        Json::Number(number) => number.to_string(),
        _ => return None,
    };
    match text.as_str() {
        "both" | "all" | "auto" | "dual" | "dualstack" | "ip" | "46" | "ipany" => Some("any"),
        text if text.len() < 8 && text.ends_with('4') => Some("4"),
        text if text.len() < 8 && text.ends_with('6') => Some("6"),
        _ => None,
    }
}

/// Returns the value of `ip` for a word or number that names one or both IP versions. Returns an
/// example for any other value.
pub(super) fn ip(value: &Json) -> String {
    quoted(ip_version(value).unwrap_or("4"))
}

/// Formats an HTTP method in upper case. Returns `GET` if the value is not a method.
pub(super) fn method(value: &Json) -> String {
    let text = value.as_str().unwrap_or("GET").to_ascii_uppercase();
    let valid = text.len() <= 20 && text.chars().all(|c| c.is_ascii_uppercase());
    quoted(if valid { &text } else { "GET" })
}

/// Formats a non-negative integer, clamped to the range from 1 to 100. Returns an example for any
/// other value.
pub(super) fn count(value: &Json) -> String {
    let number = value
        .as_u64()
        .or_else(|| value.as_str()?.trim().parse().ok());
    number.map_or(2, |number| number.clamp(1, 100)).to_string()
}

/// Returns the value of `consecutive_failures` for a number of retries: that number plus one, at
/// most 100. Returns an example if the value is not a non-negative integer.
pub(super) fn retries(value: &Json) -> String {
    let number = value
        .as_u64()
        .or_else(|| value.as_str()?.trim().parse().ok());
    number
        .map_or(2, |number| number.saturating_add(1).min(100))
        .to_string()
}

/// Formats a size with a unit, at most [`MAX_BODY_LIMIT`]. A size without a unit is in bytes.
/// Returns an example if the value is neither a number nor a size.
pub(super) fn size(value: &Json) -> String {
    let bytes = match value {
        Json::Number(number) => number.as_u64(),
        Json::String(text) => bytes_of(text),
        _ => None,
    };
    match bytes.map(|bytes| bytes.min(MAX_BODY_LIMIT)) {
        Some(bytes) if bytes % MEBIBYTE == 0 && bytes > 0 => format!("\"{}MB\"", bytes / MEBIBYTE),
        Some(bytes) if bytes % 1024 == 0 && bytes > 0 => format!("\"{}KB\"", bytes / 1024),
        Some(bytes) => format!("\"{bytes}B\""),
        None => "\"64KB\"".to_owned(),
    }
}

const MEBIBYTE: u64 = 1024 * 1024;

/// Maximum value of `body_limit` in bytes. Must equal the limit in `value::number`.
const MAX_BODY_LIMIT: u64 = 16 * MEBIBYTE;

/// Returns the number of bytes of a size such as `1.5 MiB`, rounded down. Returns `None` for other
/// texts, and for a size of 10¹⁵ bytes or more.
fn bytes_of(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_uppercase();
    let end = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit.trim() {
        "" | "B" | "BYTES" => 1,
        "K" | "KB" | "KIB" => 1024,
        "M" | "MB" | "MIB" => MEBIBYTE,
        "G" | "GB" | "GIB" => 1024 * MEBIBYTE,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * factor as f64;
    (bytes < 1e15).then_some(bytes as u64)
}

/// Formats the path of a file. Returns a placeholder if the value is not a path.
pub(super) fn file(value: &Json) -> String {
    match value.as_str() {
        // A key or certificate that was written instead of a path is not repeated.
        Some(path) if path.len() <= MAX_SHOWN && !path.contains('\n') => quoted(path),
        _ => "\"PATH\"".to_owned(),
    }
}

/// Formats a `labels` table with the single label `group`, which has the given value.
pub(super) fn label(value: &Json) -> String {
    format!("{{ group = {} }}", text(value))
}

/// Formats a `labels` table from a table, a list, or a text such as `env=prod,team=shop`. If the
/// value contains no label names, it becomes the value of the label `team`.
pub(in crate::io::config) fn labels(value: &Json) -> String {
    let pair = |item: &Json| -> Option<(String, String)> {
        match item {
            Json::String(item) => {
                let (name, value) = item.split_once('=').or_else(|| item.split_once(':'))?;
                Some((name.trim().to_owned(), quoted(value.trim())))
            }
            Json::Object(entries) => {
                let name = entries.get("name").or_else(|| entries.get("key"))?;
                Some((name.as_str()?.to_owned(), text(entries.get("value")?)))
            }
            _ => None,
        }
    };
    let pairs: Vec<(String, String)> = match value {
        Json::Object(entries) => {
            let entries = entries.iter();
            entries
                .map(|(name, value)| (name.clone(), text(value)))
                .collect()
        }
        Json::Array(items) => items.iter().filter_map(pair).collect(),
        Json::String(items) => items
            .split(',')
            .filter_map(|item| pair(&item.into()))
            .collect(),
        _ => Vec::new(),
    };
    if pairs.is_empty() {
        return format!("{{ team = {} }}", text(value));
    }
    let pairs = pairs.iter().take(10);
    let pairs = pairs.map(|(name, value)| format!("{} = {value}", label_name(name)));
    format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
}

/// Converts a text to a valid Prometheus label name.
pub(in crate::io::config) fn label_name(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = text.chars().map(allowed).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() {
        format!("_{name}")
    } else {
        name
    }
}

/// Formats a boolean, a number or a string as a TOML string. An ellipsis replaces a long string and
/// any other value.
fn text(value: &Json) -> String {
    match value {
        Json::Bool(_) | Json::Number(_) => quoted(&value.to_string()),
        Json::String(text) if text.len() <= MAX_SHOWN => quoted(text),
        _ => "\"…\"".to_owned(),
    }
}

/// Formats a switch as `true` or `false`. Returns `true` if the value is not a switch.
pub(super) fn switch(value: &Json) -> String {
    truth(value).unwrap_or(true).to_string()
}

/// Formats the opposite of a switch as `true` or `false`. Returns `false` if the value is not a
/// switch.
pub(super) fn inverse(value: &Json) -> String {
    (!truth(value).unwrap_or(true)).to_string()
}

/// Returns the value of `ip` for a switch that selects IPv4.
pub(super) fn ip4(value: &Json) -> String {
    quoted(if truth(value) == Some(false) {
        "6"
    } else {
        "4"
    })
}

/// Returns the value of `ip` for a switch that selects IPv6.
pub(super) fn ip6(value: &Json) -> String {
    quoted(if truth(value) == Some(false) {
        "4"
    } else {
        "6"
    })
}

/// Returns the value of `ip` for a switch that allows a fallback to the other IP version.
pub(super) fn ip_fallback(value: &Json) -> String {
    quoted(if truth(value) == Some(false) {
        "4"
    } else {
        "any"
    })
}

/// Returns an example of a request body. The body itself may be a secret, so it is not repeated.
pub(super) fn body(value: &Json) -> String {
    match value {
        Json::Object(_) | Json::Array(_) => "'{ \"key\": \"value\" }'".to_owned(),
        _ => "\"TEXT\"".to_owned(),
    }
}

/// Formats a condition that requires the body to match a regular expression.
pub(super) fn body_regex(value: &Json) -> String {
    format!("{{ regex = {} }}", pattern(value))
}

/// Formats a condition that requires the body to contain a text.
pub(super) fn body_contains(value: &Json) -> String {
    format!("{{ contains = {} }}", text(value))
}

/// Formats the value of `basic` with the user name. The password is not repeated; it is replaced by
/// a reference to the given password file, or else to an environment variable.
pub(super) fn basic(value: &Json) -> String {
    let field = |keys: &[&str]| keys.iter().find_map(|key| value.get(*key)?.as_str());
    let name = field(&["username", "user", "login"]).filter(|name| name.len() <= MAX_SHOWN);
    let password = match field(&["password_file", "passwordFile"]) {
        Some(path) => format!("{{ file = {} }}", quoted(path)),
        None => "{ env = \"NAME\" }".to_owned(),
    };
    let name = quoted(name.unwrap_or("USER"));
    format!("{{ username = {name}, password = {password} }}")
}

/// Formats a condition that requires the body not to match a regular expression.
pub(super) fn body_not_regex(value: &Json) -> String {
    format!("{{ not_regex = {} }}", pattern(value))
}

/// Formats a condition that requires the body not to contain a text.
pub(super) fn body_not_contains(value: &Json) -> String {
    format!("{{ not_contains = {} }}", text(value))
}

/// Returns the value of `http` for a switch that turns HTTP/2 off.
pub(super) fn http_without_2(value: &Json) -> String {
    quoted(if is_off(value) { "any" } else { "1.1" })
}

/// Returns the value of `http` for a switch that requires HTTP/2.
pub(super) fn http_only_2(value: &Json) -> String {
    quoted(if is_off(value) { "any" } else { "2" })
}

fn is_off(value: &Json) -> bool {
    value == &Json::Bool(false)
}

/// Returns the value of `http` for a version, a list of versions or a switch for HTTP/2.
pub(super) fn http(value: &Json) -> String {
    let texts: Vec<String> = match value {
        Json::Array(items) => items.iter().map(Json::to_string).collect(),
        Json::Bool(truth) => vec![if *truth { "any" } else { "1.1" }.to_owned()],
        other => vec![other.to_string()],
    };
    let has = |part: &str| texts.iter().any(|text| text.contains(part));
    quoted(match (has("1.") || has("http1"), has("2")) {
        (true, false) => "1.1",
        (false, true) => "2",
        _ => "any",
    })
}

/// Formats a list of DNS servers. Omits servers that are not IP addresses. Returns an example if no
/// server remains.
pub(super) fn dns_servers(value: &Json) -> String {
    let texts: Vec<&str> = match value {
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
        Json::String(text) => text.split([',', ' ']).collect(),
        _ => Vec::new(),
    };
    let bare = texts
        .iter()
        .map(|text| text.split("://").last().unwrap_or(text));
    let is_address = |text: &&str| {
        text.parse::<std::net::SocketAddr>().is_ok() || text.parse::<std::net::IpAddr>().is_ok()
    };
    let servers: Vec<String> = bare.filter(is_address).map(quoted).collect();
    if servers.is_empty() {
        "[\"1.1.1.1\"]".to_owned()
    } else {
        format!("[{}]", servers.join(", "))
    }
}
