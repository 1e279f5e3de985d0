//! Single fields of a rule: texts, words of a closed set, numbers, lists of tables.
//!
//! Each reads one key and reports what is wrong with it at its place.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Reader;
use crate::model::cause::CauseId;

/// A value with its place.
pub(in crate::domain::diagnosis::reader) type Value<'i> = Spanned<DeValue<'i>>;

/// The widest title: it must fit a terminal and an alarm's description.
const MAX_TITLE: usize = 80;

impl Reader<'_> {
    pub(super) fn cause(&mut self, at: usize, table: &DeTable<'_>, key: &str) -> Option<CauseId> {
        let text = self.required(at, table, key)?;
        let at = place(table, key, at);
        match CauseId::new(&text) {
            // It is what is left when no rule fits.
            Ok(id) if id == CauseId::unexplained() => {
                self.problem(
                    at,
                    format!("`{id}` means that no rule fits: take another id"),
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

    pub(super) fn title(&mut self, at: usize, table: &DeTable<'_>) -> Option<String> {
        let title = self.required(at, table, "title")?;
        let at = place(table, "title", at);
        if title.chars().count() > MAX_TITLE {
            self.problem(
                at,
                format!("`title` is longer than {MAX_TITLE} columns: shorten it"),
            );
        }
        if title.ends_with('.') {
            self.problem(at, "`title` ends with a full stop: drop it".to_owned());
        }
        Some(title)
    }

    /// The page a rule rests on.
    pub(super) fn see(&mut self, at: usize, table: &DeTable<'_>) -> Option<String> {
        let see = self.required(at, table, "see")?;
        if !see.starts_with("https://") {
            let at = place(table, "see", at);
            self.problem(at, "`see` names an https page".to_owned());
        }
        Some(see)
    }

    /// What to do: at least one sentence.
    pub(super) fn next(&mut self, at: usize, table: &DeTable<'_>) -> Vec<String> {
        const MEND: &str = "a list of sentences that say what to do";
        let Some(value) = table.get("next") else {
            self.problem(at, format!("`next` is missing: {MEND}"));
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
            self.problem(at, format!("`next` is {MEND}, each in quotes"));
        }
        steps
    }

    /// A key that is true or false.
    pub(super) fn truth(&mut self, table: &DeTable<'_>, key: &str) -> Option<bool> {
        let value = table.get(key)?;
        let found = value.get_ref().as_bool();
        if found.is_none() {
            self.problem(value.span().start, format!("`{key}` is true or false"));
        }
        found
    }

    pub(super) fn required(&mut self, at: usize, table: &DeTable<'_>, key: &str) -> Option<String> {
        let Some(value) = table.get(key) else {
            self.problem(at, format!("`{key}` is missing: a rule needs this text"));
            return None;
        };
        let text = value.get_ref().as_str();
        if text.is_none_or(|text| text.trim().is_empty()) {
            let at = value.span().start;
            self.problem(at, format!("`{key}` is a text that is not empty"));
            return None;
        }
        text.map(str::to_owned)
    }

    pub(super) fn word<T>(
        &mut self,
        at: usize,
        table: &DeTable<'_>,
        key: &str,
        parse: fn(&str) -> Option<T>,
        words: &str,
    ) -> Option<T> {
        let text = self.required(at, table, key)?;
        let at = place(table, key, at);
        let word = parse(&text);
        if word.is_none() {
            self.problem(at, format!("`{key}` is never `{text}`: it is {words}"));
        }
        word
    }

    pub(super) fn positive(&mut self, table: &DeTable<'_>, key: &str) -> Option<f64> {
        let value = table.get(key)?;
        let found = number(value.get_ref()).filter(|number| *number > 0.0);
        if found.is_none() {
            self.problem(value.span().start, format!("`{key}` is a number above 0"));
        }
        found
    }

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
            let message = format!("`{what}` is a list of tables: write [[…{what}]]");
            self.problem(value.span().start, message);
        }
        tables
    }

    pub(super) fn only(&mut self, table: &DeTable<'_>, known: &[&str]) {
        for key in table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                let message = format!(
                    "unknown key `{}`: it is one of {}",
                    key.get_ref(),
                    known.join(", ")
                );
                self.problem(key.span().start, message);
            }
        }
    }
}

/// Where a key's value stands; the table's own place without it.
fn place(table: &DeTable<'_>, key: &str, at: usize) -> usize {
    table.get(key).map_or(at, |value| value.span().start)
}

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
