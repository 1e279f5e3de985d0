//! Reads the lines of wget's output.

use crate::domain::transcript::clients::wget::{self, Event};
use crate::domain::transcript::exchange::Exchange;
use crate::domain::transcript::exchange::response::RawResponse;
use crate::domain::transcript::reader::Reader;
use crate::domain::transcript::status;
use crate::domain::transcript::time::clocks::Clock;

/// Number of seconds per day.
const DAY: f64 = 86_400.0;

impl Reader {
    /// Reads a line of wget's output. Returns whether the line was recognized.
    pub(in crate::domain::transcript::reader) fn wget(
        &mut self,
        line: &str,
        number: usize,
    ) -> bool {
        let Some(event) = wget::event(line).filter(|event| self.is_of_wget(event, line)) else {
            return false;
        };
        let current = &mut self.current;
        match event {
            Event::Started(url, at) => {
                if current.is_over() {
                    self.next(Exchange::default());
                }
                let current = &mut self.current;
                current.progress.uses_tls = url.scheme() == "https";
                current.progress.is_known = true;
                current.progress.is_connected = false;
                current.request.url.get_or_insert(url);
                current.wget_started.get_or_insert(at);
            }
            Event::Connected(url) => {
                current.progress.is_connected = true;
                current.request.reached = current.request.reached.take().or(url);
            }
            Event::Waited(status, text) => {
                current.progress.is_connected = true;
                current.progress.is_sent = true;
                if let Some(status) = status {
                    current.begin(number);
                    let reason = status::reason(text.get(3..).unwrap_or_default());
                    if current
                        .response
                        .as_ref()
                        .is_some_and(RawResponse::is_redirect)
                    {
                        current.redirects += 1;
                    }
                    current.response = Some(RawResponse::of_status(status, reason));
                } else if !text.is_empty() {
                    current.message(&text, number);
                }
            }
            Event::Failed(text) => current.message(&text, number),
            Event::Ended(at, status) => {
                if let Some(started) = current.wget_started {
                    let time = (at - started).rem_euclid(DAY);
                    if let Some(time) = crate::domain::transcript::time::seconds(time) {
                        current.times.set(Clock::Meter, time);
                    }
                }
                if let Some(status) = status
                    && current.response.is_none()
                {
                    current.begin(number);
                    current.response = Some(RawResponse::of_status(status, None));
                }
                if let Some(response) = &mut current.response {
                    // wget does not show the body of an error response.
                    response.is_cut |= status.is_some();
                }
                current.end_of_body();
            }
            Event::Other => {}
        }
        true
    }

    /// Returns whether a line that looks like output of wget is such output. Other programs also
    /// print `ERROR: `, so a line with this start counts only after a command, or after lines
    /// of wget or curl about the same request.
    fn is_of_wget(&self, event: &Event, line: &str) -> bool {
        let current = &self.current;
        let has_wget = current.command.is_some() || current.wget_started.is_some();
        let is_general = matches!(event, Event::Failed(_)) && line.starts_with("ERROR: ");
        !is_general || has_wget || current.progress.is_known
    }
}
