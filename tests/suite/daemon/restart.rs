//! State that survives a restart: incidents, baselines and storms are restored from the
//! state directory, even after SIGKILL.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::mass_failure::unreachable_targets;
use crate::daemon::process::{reload, series};
use crate::support::loopback::serve;
use crate::support::process::{Daemon, PATIENCE, get};

/// The current behavior of the test endpoint, shared with the test.
#[derive(Clone, Debug, Default)]
struct Behavior(Arc<AtomicU8>);

const HEALTHY: u8 = 0;
const THROTTLED: u8 = 1;
const SILENT: u8 = 2;

impl Behavior {
    fn set(&self, behavior: u8) {
        self.0.store(behavior, Ordering::Relaxed);
    }

    async fn answer(self) -> axum::response::Response {
        let gateway = [
            ("content-type", "application/json"),
            ("apigw-requestid", "K2ZRZgLwoAMEbag="),
        ];
        // No answer until the behavior changes, so no probe has a result in the meantime.
        while self.0.load(Ordering::Relaxed) == SILENT {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (status, body) = match self.0.load(Ordering::Relaxed) {
            HEALTHY => (StatusCode::OK, "{}"),
            _ => (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"message":"Service Unavailable"}"#,
            ),
        };
        (status, gateway, body).into_response()
    }
}

/// Serves an endpoint whose behavior the test can change.
async fn endpoint() -> (SocketAddr, Behavior) {
    let behavior = Behavior::default();
    let answering = behavior.clone();
    let router = axum::Router::new().fallback(move || answering.clone().answer());
    (serve(router).await, behavior)
}

