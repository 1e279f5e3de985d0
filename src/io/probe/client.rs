//! Builds and shares the HTTP clients: one for each distinct set of connection settings.
//!
//! Building a client takes as much CPU time as eight HTTPS probes, so clients are reused.
//! Redirects, retries, TLS resumption and the `Referer` header of `reqwest` are off, so that a
//! probe sends one request per hop. Connections are reused only if `request.reuse_connection` is
//! set.

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

/// The value of the `User-Agent` header of a probe.
const USER_AGENT: &str = concat!("probecause/", env!("CARGO_PKG_VERSION"));
/// Maximum number of headers of an HTTP/1 response. It limits the memory that an endpoint can use.
const MAX_HEADERS: usize = 200;
/// Maximum size in bytes of the headers of an HTTP/2 response. It limits the memory that an
/// endpoint can use.
const MAX_HEADER_LIST: u32 = 64 * 1024;

/// The HTTP clients built so far, at most [`MAX_CLIENTS`] unless more are in use.
#[derive(Default)]
pub(super) struct Clients {
    built: Mutex<HashMap<ClientKey, Arc<SharedClient>>>,
}

/// An HTTP client, and the last TLS handshakes over its reused connections.
pub(super) struct SharedClient {
    /// The HTTP client, which sends the requests.
    pub(super) http: Client,
    /// The facts of the last handshake with each origin. `None` if connections are not reused. A
    /// request over a reused connection has no handshake, but the certificate can expire.
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

/// Maximum number of clients before unused ones are dropped. The limit bounds the memory when
/// reloads change TLS files again and again. It exceeds the needs of a configuration, because a
/// dropped client must be built again.
const MAX_CLIENTS: usize = 1024;

impl Clients {
    /// Returns the shared client for the settings of a target. Builds the client on first use.
    ///
    /// # Errors
    /// Returns a message if the client cannot be built. The next probe tries again.
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
    /// Returns the facts of the handshake for a request to `url`: the facts of a new handshake,
    /// which are stored, or the stored facts of the last handshake with the same origin.
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
    // The timeout of the probe limits every connection. TCP_USER_TIMEOUT could end a probe earlier,
    // and keepalive is useless on a connection for a single request.
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

/// Wraps a connector in a [`TimedConnector`].
#[derive(Clone, Copy)]
struct ConnectTiming;

/// A connector that records when connecting begins and ends.
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
