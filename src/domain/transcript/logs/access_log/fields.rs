//! Reads the fields of lines in the format `name=value name="a value"`.

/// Returns the value of the field with this name, without quotes; `None` if the line lacks the
/// field, or if the value is empty or `-`.
pub(super) fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let mut places = line.match_indices(name);
    let rest = places.find_map(|(at, _)| {
        let is_start = line[..at]
            .chars()
            .next_back()
            .is_none_or(|before| before.is_whitespace() || "\"'`[,{".contains(before));
        line[at + name.len()..]
            .strip_prefix('=')
            .filter(|_| is_start)
    })?;
    let value = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split([' ', '\t', '`']).next()?,
    };
    Some(value).filter(|value| !value.is_empty() && *value != "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_names() {
        let line = "at=error code=H12 desc=\"Request timeout\" status=503 dyno= subcode=7";
        for (name, expected) in [
            ("at", Some("error")),
            ("code", Some("H12")),
            ("desc", Some("Request timeout")),
            ("status", Some("503")),
            ("dyno", None),
            ("host", None),
        ] {
            assert_eq!(value(line, name), expected, "{name}");
        }
    }
}
