//! Resolves names for every probe, and removes addresses that a probe must not connect to.
//!
//! DNS answers are not cached, because a cache would hide that a name was deleted. If a lookup
//! fails, further queries determine the reason: the error of the last query alone would hide that
//! another record type failed, that a search domain was tried last, or that aliases form a loop.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;

use super::address::{AddressRefused, allowed_addresses};
use super::resolver_check;
use crate::io::probe::classify::is_local;
use crate::model::observation::FaultKind;
use crate::model::settings::ResolverSettings;
use crate::model::target::IpVersion;

/// The DNS resolvers, one for each setting of the IP version, and the servers and settings that
/// they use.
pub(in super::super) struct Resolvers {
    any: TokioResolver,
    v4: TokioResolver,
    v6: TokioResolver,
    servers: Vec<SocketAddr>,
    settings: ResolverSettings,
}

/// The reason why a name was not resolved.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    /// The name, or the target of its CNAME record, does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The name exists, but has no address of a usable IP version.
    #[error("{0}")]
    NoAddress(String),
    /// The lookup failed for another reason, such as SERVFAIL or a loop of CNAME records.
    #[error("{0}")]
    Failed(String),
    /// No DNS server could be reached.
    #[error("{0}")]
    Unreachable(String),
    /// This host ran out of file descriptors, ports or memory.
    #[error("{0}")]
    Local(std::sync::Arc<std::io::Error>),
    /// Every address is a link-local or metadata address that the target does not allow.
    #[error(transparent)]
    Refused(#[from] AddressRefused),
}

/// The default port of DNS servers.
const DNS_PORT: u16 = 53;

/// Maximum number of CNAME records that are followed to find a loop.
const MAX_ALIASES: usize = 16;

/// Maximum number of DNS servers that an error message lists.
const MAX_NAMED_SERVERS: usize = 3;

impl ResolveError {
    /// Returns the kind of the fault to report for this error.
    pub(super) const fn kind(&self) -> FaultKind {
        match self {
            Self::NotFound(_) => FaultKind::NameNotFound,
            Self::NoAddress(_) => FaultKind::NoAddress,
            Self::Failed(_) => FaultKind::ResolverFailure,
            Self::Unreachable(_) => FaultKind::ResolverUnreachable,
            Self::Local(_) => FaultKind::Local,
            Self::Refused(_) => FaultKind::AddressRefused,
        }
    }
}

impl Resolvers {
    /// Creates resolvers that query the configured servers, or the system's servers if none is
    /// configured.
    ///
    /// # Errors
    /// Returns an error if a resolver cannot be built.
    pub(in super::super) fn new(settings: &ResolverSettings) -> Result<Self, NetError> {
        let (any, servers) = build(settings, LookupIpStrategy::Ipv4AndIpv6)?;
        Ok(Self {
            any,
            v4: build(settings, LookupIpStrategy::Ipv4Only)?.0,
            v6: build(settings, LookupIpStrategy::Ipv6Only)?.0,
            servers,
            settings: settings.clone(),
        })
    }

    /// Creates resolvers with the same settings but other servers.
    ///
    /// # Errors
    /// Returns a message that says what to correct.
    pub(super) fn with_servers(&self, servers: &[SocketAddr]) -> Result<Self, String> {
        let settings = ResolverSettings {
            servers: servers.to_vec(),
            ..self.settings.clone()
        };
        Self::new(&settings).map_err(|error| {
            format!("the resolver cannot be used: {error}; correct `request.resolver`")
        })
    }

