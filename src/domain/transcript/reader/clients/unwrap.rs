//! Joins the lines of each wrapped error message, and passes the joined line to the parsers.

use crate::domain::transcript::clients::wrapped::Wrapped;
use crate::domain::transcript::exchange::Section;
use crate::domain::transcript::reader::Reader;

impl Reader {
    /// Adds a line to the message that is being joined, or starts a message. Returns whether the
    /// line belongs to such a message.
    pub(in crate::domain::transcript::reader) fn join_wrapped_line(
        &mut self,
        line: &str,
        stamp: Option<f64>,
        number: usize,
    ) -> bool {
        if let Some(message) = &mut self.wrapped {
            if message.add(line, number, stamp) {
                if message.is_complete() {
                    self.end_wrapped();
                }
                return true;
            }
            self.end_wrapped();
        }
        let is_outside = matches!(self.current.section, Section::Before | Section::After);
        let is_free = self.page.is_none() && self.dump.is_none() && !self.object.is_open();
        if is_outside && is_free && !self.is_write_out() {
            self.wrapped = Wrapped::start(line, number, stamp);
        }
        self.wrapped.is_some()
    }

    /// Ends the message that is being joined, and reads it. If its lines are not one
    /// message, they are read one by one.
    pub(in crate::domain::transcript::reader) fn end_wrapped(&mut self) {
        let Some(message) = self.wrapped.take() else {
            return;
        };
        if message.is_one() {
            let first = message
                .lines
                .first()
                .map(|(_, number, stamp)| (*number, *stamp));
            let (number, stamp) = first.unwrap_or_default();
            self.dispatch(&message.joined(), stamp, number);
        } else {
            for (line, number, stamp) in message.lines {
                self.dispatch(&line, stamp, number);
            }
        }
    }
}
