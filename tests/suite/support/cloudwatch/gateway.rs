//! A gateway whose responses a test switches, and a wait for the alarm that names the cause.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, sleep};

use crate::support::cloudwatch::emulator::Emulator;
use crate::support::loopback::serve;

/// Time limit of a wait. The emulator evaluates every 10 s over windows of 10 s, so this allows
/// several evaluations on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) const HEALTHY: u8 = 0;
pub(crate) const THROTTLED: u8 = 1;
pub(crate) const NO_ROUTE: u8 = 2;

/// Starts a gateway with the response bodies of real captures; the returned value selects the
/// response.
pub(crate) async fn gateway() -> (std::net::SocketAddr, Arc<AtomicU8>) {
    let behavior = Arc::new(AtomicU8::new(HEALTHY));
    let current = Arc::clone(&behavior);
    let router = axum::Router::new().fallback(move || {
        let response = response(current.load(Ordering::Relaxed));
        async move { response }
    });
    (serve(router).await, behavior)
}

fn response(behavior: u8) -> Response {
    let (status, body) = match behavior {
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

/// Waits until an alarm names a cause: in its tags and, unless the cause is `none`, in its
/// description.
pub(crate) async fn until_named(emulator: &Emulator, alarm: &str, cause: &str) {
    let started = Instant::now();
    loop {
        let tags = emulator.tags(alarm).await;
        let text = emulator.describe(alarm).await.alarm_description;
        let text = text.unwrap_or_default();
        let described = cause == "none" || text.contains(cause);
        if tags["probecause:cause"] == cause && described {
            return;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "`{alarm}` does not name {cause}: {tags:?}, {text}"
        );
        sleep(Duration::from_millis(500)).await;
    }
}
