//! Builds one client for each distinct set of connection settings, shares it between targets, and
//! opens its connections.
//!
//! Clients are shared because building a client reads the platform's root certificates, which uses
//! as much CPU time as eight HTTPS probes. Idle connections are kept only if the target reuses
//! connections.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::TcpStream;
use url::{Host, Url};

use super::Connection;
use super::connect_to::{self, ConnectTo, endpoint};
use super::pool::Pool;
use super::proxy::Proxy;
use super::race;
use super::resolve::Resolvers;
use super::server_name::{self, ServerName, bare_host};
use super::socks;
use super::stream::{ByteStream, RecordedStream};
use super::tls::{Alpn, TlsClient};
use crate::io::probe::classify::{self, Received};
use crate::io::probe::stopwatch::Stopwatch;
use crate::model::host_port::HostPort;
use crate::model::observation::{Fault, FaultKind, Phase};
use crate::model::target::{HttpChoice, IpVersion, ProxyAuth, Target, TlsSettings};

/// The clients by their settings. When the number of clients reaches [`MAX_CLIENTS`], the clients
/// that no probe is using are dropped.
#[derive(Default)]
pub(in super::super) struct Clients {
    built: Mutex<HashMap<ClientKey, Arc<Client>>>,
}

/// The connection settings of one or more targets, and the idle connections of these targets.
pub(in super::super) struct Client {
    tls: TlsClient,
    proxy: Option<Proxy>,
    ip: IpVersion,
    http: HttpChoice,
    allowed: Vec<IpAddr>,
    connect_to: Option<ConnectTo>,
    server_name: Option<ServerName>,
    /// Resolvers for the servers in `request.resolver`; `None` for the daemon's resolvers.
    resolvers: Option<Resolvers>,
    /// Idle connections; `None` if connections are not reused.
    pool: Option<Pool>,
}

/// The settings that determine a client. Targets with equal settings share a client.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ClientKey {
    tls: TlsSettings,
    proxy: Option<(Url, Option<ProxyAuth>)>,
    ip: IpVersion,
    http: HttpChoice,
    reuse: bool,
    allowed: Vec<IpAddr>,
    connect_to: Option<ConnectTo>,
    server_name: Option<ServerName>,
    dns_servers: Vec<SocketAddr>,
}

/// Number of clients at which the clients that no probe is using are dropped before a new client is
/// built. This limits memory if reloads keep changing TLS files. The number is far above the needs
/// of a configuration, because dropped clients that are needed again must be rebuilt.
const MAX_CLIENTS: usize = 1024;

/// Idle time of a reusable connection before the first TCP keepalive packet, and the interval
/// between keepalive packets.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Number of unanswered TCP keepalive packets after which a reusable connection is closed.
const KEEPALIVE_RETRIES: u32 = 3;

impl Clients {
    /// Returns the shared client for a target's settings. Builds the client on first use.
    ///
    /// # Errors
    /// Returns a message that says what to correct. The next call tries to build the client again.
    pub(in super::super) fn get(
        &self,
        target: &Target,
        resolvers: &Resolvers,
    ) -> Result<Arc<Client>, String> {
        let request = &target.request;
        let proxy = request.proxy.clone();
        let key = ClientKey {
            tls: target.tls.clone(),
            proxy: proxy.map(|url| (url, request.proxy_auth.clone())),
            ip: request.ip,
            http: request.http,
            reuse: request.reuse_connection,
            allowed: request.allow_addresses.clone(),
            connect_to: ConnectTo::of(target),
            server_name: ServerName::of(target),
            dns_servers: request.resolver.clone(),
        };
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = built.get(&key) {
            return Ok(Arc::clone(client));
        }
        if built.len() >= MAX_CLIENTS {
            built.retain(|_, client| Arc::strong_count(client) > 1);
        }
        let proxy = key.proxy.as_ref();
        let own_resolvers = match key.dns_servers.as_slice() {
            [] => None,
            servers => Some(resolvers.with_servers(servers)?),
        };
        let client = Arc::new(Client {
            tls: TlsClient::new(&key.tls).map_err(|error| error.to_string())?,
            proxy: proxy.map(|(url, auth)| Proxy::new(url, auth.as_ref())),
            ip: key.ip,
            http: key.http,
            allowed: key.allowed.clone(),
            connect_to: key.connect_to.clone(),
            server_name: key.server_name.clone(),
            resolvers: own_resolvers,
            pool: key.reuse.then(Pool::default),
        });
        built.insert(key, Arc::clone(&client));
        Ok(client)
    }
}

impl Client {
    /// Returns the proxy to which a request for the URL is sent as plain HTTP with an absolute URL.
    /// Returns `None` for HTTPS, for a SOCKS proxy, and without a proxy.
    pub(in super::super) fn plain_proxy(&self, url: &Url) -> Option<&Proxy> {
        let proxy = self.proxy.as_ref().filter(|proxy| !proxy.is_socks());
        proxy.filter(|_| url.scheme() == "http")
    }

    /// Returns whether the target sets `connect_to`, but the setting does not apply to the URL.
    pub(in super::super) fn leaves_connect_to(&self, url: &Url) -> bool {
        let connect_to = self.connect_to.as_ref();
        connect_to.is_some_and(|connect_to| !connect_to.applies_to(url))
    }

