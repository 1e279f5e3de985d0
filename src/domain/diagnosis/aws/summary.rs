//! Summarizes the evidence from AWS in one line, for the history of an incident.
//!
//! A summary contains only numbers and templates, never the text of a log line.

use std::time::Duration;

use crate::domain::diagnosis::aws::configuration::ConfigurationEvidence;
use crate::domain::diagnosis::aws::{
    AwsEvidence, LogFinding, LogSource, LogTemplate, MetricWindow,
};
use crate::domain::diagnosis::fact::FactValue;

/// Returns a summary of the evidence, such as `Throttles 14, Invocations 0 (settled window)` or
/// `access log: permission denied`. The summary is empty if there is no evidence.
#[must_use]
pub fn summary(evidence: &AwsEvidence) -> String {
    let log = evidence.log.as_ref().map(log_summary);
    let configuration = evidence
        .configuration
        .as_ref()
        .and_then(configuration_summary);
    let window = evidence.window.as_ref().and_then(window_summary);
    [log, configuration, window]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("; ")
}

fn log_summary(log: &LogFinding) -> String {
    let source = match log.source {
        LogSource::AccessLog => "access log",
        LogSource::ExecutionLog => "execution log",
    };
    let words = match log.template {
        LogTemplate::IntegrationTimeout => "integration timeout",
        LogTemplate::Throttled => "throttled",
        LogTemplate::ThrottledByStatus => "integration returned 429",
        LogTemplate::PermissionDenied => "permission denied",
        LogTemplate::RoleNotAssumed => "role not assumed",
        LogTemplate::MalformedResponse => "malformed response",
        LogTemplate::FunctionError => "function error",
        LogTemplate::FunctionTimedOut => "function timed out",
        LogTemplate::AuthorizerFailure => "authorizer failure",
        LogTemplate::AuthorizerRefused => "Lambda rejected the invocation of the authorizer",
        LogTemplate::NetworkFailure => "network failure",
        LogTemplate::InvalidEndpoint => "invalid endpoint address",
        LogTemplate::IntegrationInternalError => "internal error while calling the integration",
        LogTemplate::TlsFailed => "TLS handshake with the backend failed",
        LogTemplate::ResponseNotMapped => "no mapping for the response of the integration",
        LogTemplate::HeaderClash => "header set twice",
        LogTemplate::FunctionMissing => "function not found",
        LogTemplate::RefusedByLambda => "Lambda rejected the invocation",
        LogTemplate::ResponseTooLarge => "response too large",
        LogTemplate::Unsigned => "request not signed",
        LogTemplate::Unauthorized => "unauthorized",
        LogTemplate::ApiThrottled => "throttled by the API",
        LogTemplate::QuotaExceeded => "quota exceeded",
        LogTemplate::AccessDenied => "access denied",
        LogTemplate::WafBlocked => "blocked by AWS WAF",
        LogTemplate::WafFailed => "AWS WAF rules could not be evaluated",
        LogTemplate::RefusedWithoutError => "Lambda returned 200, but the API returned an error",
        LogTemplate::Unknown => "cause not recognized",
    };
    format!("{source}: {words}")
}

/// Returns the facts from the configuration that may explain a failure, as text, such as
/// `configuration: no route for the request`. If there are no such facts, returns the timeouts. The
/// text ends with whether the configuration changed since before the request, if that is known, or
/// with a note about a custom domain. Returns `None` if there is neither a fact nor a timeout.
fn configuration_summary(configuration: &ConfigurationEvidence) -> Option<String> {
    let facts = &configuration.facts;
    let causes: Vec<String> = facts.iter().filter_map(explanation).collect();
    let words = if causes.is_empty() {
        facts.iter().filter_map(timeout).collect()
    } else {
        causes
    };
    let held = facts.iter().find(|(name, _)| *name == "config.held");
    let is_custom = facts.iter().any(|(name, _)| *name == "config.domain");
    let held = match held.map(|(_, value)| value) {
        Some(FactValue::Text(held)) if held == "yes" => " (the same before the request)",
        Some(FactValue::Text(held)) if held == "no" => " (changed since before the request)",
        _ if is_custom => {
            " (read from the declared resources; the mapping of the custom domain was not read)"
        }
        _ => "",
    };
    (!words.is_empty()).then(|| format!("configuration: {}{held}", words.join(", ")))
}

