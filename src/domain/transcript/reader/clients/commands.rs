//! Reads the commands in a text, and the URLs in the error messages of curl and libcurl if no
//! command shows the URL.

use crate::domain::transcript::clients::message;
use crate::domain::transcript::command::{self, MAX_COMMAND};
use crate::domain::transcript::exchange::Section;
use crate::domain::transcript::reader::{Reader, ends_before_url};

impl Reader {
    /// Reads the first line of a command. Returns whether the line starts a command.
    pub(in crate::domain::transcript::reader) fn start_command(
        &mut self,
        line: &str,
        stamp: Option<f64>,
        number: usize,
    ) -> bool {
        let is_inside = matches!(self.current.section, Section::Headers | Section::Body);
        let Some(command) = command::find(line, is_inside) else {
            return false;
        };
        self.boundary();
        let last = std::mem::take(&mut self.current);
        // The previous exchange is discarded, because it has neither a response nor a fault. If it
        // has a command, the line of the command counts as unused.
        if last.command.is_some() && last.line > 0 {
            self.unused.add_line(last.line);
        }
        self.is_separated = true;
        let end = command.floor_char_boundary(MAX_COMMAND);
        self.command = Some(command[..end].to_owned());
        self.current.progress.is_windows = line.starts_with("PS ") || line.contains(":\\");
        self.current.begin(number);
        self.current.times.stamp(stamp, true, false);
        if !command::continues(line) {
            self.end_command();
        }
        true
    }

    pub(in crate::domain::transcript::reader) fn end_command(&mut self) {
        if let Some(command) = self.command.take() {
            self.current.set_command(&command);
            let url = self.current.url();
            self.last_url = url.or_else(|| self.last_url.take());
        }
    }

    /// Records the URL in a line with an error message of curl or libcurl, unless a command or an
    /// earlier line shows the URL. Also records whether the URL may be on the next line.
    pub(in crate::domain::transcript::reader) fn note_url(&mut self, line: &str) {
        let current = &mut self.current;
        if current.command.is_none() && current.request.url.is_none() {
            current.request.url = message::url(line);
        }
        self.awaits_url = ends_before_url(line);
    }
}
