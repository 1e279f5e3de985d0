//! Selects the route that serves a target's request, and describes the invocation of the route's
//! function.
//!
//! The route follows from the URL only for the default host name of the API, such as
//! `a1b2c3.execute-api.eu-west-1.amazonaws.com`. For a custom domain, the path of the mapping is
//! not known. The declared route is then used, although another route may serve the request.

use url::Url;

use super::function::FunctionRef;
use super::route::{self, Match};
use super::{Api, ApiKind, Configuration, Route};
use crate::domain::diagnosis::aws::permission::Invocation;
use crate::model::target::Target;

/// The route that serves a target's request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Serving<'a> {
    /// This route serves the request.
    Route(&'a Route),
    /// The API has no route for the request.
    NoRoute,
    /// The route is not known.
    Unknown,
}

/// The name of the default stage of an HTTP API. The path of a URL does not contain this name.
pub(super) const DEFAULT_STAGE: &str = "$default";

/// The suffixes of the default host names of APIs. Each is used by one or more partitions.
const SUFFIXES: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu"];

/// The parts of an API's default host name.
pub(super) struct ApiHost<'a> {
    /// The id of the API.
    pub(super) api: &'a str,
    region: &'a str,
}

/// Returns the route that serves the request of the target.
#[must_use]
pub fn serving<'a>(target: &Target, api: &'a Api) -> Serving<'a> {
    let method = target.request.method.to_ascii_uppercase();
    if method == "OPTIONS" && api.answers_preflight {
        return Serving::Unknown;
    }
    let Some(host) = target.url.host_str().and_then(ApiHost::parse) else {
        return declared_route(target, api);
    };
    let Some(path) = path_in_stage(&target.url, api).filter(|_| host.api == api.id) else {
        return Serving::Unknown;
    };
    let found = match api.kind {
        ApiKind::Http => route::of_http_api(&api.routes, &method, path),
        ApiKind::Rest => route::of_rest_api(&api.paths, &api.routes, &method, path),
    };
    match found {
        Match::Found(index) => api
            .routes
            .get(index)
            .map_or(Serving::Unknown, Serving::Route),
        Match::NoRoute => Serving::NoRoute,
        Match::Unclear => Serving::Unknown,
    }
}

/// Returns the API with only the route that serves the request of the target, so that a change of
/// another route does not count as a change. Returns the whole API if the route is not known.
#[must_use]
pub fn narrowed(target: &Target, mut api: Api) -> Api {
    if let Serving::Route(route) = serving(target, &api) {
        let route = route.clone();
        let template = route.key.split_once(' ').map(|(_, path)| path);
        api.paths.retain(|path| Some(path.as_str()) == template);
        api.routes = vec![route];
    }
    api
}

/// Returns whether the URL of the target has the default host name of the API.
#[must_use]
pub fn has_default_host(target: &Target, api: &Api) -> bool {
    let host = target.url.host_str().and_then(ApiHost::parse);
    host.is_some_and(|host| host.api == api.id)
}

/// Returns whether the target uses a custom domain: a host name that does not show which resource
/// serves the request, so that only the declarations name the API and its stage, or the function.
///
/// If an API was read, only its default host name shows that this API serves the request.
/// Otherwise, every host name that AWS assigns to an API, a load balancer or a function URL shows
/// the resource. A `Host` header with another host name takes precedence over the host name of the
/// URL, and counts as a custom domain.
#[must_use]
pub fn has_custom_domain(target: &Target, configuration: &Configuration) -> bool {
    let is_assigned = |host: &str| {
        ApiHost::parse(host).is_some() || is_load_balancer(host) || is_function_url(host)
    };
    let is_shown = match &configuration.api {
        Some(api) => has_default_host(target, api),
        None => target.url.host_str().is_some_and(is_assigned),
    };
    !is_shown || has_other_host_header(target)
}

