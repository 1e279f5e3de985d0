//! A gateway that fails as told, and alarms that say so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, sleep};

use crate::support::cloudwatch::emulator::Emulator;
use crate::support::loopback::serve;

/// Evaluated each 10 s over windows of 10 s: several rounds on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) const HEALTHY: u8 = 0;
pub(crate) const THROTTLED: u8 = 1;
pub(crate) const NO_ROUTE: u8 = 2;

/// A gateway whose answer can be changed, in the words of the captures.
pub(crate) async fn gateway() -> (std::net::SocketAddr, Arc<AtomicU8>) {
    let mode = Arc::new(AtomicU8::new(HEALTHY));
    let shown = Arc::clone(&mode);
    let router = axum::Router::new().fallback(move || {
        let answer = answer(shown.load(Ordering::Relaxed));
        async move { answer }
    });
    (serve(router).await, mode)
}

fn answer(mode: u8) -> Response {
    let (status, body) = match mode {
        HEALTHY => (StatusCode::OK, "\"fine\""),
        THROTTLED => (
            StatusCode::SERVICE_UNAVAILABLE,
            r#"{"message":"Service Unavailable"}"#,
        ),
        _ => (StatusCode::NOT_FOUND, r#"{"message":"Not Found"}"#),
    };
    let headers = [
        ("content-type", "application/json"),
        ("apigw-requestid", "K2ZRZgLwoAMEbag="),
    ];
    (status, headers, body).into_response()
}

/// Waits until an alarm's tags and description name a cause.
pub(crate) async fn until_named(emulator: &Emulator, alarm: &str, cause: &str) {
    let begun = Instant::now();
    loop {
        let tags = emulator.tags(alarm).await;
        let text = emulator.describe(alarm).await.alarm_description;
        let text = text.unwrap_or_default();
        let described = cause == "none" || text.contains(cause);
        if tags["probecause:cause"] == cause && described {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{tags:?}, {text}");
        sleep(Duration::from_millis(500)).await;
    }
}
