//! Selects the step that would help most to find the causes of a target's failures.
//!
//! An access log proves the cause of a single failure, so the step that makes a declared access log
//! readable comes first. The configuration comes second, because reading it is free and proves some
//! causes without any log. Enabling an access log comes third, because it changes the API. Metrics
//! only corroborate a cause, and a change in the account is only a lead.

use super::{Source, SourceReport, State};

/// Returns the step that would help most. `None` if nothing is missing.
pub(super) fn next_step(reports: &[SourceReport]) -> Option<String> {
    let has_access_log = reports
        .iter()
        .any(|report| report.source == Source::AccessLog && report.state == State::Available);
    reports
        .iter()
        .filter_map(|report| Some((rank(report, has_access_log)?, report.text.as_ref()?)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, text)| text.clone())
}

/// Returns the rank of the step that makes a source available; the lowest rank is the most helpful
/// step. `None` if no step is needed.
fn rank(report: &SourceReport, has_access_log: bool) -> Option<u8> {
    match (report.source, report.state) {
        (_, State::Available | State::NotApplicable) => None,
        // The text of this state is not a step but a reason, so it is used only without a step.
        (_, State::Unknown) => Some(7),
        (Source::AccessLog, State::DeclarationMissing) => Some(2),
        (Source::AccessLog, _) => Some(0),
        (Source::Configuration, _) => Some(1),
        // The execution log would only repeat the access log.
        (Source::ExecutionLog, _) if has_access_log => None,
        (Source::ExecutionLog, State::DeclarationMissing) => Some(5),
        (Source::ExecutionLog, _) => Some(3),
        (Source::Metrics, _) => Some(4),
        (Source::Changes, _) => Some(6),
    }
}
