//! Control requests of a running daemon, and many targets that fail at once because of the
//! prober's prober_cause network.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use serde_json::Value;

use crate::support::loopback::serve;
use crate::support::process::Daemon;

/// The path, the user agent and whether `X-Shop` was present, of each received request.
type Requests = Arc<Mutex<Vec<(String, String, bool)>>>;

/// Serves a gateway whose two routes fail with 500 and that answers 404 to all others.
async fn gateway() -> (SocketAddr, Requests) {
    let requests = Requests::default();
    let recorded = Arc::clone(&requests);
    let answer = move |uri: Uri, headers: HeaderMap| {
        let agent = headers
            .get("user-agent")
            .map(|agent| agent.to_str().unwrap());
        let has_shop_header = headers.contains_key("x-shop");
        let request = (
            uri.path().to_owned(),
            agent.unwrap_or_default().to_owned(),
            has_shop_header,
        );
        recorded.lock().unwrap().push(request);
        let (status, body) = match uri.path() {
            "/orders" | "/plain" => (500, r#"{"message":"Internal Server Error"}"#),
            _ => (404, r#"{"message":"Not Found"}"#),
        };
        let headers = [
            ("content-type", "application/json"),
            ("apigw-requestid", "K2ZRZgLwoAMEbag="),
        ];
        let status = StatusCode::from_u16(status).unwrap();
        async move { (status, headers, body).into_response() }
    };
    let router = axum::Router::new().fallback(answer);
    (serve(router).await, requests)
}

#[tokio::test]
async fn control_requests_are_sent_only_with_a_control_path_and_are_not_counted_as_probes() {
    let (address, requests) = gateway().await;
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n\
         [defaults]\ninterval = \"2s\"\ntimeout = \"20s\"\nconfirm_after = \"500ms\"\n\
         [defaults.request]\nheaders = {{ \"X-Shop\" = \"open\" }}\n\
         [[target]]\nname = \"orders\"\nurl = \"http://{address}/orders\"\n\
         [target.aws]\ncontrol_path = \"/no-such-route\"\n\
         [[target]]\nname = \"plain\"\nurl = \"http://{address}/plain\"\n"
    );
    let mut daemon = Daemon::start(&text).await;
    let controls = |requests: &Requests| {
        let requests = requests.lock().unwrap();
        let other = requests
            .iter()
            .filter(|(path, _, _)| !path.starts_with("/p") && path != "/orders");
        other.cloned().collect::<Vec<_>>()
    };
    daemon
        .metrics_until(|_| controls(&requests).len() >= 3)
        .await;
    // The two counts agree as soon as no probe is in flight.
    let metrics = daemon
        .metrics_until(|text| probes(text, "orders") == request_count(&requests, "/orders"))
        .await;
    for (path, agent, credentials) in controls(&requests) {
        assert_eq!(path, "/no-such-route");
        assert!(agent.starts_with("probecause-control/"), "{agent}");
        assert!(
            !credentials,
            "a control request carried the headers of the target"
        );
    }
    assert!(metrics.contains("probecause_controls_dropped_total 0"));
    assert_eq!(daemon.terminate().await, Some(0));
}

/// The number of probes of `target` in the metrics.
fn probes(metrics: &str, target: &str) -> usize {
    let start = format!("probecause_probes_total{{target=\"{target}\"");
    let lines = metrics.lines().filter(|line| line.starts_with(&start));
    let counts = lines.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap());
    counts.sum()
}

/// Returns a configuration of eight targets on eight loopback addresses without a listener.
/// `interval` and `timeout` are in seconds.
pub(crate) fn unreachable_targets(net: &str, interval: u32, timeout: u32) -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[defaults]\ninterval = \"{interval}s\"\n\
         timeout = \"{timeout}s\"\nconfirm_after = \"0s\"\n",
    );
    for number in 1..=8 {
        text.push_str(&format!(
            "[[target]]\nname = \"t{number}\"\nurl = \"http://{net}.{number}:{port}/\"\n"
        ));
    }
    text
}

fn request_count(requests: &Requests, path: &str) -> usize {
    let requests = requests.lock().unwrap();
    requests
        .iter()
        .filter(|(requested, _, _)| requested == path)
        .count()
}

#[tokio::test]
async fn many_unrelated_unreachable_targets_are_one_prober_incident() {
    let mut daemon = Daemon::start(&unreachable_targets("127.0.1", 4, 2)).await;
    let prober_cause = "cause=\"prober-local\",certainty=\"likely\"} 1";
    let metrics = daemon
        .metrics_until(|text| text.matches(prober_cause).count() == 8)
        .await;
    assert!(!metrics.contains("state=\"down\"} 1"), "{metrics}");
    let incidents: Vec<Value> =
        serde_json::from_str(&daemon.get("/api/v1/incidents").await).unwrap();
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    assert_eq!(incidents[0]["target"], "(prober)");
    assert_eq!(incidents[0]["cause"], "prober-local");
    let note = incidents[0]["history"][0]["note"].as_str().unwrap();
    assert!(note.contains("fail in phase connect, on"), "{note}");
    let page = daemon.get("/").await;
    assert!(
        page.contains("this prober"),
        "the page does not name the prober"
    );
    assert_eq!(daemon.terminate().await, Some(0));
}
