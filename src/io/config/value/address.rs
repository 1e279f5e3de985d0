//! Defines types for hosts and IP addresses, with and without a port.

use std::net::{IpAddr, SocketAddr};

use toml::Value;

use super::checked;
use crate::model::host_port::HostPort;

checked! {
    /// The IP address and port on which the daemon listens.
    Listen(SocketAddr) from Value, |value: Value| {
        let text = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let parsed = text.parse().ok().filter(|_| value.is_str());
        parsed.ok_or_else(|| format!(
            "{text:?} is not an IP address with a port; write {}", suggested_listen(&text)
        ))
    };

    /// The address of a DNS server: an IP address with an optional port, 53 by default.
    NameServer(SocketAddr) from String, |text: String| {
        let without_port = || text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53));
        text.parse().or_else(|_| without_port()).map_err(|_| {
            // Some other tools write the address of a DNS server as `tcp://1.1.1.1:53`.
            let bare = text.split("://").nth(1).unwrap_or(&text).trim_end_matches('/');
            let is_plain = !text.starts_with("https://") && !text.starts_with("tls://");
            let is_address = bare.parse::<SocketAddr>().is_ok() || bare.parse::<IpAddr>().is_ok();
            if is_plain && is_address {
                return format!("{text:?} is not an IP address; write {bare:?}");
            }
            format!(
                "{text:?} is not the IP address of a DNS server; write an address such as \
                 \"1.1.1.1\" or \"1.1.1.1:53\""
            )
        })
    };

    /// A host name or IP address with a port.
    ConnectTo(HostPort) from String, |text: String| HostPort::parse(&text);

    /// An IP address without a port.
    Address(IpAddr) from String, |text: String| text.parse().map_err(|_| {
        format!(
            "{text:?} is not an IP address; write an address such as \"169.254.1.1\" or \"fe80::1\""
        )
    });
}

/// Returns the quoted address to write instead of a text such as `:9853`, `9853`, `localhost:9853`
/// or an IP address without a port. Returns examples if the text has neither a port nor an address.
fn suggested_listen(text: &str) -> String {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let port: Option<u16> = port.parse().ok().filter(|port| *port > 0);
    let address = match (host.trim_matches(['[', ']']), text.parse::<IpAddr>()) {
        (_, Ok(address)) => return format!("\"{}\"", SocketAddr::new(address, 9853)),
        ("*", _) => "0.0.0.0".to_owned(),
        ("", _) if text.starts_with(':') => "0.0.0.0".to_owned(),
        _ => "127.0.0.1".to_owned(),
    };
    match port {
        Some(port) => format!("\"{address}:{port}\""),
        None => "an address such as \"127.0.0.1:9853\" or \"[::1]:9853\"".to_owned(),
    }
}
