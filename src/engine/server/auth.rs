//! Controls access to the HTTP server: TLS, passwords, the rate limit, and the permission to
//! reload.
//!
//! A reload of the configuration replaces these checks. Open connections use the new checks from
//! their next request on but keep their TLS settings.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{
    AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio_rustls::TlsAcceptor;

use super::ServerState;
use crate::io::web_access::{Passwords, TlsError, TokenBucket, server_config};
use crate::model::settings::ServerSettings;

/// The TLS settings, the checks that a request must pass, and the headers that are added to every
/// response.
pub(super) struct AccessControl {
    /// The acceptor of TLS connections. `None` if the server uses plain HTTP.
    pub(super) tls: Option<TlsAcceptor>,
    /// Whether `POST /-/reload` is allowed.
    pub(super) may_reload: bool,
    passwords: Arc<Passwords>,
    bucket: TokenBucket,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// Paths that can be requested without a password. Health checks, such as those of Kubernetes, use
/// these paths.
const PUBLIC_PATHS: [&str; 2] = ["/-/healthy", "/-/ready"];

/// Time limit for handling one request. A reload of a configuration with ten thousand targets
/// takes several seconds, so the limit is much longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

impl AccessControl {
    /// Builds the access control from the settings of the server.
    ///
    /// # Errors
    /// Returns an error if the TLS settings are invalid. Such an error is normally reported when
    /// the configuration is loaded.
    pub(super) fn new(settings: &ServerSettings) -> Result<Self, TlsError> {
        let web = &settings.web;
        let tls = match &web.tls {
            Some(tls) => Some(TlsAcceptor::from(Arc::new(server_config(tls, web.http2)?))),
            None => None,
        };
        let header = |(name, value): &(String, String)| {
            Some((name.parse().ok()?, HeaderValue::from_str(value).ok()?))
        };
        Ok(Self {
            tls,
            may_reload: settings.accepts_reload(),
            passwords: Arc::new(Passwords::new(web.users.clone())),
            bucket: TokenBucket::new(web.rate),
            headers: web.headers.iter().filter_map(header).collect(),
        })
    }

    async fn is_authenticated(&self, headers: &HeaderMap) -> bool {
        match credentials(headers) {
            Some((user, password)) => self.passwords.verify(&user, &password).await,
            None => false,
        }
    }
}

impl std::fmt::Debug for AccessControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessControl")
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

/// Middleware that forwards a request to the routes if access is allowed and rejects the request
/// otherwise. Adds the headers of the web configuration to the response.
pub(super) async fn check_access(
    State(state): State<ServerState>,
    request: Request,
    next: Next,
) -> Response {
    let access = state.access();
    let mut response = if !access.bucket.take(Instant::now()) {
        let text = "too many requests; retry after one second\n";
        (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "1")], text).into_response()
    } else if access.passwords.are_required()
        && !PUBLIC_PATHS.contains(&request.uri().path())
        && !access.is_authenticated(request.headers()).await
    {
        let challenge = "Basic realm=\"probecause\", charset=\"UTF-8\"";
        (
            StatusCode::UNAUTHORIZED,
            [(WWW_AUTHENTICATE, challenge)],
            "authentication required\n",
        )
            .into_response()
    } else {
        let response = tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await;
        let late = "the request timed out; retry later\n";
        response.unwrap_or_else(|_| (StatusCode::SERVICE_UNAVAILABLE, late).into_response())
    };
    for (name, value) in &access.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

/// Returns the user name and the password of a request with HTTP Basic authentication. Returns
/// `None` if the `Authorization` header is missing, malformed or of another scheme.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
