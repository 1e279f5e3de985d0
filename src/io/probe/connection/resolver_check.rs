//! Checks whether a DNS server answers at all, after a query for a name got no answer.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

/// A query for the name servers of the root, which every resolver knows.
const QUERY: [u8; 17] = [
    0x50, 0x43, // id
    1, 0, // recursion desired
    0, 1, 0, 0, 0, 0, 0, 0, // one question
    0, 0, 2, 0, 1, // the root, NS, IN
];

/// Time for the answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Sends a query to a server. Any answer will do, even a refusal.
///
/// # Errors
/// The system reports that the server cannot be reached, or it did not answer in time.
pub(super) async fn ask(server: SocketAddr) -> io::Result<()> {
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    // Only a connected socket learns that nothing listens on the port.
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
