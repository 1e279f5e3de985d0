//! Finds the URL of a request in the messages of curl and of some other clients, for pasted text
//! that does not contain the command.

use std::sync::LazyLock;

use regex::Regex;
use url::Url;

use super::Exchange;
use crate::domain::transcript::command;
use crate::domain::transcript::pattern::{HOST_NAME, pattern};

/// Maximum number of bytes of a message that are searched for a URL or host.
const MAX_MESSAGE: usize = 1_000;

/// Prefixes of the messages in which curl states that it uses a proxy.
const PROXY: [&str; 5] = [
    "Uses proxy",
    "Establish HTTP",
    "SOCKS4",
    "SOCKS5",
    "Opened SOCKS",
];

/// Ports that proxies use. The host before such a port may be the proxy instead of the endpoint.
const PROXY_PORTS: [&str; 3] = ["1080", "3128", "8888"];

/// Matches the message in which old versions of curl state the URL to which they added missing
/// parts, such as the path `/`. Captures the URL.
static REBUILT: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^Rebuilt URL to: (https?://\S+)"));

/// Expressions that match messages of curl and other clients which name a host. They capture the
/// host and, if the message states a port, the port.
static HOST: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"\bHost (HOST):(\d+) was resolved",
        r"(?i:\bfailed to connect to )(HOST)(?i: port )(\d+)",
        r"(?i:\bfailed connect to )(HOST):(\d+)",
        r"\bConnected to (HOST) \([^)]*\) port (\d+)",
        r"(?i:\bcould(?: not|n't) resolve host):? ?'?(HOST)",
        // Messages of apt and Dart.
        r"(?:\bfailure resolving|\bFailed host lookup:) '(HOST)'",
        // A message of Apache HttpClient.
        r"(HOST):(\d{1,5}) failed to respond",
    ]
    .iter()
    .filter_map(|expression| pattern(&expression.replace("HOST", HOST_NAME)))
    .collect()
});

/// Matches an error about the name in the server's certificate. Captures the host of the request.
static CERTIFICATE_HOST: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?i)\b(?:target|requested) host ?name '([^'\s]+)'"));

impl Exchange {
    /// Records the URL or host that a message of curl names, and whether curl uses a proxy.
    pub(in crate::domain::transcript) fn note_host(&mut self, text: &str) {
        let uses_tls = self.progress.uses_tls;
        let request = &mut self.request;
        if PROXY.iter().any(|start| text.starts_with(start)) && !request.has_proxy {
            request.has_proxy = true;
            // The host that curl connected to is the proxy.
            request.reached = None;
        }
        if let Some(url) = find_full_url(text) {
            request.url.get_or_insert(url);
        } else if request.reached.is_none() && !request.has_proxy {
            request.reached = find_host_url(text, uses_tls);
        }
    }
}

/// Returns the URL that a message of curl states in full; `None` if the message states no URL.
fn find_full_url(text: &str) -> Option<Url> {
    let text = &text[..text.floor_char_boundary(MAX_MESSAGE)];
    command::url_of(&REBUILT.as_ref()?.captures(text)?[1])
}

/// Returns the URL of the host that a message names, with the path `/`; `None` if the message names
/// no host or if the port is in [`PROXY_PORTS`]. `uses_tls` determines the scheme, unless the port
/// is 80 or 443 or the message is about a certificate.
fn find_host_url(text: &str, uses_tls: bool) -> Option<Url> {
    let text = &text[..text.floor_char_boundary(MAX_MESSAGE)];
    let found = CERTIFICATE_HOST.as_ref()?.captures(text);
    if let Some(found) = found {
        return command::url_of(&format!("https://{}/", &found[1]));
    }
    let found = HOST
        .iter()
        .find_map(|expression| expression.captures(text))?;
    let port = found.get(2).map(|port| port.as_str());
    if port.is_some_and(|port| PROXY_PORTS.contains(&port)) {
        return None;
    }
    let scheme = match port {
        Some("443") => "https",
        Some("80") => "http",
        _ if uses_tls => "https",
        _ => "http",
    };
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    command::url_of(&format!("{scheme}://{}{port}/", &found[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_in_a_message_of_curl_is_found() {
        for (text, expected) in [
            ("Could not resolve host: x.example", "http://x.example/"),
            ("Couldn't resolve host 'x.example'", "http://x.example/"),
            (
                "Could not resolve host: x.example; Name or service not known",
                "http://x.example/",
            ),
            (
                "Failed to connect to x.example port 443 after 3 ms: refused",
                "https://x.example/",
            ),
            (
                "Failed to connect to x.example port 8443: refused",
                "http://x.example:8443/",
            ),
            (
                "Failed connect to x.example:80; Connection refused",
                "http://x.example/",
            ),
            (
                "Connected to x.example (192.0.2.1) port 443 (#0)",
                "https://x.example/",
            ),
            ("Host x.example:443 was resolved.", "https://x.example/"),
            (
                "SSL: no alternative certificate subject name matches target host name 'x.example'",
                "https://x.example/",
            ),
            ("Failed to connect to proxy port 3128: refused", ""),
            ("Could not resolve proxy: proxy", ""),
            ("Trying 192.0.2.1:443...", ""),
        ] {
            let found = find_host_url(text, false);
            assert_eq!(found.as_ref().map_or("", Url::as_str), expected, "{text}");
        }
        let found = find_full_url("Rebuilt URL to: https://x.example/").unwrap();
        assert_eq!(found.as_str(), "https://x.example/");
    }

    #[test]
    fn a_host_that_is_a_proxy_is_not_the_host_of_the_url() {
        for text in [
            "Establish HTTP proxy tunnel to x.example:443",
            "SOCKS5 connect to 192.0.2.1:443 (locally resolved)",
            "Opened SOCKS connection from 192.0.2.9 port 40000 to x.example port 443",
        ] {
            let mut exchange = Exchange::default();
            exchange.note_host("Connected to proxy (192.0.2.7) port 8080");
            assert!(exchange.request.reached.is_some());
            exchange.note_host(text);
            assert_eq!(exchange.request.reached, None, "{text}");
        }
    }

    #[test]
    fn only_the_start_of_a_long_message_is_examined() {
        let start = "a".repeat(MAX_MESSAGE - 2);
        let text = format!("{start}\u{20ac} Failed to connect to x.example port 80");
        assert_eq!(find_host_url(&text, false), None);
    }
}
