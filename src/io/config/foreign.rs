//! Recognizes files in another format, such as YAML or JSON, and says how to write them in TOML.
//!
//! Reports the smallest form of the file in TOML, then for each known key what to write, with its
//! line. Values that may be secrets are left out.

use std::path::Path;

use serde_json::Value as Json;

use super::habits::{self, Written};
use super::problem::Problem;
use super::schema;

/// Maximum number of keys that are reported. A long file is translated by its first keys.
const MAX_KEYS: usize = 60;

/// Maximum depth of nested values that are read.
const MAX_DEPTH: usize = 12;

/// Returns the problems of a file that is not TOML but in another known format; `None` if the format
/// is not known.
pub(super) fn problems(path: &Path, text: &str) -> Option<Vec<Problem>> {
    let (line, first) = first_line(text)?;
    let format = format_of(first)?;
    let tree = match format {
        "YAML" => serde_saphyr::from_str(text).ok(),
        "JSON" => serde_json::from_str(text).ok(),
        _ => None,
    };
    let tree: Json = tree.unwrap_or_default();
    let message = format!(
        "this is {format}, but the configuration is TOML; write\n{}",
        form(&tree)
    );
    let mut report = Report {
        path,
        lines: text.lines().collect(),
        next_line: line - 1,
        found: Vec::new(),
    };
    report.walk("", &tree, 0);
    let whole = Problem {
        line: Some(line),
        ..Problem::of_file(path, message)
    };
    Some(std::iter::once(whole).chain(report.found).collect())
}

/// The first line that is neither empty nor a comment, with its number.
fn first_line(text: &str) -> Option<(usize, &str)> {
    let lines = text.lines().enumerate();
    let mut lines = lines.map(|(index, line)| (index + 1, line.trim()));
    lines.find(|(_, line)| !line.is_empty() && !line.starts_with(['#', '%']))
}

fn format_of(line: &str) -> Option<&'static str> {
    if line.starts_with('{') || line == "[" || line.starts_with("[{") {
        return Some("JSON");
    }
    if line.starts_with('<') {
        return Some("XML");
    }
    if line.starts_with("---") || line.starts_with("- ") {
        return Some("YAML");
    }
    let end = line.find([':', '=', '{', '['])?;
    let (word, rest) = line.split_at(end);
    let is_word = !word.trim().is_empty() && !word.contains('.');
    if is_word && rest.starts_with(':') && (rest.len() == 1 || rest.starts_with(": ")) {
        return Some("YAML");
    }
    (is_word && rest.trim_end() == "{").then_some("HCL")
}

/// The smallest configuration, with the first name and URL of the file.
fn form(tree: &Json) -> String {
    let first = first_target(tree, 0);
    let text = |keys: &[&str]| {
        let found = keys.iter().find_map(|key| first?.get(*key)?.as_str());
        found.map(|text| Json::String(text.to_owned()))
    };
    let name = text(&["name", "id", "title"]).unwrap_or_else(|| "example".into());
    let url = text(&["url", "uri", "endpoint"]).unwrap_or_else(|| "https://example.com/".into());
    format!(
        "[[target]]\nname = {}\nurl = {}",
        habits::quoted(name.as_str().unwrap_or_default()),
        habits::url(&url)
    )
}

/// The first table that has a URL.
fn first_target(tree: &Json, depth: usize) -> Option<&Json> {
    if depth > MAX_DEPTH {
        return None;
    }
    match tree {
        Json::Object(entries) => {
            if ["url", "uri", "endpoint"]
                .iter()
                .any(|key| entries.get(*key).is_some_and(Json::is_string))
            {
                return Some(tree);
            }
            entries
                .values()
                .find_map(|value| first_target(value, depth + 1))
        }
        Json::Array(items) => items.iter().find_map(|item| first_target(item, depth + 1)),
        _ => None,
    }
}

struct Report<'a> {
    path: &'a Path,
    lines: Vec<&'a str>,
    /// Index of the line at which the search for the next key starts.
    next_line: usize,
    found: Vec<Problem>,
}

impl Report<'_> {
    /// Reports the keys of a value, which is a table of `section` or a list of such tables.
    fn walk(&mut self, section: &str, value: &Json, depth: usize) {
        match value {
            Json::Object(entries) => {
                for (key, value) in entries {
                    self.key(section, key, value, depth);
                }
            }
            Json::Array(items) => {
                for item in items {
                    self.walk(section, item, depth);
                }
            }
            _ => {}
        }
    }

    fn key(&mut self, section: &str, key: &str, value: &Json, depth: usize) {
        if depth > MAX_DEPTH || self.found.len() >= MAX_KEYS {
            return;
        }
        let line = self.line_of(key);
        let written = Written {
            section,
            key,
            value,
        };
        if schema::keys(section).is_some_and(|keys| keys.contains(&key)) {
            let inner = if section.is_empty() {
                key.to_owned()
            } else {
                format!("{section}.{key}")
            };
            if schema::keys(&inner).is_some() {
                self.walk(&inner, value, depth + 1);
            } else {
                self.report(line, key, &written.instruction_here());
            }
            return;
        }
        let inner = match section {
            "" if habits::names_targets(key) => "target",
            "" => "defaults",
            section => section,
        };
        match habits::remedy(written) {
            Some(remedy) => {
                let is_container = remedy.is_table || section.is_empty();
                self.report(line, key, &remedy.text);
                if is_container {
                    self.walk(inner, value, depth + 1);
                }
            }
            None => self.walk(inner, value, depth + 1),
        }
    }

    fn report(&mut self, line: Option<usize>, key: &str, message: &str) {
        self.found.push(Problem {
            line,
            key: key.to_owned(),
            ..Problem::of_file(self.path, message)
        });
    }

    /// The number of the next line with this key.
    fn line_of(&mut self, key: &str) -> Option<usize> {
        let has_key = |line: &str| {
            let mut found = line.match_indices(key);
            found.any(|(start, _)| {
                let before = line[..start].chars().next_back();
                let after = line[start + key.len()..].trim_start_matches(['"', '\'']);
                let is_start = before.is_none_or(|c| " \t-{,\"'".contains(c));
                is_start && after.trim_start().starts_with(':')
            })
        };
        let rest = self.lines.iter().skip(self.next_line);
        let index = self.next_line + rest.into_iter().position(|line| has_key(line))?;
        self.next_line = index;
        Some(index + 1)
    }
}
