//! No secret appears in any output of the program.
//!
//! The tests planted a secret in every setting that takes one. The targets are hostile and echo
//! each request in headers, bodies and redirects. Then logs at level `trace`, command output,
//! pages, metrics, CloudWatch requests and the state directory are searched for the secrets.

mod planted;

use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use planted::{PlantedSecrets, VIEWER};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

/// How long to wait for a condition. Only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The collected outputs: where each one comes from, and its text.
#[derive(Default)]
struct Outputs(Vec<(String, String)>);

impl Outputs {
    /// Runs a command of the program and adds its output, which must not be empty.
    async fn add_command(&mut self, planted: &PlantedSecrets, arguments: &[&str]) {
        let Output { stdout, stderr, .. } =
            planted.command().args(arguments).output().await.unwrap();
        let text = [stdout, stderr].concat();
        assert!(!text.is_empty(), "{arguments:?} printed nothing");
        let text = String::from_utf8_lossy(&text).into_owned();
        self.0.push((arguments.join(" "), text));
    }

    /// Adds all files in `folder`, recursively.
    fn add_files(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.add_files(&path);
            } else {
                let text = std::fs::read(&path).unwrap();
                let text = String::from_utf8_lossy(&text).into_owned();
                self.0.push((path.display().to_string(), text));
            }
        }
    }

    /// Lists the secrets that appear in an output, with the text before them.
    fn leaks(&self, planted: &PlantedSecrets) -> Vec<String> {
        let mut leaks = Vec::new();
        for (place, secret) in &planted.secrets {
            for (output, text) in &self.0 {
                if let Some(at) = text.find(secret) {
                    let before: String = text[..at].chars().rev().take(120).collect();
                    let before: String = before.chars().rev().collect();
                    leaks.push(format!("{place} in {output}: …{before}"));
                }
            }
        }
        leaks
    }
}

/// A running daemon and its log.
struct Daemon {
    child: Child,
    log: Arc<Mutex<String>>,
    url: String,
    client: reqwest::Client,
}

impl Daemon {
    async fn start(planted: &PlantedSecrets) -> Self {
        let mut child = planted
            .command()
            .args(["run", "--config", "probecause.toml", "--state", "state"])
            .current_dir(planted.directory.path())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let into = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let mut log = into.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let started = Instant::now();
        let url = loop {
            let found = page(&log.lock().unwrap());
            if let Some(found) = found {
                break found;
            }
            assert!(started.elapsed() < PATIENCE, "{}", log.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy();
        let client = client.danger_accept_invalid_certs(true).build().unwrap();
        Self {
            child,
            log,
            url,
            client,
        }
    }

    async fn get(&self, path: &str) -> String {
        let request = self.client.get(format!("{}{path}", self.url));
        let request = request.basic_auth(VIEWER.0, Some(VIEWER.1));
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.unwrap()
    }

    /// Waits until every target is down and an alarm is written.
    async fn until_published(&self, planted: &PlantedSecrets) {
        let started = Instant::now();
        let targets = planted.secrets.len();
        assert!(targets > 10, "too few secrets are planted");
        loop {
            let metrics = self.get("/metrics").await;
            let down = |line: &&str| {
                line.starts_with("probecause_health{")
                    && line.contains("\"down\"")
                    && line.ends_with(" 1")
            };
            let probed = metrics
                .lines()
                .filter(|line| line.starts_with("probe_success{"))
                .count();
            let down = metrics.lines().filter(down).count();
            let alarms = planted
                .published
                .lock()
                .unwrap()
                .matches("AlarmName")
                .count();
            if down > 0 && down == probed && alarms > 0 {
                return;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{down} of {probed} targets down, {alarms} alarms written"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Finds the URL of the page in the log.
fn page(log: &str) -> Option<String> {
    let rest = log.split_once("page at ")?.1;
    let url = rest.split([' ', '\n', '"', '\\']).next()?;
    Some(url.trim_end_matches('/').to_owned())
}

/// Collects the output of the commands that exit on their own.
async fn commands(planted: &PlantedSecrets, outputs: &mut Outputs) {
    let config = planted.path("probecause.toml").display().to_string();
    outputs.add_command(planted, &["check", &config]).await;
    let wrong = planted.path("wrong.toml").display().to_string();
    outputs.add_command(planted, &["check", &wrong]).await;
    for name in ["bearer", "basic", "sigv4", "redirected", "query", "body"] {
        let arguments = ["probe", "--config", &config, "--target", name];
        outputs.add_command(planted, &arguments).await;
        outputs
            .add_command(planted, &[&arguments[..], &["--json"]].concat())
            .await;
    }
    outputs
        .add_command(planted, &["alarms", "plan", "--config", &config])
        .await;
}

/// Collects the responses of a daemon.
async fn pages(daemon: &Daemon, outputs: &mut Outputs) {
    let mut paths: Vec<String> = ["/", "/causes", "/metrics", "/-/ready"]
        .map(str::to_owned)
        .into();
    paths.extend(["targets", "incidents", "causes"].map(|what| format!("/api/v1/{what}")));
    let listed = daemon.get("/api/v1/targets").await;
    for name in ["bearer", "basic", "sigv4", "redirected", "query", "body"] {
        assert!(listed.contains(name), "{listed}");
        paths.push(format!("/targets/{name}"));
        paths.push(format!("/api/v1/targets/{name}"));
    }
    for path in paths {
        let text = daemon.get(&path).await;
        outputs.0.push((path, text));
    }
}

/// Collects all outputs with the given log format.
async fn all_outputs(log_format: &str) -> (PlantedSecrets, Outputs) {
    let planted = PlantedSecrets::new(log_format).await;
    let mut outputs = Outputs::default();
    commands(&planted, &mut outputs).await;
    let mut daemon = Daemon::start(&planted).await;
    daemon.until_published(&planted).await;
    pages(&daemon, &mut outputs).await;
    let pid = daemon.child.id().unwrap().to_string();
    let kill = tokio::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status();
    assert!(kill.await.unwrap().success());
    let ended = tokio::time::timeout(PATIENCE, daemon.child.wait()).await;
    assert!(ended.expect("the daemon did not exit").unwrap().success());
    let log = daemon.log.lock().unwrap().clone();
    assert!(log.len() > 10_000, "the log is not at level trace");
    outputs.0.push(("the log".to_owned(), log));
    let published = planted.published.lock().unwrap().clone();
    assert!(published.contains("AlarmName"), "no alarm was written");
    outputs.0.push(("CloudWatch".to_owned(), published));
    outputs.add_files(&planted.path("state"));
    (planted, outputs)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_appears_in_any_output() {
    let (human, json) = tokio::join!(all_outputs("human"), all_outputs("json"));
    for (planted, outputs) in [human, json] {
        // The target's echo of the secrets reached an output, redacted.
        let echoed = outputs.0.iter().any(|(_, text)| text.contains("[secret]"));
        assert!(echoed, "no output contains an echoed secret");
        let leaks = outputs.leaks(&planted);
        assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    }
}
