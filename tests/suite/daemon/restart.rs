//! What outlives the process: killed at any moment, it goes on where it was.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::process::{reload, series};
use crate::daemon::surroundings::out_of_reach;
use crate::support::loopback::serve;
use crate::support::process::{Daemon, PATIENCE, get};

/// How the endpoint answers at present.
#[derive(Clone, Debug, Default)]
struct Mood(Arc<AtomicU8>);

const WELL: u8 = 0;
const THROTTLED: u8 = 1;
const SILENT: u8 = 2;

impl Mood {
    fn set(&self, mood: u8) {
        self.0.store(mood, Ordering::Relaxed);
    }

    async fn answer(self) -> axum::response::Response {
        let gateway = [
            ("content-type", "application/json"),
            ("apigw-requestid", "K2ZRZgLwoAMEbag="),
        ];
        // Silent until its mood changes: no probe has a result meanwhile.
        while self.0.load(Ordering::Relaxed) == SILENT {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (status, body) = match self.0.load(Ordering::Relaxed) {
            WELL => (StatusCode::OK, "{}"),
            _ => (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"message":"Service Unavailable"}"#,
            ),
        };
        (status, gateway, body).into_response()
    }
}

async fn endpoint() -> (SocketAddr, Mood) {
    let mood = Mood::default();
    let answering = mood.clone();
    let router = axum::Router::new().fallback(move || answering.clone().answer());
    (serve(router).await, mood)
}

/// A directory with a configuration of so many targets at an endpoint.
fn configured(endpoint: SocketAddr, targets: usize) -> Arc<TempDir> {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    write(&directory, endpoint, targets);
    directory
}

fn write(directory: &TempDir, endpoint: SocketAddr, targets: usize) {
    let mut text = String::from(
        "location = \"test\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [defaults]\ninterval = \"1s\"\ntimeout = \"30s\"\nconfirm_after = \"200ms\"\n",
    );
    for index in 0..targets {
        text.push_str(&format!(
            "[[target]]\nname = \"t{index}\"\nurl = \"http://{endpoint}/{index}\"\n"
        ));
    }
    std::fs::write(directory.path().join("probecause.toml"), text).unwrap();
}

