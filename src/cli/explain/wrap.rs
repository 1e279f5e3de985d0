//! Breaks lines where a terminal ends.

/// What the narrowest usual terminal shows; wider lines are tiring to read anyway.
pub(super) const COLUMNS: usize = 80;

/// A blank at which no line is broken; shown as a usual one.
pub(super) const TIED: &str = "\u{a0}";

/// The text in lines of at most [`COLUMNS`] characters, broken at blanks: the first line
/// begins with `first`, the others with as many blanks. A longer word stays whole.
pub(super) fn wrapped(first: &str, text: &str) -> String {
    let indent = first.chars().count();
    let mut lines = String::from(first);
    let mut column = indent;
    for word in text.split_ascii_whitespace() {
        let length = word.chars().count();
        if column > indent {
            if column + 1 + length > COLUMNS {
                lines.push('\n');
                lines.push_str(&" ".repeat(indent));
                column = indent;
            } else {
                lines.push(' ');
                column += 1;
            }
        }
        lines.push_str(word);
        column += length;
    }
    lines.push('\n');
    lines.replace(TIED, " ")
}

#[cfg(test)]
mod tests {
    use super::{TIED, wrapped};

    #[test]
    fn lines_end_before_the_terminal_does_and_hang_under_their_beginning() {
        let text = "word ".repeat(30);
        let lines = wrapped("see  ", &text);
        assert!(lines.lines().all(|line| line.chars().count() <= 80));
        assert!(lines.lines().skip(1).all(|line| line.starts_with("     w")));
        assert_eq!(lines.split_whitespace().count(), 31);
        assert_eq!(wrapped("- ", "one"), "- one\n");
        let tied = format!("{} status{TIED}={TIED}503", "word ".repeat(14));
        let lines = wrapped("", &tied);
        assert!(lines.ends_with("word\nstatus = 503\n"), "{lines}");
    }

    #[test]
    fn a_word_that_is_too_long_stays_whole() {
        let address = format!("https://{}/", "a".repeat(90));
        assert_eq!(wrapped("see ", &address), format!("see {address}\n"));
    }
}
