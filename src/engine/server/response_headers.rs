//! What every answer carries, and the answers to requests that fit nowhere.

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderValue, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Only this server's own style, script and images; the script may fetch from it too.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Sets the headers that keep a browser from doing more with an answer than show it.
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
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether a browser sent this request for a page of another site. Programs such as
/// curl send no origin; a browser always does with a POST.
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
    let text = format!("nothing is at {}; the page is at /\n", uri.path());
    (StatusCode::NOT_FOUND, text).into_response()
}

pub(super) async fn not_allowed(uri: Uri) -> Response {
    let allowed = if uri.path() == "/-/reload" {
        "POST"
    } else {
        "GET"
    };
    let text = format!("{} takes {allowed} only\n", uri.path());
    (StatusCode::METHOD_NOT_ALLOWED, text).into_response()
}
