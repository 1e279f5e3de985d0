//! The one place where log text is handed to those who know how to read it.
//!
//! Lines are passed on and dropped here: only what they mean goes further.

use crate::domain::diagnosis::aws::log_line::{read_access_line, read_execution_lines};
use crate::domain::diagnosis::aws::{LogFinding, LogSource};

/// What the lines that hold a request's id say of it; `None`: nothing that is about it.
pub(super) fn finding(source: LogSource, lines: &[String], id: &str) -> Option<LogFinding> {
    match source {
        // The id may stand in another request's line, as a header's value for one.
        LogSource::AccessLog => lines
            .iter()
            .filter_map(|line| read_access_line(line))
            .find_map(|(of, finding)| (of == id).then_some(finding)),
        LogSource::ExecutionLog => {
            // Each line begins with its own request's id in brackets.
            let own = format!("({id})");
            let lines: Vec<&str> = lines
                .iter()
                .map(String::as_str)
                .filter(|line| line.trim_start().starts_with(&own))
                .collect();
            read_execution_lines(&lines)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::diagnosis::aws::LogTemplate;

    const ID: &str = "8b1b3f6e-3f86-4a0c-9d39-6cbb1f3b6c55";

    #[track_caller]
    fn check(source: LogSource, lines: &[&str], expected: Option<LogTemplate>) {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let found = finding(source, &lines, ID).map(|finding| finding.template);
        assert_eq!(found, expected);
    }

    #[test]
    fn a_line_that_only_mentions_the_id_is_not_of_this_request() {
        let other = r#"{"requestId":"11111111-3f86-4a0c-9d39-6cbb1f3b6c55","path":"/8b1b3f6e-3f86-4a0c-9d39-6cbb1f3b6c55"}"#;
        check(
            LogSource::AccessLog,
            &[other, "8b1b3f6e-3f86-4a0c-9d39-6cbb1f3b6c55"],
            None,
        );
        let other = "(11111111-3f86-4a0c-9d39-6cbb1f3b6c55) Execution failed due to a timeout error (8b1b3f6e-3f86-4a0c-9d39-6cbb1f3b6c55)";
        check(LogSource::ExecutionLog, &[other], None);
    }

    #[test]
    fn the_line_of_this_request_is_read_among_others() {
        let other = r#"{"requestId":"11111111-3f86-4a0c-9d39-6cbb1f3b6c55","path":"/8b1b3f6e-3f86-4a0c-9d39-6cbb1f3b6c55"}"#;
        let own = r#"{"requestId":"8b1b3f6e-3f86-4a0c-9d39-6cbb1f3b6c55","status":"503"}"#;
        check(
            LogSource::AccessLog,
            &[other, own],
            Some(LogTemplate::Unknown),
        );
        let own = "(8b1b3f6e-3f86-4a0c-9d39-6cbb1f3b6c55) Execution failed due to a timeout error";
        check(
            LogSource::ExecutionLog,
            &[own],
            Some(LogTemplate::IntegrationTimeout),
        );
    }
}
