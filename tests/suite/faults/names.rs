//! Faults of names and addresses, from a name server of the test's own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use probecause::io::probe::Prober;
use probecause::model::observation::Phase;
use probecause::model::settings::ResolverSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::faults::row::Row;
use crate::support::probe::{answer, dns, target};

pub(crate) fn asking(server: SocketAddr) -> Prober {
    Prober::new(&ResolverSettings {
        servers: vec![server],
        timeout: Duration::from_millis(150),
        attempts: 1,
    })
    .unwrap()
}

/// A port for datagrams and for connections: that the one is free says nothing of the other.
async fn one_port() -> (UdpSocket, TcpListener) {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        match TcpListener::bind(socket.local_addr().unwrap()).await {
            Ok(listener) => return (socket, listener),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse),
        }
    }
}

/// A name server that answers every question with those of these records that it asks for:
/// type and data. A CNAME answers questions for A. What no datagram holds is told by TCP.
pub(crate) async fn zone(records: Vec<(u8, Vec<u8>)>) -> SocketAddr {
    let (socket, listener) = one_port().await;
    let address = socket.local_addr().unwrap();
    let records = Arc::new(records);
    let again = Arc::clone(&records);
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((count, peer)) = socket.recv_from(&mut buffer).await {
            let query = &buffer[..count];
            let mut reply = reply(query, &records);
            if reply.len() > DATAGRAM {
                // The question alone, and the mark that there is more.
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

/// What fits into a datagram that asks for no more (RFC 1035).
const DATAGRAM: usize = 512;

/// The answer to a query, whole.
fn reply(query: &[u8], records: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut end = 12;
    while query[end] != 0 {
        end += usize::from(query[end]) + 1;
    }
    let asked = query[end + 2];
    let fits = |kind: u8| kind == asked || (kind, asked) == (5, 1);
    let given: Vec<_> = records.iter().filter(|(kind, _)| fits(*kind)).collect();
    let mut reply = query[..2].to_vec();
    let count = u8::try_from(given.len()).unwrap();
    reply.extend([0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0]);
    reply.extend(&query[12..end + 5]);
    for (kind, data) in given {
        let length = u8::try_from(data.len()).unwrap();
        reply.extend([0xc0, 12, 0, *kind, 0, 1, 0, 0, 0, 1, 0, length]);
        reply.extend(data);
    }
    reply
}

/// The rows.
pub(crate) async fn rows() -> Vec<Row> {
    let resolve = Some(Phase::Resolve);
    let mut rows = Vec::new();
    for (fault, cause, reply) in [
        ("no such name", "dns-name-not-found", Some((3, None))),
        (
            "a name without an address",
            "dns-name-not-found",
            Some((0, None)),
        ),
        ("the name server fails", "dns-failure", Some((2, None))),
        ("the name server refuses", "dns-failure", Some((5, None))),
        ("the name server is silent", "dns-failure", None),
    ] {
        let prober = asking(dns(reply).await);
        let row = Row::new(fault, cause, resolve, target("http://name.test/"));
        rows.push(row.by(prober));
    }
    // The name's alias is the name itself.
    let circle = zone(vec![(5, vec![0xc0, 12])]).await;
    let row = Row::new(
        "an alias in a circle",
        "dns-failure",
        resolve,
        target("http://name.test/"),
    );
    rows.push(row.by(asking(circle)).missing(
        "to a client an alias without an end is a name without an address, and the resolver tells it so",
    ));

    let server = answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let url = format!("http://name.test:{}/", server.address.port());
    // Nobody listens on the others of 127.0.0.0/8.
    let half: Vec<_> = (0..40_u8)
        .map(|number| {
            (
                1,
                vec![127, 0, number % 2, if number % 2 == 0 { 1 } else { number }],
            )
        })
        .collect();
    let row = Row::new(
        "forty addresses, half of them dead",
        "-",
        None,
        target(&url),
    );
    rows.push(row.by(asking(zone(half).await)));
    let dead: Vec<_> = (1..40_u8)
        .map(|number| (1, vec![127, 0, 1, number]))
        .collect();
    let row = Row::new(
        "forty addresses, all of them dead",
        "connection-refused",
        Some(Phase::Connect),
        target(&url),
    );
    rows.push(row.by(asking(zone(dead).await)));
    rows
}
