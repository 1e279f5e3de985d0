//! Decides whether a function's resource policy allows API Gateway to invoke the function.
//!
//! The decision follows IAM: a statement that denies wins over statements that allow, and without
//! an allowing statement the invocation is denied. If the decision depends on something that this
//! module cannot interpret with certainty, it is [`Decision::Unclear`] and never a guess. Examples
//! are unsupported condition operators and keys, `NotAction`, and an unknown account. The policy is
//! parsed here, so that only the decision is kept.
//!
//! Sources: <https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>.

use serde_json::Value;
use wildmatch::WildMatch;

/// Whether a policy allows an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows the invocation, and none denies it.
    Allowed,
    /// No statement allows the invocation, or one denies it.
    Denied,
    /// The decision depends on something that is not interpreted here or not known.
    Unclear,
}

/// The invocation of a function by API Gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The partition, such as `aws` or `aws-cn`.
    pub partition: String,
    /// The Region of the API.
    pub region: String,
    /// The account of the API; `None` if it is not known.
    pub account: Option<String>,
    /// The id of the API.
    pub api: String,
    /// The possible values of the part of the source ARN after the API id, such as
    /// `prod/GET/orders`. There are several if AWS does not document which one API Gateway sends.
    pub sources: Vec<String>,
}

/// The service principal of API Gateway.
const PRINCIPAL: &str = "apigateway.amazonaws.com";

/// The action that API Gateway needs.
const ACTION: &str = "lambda:InvokeFunction";

impl Invocation {
    /// Returns the part of the source ARN after the API id for a method of a REST API, such as
    /// `prod/GET/orders`. `method` is the declared method, which is `ANY` for a method that accepts
    /// every method. `resource` is the template of the resource's path.
    #[must_use]
    pub fn rest_source(stage: &str, method: &str, resource: &str) -> String {
        format!("{stage}/{method}/{}", resource.trim_start_matches('/'))
    }

    /// Returns the possible values of the part of the source ARN after the API id, for a route of
    /// an HTTP API. `route` is the route's key, such as `GET /orders` or `$default`. It is not
    /// documented whether a route with the method `ANY` sends `ANY` or the method of the request,
    /// so both are returned.
    #[must_use]
    pub fn http_sources(stage: &str, route: &str, method: &str) -> Vec<String> {
        match route.split_once(' ') {
            None => vec![format!("{stage}/{route}")],
            Some((declared, path)) => {
                let path = path.trim_start_matches('/');
                let mut sources = vec![format!("{stage}/{declared}/{path}")];
                if declared == "ANY" {
                    sources.push(format!("{stage}/{method}/{path}"));
                }
                sources
            }
        }
    }
}

/// Decides whether `policy`, a JSON text, allows the invocation. If `policy` is `None`, the
/// function has no policy, so the invocation is denied. A policy that is not valid JSON is unclear.
#[must_use]
pub fn decide(policy: Option<&str>, invocation: &Invocation) -> Decision {
    let Some(text) = policy else {
        return Decision::Denied;
    };
    let Ok(policy) = serde_json::from_str::<Value>(text) else {
        return Decision::Unclear;
    };
    let Some(statements) = policy.get("Statement") else {
        return Decision::Unclear;
    };
    let statements = as_list(statements);
    let mut decisions = invocation
        .sources
        .iter()
        .map(|source| decide_source(&statements, invocation, source));
    let Some(first) = decisions.next() else {
        return Decision::Unclear;
    };
    if decisions.all(|other| other == first) {
        first
    } else {
        Decision::Unclear
    }
}

/// Decides whether the statements allow the invocation, for one of the possible source ARNs.
/// `source` is the part of the ARN after the API id.
fn decide_source(statements: &[&Value], invocation: &Invocation, source: &str) -> Decision {
    let mut allow = Some(false);
    let mut deny = Some(false);
    for statement in statements {
        let applies = applies(statement, invocation, source);
        let slot = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => &mut allow,
            Some("Deny") => &mut deny,
            _ => return Decision::Unclear,
        };
        *slot = either(*slot, applies);
    }
    match (allow, deny) {
        (_, Some(true)) | (Some(false), _) => Decision::Denied,
        (Some(true), Some(false)) => Decision::Allowed,
        _ => Decision::Unclear,
    }
}

