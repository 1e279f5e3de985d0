//! The daemon as a process that can be killed and started again on the same state.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// A configuration and a state directory.
pub(crate) struct Home {
    directory: tempfile::TempDir,
}

/// A running daemon; killed when dropped.
pub(crate) struct Prober {
    child: Child,
    url: String,
    client: reqwest::Client,
    log: Arc<Mutex<Vec<String>>>,
}

/// How long it may take to be there, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

impl Home {
    pub(crate) fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("probecause.toml"), config).unwrap();
        Self { directory }
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.directory.path().join("probecause.toml")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }
}

impl Prober {
    /// Starts the daemon and waits until it is ready.
    pub(crate) async fn start(home: &Home) -> Self {
        let mut child = command(&home.config())
            .env("STATE_DIRECTORY", home.state())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let url = loop {
            let line = lines.next_line().await.unwrap().expect("the daemon ended");
            let page = line.split_once("page at ").map(|(_, rest)| rest.to_owned());
            log.lock().unwrap().push(line);
            if let Some(page) = page {
                let url = page.split_whitespace().next().unwrap();
                break url.trim_end_matches('/').to_owned();
            }
        };
        let kept = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                kept.lock().unwrap().push(line);
            }
        });
        // Building a client needs a provider, though nothing here speaks TLS.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let prober = Self {
            child,
            url,
            client,
            log,
        };
        until("ready", async || prober.is_ready().await).await;
        prober
    }

    async fn is_ready(&self) -> bool {
        let answer = self
            .client
            .get(format!("{}/-/ready", self.url))
            .send()
            .await;
        answer.unwrap().status().is_success()
    }

    /// Lines of its log that have this in them.
    pub(crate) fn said(&self, words: &str) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter().filter(|l| l.contains(words)).cloned().collect()
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        let answer = self.client.get(format!("{}{path}", self.url)).send();
        answer.await.unwrap().text().await.unwrap()
    }

    /// One value of `/metrics`, by the beginning of its line; 0 where there is none.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let metrics = self.get("/metrics").await;
        value(&metrics, series)
    }

    /// Waits until a metric has at least this value.
    pub(crate) async fn metric_until(&self, series: &str, least: usize) {
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let least = least as f64;
        until(series, async || self.metric(series).await >= least).await;
    }

    /// Every incident that it shows.
    pub(crate) async fn incidents(&self) -> Vec<Value> {
        serde_json::from_str(&self.get("/api/v1/incidents").await).unwrap()
    }

    /// Reads the configuration anew.
    pub(crate) async fn reload(&self) {
        let answer = self.client.post(format!("{}/-/reload", self.url)).send();
        assert!(answer.await.unwrap().status().is_success());
    }

    /// Resident memory in MiB.
    pub(crate) fn memory(&self) -> f64 {
        self.status("VmRSS:") / 1024.0
    }

    /// Threads at this moment.
    pub(crate) fn threads(&self) -> f64 {
        self.status("Threads:")
    }

    /// Open file descriptors at this moment.
    pub(crate) fn descriptors(&self) -> f64 {
        let folder = format!("/proc/{}/fd", self.child.id().unwrap());
        let count = std::fs::read_dir(folder).unwrap().count();
        f64::from(u32::try_from(count).unwrap())
    }

    /// A number of `/proc/PID/status`.
    fn status(&self, name: &str) -> f64 {
        let status = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.unwrap().split_whitespace().nth(1).unwrap();
        number.parse().unwrap()
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM; returns the exit code.
    pub(crate) async fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(sent.unwrap().success());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.unwrap().unwrap().code()
    }
}

/// One value of a text of metrics, by the beginning of its line; 0 where there is none.
pub(crate) fn value(metrics: &str, series: &str) -> f64 {
    let rest = metrics.lines().find_map(|line| line.strip_prefix(series));
    rest.map_or(0.0, |rest| rest.trim().parse().unwrap())
}

/// Waits for something, up to a minute.
pub(crate) async fn until(what: &str, wanted: impl AsyncFn() -> bool) {
    until_within(what, PATIENCE, wanted).await;
}

/// Waits for something, up to some time.
pub(crate) async fn until_within(what: &str, patience: Duration, wanted: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !wanted().await {
        assert!(begun.elapsed() < patience, "waited in vain: {what}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// The daemon's command line, with credentials that every emulator takes.
fn command(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_probecause"));
    command
        .args(["run", "--config"])
        .arg(config)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    command
}
