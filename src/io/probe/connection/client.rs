//! Builds and shares clients, one for each distinct set of connection settings, and opens their
//! connections.
//!
//! Building a client costs as much CPU as eight HTTPS probes, because it reads the platform's root
//! certificates. Connections are kept only if the target says so.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::TcpStream;
use url::Url;

use super::pool::Pool;
use super::proxy::Proxy;
use super::race;
use super::resolve::Resolvers;
use super::stream::{ByteStream, RecordedStream};
use super::tls::{Alpn, TlsClient};
use super::{Connection, address};
use crate::io::probe::classify;
use crate::io::probe::stopwatch::Stopwatch;
use crate::model::observation::{Fault, Phase};
use crate::model::target::{IpVersion, Target, TlsSettings};

/// The clients built so far, at most [`MAX_CLIENTS`] of them unless all are in use.
#[derive(Default)]
pub(in super::super) struct Clients {
    built: Mutex<HashMap<ClientKey, Arc<Client>>>,
}

/// The connection settings of targets, with their idle connections.
pub(in super::super) struct Client {
    tls: TlsClient,
    proxy: Option<Proxy>,
    ip: IpVersion,
    allowed: Vec<IpAddr>,
    /// Idle connections; `None` if connections are not reused.
    pool: Option<Pool>,
}

/// The settings that determine a client. Targets with equal settings share a client.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ClientKey {
    tls: TlsSettings,
    proxy: Option<Url>,
    ip: IpVersion,
    reuse: bool,
    allowed: Vec<IpAddr>,
}

/// Maximum number of clients kept before unused ones are dropped. It is far more than a
/// configuration needs, because a dropped client must be rebuilt; it bounds memory when reloads
/// keep changing TLS files.
const MAX_CLIENTS: usize = 1024;

/// Idle time after which keepalive packets are sent on a kept connection, and their interval.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Number of unanswered keepalive packets after which a kept connection is closed.
const KEEPALIVE_RETRIES: u32 = 3;

impl Clients {
    /// Returns the shared client for a target's settings; builds it on first use.
    ///
    /// # Errors
    /// A message that says what to correct. The next probe tries again.
    pub(in super::super) fn get(&self, target: &Target) -> Result<Arc<Client>, String> {
        let request = &target.request;
        let key = ClientKey {
            tls: target.tls.clone(),
            proxy: request.proxy.clone(),
            ip: request.ip,
            reuse: request.reuse_connection,
            allowed: request.allow_addresses.clone(),
        };
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = built.get(&key) {
            return Ok(Arc::clone(client));
        }
        if built.len() >= MAX_CLIENTS {
            built.retain(|_, client| Arc::strong_count(client) > 1);
        }
        let client = Arc::new(Client {
            tls: TlsClient::new(&key.tls).map_err(|error| error.to_string())?,
            proxy: key.proxy.as_ref().map(Proxy::new),
            ip: key.ip,
            allowed: key.allowed.clone(),
            pool: key.reuse.then(Pool::default),
        });
        built.insert(key, Arc::clone(&client));
        Ok(client)
    }
}

impl Client {
    /// The proxy through which a request to the URL is sent as plain HTTP, by its absolute URL.
    pub(in super::super) fn plain_proxy(&self, url: &Url) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|_| url.scheme() == "http")
    }

    /// Whether connections lead to a proxy first.
    pub(in super::super) const fn is_proxied(&self) -> bool {
        self.proxy.is_some()
    }

    /// Takes an idle connection to the URL's origin, if connections are reused and there is one.
    pub(in super::super) async fn take_idle(&self, url: &Url) -> Option<Connection> {
        self.pool.as_ref()?.take(&url.origin()).await
    }

    /// Keeps a connection for the next request, if connections are reused.
    pub(in super::super) fn keep(&self, url: &Url, connection: Connection) {
        if let Some(pool) = &self.pool {
            pool.put(url.origin(), connection);
        }
    }

    /// Opens a connection to the URL's origin; the phases are measured by `watch`.
    ///
    /// # Errors
    /// The fault that prevented the connection.
    pub(in super::super) async fn connect(
        &self,
        url: &Url,
        resolvers: &Resolvers,
        watch: &Arc<Stopwatch>,
    ) -> Result<Connection, Fault> {
        let first = self.proxy.as_ref().map_or(url, |proxy| &proxy.url);
        let stream = self.dial(first, resolvers, watch).await?;
        let remote = stream.peer_addr();
        let remote = remote.map_err(|error| classify::connect(&error, self.is_proxied()))?;
        let mut stream: Box<dyn ByteStream> = Box::new(stream);
        if let Some(proxy) = &self.proxy {
            if proxy.url.scheme() == "https" {
                let host = bare_host(&proxy.url);
                let secured = self.tls.handshake(host, stream, Alpn::Http1, watch).await;
                let secured =
                    secured.map_err(|fault| classify::proxy_fault(Phase::Connect, fault.detail))?;
                watch.forget_handshake();
                stream = Box::new(secured);
            }
            if url.scheme() == "https" {
                stream = proxy.open_tunnel(stream, &authority(url)).await?;
            }
        }
        let mut is_http2 = false;
        let mut handshake = None;
        if url.scheme() == "https" {
            watch.enter(Phase::Tls);
            let secured = self
                .tls
                .handshake(bare_host(url), stream, Alpn::Http, watch);
            let secured = secured.await?;
            is_http2 = secured.get_ref().1.alpn_protocol() == Some(b"h2");
            handshake = watch.handshake();
            stream = Box::new(secured);
        }
        watch.enter(Phase::Processing);
        let stream = RecordedStream::new(stream);
        let record = stream.record();
        Connection::begin(stream, is_http2, remote, handshake)
            .await
            .map_err(|error| classify::exchange(&error, Phase::Processing, &record.evidence()))
    }

    /// Opens the TCP connection to a URL's host.
    async fn dial(
        &self,
        url: &Url,
        resolvers: &Resolvers,
        watch: &Stopwatch,
    ) -> Result<TcpStream, Fault> {
        let proxied = self.is_proxied();
        let addresses = match address::literal_address(url) {
            Some(literal) => vec![literal],
            None => {
                watch.enter(Phase::Resolve);
                let host = url.host_str().unwrap_or_default();
                let found = resolvers.addresses(host, self.ip, &self.allowed).await;
                found
                    .map_err(|error| classify::resolve(error.kind(), error.to_string(), proxied))?
            }
        };
        watch.enter(Phase::Connect);
        let port = url.port_or_known_default().unwrap_or_default();
        let addresses: Vec<_> = addresses
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect();
        let stream = race::connect(&addresses, watch)
            .await
            .map_err(|error| classify::connect(&error, proxied))?;
        // Without these options a connection is slower or noticed later to be dead, but it works.
        let _ = stream.set_nodelay(true);
        if self.pool.is_some() {
            let _ = sockopt::set_tcp_keepidle(&stream, KEEPALIVE)
                .and_then(|()| sockopt::set_tcp_keepintvl(&stream, KEEPALIVE))
                .and_then(|()| sockopt::set_tcp_keepcnt(&stream, KEEPALIVE_RETRIES))
                .and_then(|()| sockopt::set_socket_keepalive(&stream, true));
        }
        Ok(stream)
    }
}

/// The host of a URL without the brackets of an IPv6 address.
fn bare_host(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host)
}

/// The host and port of a URL, as in a request for a tunnel.
fn authority(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{}:{port}", url.host_str().unwrap_or_default())
}
