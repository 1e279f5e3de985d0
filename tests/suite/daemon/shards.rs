//! Three daemons on one machine that share the targets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, Uri};
use serde_json::Value;

use crate::support::loopback::serve;
use crate::support::process::{Daemon, sum};

const TARGETS: usize = 60;

/// The shards that requested each path.
type Asked = Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>;

async fn endpoint() -> (std::net::SocketAddr, Asked) {
    let asked = Asked::default();
    let counted = Arc::clone(&asked);
    let router = axum::Router::new().fallback(move |uri: Uri, headers: HeaderMap| async move {
        let shard = headers["x-shard"].to_str().unwrap().to_owned();
        let mut counted = counted.lock().unwrap();
        let shards = counted.entry(uri.path().to_owned()).or_default();
        shards.insert(shard);
        "fine"
    });
    (serve(router).await, asked)
}

fn config(endpoint: std::net::SocketAddr, shards: &str) -> String {
    let shard = shards.lines().last().unwrap();
    let mut text = format!(
        "location = \"here\"\n[server]\nlisten = \"127.0.0.1:0\"\n{shards}\
         [defaults]\ninterval = \"1s\"\ntimeout = \"900ms\"\n\
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
        panic!("no array");
    };
    let name = |target: &Value| target["target"].as_str().unwrap().to_owned();
    targets.iter().map(name).collect()
}

async fn until_probing(daemon: &Daemon) {
    let probes = |metrics: &str| metrics.contains("probecause_last_probe_timestamp_seconds{");
    daemon.metrics_until(probes).await;
}

#[tokio::test]
async fn every_target_is_probed_by_exactly_one_of_three_shards() {
    let (address, asked) = endpoint().await;
    let mut daemons = Vec::new();
    for index in 0..3 {
        let shards = format!("[shard]\ntotal = 3\nindex = {index}\n");
        daemons.push(Daemon::start(&config(address, &shards)).await);
    }
    let mut held = Vec::new();
    for daemon in &daemons {
        until_probing(daemon).await;
        held.push(targets(daemon).await);
    }
    let all: BTreeSet<_> = held.iter().flatten().cloned().collect();
    assert_eq!(all.len(), TARGETS);
    assert_eq!(
        held.iter().map(BTreeSet::len).sum::<usize>(),
        TARGETS,
        "held twice"
    );

    // Seen from the target: each is requested by one shard only, for a few rounds.
    for daemon in &daemons {
        let probes = |metrics: &str| sum(metrics, "probecause_probes_total{");
        let before = probes(&daemon.get("/metrics").await);
        #[expect(clippy::cast_precision_loss, reason = "tens of targets")]
        let rounds = 3.0 * held[0].len().max(20) as f64;
        daemon
            .metrics_until(|metrics| probes(metrics) >= before + rounds)
            .await;
    }
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), TARGETS, "some are not probed");
    for (path, shards) in &asked {
        assert_eq!(shards.len(), 1, "{path} was requested by {shards:?}");
    }
    let shares: Vec<_> = held.iter().map(BTreeSet::len).collect();
    println!("shares of {TARGETS} targets: {shares:?}");
}

#[tokio::test]
async fn a_reload_with_one_more_shard_gives_targets_away_without_a_word() {
    let (address, _) = endpoint().await;
    let two = "[shard]\ntotal = 2\nindex = 0\n";
    let daemon = Daemon::start(&config(address, two)).await;
    until_probing(&daemon).await;
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
        assert!(!metrics.contains(&series), "{gone} is still there");
    }
    assert_eq!(daemon.get("/api/v1/incidents").await, "[]");
}
