//! Reads lists of status codes in the syntax of other tools.

use serde_json::Value as Json;

/// The largest status code that `expect.status` accepts.
const MAX: u16 = 599;

/// Formats the value of `status`. Returns an example if [`statuses`] cannot convert the value.
pub(super) fn list(value: &Json) -> String {
    statuses(value).unwrap_or_else(|| "[200]".to_owned())
}

/// Converts a number, a text, or a list of numbers and texts to a TOML list. A text can contain
/// status codes, classes, ranges and comparisons. Returns `None` if the value is empty or if a part
/// cannot be converted.
pub(in crate::io::config) fn statuses(value: &Json) -> Option<String> {
    let mut found = Vec::new();
    collect(value, &mut found)?;
    (!found.is_empty()).then(|| format!("[{}]", found.join(", ")))
}

fn collect(value: &Json, found: &mut Vec<String>) -> Option<()> {
    match value {
        Json::Number(number) => found.push(code(&number.to_string())?.to_string()),
        Json::String(text) => {
            let text = text.trim().trim_matches(['[', ']', '(', ')']);
            for part in text
                .split([',', '|', ';'])
                .filter(|part| !part.trim().is_empty())
            {
                found.extend(part_of(part.trim())?);
            }
        }
        Json::Array(items) => {
            for item in items {
                collect(item, found)?;
            }
        }
        _ => return None,
    }
    Some(())
}

/// Converts one part of a text, such as `200`, `2XX`, `200..299`, `200 OK`, `< 400`, `!= 500` or
/// several codes separated by spaces, to the items of a TOML list. Returns `None` for any other
/// text.
fn part_of(text: &str) -> Option<Vec<String>> {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if let Some(class) = class(&compact) {
        return Some(vec![format!("\"{class}xx\"")]);
    }
    if let Some(ranges) = comparison(&compact) {
        return Some(ranges);
    }
    for separator in ["..=", "...", "..", "–", ":", "-"] {
        if let Some((from, to)) = compact.split_once(separator) {
            let (from, to) = (code(from)?, code(to)?);
            return (from <= to).then(|| vec![range(from, to)]);
        }
    }
    let codes: Option<Vec<_>> = text.split_whitespace().map(code).collect();
    if let Some(codes) = codes.filter(|codes| !codes.is_empty()) {
        return Some(codes.iter().map(u16::to_string).collect());
    }
    // The text may be a code with its reason phrase, such as `200 OK`.
    let (first, phrase) = text.split_once(' ')?;
    let is_phrase = phrase
        .chars()
        .all(|c| c.is_ascii_alphabetic() || c == ' ' || c == '-');
    Some(vec![code(first).filter(|_| is_phrase)?.to_string()])
}

/// Returns the first digit of a status class, written in a form such as `2xx`, `2XX`, `2**`, `2..`,
/// `2\d\d` or `2[0-9]{2}`. Returns `None` for any other text.
fn class(text: &str) -> Option<char> {
    let text = text.trim_start_matches('^').trim_end_matches('$');
    let first = text.chars().next().filter(|c| ('1'..='5').contains(c))?;
    let rest = text.get(1..)?.to_ascii_lowercase();
    let forms = [
        "xx",
        "**",
        "..",
        "\\d\\d",
        "\\d{2}",
        "[0-9][0-9]",
        "[0-9]{2}",
        "__",
        "nn",
        "*",
        ".*",
    ];
    forms.contains(&rest.as_str()).then_some(first)
}

/// Returns the status ranges that satisfy a comparison, such as `< 400` or `!= 500`. Returns `None`
/// if the text is not a comparison.
fn comparison(text: &str) -> Option<Vec<String>> {
    let operators = ["==", "!=", "<=", ">=", "<", ">", "=", "!", "not"];
    let operator = operators
        .iter()
        .find(|operator| text.starts_with(**operator))?;
    let rest = &text[operator.len()..];
    let (from, to) = match (code(rest), class(rest).and_then(|class| class.to_digit(10))) {
        (Some(code), _) => (code, code),
        (None, Some(class)) => (class as u16 * 100, class as u16 * 100 + 99),
        (None, None) => return None,
    };
    let ranges = match *operator {
        "==" | "=" => vec![(from, to)],
        "<" => vec![(100, from - 1)],
        "<=" => vec![(100, to)],
        ">" => vec![(to + 1, MAX)],
        ">=" => vec![(from, MAX)],
        _ => vec![(100, from - 1), (to + 1, MAX)],
    };
    let valid = ranges.into_iter().filter(|(from, to)| from <= to);
    Some(valid.map(|(from, to)| range(from, to)).collect())
}

fn range(from: u16, to: u16) -> String {
    if from == to {
        from.to_string()
    } else if from.is_multiple_of(100) && to == from + 99 {
        format!("\"{}xx\"", from / 100)
    } else {
        format!("\"{from}-{to}\"")
    }
}

fn code(text: &str) -> Option<u16> {
    let number = text.trim().parse().ok();
    number.filter(|code| (100..=MAX).contains(code))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_forms_of_other_tools_become_a_list() {
        for (written, expected) in [
            (json!(200), Some("[200]")),
            (json!("200"), Some("[200]")),
            (json!("200, 201"), Some("[200, 201]")),
            (json!("200 201"), Some("[200, 201]")),
            (json!("200|301"), Some("[200, 301]")),
            (json!(["200", 201]), Some("[200, 201]")),
            (json!("2XX"), Some("[\"2xx\"]")),
            (json!("2\\d\\d"), Some("[\"2xx\"]")),
            (json!("^2..$"), Some("[\"2xx\"]")),
            (json!("200-299"), Some("[\"2xx\"]")),
            (json!("200..204"), Some("[\"200-204\"]")),
            (json!("200 OK"), Some("[200]")),
            (json!("< 400"), Some("[\"100-399\"]")),
            (json!(">=500"), Some("[\"5xx\"]")),
            (json!("!= 500"), Some("[\"100-499\", \"501-599\"]")),
            (json!("!5xx"), Some("[\"100-499\"]")),
            (json!("!404"), Some("[\"100-403\", \"405-599\"]")),
            (json!(["2xx", "3xx"]), Some("[\"2xx\", \"3xx\"]")),
            (json!("ok"), None),
            (json!(true), None),
            (json!(42), None),
            (json!("6xx"), None),
            (json!("204-200"), None),
            (json!(""), None),
            (json!([]), None),
        ] {
            assert_eq!(statuses(&written).as_deref(), expected, "{written}");
        }
    }
}