    /// Returns whether connections are made through a proxy.
    pub(in super::super) const fn is_proxied(&self) -> bool {
        self.proxy.is_some()
    }

    /// Removes an idle connection to the URL's origin from the pool, and returns it. Returns `None`
    /// if connections are not reused, or if no idle connection is usable.
    pub(in super::super) async fn take_idle(&self, url: &Url) -> Option<Connection> {
        self.pool.as_ref()?.take(&url.origin()).await
    }

    /// Keeps a connection for the next request if connections are reused.
    pub(in super::super) fn keep(&self, url: &Url, connection: Connection) {
        if let Some(pool) = &self.pool {
            pool.put(url.origin(), connection);
        }
    }

    /// Opens a connection to the URL's origin. `watch` measures the phases.
    ///
    /// # Errors
    /// Returns the fault that prevented the connection.
    pub(in super::super) async fn connect(
        &self,
        url: &Url,
        resolvers: &Resolvers,
        watch: &Arc<Stopwatch>,
    ) -> Result<Connection, Fault> {
        let resolvers = self.resolvers.as_ref().unwrap_or(resolvers);
        let endpoint = endpoint(url, self.connect_to.as_ref())
            .ok_or_else(|| no_host("the request URL has no host; correct `url`"))?;
        let first = match &self.proxy {
            Some(proxy) => connect_to::endpoint(&proxy.url, None)
                .ok_or_else(|| no_host("the proxy URL has no host; correct `request.proxy`"))?,
            None => endpoint.clone(),
        };
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
            if proxy.is_socks() {
                let to = self.behind_proxy(proxy, endpoint, resolvers).await?;
                stream = proxy.open_socks(stream, &to).await?;
            } else if url.scheme() == "https" {
                stream = proxy.open_tunnel(stream, &endpoint.to_string()).await?;
            }
        }
        // Without TLS, HTTP/2 cannot be negotiated, so it is used only if the target requires it.
        let mut is_http2 = self.http == HttpChoice::Http2 && self.plain_proxy(url).is_none();
        let mut handshake = None;
        if url.scheme() == "https" {
            watch.enter(Phase::Tls);
            let name = server_name::of(url, self.server_name.as_ref());
            let alpn = Alpn::of(self.http);
            let secured = self.tls.handshake(name, stream, alpn, watch).await?;
            let offered = secured.get_ref().1.alpn_protocol() == Some(b"h2");
            if is_http2 && !offered {
                return Err(classify::no_http2());
            }
            is_http2 = offered;
            handshake = watch.handshake();
            stream = Box::new(secured);
        }
        watch.enter(Phase::Processing);
        let stream = RecordedStream::new(stream);
        let record = stream.record();
        let requested = handshake
            .as_ref()
            .is_some_and(|seen| seen.client_certificate_requested);
        Connection::begin(stream, is_http2, remote, handshake)
            .await
            .map_err(|error| {
                let received = Received {
                    client_certificate_requested: requested,
                    ..record.evidence()
                };
                classify::exchange(&error, Phase::Processing, &received)
            })
    }

    /// Returns the host and port to which a SOCKS proxy is to connect. Resolves the host name first
    /// if the proxy does not resolve names.
    async fn behind_proxy(
        &self,
        proxy: &Proxy,
        to: HostPort,
        resolvers: &Resolvers,
    ) -> Result<HostPort, Fault> {
        let Host::Domain(host) = &to.host else {
            return Ok(to);
        };
        if proxy.resolves() {
            return Ok(to);
        }
        let found = resolvers.addresses(host, self.ip, &self.allowed).await;
        let found =
            found.map_err(|error| classify::resolve(error.kind(), error.to_string(), false))?;
        let address = found.into_iter().next();
        Ok(address.map_or_else(|| to.clone(), |address| socks::at(address, to.port)))
    }

    /// Resolves the host, and opens a TCP connection to one of its addresses.
    async fn dial(
        &self,
        to: HostPort,
        resolvers: &Resolvers,
        watch: &Stopwatch,
    ) -> Result<TcpStream, Fault> {
        let proxied = self.is_proxied();
        let addresses = match to.host {
            Host::Ipv4(literal) => vec![literal.into()],
            Host::Ipv6(literal) => vec![literal.into()],
            Host::Domain(host) => {
                watch.enter(Phase::Resolve);
                let found = resolvers.addresses(&host, self.ip, &self.allowed).await;
                found
                    .map_err(|error| classify::resolve(error.kind(), error.to_string(), proxied))?
            }
        };
        watch.enter(Phase::Connect);
        let port = to.port;
        let addresses: Vec<_> = addresses
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect();
        let stream = race::connect(&addresses, watch)
            .await
            .map_err(|error| classify::connect(&error, proxied))?;
        // Ignore errors: without these options, the connection is slower or its loss is detected
        // later, but it works.
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

/// Returns the fault for a URL without a host. `detail` says which URL.
fn no_host(detail: &str) -> Fault {
    classify::resolve(FaultKind::Local, detail.to_owned(), false)
}
