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
                current.follow_redirect();
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
            Event::Ended(at, status) => current.end_wget(at, status, number),
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

impl Exchange {
    /// Ends the response of wget. `at` is the time of day in seconds since midnight, `status` the
    /// status in wget's error message, and `number` the number of the line.
    fn end_wget(&mut self, at: f64, status: Option<u16>, number: usize) {
        if let Some(started) = self.wget_started {
            let time = (at - started).rem_euclid(DAY);
            if let Some(time) = crate::domain::transcript::time::seconds(time) {
                self.times.set(Clock::Meter, time);
            }
        }
        if let Some(status) = status
            && self.response.is_none()
        {
            self.begin(number);
            self.response = Some(RawResponse::of_status(status, None));
        }
        if let Some(response) = &mut self.response {
            // wget does not show the body of an error response.
            response.is_cut |= status.is_some();
        }
        self.end_of_body();
    }

    /// Starts the request to which the last response of wget redirects. Called at the line with the
    /// next request, because wget translates the line `Location: URL [following]`. Does nothing if
    /// the last response is not a redirect or if the text shows its headers.
    fn follow_redirect(&mut self) {
        let response = self.response.as_ref();
        let is_redirect = response.is_some_and(|response| {
            (300..400).contains(&response.status) && response.headers.is_empty()
        });
        if is_redirect && self.wget_started.is_some() && self.fault.is_none() {
            *self = Self {
                command: self.command.take(),
                wget_started: self.wget_started,
                redirects: self.redirects + 1,
                ..Self::default()
            };
        }
    }
}
