//! Represents the proxy of a target, and opens CONNECT tunnels (for HTTPS) and SOCKS connections
//! through it. `socks` implements SOCKS, and `request` builds the plain HTTP requests to a proxy.

use http::HeaderValue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Url;

use super::socks;
use super::stream::ByteStream;
use crate::io::probe::classify::proxy_fault;
use crate::io::probe::{USER_AGENT, auth};
use crate::model::host_port::HostPort;
use crate::model::observation::{Fault, Phase};
use crate::model::target::ProxyAuth;

/// The proxy of a target, with the credentials for the proxy, if any.
#[derive(Clone, Debug)]
pub(in super::super) struct Proxy {
    /// The URL of the proxy. Connections use only its scheme, host and port.
    pub(super) url: Url,
    /// The value of `Proxy-Authorization`, if there are credentials for the proxy.
    authorization: Option<HeaderValue>,
    auth: Option<ProxyAuth>,
}

/// Maximum size of the head of a proxy's response to CONNECT, in bytes.
const MAX_HEAD: usize = 16 * 1024;

impl Proxy {
    /// Creates a proxy from its URL. `auth` overrides the user and password in the URL.
    pub(super) fn new(url: &Url, auth: Option<&ProxyAuth>) -> Self {
        let configured = auth
            .map(|auth| auth::basic(auth.username.as_bytes(), auth.password.expose().as_bytes()));
        Self {
            url: url.clone(),
            authorization: configured.or_else(|| auth::of_url(url)),
            auth: auth.cloned(),
        }
    }

    /// Returns whether the proxy uses SOCKS instead of HTTP.
    pub(super) fn is_socks(&self) -> bool {
        self.url.scheme().starts_with("socks")
    }

    /// Returns whether the proxy resolves host names. Otherwise, the prober resolves them.
    pub(super) fn resolves(&self) -> bool {
        self.url.scheme() != "socks5"
    }

    /// Opens a connection to `to` through a SOCKS proxy.
    ///
    /// # Errors
    /// Returns a fault if the proxy refused the request, could not connect, closed the connection,
    /// or does not use SOCKS5.
    pub(super) async fn open_socks(
        &self,
        mut stream: Box<dyn ByteStream>,
        to: &HostPort,
    ) -> Result<Box<dyn ByteStream>, Fault> {
        socks::connect(&mut stream, to, self.auth.as_ref()).await?;
        Ok(stream)
    }

    /// Returns the value of `Proxy-Authorization`, or `None` if there are no credentials for the
    /// proxy.
    pub(in super::super) const fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Opens a tunnel through the proxy to `authority`, which is a host and port.
    ///
    /// # Errors
    /// Returns a fault if the proxy refused the tunnel, closed the connection, or did not respond
    /// with HTTP.
    pub(super) async fn open_tunnel(
        &self,
        mut stream: Box<dyn ByteStream>,
        authority: &str,
    ) -> Result<Box<dyn ByteStream>, Fault> {
        let mut request = format!(
            "CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\nuser-agent: {USER_AGENT}\r\n"
        )
        .into_bytes();
        if let Some(authorization) = &self.authorization {
            request.extend_from_slice(b"proxy-authorization: ");
            request.extend_from_slice(authorization.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        let broken = |error: std::io::Error| {
            let detail =
                format!("the proxy closed the connection without opening a tunnel: {error}");
            proxy_fault(Phase::Connect, detail)
        };
        stream.write_all(&request).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        let head = read_head(&mut stream).await.map_err(broken)?;
        let line = String::from_utf8_lossy(&head);
        let line = line.lines().next().unwrap_or_default();
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        match status.filter(|_| line.starts_with("HTTP/")) {
            Some(200..=299) => Ok(stream),
            Some(407) => Err(proxy_fault(
                Phase::Connect,
                format!(
                    "the proxy requires authentication (`{line}`); set or correct \
                     `request.proxy_auth`"
                ),
            )),
            _ => Err(proxy_fault(
                Phase::Connect,
                format!("the proxy refused a tunnel to {authority} with the response {line:?}"),
            )),
        }
    }
}

/// Reads a response head byte by byte, because the bytes that follow the head belong to the tunnel.
async fn read_head(stream: &mut Box<dyn ByteStream>) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") && head.len() < MAX_HEAD {
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}