/// Starts it on the state in its directory, and waits until it has taken that over.
async fn start(directory: &Arc<TempDir>) -> Daemon {
    let state = directory.path().join("state");
    let (daemon, _) = Daemon::start_in(Arc::clone(directory), &state).await;
    let begun = Instant::now();
    while get(&format!("{}/-/ready", daemon.url)).await.0 != 200 {
        assert!(begun.elapsed() < PATIENCE, "never ready");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    daemon
}

async fn json(daemon: &Daemon, path: &str) -> Value {
    serde_json::from_str(&daemon.get(path).await).unwrap()
}

/// Waits for incidents as they are wanted.
async fn incidents_until(daemon: &Daemon, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let Value::Array(incidents) = json(daemon, "/api/v1/incidents").await else {
            panic!("no array");
        };
        if wanted(&incidents) {
            return incidents;
        }
        assert!(begun.elapsed() < PATIENCE, "in vain: {incidents:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_open_incident_goes_on_after_kill_9_and_recovery_ends_it() {
    let (address, mood) = endpoint().await;
    mood.set(THROTTLED);
    let directory = configured(address, 1);
    let mut daemon = start(&directory).await;
    let before = incidents_until(&daemon, |all| all.len() == 1).await;
    daemon.child.kill().await.unwrap();

    mood.set(SILENT);
    let mut daemon = start(&directory).await;
    let after = incidents_until(&daemon, |_| true).await;
    assert_eq!(after, before, "before the first probe has a result");
    let target = json(&daemon, "/api/v1/targets/t0").await;
    assert!(target["time"].is_null(), "it was probed: {target}");
    let known = [&target["health"], &target["incident_id"], &target["cause"]];
    let id = &before[0]["incident_id"];
    assert_eq!(known, [&"down".into(), id, &"lambda-throttled".into()]);
    let metrics = daemon.get("/metrics").await;
    let shown = series(&metrics, "probecause_probable_cause", "t0");
    assert!(shown[0].contains("lambda-throttled"), "{shown:?}");
    assert!(
        daemon
            .get("/")
            .await
            .contains("not probed since the restart")
    );

    // More failures neither open nor change anything; two good answers end it.
    mood.set(THROTTLED);
    daemon
        .metrics_until(|text| {
            let probes = series(text, "probecause_probes_total", "t0");
            let failed = probes.iter().find(|line| line.contains("failure"));
            failed.is_some_and(|line| !line.ends_with(" 0"))
        })
        .await;
    let failing = incidents_until(&daemon, |_| true).await;
    assert_eq!((failing.len(), &failing[0]["incident_id"]), (1, id));
    assert_eq!(failing[0]["opened"], before[0]["opened"]);
    mood.set(WELL);
    let over = incidents_until(&daemon, |all| !all[0]["resolved"].is_null()).await;
    assert_eq!((over.len(), &over[0]["incident_id"]), (1, id));
    daemon.child.kill().await.unwrap();

    let daemon = start(&directory).await;
    assert_eq!(
        incidents_until(&daemon, |_| true).await,
        over,
        "it stays so"
    );
}

#[tokio::test]
async fn the_incident_of_a_target_that_is_gone_is_over() {
    let (address, mood) = endpoint().await;
    mood.set(THROTTLED);
    let directory = configured(address, 3);
    let mut daemon = start(&directory).await;
    incidents_until(&daemon, |all| all.len() == 3).await;
    // One goes by a reload, one between two lives.
    write(&directory, address, 2);
    assert_eq!(reload(&daemon).await.0, 200);
    daemon.child.kill().await.unwrap();
    write(&directory, address, 1);
    let daemon = start(&directory).await;
    let incidents = incidents_until(&daemon, |_| true).await;
    let over = |name: &str| {
        let found = incidents.iter().find(|one| one["target"] == name);
        !found.unwrap()["resolved"].is_null()
    };
    assert_eq!(incidents.len(), 3, "{incidents:#?}");
    assert_eq!((over("t0"), over("t1"), over("t2")), (false, true, true));
}

#[tokio::test]
async fn what_is_normal_for_a_target_is_known_after_a_restart() {
    let (address, _) = endpoint().await;
    let directory = configured(address, 1);
    let mut answers = Vec::new();
    for _ in 0..2 {
        let mut daemon = start(&directory).await;
        let good = |metrics: &str| {
            let probes = series(metrics, "probecause_probes_total", "t0");
            let good = probes.iter().find(|line| line.contains("success"));
            good.is_some_and(|line| line.ends_with(" 6"))
        };
        daemon.metrics_until(good).await;
        assert_eq!(daemon.terminate().await, Some(0));
        let learned = learned(&directory).await;
        assert_eq!(learned.len(), 1);
        answers.push(learned[0].learned.healthy.len());
    }
    // Not each of six, since none is learned from while the daemon itself is held up.
    assert!(answers[0] >= 1, "{answers:?}");
    assert!(answers[1] > answers[0], "it went on: {answers:?}");
}

/// The baselines on disk.
async fn learned(directory: &TempDir) -> Vec<probecause::io::store::StoredBaseline> {
    let metrics = probecause::io::sink::daemon_metrics::DaemonMetrics::new().unwrap();
    let state = directory.path().join("state");
    let opened = probecause::io::store::Store::open(&state, metrics.store_metrics());
    let (store, memory) = opened.await;
    store.close().await;
    memory.baselines
}

#[tokio::test]
async fn very_many_targets_at_once_have_an_incident_of_their_group_too() {
    let (address, mood) = endpoint().await;
    mood.set(THROTTLED);
    let directory = configured(address, 120);
    let mut daemon = start(&directory).await;
    let group = |all: &[Value]| all.iter().find(|one| one["target"] == "(group)").cloned();
    let all = incidents_until(&daemon, |all| all.len() == 121).await;
    let before = group(&all).unwrap();
    assert_eq!(before["cause"], "lambda-throttled");
    let note = before["history"][0]["note"].as_str().unwrap();
    assert!(note.contains("(100 lambda-throttled)"), "{note}");
    daemon.child.kill().await.unwrap();

    let daemon = start(&directory).await;
    let after = incidents_until(&daemon, |_| true).await;
    assert_eq!(group(&after).unwrap(), before);
    assert_eq!(after.len(), 121, "none opened anew");
    mood.set(WELL);
    let over = incidents_until(&daemon, |all| {
        all.iter().all(|one| !one["resolved"].is_null())
    });
    let over = group(&over.await).unwrap();
    let note = over["history"][1]["note"].as_str().unwrap();
    assert_eq!(
        note,
        "the group has dissolved; 49 of its targets still fail individually"
    );
}

#[tokio::test]
async fn without_a_usable_state_directory_it_monitors_and_says_so_once() {
    let (address, mood) = endpoint().await;
    mood.set(THROTTLED);
    let directory = configured(address, 1);
    let file = directory.path().join("probecause.toml");
    for state in [
        file.clone(),
        file.join("below"),
        Path::new("/proc/none").to_owned(),
    ] {
        let (mut daemon, mut log) = Daemon::start_in(Arc::clone(&directory), &state).await;
        incidents_until(&daemon, |all| all.len() == 1).await;
        let metrics = daemon.get("/metrics").await;
        assert!(metrics.contains("probecause_store_up 0"), "{metrics}");
        assert_eq!(daemon.terminate().await, Some(0));
        while let Some(line) = daemon.log.next_line().await.unwrap() {
            log.push_str(&line);
        }
        assert_eq!(
            log.matches("continuing without persistence").count(),
            1,
            "{log}"
        );
    }
}

#[tokio::test]
async fn trouble_of_the_probers_own_goes_on_after_a_restart() {
    let text = out_of_reach("127.0.2", 2, 1);
    let directory = Arc::new(tempfile::tempdir().unwrap());
    std::fs::write(directory.path().join("probecause.toml"), text).unwrap();
    let mut daemon = start(&directory).await;
    let own = |all: &[Value]| all.iter().find(|one| one["target"] == "(prober)").cloned();
    let before = own(&incidents_until(&daemon, |all| own(all).is_some()).await).unwrap();
    daemon.child.kill().await.unwrap();

    let daemon = start(&directory).await;
    let after = own(&incidents_until(&daemon, |_| true).await).unwrap();
    assert_eq!(after, before);
    // Every target fails anew, and none is blamed.
    let blamed = "cause=\"prober-local\",certainty=\"likely\"} 1";
    let metrics = daemon
        .metrics_until(|text| text.matches(blamed).count() == 8)
        .await;
    assert!(!metrics.contains("state=\"down\"} 1"), "{metrics}");
    let all = incidents_until(&daemon, |_| true).await;
    assert_eq!(own(&all).unwrap(), before);
}
