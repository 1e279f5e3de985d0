//! The handlers for programs: metrics, JSON, health, reload.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::io::json;
use crate::io::sink::page::TargetView;
use crate::io::sink::prometheus::CONTENT_TYPE as METRICS;

use super::ServerState;
use super::response_headers::is_cross_site;

pub(super) async fn metrics(State(state): State<ServerState>) -> Response {
    in_background(move || ([(CONTENT_TYPE, METRICS)], state.prometheus.render())).await
}

pub(super) async fn targets(State(state): State<ServerState>) -> Response {
    in_background(move || {
        let location = state.board.location();
        let views = state.board.targets();
        Json(
            views
                .iter()
                .map(|view| target_json(view, &location))
                .collect::<Value>(),
        )
    })
    .await
}

pub(super) async fn target(State(state): State<ServerState>, Path(name): Path<String>) -> Response {
    match state.board.target(&name) {
        Some((view, _)) => Json(target_json(&view, &state.board.location())).into_response(),
        None => {
            let error = json!({ "error": "no such target is configured", "target": name });
            (StatusCode::NOT_FOUND, Json(error)).into_response()
        }
    }
}

pub(super) async fn incidents(State(state): State<ServerState>) -> Json<Value> {
    let incidents = state.board.incidents();
    Json(
        incidents
            .iter()
            .map(|incident| json::incident(incident))
            .collect(),
    )
}

pub(super) async fn causes(State(state): State<ServerState>) -> Json<Value> {
    Json(state.board.causes().iter().map(json::cause).collect())
}

/// The process runs and answers; whether targets are well is another question.
pub(super) async fn healthy() -> &'static str {
    "healthy\n"
}

pub(super) async fn ready(State(state): State<ServerState>) -> Response {
    if *state.ready.borrow() {
        "ready\n".into_response()
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: still starting\n",
        )
            .into_response()
    }
}

pub(super) async fn reload(State(state): State<ServerState>, headers: HeaderMap) -> Response {
    if is_cross_site(&headers) {
        let text = "refused: asked for by a page of another site\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    if !state.entrance().may_reload {
        return (StatusCode::FORBIDDEN, NO_RELOAD).into_response();
    }
    let (answer, outcome) = oneshot::channel();
    let gone = "not reloaded: the daemon is stopping".to_owned();
    let outcome = match state.reload.send(answer).await {
        Ok(()) => outcome.await.unwrap_or(Err(gone)),
        Err(_) => Err(gone),
    };
    match outcome {
        Ok(text) => format!("{}\n", text.trim_end()).into_response(),
        Err(why) => {
            let text = format!("{}\n", why.trim_end());
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

/// Anybody who reaches the endpoint could ask, and nobody is asked who he is.
const NO_RELOAD: &str = "refused: the daemon listens beyond this machine and asks for no password; \
     set `server.allow_reload = true`, or users in a web configuration file, or send SIGHUP\n";

/// Renders off the runtime's own threads: with very many targets it takes long enough
/// to hold up a probe.
pub(super) async fn in_background<R: IntoResponse + Send + 'static>(
    render: impl FnOnce() -> R + Send + 'static,
) -> Response {
    match tokio::task::spawn_blocking(render).await {
        Ok(answer) => answer.into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer could not be rendered");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "cannot be rendered; see the log\n",
            )
                .into_response()
        }
    }
}

fn target_json(view: &TargetView, location: &str) -> Value {
    view.report.as_ref().map_or_else(
        || json::unprobed(&view.target, location, view.resumed.as_deref()),
        |report| json::target(report),
    )
}
