//! Reads the lines of an execution log of a REST API.
//!
//! The lines of one request start with its id in parentheses, and the lines of several requests may
//! be mixed. The console of API Gateway shows lines without ids.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use crate::domain::diagnosis::aws::LogTemplate;
use crate::domain::diagnosis::aws::log_line::{execution_event, read_execution_lines};
use crate::domain::transcript::exchange::response::RawResponse;
use crate::domain::transcript::exchange::{Exchange, Section, Source};
use crate::domain::transcript::pattern::{MAX_LINE, pattern};
use crate::domain::transcript::time;

/// Maximum number of lines kept of one request.
const MAX_LINES: usize = 200;

/// Maximum number of requests whose lines are collected at the same time.
const MAX_OPEN: usize = 500;

/// The requests whose lines are being collected, by id.
#[derive(Debug, Default)]
pub(in crate::domain::transcript) struct ExecutionLogs {
    open: BTreeMap<String, ExecutionLog>,
}

/// The lines of one request, each with its line number in the text.
#[derive(Debug, Default)]
pub(in crate::domain::transcript) struct ExecutionLog {
    pub(in crate::domain::transcript) lines: Vec<(usize, String)>,
}

/// Placeholder for the id of a request whose lines contain no id.
const NO_ID: &str = "";

/// Matches a line of the log that the console of API Gateway shows after a test. Such a line has no
/// id. Captures the event.
static CONSOLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"^[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC \d{4} : (.*)$")
});

/// Prefixes of the messages that API Gateway writes to an execution log.
const EVENTS: [&str; 12] = [
    "Execution failed due to ",
    "Method completed with status: ",
    "Lambda execution failed with status ",
    "Lambda invocation failed with status: ",
    "Starting execution for request: ",
    "HTTP Method: ",
    "Method request ",
    "Method response ",
    "Endpoint request ",
    "Endpoint response ",
    "Gateway response ",
    "Received response. ",
];

/// Number of prefixes at the start of [`EVENTS`] that are specific enough to identify a line that
/// has no request id and is not from the console.
const ALONE: usize = 4;

/// The prefix of the message that states the status of the response.
const COMPLETED: &str = EVENTS[1];

/// Returns the event in a line of an execution log, and the request id. An event with an id starts
/// with this id in parentheses; for an event without an id, the id is [`NO_ID`]. Returns `None` for
/// other lines.
pub(in crate::domain::transcript) fn parse(line: &str) -> Option<(&str, &str)> {
    if line.len() > MAX_LINE {
        return None;
    }
    let event = match table_cell(line) {
        Some(cell) => cell,
        None => time::without_timestamp(line).trim(),
    };
    if let Some((id, _)) = execution_event(event).filter(|(id, _)| is_id(id)) {
        return Some((event, id));
    }
    if let Some(found) = CONSOLE.as_ref()?.captures(event) {
        return Some((found.get(1)?.as_str(), NO_ID));
    }
    let mut alone = EVENTS.iter().take(ALONE);
    let is_alone = alone.any(|start| event.starts_with(start));
    is_alone.then_some((event, NO_ID))
}

/// Returns the event in a row of a table that CloudWatch Logs Insights exported; `None` for other
/// lines.
fn table_cell(line: &str) -> Option<&str> {
    let row = line.trim().strip_prefix('|')?;
    let mut cells = row.split(" | ").map(|cell| cell.trim_matches(['|', ' ']));
    cells.find(|cell| execution_event(cell).is_some_and(|(id, _)| is_id(id)))
}

/// Returns whether a text may be a request id: a UUID, which may be cut off after its first 8
/// digits, or an extended request id, such as `PDS1PEC4oAMFpyA=`.
fn is_id(text: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_uuid = text.len() <= 36
        && text.bytes().take(8).filter(|byte| is_hex(*byte)).count() == 8
        && text.bytes().all(|byte| is_hex(byte) || byte == b'-');
    is_uuid || (text.ends_with('=') && (12..=32).contains(&text.len()))
}

impl ExecutionLogs {
    /// Returns whether a line of the request with this id can be added. If not, call [`Self::take`]
    /// first: the lines of [`MAX_OPEN`] other requests are being collected, or the log without an
    /// id is complete.
    pub(in crate::domain::transcript) fn has_room_for(&self, id: &str) -> bool {
        match self.open.get(id) {
            Some(log) => id != NO_ID || !log.is_complete(),
            None => self.open.len() < MAX_OPEN,
        }
    }

