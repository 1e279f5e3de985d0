//! One execution against one target, from its URL to an [`Observation`].
//!
//! Reading order: `http` (the hops of one probe), `stopwatch` (where its time goes),
//! `client` and `tls` (the shared clients and their eyes), `resolve` and `address`
//! (whom it may talk to), `redirect`, `auth`, `echo` (credentials that come back), `classify`
//! (what broke), and `control` (the request that measures a floor and is no probe). A probe never
//! fails as a function: what goes wrong is part of what was seen. Nothing here judges
//! whether an answer is good.

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
use self::redact::Sent;
use self::resolve::Resolvers;
use crate::model::observation::{Fault, FaultKind, Observation, Phase};
use crate::model::settings::ResolverSettings;
use crate::model::target::{Target, shown_url};

/// Probes targets. Cheap to clone; clones share their HTTP clients.
#[derive(Clone)]
pub struct Prober {
    shared: Arc<Shared>,
}

/// Why no prober could be made.
#[derive(Debug, thiserror::Error)]
#[error("the system's resolver configuration cannot be used: {0}; set `resolver.servers`")]
pub struct ProberError(String);

struct Shared {
    resolvers: Resolvers,
    clients: Clients,
    credentials: Credentials,
}

impl Prober {
    /// A prober that resolves names as the settings say and signs with the AWS SDK's
    /// default credential chain.
    ///
    /// # Errors
    /// No servers are configured and the system's resolver configuration is unusable.
    pub fn new(settings: &ResolverSettings) -> Result<Self, ProberError> {
        Self::assemble(settings, Credentials::default())
    }

    /// A prober that signs with credentials of the caller's choice.
    ///
    /// # Errors
    /// As [`Prober::new`].
    pub fn with_credentials(
        settings: &ResolverSettings,
        provider: SharedCredentialsProvider,
    ) -> Result<Self, ProberError> {
        Self::assemble(settings, Credentials::from_provider(provider))
    }

    /// Probes a target once, within its timeout.
    pub async fn probe(&self, target: &Target) -> Observation {
        self.probe_watched(target, &Arc::new(Stopwatch::new()))
            .await
    }

    /// As [`Prober::probe`], while the caller may look at the stopwatch.
    pub async fn probe_watched(&self, target: &Target, watch: &Arc<Stopwatch>) -> Observation {
        // Before the clock starts: building the first client of its kind reads the
        // platform's roots, which is our time and not the endpoint's.
        let client = self.shared.clients.of(target, &self.shared.resolvers);
        let began = Instant::now();
        let mut seen = Observation::begun(Timestamp::now(), &shown_url(&target.url));
        let mut sent = Sent::default();
        // Boxed: a daemon holds thousands of these at once, and most of them wait.
        let run = Box::pin(http::run(
            &self.shared,
            client,
            target,
            watch,
            (&mut seen, &mut sent),
        ));
        let ended = tokio::time::timeout(target.timeout, Arc::clone(watch).scope(run)).await;
        let running = watch.end();
        let fault = match ended {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault),
            Err(_) => Some(timed_out(target.timeout, running)),
        };
        // A hop that ended well has written its handshake down itself.
        if let Some(handshake) = watch.handshake().filter(|_| fault.is_some()) {
            seen.tls = Some(certificate::facts(&handshake));
        }
        seen.fault = fault;
        sent.take_out(&mut seen);
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
    let limit = timeout.as_secs_f64();
    let Some((phase, time)) = running else {
        return Fault {
            phase: Phase::Resolve,
            kind: FaultKind::Timeout,
            detail: format!("nothing was sent within {limit:.3} s"),
        };
    };
    let (name, time) = (phase.as_str(), time.as_secs_f64());
    Fault {
        phase,
        kind: FaultKind::Timeout,
        detail: format!("no end within {limit:.3} s: {name} had been running for {time:.3} s"),
    }
}
