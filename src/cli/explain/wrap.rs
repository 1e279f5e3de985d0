//! Wraps text to lines of at most 80 characters, the default width of a terminal.

/// Maximum width of a line in characters: the default width of a terminal.
pub(super) const COLUMNS: usize = 80;

/// A space at which a line is not broken; it is printed as an ordinary space.
pub(super) const NO_BREAK_SPACE: &str = "\u{a0}";

/// Wraps text at spaces to lines of at most [`COLUMNS`] characters. The first line begins
/// with `first`, and the other lines are indented by the length of `first`. A word that is
/// longer than a line is not broken.
pub(super) fn wrap_text(first: &str, text: &str) -> String {
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
    lines.replace(NO_BREAK_SPACE, " ")
}

#[cfg(test)]
mod tests {
    use super::{NO_BREAK_SPACE, wrap_text};

    #[test]
    fn lines_are_wrapped_and_indented() {
        let text = "word ".repeat(30);
        let lines = wrap_text("see  ", &text);
        assert!(lines.lines().all(|line| line.chars().count() <= 80));
        assert!(lines.lines().skip(1).all(|line| line.starts_with("     w")));
        assert_eq!(lines.split_whitespace().count(), 31);
        assert_eq!(wrap_text("- ", "one"), "- one\n");
        let text = format!(
            "{} status{NO_BREAK_SPACE}={NO_BREAK_SPACE}503",
            "word ".repeat(14)
        );
        let lines = wrap_text("", &text);
        assert!(lines.ends_with("word\nstatus = 503\n"), "{lines}");
    }

    #[test]
    fn a_word_that_is_too_long_is_not_broken() {
        let url = format!("https://{}/", "a".repeat(90));
        assert_eq!(wrap_text("see ", &url), format!("see {url}\n"));
    }
}
