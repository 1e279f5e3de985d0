//! Reports how to correct text that is not TOML.
//!
//! The parser's messages describe only the grammar. Therefore, this module inspects the invalid
//! line, which usually shows what was meant.

use std::path::Path;

use serde_json::Value as Json;

use super::habits;
use super::problem::Problem;

/// Maximum number of invalid lines reported for one file. The number is limited because one
/// mistake, such as a missing closing quote, can make all following lines invalid.
const MAX_LINES: usize = 20;

/// An error reported by the TOML parser.
#[derive(Clone, Debug)]
pub(super) struct SyntaxError {
    /// The line number, from 1. `None` if the parser reports no position.
    pub(super) line: Option<usize>,
    /// The parser's message.
    pub(super) message: String,
}

/// Converts parser errors to problems: at most one problem for each line, and at most [`MAX_LINES`]
/// problems.
pub(super) fn problems(path: &Path, text: &str, errors: &[SyntaxError]) -> Vec<Problem> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found: Vec<Problem> = Vec::new();
    for error in errors {
        if found.iter().any(|problem| problem.line == error.line) || found.len() >= MAX_LINES {
            continue;
        }
        let line = error.line.and_then(|line| lines.get(line.checked_sub(1)?));
        let hint = line.and_then(|line| hint(line.trim(), &error.message));
        let message = error.message.replace('\n', ", ");
        let message = match hint {
            Some(hint) => format!("not valid TOML: {hint}"),
            None => format!("not valid TOML: {message}"),
        };
        found.push(Problem {
            line: error.line,
            ..Problem::of_file(path, message)
        });
    }
    found
}

/// Returns an instruction to correct an invalid line, preceded by a description of the mistake, if
/// known. `message` is the parser's error. Returns `None` if the mistake is not recognized.
fn hint(line: &str, message: &str) -> Option<String> {
    if line.starts_with("//") || line.starts_with("/*") || line.starts_with(';') {
        return Some("a comment starts with `#`; begin the line with `#`".to_owned());
    }
    if line.starts_with('[') {
        return header(line, message);
    }
    let equals = line.find('=');
    let colon = line.find(':');
    let Some(equals) = equals.filter(|equals| colon.is_none_or(|colon| *equals < colon)) else {
        let Some((key, value)) = line.split_once(':') else {
            let (key, value) = line.split_once(char::is_whitespace)?;
            return Some(format!(
                "a key needs an `=` before its value; {}",
                assignment(key, value.trim())
            ));
        };
        let key = key.trim().trim_matches(['"', '\'', '-', ' ']);
        return Some(format!(
            "a key needs `=`, not `:`, before its value; {}",
            assignment(key, value.trim())
        ));
    };
    let key = line[..equals].trim();
    let value = line[equals + 1..].trim();
    if message.contains("duplicate key") {
        let key = key.rsplit('.').next().unwrap_or_default();
        return Some(format!(
            "the key {} appears twice; remove one",
            habits::quoted(key)
        ));
    }
    if value.starts_with(['=', '>']) {
        let value = value.trim_start_matches(['=', '>']).trim();
        return Some(format!(
            "a key needs exactly one `=`; {}",
            assignment(key, value)
        ));
    }
    value_hint(key, value, message)
}

fn header(line: &str, message: &str) -> Option<String> {
    let name = line.trim_matches(['[', ']', ' ']);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if message.contains("duplicate key") && !name.is_empty() && name.chars().all(plain) {
        return Some(match name {
            "target" | "maintenance" => format!(
                "the table [{name}] appears twice; write [[{name}]], with double brackets, for \
                 each table"
            ),
            name => format!("the table [{name}] appears twice; move all keys into one table"),
        });
    }
    if message.contains("unclosed") && !line.contains(']') && name.chars().all(plain) {
        let brackets = if line.starts_with("[[") {
            ("[[", "]]")
        } else {
            ("[", "]")
        };
        return Some(format!(
            "the closing bracket is missing; write {}{name}{}",
            brackets.0, brackets.1
        ));
    }
    let (table, label) = name.split_once([' ', '"'])?;
    let is_label = message.contains("unclosed") && label.contains('"');
    (is_label && table.chars().all(plain)).then(|| {
        format!("a table cannot have a label; write [[{table}]], and the label as `name = \"…\"`")
    })
}

