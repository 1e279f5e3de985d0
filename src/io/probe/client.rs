//! Builds and shares the HTTP clients: one for each distinct set of connection settings.
//!
//! Building a client costs as much CPU as eight HTTPS probes, so clients are reused. The
//! automatic behavior of `reqwest` (redirects, retries, TLS resumption, referer) is off, and
//! connections are reused only if the target says so: a probe sends one request per hop.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use reqwest::Client;
use tower::{Layer, Service};
use url::Url;

use super::resolve::{FilteringResolver, Resolvers};
use super::stopwatch::with_current;
use super::tls;
use crate::model::observation::{Phase, TlsFacts};
use crate::model::target::{IpVersion, Target, TlsSettings};

/// The user agent of a probe.
pub(super) const USER_AGENT: &str = concat!("probecause/", env!("CARGO_PKG_VERSION"));
/// Maximum number of response headers, which bounds memory.
const MAX_HEADERS: usize = 200;
/// Maximum size of an HTTP/2 header list, in bytes.
const MAX_HEADER_LIST: u32 = 64 * 1024;

/// The clients built so far, at most [`MAX_CLIENTS`] of them unless all are in use.
#[derive(Default)]
pub(super) struct Clients {
    built: Mutex<HashMap<ClientKey, Arc<SharedClient>>>,
}

/// A client, and the handshakes of its open connections.
pub(super) struct SharedClient {
    /// The HTTP client.
    pub(super) http: Client,
    /// The last handshake of each origin, if connections are reused: a reused connection has no
    /// handshake of its own, but its certificate still expires.
    handshakes: Option<Mutex<HashMap<String, TlsFacts>>>,
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

impl Clients {
    /// Returns the shared client for a target's settings; builds it on first use.
    ///
    /// # Errors
    /// A message that says what to correct. The next probe tries again.
    pub(super) fn get(
        &self,
        target: &Target,
        resolvers: &Resolvers,
    ) -> Result<Arc<SharedClient>, String> {
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
        let client = Arc::new(build(&key, resolvers)?);
        built.insert(key, Arc::clone(&client));
        Ok(client)
    }
}

impl SharedClient {
    /// Stores a new handshake of the URL's origin, or returns the stored one if there is no new
    /// one.
    pub(super) fn tls_facts(&self, url: &Url, fresh: Option<TlsFacts>) -> Option<TlsFacts> {
        let Some(handshakes) = self.handshakes.as_ref().filter(|_| url.scheme() == "https") else {
            return fresh;
        };
        let origin = url.origin().ascii_serialization();
        let mut handshakes = handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        match fresh {
            Some(facts) => {
                handshakes.insert(origin, facts.clone());
                Some(facts)
            }
            None => handshakes.get(&origin).cloned(),
        }
    }
}

fn build(key: &ClientKey, resolvers: &Resolvers) -> Result<SharedClient, String> {
    let tls = tls::client_config(&key.tls).map_err(|error| error.to_string())?;
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .user_agent(USER_AGENT)
        .http1_max_headers(MAX_HEADERS)
        .http2_max_header_list_size(MAX_HEADER_LIST)
        .dns_resolver(FilteringResolver {
            resolver: resolvers.for_version(key.ip),
            allowed: key.allowed.clone().into(),
        })
        .connector_layer(ConnectTiming);
    // A probe's own timeout bounds every connection. The system's limit on unacknowledged data
    // could end a probe earlier, and keepalive is useless on a connection used for one request.
    builder = builder.tcp_user_timeout(None);
    if !key.reuse {
        builder = builder
            .pool_max_idle_per_host(0)
            .tcp_keepalive(None)
            .tcp_keepalive_interval(None)
            .tcp_keepalive_retries(None);
    }
    if let Some(proxy) = &key.proxy {
        let proxy = reqwest::Proxy::all(proxy.clone());
        builder = builder.proxy(proxy.map_err(|error| error.without_url().to_string())?);
    }
    let http = builder.build().map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        cause.unwrap_or_else(|| error.to_string())
    })?;
    Ok(SharedClient {
        http,
        handshakes: key.reuse.then(Mutex::default),
    })
}

/// Wraps the connector to record when connecting begins and ends.
#[derive(Clone, Copy)]
struct ConnectTiming;

/// The wrapped connector.
#[derive(Clone)]
struct TimedConnector<S>(S);

impl<S> Layer<S> for ConnectTiming {
    type Service = TimedConnector<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TimedConnector(inner)
    }
}

impl<S, Request> Service<Request> for TimedConnector<S>
where
    S: Service<Request>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let connecting = self.0.call(request);
        Box::pin(async move {
            with_current(|stopwatch| stopwatch.begin_connect());
            let connected = connecting.await;
            if connected.is_ok() {
                with_current(|stopwatch| stopwatch.enter(Phase::Processing));
            }
            connected
        })
    }
}
