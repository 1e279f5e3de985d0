//! Simulates API Gateway with Lambda functions on loopback, the telemetry that AWS publishes, and
//! the configuration of the account.
//!
//! The demo, the scorecard and the tests use the simulator. The simulator runs an HTTP API and a
//! REST API with the same routes, over TLS with HTTP/1.1 and HTTP/2, with the bodies and headers of
//! real captures, and with similar response times. As in AWS, the fault of a request often appears
//! only in the telemetry or in the configuration. Other features of API Gateway are not simulated.
//! `gateway` handles the requests. `endpoint` serves the AWS services that return the telemetry and
//! the configuration.

mod accept;
mod account;
mod api;
mod certificate;
mod endpoint;
mod function;
mod gateway;
mod listener;
mod response;
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

use self::account::Account;
pub use self::api::{ApiType, UNLOGGED_STAGE};
use self::endpoint::AwsServices;
use self::gateway::Gateway;
use self::telemetry::Telemetry;
use crate::model::target::{Authorizer, AwsDeclarations, Integration};

/// A running simulator. It stops when this value is dropped.
#[derive(Debug)]
pub struct Simulator {
    gateway: Arc<Gateway>,
    rest: Arc<Gateway>,
    options: Options,
    address: SocketAddr,
    rest_address: SocketAddr,
    services_address: SocketAddr,
    expired_address: SocketAddr,
    /// A socket that is bound but does not listen, so that the kernel refuses connections and no
    /// other process can use the port.
    refused: TcpSocket,
    ca_pem: String,
    listeners: JoinSet<()>,
}

/// The settings of a simulator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The integration timeout of the HTTP API. The default, 30 s, is the maximum that AWS allows.
    pub integration_timeout: Duration,
    /// The integration timeout of the REST API. The default, 29 s, is also the default of AWS.
    pub rest_timeout: Duration,
    /// The seed of request ids and jitter.
    pub seed: u64,
    /// Whether the listeners offer HTTP/2 in addition to HTTP/1.1, as a real gateway does.
    pub http2: bool,
}

/// The AWS region of the simulated APIs, for which requests to the AWS services are signed.
const REGION: &str = "eu-west-1";

/// The fault of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RouteFault {
    /// No fault. The response has status 200 and a healthy body.
    None,
    /// The function runs longer than the integration timeout. After the timeout, an HTTP API
    /// responds with 503 and a REST API with 504.
    Timeout,
    /// Lambda throttles the call and the function does not run. An HTTP API responds at once with
    /// 503, and a REST API with 500.
    Throttled,
    /// The function returns a malformed response. An HTTP API responds with 500, and a REST API
    /// with 502.
    Malformed,
    /// The function's resource policy denies the call and the function does not run. An API of
    /// either type responds with 500 at once.
    Permission,
    /// The function raises an error. An HTTP API responds with 500, and a REST API with 502.
    FunctionError,
    /// The response has status 200, but its body reports a degraded service.
    WrongBody,
}

/// A `$default` route, whose function receives every request that matches no other route. Without a
/// `$default` route, the gateway itself responds to such a request with 404.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultRoute {
    /// The function returns a response with the status and body of the gateway's own 404, and no
    /// additional header.
    LookAlike,
    /// The function returns the response of [`Self::LookAlike`] with the additional header
    /// `x-powered-by`, which many frameworks add.
    LookAlikeWithHeader,
}

impl DefaultRoute {
    /// The key of the `$default` route, under which its requests and invocations are counted.
    pub const KEY: &'static str = "$default";
}

