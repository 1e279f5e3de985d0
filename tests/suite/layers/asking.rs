//! Asks a front door for the cause: once an incident, with headers that it understands.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::Value;

use crate::support::loopback::serve;
use crate::support::process::{Daemon, PATIENCE};

/// The names of headers with which a front door is asked.
const ASKING: [&str; 2] = ["accept", "x-azure-debuginfo"];

/// A request: its user agent and the values of its asking headers.
type Asked = (String, Vec<String>);

/// Starts an endpoint that fails like Azure Front Door, and names the error if asked.
async fn front_door() -> (SocketAddr, Arc<Mutex<Vec<Asked>>>) {
    let requests: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let record = Arc::clone(&requests);
    let router = axum::Router::new().fallback(move |request: Request| {
        let text = |name: &str| {
            let value = request.headers().get(name);
            value.map(|value| value.to_str().unwrap().to_owned())
        };
        let asked = ASKING.iter().filter_map(|name| text(name)).collect();
        let agent = text("user-agent").unwrap_or_default();
        record.lock().unwrap().push((agent, asked));
        let told = text("x-azure-debuginfo").map(|_| {
            let error = "0x830c1011, The certificate authority is unfamiliar";
            [("x-azure-externalerror", error)]
        });
        async move {
            match told {
                Some(told) => (StatusCode::BAD_GATEWAY, told).into_response(),
                None => StatusCode::BAD_GATEWAY.into_response(),
            }
        }
    });
    (serve(router).await, requests)
}

/// Runs a daemon until the endpoint has received `count` requests and an incident has `part` in
/// it, and returns the requests and the incidents.
async fn run(settings: &str, count: usize, part: &str) -> (Vec<Asked>, Value) {
    let (address, requests) = front_door().await;
    let daemon = Daemon::start(&format!(
        "location = \"test\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [defaults]\ninterval = \"1s\"\ntimeout = \"20s\"\nconfirm_after = \"200ms\"\n\
         [[target]]\nname = \"shop\"\nurl = \"http://{address}/\"\n{settings}\n"
    ))
    .await;
    let started = Instant::now();
    loop {
        let incidents = daemon.get("/api/v1/incidents").await;
        let seen = requests.lock().unwrap().clone();
        if seen.len() >= count && incidents.contains(part) {
            return (seen, serde_json::from_str(&incidents).unwrap());
        }
        assert!(started.elapsed() < PATIENCE, "{seen:?} {incidents}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_front_door_is_asked_once_and_its_answer_is_evidence() {
    let (requests, incidents) = run("", 7, "asked.azure_error").await;
    let asking: Vec<_> = requests.iter().filter(|one| one.1.len() == 2).collect();
    assert_eq!(asking.len(), 1, "{requests:?}");
    assert!(asking[0].0.ends_with(" (probecause-ask)"), "{requests:?}");
    assert_eq!(asking[0].1, ["application/json", "1"]);
    let first = requests.iter().position(|one| one.1.len() == 2).unwrap();
    assert!(first >= 2, "asked before the failure was confirmed");
    let evidence = incidents[0]["evidence"].to_string();
    assert!(evidence.contains("0x830c1011"), "{incidents}");
}

#[tokio::test]
async fn a_front_door_is_not_asked_if_the_target_forbids_it_or_could_change_something() {
    for settings in ["ask_for_cause = false", "request = { method = \"POST\" }"] {
        let (requests, _) = run(settings, 5, "incident_id").await;
        let asks = |one: &Asked| one.1.iter().any(|value| value == "1");
        assert!(!requests.iter().any(asks), "{settings}: {requests:?}");
    }
}
