//! Where a redirect leads, and what may be taken along.
//!
//! Pure: it reads one answer's `Location` and plans the next hop. Whatever the target
//! configured is for the target's own origin; once a redirect has left it, nothing of
//! that is sent any more, even if a later redirect leads back.

use http::{Method, StatusCode};
use url::Url;

/// One request of a probe.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hop {
    /// Where to.
    pub(super) url: Url,
    /// What to do there.
    pub(super) method: Method,
    /// Whether the configured headers and credentials go along.
    pub(super) trusted: bool,
    /// Whether the configured body goes along.
    pub(super) with_body: bool,
}

/// A redirect that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadRedirect {
    #[error("the redirect names no Location")]
    Missing,
    #[error("the redirect's Location is not a URL: {0}")]
    Malformed(url::ParseError),
    #[error("the redirect leads to the scheme `{0}`: only http and https are followed")]
    Scheme(String),
}

/// Whether a status asks to be followed; 300 and 304 to 306 are answers.
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Plans the hop that an answer asks for.
pub(super) fn next(
    hop: &Hop,
    status: StatusCode,
    location: Option<&str>,
) -> Result<Hop, BadRedirect> {
    let location = location.ok_or(BadRedirect::Missing)?;
    let mut url = hop.url.join(location).map_err(BadRedirect::Malformed)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(BadRedirect::Scheme(url.scheme().to_owned()));
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
        with_body: hop.with_body && keeps && trusted,
    })
}

/// Takes the user and password out of a URL.
pub(super) fn without_credentials(url: &mut Url) {
    // Both only fail for URLs without a host, which never get here.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, status: u16, location: &str) -> Result<Hop, BadRedirect> {
        let hop = Hop {
            url: Url::parse("https://a.test/x").unwrap(),
            method: method.parse().unwrap(),
            trusted: true,
            with_body: true,
        };
        next(&hop, StatusCode::from_u16(status).unwrap(), Some(location))
    }

    #[test]
    fn a_post_becomes_a_get_without_body_unless_the_status_keeps_it() {
        let seen = check("POST", 302, "/y").unwrap();
        assert_eq!((seen.method, seen.with_body), (Method::GET, false));
        let kept = check("POST", 307, "/y").unwrap();
        assert_eq!((kept.method, kept.with_body), (Method::POST, true));
        assert_eq!(check("HEAD", 303, "/y").unwrap().method, Method::HEAD);
    }

    #[test]
    fn another_scheme_host_or_port_is_another_origin_for_good() {
        for away in ["http://a.test/x", "https://b.test/", "https://a.test:444/"] {
            let hop = check("POST", 308, away).unwrap();
            assert!(!hop.trusted && !hop.with_body, "{away}");
            let back = next(&hop, StatusCode::FOUND, Some("https://a.test/x")).unwrap();
            assert!(!back.trusted, "{away}");
        }
        assert!(check("GET", 302, "https://a.test:443/z").unwrap().trusted);
    }

    #[test]
    fn only_http_is_followed_and_credentials_of_others_are_dropped() {
        assert!(matches!(
            check("GET", 302, "file:///etc/passwd"),
            Err(BadRedirect::Scheme(_))
        ));
        assert!(matches!(
            check("GET", 302, "http://["),
            Err(BadRedirect::Malformed(_))
        ));
        let hop = check("GET", 302, "https://u:p@b.test/").unwrap();
        assert_eq!(hop.url.as_str(), "https://b.test/");
    }
}
