//! A secret in each place that holds one, and a look at everything that the program says.
//!
//! Targets are hostile: what is sent to them comes back in their headers, bodies and
//! redirects. Whatever is logged, shown, exported, published or kept is searched for all of
//! the planted texts, at the most talkative level.

mod plant;

use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use plant::{Plant, VIEWER};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

/// How long the program may take to do what is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything said so far, by where it was said.
#[derive(Default)]
struct Said(Vec<(String, String)>);

impl Said {
    /// A program's whole output; it must have said something.
    async fn by(&mut self, plant: &Plant, arguments: &[&str]) {
        let Output { stdout, stderr, .. } = plant.command().args(arguments).output().await.unwrap();
        let told = [stdout, stderr].concat();
        assert!(!told.is_empty(), "{arguments:?} says nothing");
        let told = String::from_utf8_lossy(&told).into_owned();
        self.0.push((arguments.join(" "), told));
    }

    /// All files below a folder.
    fn kept(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.kept(&path);
            } else {
                let text = std::fs::read(&path).unwrap();
                let text = String::from_utf8_lossy(&text).into_owned();
                self.0.push((path.display().to_string(), text));
            }
        }
    }

    /// Which secret shows where.
    fn leaks(&self, plant: &Plant) -> Vec<String> {
        let mut leaks = Vec::new();
        for (place, secret) in &plant.secrets {
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

/// A daemon, with what it logs.
struct Daemon {
    child: Child,
    log: Arc<Mutex<String>>,
    url: String,
    client: reqwest::Client,
}

impl Daemon {
    async fn start(plant: &Plant) -> Self {
        let mut child = plant
            .command()
            .args(["run", "--config", "probecause.toml", "--state", "state"])
            .current_dir(plant.directory.path())
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
        let begun = Instant::now();
        let url = loop {
            let found = page(&log.lock().unwrap());
            if let Some(found) = found {
                break found;
            }
            assert!(begun.elapsed() < PATIENCE, "{}", log.lock().unwrap());
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

    /// Waits until every target is down and its alarm is written.
    async fn until_told(&self, plant: &Plant) {
        let begun = Instant::now();
        let targets = plant.secrets.len();
        assert!(targets > 10, "nothing is planted");
        loop {
            let metrics = self.get("/metrics").await;
            let down = |line: &&str| {
                line.starts_with("probecause_health{")
                    && line.contains("\"down\"")
                    && line.ends_with(" 1")
            };
            let wanted = metrics
                .lines()
                .filter(|line| line.starts_with("probe_success{"))
                .count();
            let down = metrics.lines().filter(down).count();
            let told = plant.published.lock().unwrap().matches("AlarmName").count();
            if down > 0 && down == wanted && told > 0 {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{down} of {wanted} down, {told} told"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Where a log says that the page is.
fn page(log: &str) -> Option<String> {
    let rest = log.split_once("page at ")?.1;
    let url = rest.split([' ', '\n', '"', '\\']).next()?;
    Some(url.trim_end_matches('/').to_owned())
}

/// What the commands say that end by themselves.
async fn commands(plant: &Plant, said: &mut Said) {
    let config = plant.path("probecause.toml").display().to_string();
    said.by(plant, &["check", &config]).await;
    let wrong = plant.path("wrong.toml").display().to_string();
    said.by(plant, &["check", &wrong]).await;
    for name in ["bearer", "basic", "sigv4", "redirected", "query", "body"] {
        let arguments = ["probe", "--config", &config, "--target", name];
        said.by(plant, &arguments).await;
        said.by(plant, &[&arguments[..], &["--json"]].concat())
            .await;
    }
    said.by(plant, &["alarms", "plan", "--config", &config])
        .await;
}

/// What a daemon serves.
async fn pages(daemon: &Daemon, said: &mut Said) {
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
        let told = daemon.get(&path).await;
        said.0.push((path, told));
    }
}

async fn everything_said(log_format: &str) -> (Plant, Said) {
    let plant = Plant::new(log_format).await;
    let mut said = Said::default();
    commands(&plant, &mut said).await;
    let mut daemon = Daemon::start(&plant).await;
    daemon.until_told(&plant).await;
    pages(&daemon, &mut said).await;
    let pid = daemon.child.id().unwrap().to_string();
    let kill = tokio::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status();
    assert!(kill.await.unwrap().success());
    let ended = tokio::time::timeout(PATIENCE, daemon.child.wait()).await;
    assert!(ended.expect("it ends").unwrap().success());
    let log = daemon.log.lock().unwrap().clone();
    assert!(log.len() > 10_000, "the log is not at its most talkative");
    said.0.push(("the log".to_owned(), log));
    let published = plant.published.lock().unwrap().clone();
    assert!(published.contains("AlarmName"), "no alarm");
    said.0.push(("CloudWatch".to_owned(), published));
    said.kept(&plant.path("state"));
    (plant, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_shows_in_any_output() {
    let (human, json) = tokio::join!(everything_said("human"), everything_said("json"));
    for (plant, said) in [human, json] {
        // The hostile target did repeat what it was told.
        let echoed = said.0.iter().any(|(_, text)| text.contains("[secret]"));
        assert!(echoed, "nothing came back");
        let leaks = said.leaks(&plant);
        assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    }
}
