//! The daemon as a process that a test kills and restarts on the same state.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// The daemon's configuration file and state directory, deleted when dropped.
pub(crate) struct DaemonFiles {
    directory: tempfile::TempDir,
}

/// A running daemon; killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    url: String,
    client: reqwest::Client,
    log: Arc<Mutex<Vec<String>>>,
}

/// Time limit for one wait, such as for readiness or for the exit.
const PATIENCE: Duration = Duration::from_secs(60);

impl DaemonFiles {
    pub(crate) fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let files = Self { directory };
        files.configure(config);
        files
    }

    /// Replaces the configuration file.
    pub(crate) fn configure(&self, config: &str) {
        std::fs::write(self.config(), config).unwrap();
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.directory.path().join("probecause.toml")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }
}

impl Daemon {
    /// Starts the daemon and waits until it is ready.
    pub(crate) async fn start(files: &DaemonFiles) -> Self {
        let mut child = command(&files.config())
            .env("STATE_DIRECTORY", files.state())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let url = loop {
            let line = lines
                .next_line()
                .await
                .unwrap()
                .expect("the daemon exited before it was ready");
            let page = line.split_once("page at ").map(|(_, rest)| rest.to_owned());
            log.lock().unwrap().push(line);
            if let Some(page) = page {
                let url = page.split_whitespace().next().unwrap();
                break url.trim_end_matches('/').to_owned();
            }
        };
        let log_writer = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                log_writer.lock().unwrap().push(line);
            }
        });
        // reqwest needs a crypto provider to build a client, even for plain HTTP.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let daemon = Self {
            child,
            url,
            client,
            log,
        };
        wait_until("ready", async || daemon.is_ready().await).await;
        daemon
    }

    async fn is_ready(&self) -> bool {
        let response = self
            .client
            .get(format!("{}/-/ready", self.url))
            .send()
            .await;
        response.unwrap().status().is_success()
    }

    /// Log lines that contain a text.
    pub(crate) fn log_lines_containing(&self, text: &str) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter()
            .filter(|line| line.contains(text))
            .cloned()
            .collect()
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        let response = self.client.get(format!("{}{path}", self.url)).send();
        response.await.unwrap().text().await.unwrap()
    }

    /// The value in `/metrics` of the first line that starts with `series`; 0 without one.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let metrics = self.get("/metrics").await;
        metric_value(&metrics, series)
    }

    /// Waits until a metric has at least this value.
    pub(crate) async fn wait_for_metric(&self, series: &str, least: usize) {
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let least = least as f64;
        wait_until(series, async || self.metric(series).await >= least).await;
    }

    /// The incidents that `/api/v1/incidents` lists.
    pub(crate) async fn incidents(&self) -> Vec<Value> {
        serde_json::from_str(&self.get("/api/v1/incidents").await).unwrap()
    }

    /// Reloads the configuration over HTTP.
    pub(crate) async fn reload(&self) {
        let response = self.client.post(format!("{}/-/reload", self.url)).send();
        assert!(response.await.unwrap().status().is_success());
    }

    /// Resident memory in MiB.
    pub(crate) fn memory(&self) -> f64 {
        self.proc_status("VmRSS:") / 1024.0
    }

    /// Current number of threads.
    pub(crate) fn threads(&self) -> f64 {
        self.proc_status("Threads:")
    }

    /// Current number of open file descriptors.
    pub(crate) fn descriptors(&self) -> f64 {
        let folder = format!("/proc/{}/fd", self.child.id().unwrap());
        let count = std::fs::read_dir(folder).unwrap().count();
        f64::from(u32::try_from(count).unwrap())
    }

    /// A number of `/proc/PID/status`.
    fn proc_status(&self, name: &str) -> f64 {
        let status = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.unwrap().split_whitespace().nth(1).unwrap();
        number.parse().unwrap()
    }

    /// Kills the daemon with SIGKILL.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends SIGTERM and returns the exit code.
    pub(crate) async fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(sent.unwrap().success());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.unwrap().unwrap().code()
    }
}

/// The value of the first line of `metrics` that starts with `series`; 0 without one.
pub(crate) fn metric_value(metrics: &str, series: &str) -> f64 {
    let rest = metrics.lines().find_map(|line| line.strip_prefix(series));
    rest.map_or(0.0, |rest| rest.trim().parse().unwrap())
}

/// Waits until a condition holds, for at most a minute.
pub(crate) async fn wait_until(what: &str, condition: impl AsyncFn() -> bool) {
    wait_until_within(what, PATIENCE, condition).await;
}

/// Waits until a condition holds, for at most `patience`; `what` names it in the error.
pub(crate) async fn wait_until_within(
    what: &str,
    patience: Duration,
    condition: impl AsyncFn() -> bool,
) {
    let started = Instant::now();
    while !condition().await {
        assert!(
            started.elapsed() < patience,
            "timed out waiting for: {what}"
        );
        sleep(Duration::from_millis(200)).await;
    }
}

/// The command that runs the daemon, with credentials that the emulator accepts.
fn command(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_probecause"));
    command
        .args(["run", "--config"])
        .arg(config)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    command
}
