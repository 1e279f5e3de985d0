//! Records the durations that a text states next to a response.

use std::time::Duration;

use super::Reader;
use crate::domain::transcript::time::clock;
use crate::domain::transcript::time::clocks::Clock;

impl Reader {
    /// Returns whether curl itself added timestamps to the lines (`--trace-time`).
    pub(super) fn has_stamps(&self) -> bool {
        let command = self.current.command.as_ref();
        command.is_some_and(|command| command.stamps)
    }

    /// Reads the duration that a shell or a `time` program prints. Returns whether the line is part
    /// of such output.
    pub(super) fn read_timing(&mut self, line: &str) -> bool {
        if let Some(time) = clock::elapsed(line) {
            self.record(Clock::Shell, time);
            self.current.end_of_body();
            return true;
        }
        let is_other = clock::is_other(line);
        if is_other {
            self.current.end_of_body();
        }
        is_other
    }

    /// Records a duration for the last transcript if it has no duration yet and no command, message
    /// or response was read after it. Otherwise records the duration for the current exchange.
    pub(super) fn record(&mut self, clock: Clock, time: Duration) {
        let is_new = !self.current.is_answered()
            && self.current.reasons.is_empty()
            && self.current.command.is_none();
        match self.found.last_mut() {
            Some(last) if is_new && !self.is_separated && !last.timed => {
                last.observation.duration = time;
                last.timed = true;
            }
            _ => self.current.times.set(clock, time),
        }
    }
}
