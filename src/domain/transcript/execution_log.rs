//! Reads the lines of an execution log of a REST API in API Gateway. Each line of a request starts
//! with the request id in parentheses, after an optional timestamp.

use std::sync::LazyLock;

use regex::Regex;

use super::exchange::{Exchange, Section, Source};
use super::log_facts;
use super::pattern::pattern;
use super::response::RawResponse;
use crate::domain::diagnosis::aws::log_line::read_execution_lines;

/// Maximum number of lines kept of one request.
const MAX_LINES: usize = 200;

/// Maximum length of a line that is examined, in bytes.
const MAX_LINE: usize = 8_192;

/// Matches a line of an execution log. Captures the event, which starts with the request id in
/// parentheses, and the request id.
static LINE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^[0-9TZ:.+/ \t-]{0,40}(\(([0-9a-f]{8}[0-9a-f-]{0,28})\) .*)$"));

/// The lines of one request.
#[derive(Clone, Debug)]
pub(super) struct ExecutionLog {
    id: String,
    /// The number of the first line.
    pub(super) number: usize,
    lines: Vec<String>,
}

/// Returns the event and the request id in a line of an execution log; `None` for other lines.
pub(super) fn parse(line: &str) -> Option<(&str, &str)> {
    let found = LINE.as_ref().filter(|_| line.len() <= MAX_LINE)?;
    let found = found.captures(line)?;
    Some((found.get(1)?.as_str(), found.get(2)?.as_str()))
}

impl ExecutionLog {
    /// Starts the log of a request at the line `number`.
    pub(super) fn new(id: &str, number: usize) -> Self {
        Self {
            id: id.to_owned(),
            number,
            lines: Vec::new(),
        }
    }

    /// Returns whether the log belongs to the request with this id.
    pub(super) fn is_of(&self, id: &str) -> bool {
        self.id == id
    }

    pub(super) fn add(&mut self, event: &str) {
        if self.lines.len() < MAX_LINES {
            self.lines.push(event.to_owned());
        }
    }

    /// Returns the exchange of the request; `None` if the log does not contain the status.
    pub(super) fn exchange(&self) -> Option<Exchange> {
        let lines: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        let finding = read_execution_lines(&lines)?;
        let mut response = RawResponse::of_status(finding.status?, None);
        response.is_cut = true;
        Some(Exchange {
            line: self.number,
            source: Source::Message,
            section: Section::After,
            response: Some(response),
            facts: log_facts::of(&finding),
            ..Exchange::default()
        })
    }
}
