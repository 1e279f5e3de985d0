//! A target whose URL a reload changes.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::process::{endpoint, reload, series};
use crate::support::process::{Daemon, PATIENCE};

/// A configuration with one target that is probed once an hour, after its first probes.
fn config(url: &str) -> String {
    format!(
        "location = \"test\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [defaults]\ninterval = \"1h\"\ntimeout = \"10m\"\nconfirm_after = \"500ms\"\n\
         [[target]]\nname = \"shop\"\nurl = \"{url}\"\n"
    )
}

async fn json(daemon: &Daemon, path: &str) -> Value {
    serde_json::from_str(&daemon.get(path).await).unwrap()
}

#[tokio::test]
async fn it_starts_anew_and_is_probed_at_once() {
    let endpoint = endpoint().await;
    let daemon = Daemon::start(&config(&format!("http://{endpoint}/throttled"))).await;
    let is_down = |text: &str| {
        let health = series(text, "probecause_health", "shop");
        health
            .iter()
            .any(|line| line.contains("\"down\"") && line.ends_with(" 1"))
    };
    daemon.metrics_until(is_down).await;

    let moved = config(&format!("http://{endpoint}/ok"));
    std::fs::write(&daemon.config, moved).unwrap();
    let (status, text) = reload(&daemon).await;
    assert_eq!(
        (status, text.trim()),
        (200, "1 target (0 added, 1 changed, 0 removed)")
    );
    let metrics = daemon
        .metrics_until(|text| series(text, "probe_success", "shop").len() == 1 && !is_down(text))
        .await;
    assert!(
        series(&metrics, "probe_success", "shop")[0].ends_with(" 1"),
        "{metrics}"
    );
    for name in ["probecause_failures_total", "probecause_probable_cause"] {
        assert_eq!(series(&metrics, name, "shop"), [""; 0], "{name}");
    }
    let failed = series(&metrics, "probecause_probes_total", "shop");
    assert!(
        failed
            .iter()
            .any(|line| line.contains("failure") && line.ends_with(" 0"))
    );
    let incidents = json(&daemon, "/api/v1/incidents").await;
    assert_eq!(incidents.as_array().unwrap().len(), 1, "{incidents}");
    assert!(incidents[0]["resolved"].is_string(), "{incidents}");
    assert!(
        incidents.to_string().contains("the target's URL changed"),
        "{incidents}"
    );
    let target = json(&daemon, "/api/v1/targets/shop").await;
    assert!(target["incident_id"].is_null(), "{target}");
}

#[tokio::test]
async fn a_probe_of_the_old_url_that_still_waits_does_not_delay_the_new_one() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let daemon = Daemon::start(&config(&format!(
        "http://{}/",
        silent.local_addr().unwrap()
    )))
    .await;
    let (_held, _) = silent.accept().await.unwrap();
    let endpoint = endpoint().await;
    std::fs::write(&daemon.config, config(&format!("http://{endpoint}/ok"))).unwrap();
    let started = Instant::now();
    assert_eq!(reload(&daemon).await.0, 200);
    daemon
        .metrics_until(|text| {
            series(text, "probe_success", "shop")
                .iter()
                .any(|line| line.ends_with(" 1"))
        })
        .await;
    // The probe of the old URL would wait for ten minutes.
    assert!(started.elapsed() < PATIENCE + Duration::from_secs(60));
}
