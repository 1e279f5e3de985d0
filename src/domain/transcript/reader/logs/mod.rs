//! Passes the lines of logs of API Gateway and nginx to their parsers.

mod console;
mod platform_lines;

use super::Reader;
use crate::domain::transcript::Transcript;
use crate::domain::transcript::clients::message;
use crate::domain::transcript::documents::json_doc;
use crate::domain::transcript::exchange::Exchange;
use crate::domain::transcript::logs::execution_log;
use crate::domain::transcript::logs::proxy_log::{self, Attempt, Line};
use crate::domain::transcript::time;

impl Reader {
    /// Reads a line of a log of API Gateway or nginx. Returns whether the line was recognized.
    pub(super) fn read_log_line(&mut self, line: &str, number: usize) -> bool {
        if let Some((_, id)) = execution_log::parse(line) {
            if !self.execution.has_room_for(id) {
                self.end_execution();
            }
            self.execution.add(id, line, number);
            return true;
        }
        match proxy_log::read(line) {
            Some(Line::Attempt(attempt)) => self.attempt(*attempt, number),
            Some(Line::Refused(exchange)) => {
                self.insert(Exchange {
                    line: number,
                    ..*exchange
                });
            }
            Some(Line::Other) => self.unused.add(line, number),
            None => return false,
        }
        true
    }

    /// Returns whether a line is from a log of API Gateway or nginx, and therefore not part of a
    /// body.
    pub(super) fn is_logged(line: &str) -> bool {
        proxy_log::is_line(line)
            || execution_log::parse(line).is_some()
            || json_doc::is_access_line(time::without_timestamp(line))
    }

    /// Adds a failed attempt of nginx to reach an upstream. Several attempts for one request become
    /// one transcript. The status of such a transcript is unknown, because nginx does not log a
    /// later attempt that succeeded.
    fn attempt(&mut self, attempt: Attempt, number: usize) {
        let mut exchange = attempt.exchange;
        exchange.line = number;
        if exchange.is_weak {
            self.complete(exchange);
            return;
        }
        let known = self.attempts.get(&attempt.request).copied();
        let known = known.and_then(|at| self.found.get_mut(at));
        if let Some(known) = known.filter(|_| exchange.response.is_some()) {
            let line = known.line;
            if let Some(last) = exchange.finish().filter(|_| !attempt.is_last) {
                *known = Transcript { line, ..last };
            }
            known.status_known = false;
            return;
        }
        let has_response = exchange.response.is_some();
        if let Some(at) = self.insert(exchange).filter(|_| has_response) {
            self.attempts.insert(attempt.request, at);
        }
    }

    /// Finishes the execution logs that are being read, and adds their requests. Lines that have
    /// the format of an execution log but that API Gateway did not write are read as error
    /// messages.
    pub(super) fn end_execution(&mut self) {
        let mut logs = self.execution.take();
        logs.retain(|log| !self.joins_console(log));
        if logs.is_empty() {
            return;
        }
        self.end_exchange();
        for log in logs {
            if let Some(exchange) = log.exchange() {
                self.insert(exchange);
                continue;
            }
            self.stamp = None;
            let is_of_gateway = log.is_of_gateway();
            for (number, line) in &log.lines {
                match message::read(line).filter(|_| !is_of_gateway) {
                    Some(message) => self.message(&message, line, *number),
                    None => self.unused.add(line, *number),
                }
            }
        }
        self.end_exchange();
    }
}
