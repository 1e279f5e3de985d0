//! What changed since the last good responses is evidence of a failure, across a restart too.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode};

use crate::support::loopback::serve;
use crate::support::process::{Daemon, PATIENCE};

/// Waits until a page of the daemon contains a text, and returns the page.
async fn until(daemon: &Daemon, path: &str, part: &str) -> String {
    let started = Instant::now();
    loop {
        let text = daemon.get(path).await;
        if text.contains(part) {
            return text;
        }
        assert!(started.elapsed() < PATIENCE, "{part} is not in {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_server_that_changed_before_a_failure_is_evidence_after_a_restart() {
    let answer = Arc::new(Mutex::new((StatusCode::OK, "one")));
    let current = Arc::clone(&answer);
    let router = axum::Router::new().fallback(move || {
        let (status, server) = *current.lock().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("server", server.parse().unwrap());
        async move { (status, headers) }
    });
    let address = serve(router).await;
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let config = format!(
        "location = \"test\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [defaults]\ninterval = \"1s\"\ntimeout = \"20s\"\nconfirm_after = \"200ms\"\n\
         [[target]]\nname = \"shop\"\nurl = \"http://{address}/\"\n"
    );
    std::fs::write(directory.path().join("probecause.toml"), config).unwrap();
    let state = directory.path().join("state");
    let (mut daemon, _) = Daemon::start_in(Arc::clone(&directory), &state).await;
    until(&daemon, "/api/v1/targets", "\"success\":true").await;
    assert_eq!(daemon.terminate().await, Some(0));

    *answer.lock().unwrap() = (StatusCode::BAD_GATEWAY, "two");
    let (daemon, _) = Daemon::start_in(Arc::clone(&directory), &state).await;
    let incidents = until(&daemon, "/api/v1/incidents", "changed.what").await;
    assert!(
        incidents.contains("server one → two at the first failure"),
        "{incidents}"
    );
    assert!(!incidents.contains("address "), "{incidents}");
    let page = daemon.get("/targets/shop").await;
    assert!(page.contains("server one → two"), "{page}");
}
