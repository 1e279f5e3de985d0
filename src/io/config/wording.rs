//! Serde's messages in the words of a configuration.
//!
//! A parser's message quotes what it found, which could be a secret in the wrong place, and
//! speaks of Rust's types, which mean nothing to who writes TOML.

/// Serde quotes the value it did not like (`invalid type: string "hunter2", expected …`)
/// and speaks of Rust's types; this keeps neither.
pub(super) fn without_values(message: &str) -> String {
    let message = message.replace('\n', " ");
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let (found, known) = rest.split_once(", expected ").unwrap_or((rest, "none"));
        let known = known.trim_start_matches("one of ");
        return format!("unknown key {found}; remove it or write one of {known}");
    }
    let Some(rest) = message.strip_prefix("invalid type: ") else {
        return message;
    };
    let Some((found, wanted)) = rest.rsplit_once(", expected ") else {
        return "a value of the wrong type".to_owned();
    };
    let kind = found.split([' ', '`', '"']).next().unwrap_or("value");
    let mend = match wanted {
        "i64" => "a whole number, such as 5",
        "f64" => "a number, such as 1.5",
        "a string" => "text in quotes, such as \"text\"",
        "a boolean" => "true or false",
        "a sequence" => "a list, such as [\"one\", \"two\"]",
        "a map" => "a table, such as { key = \"value\" }",
        structure if structure.starts_with("struct ") => "a table, such as { key = \"value\" }",
        other => other,
    };
    format!("a value of the wrong type ({kind}); write {mend}")
}

#[cfg(test)]
mod tests {
    use super::without_values;

    fn check(serde: &str, ours: &str) {
        assert_eq!(without_values(serde), ours);
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
        check("invalid type: hunter2", "a value of the wrong type");
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_known_ones() {
        check(
            "unknown field `a`, expected one of `b`, `c`",
            "unknown key `a`; remove it or write one of `b`, `c`",
        );
        check(
            "unknown field `a`, expected `b`",
            "unknown key `a`; remove it or write one of `b`",
        );
    }

    #[test]
    fn other_messages_pass_on_one_line() {
        check("a duration is\na text", "a duration is a text");
    }
}