    /// Adds a line of a request.
    pub(in crate::domain::transcript) fn add(&mut self, id: &str, line: &str, number: usize) {
        let log = self.open.entry(id.to_owned()).or_default();
        if log.lines.len() < MAX_LINES {
            log.lines.push((number, line.to_owned()));
        }
    }

    /// Removes all logs and returns them in the order of their first lines.
    pub(in crate::domain::transcript) fn take(&mut self) -> Vec<ExecutionLog> {
        let mut logs: Vec<ExecutionLog> = std::mem::take(&mut self.open).into_values().collect();
        logs.sort_by_key(ExecutionLog::number);
        logs
    }
}

impl ExecutionLog {
    /// Returns the number of the first line.
    fn number(&self) -> usize {
        self.lines.first().map_or(0, |(number, _)| *number)
    }

    fn events(&self) -> impl Iterator<Item = &str> {
        self.lines
            .iter()
            .filter_map(|(_, line)| Some(parse(line)?.0))
    }

    /// Returns whether the last line states the status of the response.
    fn is_complete(&self) -> bool {
        let last = self.lines.last().and_then(|(_, line)| parse(line));
        last.is_some_and(|(event, _)| event.starts_with(COMPLETED))
    }

    /// Returns whether API Gateway wrote the log.
    pub(in crate::domain::transcript) fn is_of_gateway(&self) -> bool {
        let mut messages = self
            .events()
            .map(|event| execution_event(event).map_or(event, |(_, message)| message));
        messages.any(|message| EVENTS.iter().any(|start| message.starts_with(start)))
    }

    /// Returns the exchange of the request; `None` if the log contains neither the status nor a
    /// known phrase. If only the status is missing, a phrase about denied access implies 403; any
    /// other phrase leaves the status unknown, with 500 as a placeholder.
    pub(in crate::domain::transcript) fn exchange(&self) -> Option<Exchange> {
        let events: Vec<&str> = self.events().collect();
        let finding = read_execution_lines(&events)?;
        let (assumed, is_implied) = match finding.template {
            LogTemplate::AccessDenied => (Some(403), true),
            LogTemplate::Unknown => (None, false),
            _ => (Some(500), false),
        };
        let mut response = RawResponse::of_status(finding.status.or(assumed)?, None);
        response.is_cut = true;
        response.is_inferred = finding.status.is_none() && is_implied;
        Some(Exchange {
            line: self.number(),
            source: Source::Message,
            section: Section::After,
            response: Some(response),
            is_status_unknown: finding.status.is_none() && !is_implied,
            log: Some(finding),
            ..Exchange::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_an_id_are_recognized() {
        for (line, expected) in [
            ("(5d9c7d1e) a", Some("5d9c7d1e")),
            (
                "2025-11-11T03:12:44.123Z (5d9c7d1e-0000-4000-8000-000000000001) a",
                Some("5d9c7d1e-0000-4000-8000-000000000001"),
            ),
            ("(PDS1PEC4oAMFpyA=) a", Some("PDS1PEC4oAMFpyA=")),
            (
                "| 2025-11-11 03:12:44.123 | (5d9c7d1e-0000) a | log/x |",
                Some("5d9c7d1e-0000"),
            ),
            ("| 2025-11-11 03:12:44.123 | a |", None),
            (
                "Mon Sep 18 20:02:14 UTC 2023 : Execution failed due to x",
                Some(""),
            ),
            ("Execution failed due to a timeout error", Some("")),
            ("Method request path: {}", None),
            ("(env) $ ls", None),
            ("(5d9c7d1) a", None),
            ("(5d9c7d1e)", None),
            ("ERROR (5d9c7d1e) a", None),
        ] {
            assert_eq!(parse(line).map(|(_, id)| id), expected, "{line}");
        }
    }

    #[test]
    fn the_number_of_lines_and_of_requests_is_limited() {
        let mut logs = ExecutionLogs::default();
        for number in 0..=MAX_LINES {
            logs.add("a", "x", number);
        }
        for number in 1..MAX_OPEN {
            let id = format!("{number}");
            assert!(logs.has_room_for(&id));
            logs.add(&id, "x", MAX_LINES + number);
        }
        assert!(logs.has_room_for("a"));
        assert!(!logs.has_room_for("b"));
        let taken = logs.take();
        assert_eq!((taken.len(), taken[0].lines.len()), (MAX_OPEN, MAX_LINES));
        assert!(logs.has_room_for("b"));
    }
}
