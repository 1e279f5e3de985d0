//! Reads the configuration of the AWS resources behind a target.
//!
//! A part that cannot be read is left out, and the failed calls are returned for the log and the
//! backoff. `domain` determines what is read, parses the responses, and interprets the result. The
//! responses may contain secrets, so they are dropped after that.

mod api;
mod cache;
mod function;
mod load_balancer;
mod parts;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::configuration::function::FunctionRef;
use crate::domain::configuration::plan::Plan;
use crate::domain::configuration::serving::{Serving, invocation, narrowed, serving};
use crate::domain::configuration::{ApiKind, Backend, Configuration, Route};
use crate::domain::diagnosis::aws::permission::Invocation;
use crate::io::aws::CallError;
use crate::io::evidence::backoff::{BlockedOperation, BlockedOperations};
use crate::io::evidence::clients::ClientCache;
use crate::io::evidence::scope::AwsScope;
use crate::model::target::Target;

pub(super) use cache::ApiCache;
pub(super) use parts::FinishedRead;

use api::read_api;
use function::read_function;
use load_balancer::read_targets;
use parts::PartReader;

/// Identifies the configuration to read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ConfigurationQuery {
    /// The target whose resources are read.
    pub(super) target: Arc<Target>,
    /// The end of the failed request. A configuration that was read before this time is not used.
    pub(super) after: Timestamp,
}

/// A configuration that was read, and the outcomes of the calls.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) configuration: Arc<Configuration>,
    /// The time when the read was finished.
    pub(super) finished: Timestamp,
    /// The calls that were made, with their outcomes.
    pub(super) calls: Vec<FinishedRead>,
    /// The calls that were not made because they failed shortly before.
    pub(super) skipped: Vec<BlockedOperation>,
    /// The time from which failed calls may be retried; `None` if none of them is likely to succeed
    /// soon. [`read`] returns `None`; `worker` sets the time.
    pub(super) retry_at: Option<Timestamp>,
}

/// The sources of a configuration: the clients, the cache of API configurations, and the scope in
/// which the calls are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) clients: &'a ClientCache,
    pub(super) cache: &'a ApiCache,
    pub(super) scope: &'a AwsScope,
}

/// Reads the configuration of the resources behind the target of a query. Operations in `blocked`
/// are not called.
///
/// # Errors
/// Returns an error if the reader of the scope cannot be created.
pub(super) async fn read(
    source: Source<'_>,
    query: &ConfigurationQuery,
    blocked: BlockedOperations,
) -> Result<Reading, CallError> {
    let reader = source.clients.reader(source.scope).await?;
    let mut parts = PartReader::new(source.clients, &reader, blocked);
    let target = &*query.target;
    let plan = Plan::of(target);
    let mut configuration = Configuration::default();
    if let Some(api) = &plan.api {
        configuration.account = parts.account().await;
        let api = read_api(&mut parts, source, api, query.after).await;
        configuration.api = api.map(|api| narrowed(target, api));
    }
    let served = Served::of(target, &configuration, plan.function);
    if let Some((link, kind)) = served.vpc_link {
        configuration.vpc_link = api::read_vpc_link(&mut parts, kind, &link).await;
    }
    if let Some(function) = &served.function {
        configuration.function =
            read_function(&mut parts, function, served.invocation.as_ref()).await;
        configuration.account_concurrency = function::read_account_limit(&mut parts).await;
    }
    if let Some(host) = &plan.load_balancer {
        configuration.targets = read_targets(&mut parts, host).await;
    }
    let (calls, skipped) = parts.into_calls();
    Ok(Reading {
        configuration: Arc::new(configuration),
        finished: Timestamp::now(),
        calls,
        skipped,
        retry_at: None,
    })
}

/// The resources behind the route that serves a target's request.
#[derive(Debug, Default)]
struct Served {
    function: Option<FunctionRef>,
    /// The invocation that the policy of the function must allow; `None` if the policy does not
    /// decide about it, or if that is not known.
    invocation: Option<Invocation>,
    /// The id of the VPC link behind the route, and the type of the API that uses it.
    vpc_link: Option<(String, ApiKind)>,
}

impl Served {
    /// Returns the resources behind the route. `declared` is the function that is read if the route
    /// is not known.
    fn of(target: &Target, configuration: &Configuration, declared: Option<FunctionRef>) -> Self {
        let Some(api) = &configuration.api else {
            return Self {
                function: declared,
                ..Self::default()
            };
        };
        match serving(target, api) {
            Serving::Route(route) => Self {
                vpc_link: match &route.backend {
                    Some(Backend::VpcLink { id: Some(id) }) => Some((id.clone(), api.kind)),
                    _ => None,
                },
                ..Self::of_route(target, configuration, route)
            },
            Serving::NoRoute => Self::default(),
            Serving::Unknown => Self {
                function: declared,
                ..Self::default()
            },
        }
    }

    fn of_route(target: &Target, configuration: &Configuration, route: &Route) -> Self {
        let Some(Backend::Lambda {
            function: Some(function),
            by_role,
            ..
        }) = &route.backend
        else {
            return Self::default();
        };
        let invocation = invocation(target, configuration, route, function);
        Self {
            function: Some(function.clone()),
            invocation: invocation.filter(|_| !by_role),
            vpc_link: None,
        }
    }
}
