//! Builds the request of a hop (the first request of a probe, or a request after a redirect):
//! method, URL, headers, cookies, credentials and body.

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HOST, PROXY_AUTHORIZATION, RANGE,
    USER_AGENT as USER_AGENT_HEADER,
};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use http_body_util::Full;
use url::Url;

use super::connection::proxy::Proxy;
use super::connection::{RequestBody, address};
use super::cookies::Jar;
use super::redirect::Hop;
use super::{Shared, USER_AGENT, auth};
use crate::model::observation::{Fault, FaultKind, Phase};
use crate::model::target::{HeaderText, Target};

/// The content codings that a probe decodes, as the value of `Accept-Encoding`.
const CODINGS: &str = "gzip, deflate, br, zstd";

/// Parts of header names that suggest a credential. A header whose name contains such a part is not
/// sent to another origin, even if its value is in plain text in the configuration.
const SECRET_NAMES: [&str; 11] = [
    "auth",
    "cookie",
    "credential",
    "csrf",
    "key",
    "pass",
    "secret",
    "session",
    "signature",
    "token",
    "x-amz-",
];

/// The request of a hop, independent of the HTTP version of the connection.
pub(super) struct HopRequest {
    /// The URL of the hop.
    pub(super) url: Url,
    method: http::Method,
    /// The headers, except headers that depend on the connection.
    pub(super) headers: HeaderMap,
    body: Bytes,
}

impl HopRequest {
    /// Checks that an IP address in the URL of a hop is allowed, and builds the request of the hop.
    ///
    /// # Errors
    /// Returns a fault if the address is not allowed, a header is invalid, or the credentials are
    /// missing or unusable.
    pub(super) async fn prepare(
        shared: &Shared,
        target: &Target,
        hop: &Hop,
        jar: &Jar,
    ) -> Result<Self, Fault> {
        check_address(target, hop)?;
        let body = if hop.with_body {
            Bytes::copy_from_slice(&target.request.body)
        } else {
            Bytes::new()
        };
        let mut headers = HeaderMap::new();
        add_configured_headers(target, hop, &mut headers)?;
        let mut url = hop.url.clone();
        url.set_fragment(None);
        if hop.trusted {
            let of_url = auth::of_url(&url).filter(|_| !headers.contains_key(AUTHORIZATION));
            headers.extend(of_url.map(|value| (AUTHORIZATION, value)));
            if let Some(auth) = &target.auth {
                let signed = shared.credentials.apply(auth, hop, &mut headers, &body);
                Box::pin(signed)
                    .await
                    .map_err(|detail| fault(FaultKind::Credentials, detail))?;
            }
        }
        jar.add_to(&url, &mut headers);
        super::redirect::without_credentials(&mut url);
        add_defaults(&mut headers);
        Ok(Self {
            url,
            method: hop.method.clone(),
            headers,
            body,
        })
    }

