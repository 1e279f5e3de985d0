//! Starts the daemon as a process, scrapes it and sends it signals.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

/// Time limit of one wait for the daemon. It is generous, since these tests check that
/// something happens, not how fast.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running daemon; killed when dropped.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) log: Lines<BufReader<ChildStderr>>,
    pub(crate) url: String,
    pub(crate) config: PathBuf,
    /// Holds the configuration and the state. Shared by all daemons started on it.
    _directory: Arc<TempDir>,
}

impl Daemon {
    /// Starts a daemon and waits until it logs the URL of its page.
    pub(crate) async fn start(config_text: &str) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let config = directory.path().join("probecause.toml");
        std::fs::write(&config, config_text).unwrap();
        let state = directory.path().join("state");
        Self::start_in(directory, &state).await.0
    }

    /// Starts a daemon with the configuration in `directory` and its state in `state`. Also
    /// returns its log up to the line with the URL of its page.
    pub(crate) async fn start_in(directory: Arc<TempDir>, state: &Path) -> (Self, String) {
        let config = directory.path().join("probecause.toml");
        let mut child = Command::new(env!("CARGO_BIN_EXE_probecause"))
            .args(["run", "--config"])
            .arg(&config)
            .arg("--state")
            .arg(state)
            .env_remove("STATE_DIRECTORY")
            // The emulator accepts any credentials. Without CloudWatch the daemon reads none.
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut startup_log = String::new();
        let url = loop {
            let line = log
                .next_line()
                .await
                .unwrap()
                .expect("the daemon exited before it was ready");
            if let Some((_, rest)) = line.split_once("page at ") {
                break rest
                    .split_whitespace()
                    .next()
                    .unwrap()
                    .trim_end_matches('/')
                    .to_owned();
            }
            startup_log.push_str(&line);
            startup_log.push('\n');
        };
        let daemon = Self {
            child,
            log,
            url,
            config,
            _directory: directory,
        };
        (daemon, startup_log)
    }

    /// The body of the response to GET.
    pub(crate) async fn get(&self, path: &str) -> String {
        get(&format!("{}{path}", self.url)).await.1
    }

    /// Waits until `/metrics` meets a condition, and returns it.
    pub(crate) async fn metrics_until(&self, condition: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let metrics = self.get("/metrics").await;
            if condition(&metrics) {
                return metrics;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "timed out; last metrics:\n{metrics}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Sends SIGTERM and returns the exit code.
    pub(crate) async fn terminate(&mut self) -> Option<i32> {
        self.signal("-TERM").await;
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.unwrap().unwrap().code()
    }

    /// Sends a signal, named like an option of `kill`, such as `-HUP`.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let status = Command::new("kill").args([name, &pid]).status().await;
        assert!(status.unwrap().success());
    }
}

/// A client for the daemon's HTTP endpoint.
pub(crate) fn client() -> reqwest::Client {
    // reqwest needs a crypto provider to build a client, even for plain HTTP.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// The status and the body of the response to GET.
pub(crate) async fn get(url: &str) -> (u16, String) {
    let response = client().get(url).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// The sum of the series whose lines start with `name`, which may include labels.
pub(crate) fn sum(metrics: &str, name: &str) -> f64 {
    let values = metrics.lines().filter(|line| line.starts_with(name));
    let values = values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.sum()
}