    /// Returns the addresses of the first [`MAX_NAMED_SERVERS`] servers as text for a message.
    pub(in super::super) fn servers(&self) -> String {
        let named = self.servers.iter().take(MAX_NAMED_SERVERS);
        let mut text = named
            .map(SocketAddr::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        if self.servers.len() > MAX_NAMED_SERVERS {
            text.push_str(", …");
        }
        text
    }

    /// Resolves a host name to the addresses that a probe may connect to.
    ///
    /// # Errors
    /// Returns an error if the name has no usable address or could not be resolved.
    pub(super) async fn addresses(
        &self,
        host: &str,
        ip: IpVersion,
        allowed: &[IpAddr],
    ) -> Result<Vec<IpAddr>, ResolveError> {
        let name = parse(host)?;
        let resolver = match ip {
            IpVersion::Any => &self.any,
            IpVersion::V4 => &self.v4,
            IpVersion::V6 => &self.v6,
        };
        let found: Vec<IpAddr> = match resolver.lookup_ip(name.clone()).await {
            Ok(found) => found.iter().collect(),
            Err(error) if is_final(&error, &name) => return Err(self.explain(error, &name).await),
            Err(_) => Vec::new(),
        };
        if found.is_empty() {
            let again = Box::pin(self.look_closer(name, ip)).await?;
            return Ok(allowed_addresses(again, allowed)?);
        }
        Ok(allowed_addresses(found, allowed)?)
    }

    /// Queries each address record type that `ip` allows, without search domains. Returns the
    /// addresses of the first query that finds any, or the reason why no query finds any.
    async fn look_closer(&self, name: Name, ip: IpVersion) -> Result<Vec<IpAddr>, ResolveError> {
        let mut absolute = name;
        absolute.set_fqdn(true);
        let resolvers = match ip {
            IpVersion::Any => vec![&self.v4, &self.v6],
            IpVersion::V4 => vec![&self.v4],
            IpVersion::V6 => vec![&self.v6],
        };
        let mut none: Option<NetError> = None;
        for resolver in resolvers {
            match resolver.lookup_ip(absolute.clone()).await {
                Ok(found) => {
                    let found: Vec<IpAddr> = found.iter().collect();
                    if !found.is_empty() {
                        return Ok(found);
                    }
                }
                // Return a failure at once, because it says more than the absence of one record
                // type.
                Err(error) if no_records(&error).is_none() => {
                    return Err(self.explain(error, &absolute).await);
                }
                Err(error) => none = none.or(Some(error)),
            }
        }
        match none {
            Some(error) => Err(self.explain(error, &absolute).await),
            None => Err(ResolveError::NoAddress(no_address(&absolute))),
        }
    }

    /// Converts the error of a lookup to the reason why the name was not resolved. Sends further
    /// queries if the reason is unclear.
    async fn explain(&self, error: NetError, name: &Name) -> ResolveError {
        let shown = shown(name);
        let Some(none) = no_records(&error) else {
            return match &error {
                NetError::Io(error) if is_local(error) => ResolveError::Local(error.clone()),
                NetError::Io(_) | NetError::NoConnections | NetError::Timeout => {
                    self.explain_silence(&shown).await
                }
                NetError::Dns(DnsError::ResponseCode(ResponseCode::NXDomain)) => {
                    ResolveError::NotFound(format!("the name `{shown}` does not exist (NXDOMAIN)"))
                }
                _ => ResolveError::Failed(format!("`{shown}` could not be resolved: {error}")),
            };
        };
        let last = none.query.name();
        let is_alias = !same_name(last, name);
        match none.response_code {
            ResponseCode::NXDomain if is_alias => ResolveError::NotFound(format!(
                "`{shown}` is an alias of `{}`, which does not exist (NXDOMAIN)",
                self::shown(last)
            )),
            ResponseCode::NXDomain => {
                ResolveError::NotFound(format!("the name `{shown}` does not exist (NXDOMAIN)"))
            }
            ResponseCode::NoError => match self.alias_problem(name).await {
                Some(problem) => ResolveError::Failed(problem),
                None => ResolveError::NoAddress(no_address(name)),
            },
            code => ResolveError::Failed(format!(
                "the resolver answered the query for `{shown}` with {code}"
            )),
        }
    }

    /// Returns the reason why the query for a name got no answer: either the resolver is
    /// unreachable, or it answers other queries.
    async fn explain_silence(&self, name: &str) -> ResolveError {
        let servers = self.servers();
        let checks = self
            .servers
            .iter()
            .map(|server| resolver_check::ask(*server));
        let results = futures_util::future::join_all(checks).await;
        if results.iter().any(Result::is_ok) {
            return ResolveError::Failed(format!(
                "the resolver ({servers}) works, but did not answer the query for `{name}` in \
                 time; the name servers for that name may be unreachable"
            ));
        }
        let reasons: Vec<_> = results
            .iter()
            .filter_map(|result| result.as_ref().err())
            .collect();
        let reason = reasons
            .first()
            .map_or(String::new(), |error| format!(": {error}"));
        ResolveError::Unreachable(format!(
            "the resolver ({servers}) cannot be reached{reason}"
        ))
    }

    /// Follows the CNAME records of a name. Returns a message if the records form a loop, or a
    /// chain of more than [`MAX_ALIASES`] names. Otherwise, returns `None`.
    async fn alias_problem(&self, name: &Name) -> Option<String> {
        let mut chain = vec![name.clone()];
        while chain.len() <= MAX_ALIASES {
            let mut last = chain.last()?.clone();
            last.set_fqdn(true);
            let found = self.v4.lookup(last, RecordType::CNAME).await.ok()?;
            let target = found
                .answers()
                .iter()
                .find_map(|record| match &record.data {
                    RData::CNAME(target) => Some(target.0.clone()),
                    _ => None,
                })?;
            let is_loop = chain.iter().any(|known| same_name(known, &target));
            chain.push(target);
            if is_loop {
                let names: Vec<_> = chain.iter().map(shown).collect();
                return Some(format!(
                    "the CNAME records of `{}` form a loop: {}",
                    shown(name),
                    names.join(" → ")
                ));
            }
        }
        Some(format!(
            "the CNAME records of `{}` form a chain of more than {MAX_ALIASES} names",
            shown(name)
        ))
    }
}

/// Returns whether an error is final, so that the record types need not be queried separately. An
/// NXDOMAIN for another name is not final, because the other name may contain a search domain.
fn is_final(error: &NetError, name: &Name) -> bool {
    no_records(error).is_none_or(|none| {
        none.response_code == ResponseCode::NXDomain && same_name(none.query.name(), name)
    })
}

fn no_records(error: &NetError) -> Option<&NoRecords> {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => Some(none),
        _ => None,
    }
}

