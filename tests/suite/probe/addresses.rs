//! Names with several addresses, some of which do not work.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::faults::dns::zone;
use crate::support::probe::{check, read_request, target};
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::io::probe::Prober;
use probecause::model::observation::{FaultKind, Observation, Phase};
use probecause::model::settings::ResolverSettings;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A listener whose accept queue is full: Linux drops further SYNs, as a firewall does.
struct Silent {
    _listener: TcpListener,
    _held: Vec<TcpStream>,
}

async fn silent(address: SocketAddr) -> Silent {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(address).unwrap();
    let listener = socket.listen(1).unwrap();
    let mut held = Vec::new();
    let limit = Duration::from_millis(200);
    while let Ok(stream) = tokio::time::timeout(limit, TcpStream::connect(address)).await {
        held.push(stream.unwrap());
    }
    Silent {
        _listener: listener,
        _held: held,
    }
}

async fn respond(address: SocketAddr) {
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_request(&mut stream).await;
            let _ = stream.write_all(OK.as_bytes()).await;
        }
    });
}

/// A port that is free on the first hosts of the loopback network.
async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.9:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

fn host(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, last)
}

/// Probes a name with the addresses 127.0.0.x in this order.
async fn probe(hosts: &[u8], port: u16, timeout: Duration) -> Observation {
    let records = hosts.iter().map(|last| (1, host(*last).octets().to_vec()));
    let prober = Prober::new(&ResolverSettings {
        servers: vec![zone(records.collect()).await],
        ..ResolverSettings::default()
    })
    .unwrap();
    let mut target = target(&format!("http://name.test:{port}/"));
    target.timeout = timeout;
    Box::pin(prober.probe(&target)).await
}

#[tokio::test]
async fn an_address_that_drops_packets_does_not_use_up_the_deadline() {
    let port = free_port().await;
    let _silent = silent((host(11), port).into()).await;
    let _also_silent = silent((host(12), port).into()).await;
    respond((host(13), port).into()).await;
    let seen = probe(&[11, 12, 13], port, Duration::from_secs(30)).await;
    check(&seen, None);
    assert_eq!(seen.remote, Some((host(13), port).into()));
    let dead: Vec<_> = seen
        .dead_addresses
        .iter()
        .map(|dead| dead.address)
        .collect();
    assert_eq!(dead, [(host(11), port).into(), (host(12), port).into()]);
    assert!(
        seen.dead_addresses[0]
            .reason
            .starts_with("no answer within 0.")
    );
    let target = target("http://name.test/");
    let facts = Facts::gather(&target, &seen, &Context::at(seen.started));
    let diagnosis = Rulebook::embedded().unwrap().diagnose(&facts);
    let evidence = diagnosis
        .evidence
        .iter()
        .find(|it| it.fact == "dead_addresses");
    let text = evidence.unwrap().value.to_string();
    assert!(
        text.contains("127.0.0.11") && text.contains("no answer within"),
        "{text}"
    );
}

#[tokio::test]
async fn an_address_that_refuses_is_passed_over_at_once() {
    let port = free_port().await;
    respond((host(22), port).into()).await;
    let seen = probe(&[21, 22], port, Duration::from_secs(30)).await;
    check(&seen, None);
    assert_eq!(seen.remote, Some((host(22), port).into()));
    assert!(
        seen.dead_addresses[0].reason.contains("refused"),
        "{seen:?}"
    );
}

#[tokio::test]
async fn addresses_behind_the_one_that_answers_are_not_tried() {
    let port = free_port().await;
    respond((host(31), port).into()).await;
    let seen = probe(&[31, 32], port, Duration::from_secs(30)).await;
    check(&seen, None);
    assert!(seen.dead_addresses.is_empty());
}

#[tokio::test]
async fn a_refusal_outweighs_silence_and_silence_everywhere_names_the_addresses() {
    let port = free_port().await;
    let seen = probe(&[41, 42], port, Duration::from_secs(30)).await;
    check(&seen, Some((FaultKind::ConnectionRefused, Phase::Connect)));
    let _silent = silent((host(43), port).into()).await;
    let _also_silent = silent((host(44), port).into()).await;
    let seen = probe(&[43, 44], port, Duration::from_millis(600)).await;
    check(&seen, Some((FaultKind::Timeout, Phase::Connect)));
    let detail = seen.fault.unwrap().detail;
    for address in ["127.0.0.43", "127.0.0.44"] {
        assert!(detail.contains(address), "{detail}");
    }
    assert!(seen.dead_addresses.is_empty(), "no address works");
}
