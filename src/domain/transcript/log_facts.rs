//! Converts the finding in a log of API Gateway to facts, with the same names as in the evidence of
//! a probe.

use crate::domain::diagnosis::aws::{LogFinding, LogSource};
use crate::domain::diagnosis::fact::FactValue;

/// Returns the facts about the log that rules test. `log.waited` is missing, because the API's
/// integration timeout is not known.
pub(super) fn of(finding: &LogFinding) -> Vec<(String, FactValue)> {
    let source = match finding.source {
        LogSource::AccessLog => "access-log",
        LogSource::ExecutionLog => "execution-log",
    };
    let text = |value: &str| FactValue::Text(value.to_owned());
    let number = |status: u16| FactValue::Number(f64::from(status));
    let invoked = finding.invoked.map(|it| if it { "yes" } else { "no" });
    let latency = finding.integration_latency;
    let facts = [
        ("log.source", Some(text(source))),
        ("log.template", Some(text(finding.template.as_str()))),
        ("log.invoked", invoked.map(text)),
        ("log.status", finding.status.map(number)),
        (
            "log.integration_status",
            finding.integration_status.map(number),
        ),
        (
            "log.integration_latency",
            latency.map(|latency| FactValue::Number(latency.as_secs_f64())),
        ),
    ];
    let known = facts.into_iter();
    known
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}
