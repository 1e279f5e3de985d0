//! Defines types for URLs and host names.

use url::Url;

use super::checked;
use crate::io::config::habits;

checked! {
    /// A parsed `http` or `https` URL without credentials.
    HttpUrl(Url) from String, |text: String| parse_url(&text);

    /// The URL of an HTTP or SOCKS5 proxy, without credentials.
    ProxyUrl(Url) from String, |text: String| proxy_url(&text);

    /// The server name for TLS: a host name or an IP address.
    ServerNameText(String) from String, |text: String| {
        let valid = rustls_pki_types::ServerName::try_from(text.as_str()).is_ok();
        host_or(valid, text, "a server name")
    };

    /// The value of `request.host`: a host name or an IP address, with an optional port.
    HostText(String) from String, |text: String| {
        let parsed = Url::parse(&format!("http://{text}/")).ok();
        let plain = !text.contains(['/', '?', '#', '@']) && http::HeaderValue::from_str(&text).is_ok();
        let valid = plain && parsed.is_some();
        host_or(valid, text, "a host")
    };

    /// An `http` or `https` URL without credentials, stored as text.
    EndpointUrl(String) from String, |text: String| parse_url(&text).map(|_| text);
}

fn host_or(valid: bool, text: String, kind: &str) -> Result<String, String> {
    if valid {
        return Ok(text);
    }
    Err(format!(
        "{text:?} is not {kind}; write a host name or an IP address, such as \"example.com\""
    ))
}

/// Parses the URL of a proxy. The error never quotes the URL, which could contain a password.
fn proxy_url(text: &str) -> Result<Url, String> {
    let refused = |reason: &str| {
        Err(format!(
            "{reason}; write \"http://HOST:PORT\", \"https://HOST:PORT\", \"socks5://HOST:PORT\" or, \
             if the proxy resolves names, \"socks5h://HOST:PORT\""
        ))
    };
    let Ok(url) = Url::parse(text) else {
        return refused("not a URL");
    };
    if !["http", "https", "socks5", "socks5h"].contains(&url.scheme()) || !url.has_host() {
        return refused("not an http, https, socks5 or socks5h URL with a host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "contains credentials; write `proxy_auth = { username = \"USER\", password = { env = \
             \"NAME\" } }`"
                .to_owned(),
        );
    }
    if url.scheme().starts_with("socks") && url.port().is_none() {
        return refused("has no port");
    }
    Ok(url)
}

/// Parses an `http` or `https` URL without credentials. The error never quotes a URL that contains
/// credentials or a query, because they could be secrets.
pub(in crate::io::config) fn parse_url(text: &str) -> Result<Url, String> {
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => {
            // The URL parser treats a host without a scheme as a relative URL.
            let suggested = match error {
                url::ParseError::RelativeUrlWithoutBase => habits::url(&text.into()),
                _ => "\"https://example.com/health\"".to_owned(),
            };
            return Err(format!(
                "not a URL ({error}); write the full URL, such as {suggested}"
            ));
        }
    };
    if !matches!(url.scheme(), "http" | "https") {
        // In `localhost:8080`, the URL parser treats the host as the scheme.
        let is_host = !text.contains("://")
            && text
                .split(':')
                .nth(1)
                .is_some_and(|port| port.starts_with(|c: char| c.is_ascii_digit()));
        let suggested = habits::url(&text.into());
        return Err(if is_host {
            format!("not a URL (it has no scheme); write {suggested}")
        } else {
            format!("unsupported scheme {:?}; use http or https", url.scheme())
        });
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "contains credentials; remove them, and use `auth` to send credentials to a target"
                .to_owned(),
        );
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_about_a_url_does_not_quote_its_password() {
        for wrong in [
            "ftp://shop:hunter2@example.com/",
            "https://shop:hunter2@exa mple/",
            "shop:hunter2@example.com",
        ] {
            let error = parse_url(wrong).expect_err(wrong);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