/// Parses a host name. Accepts characters that are not valid in host names, such as `_`, because
/// names with such characters can be resolved.
fn parse(host: &str) -> Result<Name, ResolveError> {
    let labels = host.trim_end_matches('.').split('.').map(str::as_bytes);
    let mut name = Name::from_labels(labels).map_err(|error| {
        ResolveError::Failed(format!("`{host}` is not a valid host name: {error}"))
    })?;
    name.set_fqdn(host.ends_with('.'));
    Ok(name)
}

fn same_name(one: &Name, other: &Name) -> bool {
    shown(one).eq_ignore_ascii_case(&shown(other))
}

fn shown(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_owned()
}

fn no_address(name: &Name) -> String {
    format!(
        "the name `{}` exists, but has no address record of a usable IP version (NODATA)",
        shown(name)
    )
}

fn build(
    settings: &ResolverSettings,
    strategy: LookupIpStrategy,
) -> Result<(TokioResolver, Vec<SocketAddr>), NetError> {
    let (config, mut options) = match read_system_conf() {
        Ok(system) if settings.servers.is_empty() => system,
        // Without a usable resolv.conf, the resolver is on the local machine (resolv.conf(5)). The
        // daemon must start even without name servers, because all targets may be IP addresses.
        _ => {
            let local = [SocketAddr::from(([127, 0, 0, 1], DNS_PORT))];
            let servers = match settings.servers.as_slice() {
                [] => &local,
                configured => configured,
            };
            let servers = servers.iter().map(server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            (config, ResolverOpts::default())
        }
    };
    options.cache_size = 0;
    options.ip_strategy = strategy;
    options.timeout = settings.timeout;
    options.attempts = settings.attempts;
    let servers = config.name_servers().iter().map(|server| {
        let port = server
            .connections
            .first()
            .map_or(DNS_PORT, |first| first.port);
        SocketAddr::new(server.ip, port)
    });
    let servers = servers.collect();
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    Ok((builder.with_options(options).build()?, servers))
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
