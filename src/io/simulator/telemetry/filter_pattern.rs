//! Parses and matches the filter patterns of CloudWatch Logs that a search by request id needs.
//!
//! Supports terms (`word`, `"some words"`, `?either ?"or"`, `-not`) and comparisons of one key of a
//! JSON line (`{ $.requestId = "…" }`, joined by `||`). Every other pattern is rejected, so that no
//! test relies on an unsupported pattern.

use serde_json::Value;

/// A parsed filter pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FilterPattern {
    /// Matches lines that contain all terms of `all`, at least one term of `any` (unless `any` is
    /// empty), and no term of `none`.
    Terms {
        all: Vec<String>,
        any: Vec<String>,
        none: Vec<String>,
    },
    /// Matches JSON lines in which at least one of these conditions holds. A condition is the path
    /// of a key, and the string that must be the value of the key.
    Keys(Vec<(Vec<String>, String)>),
}

impl FilterPattern {
    /// Parses a filter pattern. An empty pattern matches every line.
    ///
    /// # Errors
    /// Returns a message that states what is invalid or not supported.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(inner) = text.strip_prefix('{') {
            let inner = inner.strip_suffix('}');
            let inner = inner.ok_or("the JSON pattern does not end with `}`; add it")?;
            let keys: Result<Vec<_>, String> = inner.split("||").map(comparison).collect();
            return Ok(Self::Keys(keys?));
        }
        let (mut all, mut any, mut none) = (Vec::new(), Vec::new(), Vec::new());
        let mut rest = text;
        while !rest.is_empty() {
            let (into, term) = if let Some(term) = rest.strip_prefix('?') {
                (&mut any, term)
            } else if let Some(term) = rest.strip_prefix('-') {
                (&mut none, term)
            } else {
                (&mut all, rest)
            };
            let (word, after) = word(term)?;
            into.push(word.to_owned());
            rest = after.trim_start();
        }
        Ok(Self::Terms { all, any, none })
    }

    /// Returns whether a line matches the pattern.
    pub(super) fn matches(&self, line: &str) -> bool {
        match self {
            Self::Terms { all, any, none } => {
                let has = |term: &String| line.contains(term.as_str());
                all.iter().all(has)
                    && (any.is_empty() || any.iter().any(has))
                    && !none.iter().any(has)
            }
            Self::Keys(keys) => {
                let parsed: Result<Value, _> = serde_json::from_str(line);
                parsed.is_ok_and(|parsed| {
                    keys.iter()
                        .any(|(path, value)| has_value(&parsed, path, value))
                })
            }
        }
    }
}

/// Returns the first term of a pattern and the text after it. The term is quoted or ends at
/// whitespace.
fn word(text: &str) -> Result<(&str, &str), String> {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted
            .split_once('"')
            .ok_or_else(|| "a quoted term has no closing quote; add it".to_owned());
    }
    let plain = |c: char| c.is_alphanumeric() || c == '_';
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (term, after) = text.split_at(end);
    if term.is_empty() || !term.chars().all(plain) {
        return Err(format!(
            "the term {term:?} is not a word of letters, digits and underscores; put it in quotes"
        ));
    }
    Ok((term, after))
}

/// Parses a comparison `$.key = "value"` and returns the path of the key and the value.
fn comparison(text: &str) -> Result<(Vec<String>, String), String> {
    let unknown = || {
        format!(
            "only `$.key = \"value\"` without wildcards is supported, not {:?}",
            text.trim()
        )
    };
    let (key, value) = text.split_once('=').ok_or_else(unknown)?;
    let key = key.trim().strip_prefix("$.").ok_or_else(unknown)?;
    let value = value.trim();
    let quoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    let simple = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !key.chars().all(simple) || quoted.is_some_and(|v| v.contains(['"', '*'])) {
        return Err(unknown());
    }
    let path = key.split('.').map(str::to_owned).collect();
    Ok((path, quoted.ok_or_else(unknown)?.to_owned()))
}

fn has_value(line: &Value, path: &[String], value: &str) -> bool {
    let found = path.iter().try_fold(line, |inner, key| inner.get(key));
    found.and_then(Value::as_str) == Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"requestId":"K2Z-a_b=","status":"503","a":{"b":"c"}}"#;

    fn check(pattern: &str, expected: bool) {
        assert_eq!(
            FilterPattern::parse(pattern).unwrap().matches(LINE),
            expected,
            "{pattern}"
        );
    }

    #[test]
    fn terms_match_anywhere_in_the_line() {
        check("", true);
        check(r#""K2Z-a_b=""#, true);
        check(r#""K2Z-other=""#, false);
        check(r#"requestId "503""#, true);
        check(r#"requestId "504""#, false);
        check(r#"?"K2Z-other=" ?"K2Z-a_b=""#, true);
        check(r#"?"K2Z-other=" ?"neither""#, false);
        check("requestId -status", false);
    }

    #[test]
    fn a_json_value_is_compared_as_a_whole() {
        check(r#"{ $.requestId = "K2Z-a_b=" }"#, true);
        check(r#"{ $.requestId = "K2Z" }"#, false);
        check(
            r#"{ $.requestId = "other" || $.requestId = "K2Z-a_b=" }"#,
            true,
        );
        check(r#"{ $.a.b = "c" }"#, true);
        let plain = FilterPattern::parse(r#"{ $.a = "b" }"#).unwrap();
        assert!(!plain.matches("no JSON"));
    }

    #[test]
    fn an_unsupported_pattern_is_refused() {
        let unsupported = [
            "K2Z-a_b=",
            "\"open",
            "{ $.status = 503 }",
            "{ $.a = \"b*\" }",
            "{ $.a",
            "[a, b]",
            "%regex%",
        ];
        for pattern in unsupported {
            assert!(FilterPattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
