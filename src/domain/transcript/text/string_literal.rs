//! Finds a response that a program printed as a string literal, in which each line end is written
//! as the escape sequence `\r\n` (four characters).

use crate::domain::transcript::status;

/// Maximum length in bytes of a line that is examined.
const MAX_LINE: usize = 65_536;

/// Returns the text before a response in a string literal, and the response with LF as line ends.
/// Returns `None` if the line contains no such response.
pub(in crate::domain::transcript) fn response(line: &str) -> Option<(&str, String)> {
    if line.len() > MAX_LINE || !line.contains("\\r\\n") {
        return None;
    }
    let at = line.find("HTTP/")?;
    let (before, rest) = line.split_at(at);
    let (first, _) = rest.split_once("\\r\\n")?;
    status::parse(first)?;
    let quote = before.chars().next_back();
    let quote = quote.filter(|quote| matches!(quote, '"' | '\'' | '`'));
    let end = quote.and_then(|quote| closing(rest, quote));
    Some((before, unescaped(&rest[..end.unwrap_or(rest.len())])))
}

/// Returns the byte offset of the quote that ends a string literal; `None` if this quote is
/// missing.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(at, letter)| {
        let ends = letter == quote && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        ends.then_some(at)
    })
}

/// Replaces the escape sequences of a string literal; `\r` is removed.
fn unescaped(literal: &str) -> String {
    let mut text = String::with_capacity(literal.len());
    let mut letters = literal.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') | None => {}
            Some(letter) => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_in_a_literal_is_found() {
        let line = r#"error 503 for http://x.example/: "HTTP/1.1 503 Oops\r\nserver: envoy\r\n\r\n{\"a\":1}" (1)"#;
        let (before, text) = response(line).unwrap();
        assert_eq!(before, "error 503 for http://x.example/: \"");
        assert_eq!(text, "HTTP/1.1 503 Oops\nserver: envoy\n\n{\"a\":1}");
        let bytes = r"got b'HTTP/1.1 502 Bad Gateway\r\n\r\n'";
        assert_eq!(response(bytes).unwrap().1, "HTTP/1.1 502 Bad Gateway\n\n");
        assert_eq!(response(r"HTTP/1.1 x\r\n"), None);
        assert_eq!(response("HTTP/1.1 503 Oops"), None);
    }
}