/// Creates a directory with a configuration of `targets` targets on `endpoint`.
fn directory_for(endpoint: SocketAddr, targets: usize) -> Arc<TempDir> {
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

/// Starts the daemon on the state in `directory` and waits until it is ready.
async fn start(directory: &Arc<TempDir>) -> Daemon {
    let state = directory.path().join("state");
    let (daemon, _) = Daemon::start_in(Arc::clone(directory), &state).await;
    let started = Instant::now();
    while get(&format!("{}/-/ready", daemon.url)).await.0 != 200 {
        assert!(
            started.elapsed() < PATIENCE,
            "the daemon did not become ready"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    daemon
}

async fn json(daemon: &Daemon, path: &str) -> Value {
    serde_json::from_str(&daemon.get(path).await).unwrap()
}

/// Polls the incidents until they meet `wanted`, and returns them.
async fn incidents_until(daemon: &Daemon, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let started = Instant::now();
    loop {
        let Value::Array(incidents) = json(daemon, "/api/v1/incidents").await else {
            panic!("the incidents are not a JSON array");
        };
        if wanted(&incidents) {
            return incidents;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "timed out; last incidents: {incidents:#?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_open_incident_survives_sigkill_and_is_resolved_by_recovery() {
    let (address, behavior) = endpoint().await;
    behavior.set(THROTTLED);
    let directory = directory_for(address, 1);
    let mut daemon = start(&directory).await;
    let before = incidents_until(&daemon, |all| all.len() == 1).await;
    daemon.child.kill().await.unwrap();

    behavior.set(SILENT);
    let mut daemon = start(&directory).await;
    let after = incidents_until(&daemon, |_| true).await;
    assert_eq!(
        after, before,
        "incidents changed before the first probe result"
    );
    let target = json(&daemon, "/api/v1/targets/t0").await;
    assert!(
        target["time"].is_null(),
        "the target was already probed: {target}"
    );
    assert!(target["cause"].is_null(), "{target}");
    let incident = &target["incident"];
    let restored = [
        &target["health"],
        &incident["incident_id"],
        &incident["cause"],
    ];
    let id = &before[0]["incident_id"];
    assert_eq!(restored, [&"down".into(), id, &"lambda-throttled".into()]);
    let metrics = daemon.get("/metrics").await;
    let shown = series(&metrics, "probecause_probable_cause", "t0");
    assert!(shown[0].contains("lambda-throttled"), "{shown:?}");
    assert!(
        daemon
            .get("/")
            .await
            .contains("not probed since the prober restarted")
    );

    // Further failures neither open nor change an incident; two successes resolve it.
    behavior.set(THROTTLED);
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
    behavior.set(HEALTHY);
    let resolved = incidents_until(&daemon, |all| !all[0]["resolved"].is_null()).await;
    assert_eq!((resolved.len(), &resolved[0]["incident_id"]), (1, id));
    daemon.child.kill().await.unwrap();

    let daemon = start(&directory).await;
    assert_eq!(
        incidents_until(&daemon, |_| true).await,
        resolved,
        "the resolved incident changed on restart"
    );
}

#[tokio::test]
async fn the_incident_of_a_removed_target_is_resolved() {
    let (address, behavior) = endpoint().await;
    behavior.set(THROTTLED);
    let directory = directory_for(address, 3);
    let mut daemon = start(&directory).await;
    incidents_until(&daemon, |all| all.len() == 3).await;
    // One target is removed by a reload, another one while the daemon is stopped.
    write(&directory, address, 2);
    assert_eq!(reload(&daemon).await.0, 200);
    daemon.child.kill().await.unwrap();
    write(&directory, address, 1);
    let daemon = start(&directory).await;
    let incidents = incidents_until(&daemon, |_| true).await;
    let resolved = |name: &str| {
        let found = incidents.iter().find(|one| one["target"] == name);
        !found.unwrap()["resolved"].is_null()
    };
    assert_eq!(incidents.len(), 3, "{incidents:#?}");
    assert_eq!(
        (resolved("t0"), resolved("t1"), resolved("t2")),
        (false, true, true)
    );
}

#[tokio::test]
async fn baselines_survive_a_restart() {
    let (address, _) = endpoint().await;
    let directory = directory_for(address, 1);
    let mut counts = Vec::new();
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
        counts.push(learned[0].learned.healthy.len());
    }
    // Fewer than six is allowed: timings measured while the daemon lags are excluded.
    assert!(counts[0] >= 1, "{counts:?}");
    assert!(
        counts[1] > counts[0],
        "the baseline did not grow after the restart: {counts:?}"
    );
}

/// Reads the baselines from the state directory.
async fn learned(directory: &TempDir) -> Vec<probecause::io::store::StoredBaseline> {
    let metrics = probecause::io::sink::daemon_metrics::DaemonMetrics::new().unwrap();
    let state = directory.path().join("state");
    let opened = probecause::io::store::Store::open(&state, metrics.store_metrics());
    let (store, memory) = opened.await;
    store.close().await;
    memory.baselines
}

#[tokio::test]
async fn a_mass_failure_opens_a_group_incident_that_survives_a_restart() {
    let (address, behavior) = endpoint().await;
    behavior.set(THROTTLED);
    let directory = directory_for(address, 120);
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
    assert_eq!(
        after.len(),
        121,
        "an incident was opened again after the restart"
    );
    behavior.set(HEALTHY);
    let resolved = incidents_until(&daemon, |all| {
        all.iter().all(|one| !one["resolved"].is_null())
    });
    let resolved = group(&resolved.await).unwrap();
    let note = resolved["history"][1]["note"].as_str().unwrap();
    assert_eq!(
        note,
        "the group has dissolved; 49 of its targets still fail individually"
    );
}

#[tokio::test]
async fn an_unusable_state_directory_is_logged_once_and_monitoring_continues() {
    let (address, behavior) = endpoint().await;
    behavior.set(THROTTLED);
    let directory = directory_for(address, 1);
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
async fn a_prober_incident_survives_a_restart() {
    let text = unreachable_targets("127.0.2", 2, 1);
    let directory = Arc::new(tempfile::tempdir().unwrap());
    std::fs::write(directory.path().join("probecause.toml"), text).unwrap();
    let mut daemon = start(&directory).await;
    let prober_incident =
        |all: &[Value]| all.iter().find(|one| one["target"] == "(prober)").cloned();
    let before =
        prober_incident(&incidents_until(&daemon, |all| prober_incident(all).is_some()).await)
            .unwrap();
    daemon.child.kill().await.unwrap();

    let daemon = start(&directory).await;
    let after = prober_incident(&incidents_until(&daemon, |_| true).await).unwrap();
    assert_eq!(after, before);
    // Every target fails again, and the prober is still the named cause.
    let prober_cause = "cause=\"prober-local\",certainty=\"likely\"} 1";
    let metrics = daemon
        .metrics_until(|text| text.matches(prober_cause).count() == 8)
        .await;
    assert!(!metrics.contains("state=\"down\"} 1"), "{metrics}");
    let all = incidents_until(&daemon, |_| true).await;
    assert_eq!(prober_incident(&all).unwrap(), before);
}
