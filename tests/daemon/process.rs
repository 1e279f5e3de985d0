//! The daemon as a process: start, scrape, reload good and bad, signals, exit codes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::routing::get;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStderr, Command};

/// How long the daemon may take to do what a test waits for: generous, since these tests
/// say that it happens, not how fast.
const PATIENCE: Duration = Duration::from_secs(30);

/// A plain endpoint with a good and two bad routes, in the gateway's own words.
async fn endpoint() -> SocketAddr {
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
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

struct Daemon {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    url: String,
    config: PathBuf,
    _directory: tempfile::TempDir,
}

fn write_config(path: &Path, endpoint: SocketAddr, routes: &[&str]) {
    use std::fmt::Write as _;
    let mut text = String::from(
        "location = \"test\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [defaults]\ninterval = \"1s\"\ntimeout = \"900ms\"\nconfirm_after = \"500ms\"\n",
    );
    for route in routes {
        write!(
            text,
            "[[target]]\nname = \"{route}\"\nurl = \"http://{endpoint}/{route}\"\nlabels = {{ team = \"shop\" }}\n"
        )
        .unwrap();
    }
    std::fs::write(path, text).unwrap();
}

impl Daemon {
    async fn start(endpoint: SocketAddr, routes: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("probecause.toml");
        write_config(&config, endpoint, routes);
        let mut child = Command::new(env!("CARGO_BIN_EXE_probecause"))
            .args(["run", "--config"])
            .arg(&config)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = loop {
            let line = log.next_line().await.unwrap().expect("the daemon ended");
            if let Some((_, rest)) = line.split_once("page at ") {
                break rest
                    .split_whitespace()
                    .next()
                    .unwrap()
                    .trim_end_matches('/')
                    .to_owned();
            }
        };
        Self {
            child,
            log,
            url,
            config,
            _directory: directory,
        }
    }

    async fn get(&self, path: &str) -> String {
        reqwest_get(&format!("{}{path}", self.url)).await.1
    }

    /// Waits until `/metrics` has what is wanted.
    async fn metrics_until(&self, wanted: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let metrics = self.get("/metrics").await;
            if wanted(&metrics) {
                return metrics;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "waited in vain; last:\n{metrics}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn reload(&self) -> (u16, String) {
        let client = client();
        let response = client
            .post(format!("{}/-/reload", self.url))
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let status = Command::new("kill")
            .args([name, &pid])
            .status()
            .await
            .unwrap();
        assert!(status.success());
    }
}

fn client() -> reqwest::Client {
    // The process's default provider decides which TLS the plain client would use.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn reqwest_get(url: &str) -> (u16, String) {
    let response = client().get(url).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

fn series<'a>(metrics: &'a str, name: &str, target: &str) -> Vec<&'a str> {
    let labelled = format!("target=\"{target}\"");
    metrics
        .lines()
        .filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(&labelled))
        .collect()
}

#[tokio::test]
async fn a_daemon_names_causes_reloads_and_ends_well() {
    let endpoint = endpoint().await;
    let mut daemon = Daemon::start(endpoint, &["ok", "throttled", "teapot"]).await;

    let metrics = daemon
        .metrics_until(|text| {
            text.contains(r#"state="down""#)
                && series(text, "probecause_health", "throttled")
                    .iter()
                    .any(|line| line.contains("\"down\"") && line.ends_with(" 1"))
                && series(text, "probe_success", "ok").len() == 1
                && series(text, "probecause_probable_cause", "teapot").len() == 1
        })
        .await;
    let causes = series(&metrics, "probecause_probable_cause", "throttled");
    assert_eq!(causes.len(), 1, "{causes:?}");
    assert!(
        causes[0].contains("lambda-throttled") && causes[0].contains("likely"),
        "{causes:?}"
    );
    assert!(causes[0].contains("team=\"shop\"") && causes[0].contains("location=\"test\""));
    assert_eq!(series(&metrics, "probecause_probable_cause", "ok"), [""; 0]);
    let teapot = series(&metrics, "probecause_probable_cause", "teapot");
    assert!(teapot[0].contains("unexpected-status"), "{teapot:?}");
    assert!(series(&metrics, "probe_success", "ok")[0].ends_with(" 1"));
    assert!(metrics.contains("probecause_config_last_reload_successful 1"));

    // A good reload: one target goes, its series with it; the others keep their counters.
    let probes = |text: &str| {
        let lines = series(text, "probecause_probes_total", "throttled");
        let failed = lines.iter().find(|line| line.contains("failure")).unwrap();
        failed.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let before = probes(&metrics);
    write_config(&daemon.config, endpoint, &["ok", "throttled"]);
    let (status, text) = daemon.reload().await;
    assert_eq!(
        (status, text.trim()),
        (200, "2 targets (0 added, 0 changed, 1 removed)")
    );
    let metrics = daemon.get("/metrics").await;
    assert!(
        !metrics.contains("teapot"),
        "series of a removed target are left"
    );
    assert!(probes(&metrics) >= before);

    // A bad one: the old configuration goes on, and everybody is told.
    std::fs::write(&daemon.config, "[[target]]\nname = \"x\"\n").unwrap();
    let (status, text) = daemon.reload().await;
    assert_eq!(status, 500);
    assert!(text.contains("url"), "{text}");
    let metrics = daemon.get("/metrics").await;
    assert!(metrics.contains("probecause_config_last_reload_successful 0"));
    let before = probes(&metrics);
    daemon.metrics_until(|text| probes(text) > before).await;

    // SIGHUP does the same as the endpoint.
    write_config(&daemon.config, endpoint, &["ok", "throttled", "teapot"]);
    daemon.signal("-HUP").await;
    daemon
        .metrics_until(|text| {
            text.contains("probecause_config_last_reload_successful 1")
                && series(text, "probecause_probable_cause", "teapot").len() == 1
        })
        .await;

    daemon.signal("-TERM").await;
    let ended = tokio::time::timeout(PATIENCE, daemon.child.wait()).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(0));
    let mut log = String::new();
    while let Some(line) = daemon.log.next_line().await.unwrap() {
        log.push_str(&line);
        log.push('\n');
    }
    for wanted in ["health changed", "incident opened", "configuration refused"] {
        assert!(log.contains(wanted), "the log lacks `{wanted}`:\n{log}");
    }
}

#[tokio::test]
async fn the_api_speaks_of_every_target() {
    let daemon = Daemon::start(endpoint().await, &["ok", "throttled"]).await;
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
        let (status, _) = reqwest_get(&format!("{}{path}", daemon.url)).await;
        assert_eq!(status, wanted, "{path}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_said_clearly() {
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
