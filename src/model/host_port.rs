//! A host with a port, and the layers of a target.
//!
//! A layer is a component that a target's requests pass through and that has its own address, such
//! as the load balancer behind a CDN. A request through a layer connects to this address and
//! thereby bypasses the components in front of the layer. The `Host` header, TLS server name, path,
//! headers and expectations do not change.

use std::fmt;

use url::Host;

/// A host, by name or address, with a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The host name or IP address. An IPv6 address is displayed in brackets.
    pub host: Host<String>,
    /// The port; at least 1.
    pub port: u16,
}

/// A component that a target's requests pass through, such as a load balancer, and to which a
/// request can connect directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The layer's name, unique among the layers of the target.
    pub name: String,
    /// The host and port to which a request through the layer connects.
    pub connect_to: HostPort,
}

/// The name of the outermost layer, which is reached through the target's own URL. Configured
/// layers must have other names.
pub const FRONT: &str = "front";

impl HostPort {
    /// Parses `HOST:PORT`. An IPv6 address is written in brackets.
    ///
    /// # Errors
    /// Returns a message that says what is wrong and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |reason: &str| {
            format!("{text:?} {reason}; write HOST:PORT, such as \"origin.internal:443\"")
        };
        if text.contains("://") {
            return Err(wrong("is a URL"));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong("has no port"))?;
        if let Some(destination) = destination_of_curl(text) {
            return Err(format!(
                "{text:?} has the format of curl's `--connect-to`; write only the destination \
                 {destination:?}, because the source is always the host and port of the URL"
            ));
        }
        if host.contains(':') && !host.starts_with('[') {
            return Err(format!(
                "{text:?} is an IPv6 address without brackets; write [ADDRESS]:PORT, such as \
                 \"[2001:db8::1]:443\""
            ));
        }
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| is_number && *port > 0);
        Ok(Self {
            port: port.ok_or_else(|| wrong("has no port from 1 to 65535"))?,
            host: Host::parse(host).map_err(|_| wrong("has no valid host"))?,
        })
    }
}

/// Returns the destination, `HOST2:PORT2`, if `text` has the format `HOST1:PORT1:HOST2:PORT2` of
/// curl's option `--connect-to`. `HOST1` and `PORT1` may be empty. Returns `None` for any other
/// string, such as an IPv6 address.
fn destination_of_curl(text: &str) -> Option<&str> {
    let (source_host, rest) = text.split_once(':')?;
    let (source_port, destination) = rest.split_once(':')?;
    let (host, _) = destination.rsplit_once(':')?;
    let is_number = source_port.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = |text: &str| text.chars().any(|c| !c.is_ascii_hexdigit());
    let is_curl = is_number
        && !source_host.contains('[')
        && (is_name(source_host) || is_name(host))
        && HostPort::parse(destination).is_ok();
    is_curl.then_some(destination)
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_with_a_port_is_parsed_and_displayed() {
        for (text, displayed) in [
            ("origin.internal:443", "origin.internal:443"),
            ("my_host:1", "my_host:1"),
            ("10.0.0.7:65535", "10.0.0.7:65535"),
            ("[2001:DB8::1]:8443", "[2001:db8::1]:8443"),
        ] {
            assert_eq!(HostPort::parse(text).unwrap().to_string(), displayed);
        }
    }

    #[test]
    fn the_error_says_what_is_wrong_and_what_to_write() {
        for (text, reason) in [
            ("origin.internal", "has no port"),
            ("origin:", "has no port from 1 to 65535"),
            ("origin:0", "has no port from 1 to 65535"),
            ("origin:65536", "has no port from 1 to 65535"),
            ("origin:+80", "has no port from 1 to 65535"),
            (":443", "has no valid host"),
            ("a b:443", "has no valid host"),
            ("a/b:443", "has no valid host"),
            ("user@host:443", "has no valid host"),
            ("https://origin:443", "is a URL"),
            ("2001:db8::1:443", "without brackets"),
            ("::1:443", "without brackets"),
            ("2001:1:b:443", "without brackets"),
            ("a.test:443:10.0.0.7:8443", "\"10.0.0.7:8443\""),
            ("::10.0.0.7:8443", "\"10.0.0.7:8443\""),
            ("a.test::b.test:443", "\"b.test:443\""),
            ("a.test:443:[::1]:8443", "\"[::1]:8443\""),
            ("[2001:db8::1]", "has no port from 1 to 65535"),
            ("", "has no port"),
        ] {
            let error = HostPort::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(error.contains("write "), "{text}: {error}");
        }
    }
}
