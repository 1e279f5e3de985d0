//! Passes the lines of logs of API Gateway and nginx to their parsers.

use super::exchange::Exchange;
use super::execution_log::{self, ExecutionLog};
use super::proxy_log;
use super::reader::Reader;

impl Reader {
    /// Reads a line of a log of API Gateway or nginx. Returns whether the line was recognized.
    pub(super) fn logged(&mut self, line: &str, number: usize) -> bool {
        if let Some((event, id)) = execution_log::parse(line) {
            self.execution_line(event, id, number);
            return true;
        }
        let Some(mut exchange) = proxy_log::read(line) else {
            return false;
        };
        exchange.line = number;
        self.next(exchange);
        self.next(Exchange::default());
        true
    }

    fn execution_line(&mut self, event: &str, id: &str, number: usize) {
        if self.execution.as_ref().is_none_or(|log| !log.is_of(id)) {
            self.end_execution();
            self.execution = Some(ExecutionLog::new(id, number));
        }
        if let Some(log) = &mut self.execution {
            log.add(event);
        }
    }

    /// Ends the execution log that is being read, and adds its request to the transcripts.
    pub(super) fn end_execution(&mut self) {
        let Some(log) = self.execution.take() else {
            return;
        };
        if let Some(exchange) = log.exchange() {
            self.next(exchange);
            self.next(Exchange::default());
        } else {
            self.unused.add_line(log.number);
        }
    }
}
