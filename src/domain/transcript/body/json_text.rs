//! Finds the end of a JSON value and changes the whitespace of JSON, without a parser.
//!
//! Tools print JSON indented, but `Content-Length` is the number of bytes that were sent. Most
//! servers send one of a few compact forms, so this length shows which form was sent.

/// The separators of each compact form: the one after a key, and the one between members.
const FORMS: [(&str, &str); 4] = [(":", ","), (": ", ", "), (": ", ","), (":", ", ")];

/// Returns the length in bytes of the JSON object or array at the start of a text. Returns `None`
/// if the text does not start with `{` or `[`, or if the end of the value is missing.
pub(in crate::domain::transcript) fn end_of_value(text: &str) -> Option<usize> {
    let mut depth = Depth::default();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    text.bytes()
        .position(|byte| depth.add(byte))
        .map(|at| at + 1)
}

/// Counts the open brackets in JSON text, except brackets in strings.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::domain::transcript) struct Depth {
    open: usize,
    in_string: bool,
    is_escaped: bool,
}

impl Depth {
    /// Records the end of a line, which also ends an unterminated string, because a JSON string
    /// does not continue on the next line.
    pub(in crate::domain::transcript) fn end_line(&mut self) {
        self.in_string = false;
        self.is_escaped = false;
    }

    /// Reads the next byte. Returns whether this byte closes the outermost bracket.
    pub(in crate::domain::transcript) fn add(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.open += 1,
            b'}' | b']' => {
                self.open = self.open.saturating_sub(1);
                return self.open == 0;
            }
            _ => {}
        }
        false
    }
}

/// Returns a JSON text in each of the compact forms of [`FORMS`].
pub(super) fn compact_forms(text: &str) -> impl Iterator<Item = String> {
    FORMS
        .iter()
        .map(|(colon, comma)| compact(text, colon, comma))
}

fn compact(text: &str, colon: &str, comma: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut is_escaped) = (false, false);
    for letter in text.chars() {
        if in_string {
            out.push(letter);
            in_string = is_escaped || letter != '"';
            is_escaped = !is_escaped && letter == '\\';
            continue;
        }
        match letter {
            ':' => out.push_str(colon),
            ',' => out.push_str(comma),
            letter if letter.is_ascii_whitespace() => {}
            letter => {
                in_string = letter == '"';
                out.push(letter);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_value_is_found() {
        for (text, expected) in [
            ("{}", Some(2)),
            ("{\"a\":\"}\\\"}\"} rest", Some(12)),
            ("[{\"a\":[1]}]\n", Some(11)),
            ("{\"a\":", None),
            ("x{}", None),
            ("", None),
        ] {
            assert_eq!(end_of_value(text), expected, "{text}");
        }
    }

    #[test]
    fn compact_forms_keep_strings() {
        let forms: Vec<String> =
            compact_forms("{\n  \"a : b,\": \"c \\\" : ,\",\n  \"d\": 1\n}").collect();
        assert_eq!(forms[0], "{\"a : b,\":\"c \\\" : ,\",\"d\":1}");
        assert_eq!(forms[1], "{\"a : b,\": \"c \\\" : ,\", \"d\": 1}");
    }
}
