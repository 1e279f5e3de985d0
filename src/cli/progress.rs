//! Shows the progress of a command on standard error. On a terminal, each message replaces the
//! previous one on the same line. Otherwise, each message is a new line.

use std::io::Write as _;

use super::Terminal;
use crate::model::printable::printable;

/// Maximum length of the line in characters, so that it fits on a line of a terminal: a line that
/// wraps cannot be redrawn.
const LENGTH: usize = 78;

/// Shows a message. Escapes control characters, because names of resources in the message may
/// contain them. On a terminal, replaces the previous message.
pub(super) fn show(message: &str, terminal: Terminal) {
    let line = printable(message);
    if terminal.progress {
        eprint!("\r\x1b[K{}", shortened(&line));
        // A progress line that cannot be written is not worth an error.
        let _ = std::io::stderr().flush();
    } else {
        eprintln!("{line}");
    }
}

/// Removes the progress message from a terminal. Must be called before other text is printed.
pub(super) fn clear(terminal: Terminal) {
    if terminal.progress {
        eprint!("\r\x1b[K");
    }
}

/// Returns the part of a line that fits on a terminal: its first [`LENGTH`] characters.
fn shortened(line: &str) -> String {
    line.chars().take(LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_fits_on_a_line() {
        let line = shortened(&("reading API ".to_owned() + &"x".repeat(200)));
        assert!(line.starts_with("reading API x"), "{line}");
        assert_eq!(line.chars().count(), LENGTH);
        assert_eq!(shortened("reading"), "reading");
    }
}
