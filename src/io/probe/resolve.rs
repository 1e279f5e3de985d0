//! Resolves the host name of a request, measures the time and filters the addresses.
//!
//! DNS answers are not cached, because a cache would hide that a name no longer exists. Addresses
//! are filtered here, before the HTTP client connects to one. `http` checks address literals in
//! URLs.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{AddressRefused, check_allowed};
use super::stopwatch::with_current;
use crate::model::observation::Phase;
use crate::model::settings::ResolverSettings;
use crate::model::target::IpVersion;

/// The DNS resolvers, one for each [`IpVersion`].
#[derive(Clone)]
pub(super) struct Resolvers {
    any: TokioResolver,
    v4: TokioResolver,
    v6: TokioResolver,
}

/// The DNS resolver of an HTTP client, which drops addresses that are not allowed.
pub(super) struct FilteringResolver {
    /// The DNS resolver that is queried.
    pub(super) resolver: TokioResolver,
    /// Link-local and metadata addresses that the target allows.
    pub(super) allowed: Arc<[IpAddr]>,
}

/// The error about a name that exists but has no address of the requested IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name has no address of the requested IP version")]
pub(super) struct NoAddress;

/// The standard port of DNS servers.
const DNS_PORT: u16 = 53;

impl Resolvers {
    /// Creates resolvers that query the configured servers or, if there are none, the servers of
    /// the system's configuration.
    ///
    /// # Errors
    /// Returns an error if a resolver cannot be built.
    pub(super) fn new(settings: &ResolverSettings) -> Result<Self, NetError> {
        Ok(Self {
            any: build(settings, LookupIpStrategy::Ipv4AndIpv6)?,
            v4: build(settings, LookupIpStrategy::Ipv4Only)?,
            v6: build(settings, LookupIpStrategy::Ipv6Only)?,
        })
    }

    /// Returns the resolver for an IP version.
    pub(super) fn for_version(&self, ip: IpVersion) -> TokioResolver {
        match ip {
            IpVersion::Any => self.any.clone(),
            IpVersion::V4 => self.v4.clone(),
            IpVersion::V6 => self.v6.clone(),
        }
    }
}

impl Resolve for FilteringResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.resolver.clone();
        let allowed = Arc::clone(&self.allowed);
        Box::pin(async move {
            with_current(|stopwatch| stopwatch.enter(Phase::Resolve));
            let found = resolver.lookup_ip(name.as_str()).await?;
            let addresses = allowed_addresses(found.iter(), &allowed)?;
            with_current(|stopwatch| stopwatch.enter(Phase::Connect));
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

/// Returns the addresses without restricted ones. Returns an error only if no address is left.
fn allowed_addresses(
    found: impl Iterator<Item = IpAddr>,
    allowed: &[IpAddr],
) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
    let mut refused: Option<AddressRefused> = None;
    let mut kept = Vec::new();
    for address in found {
        match check_allowed(address, allowed) {
            // reqwest replaces port 0 with the URL's port.
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
        // Without a usable resolv.conf, the local machine is the DNS server, see resolv.conf(5).
        // That is no error, because a daemon that probes only IP addresses needs no DNS server.
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
