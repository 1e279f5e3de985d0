//! Who comes in, how often, and whether they may change anything.
//!
//! One entrance holds at a time; a reload puts another in its place, and connections that
//! are open already pass through the new one with their next request.

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

/// What stands between a client and the routes.
pub(super) struct Entrance {
    /// `None`: plain HTTP.
    pub(super) tls: Option<TlsAcceptor>,
    /// Whether `POST /-/reload` is taken.
    pub(super) may_reload: bool,
    passwords: Arc<Passwords>,
    bucket: TokenBucket,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// Paths that tell nothing but whether the daemon lives, for those who have no password:
/// the probes of a cluster's nodes.
const FOR_ALL: [&str; 2] = ["/-/healthy", "/-/ready"];

/// How long one request may take: reading a configuration of ten thousand targets takes
/// seconds.
const PATIENCE: Duration = Duration::from_secs(60);

impl Entrance {
    /// # Errors
    /// What of the TLS settings cannot be used; `config` has tried them out already.
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

    async fn knows(&self, headers: &HeaderMap) -> bool {
        match credentials(headers) {
            Some((user, password)) => self.passwords.verify(&user, &password).await,
            None => false,
        }
    }
}

impl std::fmt::Debug for Entrance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entrance")
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

/// Lets a request through, or says why not.
pub(super) async fn admit(
    State(state): State<ServerState>,
    request: Request,
    next: Next,
) -> Response {
    let entrance = state.entrance();
    let mut response = if !entrance.bucket.take(Instant::now()) {
        let text = "too many requests: come back in a second\n";
        (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "1")], text).into_response()
    } else if entrance.passwords.are_required()
        && !FOR_ALL.contains(&request.uri().path())
        && !entrance.knows(request.headers()).await
    {
        let asked = [(
            WWW_AUTHENTICATE,
            "Basic realm=\"probecause\", charset=\"UTF-8\"",
        )];
        (
            StatusCode::UNAUTHORIZED,
            asked,
            "name and password, please\n",
        )
            .into_response()
    } else {
        let answer = tokio::time::timeout(PATIENCE, next.run(request)).await;
        let late = "the answer took too long\n";
        answer.unwrap_or_else(|_| (StatusCode::SERVICE_UNAVAILABLE, late).into_response())
    };
    for (name, value) in &entrance.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

/// Name and password of a request.
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
