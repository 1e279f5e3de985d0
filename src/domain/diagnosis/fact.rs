//! Facts: typed, named fields that a rule may ask about.
//!
//! Code computes them (`gather`), rules ask for them (`rule`); names and types come from
//! the one `catalogue`. This file refuses to compute anything.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::diagnosis::catalogue::{CATALOGUE, info};

/// A fact's value.
#[derive(Clone, Debug, PartialEq)]
pub enum FactValue {
    /// Words.
    Text(String),
    /// A number; seconds where it is a time.
    Number(f64),
}

/// The facts of one observation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    values: BTreeMap<String, FactValue>,
    /// One line for a person: the fault, or the gravest unmet expectation.
    pub error: Option<String>,
}

impl Facts {
    /// No facts but the defaults of the catalogue.
    #[must_use]
    pub fn defaults() -> Self {
        let mut facts = Self::default();
        for info in CATALOGUE {
            if let Some(default) = info.default {
                facts.set_text(info.name, default);
            }
        }
        facts
    }

    /// The value of a fact; `None`: unknown.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&FactValue> {
        self.values.get(name)
    }

    /// The value of a fact that is words; `None`: unknown, or a number.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name) {
            Some(FactValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A numeric fact, if it is known.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.values.get(name) {
            Some(FactValue::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// Every known fact, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &FactValue)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// Sets a fact.
    pub fn set(&mut self, name: &str, value: FactValue) {
        debug_assert!(info(name).is_some(), "`{name}` is not in the catalogue");
        self.values.insert(name.to_owned(), value);
    }

    /// Sets a fact that is words.
    pub fn set_text(&mut self, name: &str, text: &str) {
        self.set(name, FactValue::Text(text.to_owned()));
    }

    /// Sets a fact that is a number; what is not finite stays unknown.
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
            // To the millisecond's thousandth: finer digits are noise of the clock.
            Self::Number(number) => write!(f, "{}", (number * 1e6).round() / 1e6),
        }
    }
}
