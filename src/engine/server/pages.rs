//! Handles HTTP requests for the HTML pages and their assets.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;

use crate::io::sink::page;

use super::ServerState;
use super::api::in_background;

pub(super) async fn list(State(state): State<ServerState>) -> Response {
    in_background(move || Html(page::list(&state.board, Timestamp::now()))).await
}

pub(super) async fn detail(State(state): State<ServerState>, Path(name): Path<String>) -> Response {
    match page::detail(&state.board, &name, Timestamp::now()) {
        Some(html) => Html(html).into_response(),
        None => (
            StatusCode::NOT_FOUND,
            "target not found; all targets are listed at /\n",
        )
            .into_response(),
    }
}

pub(super) async fn causes(State(state): State<ServerState>) -> Response {
    in_background(move || Html(page::causes(&state.board, Timestamp::now()))).await
}

pub(super) async fn style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], page::STYLE)
}

pub(super) async fn script() -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "text/javascript; charset=utf-8")],
        page::SCRIPT,
    )
}

pub(super) async fn icon() -> impl IntoResponse {
    ([(CONTENT_TYPE, "image/svg+xml")], page::ICON)
}
