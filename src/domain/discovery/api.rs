//! Finds the targets of APIs: at their own endpoints and at custom domains.
//!
//! A route that is probed at a custom domain is only proposed at the API's own endpoint: clients
//! use the domain, and a second target would double the invocations of the function by probes.
//! Routes with the method `OPTIONS` are skipped, because browsers use them only for CORS preflight
//! requests.

use std::collections::BTreeMap;

use super::account::{Account, Api, ApiType, Authorization, Domain, Mapping, Route, Stage};
use super::candidate::{Candidate, common_declarations, declare_function, declared, is_foreign};
use super::reasons::{
    CHANGED, SHADOWED, applying, deployment_reasons, domain_reasons, endpoint_reasons,
    route_reasons,
};
use crate::model::target::{Authorizer, AwsDeclarations};

/// Identifies a route by API id, stage and route key.
type RouteId<'a> = (&'a str, &'a str, &'a str);

/// A stage as it is reached at a custom domain or at the API's own endpoint.
struct Entry<'a> {
    api: &'a Api,
    stage: &'a Stage,
    /// The beginning of each route's URL, to which the path of the route is appended.
    base: String,
    /// URLs below `base` that other mappings of the domain, or other stages of the API, receive.
    others: Vec<String>,
    /// The reasons not to probe any route of this entry without a review.
    reasons: Vec<String>,
}

/// Finds the candidates of all APIs. Adds notes about APIs, functions and access logs that cannot
/// be used.
pub(super) fn find(account: &Account, notes: &mut Vec<String>) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut probed: BTreeMap<RouteId<'_>, String> = BTreeMap::new();
    for entry in domain_entries(account) {
        for route in routes(entry.api) {
            let candidate = candidate(account, &entry, route, None);
            if candidate.is_enabled() {
                let url = probed
                    .entry(route_id(&entry, route))
                    .or_insert_with(|| candidate.url.clone());
                // If a route is probed at several domains, the first URL in sort order is kept, so
                // that the reason at the API's own endpoint is the same in every run.
                if candidate.url < *url {
                    url.clone_from(&candidate.url);
                }
            }
            found.push(candidate);
        }
    }
    for entry in own_entries(account) {
        for route in routes(entry.api) {
            let twin = probed.get(&route_id(&entry, route));
            found.push(candidate(account, &entry, route, twin));
        }
    }
    add_notes(account, notes);
    found
}

fn route_id<'a>(entry: &Entry<'a>, route: &'a Route) -> RouteId<'a> {
    (&entry.api.id, &entry.stage.name, &route.key)
}

/// Returns the routes of an API that can be probed.
fn routes(api: &Api) -> impl Iterator<Item = &Route> {
    let routes = api.routes.iter();
    routes.filter(|route| !route.key.starts_with("OPTIONS "))
}

/// Returns one entry for each mapping of a custom domain to a stage of an HTTP or REST API.
fn domain_entries(account: &Account) -> impl Iterator<Item = Entry<'_>> {
    let mappings = account.domains.iter().flat_map(|domain| {
        let mappings = domain.mappings.iter();
        mappings.map(move |mapping| (domain, mapping))
    });
    mappings.filter_map(move |(domain, mapping)| {
        let api = account.apis.iter().find(|api| api.id == mapping.api_id)?;
        let stage = api.stages.iter().find(|it| it.name == mapping.stage)?;
        let base = domain_base(domain, mapping);
        let others = domain.mappings.iter().map(|it| domain_base(domain, it));
        let others = others.filter(|other| *other != base && is_below(other, &base));
        (api.api_type != ApiType::WebSocket).then(|| Entry {
            api,
            stage,
            others: others.collect(),
            base: base.clone(),
            reasons: domain_reasons(domain, api),
        })
    })
}

fn domain_base(domain: &Domain, mapping: &Mapping) -> String {
    match mapping.path.trim_matches('/') {
        "" => format!("https://{}", domain.name),
        path => format!("https://{}/{path}", domain.name),
    }
}

/// Returns whether a URL equals the base, or begins with the base and a slash.
fn is_below(url: &str, base: &str) -> bool {
    let rest = url.strip_prefix(base);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns whether clients change the path of a route before they send a request. Clients resolve
/// the segments `.` and `..`, treat `?` and `#` as the end of the path, and replace backslashes.
fn is_changed(path: &str) -> bool {
    let is_dots = |segment: &str| [".", ".."].contains(&segment);
    path.contains(['?', '#', '\\']) || path.split('/').any(is_dots)
}

/// Returns one entry for each stage of an HTTP or REST API whose own endpoint is enabled.
fn own_entries(account: &Account) -> impl Iterator<Item = Entry<'_>> {
    let apis = account.apis.iter();
    let apis = apis.filter(|api| !api.endpoint_disabled && api.api_type != ApiType::WebSocket);
    apis.flat_map(move |api| {
        let stages = api.stages.iter();
        stages.map(move |stage| {
            let base = own_base(&account.region, api, stage);
            let others = api.stages.iter();
            let others = others.map(|it| own_base(&account.region, api, it));
            let others: Vec<String> = others
                .filter(|other| *other != base && is_below(other, &base))
                .collect();
            Entry {
                api,
                stage,
                base,
                others,
                reasons: endpoint_reasons(api),
            }
        })
    })
}