/// Returns the text of a fact that may explain a failure; `None` for any other fact.
fn explanation((name, value): &(&'static str, FactValue)) -> Option<String> {
    let text = value.to_string();
    let words = match (*name, text.as_str()) {
        ("config.permission", "denied") => "the function's policy does not allow the invocation",
        ("config.reserved_concurrency", "0") => "reserved concurrency 0",
        ("config.function_state", "missing") => "the function, version, or alias does not exist",
        ("config.function_state", state) if state != "active" => {
            return Some(format!("function {state}"));
        }
        ("config.route", "none") => "no route for the request",
        ("config.endpoint", "disabled") => "default endpoint disabled",
        ("config.api_throttle", _) => "a throttling limit of the route is 0",
        ("config.integration_method", "other") => "the integration's method is not POST",
        ("config.vpc_link", state) if state != "available" => {
            return Some(format!("VPC link {state}"));
        }
        ("config.targets", "none") => "the target group is empty",
        ("config.targets", "unhealthy") => "all targets in the target group are unhealthy",
        _ => return None,
    };
    Some(words.to_owned())
}

/// Returns the text of a timeout; `None` for any other fact.
fn timeout((name, value): &(&'static str, FactValue)) -> Option<String> {
    match *name {
        "config.integration_timeout" => Some(format!("integration timeout {value} s")),
        "config.function_timeout" => Some(format!("function timeout {value} s")),
        _ => None,
    }
}

/// Returns the metrics of the window as text, the most informative first; `None` if there are no
/// metrics. A sum without datapoints is zero in a settled window and omitted in an open window.
fn window_summary(window: &MetricWindow) -> Option<String> {
    let mut words = Vec::new();
    let mut count = |name: &str, sum: Option<f64>| {
        if let Some(sum) = sum.or(window.settled.then_some(0.0)) {
            words.push(format!("{name} {sum}"));
        }
    };
    if let Some(lambda) = &window.lambda {
        count("Throttles", lambda.throttles);
        count("Invocations", lambda.invocations);
        // Without an invocation, there can be no error.
        if lambda.invocations.is_some() {
            count("Errors", lambda.errors);
        }
    }
    if let Some(api) = &window.api {
        count("5xx", api.server_errors);
    }
    let longest = window.lambda.and_then(|lambda| lambda.duration_max);
    if let Some(longest) = longest {
        words.push(format!("Duration up to {}", seconds(longest)));
    }
    let settled = if window.settled { "settled" } else { "open" };
    (!words.is_empty()).then(|| format!("{} ({settled} window)", words.join(", ")))
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::target::AwsDeclarations;

    fn check(facts: &[(&'static str, &str)], expected: &str) {
        let fact = |(name, value): &(&'static str, &str)| {
            let text = || FactValue::Text((*value).to_owned());
            (
                *name,
                value.parse().map_or_else(|_| text(), FactValue::Number),
            )
        };
        let evidence = AwsEvidence {
            configuration: Some(ConfigurationEvidence {
                facts: facts.iter().map(fact).collect(),
                declared: AwsDeclarations::default(),
            }),
            ..AwsEvidence::default()
        };
        assert_eq!(summary(&evidence), expected);
    }

    #[test]
    fn the_configuration_is_summarized_by_what_explains_a_failure() {
        let timeouts = [
            ("config.integration_timeout", "6.5"),
            ("config.function_timeout", "5"),
            ("config.function_state", "active"),
            ("config.held", "unknown"),
        ];
        let expected = "configuration: integration timeout 6.5 s, function timeout 5 s";
        check(&timeouts, expected);
        check(
            &[
                ("config.integration_timeout", "6.5"),
                ("config.permission", "denied"),
                ("config.reserved_concurrency", "0"),
                ("config.held", "yes"),
            ],
            "configuration: the function's policy does not allow the invocation, reserved \
             concurrency 0 (the same before the request)",
        );
        check(
            &[
                ("config.function_state", "pending"),
                ("config.reserved_concurrency", "5"),
                ("config.held", "no"),
            ],
            "configuration: function pending (changed since before the request)",
        );
        check(
            &[("config.permission", "allowed"), ("config.held", "yes")],
            "",
        );
        let custom = |held| {
            [
                ("config.permission", "denied"),
                ("config.held", held),
                ("config.domain", "custom"),
            ]
        };
        let denied = "configuration: the function's policy does not allow the invocation";
        let unread =
            "(read from the declared resources; the mapping of the custom domain was not read)";
        check(&custom("unknown"), &format!("{denied} {unread}"));
        let changed = "(changed since before the request)";
        check(&custom("no"), &format!("{denied} {changed}"));
    }
}
