//! Sharding: daemons that share the targets of one configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, Uri};
use serde_json::Value;

use crate::support::loopback::serve;
use crate::support::process::{Daemon, sum};

const TARGETS: usize = 60;

/// Which shards requested each path.
type Requests = Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>;

async fn endpoint() -> (std::net::SocketAddr, Requests) {
    let requests = Requests::default();
    let counted = Arc::clone(&requests);
    let router = axum::Router::new().fallback(move |uri: Uri, headers: HeaderMap| async move {
        let shard = headers["x-shard"].to_str().unwrap().to_owned();
        let mut counted = counted.lock().unwrap();
        let shards = counted.entry(uri.path().to_owned()).or_default();
        shards.insert(shard);
        "fine"
    });
    (serve(router).await, requests)
}

fn config(endpoint: std::net::SocketAddr, shards: &str) -> String {
    let shard = shards.lines().last().unwrap();
    let mut text = format!(
        "location = \"here\"\n[server]\nlisten = \"127.0.0.1:0\"\n{shards}\
         [defaults]\ninterval = \"1s\"\ntimeout = \"20s\"\n\
         request.headers = {{ \"X-Shard\" = {shard:?} }}\n"
    );
    for index in 0..TARGETS {
        text.push_str(&format!(
            "[[target]]\nname = \"t{index}\"\nurl = \"http://{endpoint}/{index}\"\n"
        ));
    }
    text
}

async fn targets(daemon: &Daemon) -> BTreeSet<String> {
    let Value::Array(targets) = serde_json::from_str(&daemon.get("/api/v1/targets").await).unwrap()
    else {
        panic!("the targets are not a JSON array");
    };
    let name = |target: &Value| target["target"].as_str().unwrap().to_owned();
    targets.iter().map(name).collect()
}

/// Waits until the daemon has probed a target.
async fn wait_until_probing(daemon: &Daemon) {
    let probes = |metrics: &str| metrics.contains("probecause_last_probe_timestamp_seconds{");
    daemon.metrics_until(probes).await;
}

#[tokio::test]
async fn every_target_is_probed_by_exactly_one_of_three_shards() {
    let (address, requests) = endpoint().await;
    let mut daemons = Vec::new();
    for index in 0..3 {
        let shards = format!("[shard]\ntotal = 3\nindex = {index}\n");
        daemons.push(Daemon::start(&config(address, &shards)).await);
    }
    let mut owned = Vec::new();
    for daemon in &daemons {
        wait_until_probing(daemon).await;
        owned.push(targets(daemon).await);
    }
    let all: BTreeSet<_> = owned.iter().flatten().cloned().collect();
    assert_eq!(all.len(), TARGETS);
    assert_eq!(
        owned.iter().map(BTreeSet::len).sum::<usize>(),
        TARGETS,
        "a target belongs to two shards"
    );

    // The endpoint sees requests for each target from one shard only, for a few rounds.
    for daemon in &daemons {
        let probes = |metrics: &str| sum(metrics, "probecause_probes_total{");
        let before = probes(&daemon.get("/metrics").await);
        #[expect(clippy::cast_precision_loss, reason = "tens of targets")]
        let rounds = 3.0 * owned[0].len().max(20) as f64;
        daemon
            .metrics_until(|metrics| probes(metrics) >= before + rounds)
            .await;
    }
    let requests = requests.lock().unwrap().clone();
    assert_eq!(requests.len(), TARGETS, "some targets were not probed");
    for (path, shards) in &requests {
        assert_eq!(shards.len(), 1, "{path} was requested by {shards:?}");
    }
    let shares: Vec<_> = owned.iter().map(BTreeSet::len).collect();
    println!("shares of {TARGETS} targets: {shares:?}");
}

#[tokio::test]
async fn a_reload_with_one_more_shard_removes_targets_without_incidents() {
    let (address, _) = endpoint().await;
    let two = "[shard]\ntotal = 2\nindex = 0\n";
    let daemon = Daemon::start(&config(address, two)).await;
    wait_until_probing(&daemon).await;
    let before = targets(&daemon).await;
    let three = "[shard]\ntotal = 3\nindex = 0\n";
    std::fs::write(&daemon.config, config(address, three)).unwrap();
    let (status, answer) = crate::daemon::process::reload(&daemon).await;
    assert_eq!(status, 200, "{answer}");
    let after = targets(&daemon).await;
    assert!(after.is_subset(&before) && after.len() < before.len());
    let metrics = daemon.get("/metrics").await;
    for gone in before.difference(&after) {
        let series = format!("target=\"{gone}\"");
        assert!(!metrics.contains(&series), "{gone} is still exported");
    }
    assert_eq!(daemon.get("/api/v1/incidents").await, "[]");
}
