//! What the daemon does beside probing: control requests, and doubt of its own network.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use serde_json::Value;

use crate::support::loopback::serve;
use crate::support::process::Daemon;

/// Path, user agent and whether there were credentials, of each request.
type Seen = Arc<Mutex<Vec<(String, String, bool)>>>;

/// A gateway whose one route fails and that knows no other.
async fn gateway() -> (SocketAddr, Seen) {
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    let answer = move |uri: Uri, headers: HeaderMap| {
        let agent = headers
            .get("user-agent")
            .map(|agent| agent.to_str().unwrap());
        let known = headers.contains_key("x-shop");
        let request = (
            uri.path().to_owned(),
            agent.unwrap_or_default().to_owned(),
            known,
        );
        noted.lock().unwrap().push(request);
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
    (serve(router).await, seen)
}

#[tokio::test]
async fn controls_are_sent_only_where_a_path_is_named_and_count_as_no_probe() {
    let (address, seen) = gateway().await;
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n\
         [defaults]\ninterval = \"2s\"\ntimeout = \"1500ms\"\nconfirm_after = \"500ms\"\n\
         [defaults.request]\nheaders = {{ \"X-Shop\" = \"open\" }}\n\
         [[target]]\nname = \"orders\"\nurl = \"http://{address}/orders\"\n\
         [target.aws]\ncontrol_path = \"/no-such-route\"\n\
         [[target]]\nname = \"plain\"\nurl = \"http://{address}/plain\"\n"
    );
    let mut daemon = Daemon::start(&text).await;
    let controls = |seen: &Seen| {
        let seen = seen.lock().unwrap();
        let other = seen
            .iter()
            .filter(|(path, _, _)| !path.starts_with("/p") && path != "/orders");
        other.cloned().collect::<Vec<_>>()
    };
    daemon.metrics_until(|_| controls(&seen).len() >= 3).await;
    // The counters agree as soon as no probe is on its way.
    let metrics = daemon
        .metrics_until(|text| probes(text, "orders") == asked(&seen, "/orders"))
        .await;
    for (path, agent, credentials) in controls(&seen) {
        assert_eq!(path, "/no-such-route");
        assert!(agent.starts_with("probecause-control/"), "{agent}");
        assert!(
            !credentials,
            "a control carries nothing that lets a probe in"
        );
    }
    assert!(metrics.contains("probecause_controls_dropped_total 0"));
    assert_eq!(daemon.terminate().await, Some(0));
}

/// Probes of a target that were counted.
fn probes(metrics: &str, target: &str) -> usize {
    let start = format!("probecause_probes_total{{target=\"{target}\"");
    let lines = metrics.lines().filter(|line| line.starts_with(&start));
    let counts = lines.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap());
    counts.sum()
}

/// A configuration of eight targets at addresses of this machine on which nothing listens,
/// each a site of its own; times in seconds.
pub(crate) fn out_of_reach(net: &str, interval: u32, timeout: u32) -> String {
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

fn asked(seen: &Seen, path: &str) -> usize {
    let seen = seen.lock().unwrap();
    seen.iter().filter(|(asked, _, _)| asked == path).count()
}

#[tokio::test]
async fn many_unrelated_targets_out_of_reach_are_one_incident_of_the_prober() {
    let mut daemon = Daemon::start(&out_of_reach("127.0.1", 4, 2)).await;
    let own = "cause=\"prober-local\",certainty=\"likely\"} 1";
    let metrics = daemon
        .metrics_until(|text| text.matches(own).count() == 8)
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
    assert!(page.contains("this prober"), "the page tells it");
    assert_eq!(daemon.terminate().await, Some(0));
}
