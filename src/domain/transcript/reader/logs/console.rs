//! Reads the result of a test of a REST API in the console of API Gateway: labels, each with its
//! value on the next lines. `execution_log` reads the execution log below them.

use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use crate::domain::diagnosis::fact::FactValue;
use crate::domain::transcript::documents::json_doc;
use crate::domain::transcript::exchange::Source;
use crate::domain::transcript::exchange::response::RawResponse;
use crate::domain::transcript::exchange::settle::millis;
use crate::domain::transcript::logs::execution_log::ExecutionLog;
use crate::domain::transcript::pattern::pattern;
use crate::domain::transcript::reader::{Awaited, Reader};
use crate::domain::transcript::time::clocks::Clock;
use crate::domain::transcript::time::number;

/// Matches the label `Latency` and the duration on one line, as in older versions of the console.
/// Captures the duration in milliseconds.
static LATENCY: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"^Latency:? (\d+)(?: ms)?$"));

/// Maximum length in bytes of a line with a label.
const MAX_LABEL: usize = 24;

impl Reader {
    /// Reads a line of the console's page with the result of a test. Returns whether the line was
    /// recognized.
    pub(in crate::domain::transcript::reader) fn console_line(&mut self, line: &str) -> bool {
        let line = line.trim();
        if self.awaited.take() == Some(Awaited::Latency)
            && let Some(latency) = number(line).and_then(millis)
        {
            self.set_latency(latency);
            return true;
        }
        if line.len() > MAX_LABEL {
            return false;
        }
        if let Some(found) = LATENCY.as_ref().and_then(|it| it.captures(line)) {
            if let Some(latency) = number(&found[1]).and_then(millis) {
                self.set_latency(latency);
            }
            return true;
        }
        let has_response = self.console_response().is_some();
        self.awaited = match line.trim_end_matches(':').to_ascii_lowercase().as_str() {
            "latency" => Some(Awaited::Latency),
            "response body" if has_response => Some(Awaited::Body),
            "response headers" if has_response => Some(Awaited::Headers),
            _ => return false,
        };
        if let Some(latency) = self.latency.take() {
            self.set_latency(latency);
        }
        true
    }

    /// Adds the duration to the response, or keeps it until the status is read.
    fn set_latency(&mut self, latency: Duration) {
        if self.console_response().is_some() {
            self.current.times.set(Clock::Client, latency);
        } else {
            self.latency = Some(latency);
        }
    }

    fn console_response(&mut self) -> Option<&mut RawResponse> {
        let current = &mut self.current;
        let is_object = current.source == Source::Object;
        current.response.as_mut().filter(|_| is_object)
    }

    /// Reads a JSON document below a label. Returns whether the document was added to the response.
    pub(in crate::domain::transcript::reader) fn console_block(&mut self, text: &str) -> bool {
        let awaited = self.awaited.take();
        let Some(response) = self.console_response() else {
            return false;
        };
        match awaited {
            Some(Awaited::Body) if response.body.is_empty() => {
                response.raw_body(text.trim());
                response.is_reformatted = true;
            }
            Some(Awaited::Headers) => {
                for (name, value) in json_doc::headers(text) {
                    response.push(name, &value);
                }
                self.mark_rest_api();
            }
            _ => return false,
        }
        true
    }

    /// Sets `front_door` to `rest-api`, because the console's page tests only REST APIs. Sets
    /// `gateway_made` to `yes` if the header `x-amzn-errortype` shows that API Gateway itself
    /// generated the response, and otherwise to `unclear`.
    fn mark_rest_api(&mut self) {
        let Some(response) = self.console_response() else {
            return;
        };
        let has_type = response.value("x-amzn-errortype").is_some();
        let made = if has_type { "yes" } else { "unclear" };
        let text = |name: &str, value: &str| {
            let value = FactValue::Text(value.to_owned());
            (name.to_owned(), value)
        };
        self.current.facts = vec![text("front_door", "rest-api"), text("gateway_made", made)];
    }

    /// Adds an execution log to the response that the console's page shows above the log. Returns
    /// whether the log belongs to this response.
    pub(in crate::domain::transcript::reader) fn joins_console(
        &mut self,
        log: &ExecutionLog,
    ) -> bool {
        let Some(shown) = self.console_response().map(|response| response.status) else {
            return false;
        };
        let Some(exchange) = log.exchange() else {
            return false;
        };
        let status = exchange.response.as_ref().map(|response| response.status);
        let is_same = exchange.is_status_unknown || status == Some(shown);
        if is_same {
            self.current.log = exchange.log;
        }
        is_same
    }
}
