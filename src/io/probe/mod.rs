//! Probes a target: sends its request and returns an [`Observation`] of the response or the fault.
//!
//! `http` runs the hops of a probe: the first request, and one for each redirect. For each hop,
//! `request` and `auth` build the request, `connection` opens or reuses a connection, `exchange`
//! sends the request, `coding` decodes the body, `cookies` stores cookies, and `redirect` plans the
//! next hop. `stopwatch` measures the phases, and `classify` determines the kind of a fault.
//! `proxy_answer` recognizes responses of a proxy, and `redact` removes echoed credentials.
//! `control_request` and `follow_up` send requests that are not probes. `domain` decides whether a
//! response meets the expectations.

mod auth;
pub mod certificate;
mod classify;
mod coding;
mod connection;
mod control_request;
mod cookies;
mod exchange;
mod follow_up;
mod http;
mod proxy_answer;
mod redact;
mod redirect;
mod request;
mod stopwatch;

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use jiff::Timestamp;
use tokio::time::Instant;

pub use self::stopwatch::Stopwatch;

use self::auth::Credentials;
use self::connection::Clients;
use self::connection::resolve::Resolvers;
use self::redact::SentSecrets;
use self::stopwatch::{Attempt, AttemptState};
use crate::model::observation::{DeadAddress, Fault, FaultKind, Observation, Phase};
use crate::model::settings::ResolverSettings;
use crate::model::target::{Target, shown_url};

/// The user agent that a probe sends unless the target sets one.
const USER_AGENT: &str = concat!("probecause/", env!("CARGO_PKG_VERSION"));

/// Maximum number of addresses that an error message lists.
const MAX_NAMED_ADDRESSES: usize = 4;

/// Probes targets. A clone is cheap and shares the HTTP clients.
#[derive(Clone)]
pub struct Prober {
    shared: Arc<Shared>,
}

/// The error for a DNS resolver that cannot be created from the system's configuration.
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

    /// Probes a target once. The probe ends after the target's timeout at the latest.
    pub async fn probe(&self, target: &Target) -> Observation {
        self.probe_with(target, &Arc::new(Stopwatch::new())).await
    }

    /// Builds the client for a target, so that the first probe need not build it. Errors are
    /// ignored, because the probe returns them.
    pub fn prepare(&self, target: &Target) {
        let _ = self.shared.clients.get(target, &self.shared.resolvers);
    }

    /// Probes a target once. The probe ends after the target's timeout at the latest. The caller
    /// can read the current phase from `watch`.
    pub async fn probe_with(&self, target: &Target, watch: &Arc<Stopwatch>) -> Observation {
        // Get the client before the measurement starts: building a client reads the root
        // certificates of the platform, and that time must not be attributed to the endpoint.
        let client = self.shared.clients.get(target, &self.shared.resolvers);
        let began = Instant::now();
        let mut seen = Observation::begun(Timestamp::now(), &shown_url(&target.url));
        let mut sent = SentSecrets::default();
        // Box the future to keep each task small, because a daemon may have thousands of tasks.
        let run = Box::pin(http::run(
            &self.shared,
            client,
            target,
            watch,
            (&mut seen, &mut sent),
        ));
        let ended = tokio::time::timeout(target.timeout, run).await;
        let running = watch.stop();
        let fault = match ended {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault),
            Err(_) => Some(self.timed_out(target, running, watch)),
        };
        // `http` records the handshake of a hop only when its response arrives, so the handshake of
        // a failed hop is recorded here.
        if let Some(handshake) = watch.handshake().filter(|_| fault.is_some()) {
            seen.tls = Some(certificate::facts(&handshake));
        }
        seen.remote = watch.remote();
        seen.dead_addresses = dead_addresses(watch.attempts());
        if seen.remote.is_none() {
            let attempts = watch.attempts().into_iter();
            seen.attempted = attempts.map(|attempt| attempt.address).collect();
        }
        seen.fault = fault;
        sent.redact(&mut seen);
        seen.phases = watch.phases();
        seen.duration = began.elapsed();
        seen
    }

    fn timed_out(
        &self,
        target: &Target,
        running: Option<(Phase, Duration)>,
        watch: &Stopwatch,
    ) -> Fault {
        let mut detail = format!("timed out after {:.3} s", target.timeout.as_secs_f64());
        match running {
            None => detail.push_str(" before the request was sent"),
            Some((phase, time)) => {
                let (name, time) = (phase.as_str(), time.as_secs_f64());
                detail.push_str(&format!("; the {name} phase had taken {time:.3} s"));
            }
        }
        let phase = running.map_or(Phase::Resolve, |(phase, _)| phase);
        match phase {
            Phase::Resolve if running.is_some() => {
                let servers = match target.request.resolver.first() {
                    Some(own) => own.to_string(),
                    None => self.shared.resolvers.servers(),
                };
                detail.push_str(&format!("; the resolver ({servers}) did not answer"));
            }
            Phase::Connect => {
                let tried = watch.attempts().into_iter();
                let pending = tried.filter(|attempt| attempt.state == AttemptState::Pending);
                let pending: Vec<_> = pending.map(|attempt| attempt.address).collect();
                if pending.len() > 1 {
                    let named = pending.iter().take(MAX_NAMED_ADDRESSES);
                    let named: Vec<_> = named.map(ToString::to_string).collect();
                    let (count, named) = (pending.len(), named.join(", "));
                    detail.push_str(&format!("; none of {count} addresses answered ({named})"));
                }
            }
            _ => {}
        }
        Fault {
            phase,
            kind: FaultKind::Timeout,
            detail,
        }
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

/// Returns the addresses whose attempts failed or were overtaken by a later attempt, with the
/// reasons. Returns an empty list if no attempt succeeded, because the fault then covers all
/// addresses.
fn dead_addresses(attempts: Vec<Attempt>) -> Vec<DeadAddress> {
    let is_connected = |attempt: &Attempt| attempt.state == AttemptState::Connected;
    if !attempts.iter().any(is_connected) {
        return Vec::new();
    }
    let dead = attempts.into_iter().filter_map(|attempt| {
        let reason = match attempt.state {
            AttemptState::Overtaken(time) => {
                format!("no answer within {:.3} s", time.as_secs_f64())
            }
            AttemptState::Failed(reason) => reason,
            AttemptState::Pending | AttemptState::Connected => return None,
        };
        Some(DeadAddress {
            address: attempt.address,
            reason,
        })
    });
    dead.collect()
}
