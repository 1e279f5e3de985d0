//! Start, scrape, good and bad reloads, signals and exit codes, with helpers for the other
//! modules.

use std::net::SocketAddr;

use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::support::loopback::serve;
use crate::support::process::{self, Daemon};

/// Serves an HTTP endpoint with one healthy and two failing routes. `/throttled` answers as
/// API Gateway does.
pub(crate) async fn endpoint() -> SocketAddr {
    let gateway = [
        ("content-type", "application/json"),
        ("apigw-requestid", "K2ZRZgLwoAMEbag="),
    ];
    let throttled = (
        StatusCode::SERVICE_UNAVAILABLE,
        gateway,
        r#"{"message":"Service Unavailable"}"#,
    );
    let router = axum::Router::new()
        .route("/ok", get(|| async { r#"{"status":"ok"}"# }))
        .route("/throttled", get(move || async move { throttled }))
        .route(
            "/teapot",
            get(|| async { (StatusCode::IM_A_TEAPOT, "short and stout") }),
        );
    serve(router).await
}

/// Returns a configuration that probes `routes` of `endpoint` every second.
pub(crate) fn config(endpoint: SocketAddr, routes: &[&str]) -> String {
    use std::fmt::Write as _;
    let mut text = String::from(
        "location = \"test\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [defaults]\ninterval = \"1s\"\ntimeout = \"20s\"\nconfirm_after = \"500ms\"\n",
    );
    for route in routes {
        write!(
            text,
            "[[target]]\nname = \"{route}\"\nurl = \"http://{endpoint}/{route}\"\nlabels = {{ team = \"shop\" }}\n"
        )
        .unwrap();
    }
    text
}

/// Reloads the daemon over HTTP. Returns the status and the body.
pub(crate) async fn reload(daemon: &Daemon) -> (u16, String) {
    let request = process::client().post(format!("{}/-/reload", daemon.url));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// The number of failed probes of `throttled` so far.
fn failures(metrics: &str) -> f64 {
    let lines = series(metrics, "probecause_probes_total", "throttled");
    let failed = lines.iter().find(|line| line.contains("failure")).unwrap();
    failed.rsplit(' ').next().unwrap().parse().unwrap()
}

/// The samples of the metric `name` for `target`.
pub(crate) fn series<'a>(metrics: &'a str, name: &str, target: &str) -> Vec<&'a str> {
    let labelled = format!("target=\"{target}\"");
    metrics
        .lines()
        .filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(&labelled))
        .collect()
}

#[tokio::test]
async fn each_failing_target_has_exactly_one_probable_cause() {
    let daemon = Daemon::start(&config(endpoint().await, &["ok", "throttled", "teapot"])).await;
    let metrics = daemon
        .metrics_until(|text| {
            series(text, "probecause_health", "throttled")
                .iter()
                .any(|line| line.contains("\"down\"") && line.ends_with(" 1"))
                && series(text, "probe_success", "ok").len() == 1
                && series(text, "probecause_probable_cause", "teapot").len() == 1
        })
        .await;
    let causes = series(&metrics, "probecause_probable_cause", "throttled");
    assert_eq!(causes.len(), 1, "{causes:?}");
    for wanted in [
        "lambda-throttled",
        "likely",
        "team=\"shop\"",
        "location=\"test\"",
    ] {
        assert!(causes[0].contains(wanted), "{causes:?}");
    }
    assert_eq!(series(&metrics, "probecause_probable_cause", "ok"), [""; 0]);
    let teapot = series(&metrics, "probecause_probable_cause", "teapot");
    assert!(teapot[0].contains("unexpected-status"), "{teapot:?}");
    assert!(series(&metrics, "probe_success", "ok")[0].ends_with(" 1"));
    assert!(metrics.contains("probecause_config_last_reload_successful 1"));
}

#[tokio::test]
async fn a_good_reload_keeps_counters_and_drops_the_series_of_removed_targets() {
    let endpoint = endpoint().await;
    let daemon = Daemon::start(&config(endpoint, &["throttled", "teapot"])).await;
    let metrics = daemon
        .metrics_until(|text| {
            series(text, "probe_success", "teapot").len() == 1 && failures(text) > 0.0
        })
        .await;
    std::fs::write(&daemon.config, config(endpoint, &["throttled", "ok"])).unwrap();
    let (status, text) = reload(&daemon).await;
    assert_eq!(
        (status, text.trim()),
        (200, "2 targets (1 added, 0 changed, 1 removed)")
    );
    let after = daemon.get("/metrics").await;
    assert!(
        !after.contains("teapot"),
        "the series of the removed target are still exported"
    );
    assert!(failures(&after) >= failures(&metrics));
}

#[tokio::test]
async fn a_failed_reload_keeps_the_configuration_and_returns_the_error() {
    let endpoint = endpoint().await;
    let mut daemon = Daemon::start(&config(endpoint, &["throttled"])).await;
    std::fs::write(&daemon.config, "[[target]]\nname = \"x\"\n").unwrap();
    let (status, text) = reload(&daemon).await;
    assert_eq!(status, 500);
    assert!(text.contains("url"), "{text}");
    let metrics = daemon.get("/metrics").await;
    assert!(metrics.contains("probecause_config_last_reload_successful 0"));
    let before = failures(&metrics);
    daemon.metrics_until(|text| failures(text) > before).await;

    // SIGHUP reloads as the endpoint does, and a valid file clears the failure.
    std::fs::write(&daemon.config, config(endpoint, &["throttled", "teapot"])).unwrap();
    daemon.signal("-HUP").await;
    daemon
        .metrics_until(|text| {
            let opened = "probecause_incident_start_timestamp_seconds";
            text.contains("probecause_config_last_reload_successful 1")
                && series(text, "probecause_probable_cause", "teapot").len() == 1
                && series(text, opened, "throttled").len() == 1
        })
        .await;

    assert_eq!(daemon.terminate().await, Some(0));
    let mut log = String::new();
    while let Some(line) = daemon.log.next_line().await.unwrap() {
        log.push_str(&line);
        log.push('\n');
    }
    for wanted in ["health changed", "incident opened", "reload failed"] {
        assert!(log.contains(wanted), "the log lacks `{wanted}`:\n{log}");
    }
}

#[tokio::test]
async fn the_api_reports_every_target() {
    let daemon = Daemon::start(&config(endpoint().await, &["ok", "throttled"])).await;
    daemon
        .metrics_until(|text| {
            series(
                text,
                "probecause_incident_start_timestamp_seconds",
                "throttled",
            )
            .len()
                == 1
                && series(text, "probe_success", "ok").len() == 1
        })
        .await;
    let targets: serde_json::Value =
        serde_json::from_str(&daemon.get("/api/v1/targets").await).unwrap();
    let of = |name: &str| {
        let found = targets
            .as_array()
            .unwrap()
            .iter()
            .find(|target| target["target"] == name);
        found.unwrap().clone()
    };
    let (ok, throttled) = (of("ok"), of("throttled"));
    assert_eq!(
        (&ok["health"], &ok["cause"]),
        (&"up".into(), &serde_json::Value::Null)
    );
    assert_eq!(throttled["cause"], "lambda-throttled");
    assert_eq!(throttled["request_id"], "K2ZRZgLwoAMEbag=");
    assert!(throttled["incident_id"].is_string(), "{throttled}");
    let incidents: serde_json::Value =
        serde_json::from_str(&daemon.get("/api/v1/incidents").await).unwrap();
    assert_eq!(incidents[0]["incident_id"], throttled["incident_id"]);
    let healthy = Command::new(env!("CARGO_BIN_EXE_probecause"))
        .args(["healthcheck", "--url", &daemon.url])
        .output()
        .await
        .unwrap();
    assert_eq!(healthy.status.code(), Some(0));
    for (path, wanted) in [
        ("/-/healthy", 200),
        ("/-/ready", 200),
        ("/", 200),
        ("/nothing", 404),
    ] {
        let (status, _) = process::get(&format!("{}{path}", daemon.url)).await;
        assert_eq!(status, wanted, "{path}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_a_clear_error() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("probecause.toml");
    let listen = taken.local_addr().unwrap();
    let text = format!(
        "[server]\nlisten = \"{listen}\"\n[[target]]\nname = \"a\"\nurl = \"http://{listen}/\"\n"
    );
    std::fs::write(&config, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_probecause"))
        .args(["run", "--config"])
        .arg(&config)
        .arg("--state")
        .arg(directory.path().join("state"))
        .env_remove("STATE_DIRECTORY")
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains(&format!("cannot listen on {listen}")),
        "{stderr}"
    );
}

#[tokio::test]
async fn a_closed_stdout_is_not_an_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_probecause"))
        .arg("explain")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