    /// Returns the HTTP request for a connection. If plain HTTP is sent through `proxy`, the
    /// request line contains the absolute URL.
    ///
    /// # Errors
    /// Returns a fault if the URL cannot be expressed in an HTTP request.
    pub(super) fn for_connection(
        &self,
        is_http2: bool,
        proxy: Option<&Proxy>,
    ) -> Result<http::Request<RequestBody>, Fault> {
        let mut headers = self.headers.clone();
        let host = match self.url.port() {
            Some(port) => format!("{}:{port}", self.url.host_str().unwrap_or_default()),
            None => self.url.host_str().unwrap_or_default().to_owned(),
        };
        let path = &self.url[url::Position::BeforePath..url::Position::AfterQuery];
        let text = if is_http2 {
            // As in curl, a configured `Host` header becomes the authority of an HTTP/2 request.
            let configured = headers.remove(HOST);
            let configured = configured.as_ref().and_then(|value| value.to_str().ok());
            format!(
                "{}://{}{path}",
                self.url.scheme(),
                configured.unwrap_or(&host)
            )
        } else if proxy.is_some() {
            format!("{}://{host}{path}", self.url.scheme())
        } else {
            path.to_owned()
        };
        let invalid = |error: &dyn std::fmt::Display| {
            fault(
                FaultKind::Local,
                format!(
                    "the request URL is invalid: {error}; correct `url`, the `Host` header or the \
                     redirect"
                ),
            )
        };
        let uri: Uri = text.parse().map_err(|error| invalid(&error))?;
        let mut request = http::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        if is_http2 {
            *request.version_mut() = http::Version::HTTP_2;
        } else if !headers.contains_key(HOST) {
            let value = HeaderValue::from_str(&host).map_err(|error| invalid(&error))?;
            request.headers_mut().insert(HOST, value);
        }
        if let Some(authorization) = proxy.and_then(Proxy::authorization) {
            headers.insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        request.headers_mut().extend(headers);
        Ok(request)
    }
}

fn fault(kind: FaultKind, detail: String) -> Fault {
    Fault {
        phase: Phase::Processing,
        kind,
        detail,
    }
}

fn check_address(target: &Target, hop: &Hop) -> Result<(), Fault> {
    let Some(literal) = address::literal_address(&hop.url) else {
        return Ok(());
    };
    let is_target_address = address::literal_address(&target.url) == Some(literal);
    if is_target_address {
        return Ok(());
    }
    let allowed = &target.request.allow_addresses;
    address::check_allowed(literal, allowed).map_err(|error| Fault {
        phase: Phase::Connect,
        kind: FaultKind::AddressRefused,
        detail: error.to_string(),
    })
}

fn add_configured_headers(
    target: &Target,
    hop: &Hop,
    headers: &mut HeaderMap,
) -> Result<(), Fault> {
    for (name, text) in &target.request.headers {
        let bad = || {
            let detail = format!(
                "the header `{name}` contains a character that is not allowed in a header, such \
                 as a line break; remove the character"
            );
            fault(FaultKind::Local, detail)
        };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        if !hop.trusted && !may_leave(&key, text, hop.with_body) {
            continue;
        }
        let mut value = HeaderValue::from_str(text.expose()).map_err(|_| bad())?;
        value.set_sensitive(matches!(text, HeaderText::Secret(_)));
        headers.append(key, value);
    }
    Ok(())
}

/// Returns whether a configured header may be sent to an origin other than the target's.
/// `with_body` says whether the configured body is sent too; without it, headers that describe the
/// body are not sent.
fn may_leave(name: &HeaderName, text: &HeaderText, with_body: bool) -> bool {
    let is_plain = matches!(text, HeaderText::Plain(_));
    let names_origin = [HOST, http::header::ORIGIN, http::header::REFERER].contains(name);
    let describes_body = name.as_str().starts_with("content-");
    let looks_secret = SECRET_NAMES.iter().any(|part| name.as_str().contains(part));
    is_plain && !looks_secret && !names_origin && (with_body || !describes_body)
}

fn add_defaults(headers: &mut HeaderMap) {
    let mut add = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    add(ACCEPT, "*/*");
    add(USER_AGENT_HEADER, USER_AGENT);
    // Do not request a coding together with `Range`, because part of an encoded body cannot be
    // decoded.
    if !headers.contains_key(RANGE) && !headers.contains_key(ACCEPT_ENCODING) {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(CODINGS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::Secret;

    #[test]
    fn only_headers_without_a_secret_leave_the_origin() {
        let plain = HeaderText::Plain("x".to_owned());
        let secret = HeaderText::Secret(Secret::new("x".to_owned()));
        let check = |name: &str, text: &HeaderText, with_body, expected: bool| {
            let key = HeaderName::from_bytes(name.as_bytes()).unwrap();
            assert_eq!(may_leave(&key, text, with_body), expected, "{name}");
        };
        for name in [
            "accept",
            "accept-language",
            "user-agent",
            "x-env",
            "cache-control",
        ] {
            check(name, &plain, false, true);
            check(name, &secret, false, false);
        }
        for name in [
            "authorization",
            "proxy-authorization",
            "cookie",
            "x-api-key",
            "x-auth",
            "host",
            "x-session-id",
            "x-csrf-token",
            "x-amz-security-token",
            "origin",
            "referer",
        ] {
            check(name, &plain, true, false);
        }
        check("content-type", &plain, true, true);
        check("content-type", &plain, false, false);
    }
}
