//! Splits a command line into words, by the quoting rules of Unix shells, cmd and `PowerShell`.

/// Maximum number of words of a command. Further words are ignored.
const MAX_WORDS: usize = 300;

/// Splits a command line into words. An unterminated quote ends at the end of the text.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = text.chars().peekable();
    // In commands that browsers copy for cmd, the escape character `^` precedes quotes.
    let is_cmd = text.contains("^\"");
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (Some('\''), letter) => word.get_or_insert_default().push(letter),
            (_, '\\') => match letters.peek() {
                Some(next) if quote.is_none() || matches!(next, '"' | '\\' | '$' | '`') => {
                    let next = letters.next().unwrap_or_default();
                    if next != '\n' {
                        word.get_or_insert_default().push(next);
                    }
                }
                _ => word.get_or_insert_default().push('\\'),
            },
            (_, '^') if is_cmd || letters.peek() == Some(&'\n') => {}
            (Some(_), letter) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '`') if letters.peek().is_none_or(|next| next.is_whitespace()) => {}
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (None, letter) => word.get_or_insert_default().push(letter),
        }
        if words.len() == MAX_WORDS {
            return words;
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_shells_do() {
        for (text, expected) in [
            ("curl -i x", &["curl", "-i", "x"][..]),
            (
                "curl 'a b' \"c \\\" d\" e\\ f",
                &["curl", "a b", "c \" d", "e f"],
            ),
            (
                "curl ^\"https://x/^%^7B\" -H ^\"a: b^\"",
                &["curl", "https://x/%7B", "-H", "a: b"],
            ),
            (
                "curl -w '\\n%{time_total}' ''",
                &["curl", "-w", "\\n%{time_total}", ""],
            ),
            ("curl -w \"\\n\" x", &["curl", "-w", "\\n", "x"]),
            ("curl `\n -i", &["curl", "-i"]),
            ("curl \\\n -i", &["curl", "-i"]),
            ("curl 'open", &["curl", "open"]),
            ("", &[]),
        ] {
            assert_eq!(split(text), expected, "{text}");
        }
    }
}
