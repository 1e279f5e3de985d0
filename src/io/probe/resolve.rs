//! Name resolution: asked anew for every probe, measured, and filtered by address.
//!
//! No answer is cached, since a prober that remembers a name would not see it vanish.
//! The filter stands here because only here are the addresses known before a
//! connection is tried; address literals never come by (see `http`).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{AddressRefused, permit};
use super::stopwatch::current;
use crate::model::observation::Phase;
use crate::model::settings::ResolverSettings;
use crate::model::target::IpVersion;

/// One resolver for each choice of IP versions.
#[derive(Clone)]
pub(super) struct Resolvers {
    any: TokioResolver,
    v4: TokioResolver,
    v6: TokioResolver,
}

/// What reqwest asks: a resolver with one target's address rules.
pub(super) struct GuardedResolver {
    /// The resolver.
    pub(super) resolver: TokioResolver,
    /// Guarded addresses that may be reached all the same.
    pub(super) allowed: Arc<[IpAddr]>,
}

/// The name resolved, but to no address at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name has no address of a usable kind")]
pub(super) struct NoAddress;

/// Where name servers listen.
const DNS_PORT: u16 = 53;

impl Resolvers {
    /// Reads the system's configuration unless servers are given.
    ///
    /// # Errors
    /// A resolver that cannot be built from either.
    pub(super) fn new(settings: &ResolverSettings) -> Result<Self, NetError> {
        Ok(Self {
            any: build(settings, LookupIpStrategy::Ipv4AndIpv6)?,
            v4: build(settings, LookupIpStrategy::Ipv4Only)?,
            v6: build(settings, LookupIpStrategy::Ipv6Only)?,
        })
    }

    /// The resolver for a choice of IP versions.
    pub(super) fn of(&self, ip: IpVersion) -> TokioResolver {
        match ip {
            IpVersion::Any => self.any.clone(),
            IpVersion::V4 => self.v4.clone(),
            IpVersion::V6 => self.v6.clone(),
        }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.resolver.clone();
        let allowed = Arc::clone(&self.allowed);
        Box::pin(async move {
            current(|stopwatch| stopwatch.enter(Phase::Resolve));
            let found = resolver.lookup_ip(name.as_str()).await?;
            let addresses = keep(found.iter(), &allowed)?;
            current(|stopwatch| stopwatch.enter(Phase::Connect));
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

/// Drops guarded addresses; an error only when none is left.
fn keep(
    found: impl Iterator<Item = IpAddr>,
    allowed: &[IpAddr],
) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
    let mut refused: Option<AddressRefused> = None;
    let mut kept = Vec::new();
    for address in found {
        match permit(address, allowed) {
            // Port 0: reqwest puts the URL's port.
            Ok(()) => kept.push(SocketAddr::new(address, 0)),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        _ if !kept.is_empty() => Ok(kept),
        Some(error) => Err(error.into()),
        None => Err(NoAddress.into()),
    }
}

fn build(
    settings: &ResolverSettings,
    strategy: LookupIpStrategy,
) -> Result<TokioResolver, NetError> {
    let mut builder = match TokioResolver::builder_tokio() {
        Ok(system) if settings.servers.is_empty() => system,
        // Without a usable resolv.conf, resolv.conf(5) says to ask the local machine; a
        // daemon whose targets are addresses must not fail to start for want of one.
        _ => {
            let local = [SocketAddr::from(([127, 0, 0, 1], DNS_PORT))];
            let servers = match settings.servers.as_slice() {
                [] => &local,
                configured => configured,
            };
            let servers = servers.iter().map(server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.cache_size = 0;
    options.ip_strategy = strategy;
    options.timeout = settings.timeout;
    options.attempts = settings.attempts;
    builder.build()
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
        .map(|mut connection| {
            connection.port = address.port();
            connection
        })
        .into();
    NameServerConfig::new(address.ip(), true, connections)
}
