//! Floods, slow clients and big requests: refused, and no probe is late or missed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::endpoint::{address, daemon};
use crate::support::process::{Daemon, PATIENCE, get, sum};

const LOOPBACK: &str = "listen = \"127.0.0.1:0\"";

/// The first accepted answer of `/metrics` that meets the condition.
async fn accepted_metrics(daemon: &Daemon, wanted: impl Fn(&str) -> bool) -> String {
    let begun = Instant::now();
    loop {
        let (status, metrics) = get(&format!("{}/metrics", daemon.url)).await;
        if status == 200 && wanted(&metrics) {
            return metrics;
        }
        assert!(begun.elapsed() < PATIENCE, "{status}: {metrics}");
        sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn a_flood_is_refused_and_the_probes_go_on() {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let web = "rate_limit:\n  interval: 2s\n  burst: 5\n";
    let begun = Instant::now();
    let daemon = daemon(directory, Some(web), LOOPBACK).await;
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..100 {
        match get(&format!("{}/-/healthy", daemon.url)).await.0 {
            200 => accepted += 1,
            429 => refused += 1,
            other => panic!("{other}"),
        }
    }
    // The burst, and one more for every interval since the daemon started.
    let limit = 5 + begun.elapsed().as_secs() / 2 + 1;
    assert!(
        refused > 0 && (5..=limit).contains(&accepted),
        "{accepted} accepted of at most {limit}, {refused} refused"
    );
    // Two more probes run, and none was missed during the flood.
    let probes = |metrics: &str| sum(metrics, "probecause_probes_total{");
    let before = accepted_metrics(&daemon, |_| true).await;
    let after = accepted_metrics(&daemon, |text| probes(text) >= probes(&before) + 2.0).await;
    assert!(sum(&after, "probecause_missed_total{") < 1.0);
}

/// Sends something, and returns what comes back until the daemon closes.
async fn send(address: std::net::SocketAddr, pieces: &[&[u8]], pause: Duration) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    for piece in pieces {
        if stream.write_all(piece).await.is_err() {
            break;
        }
        sleep(pause).await;
    }
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the daemon keeps the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let daemon = daemon(directory, None, LOOPBACK).await;
    let begun = Instant::now();
    let answer = send(
        address(&daemon),
        &[b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Slow: "],
        Duration::ZERO,
    )
    .await;
    assert!(!answer.contains("200 OK"), "{answer}");
    assert!(
        begun.elapsed() >= Duration::from_secs(5),
        "too soon to be the limit on time"
    );
}

#[tokio::test]
async fn too_big_a_head_and_too_big_a_body_are_refused() {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let daemon = daemon(directory, None, LOOPBACK).await;
    let line = [b'a'; 64 * 1024];
    let head = [
        &b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Big: "[..],
        &line,
        b"\r\n\r\n",
    ]
    .concat();
    let answer = send(address(&daemon), &[&head], Duration::ZERO).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let body = "POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\nConnection: close\r\n\r\n";
    let begun = Instant::now();
    let answer = send(address(&daemon), &[body.as_bytes(), &line], Duration::ZERO).await;
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    assert!(
        begun.elapsed() < Duration::from_secs(25),
        "the body was waited for"
    );
    assert_eq!(get(&format!("{}/-/healthy", daemon.url)).await.0, 200);
}

#[tokio::test]
async fn silent_connections_leave_place_for_others() {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let daemon = daemon(directory, None, LOOPBACK).await;
    let mut silent = Vec::new();
    for _ in 0..600 {
        silent.push(TcpStream::connect(address(&daemon)).await.unwrap());
    }
    // They are closed after ten seconds at the latest, and then there is place.
    let begun = Instant::now();
    loop {
        let url = format!("{}/-/healthy", daemon.url);
        let asked = crate::support::process::client()
            .get(&url)
            .timeout(Duration::from_secs(2))
            .send()
            .await;
        if asked.is_ok_and(|answer| answer.status().is_success()) {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "no place for anybody"
        );
        sleep(Duration::from_millis(200)).await;
    }
}
