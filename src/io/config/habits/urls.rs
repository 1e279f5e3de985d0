//! Converts URLs, hosts and addresses written for another tool to values of the keys `url` and
//! `urls`.

use serde_json::Value as Json;

use super::form::{MAX_SHOWN, quoted};

/// Maximum number of URLs that a message repeats from a list.
const MAX_URLS: usize = 20;

/// Formats a URL as a TOML string. If the value is a host with an optional port and path, adds
/// `https://`, or `http://` for a local host and for port 80. Returns a placeholder if the URL is
/// not an http or https URL, is longer than [`MAX_SHOWN`] bytes, or contains credentials or a
/// query, which may be secrets.
pub(in crate::io::config) fn url(value: &Json) -> String {
    let Some(text) = value.as_str() else {
        return "\"https://HOST/PATH\"".to_owned();
    };
    let text = if text.contains("://") {
        text.to_owned()
    } else {
        let text = text.trim_start_matches('/');
        let authority = text.split('/').next().unwrap_or_default();
        let host = authority.split(':').next().unwrap_or_default();
        let is_local = host == "localhost" || host.starts_with("127.");
        let is_plain = is_local || authority.ends_with(":80");
        format!("{}://{text}", if is_plain { "http" } else { "https" })
    };
    let parsed = url::Url::parse(&text).ok();
    let plain = parsed.filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.as_str().len() <= MAX_SHOWN
    });
    plain.map_or_else(
        || "\"https://HOST/PATH\"".to_owned(),
        |url| quoted(url.as_str()),
    )
}

/// Formats a list of URLs or hosts, or a single URL or host, as a TOML list. An ellipsis replaces
/// all items after the first [`MAX_URLS`].
pub(in crate::io::config) fn urls(value: &Json) -> String {
    let items = match value {
        Json::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut shown: Vec<String> = items.iter().take(MAX_URLS).map(url).collect();
    if items.len() > MAX_URLS {
        shown.push("…".to_owned());
    }
    format!("[{}]", shown.join(", "))
}
