//! The daemon as a process: started on a configuration, scraped, signalled.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

/// How long the daemon may take to do what a test waits for: generous, since these tests
/// say that it happens, not how fast.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running daemon; killed when dropped.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) log: Lines<BufReader<ChildStderr>>,
    pub(crate) url: String,
    pub(crate) config: PathBuf,
    /// Its configuration and its state, as long as any of its lives.
    _directory: Arc<TempDir>,
}

impl Daemon {
    /// Starts a daemon and waits until it says where its page is.
    pub(crate) async fn start(config_text: &str) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let config = directory.path().join("probecause.toml");
        std::fs::write(&config, config_text).unwrap();
        let state = directory.path().join("state");
        Self::start_in(directory, &state).await.0
    }

    /// Starts a daemon on the configuration in a directory, with its state in another;
    /// also what it logs before it says where its page is.
    pub(crate) async fn start_in(directory: Arc<TempDir>, state: &Path) -> (Self, String) {
        let config = directory.path().join("probecause.toml");
        let mut child = Command::new(env!("CARGO_BIN_EXE_probecause"))
            .args(["run", "--config"])
            .arg(&config)
            .arg("--state")
            .arg(state)
            .env_remove("STATE_DIRECTORY")
            // What the emulator takes; a daemon without CloudWatch never looks.
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut began = String::new();
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
            began.push_str(&line);
            began.push('\n');
        };
        let daemon = Self {
            child,
            log,
            url,
            config,
            _directory: directory,
        };
        (daemon, began)
    }

    /// The body of a page.
    pub(crate) async fn get(&self, path: &str) -> String {
        get(&format!("{}{path}", self.url)).await.1
    }

    /// Waits until `/metrics` has what is wanted.
    pub(crate) async fn metrics_until(&self, wanted: impl Fn(&str) -> bool) -> String {
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

    /// Sends SIGTERM and returns the exit code.
    pub(crate) async fn terminate(&mut self) -> Option<i32> {
        self.signal("-TERM").await;
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.unwrap().unwrap().code()
    }

    /// Sends a signal, as `kill` names it.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let status = Command::new("kill").args([name, &pid]).status().await;
        assert!(status.unwrap().success());
    }
}

/// A client of our own endpoint, which speaks plain HTTP.
pub(crate) fn client() -> reqwest::Client {
    // The client wants to know its TLS although it never uses it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Status and body of a page.
pub(crate) async fn get(url: &str) -> (u16, String) {
    let response = client().get(url).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// The sum of the series whose text starts with `name`, which may include labels.
pub(crate) fn sum(metrics: &str, name: &str) -> f64 {
    let values = metrics.lines().filter(|line| line.starts_with(name));
    let values = values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.sum()
}
