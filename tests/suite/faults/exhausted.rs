//! A daemon that is given too few file descriptors: its own trouble, and no target's.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::support::probe::{read_request, serve};

/// Enough to start and to be asked, too few for all of its targets at once.
const DESCRIPTORS: u32 = 48;
const TARGETS: u32 = 80;

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The causes that failures were counted under, with how many.
fn failures(metrics: &str) -> Vec<(String, f64)> {
    let mut causes: Vec<(String, f64)> = Vec::new();
    for line in metrics.lines() {
        let Some(rest) = line.strip_prefix("probecause_failures_total{") else {
            continue;
        };
        let (labels, count) = rest.rsplit_once("} ").unwrap();
        let (_, cause) = labels.split_once("cause=\"").unwrap();
        let cause = cause.split('"').next().unwrap().to_owned();
        let count: f64 = count.parse().unwrap();
        match causes.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, sum)) => *sum += count,
            None => causes.push((cause, count)),
        }
    }
    causes.retain(|(_, count)| *count > 0.0);
    causes
}

#[tokio::test]
async fn descriptors_that_run_out_are_the_probers_own_trouble() {
    let server = serve(|mut stream, _| async move {
        read_request(&mut stream).await;
        sleep(Duration::from_secs(3)).await;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let mut config = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\n[defaults]\ninterval = \"5s\"\ntimeout = \"4s\"\n"
    );
    for number in 0..TARGETS {
        let url = server.url(&format!("/{number}"));
        config.push_str(&format!(
            "[[target]]\nname = \"t{number}\"\nurl = \"{url}\"\n"
        ));
    }
    std::fs::write(folder.path().join("probecause.toml"), config).unwrap();
    let start =
        format!("ulimit -n {DESCRIPTORS}; exec \"$0\" run --config probecause.toml --state state");
    let daemon = Command::new("sh")
        .args(["-c", &start, env!("CARGO_BIN_EXE_probecause")])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _daemon = Daemon(daemon);
    let client = reqwest_client();
    let begun = Instant::now();
    loop {
        sleep(Duration::from_millis(300)).await;
        let asked = client
            .get(format!("http://127.0.0.1:{port}/metrics"))
            .send();
        // While it has no descriptor left, nobody is let in.
        let Ok(Ok(answer)) = tokio::time::timeout(Duration::from_secs(2), asked).await else {
            continue;
        };
        let failures = failures(&answer.text().await.unwrap());
        if failures.iter().any(|(_, count)| *count >= 5.0) {
            let causes: Vec<_> = failures.iter().map(|(cause, _)| cause.as_str()).collect();
            assert_eq!(causes, ["prober-local"], "{failures:?}");
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "no failure: {failures:?}"
        );
    }
}

fn reqwest_client() -> reqwest::Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}