impl RouteFault {
    /// Every fault, including `None`.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Timeout,
        Self::Throttled,
        Self::Malformed,
        Self::Permission,
        Self::FunctionError,
        Self::WrongBody,
    ];

    /// Returns the path of the route that has this fault when the simulator starts.
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
    /// Starts a simulator on free ports of 127.0.0.1: both APIs, each with one route per
    /// [`RouteFault`], and the AWS services that describe them.
    ///
    /// # Errors
    /// Returns an error if a port cannot be bound or a certificate cannot be created.
    pub async fn start(options: Options) -> io::Result<Self> {
        let certificates = certificate::issue(Timestamp::now(), options.http2)?;
        let telemetry = Arc::new(Telemetry::default());
        let gateway = |api, timeout, seed| {
            let faults = RouteFault::ALL.map(|fault| (fault.route().to_owned(), fault));
            let telemetry = Arc::clone(&telemetry);
            Arc::new(Gateway::new(api, telemetry, faults, timeout, seed))
        };
        let http = gateway(ApiType::HttpApi, options.integration_timeout, options.seed);
        // The REST API uses another seed, so that the request ids of the two APIs differ.
        let rest = gateway(ApiType::RestApi, options.rest_timeout, !options.seed);
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let refused = TcpSocket::new_v4()?;
        refused.bind(any_port)?;
        let bind = || TcpListener::bind(any_port);
        let (valid, expired) = (bind().await?, bind().await?);
        let (rest_listener, services_listener) = (bind().await?, bind().await?);
        let (address, expired_address) = (valid.local_addr()?, expired.local_addr()?);
        let rest_address = rest_listener.local_addr()?;
        let services_address = services_listener.local_addr()?;
        let mut listeners = JoinSet::new();
        for (listener, tls, gateway) in [
            (valid, Arc::clone(&certificates.valid), &http),
            (expired, certificates.expired, &http),
            (rest_listener, certificates.valid, &rest),
        ] {
            listeners.spawn(listener::serve(listener, tls, Arc::clone(gateway)));
        }
        let account = Account::new([Arc::clone(&http), Arc::clone(&rest)]);
        let services = Arc::new(AwsServices { telemetry, account });
        listeners.spawn(endpoint::serve(services_listener, services));
        Ok(Self {
            gateway: http,
            rest,
            options,
            address,
            rest_address,
            services_address,
            expired_address,
            refused,
            ca_pem: certificates.ca_pem,
            listeners,
        })
    }

    /// Returns the address of the HTTP API. Its certificate is valid for `localhost`, 127.0.0.1,
    /// ::1 and the default host names of the APIs.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of the REST API, which has the same certificate as the HTTP API. The
    /// routes are below `/prod`.
    #[must_use]
    pub const fn rest_address(&self) -> SocketAddr {
        self.rest_address
    }

    /// Returns the endpoint URL of the simulated AWS services, which use plain HTTP, accept all
    /// credentials and publish data without delay.
    fn services_endpoint(&self) -> String {
        format!("http://{}", self.services_address)
    }

    /// Returns an SDK configuration for the simulated AWS services, with placeholder credentials.
    /// The configuration does not depend on the environment.
    pub async fn telemetry_config(&self) -> SdkConfig {
        let credentials = Credentials::new("SIMULATED", "simulated", None, None, "simulator");
        aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(credentials)
            .endpoint_url(self.services_endpoint())
            .load()
            .await
    }

    /// Returns the `[target.aws]` declarations of a target that probes the route `route` of the API
    /// `api`.
    #[must_use]
    pub fn declarations(&self, api: ApiType, route: &str) -> AwsDeclarations {
        let rest = api == ApiType::RestApi;
        let gateway = if rest { &self.rest } else { &self.gateway };
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
            function_timeout: Some(function::timeout(gateway.fault(route))),
            authorizer: Some(Authorizer::None),
            // Each route has its own function, which receives no other requests.
            shared: false,
            access_log_group: group.clone().filter(|_| !rest),
            execution_log_group: group.filter(|_| rest),
            ..AwsDeclarations::default()
        }
    }

    /// Returns the `[target.aws]` declarations of a target that probes this route of the HTTP API
    /// in the stage [`UNLOGGED_STAGE`].
    #[must_use]
    pub fn declarations_without_log(&self, route: &str) -> AwsDeclarations {
        AwsDeclarations {
            stage: Some(UNLOGGED_STAGE.to_owned()),
            access_log_group: None,
            ..self.declarations(ApiType::HttpApi, route)
        }
    }

    /// Returns an address of the HTTP API with a certificate that expired a month ago.
    #[must_use]
    pub const fn expired_address(&self) -> SocketAddr {
        self.expired_address
    }

    /// Returns an address that refuses connections while the simulator runs.
    ///
    /// # Errors
    /// Returns an error if the operating system cannot report the address of the socket.
    pub fn refused_address(&self) -> io::Result<SocketAddr> {
        self.refused.local_addr()
    }

    /// Returns the root certificate in PEM, which clients must trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Sets the fault of a route of the HTTP API for all later requests. Adds a route if the path
    /// is unknown.
    pub fn set_fault(&self, route: &str, fault: RouteFault) {
        self.gateway.set_fault(route, fault);
    }

    /// Sets the `$default` route of the HTTP API for all later requests. `None` removes the route.
    pub fn set_default_route(&self, default_route: Option<DefaultRoute>) {
        self.gateway.set_default_route(default_route);
    }

    /// Returns the number of requests that reached a route of the HTTP API, through
    /// [`Self::address`] and [`Self::expired_address`] together.
    #[must_use]
    pub fn requests(&self, route: &str) -> u64 {
        self.gateway.requests(route)
    }

    /// Returns the number of invocations of the function behind a route of the HTTP API.
    #[must_use]
    pub fn invocations(&self, route: &str) -> u64 {
        self.gateway.invocations(route)
    }

    /// Returns the number of invocations of the function behind a route of the REST API.
    #[must_use]
    pub fn rest_invocations(&self, route: &str) -> u64 {
        self.rest.invocations(route)
    }

    /// Stops the simulator and closes its connections, even those with requests in flight.
    pub async fn stop(mut self) {
        self.listeners.shutdown().await;
    }
}
