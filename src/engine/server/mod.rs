//! The daemon's own HTTP endpoint: the page, `/metrics`, the JSON API, health, reload.
//!
//! It reads what the sinks keep and decides nothing. Everything but a reload is a GET
//! without side effects; nothing is cached; the page may load only what this server
//! serves. The daemon listens on loopback unless told otherwise; `entrance` lets in whom
//! the web configuration file lets in, `connections` bounds what a client may cost, and a
//! reload asked for by another site's script is refused.

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

use self::auth::Entrance;
use crate::io::sink::page::StatusBoard;
use crate::io::sink::prometheus::PrometheusSink;
use crate::io::web_access::TlsError;
use crate::model::settings::ServerSettings;

/// A wish to reload the configuration, answered with what was done or why it was not.
pub type ReloadRequest = oneshot::Sender<Result<String, String>>;

/// What the handlers read. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServerState {
    prometheus: Arc<PrometheusSink>,
    board: Arc<StatusBoard>,
    reload: mpsc::Sender<ReloadRequest>,
    ready: watch::Sender<bool>,
    entrance: watch::Sender<Arc<Entrance>>,
}

/// No request of this API has a body worth reading.
const MAX_BODY: usize = 4 * 1024;

impl ServerState {
    /// The state of a server that is not ready yet; wishes to reload go to `reload`.
    ///
    /// # Errors
    /// TLS settings that cannot be used, which `config` has tried out.
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
            entrance: watch::Sender::new(Arc::new(Entrance::new(settings)?)),
        })
    }

    /// Takes over who may come in from now on; everything but the address it listens on.
    ///
    /// # Errors
    /// As [`ServerState::new`]; the old entrance stays.
    pub fn configure(&self, settings: &ServerSettings) -> Result<(), TlsError> {
        self.entrance
            .send_replace(Arc::new(Entrance::new(settings)?));
        Ok(())
    }

    fn entrance(&self) -> Arc<Entrance> {
        Arc::clone(&self.entrance.borrow())
    }

    /// Where the engine says that it is running: `send_replace(true)`, which unlike
    /// `send` also works while nobody listens.
    #[must_use]
    pub fn readiness(&self) -> watch::Sender<bool> {
        self.ready.clone()
    }
}

/// Serves until `shutdown` completes, then finishes the requests under way.
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
        .layer(middleware::from_fn(response_headers::harden))
        .layer(middleware::from_fn_with_state(state.clone(), auth::admit))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(state)
}
