//! Derives the facts `config.*` from the configuration of the AWS resources behind a target.
//!
//! A fact is omitted if its value is not certain. The configuration is read after the failure, so
//! the facts describe a later time: [`held`] tells whether the configuration was the same before
//! and after the request. For a custom domain, the facts describe the declared API. A different API
//! may have served the request, because the mapping of the domain is not read.

use super::function::{Concurrency, Function, FunctionRef, Policy};
use super::serving::{self, Serving};
use super::{Api, Backend, Configuration, Lookup, Route};
use crate::domain::diagnosis::aws::permission::Decision;
use crate::domain::diagnosis::fact::FactValue;
use crate::model::target::Target;
use crate::model::text_enum::text_enum;

/// The name and the value of a fact.
pub type Finding = (&'static str, FactValue);

text_enum! {
    /// Whether the configuration stayed the same while the request was made.
    ///
    /// The texts are the values of the fact `config.held`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Held {
        /// The configuration was the same before and after the request.
        Yes = "yes",
        /// The configuration that was read after the request differs from the one that was read
        /// before it.
        No = "no",
        /// A part was read only before or only after the request, or the target has a custom
        /// domain, whose mapping to an API and a stage is not read.
        Unknown = "unknown",
    }
}

/// Returns the facts about the configuration `now`, which was read after the target's request.
/// `before` was read before the request, after an earlier failure; `None` if nothing was read then.
#[must_use]
pub fn findings(
    target: &Target,
    now: &Configuration,
    before: Option<&Configuration>,
) -> Vec<Finding> {
    let mut facts = Vec::new();
    let serving = now
        .api
        .as_ref()
        .map_or(Serving::Unknown, |api| serving::serving(target, api));
    if let Some(api) = &now.api {
        add_api(target, api, serving, &mut facts);
    }
    if let Serving::Route(route) = serving {
        add_route(now, route, &mut facts);
    }
    if let Some(function) = invoked_function(target, now, serving) {
        add_function(function, &mut facts);
        if let Serving::Route(route) = serving {
            add_permission(target, now, route, function, &mut facts);
        }
    }
    if let Some(targets) = now.targets {
        facts.push(text("config.targets", targets.as_str()));
    }
    if let Some(limit) = now.account_concurrency {
        facts.push(number("config.account_concurrency", limit));
    }
    if !facts.is_empty() {
        add_held(target, now, before, &mut facts);
    }
    facts
}

/// Adds the fact `config.held` and, for a custom domain, the fact `config.domain`. For a custom
/// domain, nothing shows that the declared API and stage served the request. `config.held` is then
/// never `yes`, even if the configuration that was read stayed the same.
fn add_held(
    target: &Target,
    now: &Configuration,
    before: Option<&Configuration>,
    facts: &mut Vec<Finding>,
) {
    let is_custom = serving::has_custom_domain(target, now);
    let held = match before.map_or(Held::Unknown, |before| held(before, now)) {
        Held::Yes if is_custom => Held::Unknown,
        held => held,
    };
    facts.push(text("config.held", held.as_str()));
    if is_custom {
        facts.push(text("config.domain", "custom"));
    }
}

/// Compares the configurations that were read before and after a request. Returns [`Held::Unknown`]
/// if no part differs, but a part was read only once, because this part may have changed.
#[must_use]
pub fn held(before: &Configuration, after: &Configuration) -> Held {
    let (first, second) = (before.function.as_ref(), after.function.as_ref());
    let parts = [
        same_api(before.api.as_ref(), after.api.as_ref()),
        same(before.vpc_link.as_ref(), after.vpc_link.as_ref()),
        same(before.targets.as_ref(), after.targets.as_ref()),
        same(
            first.map(|it| &it.reference),
            second.map(|it| &it.reference),
        ),
        same(
            first.and_then(|it| it.settings.as_ref()),
            second.and_then(|it| it.settings.as_ref()),
        ),
        same(
            first.and_then(|it| it.policy.as_ref()),
            second.and_then(|it| it.policy.as_ref()),
        ),
        same(
            first.and_then(|it| it.concurrency.as_ref()),
            second.and_then(|it| it.concurrency.as_ref()),
        ),
    ];
    if parts.contains(&Held::No) {
        Held::No
    } else if parts.contains(&Held::Unknown) {
        Held::Unknown
    } else {
        Held::Yes
    }
}

/// Compares one part. A part that was not read either time counts as unchanged, because it yields
/// no fact.
fn same<T: PartialEq>(before: Option<&T>, after: Option<&T>) -> Held {
    match (before, after) {
        (Some(before), Some(after)) if before != after => Held::No,
        (Some(_), Some(_)) | (None, None) => Held::Yes,
        _ => Held::Unknown,
    }
}

/// Compares the APIs. Whether a REST API customizes its responses is compared separately, because
/// it is read by a separate call, which may have failed once.
fn same_api(before: Option<&Api>, after: Option<&Api>) -> Held {
    let (Some(first), Some(second)) = (before, after) else {
        return same(before, after);
    };
    if first.responses_customized.is_some() == second.responses_customized.is_some() {
        return same(before, after);
    }
    let without_responses = |api: &Api| Api {
        responses_customized: None,
        ..api.clone()
    };
    if without_responses(first) == without_responses(second) {
        Held::Unknown
    } else {
        Held::No
    }
}

