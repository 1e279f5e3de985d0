//! Rewrites messages of the TOML deserializer for users who write configuration files.
//!
//! The deserializer's messages name Rust types. They also quote the value, which could be a secret
//! that was written in the wrong place.

/// Rewrites a message about a wrong type or value so that it contains neither the value nor a Rust
/// type. In any other message, replaces only the line breaks.
///
/// `remedy` returns what to write for the expected type. If it returns `None`, the message contains
/// a general example.
pub(super) fn without_values(message: &str, remedy: impl Fn(&str) -> Option<String>) -> String {
    let message = message.replace('\n', " ");
    let unexpected = ["invalid type: ", "invalid value: "];
    let Some(rest) = unexpected
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix))
    else {
        return message;
    };
    let Some((found, expected)) = rest.rsplit_once(", expected ") else {
        return "a value of the wrong type".to_owned();
    };
    let kind = found.split([' ', '`', '"']).next().unwrap_or("value");
    match remedy(expected) {
        Some(remedy) => format!("a value of the wrong type ({kind}); write {remedy}"),
        None => wrong_type(kind, expected),
    }
}

/// Returns the error message for a value of the type `found` where `expected` is required.
/// `expected` is serde's name of the required type. The message says how to write a value of that
/// type.
pub(super) fn wrong_type(found: &str, expected: &str) -> String {
    let remedy = match expected {
        "i64" => "a whole number, such as 5",
        "f64" => "a number, such as 1.5",
        "a string" => "text in quotes, such as \"text\"",
        "a boolean" => "true or false",
        "a sequence" => "a list, such as `[\"one\", \"two\"]`",
        "a map" => "a table, such as `{ key = \"value\" }`",
        other => other,
    };
    format!("a value of the wrong type ({found}); write {remedy}")
}

/// Joins the words into a list such as `a, b or c`.
pub(super) fn alternatives(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.collect();
    match words.pop() {
        Some(last) if !words.is_empty() => format!("{} or {last}", words.join(", ")),
        last => last.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(serde: &str, expected: &str) {
        assert_eq!(without_values(serde, |_| None), expected);
    }

    #[test]
    fn a_value_of_the_wrong_type_is_never_quoted() {
        check(
            "invalid type: string \"hunter2, expected i64\", expected a boolean",
            "a value of the wrong type (string); write true or false",
        );
        check(
            "invalid type: integer `1234`, expected a string",
            "a value of the wrong type (integer); write text in quotes, such as \"text\"",
        );
        check(
            "invalid value: integer `9223372036854775808`, expected i64",
            "a value of the wrong type (integer); write a whole number, such as 5",
        );
        check("invalid type: hunter2", "a value of the wrong type");
    }

    #[test]
    fn other_messages_are_kept_on_one_line() {
        check("a duration\nneeds a unit", "a duration needs a unit");
    }

    #[test]
    fn alternatives_are_separated_by_commas_and_or() {
        let list = |words: &[&str]| alternatives(words.iter().map(|word| (*word).to_owned()));
        assert_eq!(list(&[]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b"]), "a or b");
        assert_eq!(list(&["a", "b", "c"]), "a, b or c");
    }
}