/// Returns whether at least one of two values is true; `None` if that is not known.
const fn either(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

/// Returns whether both values are true; `None` if that is not known.
const fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// Returns whether all values are true; `None` if that is not known.
fn all(values: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = Some(true);
    for value in values {
        known = both(known, value);
    }
    known
}

/// Returns whether at least one value is true; `None` if that is not known.
fn any(values: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = Some(false);
    for value in values {
        known = either(known, value);
    }
    known
}

/// Returns whether a statement applies to the invocation; `None` if that is not known. The resource
/// of the statement is not compared: the policy belongs to the function.
fn applies(statement: &Value, invocation: &Invocation, source: &str) -> Option<bool> {
    if statement.get("NotAction").is_some() || statement.get("NotPrincipal").is_some() {
        return None;
    }
    let action = statement.get("Action").map(|actions| {
        let mut actions = as_list(actions).into_iter().filter_map(Value::as_str);
        actions.any(|action| is_like(&action.to_ascii_lowercase(), &ACTION.to_ascii_lowercase()))
    });
    let principal = statement.get("Principal").and_then(is_gateway);
    let conditions = match statement.get("Condition") {
        None => Some(true),
        Some(Value::Object(operators)) => {
            let met = |(operator, entries): (&String, &Value)| {
                is_met(operator, entries, invocation, source)
            };
            all(operators.iter().map(met))
        }
        Some(_) => None,
    };
    both(both(action, principal), conditions)
}

/// Returns whether the principal is API Gateway or everybody; `None` if that is not known.
fn is_gateway(principal: &Value) -> Option<bool> {
    match principal {
        Value::String(text) => Some(text == "*"),
        Value::Object(entries) => any(entries.iter().map(|(kind, values)| {
            let mut values = as_list(values).into_iter().filter_map(Value::as_str);
            match kind.as_str() {
                "Service" => any(values.map(is_gateway_service)),
                "AWS" => Some(values.any(|value| value == "*")),
                _ => Some(false),
            }
        })),
        _ => None,
    }
}

/// Returns whether a service principal is API Gateway; `None` for a name of API Gateway that is not
/// known to be its principal, such as one with a Region.
fn is_gateway_service(name: &str) -> Option<bool> {
    match name {
        PRINCIPAL | "*" => Some(true),
        other => (!other.starts_with("apigateway.")).then_some(false),
    }
}

/// Returns whether the entries of one condition operator are all met; `None` if that is not known.
fn is_met(operator: &str, entries: &Value, invocation: &Invocation, source: &str) -> Option<bool> {
    let entries = entries.as_object()?;
    all(entries.iter().map(|(key, expected)| {
        let expected: Vec<&str> = as_list(expected)
            .into_iter()
            .filter_map(Value::as_str)
            .collect();
        is_entry_met((operator, key), &expected, invocation, source)
    }))
}

/// Returns whether one entry of a condition operator is met; `None` if that is not known.
fn is_entry_met(
    (operator, key): (&str, &str),
    expected: &[&str],
    invocation: &Invocation,
    source: &str,
) -> Option<bool> {
    // A policy variable, such as `${aws:ResourceAccount}`, has a value only during the request.
    if expected.iter().any(|value| value.contains("${")) {
        return None;
    }
    let arn = |account: &str| {
        let Invocation {
            partition,
            region,
            api,
            ..
        } = invocation;
        format!("arn:{partition}:execute-api:{region}:{account}:{api}/{source}")
    };
    let account = invocation.account.as_deref();
    // Condition keys are not case-sensitive.
    match (key.to_ascii_lowercase().as_str(), operator) {
        ("aws:sourcearn", "ArnLike" | "ArnEquals") => {
            let is_like = |pattern: &&str| arn_is_like(pattern, arn, invocation);
            any(expected.iter().map(is_like))
        }
        ("aws:sourcearn", "StringLike") => account.map(|account| {
            let arn = arn(account);
            expected.iter().any(|pattern| is_like(pattern, &arn))
        }),
        ("aws:sourcearn", "StringEquals") => {
            account.map(|account| expected.contains(&arn(account).as_str()))
        }
        ("aws:sourceaccount", "StringLike") => {
            account.map(|account| expected.iter().any(|pattern| is_like(pattern, account)))
        }
        ("aws:sourceaccount", "StringEquals") => account.map(|account| expected.contains(&account)),
        // The key exists only in requests to a function URL, so API Gateway never meets the
        // condition.
        ("lambda:functionurlauthtype", "StringEquals" | "StringLike") => Some(false),
        _ => None,
    }
}

/// Returns whether the source ARN matches the pattern. As in `ArnLike`, each of the six parts
/// between colons is compared separately, and `*` in the sixth part also matches `/`. Returns
/// `None` if the result is not known: the account is not known and its part of the pattern is not
/// `*`, or the pattern has fewer than six parts and contains `*`.
fn arn_is_like(
    pattern: &str,
    arn: impl Fn(&str) -> String,
    invocation: &Invocation,
) -> Option<bool> {
    let parts: Vec<&str> = pattern.splitn(6, ':').collect();
    if parts.len() < 6 {
        // Whether a wildcard can stand for several parts is not documented.
        return (!pattern.contains('*')).then_some(false);
    }
    let account = invocation.account.as_deref();
    let arn = arn(account.unwrap_or_default());
    let actual: Vec<&str> = arn.splitn(6, ':').collect();
    let mut like = Some(true);
    for (index, (pattern, actual)) in parts.iter().zip(actual).enumerate() {
        let same = if index == 4 && account.is_none() {
            (*pattern == "*").then_some(true)
        } else {
            Some(is_like(pattern, actual))
        };
        like = both(like, same);
    }
    like
}

fn is_like(pattern: &str, text: &str) -> bool {
    WildMatch::new(pattern).matches(text)
}

/// Returns the items of a list, or a single value as the only item.
fn as_list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

#[cfg(test)]
mod tests;
