//! Faults of the network: dropped, rejected and lost packets, and no free local port.
//!
//! Each test starts itself again in a new network namespace and runs its cases there, so that
//! the packet filter affects nothing else. Where users may create namespaces, this needs no
//! root.

use std::process::Command;
use std::time::Duration;

use probecause::model::observation::Phase;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::faults::case::{self, FaultCase};
use crate::faults::dns::{prober_using, zone};
use crate::support::own_process::passes;
use crate::support::probe::{probe, target};

/// The environment variable that is set in the namespace.
const INSIDE: &str = "PROBECAUSE_FAULTY_NETWORK";

/// The script that sets up the packet filter. All addresses belong to the loopback interface.
const NETWORK: &str = "
    ip link set lo up
    ip -6 addr add fd99::1/64 dev lo
    ip route add unreachable 198.51.100.0/24
    rule() { iptables -w -A OUTPUT -p tcp \"$@\"; }
    rule -d 127.1.0.0/16 -j DROP
    rule -d 127.2.0.0/16 -j REJECT --reject-with tcp-reset
    rule -d 127.3.0.0/16 -j REJECT --reject-with icmp-host-unreachable
    rule -d 127.4.0.0/16 -m statistic --mode nth --every 10 --packet 0 -j DROP
    # The connection is established, and all data of the server is lost.
    rule -s 127.5.0.0/16 -m length --length 70:65535 -j DROP
    ip6tables -w -A OUTPUT -p tcp -d fd99::/64 -j DROP
";

/// Runs a test of this file in a namespace with the network of [`NETWORK`].
fn run_inside(test: &str) {
    let here = std::env::current_exe().unwrap();
    let (_, module) = module_path!().split_once("::").unwrap();
    let script = format!("set -e\n{NETWORK}\nexec \"$0\" --ignored --exact --nocapture \"$1\"");
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--net", "sh", "-c", &script])
        .arg(here)
        .arg(format!("{module}::{test}"))
        .env(INSIDE, "yes");
    passes(&mut command);
}

/// Returns whether this process runs in the namespace. If not, runs the test there.
fn is_inside(test: &str) -> bool {
    let inside_already = std::env::var_os(INSIDE).is_some();
    if !inside_already {
        run_inside(test);
    }
    inside_already
}

/// Serves HTTP on every address of the namespace. Returns the port.
async fn serve_on_all_addresses() -> u16 {
    let listener = TcpListener::bind("[::]:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = axum::Router::new().fallback(|| async { "fine" });
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

/// Sends 200 bytes to every client and keeps the connection open. Returns the port.
async fn serve_bytes() -> u16 {
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

/// The URL of the server on `port` at `address`.
fn url_of(port: u16, address: &str) -> String {
    format!("http://{address}:{port}/")
}

fn packets(port: u16) -> Vec<FaultCase> {
    let connect = Some(Phase::Connect);
    let rejections = [
        ("packets are dropped", "connect-timeout", "127.1.0.1"),
        ("rejected by a reset", "connection-refused", "127.2.0.1"),
        (
            "rejected: host unreachable",
            "network-unreachable",
            "127.3.0.1",
        ),
        ("no route", "network-unreachable", "198.51.100.1"),
        ("an IPv6 black hole", "connect-timeout", "[fd99::1]"),
    ];
    let mut cases: Vec<_> = rejections
        .map(|(fault, cause, address)| {
            FaultCase::new(fault, cause, connect, target(&url_of(port, address)))
        })
        .into();
    cases.push(FaultCase::new(
        "the answer is lost",
        "response-timeout",
        Some(Phase::Processing),
        target(&url_of(port, "127.5.0.1")),
    ));
    cases
}

async fn names(port: u16) -> Vec<FaultCase> {
    let url = format!("http://name.test:{port}/");
    let v4 = |network: u8, number: u8| (1, vec![127, network, 0, number]);
    let black_hole = (
        28,
        vec![0xfd, 0x99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    );
    let half = (1..=100).map(|number| v4(number % 2, number)).collect();
    let dead = (1..=100).map(|number| v4(1, number)).collect();
    let mut cases = Vec::new();
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
        let case = FaultCase::new(fault, cause, phase, target(&url));
        let case = case.with_prober(prober_using(zone(records).await));
        cases.push(case);
    }
    cases
}

#[tokio::test]
#[ignore = "needs network namespaces, ip and iptables: run by tests/run"]
async fn a_faulty_network_is_named_as_the_cause() {
    if !is_inside("a_faulty_network_is_named_as_the_cause") {
        return;
    }
    let port = serve_on_all_addresses().await;
    let mut cases = packets(port);
    cases.extend(names(port).await);
    let handshake = url_of(serve_bytes().await, "127.5.0.1").replace("http:", "https:");
    cases.push(FaultCase::new(
        "the handshake's answer is lost",
        "tls-handshake-failed",
        Some(Phase::Tls),
        target(&handshake),
    ));
    case::check("network", cases).await;
}

/// TCP retransmits the lost packets, so every probe succeeds. A probe whose SYN is lost spends
/// one second more in its connect phase.
#[tokio::test]
#[ignore = "needs network namespaces, ip and iptables: run by tests/run"]
async fn lost_packets_delay_probes_and_fail_none() {
    if !is_inside("lost_packets_delay_probes_and_fail_none") {
        return;
    }
    let port = serve_on_all_addresses().await;
    let mut slow = 0;
    for _ in 0..30 {
        let observation = Box::pin(probe(&target(&url_of(port, "127.4.0.1")))).await;
        assert_eq!(observation.fault, None, "{observation:?}");
        let waited = observation
            .phases
            .connect
            .is_some_and(|time| time >= Duration::from_millis(900));
        slow += usize::from(waited || observation.duration >= Duration::from_millis(190));
    }
    assert!(slow > 0, "no packet was lost");
    println!("{slow} of 30 waited for a packet");
}

/// A probe without a free local port names the prober as the cause.
#[tokio::test]
#[ignore = "needs network namespaces, ip and iptables: run by tests/run"]
async fn exhausted_local_ports_are_attributed_to_the_prober() {
    if !is_inside("exhausted_local_ports_are_attributed_to_the_prober") {
        return;
    }
    let port = serve_on_all_addresses().await;
    let range = "/proc/sys/net/ipv4/ip_local_port_range";
    std::fs::write(range, "40000 40007").unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await {
        held.push(stream);
    }
    assert!((1..=8).contains(&held.len()), "{} ports", held.len());
    let case = |fault, cause, phase| {
        FaultCase::new(fault, cause, phase, target(&url_of(port, "127.0.0.1")))
    };
    let connect = Some(Phase::Connect);
    case::check(
        "ports",
        vec![case("no local port is left", "prober-local", connect)],
    )
    .await;
    drop(held);
    // A closed connection blocks its port in TIME_WAIT, but only for the same remote address.
    let other = FaultCase::new(
        "no local port for one address, probe of another",
        "-",
        None,
        target(&url_of(port, "127.0.0.2")),
    );
    case::check("ports_again", vec![other]).await;
}
