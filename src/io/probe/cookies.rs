//! Stores cookies for the redirects of one probe, as defined in RFC 6265.
//!
//! Login and consent pages may set a cookie and redirect to themselves. Without the cookie, such a
//! page would redirect forever. Cookies are discarded after the probe.

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use url::{Host, Url};

/// The cookies that the responses of one probe have set.
#[derive(Debug, Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
    enabled: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cookie {
    name: String,
    value: String,
    domain: String,
    /// Whether the cookie is sent only to the host that set it, and not to subdomains.
    host_only: bool,
    path: String,
    secure: bool,
}

/// Maximum number of cookies in a jar, similar to the limit that browsers have for each domain.
const MAX_COOKIES: usize = 50;

/// Maximum size of a `Set-Cookie` header in bytes, as in browsers.
const MAX_COOKIE: usize = 4096;

impl Jar {
    /// Creates an empty jar. A jar that is not enabled ignores all cookies.
    pub(super) const fn new(enabled: bool) -> Self {
        Self {
            cookies: Vec::new(),
            enabled,
        }
    }

    /// Stores the cookies that a response from `url` sets, and deletes the cookies that it expires.
    /// Does nothing if the jar is not enabled.
    pub(super) fn store(&mut self, url: &Url, headers: &HeaderMap, now: Timestamp) {
        if !self.enabled {
            return;
        }
        for header in headers.get_all(SET_COOKIE) {
            let text = String::from_utf8_lossy(header.as_bytes());
            let Some((cookie, expired)) = parse(url, &text, now) else {
                continue;
            };
            let same = |known: &Cookie| {
                (&known.name, &known.domain, &known.path)
                    == (&cookie.name, &cookie.domain, &cookie.path)
            };
            self.cookies.retain(|known| !same(known));
            if !expired && self.cookies.len() < MAX_COOKIES {
                self.cookies.push(cookie);
            }
        }
    }

    /// Adds the cookies for `url` to the `Cookie` header of a request, after the cookies that the
    /// header already contains.
    pub(super) fn add_to(&self, url: &Url, headers: &mut HeaderMap) {
        let mut matching: Vec<&Cookie> = self.cookies.iter().collect();
        matching.retain(|cookie| cookie.matches(url));
        if matching.is_empty() {
            return;
        }
        // Cookies with longer paths are sent first (RFC 6265, section 5.4).
        matching.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let configured = headers.get(COOKIE).map(|value| value.as_bytes().to_vec());
        let is_sensitive = headers.get(COOKIE).is_some_and(HeaderValue::is_sensitive);
        let pairs = matching.into_iter().map(Cookie::pair);
        let all: Vec<Vec<u8>> = configured.into_iter().chain(pairs).collect();
        if let Ok(mut value) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
            value.set_sensitive(is_sensitive);
            headers.insert(COOKIE, value);
        }
    }
}

impl Cookie {
    fn matches(&self, url: &Url) -> bool {
        let host = host(url);
        let on_host = if self.host_only {
            host == self.domain
        } else {
            is_within(&host, &self.domain)
        };
        let path = url.path();
        let on_path = path.strip_prefix(self.path.as_str()).is_some_and(|rest| {
            rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/')
        });
        on_host && on_path && (!self.secure || url.scheme() == "https")
    }

    fn pair(&self) -> Vec<u8> {
        format!("{}={}", self.name, self.value).into_bytes()
    }
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_ascii_lowercase()
}

/// Returns whether `host` is `domain` or a subdomain of `domain`.
fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Parses one `Set-Cookie` header. Returns the cookie and whether it has expired. An expired cookie
/// deletes the stored cookie with the same name, domain and path. Returns `None` if the header must
/// be ignored.
fn parse(url: &Url, text: &str, now: Timestamp) -> Option<(Cookie, bool)> {
    if text.len() > MAX_COOKIE {
        return None;
    }
    let mut parts = text.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let mut cookie = Cookie {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
        domain: host(url),
        host_only: true,
        path: default_path(url.path()).to_owned(),
        secure: false,
    };
    if cookie.name.is_empty() {
        return None;
    }
    let (mut max_age, mut expires) = (None, None);
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "domain" => set_domain(&mut cookie, url, value)?,
            "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
            "secure" => cookie.secure = true,
            "max-age" => max_age = value.parse::<i64>().ok(),
            "expires" => expires = parse_date(value),
            _ => {}
        }
    }
    let expired = match (max_age, expires) {
        (Some(seconds), _) => seconds <= 0,
        (None, Some(at)) => at <= now,
        (None, None) => false,
    };
    Some((cookie, expired))
}

