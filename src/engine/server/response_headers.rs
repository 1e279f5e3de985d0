//! Sets the security headers of all responses, detects cross-site requests, and responds to unknown
//! paths and methods.

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderValue, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The value of the `Content-Security-Policy` header, which allows a page to load styles, scripts,
/// images and data only from this server.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Middleware that sets the security headers of a response and disables its caching. A header that
/// the web configuration sets keeps its value.
pub(super) async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        let header = headers.entry(name);
        header.or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Returns whether a browser sent this POST request from a page of another site. A request without
/// `Origin` comes from a program such as curl, because browsers send `Origin` with every POST. Also
/// returns true if `Origin` contains no host, or if `Host` is missing.
pub(super) fn is_cross_site(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|text| text.split_once("://"));
    match (origin, host) {
        (Some((_, authority)), Some(host)) => !authority.eq_ignore_ascii_case(host),
        _ => true,
    }
}

pub(super) async fn not_found(uri: Uri) -> Response {
    let text = format!("{} not found; the overview is at /\n", uri.path());
    (StatusCode::NOT_FOUND, text).into_response()
}

pub(super) async fn not_allowed(uri: Uri) -> Response {
    let allowed = if uri.path() == "/-/reload" {
        "POST"
    } else {
        "GET"
    };
    let text = format!("{} accepts only {allowed} requests\n", uri.path());
    (StatusCode::METHOD_NOT_ALLOWED, text).into_response()
}