fn add_api(target: &Target, api: &Api, serving: Serving<'_>, facts: &mut Vec<Finding>) {
    facts.push(text(
        "config.deployed",
        if api.deployed { "yes" } else { "unclear" },
    ));
    match serving {
        Serving::Route(_) => facts.push(text("config.route", "found")),
        Serving::NoRoute => facts.push(text("config.route", "none")),
        Serving::Unknown => {}
    }
    if api.endpoint_disabled == Some(true) && serving::has_default_host(target, api) {
        facts.push(text("config.endpoint", "disabled"));
    }
    if let Some(customized) = api.responses_customized {
        let value = if customized { "customized" } else { "default" };
        facts.push(text("config.responses", value));
    }
}

fn add_route(now: &Configuration, route: &Route, facts: &mut Vec<Finding>) {
    if let Some(authorizer) = route.authorizer {
        facts.push(text("config.authorizer", authorizer.as_str()));
    }
    if route.rejects_all {
        facts.push(text("config.api_throttle", "off"));
    }
    if let Some(timeout) = route.timeout {
        let seconds = FactValue::Number(timeout.as_secs_f64());
        facts.push(("config.integration_timeout", seconds));
    }
    let Some(backend) = &route.backend else {
        return;
    };
    facts.push(text("config.integration", backend.as_str()));
    match backend {
        Backend::Lambda {
            method: Some(method),
            ..
        } => {
            let value = if method == "POST" { "post" } else { "other" };
            facts.push(text("config.integration_method", value));
        }
        Backend::VpcLink { id: Some(id) } => {
            if let Some(link) = now.vpc_link.as_ref().filter(|link| link.id == *id) {
                facts.push(text("config.vpc_link", link.state.as_str()));
            }
        }
        _ => {}
    }
}

/// Returns the function that was read, if it is the one that the route invokes. If the route is not
/// known, it must be the declared function. Returns `None` in all other cases.
fn invoked_function<'a>(
    target: &Target,
    now: &'a Configuration,
    serving: Serving<'_>,
) -> Option<&'a Function> {
    let function = now.function.as_ref()?;
    let same = match serving {
        Serving::Route(route) => match &route.backend {
            Some(Backend::Lambda {
                function: Some(reference),
                ..
            }) => *reference == function.reference,
            _ => false,
        },
        Serving::NoRoute => false,
        Serving::Unknown => FunctionRef::declared(&target.aws)
            .is_some_and(|declared| declared.has_name_of(&function.reference)),
    };
    same.then_some(function)
}

fn add_function(function: &Function, facts: &mut Vec<Finding>) {
    match &function.settings {
        // If only the name of the function is declared, the function may be in another account or
        // Region, so this answer does not prove that it is missing.
        Some(Lookup::Missing) if function.reference.place.is_some() => {
            facts.push(text("config.function_state", "missing"));
        }
        Some(Lookup::Found(settings)) => {
            if let Some(state) = settings.state {
                facts.push(text("config.function_state", state.as_str()));
            }
            if let Some(reason) = &settings.reason {
                facts.push(text("config.function_reason", reason));
            }
            if let Some(timeout) = settings.timeout {
                let seconds = FactValue::Number(timeout.as_secs_f64());
                facts.push(("config.function_timeout", seconds));
            }
        }
        Some(Lookup::Missing) | None => {}
    }
    if let Some(Concurrency::Reserved(limit)) = function.concurrency {
        facts.push(number("config.reserved_concurrency", limit));
    }
}

/// Adds whether the function's policy allows the route to invoke the function. Adds nothing if the
/// integration has a role, whose policies decide instead, if the function does not exist, or if the
/// decision is unclear.
fn add_permission(
    target: &Target,
    now: &Configuration,
    route: &Route,
    function: &Function,
    facts: &mut Vec<Finding>,
) {
    let by_role = matches!(&route.backend, Some(Backend::Lambda { by_role: true, .. }));
    let is_known = serving::invocation(target, now, route, &function.reference).is_some();
    if by_role || !is_known {
        return;
    }
    let value = match (&function.settings, &function.policy) {
        (Some(Lookup::Missing), _) => return,
        // AWS gives the same answer for a function without a policy and for a missing function, so
        // the function itself must have been found.
        (Some(Lookup::Found(_)), Some(Lookup::Missing)) => "denied",
        (_, Some(Lookup::Found(Policy { decision, .. }))) => match decision {
            Decision::Allowed => "allowed",
            Decision::Denied => "denied",
            Decision::Unclear => return,
        },
        _ => return,
    };
    facts.push(text("config.permission", value));
}

fn text(name: &'static str, value: &str) -> Finding {
    (name, FactValue::Text(value.to_owned()))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of concurrent executions are far below 2^52"
)]
fn number(name: &'static str, value: u64) -> Finding {
    (name, FactValue::Number(value as f64))
}
