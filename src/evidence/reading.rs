//! The one place where what AWS said is handed to those who know how to read it.
//!
//! Lines are passed on and dropped here: only what they mean goes further.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::diagnosis::aws::{LogFinding, LogSource, LogTemplate};

/// What the lines that hold a request's id say of it; `None`: nothing that is about it.
pub(super) fn finding(source: LogSource, lines: &[String], id: &str) -> Option<LogFinding> {
    match source {
        LogSource::AccessLog => lines.iter().find_map(|line| access(line, id)),
        LogSource::ExecutionLog => {
            // The id of another request may contain ours; the execution log brackets it.
            let own = format!("({id})");
            let lines: Vec<&str> = lines
                .iter()
                .map(String::as_str)
                .filter(|line| line.contains(&own))
                .collect();
            execution(&lines)
        }
    }
}

/// The minutes that may hold the datapoints of a request: those it touched, and one more
/// on either side. First minute, inclusive, and end, exclusive.
pub(super) fn window(began: Timestamp, ended: Timestamp) -> (Timestamp, Timestamp) {
    let minute = |moment: Timestamp| {
        let start = moment.as_second().div_euclid(60) * 60;
        Timestamp::from_second(start).unwrap_or(moment)
    };
    let margin = Duration::from_secs(60);
    (minute(began) - margin, minute(ended) + margin * 2)
}

/// From when on absence counts; `None`: never, since the function may still be running.
pub(super) fn settled_at(
    ended: Timestamp,
    function_timeout: Option<Duration>,
    settle: Duration,
) -> Option<Timestamp> {
    function_timeout.map(|timeout| ended + timeout + settle)
}

fn access(line: &str, id: &str) -> Option<LogFinding> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| line.get(key).and_then(Value::as_str);
    if text("requestId") != Some(id) {
        return None;
    }
    let number = |key: &str| -> Option<u64> {
        let value = line.get(key)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    };
    let status = |key: &str| number(key).and_then(|status| u16::try_from(status).ok());
    Some(LogFinding {
        source: LogSource::AccessLog,
        template: template(text("integrationErrorMessage").unwrap_or_default()),
        status: status("status"),
        integration_status: status("integrationStatus"),
        invoked: None,
        integration_latency: number("integrationLatency").map(Duration::from_millis),
    })
}

fn execution(lines: &[&str]) -> Option<LogFinding> {
    let template = lines
        .iter()
        .map(|line| template(line))
        .find(|template| *template != LogTemplate::Unknown);
    (!lines.is_empty()).then(|| LogFinding {
        source: LogSource::ExecutionLog,
        template: template.unwrap_or(LogTemplate::Unknown),
        status: None,
        integration_status: None,
        invoked: None,
        integration_latency: None,
    })
}

/// Phrases in the order in which they are looked for: a timed-out function's message
/// stands inside that of a function's error.
const PHRASES: [(&str, LogTemplate); 7] = [
    (
        "have permissions to call the integration",
        LogTemplate::PermissionDenied,
    ),
    (
        "Invalid permissions on Lambda function",
        LogTemplate::PermissionDenied,
    ),
    ("Task timed out after", LogTemplate::FunctionTimedOut),
    ("returned the following error", LogTemplate::FunctionError),
    ("customer function error", LogTemplate::FunctionError),
    (
        "Malformed Lambda proxy response",
        LogTemplate::MalformedResponse,
    ),
    (
        "Execution failed due to a timeout error",
        LogTemplate::IntegrationTimeout,
    ),
];

fn template(text: &str) -> LogTemplate {
    let found = PHRASES.iter().find(|(phrase, _)| text.contains(phrase));
    found.map_or(LogTemplate::Unknown, |(_, template)| *template)
}
