//! Stores facts: typed, named values that a rule may test.
//!
//! `gather` computes the facts, and the conditions of a `rule` test them. `catalog` defines the
//! names and types of the facts.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::diagnosis::catalog::{CATALOG, info};

/// The value of a fact.
#[derive(Clone, Debug, PartialEq)]
pub enum FactValue {
    /// A text value.
    Text(String),
    /// A numeric value; the catalog states its unit, if any.
    Number(f64),
}

/// The facts of one observation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    values: BTreeMap<String, FactValue>,
    /// The error in one line of text: the fault, or the unmet expectations, most severe first.
    /// `None` if the probe passed.
    pub error: Option<String>,
}

impl Facts {
    /// Creates a set of facts that contains only the default values of the catalog.
    #[must_use]
    pub fn defaults() -> Self {
        let mut facts = Self::default();
        for info in CATALOG {
            if let Some(default) = info.default {
                facts.set_text(info.name, default);
            }
        }
        facts
    }

    /// Returns the value of a fact; `None` if the fact is unknown.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&FactValue> {
        self.values.get(name)
    }

    /// Returns the value of a text fact; `None` if the fact is unknown or a number.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name) {
            Some(FactValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns the value of a numeric fact; `None` if the fact is unknown or text.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.values.get(name) {
            Some(FactValue::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// Returns the name and value of every known fact, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &FactValue)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// Sets the value of a fact, whose name must be in the catalog.
    pub fn set(&mut self, name: &str, value: FactValue) {
        debug_assert!(info(name).is_some(), "fact `{name}` is not in the catalog");
        self.values.insert(name.to_owned(), value);
    }

    /// Sets the value of a text fact.
    pub fn set_text(&mut self, name: &str, text: &str) {
        self.set(name, FactValue::Text(text.to_owned()));
    }

    /// Sets the value of a numeric fact; a number that is not finite is ignored.
    pub fn set_number(&mut self, name: &str, number: f64) {
        if number.is_finite() {
            self.set(name, FactValue::Number(number));
        }
    }
}

impl fmt::Display for FactValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            // Rounds to six decimal places: for a time in seconds, further digits are noise.
            Self::Number(number) => write!(f, "{}", (number * 1e6).round() / 1e6),
        }
    }
}
