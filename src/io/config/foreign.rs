//! Recognizes configuration files in another format, such as YAML or JSON, and reports how to write
//! them in TOML.
//!
//! The first problem shows a minimal configuration in TOML. Each further problem names a key with
//! its line and says what to write instead. Unrecognized keys are not reported. Values that may be
//! secrets are left out.

use std::path::Path;

use serde_json::Value as Json;

use super::habits::{self, Written};
use super::problem::Problem;
use super::schema;

/// Maximum number of keys reported for one file. In a long file, the first keys are enough to show
/// how to write the rest.
const MAX_KEYS: usize = 60;

/// Maximum nesting depth at which keys and targets are searched. Deeper values are ignored.
const MAX_DEPTH: usize = 12;

/// Returns the problems of a file in a known format other than TOML, or `None` for any other file.
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
        "this is {format}, but the configuration must be TOML; write targets in this form:\n{}",
        form(&tree)
    );
    let mut report = Report {
        path,
        lines: text.lines().collect(),
        after: (line - 1, 0),
        found: Vec::new(),
    };
    report.walk("", &tree, 0);
    let whole = Problem {
        line: Some(line),
        ..Problem::of_file(path, message)
    };
    Some(std::iter::once(whole).chain(report.found).collect())
}

/// Returns the first line that is not empty, not a comment and not a YAML directive, with its line
/// number (from 1). Returns `None` if there is no such line.
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

/// Formats a minimal TOML configuration with the name and URL of the first target in `tree`. If
/// there is no target, the first list of URLs is used, or else example values.
fn form(tree: &Json) -> String {
    let first = first_target(tree, 0);
    if first.is_none()
        && let Some(list) = first_list(tree, 0)
    {
        return format!("[[target]]\nurls = {}", habits::urls(list));
    }
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

/// Returns the first non-empty list of strings at a key that names endpoints: `targets` (scrape
/// configuration of Prometheus), `urls` (Heartbeat) or `hosts`.
fn first_list(tree: &Json, depth: usize) -> Option<&Json> {
    if depth > MAX_DEPTH {
        return None;
    }
    let is_list = |value: &&Json| {
        let items = value.as_array().filter(|items| !items.is_empty());
        items.is_some_and(|items| items.iter().all(Json::is_string))
    };
    match tree {
        Json::Object(entries) => ["targets", "urls", "hosts"]
            .iter()
            .find_map(|key| entries.get(*key).filter(is_list))
            .or_else(|| {
                let mut values = entries.values();
                values.find_map(|value| first_list(value, depth + 1))
            }),
        Json::Array(items) => items.iter().find_map(|item| first_list(item, depth + 1)),
        _ => None,
    }
}

/// Returns the first table in `tree` that has a string as the value of `url`, `uri` or `endpoint`.
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
    /// The position at which the search for the next key starts: the index of a line, and a byte
    /// offset in this line.
    after: (usize, usize),
    found: Vec<Problem>,
}

impl Report<'_> {
    /// Reports the keys in `value`, which is a table or a list of tables. `section` is the path of
    /// the corresponding TOML table.
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
                self.report(key, &written.instruction_here());
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
                self.report(key, &remedy.text);
                if is_container {
                    self.walk(inner, value, depth + 1);
                }
            }
            None => self.walk(inner, value, depth + 1),
        }
    }

    fn report(&mut self, key: &str, message: &str) {
        let line = self.line_of(key);
        self.found.push(Problem {
            line,
            key: key.to_owned(),
            ..Problem::of_file(self.path, message)
        });
    }

    /// Returns the number (from 1) of the next line that contains `key`, or `None` if there is no
    /// such line. The search starts after the last key found, because keys are reported in the
    /// order of the file.
    fn line_of(&mut self, key: &str) -> Option<usize> {
        let (first, mut start) = self.after;
        for (index, line) in self.lines.iter().enumerate().skip(first) {
            if let Some(end) = end_of_key(line, start, key) {
                self.after = (index, end);
                return Some(index + 1);
            }
            start = 0;
        }
        None
    }
}

/// Returns the byte position after `key` in `line`, or `None` if `line` does not contain `key` as a
/// whole word followed by a colon. The search starts at byte `start`.
fn end_of_key(line: &str, start: usize, key: &str) -> Option<usize> {
    let mut found = line.get(start..)?.match_indices(key);
    found.find_map(|(place, _)| {
        let place = start + place;
        let end = place + key.len();
        let before = line[..place].chars().next_back();
        let after = line[end..].trim_start_matches(['"', '\'']).trim_start();
        let is_key = before.is_none_or(|c| " \t-{,\"'".contains(c)) && after.starts_with(':');
        is_key.then_some(end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(Option<usize>, &str)]) {
        let problems = problems(Path::new("c.yml"), text).unwrap();
        let found: Vec<(Option<usize>, &str)> = problems
            .iter()
            .skip(1)
            .map(|problem| (problem.line, problem.key.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn keys_are_reported_with_their_lines() {
        check(
            "# comment\n- url: https://a.example/\n- url: https://b.example/\n",
            &[(Some(2), "url"), (Some(3), "url")],
        );
        check(
            "target:\n  - { name: a, url: https://a.example/ }\n  - { name: b, interval: 30 }\n",
            &[
                (Some(2), "name"),
                (Some(2), "url"),
                (Some(3), "name"),
                (Some(3), "interval"),
            ],
        );
        check(
            r#"{"a": {"method": "GET"}, "ignoreTls": true}"#,
            &[(Some(1), "method"), (Some(1), "ignoreTls")],
        );
    }

    #[test]
    fn a_list_of_endpoints_is_kept() {
        let scrape = "scrape_configs:\n  - job_name: blackbox\n    static_configs:\n      \
             - targets: [\"10.1.2.3:8443\", \"https://b.example/x\"]\n";
        let problems = problems(Path::new("c.yml"), scrape).unwrap();
        let urls = "urls = [\"https://10.1.2.3:8443/\", \"https://b.example/x\"]";
        let expected = format!("write targets in this form:\n[[target]]\n{urls}");
        assert!(problems[0].message.ends_with(&expected), "{problems:?}");
        let key = problems.iter().find(|problem| problem.key == "targets");
        let key = key.expect("a problem at the list");
        assert_eq!(key.line, Some(4));
        assert_eq!(key.message, format!("write `{urls}`"));
    }

    #[test]
    fn a_large_file_is_reported_by_its_first_keys() {
        let text = format!("x:\n{}", "  - name: a\n    other: b\n".repeat(2_000));
        let found = problems(Path::new("c.yml"), &text).unwrap();
        assert_eq!(found.len(), 1 + MAX_KEYS);
        let line = format!("{{\"x\": [{}1]}}", "{\"other\": 1}, ".repeat(2_000));
        assert_eq!(problems(Path::new("c.json"), &line).unwrap().len(), 1);
    }

    #[test]
    fn toml_is_not_taken_for_another_format() {
        for text in [
            "",
            "# only: a comment",
            "a = \"b: c\"",
            "[defaults]\nx: 1",
            "a.b = { c = 1 }",
            "url = https://a",
        ] {
            assert_eq!(problems(Path::new("c.toml"), text), None, "{text}");
        }
    }
}
