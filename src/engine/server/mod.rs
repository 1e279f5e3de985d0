//! The daemon's HTTP server: the pages, `/metrics`, the JSON API, health checks, and reload.
//!
//! The server only presents data that the sinks keep. Every route except the reload is a GET
//! without side effects. `auth` checks passwords and the request rate, `connections` limits
//! connections, and `response_headers` disables caching and detects cross-site requests. By
//! default, the server listens only on a loopback address.

mod api;
mod auth;
mod connections;
mod pages;
mod response_headers;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use self::auth::AccessControl;
use crate::io::sink::page::StatusBoard;
use crate::io::sink::prometheus::PrometheusSink;
use crate::io::web_access::TlsError;
use crate::model::settings::ServerSettings;

/// A request to reload the configuration. The reply is sent through this channel: a summary of the
/// new configuration, or the reason why the reload failed.
pub type ReloadRequest = oneshot::Sender<Result<String, String>>;

/// The state that the request handlers share. A clone is cheap.
#[derive(Clone, Debug)]
pub struct ServerState {
    prometheus: Arc<PrometheusSink>,
    board: Arc<StatusBoard>,
    reload: mpsc::Sender<ReloadRequest>,
    ready: watch::Sender<bool>,
    access: watch::Sender<Arc<AccessControl>>,
}

/// Maximum size of a request body in bytes. No route reads a body, so the limit is small.
const MAX_BODY: usize = 4 * 1024;

impl ServerState {
    /// Creates the state of a server that is not ready yet. Reload requests are sent to
    /// `reload`.
    ///
    /// # Errors
    /// Returns an error if the TLS settings are invalid. Such an error is normally reported when
    /// the configuration is loaded.
    pub fn new(
        prometheus: Arc<PrometheusSink>,
        board: Arc<StatusBoard>,
        reload: mpsc::Sender<ReloadRequest>,
        settings: &ServerSettings,
    ) -> Result<Self, TlsError> {
        Ok(Self {
            prometheus,
            board,
            reload,
            ready: watch::Sender::new(false),
            access: watch::Sender::new(Arc::new(AccessControl::new(settings)?)),
        })
    }

    /// Applies new settings. A new address takes effect only after a restart.
    ///
    /// # Errors
    /// Returns an error if the TLS settings are invalid. The previous settings then stay in effect.
    pub fn configure(&self, settings: &ServerSettings) -> Result<(), TlsError> {
        self.access
            .send_replace(Arc::new(AccessControl::new(settings)?));
        Ok(())
    }

    fn access(&self) -> Arc<AccessControl> {
        Arc::clone(&self.access.borrow())
    }

    /// Returns the sender of the readiness state that `/-/ready` reports. Use `send_replace`,
    /// because `send` fails if the channel has no receiver.
    #[must_use]
    pub fn readiness(&self) -> watch::Sender<bool> {
        self.ready.clone()
    }
}

/// Serves HTTP until `shutdown` completes, then finishes the requests in progress.
pub async fn serve(
    listener: TcpListener,
    state: ServerState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let router = router(state.clone());
    connections::serve(listener, state, router, shutdown).await;
}

fn router(state: ServerState) -> Router {
    Router::new()
        .route("/", get(pages::list))
        .route("/targets/{name}", get(pages::detail))
        .route("/causes", get(pages::causes))
        .route("/-/style.css", get(pages::style))
        .route("/-/script.js", get(pages::script))
        .route("/-/icon.svg", get(pages::icon))
        .route("/metrics", get(api::metrics))
        .route("/api/v1/targets", get(api::targets))
        .route("/api/v1/targets/{name}", get(api::target))
        .route("/api/v1/incidents", get(api::incidents))
        .route("/api/v1/causes", get(api::causes))
        .route("/-/healthy", get(api::healthy))
        .route("/-/ready", get(api::ready))
        .route("/-/reload", post(api::reload))
        .fallback(response_headers::not_found)
        .method_not_allowed_fallback(response_headers::not_allowed)
        .layer(middleware::from_fn_with_state(
            state.clone(),
            auth::check_access,
        ))
        .layer(middleware::from_fn(response_headers::harden))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(state)
}
