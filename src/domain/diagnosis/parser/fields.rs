//! Parses single keys of rules and causes: text, enumerated values, numbers, booleans, and lists.
//!
//! Each function parses one key. If the value is invalid, the function reports a problem at the
//! line of the value.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Parser;
use crate::model::cause::CauseId;

/// A TOML value with its position in the file.
pub(in crate::domain::diagnosis::parser) type Value<'i> = Spanned<DeValue<'i>>;

/// Maximum length of a title in characters, so that the title fits on a terminal line.
const MAX_TITLE: usize = 80;

impl Parser<'_> {
    /// Parses a cause id, the value of `id` or `cause`.
    pub(super) fn cause(&mut self, at: usize, table: &DeTable<'_>, key: &str) -> Option<CauseId> {
        let text = self.required(at, table, key)?;
        let at = position(table, key, at);
        match CauseId::new(&text) {
            Ok(id) if id == CauseId::unexplained() => {
                self.problem(
                    at,
                    format!("`{id}` is reserved for failures that no rule matches; use another id"),
                );
                None
            }
            Ok(id) => Some(id),
            Err(error) => {
                self.problem(at, error.to_string());
                None
            }
        }
    }

    /// Parses the title: one sentence without a period at the end, at most [`MAX_TITLE`]
    /// characters.
    pub(super) fn title(&mut self, at: usize, table: &DeTable<'_>) -> Option<String> {
        let title = self.required(at, table, "title")?;
        let at = position(table, "title", at);
        if title.chars().count() > MAX_TITLE {
            self.problem(
                at,
                format!("`title` is longer than {MAX_TITLE} characters; shorten it"),
            );
        }
        if title.ends_with('.') {
            self.problem(
                at,
                "`title` ends with a period; remove the period".to_owned(),
            );
        }
        Some(title)
    }

    /// Parses `see`, the URL of the page on which the description of the cause is based.
    pub(super) fn see(&mut self, at: usize, table: &DeTable<'_>) -> Option<String> {
        let see = self.required(at, table, "see")?;
        if !see.starts_with("https://") {
            let at = position(table, "see", at);
            self.problem(
                at,
                "`see` must be a URL that starts with `https://`".to_owned(),
            );
        }
        Some(see)
    }

    /// Parses the list of next steps, which requires at least one sentence.
    pub(super) fn next(&mut self, at: usize, table: &DeTable<'_>) -> Vec<String> {
        const EXPECTED: &str = "a list of sentences in quotes that say what to do";
        let Some(value) = table.get("next") else {
            self.problem(at, format!("`next` is missing; add {EXPECTED}"));
            return Vec::new();
        };
        let at = value.span().start;
        let items = value.get_ref().as_array();
        let steps: Option<Vec<String>> = items
            .into_iter()
            .flatten()
            .map(|item| item.get_ref().as_str().map(str::to_owned))
            .collect();
        let steps = steps.unwrap_or_default();
        if steps.is_empty() || steps.iter().any(|step| step.trim().is_empty()) {
            self.problem(at, format!("`next` must be {EXPECTED}"));
        }
        steps
    }

    /// Parses an optional key with a boolean value.
    pub(super) fn boolean(&mut self, table: &DeTable<'_>, key: &str) -> Option<bool> {
        let value = table.get(key)?;
        let found = value.get_ref().as_bool();
        if found.is_none() {
            self.problem(
                value.span().start,
                format!("`{key}` must be `true` or `false`"),
            );
        }
        found
    }

    /// Parses a required key with a text value that is not empty.
    pub(super) fn required(&mut self, at: usize, table: &DeTable<'_>, key: &str) -> Option<String> {
        let Some(value) = table.get(key) else {
            self.problem(at, format!("`{key}` is missing; add it as text in quotes"));
            return None;
        };
        let text = value.get_ref().as_str();
        if text.is_none_or(|text| text.trim().is_empty()) {
            let at = value.span().start;
            self.problem(at, format!("`{key}` must be text in quotes and not empty"));
            return None;
        }
        text.map(str::to_owned)
    }

    /// Parses a required key with an enumerated value; `words` lists the valid values for the error
    /// message.
    pub(super) fn word<T>(
        &mut self,
        at: usize,
        table: &DeTable<'_>,
        key: &str,
        parse: fn(&str) -> Option<T>,
        words: &str,
    ) -> Option<T> {
        let text = self.required(at, table, key)?;
        let at = position(table, key, at);
        let word = parse(&text);
        if word.is_none() {
            self.problem(
                at,
                format!("invalid value `{text}` for `{key}`; use {words}"),
            );
        }
        word
    }

    /// Parses an optional key with a number greater than 0.
    pub(super) fn positive(&mut self, table: &DeTable<'_>, key: &str) -> Option<f64> {
        let value = table.get(key)?;
        let found = number(value.get_ref()).filter(|number| *number > 0.0);
        if found.is_none() {
            self.problem(
                value.span().start,
                format!("`{key}` must be a number greater than 0"),
            );
        }
        found
    }

    /// Parses a list of tables; returns each table with its byte offset in the file. `what` is the
    /// list's key in messages.
    pub(super) fn tables<'v, 'i>(
        &mut self,
        value: &'v Value<'i>,
        what: &str,
    ) -> Vec<(usize, &'v DeTable<'i>)> {
        let items = value.get_ref().as_array();
        let tables: Option<Vec<_>> = items
            .into_iter()
            .flatten()
            .map(|item| Some((item.span().start, item.get_ref().as_table()?)))
            .collect();
        let tables = tables.unwrap_or_default();
        if tables.is_empty() {
            let message = format!(
                "`{what}` must be an array of at least one table; write its header in double brackets, such as `[[rule]]` or `[[rule.example]]`"
            );
            self.problem(value.span().start, message);
        }
        tables
    }

    /// Reports every key of a table that is not in `known`.
    pub(super) fn check_keys(&mut self, table: &DeTable<'_>, known: &[&str]) {
        for key in table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                let message = format!(
                    "unknown key `{}`; use one of {}",
                    key.get_ref(),
                    known.join(", ")
                );
                self.problem(key.span().start, message);
            }
        }
    }
}

/// Returns the byte offset of a key's value in the file, or `at` if the key is missing.
pub(super) fn position(table: &DeTable<'_>, key: &str, at: usize) -> usize {
    table.get(key).map_or(at, |value| value.span().start)
}

/// Returns a TOML value as a number; `None` if the value is not a finite number.
pub(super) fn number(value: &DeValue<'_>) -> Option<f64> {
    let text = match value {
        DeValue::Integer(number) => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => return None,
    };
    text.replace('_', "")
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
}
