//! The HTTP clients: one per distinct settings, shared by all probes that have them.
//!
//! Building a client costs as much as eight HTTPS probes, so it is done once. All that
//! reqwest would do of its own accord (follow, retry, resume, keep, send a referer) is
//! off: a probe is exactly one request per hop, and what it saw is what happened.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use reqwest::Client;
use tower::{Layer, Service};
use url::Url;

use super::resolve::{GuardedResolver, Resolvers};
use super::stopwatch::current;
use super::tls;
use crate::model::observation::{Phase, TlsFacts};
use crate::model::target::{IpVersion, Target, TlsSettings};

/// How the prober names itself to those it calls.
const USER_AGENT: &str = concat!("probecause/", env!("CARGO_PKG_VERSION"));
/// More headers than this is no answer to a probe, and each costs memory.
const MAX_HEADERS: usize = 200;
/// The same bound for HTTP/2, in bytes of the whole list.
const MAX_HEADER_LIST: u32 = 64 * 1024;

/// The clients built so far, bounded by [`MAX_CLIENTS`].
#[derive(Default)]
pub(super) struct Clients {
    built: Mutex<HashMap<ClientKey, Arc<SharedClient>>>,
}

/// A client, and what it knows of the peers of its kept connections.
pub(super) struct SharedClient {
    /// The client.
    pub(super) http: Client,
    /// By origin: the handshake of a connection that is kept happens only once, while
    /// its certificate runs out all the same.
    handshakes: Option<Mutex<HashMap<String, TlsFacts>>>,
}

/// What makes two targets need different clients.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ClientKey {
    tls: TlsSettings,
    proxy: Option<Url>,
    ip: IpVersion,
    reuse: bool,
    allowed: Vec<IpAddr>,
}

/// Clients kept before idle ones are dropped: far more than a configuration has, since
/// dropping one that is still wanted costs its next probe a new client, but a bound for
/// a daemon that is reloaded with ever new TLS material.
const MAX_CLIENTS: usize = 1024;

impl Clients {
    /// The client for a target, built where it is the first of its kind.
    ///
    /// # Errors
    /// A message with the mend; the next probe tries again.
    pub(super) fn of(
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
    /// Keeps a new handshake for later probes on the same connection, or recalls it.
    pub(super) fn recall(&self, url: &Url, fresh: Option<TlsFacts>) -> Option<TlsFacts> {
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
        .dns_resolver(GuardedResolver {
            resolver: resolvers.of(key.ip),
            allowed: key.allowed.clone().into(),
        })
        .connector_layer(Marks);
    // A connection of one request is not kept: nothing has to be asked of it meanwhile, and a
    // limit of the system's on what is unacknowledged would end a probe before its deadline.
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

/// Marks where connecting begins and ends.
#[derive(Clone, Copy)]
struct Marks;

/// The connector with marks around it.
#[derive(Clone)]
struct Marked<S>(S);

impl<S> Layer<S> for Marks {
    type Service = Marked<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Marked(inner)
    }
}

impl<S, Request> Service<Request> for Marked<S>
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
            current(|stopwatch| stopwatch.connect_begins());
            let connected = connecting.await;
            if connected.is_ok() {
                current(|stopwatch| stopwatch.enter(Phase::Processing));
            }
            connected
        })
    }
}
