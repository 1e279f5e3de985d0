//! A simulated API Gateway with Lambda functions behind it, and AWS's telemetry of it,
//! on loopback.
//!
//! For the demo, the scorecard and the tests: an HTTP API and its REST twin, TLS by an
//! authority of its own, HTTP/1.1 and HTTP/2, and the bodies, headers and times of real
//! captures. Reading order: `gateway` (what happens to a request), `api` (how each API
//! puts it), `function` (what runs behind it), `telemetry` (what AWS would know of it),
//! `listener` (sockets), `certificate`, `rng`.
//!
//! No answer tells which fault is behind it; only the telemetry does, to who asks for
//! it. It is not a stand-in for API Gateway's other features.

mod api;
mod certificate;
mod function;
mod gateway;
mod listener;
mod rng;
mod telemetry;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;

pub use self::api::ApiType;
use self::gateway::Gateway;
use self::telemetry::Telemetry;
use crate::model::target::{Authorizer, AwsDeclarations, Integration};

/// A running simulator. Dropping it ends it.
#[derive(Debug)]
pub struct Simulator {
    gateway: Arc<Gateway>,
    rest: Arc<Gateway>,
    options: Options,
    address: SocketAddr,
    rest_address: SocketAddr,
    telemetry_address: SocketAddr,
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
    /// The HTTP API's integration timeout; a real one's is at most 30 s, the default.
    pub integration_timeout: Duration,
    /// The REST API's integration timeout; 29 s is a real one's default and ours.
    pub rest_timeout: Duration,
    /// Request ids and jitter follow from it.
    pub seed: u64,
    /// Whether ALPN offers HTTP/2 beside HTTP/1.1; a real gateway does.
    pub http2: bool,
}

/// Where the simulated APIs claim to be; a signature needs a region.
const REGION: &str = "eu-west-1";

/// What is wrong with a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RouteFault {
    /// Nothing: 200 and a healthy body.
    None,
    /// The function outlasts the integration timeout: 503 once that is over.
    Timeout,
    /// Lambda throttles the record: 503 at once, the function does not run.
    Throttled,
    /// The function's reply is no response: 500 after it ran.
    Malformed,
    /// The function's resource policy does not allow the record: 500 at once.
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

impl RouteFault {
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
            integration_timeout: ApiType::HttpApi.default_timeout(),
            rest_timeout: ApiType::RestApi.default_timeout(),
            seed: 1,
            http2: true,
        }
    }
}

impl Simulator {
    /// Starts both APIs with one route per [`RouteFault`] each, and the telemetry of them, on
    /// free ports of 127.0.0.1.
    ///
    /// # Errors
    /// If a port cannot be had or a certificate cannot be made.
    pub async fn start(options: Options) -> io::Result<Self> {
        let certificates = certificate::issue(Timestamp::now(), options.http2)?;
        let telemetry = Arc::new(Telemetry::default());
        let gateway = |api, timeout, seed| {
            let faults = RouteFault::ALL.map(|fault| (fault.route().to_owned(), fault));
            let telemetry = Arc::clone(&telemetry);
            Arc::new(Gateway::new(api, telemetry, faults, timeout, seed))
        };
        let http = gateway(ApiType::HttpApi, options.integration_timeout, options.seed);
        // Another seed, so that the twins' request ids differ.
        let rest = gateway(ApiType::RestApi, options.rest_timeout, !options.seed);
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let refused = TcpSocket::new_v4()?;
        refused.bind(any_port)?;
        let valid = TcpListener::bind(any_port).await?;
        let expired = TcpListener::bind(any_port).await?;
        let twin = TcpListener::bind(any_port).await?;
        let telemetry_listener = TcpListener::bind(any_port).await?;
        let (address, expired_address) = (valid.local_addr()?, expired.local_addr()?);
        let (rest_address, telemetry_address) =
            (twin.local_addr()?, telemetry_listener.local_addr()?);
        let mut listeners = JoinSet::new();
        for (listener, tls, gateway) in [
            (valid, Arc::clone(&certificates.valid), &http),
            (expired, certificates.expired, &http),
            (twin, certificates.valid, &rest),
        ] {
            listeners.spawn(listener::serve(listener, tls, Arc::clone(gateway)));
        }
        listeners.spawn(telemetry::service::serve(telemetry_listener, telemetry));
        Ok(Self {
            gateway: http,
            rest,
            options,
            address,
            rest_address,
            telemetry_address,
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

    /// Where the REST twin listens, with the same certificate; its routes are below
    /// `/prod`.
    #[must_use]
    pub const fn rest_address(&self) -> SocketAddr {
        self.rest_address
    }

    /// The endpoint URL of the simulated CloudWatch and CloudWatch Logs: plain HTTP,
    /// any credentials, no delay.
    #[must_use]
    pub fn telemetry_endpoint(&self) -> String {
        format!("http://{}", self.telemetry_address)
    }

    /// An SDK configuration that reaches it, whatever the environment says: made-up
    /// credentials, which nobody checks.
    pub async fn telemetry_config(&self) -> SdkConfig {
        let credentials = Credentials::new("SIMULATED", "simulated", None, None, "simulator");
        aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(credentials)
            .endpoint_url(self.telemetry_endpoint())
            .load()
            .await
    }

    /// What a user would declare in `[target.aws]` of a target at this route.
    #[must_use]
    pub fn declarations(&self, api: ApiType, route: &str) -> AwsDeclarations {
        let rest = api == ApiType::RestApi;
        let group = Some(api.log_group().to_owned());
        AwsDeclarations {
            region: Some(REGION.to_owned()),
            api_id: (!rest).then(|| api.api_id().to_owned()),
            api_name: rest.then(|| api.api_name().to_owned()),
            stage: Some(api.stage().to_owned()),
            route: Some(telemetry::route_key(route)),
            function: Some(api.function_of(route)),
            integration: Some(Integration::Lambda),
            integration_timeout: Some(match api {
                ApiType::HttpApi => self.options.integration_timeout,
                ApiType::RestApi => self.options.rest_timeout,
            }),
            function_timeout: Some(function::LAMBDA_LIMIT),
            authorizer: Some(Authorizer::None),
            // Each route has a function of its own, which nobody else calls.
            shared: false,
            access_log_group: group.clone().filter(|_| !rest),
            execution_log_group: group.filter(|_| rest),
            ..AwsDeclarations::default()
        }
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
    pub fn set_fault(&self, route: &str, fault: RouteFault) {
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

    /// Invocations of the function behind a route of the REST twin.
    #[must_use]
    pub fn rest_invocations(&self, route: &str) -> u64 {
        self.rest.invocations(route)
    }

    /// Ends listeners and connections, requests in flight included.
    pub async fn stop(mut self) {
        self.listeners.shutdown().await;
    }
}