fn value_hint(key: &str, value: &str, message: &str) -> Option<String> {
    let bare = value.split(" #").next().unwrap_or_default().trim();
    if bare.is_empty() {
        return Some(format!(
            "the key {} has no value; write a value or remove the key",
            habits::quoted(key)
        ));
    }
    if bare.starts_with(['“', '”', '‘', '’', '«', '„', '`']) {
        return Some(
            "text needs straight quotes; replace the quotation marks with `\"`".to_owned(),
        );
    }
    if bare.ends_with(';') || bare.ends_with(',') && !message.contains("comma") {
        let kept = bare.trim_end_matches([';', ',']);
        return Some(format!(
            "unexpected `;` or `,` after the value; {}",
            assignment(key, kept)
        ));
    }
    if message.contains("escape") {
        return Some(
            "a backslash in double quotes starts an escape sequence; write the text in single \
             quotes, such as `'\\d+'`"
                .to_owned(),
        );
    }
    if bare.starts_with('"') {
        return Some(
            if bare.len() > 1 && bare.ends_with('"') || bare.matches('"').count() > 2 {
                "a string in double quotes contains a double quote; write the text in single \
             quotes, such as `'{\"a\": 1}'`"
                    .to_owned()
            } else if bare.matches('"').count() == 1 {
                "a string has no closing quote; add `\"` at its end".to_owned()
            } else {
                return None;
            },
        );
    }
    if bare.starts_with('{') && bare.contains("\":") {
        return Some(
            "a table needs `=` between key and value; write `=` instead of `:`, as in \
             `{ \"key\" = \"value\" }`"
                .to_owned(),
        );
    }
    if bare.starts_with(['\'', '{']) {
        return None;
    }
    Some(assignment(key, bare))
}

/// Returns an instruction to write `key` with `value` in TOML. `value` is text from an invalid
/// line.
fn assignment(key: &str, value: &str) -> String {
    let name = key.rsplit('.').next().unwrap_or_default();
    let lower = value.to_ascii_lowercase();
    let plain = Json::from(value);
    let written = match lower.as_str() {
        "null" | "nil" | "none" | "~" | "undefined" => {
            return format!(
                "TOML has no {value:?}; remove the key {}",
                habits::quoted(name)
            );
        }
        "" => return format!("write `{key} = VALUE`, or [{name}] for a table"),
        _ if name == "status" => habits::statuses(&plain).unwrap_or_else(|| "[200]".to_owned()),
        "true" | "yes" | "on" => "true".to_owned(),
        "false" | "no" | "off" => "false".to_owned(),
        _ if lower.parse::<f64>().is_ok() => lower.clone(),
        _ if name == "url" || value.contains("://") || value.contains('@') => habits::url(&plain),
        _ if value.starts_with(['"', '\'']) && value.len() > 1 && !habits::is_secret_name(name) => {
            value.to_owned()
        }
        _ if habits::is_secret_name(name) || value.len() > 60 => "\"TEXT\"".to_owned(),
        _ if value.starts_with('[') && value.ends_with(']') => {
            let items = value.trim_matches(['[', ']']).split([',', ' ']);
            let items = items.map(|item| item.trim().trim_matches(['"', '\'']));
            let items: Vec<String> = items
                .filter(|item| !item.is_empty())
                .map(|item| {
                    if item.parse::<f64>().is_ok() {
                        item.to_owned()
                    } else {
                        habits::quoted(item)
                    }
                })
                .collect();
            format!("[{}]", items.join(", "))
        }
        _ => habits::quoted(value.trim_matches(['"', '\''])),
    };
    format!("write `{key} = {written}`")
}
