//! Probes a target: sends its request and returns an [`Observation`], which also contains errors.
//!
//! `http` runs the hops of a probe, `stopwatch` measures the phases, `client` and `tls` build
//! shared clients that record handshakes, `resolve` and `address` decide where to connect,
//! `redirect` plans the next hop, `auth` adds credentials, `redact` removes echoed credentials, and
//! `classify` determines the kind of a fault. `domain` decides whether a response meets the
//! expectations.

mod address;
mod auth;
pub mod certificate;
mod classify;
mod client;
mod control_request;
mod http;
mod redact;
mod redirect;
mod resolve;
mod stopwatch;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use jiff::Timestamp;
use tokio::time::Instant;

pub use self::stopwatch::Stopwatch;

use self::auth::Credentials;
use self::client::Clients;
use self::redact::SentSecrets;
use self::resolve::Resolvers;
use crate::model::observation::{Fault, FaultKind, Observation, Phase};
use crate::model::settings::ResolverSettings;
use crate::model::target::{Target, shown_url};

/// Probes targets. A clone is cheap and shares the HTTP clients.
#[derive(Clone)]
pub struct Prober {
    shared: Arc<Shared>,
}

/// The error about a resolver that cannot be created from the system's configuration.
#[derive(Debug, thiserror::Error)]
#[error("the system's resolver configuration cannot be used: {0}; set `resolver.servers`")]
pub struct ProberError(String);

struct Shared {
    resolvers: Resolvers,
    clients: Clients,
    credentials: Credentials,
}

impl Prober {
    /// Creates a prober that signs requests with the AWS SDK's default credential chain.
    ///
    /// # Errors
    /// Returns an error if the DNS resolver cannot be created.
    pub fn new(settings: &ResolverSettings) -> Result<Self, ProberError> {
        Self::assemble(settings, Credentials::default())
    }

    /// Creates a prober that signs requests with credentials from `provider`.
    ///
    /// # Errors
    /// Returns an error if the DNS resolver cannot be created.
    pub fn with_credentials(
        settings: &ResolverSettings,
        provider: SharedCredentialsProvider,
    ) -> Result<Self, ProberError> {
        Self::assemble(settings, Credentials::from_provider(provider))
    }

    /// Probes a target once, within its timeout.
    pub async fn probe(&self, target: &Target) -> Observation {
        self.probe_with(target, &Arc::new(Stopwatch::new())).await
    }

    /// Probes a target once, within its timeout. The caller can read the current phase from
    /// `watch`.
    pub async fn probe_with(&self, target: &Target, watch: &Arc<Stopwatch>) -> Observation {
        // Get the client before the time measurement starts: building a client reads the root
        // certificates of the platform, which is not time of the endpoint.
        let client = self.shared.clients.get(target, &self.shared.resolvers);
        let began = Instant::now();
        let mut seen = Observation::begun(Timestamp::now(), &shown_url(&target.url));
        let mut sent = SentSecrets::default();
        // The future is boxed to keep the tasks small: a daemon has thousands of them.
        let run = Box::pin(http::run(
            &self.shared,
            client,
            target,
            watch,
            (&mut seen, &mut sent),
        ));
        let ended = tokio::time::timeout(target.timeout, Arc::clone(watch).scope(run)).await;
        let running = watch.stop();
        let fault = match ended {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault),
            Err(_) => Some(timed_out(target.timeout, running)),
        };
        // A successful hop has already recorded its handshake.
        if let Some(handshake) = watch.handshake().filter(|_| fault.is_some()) {
            seen.tls = Some(certificate::facts(&handshake));
        }
        seen.fault = fault;
        sent.redact(&mut seen);
        seen.phases = watch.phases();
        seen.duration = began.elapsed();
        seen
    }

    fn assemble(
        settings: &ResolverSettings,
        credentials: Credentials,
    ) -> Result<Self, ProberError> {
        let resolvers = Resolvers::new(settings).map_err(|error| ProberError(error.to_string()))?;
        Ok(Self {
            shared: Arc::new(Shared {
                resolvers,
                clients: Clients::default(),
                credentials,
            }),
        })
    }
}

fn timed_out(timeout: Duration, running: Option<(Phase, Duration)>) -> Fault {
    let progress = match running {
        None => " before the request was sent".to_owned(),
        Some((phase, time)) => {
            let (name, time) = (phase.as_str(), time.as_secs_f64());
            format!("; {name} had taken {time:.3} s so far")
        }
    };
    Fault {
        phase: running.map_or(Phase::Resolve, |(phase, _)| phase),
        kind: FaultKind::Timeout,
        detail: format!("timed out after {:.3} s{progress}", timeout.as_secs_f64()),
    }
}
