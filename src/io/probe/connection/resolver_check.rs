//! Checks whether a DNS server answers any query, after a query for a name got no answer.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

/// A DNS query for the name servers of the root zone, which every resolver can answer.
const QUERY: [u8; 17] = [
    0x50, 0x43, // message ID
    1, 0, // flags: recursion desired
    0, 1, 0, 0, 0, 0, 0, 0, // one question, no other records
    0, 0, 2, 0, 1, // question: the root, type NS, class IN
];

/// Maximum time to wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Sends a query to a DNS server and waits for the answer. Any answer is sufficient, even a
/// refusal.
///
/// # Errors
/// Returns an error if the system reports that the server is unreachable, or if the server does not
/// answer in time.
pub(super) async fn ask(server: SocketAddr) -> io::Result<()> {
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    // On an unconnected socket, the system would not report that nothing listens on the port.
    let socket = UdpSocket::bind(local).await?;
    socket.connect(server).await?;
    socket.send(&QUERY).await?;
    match timeout(TIMEOUT, socket.recv(&mut [0; 512])).await {
        Ok(received) => received.map(|_| ()),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "no answer to any query",
        )),
    }
}
