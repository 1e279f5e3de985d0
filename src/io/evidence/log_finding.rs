//! Selects the log lines of one request and interprets them with `domain`.
//!
//! The text of a line may contain the message of an exception, so only the finding is returned and
//! never the text.

use crate::domain::diagnosis::aws::log_line::{read_access_line, read_execution_lines};
use crate::domain::diagnosis::aws::{LogFinding, LogSource};

/// Returns the finding in `lines` about the request with this id, or `None` if no line belongs to
/// that request.
pub(super) fn log_finding(source: LogSource, lines: &[String], id: &str) -> Option<LogFinding> {
    match source {
        // A search also finds lines of other requests if they contain the id, for example in a
        // path.
        LogSource::AccessLog => lines
            .iter()
            .filter_map(|line| read_access_line(line))
            .find_map(|(request, finding)| (request == id).then_some(finding)),
        LogSource::ExecutionLog => {
            // Each line of an execution log begins with the request id in parentheses.
            let prefix = format!("({id})");
            let own: Vec<&str> = lines
                .iter()
                .map(String::as_str)
                .filter(|line| line.trim_start().starts_with(&prefix))
                .collect();
            read_execution_lines(&own)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::diagnosis::aws::LogTemplate;

    const ID: &str = "8b1b3f6e-3f86-4a0c-9d39-6cbb1f3b6c55";
    /// An access log line of another request that contains the id in its path.
    const OTHER: &str = r#"{"requestId":"11111111-3f86-4a0c-9d39-6cbb1f3b6c55","path":"/8b1b3f6e-3f86-4a0c-9d39-6cbb1f3b6c55"}"#;

    #[track_caller]
    fn check(source: LogSource, lines: &[&str], expected: Option<LogTemplate>) {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let found = log_finding(source, &lines, ID).map(|finding| finding.template);
        assert_eq!(found, expected);
    }

    #[test]
    fn lines_of_other_requests_that_contain_the_id_are_ignored() {
        check(LogSource::AccessLog, &[OTHER, ID], None);
        let other = "(11111111-3f86-4a0c-9d39-6cbb1f3b6c55) Execution failed due to a timeout error (8b1b3f6e-3f86-4a0c-9d39-6cbb1f3b6c55)";
        check(LogSource::ExecutionLog, &[other], None);
    }

    #[test]
    fn the_line_of_the_request_is_found_among_others() {
        let own = r#"{"requestId":"8b1b3f6e-3f86-4a0c-9d39-6cbb1f3b6c55","status":"503"}"#;
        let lines = [OTHER, own];
        check(LogSource::AccessLog, &lines, Some(LogTemplate::Unknown));
        let own = "(8b1b3f6e-3f86-4a0c-9d39-6cbb1f3b6c55) Execution failed due to a timeout error";
        check(
            LogSource::ExecutionLog,
            &[own],
            Some(LogTemplate::IntegrationTimeout),
        );
    }
}
