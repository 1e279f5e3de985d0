//! Types of IP addresses, with and without a port.

use std::net::{IpAddr, SocketAddr};

use super::checked;

checked! {
    /// The IP address and port on which the daemon listens.
    Listen(SocketAddr) from String, |text: String| text.parse().map_err(|_| format!(
        "{text:?} is not an address with a port; write \"127.0.0.1:9853\" or \"[::1]:9853\""
    ));

    /// The address of a DNS server: an IP address with an optional port, 53 by default.
    NameServer(SocketAddr) from String, |text: String| {
        let without_port = || text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53));
        text.parse().or_else(|_| without_port()).map_err(|_| {
            format!("{text:?} is not an IP address; write \"1.1.1.1\" or \"1.1.1.1:53\"")
        })
    };

    /// An IP address without a port.
    Address(IpAddr) from String, |text: String| text.parse().map_err(|_| {
        format!("{text:?} is not an IP address; write \"169.254.1.1\" or \"fe80::1\"")
    });
}
