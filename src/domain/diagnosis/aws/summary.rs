//! Summarizes the evidence from AWS in one line, for the history of an incident.
//!
//! A summary contains only numbers and templates, never the text of a log line.

use std::time::Duration;

use crate::domain::diagnosis::aws::{
    AwsEvidence, LogFinding, LogSource, LogTemplate, MetricWindow,
};

/// Returns a summary of the evidence, such as `Throttles 14, Invocations 0 (settled window)` or
/// `access log: permission denied`. The summary is empty if there is no evidence.
#[must_use]
pub fn summary(evidence: &AwsEvidence) -> String {
    let log = evidence.log.as_ref().map(log_summary);
    let window = evidence.window.as_ref().and_then(window_summary);
    [log, window]
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
