//! Connects to the first of several addresses that answers (Happy Eyeballs, RFC 8305).
//!
//! An address that drops packets must not use up the timeout of a probe while another address
//! works. All addresses are tried, not only the first of each IP version.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::io::probe::classify::is_local;
use crate::io::probe::stopwatch::Stopwatch;

/// Delay after which the next address is tried, unless an attempt fails earlier. RFC 8305, section
/// 5, recommends 250 ms.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to the first address that answers. Records the attempts in `watch`.
///
/// # Errors
/// If every address fails, returns the error that says most about the peer.
pub(super) async fn connect(addresses: &[SocketAddr], watch: &Stopwatch) -> io::Result<TcpStream> {
    let mut waiting = interleave(addresses).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut worst: Option<io::Error> = None;
    loop {
        if let Some(address) = waiting.next() {
            watch.begin_attempt(address);
            attempts.push(async move { (address, TcpStream::connect(address).await) });
        }
        let next = Instant::now() + ATTEMPT_DELAY;
        loop {
            let ended = tokio::select! {
                ended = attempts.next() => ended,
                () = sleep_until(next), if waiting.len() > 0 => break,
            };
            match ended {
                None => return Err(worst.unwrap_or_else(no_address)),
                Some((address, Ok(stream))) => {
                    watch.win_attempt(address);
                    return Ok(stream);
                }
                Some((address, Err(error))) => {
                    if is_own(&error) {
                        watch.forget_attempt(address);
                    } else {
                        watch.fail_attempt(address, &error.to_string());
                    }
                    worst = Some(more_telling(worst, error));
                    if waiting.len() > 0 {
                        break;
                    }
                }
            }
        }
    }
}

/// Returns the addresses with alternating IP versions, starting with the version of the first
/// address.
fn interleave(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .iter()
        .copied()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut order = Vec::with_capacity(addresses.len());
    let mut second = second.into_iter();
    for address in first {
        order.push(address);
        order.extend(second.next());
    }
    order.extend(second);
    order
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "no address to connect to")
}

/// Returns whether an error was caused by this host, for example by a missing IPv6 route.
fn is_own(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NetworkUnreachable || is_local(error)
}

/// Returns the error that says more about the peer. A refusal is sent by the peer itself, but an
/// unreachable network is often an error of this host.
fn more_telling(known: Option<io::Error>, new: io::Error) -> io::Error {
    let rank = |error: &io::Error| match error.kind() {
        io::ErrorKind::NetworkUnreachable => 0,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkDown => 1,
        io::ErrorKind::TimedOut => 2,
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => 3,
        _ => 4,
    };
    match known {
        Some(known) if rank(&known) >= rank(&new) => known,
        _ => new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ip_versions_alternate() {
        let parse = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let addresses = [
            "10.0.0.1:1",
            "10.0.0.2:1",
            "10.0.0.3:1",
            "[::1]:1",
            "[::2]:1",
        ];
        let order = [
            "10.0.0.1:1",
            "[::1]:1",
            "10.0.0.2:1",
            "[::2]:1",
            "10.0.0.3:1",
        ];
        assert_eq!(interleave(&parse(&addresses)), parse(&order));
        let v6_first = ["[::1]:1", "10.0.0.1:1", "10.0.0.2:1"];
        assert_eq!(interleave(&parse(&v6_first)), parse(&v6_first));
    }

    #[test]
    fn a_refusal_is_more_telling_than_an_unreachable_network() {
        use io::ErrorKind::{ConnectionRefused, NetworkUnreachable, TimedOut};
        for (known, new, expected) in [
            (NetworkUnreachable, ConnectionRefused, ConnectionRefused),
            (ConnectionRefused, NetworkUnreachable, ConnectionRefused),
            (TimedOut, NetworkUnreachable, TimedOut),
        ] {
            let error = more_telling(Some(known.into()), new.into());
            assert_eq!(error.kind(), expected);
        }
    }
}
