//! Plans the next hop after a redirect, and decides what may be sent in that hop.
//!
//! Credentials are sent only to the target's own origin. Once a redirect leaves that origin, they
//! are not sent again, even if a later redirect leads back. `request` decides which headers are
//! sent.

use http::{HeaderMap, Method, StatusCode};
use url::Url;

/// One hop of a probe: a request, and what may be sent with it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hop {
    /// The URL of the request.
    pub(super) url: Url,
    /// The HTTP method of the request.
    pub(super) method: Method,
    /// Whether credentials and all configured headers may be sent in this hop.
    pub(super) trusted: bool,
    /// Whether the configured body is sent in this hop.
    pub(super) with_body: bool,
}

/// The reason why a redirect cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RedirectError {
    #[error("the redirect has no `Location` header, or an empty one; correct the endpoint")]
    Missing,
    #[error("the `Location` header of the redirect is not a URL ({0}); correct the endpoint")]
    Malformed(url::ParseError),
    #[error("the redirect leads to the scheme `{0}`, not http or https; correct the endpoint")]
    Scheme(String),
}

/// Returns whether a probe follows a response with this status. A probe does not follow responses
/// with the status 300 or 304 to 306.
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Returns the `Location` header of a response, or `None` if the header is missing or empty. If the
/// header is not valid UTF-8, its non-ASCII bytes are percent-encoded, as in browsers.
pub(super) fn location(headers: &HeaderMap) -> Option<String> {
    let bytes = headers.get(http::header::LOCATION)?.as_bytes();
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(percent_encoded).collect(),
    };
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn percent_encoded(byte: &u8) -> String {
    if byte.is_ascii() {
        char::from(*byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// Returns the next hop for the status and the `Location` header of a redirect, or an error if the
/// redirect cannot be followed.
pub(super) fn next_hop(
    hop: &Hop,
    status: StatusCode,
    location: Option<&str>,
) -> Result<Hop, RedirectError> {
    let location = location.ok_or(RedirectError::Missing)?;
    let mut url = hop.url.join(location).map_err(RedirectError::Malformed)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(RedirectError::Scheme(url.scheme().to_owned()));
    }
    let trusted = hop.trusted && url.origin() == hop.url.origin();
    if !trusted {
        without_credentials(&mut url);
    }
    let keeps = matches!(status.as_u16(), 307 | 308);
    let method = match hop.method {
        Method::HEAD => Method::HEAD,
        _ if keeps => hop.method.clone(),
        _ => Method::GET,
    };
    Ok(Hop {
        url,
        method,
        trusted,
        with_body: hop.with_body && keeps,
    })
}

/// Removes the user and password from a URL.
pub(super) fn without_credentials(url: &mut Url) {
    // Both calls fail only for URLs without a host, which the callers exclude.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, status: u16, location: &str) -> Result<Hop, RedirectError> {
        let hop = Hop {
            url: Url::parse("https://a.test/x").unwrap(),
            method: method.parse().unwrap(),
            trusted: true,
            with_body: true,
        };
        next_hop(&hop, StatusCode::from_u16(status).unwrap(), Some(location))
    }

    #[test]
    fn a_post_becomes_a_get_without_body_unless_the_status_preserves_it() {
        let seen = check("POST", 302, "/y").unwrap();
        assert_eq!((seen.method, seen.with_body), (Method::GET, false));
        let kept = check("POST", 307, "/y").unwrap();
        assert_eq!((kept.method, kept.with_body), (Method::POST, true));
        assert_eq!(check("HEAD", 303, "/y").unwrap().method, Method::HEAD);
    }

    #[test]
    fn leaving_the_origin_drops_trust_for_all_later_hops() {
        for away in ["http://a.test/x", "https://b.test/", "https://a.test:444/"] {
            let hop = check("POST", 308, away).unwrap();
            assert!(!hop.trusted && hop.with_body, "{away}");
            assert_eq!(hop.method, Method::POST);
            let back = next_hop(&hop, StatusCode::FOUND, Some("https://a.test/x")).unwrap();
            assert!(!back.trusted, "{away}");
        }
        assert!(check("GET", 302, "https://a.test:443/z").unwrap().trusted);
    }

    #[test]
    fn only_http_is_followed_and_credentials_in_a_foreign_url_are_dropped() {
        assert!(matches!(
            check("GET", 302, "file:///etc/passwd"),
            Err(RedirectError::Scheme(_))
        ));
        assert!(matches!(
            check("GET", 302, "http://["),
            Err(RedirectError::Malformed(_))
        ));
        let hop = check("GET", 302, "https://u:p@b.test/").unwrap();
        assert_eq!(hop.url.as_str(), "https://b.test/");
    }

    #[test]
    fn a_location_may_contain_raw_utf8_or_latin1() {
        for (bytes, expected) in [
            (&b"/caf\xc3\xa9"[..], Some("https://a.test/caf%C3%A9")),
            (b"/caf\xe9?q=\xfc", Some("https://a.test/caf%E9?q=%FC")),
            (
                b"https://b\xc3\xbccher.test/",
                Some("https://xn--bcher-kva.test/"),
            ),
            (b" /y ", Some("https://a.test/y")),
            (b"/a b", Some("https://a.test/a%20b")),
            (b"", None),
            (b"  ", None),
        ] {
            let mut headers = HeaderMap::new();
            let value = http::HeaderValue::from_bytes(bytes).unwrap();
            headers.insert(http::header::LOCATION, value);
            let next = location(&headers).map(|text| check("GET", 302, &text).unwrap().url);
            assert_eq!(next.as_ref().map(Url::as_str), expected, "{bytes:?}");
        }
        assert_eq!(location(&HeaderMap::new()), None);
    }
}
