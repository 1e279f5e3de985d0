//! A network that drops, rejects and loses packets, and one that has no port left.
//!
//! The rows run in a network namespace of their own, in which this test starts itself anew:
//! what is done to the network there touches nothing else, and needs no root where users may
//! make namespaces.

use std::process::Command;
use std::time::Duration;

use probecause::model::observation::Phase;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::faults::names::{asking, zone};
use crate::faults::row::{self, Row};
use crate::support::probe::{probe, target};

/// Set in the namespace.
const INSIDE: &str = "PROBECAUSE_FAULTY_NETWORK";

/// What is done to packets of which addresses. All are the loopback interface's own.
const NETWORK: &str = "
    ip link set lo up
    ip -6 addr add fd99::1/64 dev lo
    ip route add unreachable 198.51.100.0/24
    rule() { iptables -w -A OUTPUT -p tcp \"$@\"; }
    rule -d 127.1.0.0/16 -j DROP
    rule -d 127.2.0.0/16 -j REJECT --reject-with tcp-reset
    rule -d 127.3.0.0/16 -j REJECT --reject-with icmp-host-unreachable
    rule -d 127.4.0.0/16 -m statistic --mode nth --every 10 --packet 0 -j DROP
    # A connection comes about, and whatever the server says is lost.
    rule -s 127.5.0.0/16 -m length --length 70:65535 -j DROP
    ip6tables -w -A OUTPUT -p tcp -d fd99::/64 -j DROP
";

/// Runs a test of this file in a namespace with that network.
fn inside(test: &str) {
    let here = std::env::current_exe().unwrap();
    let (_, module) = module_path!().split_once("::").unwrap();
    let script = format!("set -e\n{NETWORK}\nexec \"$0\" --ignored --exact --nocapture \"$1\"");
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "sh", "-c", &script])
        .arg(here)
        .arg(format!("{module}::{test}"))
        .env(INSIDE, "yes")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    println!("{told}");
    assert!(output.status.success(), "{told}\n{wrong}");
    assert!(told.contains("1 passed"), "{told}\n{wrong}");
}

/// Whether this is the run in the namespace; else it is begun and over.
fn is_inside(test: &str) -> bool {
    let inside_already = std::env::var_os(INSIDE).is_some();
    if !inside_already {
        inside(test);
    }
    inside_already
}

/// Serves on every address of the namespace; returns the port.
async fn everywhere() -> u16 {
    let listener = TcpListener::bind("[::]:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = axum::Router::new().fallback(|| async { "fine" });
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

/// Says something to everybody, once, and keeps the connection.
async fn talking() -> u16 {
    let listener = TcpListener::bind("[::]:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(&[22; 200]).await.unwrap();
            held.push(stream);
        }
    });
    port
}

/// A server's URL by one of its addresses.
fn by(port: u16, address: &str) -> String {
    format!("http://{address}:{port}/")
}

fn packets(port: u16) -> Vec<Row> {
    let connect = Some(Phase::Connect);
    let rows = [
        ("packets are dropped", "connect-timeout", "127.1.0.1"),
        ("rejected by a reset", "connection-refused", "127.2.0.1"),
        ("rejected: host unreachable", "connect-timeout", "127.3.0.1"),
        ("no route", "connect-timeout", "198.51.100.1"),
        ("an IPv6 black hole", "connect-timeout", "[fd99::1]"),
    ];
    let mut rows: Vec<_> = rows
        .map(|(fault, cause, address)| Row::new(fault, cause, connect, target(&by(port, address))))
        .into();
    rows.push(Row::new(
        "the answer is lost",
        "response-timeout",
        Some(Phase::Processing),
        target(&by(port, "127.5.0.1")),
    ));
    rows
}

async fn names(port: u16) -> Vec<Row> {
    let url = format!("http://name.test:{port}/");
    let v4 = |network: u8, number: u8| (1, vec![127, network, 0, number]);
    let black_hole = (
        28,
        vec![0xfd, 0x99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    );
    let half = (1..=100).map(|number| v4(number % 2, number)).collect();
    let dead = (1..=100).map(|number| v4(1, number)).collect();
    let mut rows = Vec::new();
    for (fault, cause, phase, records) in [
        (
            "IPv6 is a black hole, IPv4 is not",
            "-",
            None,
            vec![black_hole, v4(0, 1)],
        ),
        (
            "a hundred addresses, half of them black holes",
            "-",
            None,
            half,
        ),
        (
            "a hundred addresses, all of them black holes",
            "connect-timeout",
            Some(Phase::Connect),
            dead,
        ),
    ] {
        let row = Row::new(fault, cause, phase, target(&url));
        let row = row.by(asking(zone(records).await));
        rows.push(if fault.contains("half") {
            row.missing(
                "addresses of a kind are tried in turn, and the first black hole takes the \
                 whole deadline: whoever calls it there fails as well",
            )
        } else {
            row
        });
    }
    rows
}

#[tokio::test]
#[ignore = "needs network namespaces, ip and iptables: run by tests/run"]
async fn what_a_network_loses_is_named() {
    if !is_inside("what_a_network_loses_is_named") {
        return;
    }
    let port = everywhere().await;
    let mut rows = packets(port);
    rows.extend(names(port).await);
    let handshake = by(talking().await, "127.5.0.1").replace("http:", "https:");
    rows.push(Row::new(
        "the handshake's answer is lost",
        "tls-handshake-failed",
        Some(Phase::Tls),
        target(&handshake),
    ));
    row::check("network", rows).await;
}

/// TCP mends the loss of every tenth packet. A probe that waits for a repeated SYN takes a
/// second more and says so in its connect phase; none is told another cause than time.
#[tokio::test]
#[ignore = "needs network namespaces, ip and iptables: run by tests/run"]
async fn lost_packets_cost_time_and_name_no_wrong_cause() {
    if !is_inside("lost_packets_cost_time_and_name_no_wrong_cause") {
        return;
    }
    let port = everywhere().await;
    let mut slow = 0;
    for _ in 0..30 {
        let seen = Box::pin(probe(&target(&by(port, "127.4.0.1")))).await;
        assert_eq!(seen.fault, None, "{seen:?}");
        let waited = seen
            .phases
            .connect
            .is_some_and(|time| time >= Duration::from_millis(900));
        slow += usize::from(waited || seen.duration >= Duration::from_millis(190));
    }
    assert!(slow > 0, "nothing was lost");
    println!("{slow} of 30 waited for a packet");
}

/// Without a port to connect from, the failure is ours and no target's.
#[tokio::test]
#[ignore = "needs network namespaces, ip and iptables: run by tests/run"]
async fn ports_that_run_out_are_the_probers_own_trouble() {
    if !is_inside("ports_that_run_out_are_the_probers_own_trouble") {
        return;
    }
    let port = everywhere().await;
    let range = "/proc/sys/net/ipv4/ip_local_port_range";
    std::fs::write(range, "40000 40007").unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await {
        held.push(stream);
    }
    assert!((1..=8).contains(&held.len()), "{} ports", held.len());
    let row = |fault, cause, phase| Row::new(fault, cause, phase, target(&by(port, "127.0.0.1")));
    let connect = Some(Phase::Connect);
    row::check(
        "ports",
        vec![row("no port is left", "prober-local", connect)],
    )
    .await;
    drop(held);
    // A closed connection holds its port for a while, but not towards another address.
    let other = Row::new(
        "ports for another address",
        "-",
        None,
        target(&by(port, "127.0.0.2")),
    );
    row::check("ports_again", vec![other]).await;
}
