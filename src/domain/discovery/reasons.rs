//! Decides which candidates are probed without a review: deployed GET routes that are public, have
//! no parameters and do not suggest a side effect. Every other candidate has reasons, which the
//! generated file shows.

use super::account::{Api, Authorization, Deployment, Domain, Route, Stage};

/// Beginnings of words in a path that suggest that a GET request changes something.
const SIDE_EFFECTS: [&str; 28] = [
    "activate",
    "approve",
    "callback",
    "cancel",
    "confirm",
    "create",
    "deactivate",
    "delete",
    "destroy",
    "disable",
    "hook",
    "logout",
    "purge",
    "refund",
    "reject",
    "remove",
    "resend",
    "reset",
    "restart",
    "revoke",
    "send",
    "signout",
    "subscribe",
    "trigger",
    "unsubscribe",
    "update",
    "verify",
    "webhook",
];

/// Returns the reasons not to probe a route without a review.
pub(super) fn route_reasons(route: &Route) -> Vec<String> {
    let mut reasons = Vec::new();
    let Some((method, path)) = route.key.split_once(' ') else {
        reasons.push("the route receives the requests that match no other route".to_owned());
        reasons.extend(access_reasons(route));
        return reasons;
    };
    match method {
        "GET" => {}
        "ANY" => reasons.push("the route accepts every method".to_owned()),
        "HEAD" => reasons.push("only GET routes are probed without a review".to_owned()),
        other => reasons.push(format!("a {other} request may change data")),
    }
    if path.contains('{') {
        reasons.push("the path has parameters; write their values".to_owned());
    }
    if let Some(word) = side_effect(path) {
        reasons.push(format!("`{word}` in the path suggests a side effect"));
    }
    reasons.extend(access_reasons(route));
    reasons
}

/// Returns the first word in a path that suggests a side effect, in lower case; `None` if there is
/// none.
fn side_effect(path: &str) -> Option<String> {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric());
    // The capital letters of a word such as `reJect` are misleading, so the whole word counts too.
    let mut words = words.flat_map(|word| {
        let mut forms = humps(word);
        forms.push(word.to_ascii_lowercase());
        forms
    });
    words.find(|word| SIDE_EFFECTS.iter().any(|one| word.starts_with(one)))
}

/// Returns the parts of a word in camel case, in lower case: `user` and `delete` for `userDelete`.
fn humps(word: &str) -> Vec<String> {
    let bytes = word.as_bytes();
    let is_upper = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_uppercase);
    let is_lower = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_lowercase);
    let mut humps: Vec<String> = Vec::new();
    for (index, letter) in word.char_indices() {
        // In `APIDelete`, the last capital letter starts a part.
        let follows_upper = index > 0 && is_upper(index - 1);
        let starts = is_upper(index) && (!follows_upper || is_lower(index + 1));
        match humps.last_mut() {
            Some(hump) if !starts => hump.push(letter.to_ascii_lowercase()),
            _ => humps.push(letter.to_ascii_lowercase().to_string()),
        }
    }
    humps
}

/// Returns the reasons that concern authorization, the API key, required parameters and the
/// integration.
fn access_reasons(route: &Route) -> Vec<String> {
    let mut reasons = Vec::new();
    let needed = match route.authorization {
        Authorization::None => None,
        Authorization::Lambda => Some("a Lambda authorizer"),
        Authorization::Jwt => Some("a JWT"),
        Authorization::Iam => Some("IAM authorization; add `auth.sigv4`"),
        Authorization::Cognito => Some("a token of a Cognito user pool"),
        Authorization::Other => Some("authorization"),
    };
    reasons.extend(needed.map(|needed| format!("the route requires {needed}")));
    if route.api_key_required {
        reasons.push("the route requires an API key; add the header `x-api-key`".to_owned());
    }
    for name in &route.required_parameters {
        reasons.push(format!(
            "the route requires the query parameter or header `{name}`; add it to the target"
        ));
    }
    match &route.backend {
        None => reasons.push("the route has no integration".to_owned()),
        Some(backend) if backend.integration.is_none() => {
            reasons.push("the integration is a mock or calls an AWS service directly".to_owned());
        }
        Some(_) => {}
    }
    reasons
}

/// Returns the reasons that concern the deployment that a stage serves. Does not repeat
/// requirements of the route itself, because [`route_reasons`] returns them.
pub(super) fn deployment_reasons(stage: &Stage, route: &Route) -> Vec<String> {
    let name = &stage.name;
    let methods = match &stage.deployment {
        Deployment::Present => return Vec::new(),
        Deployment::Missing => return vec![format!("stage {name} has no deployment")],
        Deployment::Unknown => {
            let text = "whether the route is deployed could not be verified";
            return vec![format!("{text} for stage {name}")];
        }
        Deployment::Methods(methods) => methods,
    };
    let Some(method) = methods.get(&route.key) else {
        return vec![format!("the route is not deployed in stage {name}")];
    };
    let mut reasons = Vec::new();
    if !method.public && route.authorization == Authorization::None {
        reasons.push(format!(
            "the route deployed in stage {name} requires authorization"
        ));
    }
    if method.api_key_required && !route.api_key_required {
        reasons.push(format!(
            "the route deployed in stage {name} requires an API key"
        ));
    }
    reasons
}

/// Returns the reasons that concern a custom domain.
pub(super) fn domain_reasons(domain: &Domain, api: &Api) -> Vec<String> {
    let reasons = [
        (
            domain.name.contains('*'),
            "the domain is a wildcard; write a host name",
        ),
        (!domain.available, "the domain is not available"),
        (
            domain.mutual_tls,
            "the domain requires a client certificate; add it to [target.tls]",
        ),
        (domain.private, PRIVATE),
        (
            domain.routing_rules,
            "routing rules of the domain may select another API",
        ),
        (api.resource_policy, POLICY),
    ];
    applying(reasons)
}

/// Returns the reasons that concern the API's own endpoint.
pub(super) fn endpoint_reasons(api: &Api) -> Vec<String> {
    applying([(api.private, PRIVATE), (api.resource_policy, POLICY)])
}

/// The reason for an endpoint that cannot be reached from the public internet.
pub(super) const PRIVATE: &str = "the endpoint is reachable only from a VPC";

/// The reason for an API whose resource policy may deny requests.
const POLICY: &str = "the API has a resource policy, which may deny the request";

/// The reason for a path that a longer mapping of the same domain, or another stage of the same API,
/// receives.
pub(super) const SHADOWED: &str =
    "another mapping or stage, with a longer path, receives the request";

/// The reason for a path that clients change, such as `/a/../b`.
pub(super) const CHANGED: &str = "clients change the path before they send it";

/// Returns the texts of the reasons that apply, in order.
pub(super) fn applying<const N: usize>(reasons: [(bool, &str); N]) -> Vec<String> {
    let reasons = reasons.into_iter().filter(|(applies, _)| *applies);
    reasons.map(|(_, text)| text.to_owned()).collect()
}
