//! Recognizes that a client tried to connect to another address than that of the URL, such as a
//! proxy from an environment variable.

use std::sync::LazyLock;

use regex::Regex;

use super::{Exchange, Source};
use crate::domain::transcript::pattern::pattern;
use crate::model::observation::{FaultKind, Phase};

/// Ports on which proxies usually listen.
const PROXY_PORTS: [u16; 7] = [1080, 3128, 8080, 8118, 8123, 8888, 9050];

/// Captures the address and the port of a failed connection in an error message of Node.js.
/// Messages of Go are not needed, because they state that the address is that of a proxy.
static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"\b(?:ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)\s\[?((?:\d{1,3}\.){3}\d{1,3}|[0-9a-f:]{2,40})\]?:(\d{1,5})\b",
    )
});

impl Exchange {
    /// Marks the fault of a connection as inferred if the message names another port than the URL,
    /// or if the host of the URL is another IP address than that in the message. In both cases, the
    /// fault becomes that of a proxy if the port in the message is one of [`PROXY_PORTS`].
    pub(in crate::domain::transcript) fn doubt_address(&mut self) {
        let Some((host, port)) = self.failed_address() else {
            return;
        };
        let Some(url) = &self.request.url else { return };
        let is_other_port = url.port_or_known_default() != Some(port);
        let is_address = matches!(url.host(), Some(url::Host::Ipv4(_) | url::Host::Ipv6(_)));
        let named = url.host_str().unwrap_or_default();
        let is_other_host = is_address && named.trim_matches(['[', ']']) != host;
        if !is_other_port && !is_other_host {
            return;
        }
        if let Some(fault) = &mut self.fault {
            fault.found.is_stated = false;
            if PROXY_PORTS.contains(&port) {
                fault.found.kind = FaultKind::Proxy;
            }
        }
    }

    /// Returns the address and the port of the failed connection that the message of the fault
    /// names; `None` if the message names none.
    fn failed_address(&self) -> Option<(String, u16)> {
        let fault = self.fault.as_ref()?;
        let is_message = self.source == Source::Message && fault.found.phase == Phase::Connect;
        let found = ADDRESS.as_ref().filter(|_| is_message)?;
        let found = found.captures(&fault.message)?;
        Some((found[1].to_owned(), found[2].parse().ok()?))
    }
}