fn own_base(region: &str, api: &Api, stage: &Stage) -> String {
    let suffix = match region.split_once('-') {
        Some(("cn", _)) => "amazonaws.com.cn",
        Some(("eusc", _)) => "amazonaws.eu",
        _ => "amazonaws.com",
    };
    let host = format!("https://{}.execute-api.{region}.{suffix}", api.id);
    match stage.name.as_str() {
        "$default" => host,
        name => format!("{host}/{name}"),
    }
}

/// Returns the candidate for a route. `twin` is the URL of a custom domain at which the same route
/// is probed; `None` if there is none.
fn candidate(
    account: &Account,
    entry: &Entry<'_>,
    route: &Route,
    twin: Option<&String>,
) -> Candidate {
    let (method, path) = route.key.split_once(' ').unwrap_or(("GET", "/"));
    let method = if method == "ANY" { "GET" } else { method };
    let url = format!("{}{path}", entry.base);
    let mut reasons = entry.reasons.clone();
    reasons.extend(route_reasons(route));
    reasons.extend(deployment_reasons(entry.stage, route));
    let is_shadowed = entry.others.iter().any(|other| is_below(&url, other));
    reasons.extend(applying([
        (is_shadowed, SHADOWED),
        (is_changed(path), CHANGED),
    ]));
    reasons.extend(twin.map(|url| format!("the same route is probed at {url}")));
    let aws = declarations(account, entry, route);
    Candidate::new(method, url, aws, reasons)
}

/// Returns the declarations of a route.
fn declarations(account: &Account, entry: &Entry<'_>, route: &Route) -> AwsDeclarations {
    let Entry { api, stage, .. } = entry;
    let is_rest = api.api_type == ApiType::Rest;
    let backend = route.backend.as_ref();
    let execution_log = is_rest && stage.execution_log;
    let execution_log_group = format!("API-Gateway-Execution-Logs_{}/{}", api.id, stage.name);
    let mut aws = AwsDeclarations {
        // At a custom domain, the configuration of an API can be read only by its id. The metrics
        // of a REST API are identified by its name. A declared name also shows that the API is a
        // REST API.
        api_id: declared(&api.id),
        api_name: declared(&api.name).filter(|_| is_rest),
        stage: declared(&stage.name),
        route: declared(&route.key),
        integration: backend.and_then(|backend| backend.integration),
        integration_timeout: backend.and_then(|backend| backend.timeout),
        authorizer: authorizer(route.authorization),
        access_log_group: access_log_group(stage),
        execution_log_group: execution_log.then_some(execution_log_group),
        ..common_declarations(account)
    };
    let uri = backend.and_then(|backend| backend.function_uri.as_deref());
    let uri = uri.map(|uri| resolved(uri, stage));
    declare_function(&mut aws, uri.as_deref(), account);
    aws
}

/// Replaces the references to stage variables in the URI of an integration with their values.
/// References to unknown variables are kept.
fn resolved(uri: &str, stage: &Stage) -> String {
    let mut uri = uri.to_owned();
    for (name, value) in &stage.variables {
        uri = uri.replace(&format!("${{stageVariables.{name}}}"), value);
    }
    uri
}

/// Returns the value for the key `aws.authorizer`; `None` if the key has no value for this type of
/// authorization.
const fn authorizer(authorization: Authorization) -> Option<Authorizer> {
    match authorization {
        Authorization::None => Some(Authorizer::None),
        Authorization::Lambda => Some(Authorizer::Lambda),
        Authorization::Jwt => Some(Authorizer::Jwt),
        Authorization::Iam => Some(Authorizer::Iam),
        Authorization::Cognito | Authorization::Other => None,
    }
}

/// Returns the name of the log group that receives the access log. `None` if there is no access
/// log, or if it is not in JSON or is not sent to a log group.
fn access_log_group(stage: &Stage) -> Option<String> {
    let log = stage.access_log.as_ref().filter(|log| log.json)?;
    let (_, group) = log.destination.split_once(":log-group:")?;
    declared(group.strip_suffix(":*").unwrap_or(group))
}

fn add_notes(account: &Account, notes: &mut Vec<String>) {
    let mappings = || account.domains.iter().flat_map(|domain| &domain.mappings);
    for api in &account.apis {
        let title = format!("API {} ({})", api.name, api.id);
        if api.api_type == ApiType::WebSocket {
            notes.push(format!("{title} is a WebSocket API, which is not probed"));
            continue;
        }
        if api.endpoint_disabled && !mappings().any(|mapping| mapping.api_id == api.id) {
            notes.push(format!(
                "{title} is not reachable: its endpoint is disabled, and no domain is mapped to it"
            ));
        }
        let backends = api.routes.iter().filter_map(|it| it.backend.as_ref());
        let mut functions = backends.filter_map(|it| it.function_uri.as_deref());
        if functions.any(|function| is_foreign(function, account)) {
            notes.push(format!(
                "{title} invokes functions of another account or Region, so `aws.function` is not \
                 declared for them"
            ));
        }
        for stage in &api.stages {
            if stage.access_log.as_ref().is_some_and(|log| !log.json) {
                let name = &stage.name;
                notes.push(format!(
                    "the access log of {title}, stage {name}, is not in JSON, so it cannot be used \
                     as evidence"
                ));
            }
        }
    }
}
