//! Decides to which host and port a TCP connection is opened: those of the URL, or those of the
//! target's `connect_to` setting.
//!
//! The setting does not change the `Host` header, the TLS server name or the rest of the request.
//! It applies only to URLs with the host and port of the target's URL, so it does not apply after a
//! redirect to another host or port.

use url::{Host, Url};

use crate::model::host_port::HostPort;
use crate::model::target::Target;

/// An override: the host and port to connect to instead of those in the URL of a target.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ConnectTo {
    /// The host and port in the URL of the target.
    own: HostPort,
    /// The host and port of the `connect_to` setting.
    instead: HostPort,
}

impl ConnectTo {
    /// Creates the override from the `connect_to` setting of a target. Returns `None` if the target
    /// does not set `connect_to`, or its URL has no host or port.
    pub(super) fn of(target: &Target) -> Option<Self> {
        Some(Self {
            own: of_url(&target.url)?,
            instead: target.request.connect_to.clone()?,
        })
    }

    /// Returns whether the URL has the host and port of the target's URL.
    pub(super) fn applies_to(&self, url: &Url) -> bool {
        of_url(url).is_some_and(|own| own == self.own)
    }
}

/// Returns the host and port to connect to for a URL, or `None` if the URL has no host or port.
/// `connect_to` applies only to URLs with the host and port of the target's URL.
pub(super) fn endpoint(url: &Url, connect_to: Option<&ConnectTo>) -> Option<HostPort> {
    match connect_to {
        Some(to) if to.applies_to(url) => Some(to.instead.clone()),
        _ => of_url(url),
    }
}

fn of_url(url: &Url) -> Option<HostPort> {
    let host = match url.host()? {
        // The `url` crate does not parse an IPv4 address in the URL of a SOCKS proxy, so the name
        // may be an address.
        Host::Domain(name) => match name.parse() {
            Ok(address) => Host::Ipv4(address),
            Err(_) => Host::Domain(name.to_owned()),
        },
        Host::Ipv4(address) => Host::Ipv4(address),
        Host::Ipv6(address) => Host::Ipv6(address),
    };
    Some(HostPort {
        host,
        port: url.port_or_known_default()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connections_to_the_own_host_and_port_lead_elsewhere() {
        let mut target = Target::with_defaults("shop", "https://shop.example/".parse().unwrap());
        assert!(ConnectTo::of(&target).is_none());
        target.request.connect_to = Some(HostPort::parse("[::1]:8443").unwrap());
        let to = ConnectTo::of(&target).unwrap();
        for (url, expected) in [
            ("https://shop.example/other?x", "[::1]:8443"),
            ("http://shop.example:443/", "[::1]:8443"),
            ("http://shop.example/", "shop.example:80"),
            ("https://shop.example:8443/", "shop.example:8443"),
            ("https://login.example/", "login.example:443"),
            ("http://127.0.0.1:81/", "127.0.0.1:81"),
        ] {
            let found = endpoint(&url.parse().unwrap(), Some(&to)).unwrap();
            assert_eq!(found.to_string(), expected, "{url}");
            let applies = expected == "[::1]:8443";
            assert_eq!(to.applies_to(&url.parse().unwrap()), applies, "{url}");
        }
        let url = "https://shop.example/".parse().unwrap();
        let found = endpoint(&url, None).unwrap();
        assert_eq!(found.to_string(), "shop.example:443");
    }
}