/// Sets the domain of a cookie. Returns `None` if the host in `url` must not set a cookie for that
/// domain.
fn set_domain(cookie: &mut Cookie, url: &Url, value: &str) -> Option<()> {
    let domain = value.trim_start_matches('.').to_ascii_lowercase();
    if domain.is_empty() || domain == cookie.domain {
        return Some(());
    }
    // A domain without a dot is a top-level domain. A cookie for a top-level domain is ignored,
    // because it would be sent to unrelated hosts.
    let is_name = matches!(url.host(), Some(Host::Domain(_)));
    if !is_name || !domain.contains('.') || !is_within(&cookie.domain, &domain) {
        return None;
    }
    cookie.domain = domain;
    cookie.host_only = false;
    Some(())
}

/// Returns the path of a cookie without a `Path` attribute: the path of the request up to, but not
/// including, its last slash. Returns `/` if that part is empty.
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(end) => path.get(..end).unwrap_or("/"),
    }
}

/// Parses an HTTP date, also in the obsolete format with hyphens. Returns `None` for any other
/// text.
fn parse_date(text: &str) -> Option<Timestamp> {
    let date = jiff::fmt::rfc2822::DateTimeParser::new();
    date.parse_timestamp(text.replace('-', " ")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stores the cookies of a response from `from`, and returns the `Cookie` header of a request
    /// to `to`.
    fn sent(from: &str, cookies: &[&str], to: &str) -> String {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(SET_COOKIE, HeaderValue::from_str(cookie).unwrap());
        }
        let mut jar = Jar::new(true);
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        jar.store(&from.parse().unwrap(), &headers, now);
        let mut request = HeaderMap::new();
        jar.add_to(&to.parse().unwrap(), &mut request);
        let value = request.get(COOKIE);
        value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn cookies_are_sent_where_their_host_path_and_scheme_match() {
        let from = "https://a.example/login/x";
        for (cookie, to, expected) in [
            ("s=1", "https://a.example/login/y", "s=1"),
            ("s=1", "https://a.example/", ""),
            ("s=1; Path=/", "https://a.example/", "s=1"),
            ("s=1; path=/log", "https://a.example/login", ""),
            ("s=1; Path=/", "https://b.example/", ""),
            ("s=1; Path=/", "https://x.a.example/", ""),
            ("s=1; Path=/; Domain=a.example", "https://a.example/", "s=1"),
            (
                "s=1; Path=/; Domain=.a.example",
                "https://a.example/",
                "s=1",
            ),
            ("s=1; Path=/; Domain=example", "https://a.example/", ""),
            ("s=1; Path=/; Domain=b.example", "https://b.example/", ""),
            ("s=1; Path=/; Secure", "http://a.example/", ""),
            ("s=1; Path=/; Secure; HttpOnly", "https://a.example/", "s=1"),
            ("s=1; Path=/; Max-Age=0", "https://a.example/", ""),
            ("s=1; Path=/; Max-Age=60", "https://a.example/", "s=1"),
            (
                "s=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
                "https://a.example/",
                "",
            ),
            (
                "s=1; Path=/; Expires=Thu, 01-Jan-1970 00:00:00 GMT",
                "https://a.example/",
                "",
            ),
            ("s=a=b; Path=/", "https://a.example/", "s=a=b"),
            ("nonsense", "https://a.example/login/x", ""),
        ] {
            assert_eq!(sent(from, &[cookie], to), expected, "{cookie} to {to}");
        }
        let wide = "s=1; Path=/; Domain=example.org";
        assert_eq!(
            sent("https://a.example.org/", &[wide], "https://b.example.org/"),
            "s=1"
        );
    }

    #[test]
    fn a_later_cookie_replaces_an_earlier_one_and_longer_paths_come_first() {
        let url = "https://a.example/x/y";
        let cookies = ["a=1; Path=/", "a=2; Path=/", "b=3; Path=/x"];
        assert_eq!(sent(url, &cookies, url), "b=3; a=2");
        let deleted = ["a=1; Path=/", "a=; Path=/; Max-Age=-1"];
        assert_eq!(sent(url, &deleted, url), "");
    }

    #[test]
    fn the_number_and_size_of_cookies_are_limited() {
        let many: Vec<String> = (0..100)
            .map(|index| format!("c{index}=1; Path=/"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let url = "https://a.example/";
        assert_eq!(sent(url, &many, url).split("; ").count(), MAX_COOKIES);
        let long = format!("a={}", "x".repeat(MAX_COOKIE));
        assert_eq!(sent(url, &[&long], url), "");
    }

    #[test]
    fn configured_cookies_stay_and_a_disabled_jar_stays_empty() {
        let url: Url = "https://a.example/".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, HeaderValue::from_static("b=2"));
        for (enabled, expected) in [(true, "a=1; b=2"), (false, "a=1")] {
            let mut jar = Jar::new(enabled);
            jar.store(&url, &headers, Timestamp::UNIX_EPOCH);
            let mut request = HeaderMap::new();
            request.insert(COOKIE, HeaderValue::from_static("a=1"));
            jar.add_to(&url, &mut request);
            assert_eq!(request.get(COOKIE).unwrap(), expected);
        }
    }
}
