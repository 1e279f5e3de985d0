//! Reads the `Proxy-Status` header (RFC 9209), in which a proxy reports an error and its details.
//!
//! The header is a list of proxies, the proxy nearest to the service first. The first proxy with an
//! error generated the response; the proxies after it only forwarded the response.

use crate::domain::diagnosis::fact::Facts;
use crate::model::observation::Response;

use super::truncate;

/// Maximum number of bytes of a header value that are parsed.
const MAX_VALUE: usize = 4096;

impl Facts {
    /// Adds the error that a proxy reports, its details, and the name of the proxy.
    pub(super) fn add_proxy_status(&mut self, response: &Response) {
        let values = response.headers.iter();
        let values = values.filter(|(name, _)| name == "proxy-status");
        let error = values.map(|(_, value)| value.as_str()).find_map(error);
        if let Some((proxy, error, details)) = error {
            self.set_text("proxy_status.error", &truncate(error));
            self.set_text("proxy_status.proxy", &truncate(proxy));
            if let Some(details) = details {
                self.set_text("proxy_status.details", &truncate(details));
            }
        }
    }
}

/// Returns the name, the error, and the details of the first proxy that reports an error in a
/// header value; `None` if no proxy reports a valid error. The details are `None` if this proxy
/// reports none. Escape sequences in the details are not decoded.
pub(in crate::domain) fn error(value: &str) -> Option<(&str, &str, Option<&str>)> {
    let value = &value[..value.floor_char_boundary(MAX_VALUE)];
    split(value, ',').find_map(|member| {
        let mut parts = split(member, ';');
        let proxy = parts.next()?.trim().trim_matches('"');
        let parts: Vec<&str> = parts.map(str::trim).collect();
        let parameter = |name| parts.iter().find_map(|part| part.strip_prefix(name));
        let error = parameter("error=")?;
        let details = parameter("details=\"").map(|text| text.strip_suffix('"').unwrap_or(text));
        let is_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        (!error.is_empty() && error.chars().all(is_token)).then_some((proxy, error, details))
    })
}

/// Splits a text at each separator that is not in a quoted string.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        let ends = !quoted && c == separator;
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_proxy_with_an_error_is_named() {
        for (value, expected) in [
            (
                "ExampleCDN; error=connection_timeout",
                Some(("ExampleCDN", "connection_timeout", None)),
            ),
            (
                "a; received-status=502, \"b, c\"; error=http_request_error ;details=\"x\"",
                Some(("b, c", "http_request_error", Some("x"))),
            ),
            (
                "inner;error=dns_error, outer;error=http_upgrade_failed",
                Some(("inner", "dns_error", None)),
            ),
            (r#"a; details="; error=connection_refused""#, None),
            (
                r#"a; details="\"; error=connection_refused"; error=tls_alert_received"#,
                Some((
                    "a",
                    "tls_alert_received",
                    Some(r#"\"; error=connection_refused"#),
                )),
            ),
            (
                r#"envoy; details="a; b, c"; error=connection_refused"#,
                Some(("envoy", "connection_refused", Some("a; b, c"))),
            ),
            ("a; error=", None),
            ("a; error=\"text\"", None),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(error(value), expected, "{value}");
        }
    }
}
