//! Removes terminal escape sequences, such as those for colors, links and cursor movements.
//!
//! Terminals and `script` leave escape sequences in copied output. `cat -v` shows them, and
//! carriage returns, in caret notation (`^[[1m`, `^M`), which is removed too.

use std::borrow::Cow;

/// Maximum length of an escape sequence in characters. Only the start of a longer one is removed.
const MAX_SEQUENCE: usize = 2_048;

/// Returns the line without escape sequences, without control characters other than tabs, and
/// without byte order marks.
pub(super) fn removed(line: &str) -> Cow<'_, str> {
    let line = line.strip_suffix("^M").unwrap_or(line);
    let special = |c: char| (c.is_control() && c != '\t') || c == '\u{FEFF}';
    if !line.contains("^[[") && !line.contains(special) {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        rest = match letter {
            '\x1b' => skip_sequence(after),
            '\u{9b}' => skip_control_sequence(after),
            '\u{9d}' => skip_command(after),
            '^' if after.starts_with("[[") => skip_control_sequence(&after[2..]),
            letter => {
                if !special(letter) {
                    out.push(letter);
                }
                after
            }
        };
    }
    Cow::Owned(out)
}

/// Returns the text after an escape sequence. `rest` starts after the escape character.
fn skip_sequence(rest: &str) -> &str {
    match rest.as_bytes() {
        [b'[', ..] => skip_control_sequence(&rest[1..]),
        [b']' | b'P' | b'_' | b'^' | b'X', ..] => skip_command(&rest[1..]),
        // Two characters follow the escape character, as in `ESC ( B`, which selects a character
        // set.
        [b'(' | b')' | b'#' | b'%', next, ..] if next.is_ascii() => &rest[2..],
        [next, ..] if next.is_ascii() && !next.is_ascii_control() => &rest[1..],
        _ => rest,
    }
}

/// Returns the text after the parameters and the final character of a control sequence, such as
/// `1;31m`.
fn skip_control_sequence(rest: &str) -> &str {
    let length = rest
        .bytes()
        .take(MAX_SEQUENCE)
        .take_while(|byte| (0x20..0x40).contains(byte))
        .count();
    match rest.as_bytes().get(length) {
        Some(0x40..=0x7E) => &rest[length + 1..],
        _ => &rest[length..],
    }
}

/// Returns the text after a control string, such as an operating system command. The string ends at
/// BEL, at ST (also written `ESC \`), or before any other escape sequence. Returns the whole text
/// if the end is missing.
fn skip_command(rest: &str) -> &str {
    let end = rest
        .char_indices()
        .take(MAX_SEQUENCE)
        .find(|(_, letter)| matches!(letter, '\x07' | '\u{9c}' | '\x1b'));
    match end {
        Some((at, '\x1b')) => rest[at + 1..].strip_prefix('\\').unwrap_or(&rest[at..]),
        Some((at, letter)) => &rest[at + letter.len_utf8()..],
        None => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_removed() {
        for (line, expected) in [
            ("plain \t line", "plain \t line"),
            ("\x1b[1mserver\x1b[0m: nginx", "server: nginx"),
            ("\x1b[1;31;40mred\x1b[K", "red"),
            ("\u{9b}1mbold", "bold"),
            ("\x1b]8;;https://x.example/\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\x1b]0;title\x07$ curl", "$ curl"),
            ("\x1b(Bx\x1b=y", "xy"),
            ("^[[32mgreen^[[0m^M", "green"),
            ("a\0b\x08c\u{FEFF}", "abc"),
            ("\x1b]unterminated", "unterminated"),
            ("end\x1b", "end"),
            ("end\x1b[", "end"),
            ("\x1b\u{20ac}", "\u{20ac}"),
        ] {
            assert_eq!(removed(line), expected, "{line:?}");
        }
    }
}
