//! Breaks each hop in turn and checks the verdict of the daemon and the requests at each hop.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::hops::{Fault, Hop, three};
use crate::support::process::{Daemon, PATIENCE};

/// The part of the user agent that all requests of the daemon have.
const PROBES: &str = "probecause/";

/// The part of the user agent of requests through layers.
const LAYERS: &str = "probecause-layer";

/// Returns the configuration of a target behind the hops. `timeout` is long unless a hop never
/// responds: on a busy machine, a response takes up to seconds.
fn config([cdn, balancer, application]: &[Hop; 3], timeout: &str) -> String {
    let layers = [("balancer", balancer), ("application", application)];
    let layers = layers.map(|(name, hop)| {
        let address = hop.address;
        format!("[[target.layer]]\nname = \"{name}\"\nconnect_to = \"{address}\"\n")
    });
    format!(
        "location = \"test\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [defaults]\ninterval = \"1s\"\ntimeout = \"{timeout}\"\nconfirm_after = \"200ms\"\n\
         ask_for_cause = false\n\
         [[target]]\nname = \"shop\"\nurl = \"http://{}/orders?id=1\"\n{}",
        cdn.address,
        layers.concat()
    )
}

/// Waits until an incident of the API meets a condition, and returns it.
async fn incident_until(daemon: &Daemon, condition: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let text = daemon.get("/api/v1/incidents").await;
        let incidents: Vec<Value> = serde_json::from_str(&text).unwrap();
        if let Some(found) = incidents.iter().find(|incident| condition(incident)) {
            return found.clone();
        }
        assert!(started.elapsed() < PATIENCE, "timed out; {text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn is_examined_twice(incident: &Value) -> bool {
    incident["history"]
        .to_string()
        .contains(", each requested twice")
}

/// Waits until `hop` has received `count` probes.
async fn probed(hop: &Hop, count: usize) {
    let started = Instant::now();
    while hop.count(PROBES) < count {
        assert!(started.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn states(incident: &Value) -> Vec<(&str, &str)> {
    let layers = incident["layers"].as_array().unwrap().iter();
    layers
        .map(|layer| {
            let [name, state] = ["name", "state"].map(|key| layer[key].as_str().unwrap());
            (name, state)
        })
        .collect()
}

/// Breaks the hop with this number, and checks cause, broken layer and layer states of the
/// incident and the number of requests at each hop.
async fn check(
    hop: usize,
    fault: Fault,
    (cause, broken): (&str, Option<&str>),
    expected: [&str; 3],
) {
    let hops = three().await;
    let daemon = Daemon::start(&config(&hops, "20s")).await;
    probed(&hops[2], 3).await;
    for one in &hops {
        assert_eq!(one.count(LAYERS), 0, "requested while all was well");
    }
    hops[hop].set(fault);
    let incident = incident_until(&daemon, is_examined_twice).await;
    assert_eq!(incident["cause"], cause, "{incident}");
    assert_eq!(incident["broken_layer"].as_str(), broken, "{incident}");
    let names = ["front", "balancer", "application"];
    let expected: Vec<_> = names.into_iter().zip(expected).collect();
    assert_eq!(states(&incident), expected, "{incident}");
    if let Some(broken) = broken {
        assert_eq!(incident["certainty"], "corroborated", "{incident}");
        assert!(incident["title"].as_str().unwrap().contains(broken));
        let page = daemon.get("/targets/shop").await;
        assert!(page.contains("Layers") && page.contains(broken), "{page}");
    }
    // The requests at a hop: two through its own layer, and those that the hops before it pass on.
    let mut passed_on = 0;
    for (index, one) in hops.iter().enumerate() {
        let count = one.count(LAYERS);
        assert_eq!(count, 2 + passed_on, "hop {index}");
        passed_on = if index == hop { 0 } else { count };
        // All of them ask for the same host.
        assert_eq!(one.hosts(), [hops[0].address.to_string()]);
    }
    // Further failures neither revoke the verdict nor repeat the requests.
    let before = hops[0].count(PROBES);
    probed(&hops[0], before + 4).await;
    let again = incident_until(&daemon, |_| true).await;
    assert_eq!(again["cause"], cause, "{again}");
    assert_eq!(again["broken_layer"].as_str(), broken, "{again}");
    assert_eq!(hops[0].count(LAYERS), 2);
    let metrics = daemon.get("/metrics").await;
    let counted = crate::support::process::sum(&metrics, "probecause_probes_total{");
    let sent = hops[0].count(PROBES) - hops[0].count(LAYERS);
    assert!(
        counted <= sent as f64,
        "{counted} probes were counted and {sent} sent"
    );
}

#[tokio::test]
async fn a_broken_cdn_is_named() {
    let verdict = ("layer-failing", Some("front"));
    check(0, Fault::Status(502), verdict, ["failing", "ok", "ok"]).await;
}

#[tokio::test]
async fn a_broken_balancer_is_named() {
    let verdict = ("layer-failing", Some("balancer"));
    let states = ["failing", "failing", "ok"];
    check(1, Fault::Status(503), verdict, states).await;
}

#[tokio::test]
async fn a_broken_application_is_named() {
    let verdict = ("innermost-layer-failing", Some("application"));
    let states = ["failing", "failing", "failing"];
    check(2, Fault::Status(500), verdict, states).await;
}

#[tokio::test]
async fn the_layer_of_a_timeout_is_shown_beside_the_likely_cause() {
    let hops = three().await;
    let daemon = Daemon::start(&config(&hops, "2s")).await;
    probed(&hops[2], 1).await;
    hops[1].set(Fault::Silent);
    let incident = incident_until(&daemon, is_examined_twice).await;
    assert_eq!(incident["broken_layer"], "balancer", "{incident}");
    assert_eq!(states(&incident)[1], ("balancer", "failing"));
}

#[tokio::test]
async fn a_layer_that_cannot_be_reached_is_not_blamed() {
    let [cdn, balancer, application] = three().await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let unreachable = application.at(free.local_addr().unwrap());
    drop(free);
    let hops = [cdn, balancer, unreachable];
    let daemon = Daemon::start(&config(&hops, "20s")).await;
    probed(&application, 1).await;
    hops[1].set(Fault::Status(503));
    let incident = incident_until(&daemon, is_examined_twice).await;
    assert_eq!(incident["broken_layer"], Value::Null, "{incident}");
    assert_eq!(states(&incident)[2], ("application", "not-testable"));
    assert!(!incident["cause"].as_str().unwrap().contains("layer"));
}

#[tokio::test]
async fn a_layer_whose_redirect_leads_to_a_failing_server_is_not_blamed() {
    let hops = three().await;
    let elsewhere = Hop::start(None).await;
    elsewhere.set(Fault::Status(502));
    let daemon = Daemon::start(&config(&hops, "20s")).await;
    probed(&hops[2], 1).await;
    for hop in &hops {
        hop.set(Fault::Redirect(elsewhere.address));
    }
    let incident = incident_until(&daemon, is_examined_twice).await;
    assert_eq!(incident["broken_layer"], Value::Null, "{incident}");
    let expected = [
        ("front", "failing"),
        ("balancer", "not-testable"),
        ("application", "not-testable"),
    ];
    assert_eq!(states(&incident), expected, "{incident}");
    assert!(!incident["cause"].as_str().unwrap().contains("layer"));
    assert!(elsewhere.count(LAYERS) > 0);
}
