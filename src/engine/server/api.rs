//! Handles HTTP requests for metrics, the JSON API, health checks and reloads.

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
            let error = json!({ "error": "target not found", "target": name });
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

/// Responds that the process is running. The response does not depend on the health of targets.
pub(super) async fn healthy() -> &'static str {
    "healthy\n"
}

pub(super) async fn ready(State(state): State<ServerState>) -> Response {
    if *state.ready.borrow() {
        "ready\n".into_response()
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: the daemon is starting\n",
        )
            .into_response()
    }
}

pub(super) async fn reload(State(state): State<ServerState>, headers: HeaderMap) -> Response {
    if is_cross_site(&headers) {
        let text = "reload rejected: a web page of another site sent the request; \
                    to reload, send the request with a program such as curl\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    if !state.access().may_reload {
        return (StatusCode::FORBIDDEN, RELOAD_FORBIDDEN).into_response();
    }
    let (reply, result) = oneshot::channel();
    let stopping = "not reloaded: the daemon is stopping".to_owned();
    let result = match state.reload.send(reply).await {
        Ok(()) => result.await.unwrap_or(Err(stopping)),
        Err(_) => Err(stopping),
    };
    match result {
        Ok(text) => format!("{}\n", text.trim_end()).into_response(),
        Err(error) => {
            let text = format!("{}\n", error.trim_end());
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

/// Response body for a reload request that `server.allow_reload` forbids. Without this setting, a
/// reload is forbidden if other hosts could request it without a password.
const RELOAD_FORBIDDEN: &str = "reload rejected: `server.allow_reload` is false, \
     or the server is reachable from other hosts and requires no password; \
     set `server.allow_reload = true`, add users to a web configuration file, or send SIGHUP\n";

/// Renders a response on a blocking thread. With thousands of targets, rendering on a thread of
/// the runtime would delay other tasks.
pub(super) async fn in_background<R: IntoResponse + Send + 'static>(
    render: impl FnOnce() -> R + Send + 'static,
) -> Response {
    match tokio::task::spawn_blocking(render).await {
        Ok(response) => response.into_response(),
        Err(error) => {
            tracing::error!(%error, "rendering a response failed");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "rendering the response failed; the daemon's log contains the error\n",
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
