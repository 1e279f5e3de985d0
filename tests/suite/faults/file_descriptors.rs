//! A daemon with too few file descriptors attributes the failures to the prober.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::support::probe::{read_request, serve};

/// Enough to start and to serve `/metrics`, too few to probe all targets at once.
const DESCRIPTORS: u32 = 48;
const TARGETS: u32 = 80;

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Returns the causes of counted failures, with their counts.
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
async fn exhausted_file_descriptors_are_attributed_to_the_prober() {
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
    let client = http_client();
    let started = Instant::now();
    loop {
        sleep(Duration::from_millis(300)).await;
        let request = client
            .get(format!("http://127.0.0.1:{port}/metrics"))
            .send();
        // While no descriptor is free, the daemon accepts no connection.
        let Ok(Ok(answer)) = tokio::time::timeout(Duration::from_secs(2), request).await else {
            continue;
        };
        let failures = failures(&answer.text().await.unwrap());
        if failures.iter().any(|(_, count)| *count >= 5.0) {
            let causes: Vec<_> = failures.iter().map(|(cause, _)| cause.as_str()).collect();
            assert_eq!(causes, ["prober-local"], "{failures:?}");
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "too few failures: {failures:?}"
        );
    }
}

fn http_client() -> reqwest::Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}
