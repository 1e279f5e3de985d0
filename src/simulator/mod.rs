//! A simulated API Gateway HTTP API with a Lambda function behind it, on loopback.
//!
//! For the demo and the tests: TLS by an authority of its own, HTTP/1.1 and HTTP/2, and
//! the bodies, headers and times of real captures (`transcripts` of an HTTP API in its
//! five faults). Reading order: `gateway` (what is answered, and when), `function`
//! (what runs behind it), `listener` (sockets), `certificate`, `chance`.
//!
//! It refuses to be anything but what a client sees from outside: no answer tells
//! which fault is behind it. It is not a stand-in for API Gateway's other features.

mod certificate;
mod chance;
mod function;
mod gateway;
mod listener;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;

use self::gateway::Gateway;

/// A running simulator. Dropping it ends it.
#[derive(Debug)]
pub struct Simulator {
    gateway: Arc<Gateway>,
    address: SocketAddr,
    expired_address: SocketAddr,
    /// Bound and never listening: the kernel answers with a reset, and nobody else can
    /// be given the port while we hold it.
    refused: TcpSocket,
    ca_pem: String,
    listeners: JoinSet<()>,
}

/// How the simulated gateway behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The gateway's integration timeout; a real HTTP API's is at most 30 s, the default.
    pub integration_timeout: Duration,
    /// Request ids and jitter follow from it.
    pub seed: u64,
    /// Whether ALPN offers HTTP/2 beside HTTP/1.1; a real gateway does.
    pub http2: bool,
}

/// What is wrong with a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nothing: 200 and a healthy body.
    None,
    /// The function outlasts the integration timeout: 503 once that is over.
    Timeout,
    /// Lambda throttles the call: 503 at once, the function does not run.
    Throttled,
    /// The function's reply is no response: 500 after it ran.
    Malformed,
    /// The function's resource policy does not allow the call: 500 at once.
    Permission,
    /// The function raises an error: 500 after it ran.
    FunctionError,
    /// 200, but the body says that the service is not well.
    WrongBody,
}

/// A `$default` route, which sends every path that is no route to a function. Without
/// one such a path is the gateway's own 404.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultRoute {
    /// The function returns the gateway's 404, byte by byte.
    LookAlike,
    /// The same with a header of its own, as most frameworks add.
    LookAlikeWithHeader,
}

impl DefaultRoute {
    /// The route's key, by which its requests and invocations are counted.
    pub const KEY: &'static str = "$default";
}

impl Fault {
    /// Every fault, and none.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Timeout,
        Self::Throttled,
        Self::Malformed,
        Self::Permission,
        Self::FunctionError,
        Self::WrongBody,
    ];

    /// The path of the route that has this fault when the simulator starts.
    #[must_use]
    pub const fn route(self) -> &'static str {
        match self {
            Self::None => "/orders",
            Self::Timeout => "/timeout",
            Self::Throttled => "/throttled",
            Self::Malformed => "/malformed",
            Self::Permission => "/permission",
            Self::FunctionError => "/function-error",
            Self::WrongBody => "/wrong-body",
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            integration_timeout: Duration::from_secs(30),
            seed: 1,
            http2: true,
        }
    }
}

impl Simulator {
    /// Starts with one route per [`Fault`], on free ports of 127.0.0.1.
    ///
    /// # Errors
    /// If a port cannot be had or a certificate cannot be made.
    pub async fn start(options: Options) -> io::Result<Self> {
        let certificates = certificate::issue(Timestamp::now(), options.http2)?;
        let faults = Fault::ALL.map(|fault| (fault.route().to_owned(), fault));
        let gateway = Gateway::new(faults, options.integration_timeout, options.seed);
        let gateway = Arc::new(gateway);
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let refused = TcpSocket::new_v4()?;
        refused.bind(any_port)?;
        let valid = TcpListener::bind(any_port).await?;
        let expired = TcpListener::bind(any_port).await?;
        let (address, expired_address) = (valid.local_addr()?, expired.local_addr()?);
        let mut listeners = JoinSet::new();
        listeners.spawn(listener::accept(
            valid,
            certificates.valid,
            Arc::clone(&gateway),
        ));
        listeners.spawn(listener::accept(
            expired,
            certificates.expired,
            Arc::clone(&gateway),
        ));
        Ok(Self {
            gateway,
            address,
            expired_address,
            refused,
            ca_pem: certificates.ca_pem,
            listeners,
        })
    }

    /// Where the gateway listens: `https`, valid for `localhost`, 127.0.0.1 and ::1.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same gateway behind a certificate that ran out a month ago.
    #[must_use]
    pub const fn expired_address(&self) -> SocketAddr {
        self.expired_address
    }

    /// A port that refuses connections for as long as the simulator lives.
    ///
    /// # Errors
    /// Whatever the system says when asked for a bound socket's address.
    pub fn refused_address(&self) -> io::Result<SocketAddr> {
        self.refused.local_addr()
    }

    /// The root certificate to trust, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Changes what is wrong with a route from the next request on. A path that is no
    /// route becomes one.
    pub fn set_fault(&self, route: &str, fault: Fault) {
        self.gateway.set_fault(route, fault);
    }

    /// Gives the API a `$default` route, or takes it away, from the next request on.
    pub fn set_default_route(&self, default_route: Option<DefaultRoute>) {
        self.gateway.set_default_route(default_route);
    }

    /// Requests that reached a route, whichever listener they came through.
    #[must_use]
    pub fn requests(&self, route: &str) -> u64 {
        self.gateway.requests(route)
    }

    /// Invocations of the function behind a route.
    #[must_use]
    pub fn invocations(&self, route: &str) -> u64 {
        self.gateway.invocations(route)
    }

    /// Ends listeners and connections, requests in flight included.
    pub async fn stop(mut self) {
        self.listeners.shutdown().await;
    }
}
