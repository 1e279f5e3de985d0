//! Floods, slow clients and oversized requests are rejected, and no probe is missed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::endpoint::{address, daemon};
use crate::support::process::{Daemon, PATIENCE, get, sum};

const LOOPBACK: &str = "listen = \"127.0.0.1:0\"";

/// Polls `/metrics` until the daemon accepts the request and the metrics meet `wanted`.
async fn accepted_metrics(daemon: &Daemon, wanted: impl Fn(&str) -> bool) -> String {
    let started = Instant::now();
    loop {
        let (status, metrics) = get(&format!("{}/metrics", daemon.url)).await;
        if status == 200 && wanted(&metrics) {
            return metrics;
        }
        assert!(started.elapsed() < PATIENCE, "{status}: {metrics}");
        sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn a_flood_is_rejected_and_probing_continues() {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let web = "rate_limit:\n  interval: 2s\n  burst: 5\n";
    let started = Instant::now();
    let daemon = daemon(directory, Some(web), LOOPBACK).await;
    let (mut accepted, mut rejected) = (0, 0);
    for _ in 0..100 {
        match get(&format!("{}/-/healthy", daemon.url)).await.0 {
            200 => accepted += 1,
            429 => rejected += 1,
            other => panic!("{other}"),
        }
    }
    // The burst, and one request for every interval since the daemon started.
    let limit = 5 + started.elapsed().as_secs() / 2 + 1;
    assert!(
        rejected > 0 && (5..=limit).contains(&accepted),
        "{accepted} accepted of at most {limit}, {rejected} rejected"
    );
    // Two more probes run, and none was missed during the flood.
    let probes = |metrics: &str| sum(metrics, "probecause_probes_total{");
    let before = accepted_metrics(&daemon, |_| true).await;
    let after = accepted_metrics(&daemon, |text| probes(text) >= probes(&before) + 2.0).await;
    assert!(sum(&after, "probecause_missed_total{") < 1.0);
}

/// Sends `pieces` with a pause after each and returns all that the daemon sends until it
/// closes the connection.
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
    assert!(read.is_ok(), "the daemon kept the connection open");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_request_head_that_never_ends_is_closed() {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let daemon = daemon(directory, None, LOOPBACK).await;
    let started = Instant::now();
    let answer = send(
        address(&daemon),
        &[b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Slow: "],
        Duration::ZERO,
    )
    .await;
    assert!(!answer.contains("200 OK"), "{answer}");
    assert!(
        started.elapsed() >= Duration::from_secs(5),
        "closed before the time limit on request heads"
    );
}

#[tokio::test]
async fn an_oversized_head_and_an_oversized_body_are_rejected() {
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
    let started = Instant::now();
    let answer = send(address(&daemon), &[body.as_bytes(), &line], Duration::ZERO).await;
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    assert!(
        started.elapsed() < Duration::from_secs(25),
        "the daemon waited for the body"
    );
    assert_eq!(get(&format!("{}/-/healthy", daemon.url)).await.0, 200);
}

#[tokio::test]
async fn idle_connections_do_not_lock_out_other_clients() {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let daemon = daemon(directory, None, LOOPBACK).await;
    let mut idle = Vec::new();
    for _ in 0..600 {
        idle.push(TcpStream::connect(address(&daemon)).await.unwrap());
    }
    // Idle connections are closed after ten seconds at the latest, which frees their slots.
    let started = Instant::now();
    loop {
        let url = format!("{}/-/healthy", daemon.url);
        let response = crate::support::process::client()
            .get(&url)
            .timeout(Duration::from_secs(2))
            .send()
            .await;
        if response.is_ok_and(|answer| answer.status().is_success()) {
            break;
        }
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "no connection was accepted"
        );
        sleep(Duration::from_millis(200)).await;
    }
}
