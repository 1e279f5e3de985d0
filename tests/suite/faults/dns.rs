//! Faults of name resolution and of resolved addresses, from a DNS server of the test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use probecause::io::probe::Prober;
use probecause::model::observation::Phase;
use probecause::model::settings::ResolverSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::faults::case::FaultCase;
use crate::support::probe::{answer, dns, target};

/// Creates a prober that resolves names with `server`.
pub(crate) fn prober_using(server: SocketAddr) -> Prober {
    Prober::new(&ResolverSettings {
        servers: vec![server],
        timeout: Duration::from_millis(150),
        attempts: 1,
    })
    .unwrap()
}

/// Binds the same port for UDP and TCP. Retries, since a free UDP port may be in use by TCP.
async fn bind_udp_and_tcp() -> (UdpSocket, TcpListener) {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        match TcpListener::bind(socket.local_addr().unwrap()).await {
            Ok(listener) => return (socket, listener),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse),
        }
    }
}

/// Starts a DNS server that answers each query with the `records` of the queried type. A record
/// is its type and data. A CNAME also answers queries for A. Replies that do not fit into a
/// datagram are sent over TCP.
pub(crate) async fn zone(records: Vec<(u8, Vec<u8>)>) -> SocketAddr {
    let (socket, listener) = bind_udp_and_tcp().await;
    let address = socket.local_addr().unwrap();
    let records = Arc::new(records);
    let again = Arc::clone(&records);
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((count, peer)) = socket.recv_from(&mut buffer).await {
            let query = &buffer[..count];
            let mut reply = reply(query, &records);
            if reply.len() > DATAGRAM {
                // Only the question, with the TC bit: the client retries over TCP.
                reply.truncate(count);
                reply[2] |= 2;
                reply[6..12].fill(0);
            }
            let _ = socket.send_to(&reply, peer).await;
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            while let Ok(length) = stream.read_u16().await {
                let mut query = vec![0; length.into()];
                stream.read_exact(&mut query).await.unwrap();
                let reply = reply(&query, &again);
                stream
                    .write_u16(reply.len().try_into().unwrap())
                    .await
                    .unwrap();
                stream.write_all(&reply).await.unwrap();
            }
        }
    });
    address
}

/// The size limit of a UDP message in bytes, without EDNS (RFC 1035, 2.3.4).
const DATAGRAM: usize = 512;

/// Builds the complete reply to a query.
fn reply(query: &[u8], records: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut end = 12;
    while query[end] != 0 {
        end += usize::from(query[end]) + 1;
    }
    let queried = query[end + 2];
    let fits = |kind: u8| kind == queried || (kind, queried) == (5, 1);
    let answers: Vec<_> = records.iter().filter(|(kind, _)| fits(*kind)).collect();
    let mut reply = query[..2].to_vec();
    let count = u8::try_from(answers.len()).unwrap();
    reply.extend([0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0]);
    reply.extend(&query[12..end + 5]);
    for (kind, data) in answers {
        let length = u8::try_from(data.len()).unwrap();
        reply.extend([0xc0, 12, 0, *kind, 0, 1, 0, 0, 0, 1, 0, length]);
        reply.extend(data);
    }
    reply
}

/// The cases of this module.
pub(crate) async fn cases() -> Vec<FaultCase> {
    let resolve = Some(Phase::Resolve);
    let mut cases = Vec::new();
    for (fault, cause, reply) in [
        (
            "the name does not exist",
            "dns-name-not-found",
            Some((3, None)),
        ),
        (
            "a name without an address",
            "dns-no-address",
            Some((0, None)),
        ),
        ("the name server fails", "dns-failure", Some((2, None))),
        ("the name server refuses", "dns-failure", Some((5, None))),
        ("the name server does not answer", "dns-failure", None),
    ] {
        let prober = prober_using(dns(reply).await);
        let case = FaultCase::new(fault, cause, resolve, target("http://name.test/"));
        cases.push(case.with_prober(prober));
    }
    // The CNAME of the name is the name itself.
    let circle = zone(vec![(5, vec![0xc0, 12])]).await;
    let case = FaultCase::new(
        "a CNAME loop",
        "dns-failure",
        resolve,
        target("http://name.test/"),
    );
    cases.push(case.with_prober(prober_using(circle)));
    cases.extend(address_lists().await);
    cases
}

/// Names with forty addresses, some or all of which have no listener.
async fn address_lists() -> Vec<FaultCase> {
    let mut cases = Vec::new();
    let server = answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let url = format!("http://name.test:{}/", server.address.port());
    // No other address of 127.0.0.0/8 has a listener.
    let half: Vec<_> = (0..40_u8)
        .map(|number| {
            (
                1,
                vec![127, 0, number % 2, if number % 2 == 0 { 1 } else { number }],
            )
        })
        .collect();
    let case = FaultCase::new(
        "forty addresses, half without a listener",
        "-",
        None,
        target(&url),
    );
    cases.push(case.with_prober(prober_using(zone(half).await)));
    let dead: Vec<_> = (1..40_u8)
        .map(|number| (1, vec![127, 0, 1, number]))
        .collect();
    let case = FaultCase::new(
        "forty addresses, all without a listener",
        "connection-refused",
        Some(Phase::Connect),
        target(&url),
    );
    cases.push(case.with_prober(prober_using(zone(dead).await)));
    cases
}