/// Returns whether the target sends a `Host` header with another host name than that of its URL.
fn has_other_host_header(target: &Target) -> bool {
    let of_url = target.url.host_str().unwrap_or_default();
    let mut headers = target.request.headers.iter();
    headers.any(|(name, text)| {
        let host = text.expose();
        let host = host.split_once(':').map_or(host, |(host, _)| host);
        name.eq_ignore_ascii_case("host") && !host.eq_ignore_ascii_case(of_url)
    })
}

/// Returns whether a host name is one that AWS assigns to an Application Load Balancer, such as
/// `shop-123.eu-west-1.elb.amazonaws.com`.
pub(super) fn is_load_balancer(host: &str) -> bool {
    let name = host
        .strip_suffix(".elb.amazonaws.com")
        .or_else(|| host.strip_suffix(".elb.amazonaws.com.cn"));
    name.is_some_and(|name| name.split('.').count() == 2)
}

/// Returns whether a host name is one that AWS assigns to a function URL, such as
/// `abc.lambda-url.eu-west-1.on.aws`.
fn is_function_url(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    matches!(labels.as_slice(), [_, "lambda-url", _, "on", "aws"])
}

/// Returns the route's invocation of the function, with the values that are compared with the
/// function's policy. Returns `None` if the API was not read, if the Region of the API or the ARN
/// of the function is not known, or if the function belongs to another account than the API.
#[must_use]
pub fn invocation(
    target: &Target,
    configuration: &Configuration,
    route: &Route,
    function: &FunctionRef,
) -> Option<Invocation> {
    let api = configuration.api.as_ref()?;
    let place = function.place.as_ref()?;
    let account = configuration.account.as_ref().or(api.account.as_ref());
    if account.is_some_and(|account| *account != place.account) {
        return None;
    }
    let host = target.url.host_str().and_then(ApiHost::parse);
    let region = host
        .map(|host| host.region.to_owned())
        .or_else(|| target.aws.region.clone())?;
    let method = target.request.method.to_ascii_uppercase();
    let sources = match api.kind {
        ApiKind::Http => Invocation::http_sources(&api.stage, &route.key, &method),
        ApiKind::Rest => {
            let (declared, path) = route.key.split_once(' ')?;
            vec![Invocation::rest_source(&api.stage, declared, path)]
        }
    };
    Some(Invocation {
        partition: place.partition.clone(),
        region,
        account: account.cloned(),
        api: api.id.clone(),
        sources,
    })
}

impl<'a> ApiHost<'a> {
    /// Parses a host name; `None` if it is not the default host name of an API.
    pub(super) fn parse(host: &'a str) -> Option<Self> {
        let (api, rest) = host.split_once('.')?;
        let rest = rest.strip_prefix("execute-api.")?;
        let mut suffixes = SUFFIXES.iter();
        let region = suffixes.find_map(|suffix| rest.strip_suffix(*suffix))?;
        (!region.contains('.')).then_some(Self { api, region })
    }
}

/// Returns the declared route if the API has it. Otherwise returns [`Serving::Unknown`] and not
/// [`Serving::NoRoute`], because another route may serve the request.
fn declared_route<'a>(target: &Target, api: &'a Api) -> Serving<'a> {
    let declared = target.aws.route.as_deref();
    api.routes
        .iter()
        .find(|route| declared == Some(route.key.as_str()))
        .map_or(Serving::Unknown, Serving::Route)
}

/// Returns the path of the URL without the stage; `None` if the path does not begin with the stage.
/// The default stage of an HTTP API is never a part of the path.
fn path_in_stage<'a>(url: &'a Url, api: &Api) -> Option<&'a str> {
    let path = url.path();
    if api.kind == ApiKind::Http && api.stage == DEFAULT_STAGE {
        return Some(path);
    }
    let rest = path.strip_prefix('/')?.strip_prefix(api.stage.as_str())?;
    match rest {
        "" => Some("/"),
        rest => rest.starts_with('/').then_some(rest),
    }
}
