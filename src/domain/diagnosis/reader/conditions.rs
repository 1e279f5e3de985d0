//! The part of the parser that reads facts and what they must be.

use toml::de::{DeTable, DeValue};

use super::Reader;
use super::fields::{Value, number};
use crate::domain::diagnosis::catalogue::{self, FactType};
use crate::domain::diagnosis::condition::{Condition, Test};
use crate::domain::diagnosis::fact::{FactValue, Facts};
use crate::domain::diagnosis::nearest::nearest;

impl Reader<'_> {
    pub(super) fn given(&mut self, given: &Value<'_>, phase: Option<&Condition>) -> Facts {
        let mut facts = Facts::defaults();
        let start = given.span().start;
        let phase = phase.cloned().map(|condition| (start, condition));
        let placed = self.placed(given, "given");
        for (at, condition) in phase.into_iter().chain(placed) {
            match condition.test {
                Test::OneOf(values) if values.len() == 1 => {
                    for value in values {
                        facts.set(&condition.fact, value);
                    }
                }
                _ => self.problem(
                    at,
                    format!("`{}` is given one value, not a test", condition.fact),
                ),
            }
        }
        facts
    }

    pub(super) fn conditions(&mut self, value: &Value<'_>, what: &str) -> Vec<Condition> {
        let placed = self.placed(value, what).into_iter();
        placed.map(|(_, condition)| condition).collect()
    }

    /// Conditions, each with its place.
    fn placed(&mut self, value: &Value<'_>, what: &str) -> Vec<(usize, Condition)> {
        let Some(table) = value.get_ref().as_table() else {
            self.problem(value.span().start, format!("`{what}` is a table of facts"));
            return Vec::new();
        };
        let mut conditions = Vec::new();
        self.walk("", table, &mut conditions);
        conditions
    }

    /// Facts may be written `header.server`, `"header.server"` or as tables.
    fn walk(&mut self, prefix: &str, table: &DeTable<'_>, into: &mut Vec<(usize, Condition)>) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) if !is_test(inner) => {
                    self.walk(&format!("{name}."), inner, into);
                }
                _ => {
                    let condition = self.condition(&name, value);
                    into.extend(condition.map(|condition| (value.span().start, condition)));
                }
            }
        }
    }

    pub(super) fn condition(&mut self, name: &str, value: &Value<'_>) -> Option<Condition> {
        let at = value.span().start;
        let Some(info) = catalogue::info(name) else {
            self.problem(at, unknown_fact(name));
            return None;
        };
        let test = match value.get_ref() {
            DeValue::Table(table) => self.test(at, name, info.kind, table)?,
            DeValue::Array(items) if items.is_empty() => {
                self.problem(at, format!("`{name}` is one of nothing: list its values"));
                return None;
            }
            DeValue::Array(items) => Test::OneOf(
                items
                    .iter()
                    .filter_map(|item| self.value(name, info.kind, item))
                    .collect(),
            ),
            DeValue::String(glob) if info.kind == FactType::Text && glob.contains('*') => {
                Test::Glob(glob.to_string())
            }
            _ => Test::OneOf(vec![self.value(name, info.kind, value)?]),
        };
        Some(Condition {
            fact: name.to_owned(),
            test,
        })
    }

    fn test(&mut self, at: usize, name: &str, kind: FactType, table: &DeTable<'_>) -> Option<Test> {
        if table.contains_key("present") {
            self.only(table, &["present"]);
            return self.truth(table, "present").map(Test::Present);
        }
        self.only(table, &["at_least", "below"]);
        if kind != FactType::Number {
            self.problem(at, format!("`{name}` is words: a range needs a number"));
            return None;
        }
        let (at_least, below) = (self.bound(table, "at_least"), self.bound(table, "below"));
        if let (Some(low), Some(high)) = (at_least, below)
            && low >= high
        {
            let message = format!("`{name}` is never at least {low} and below {high}: swap them");
            self.problem(at, message);
        }
        Some(Test::Range { at_least, below })
    }

    fn bound(&mut self, table: &DeTable<'_>, key: &str) -> Option<f64> {
        let value = table.get(key)?;
        let bound = number(value.get_ref());
        if bound.is_none() {
            self.problem(value.span().start, format!("`{key}` is a number"));
        }
        bound
    }

    fn value(&mut self, name: &str, kind: FactType, value: &Value<'_>) -> Option<FactValue> {
        let at = value.span().start;
        match (kind, value.get_ref()) {
            (FactType::Number, value) => {
                let number = number(value);
                if number.is_none() {
                    self.problem(at, format!("`{name}` is a number"));
                }
                number.map(FactValue::Number)
            }
            (FactType::Text, DeValue::String(text)) => Some(FactValue::Text(text.to_string())),
            (FactType::Word(words), DeValue::String(text)) => {
                if !words.contains(&text.as_ref()) {
                    self.problem(
                        at,
                        format!(
                            "`{name}` is never `{text}`: it is one of {}",
                            words.join(", ")
                        ),
                    );
                    return None;
                }
                Some(FactValue::Text(text.to_string()))
            }
            (FactType::Text | FactType::Word(_), _) => {
                self.problem(at, format!("`{name}` is text: put it in quotes"));
                None
            }
        }
    }
}

fn unknown_fact(name: &str) -> String {
    let names = catalogue::CATALOGUE.iter().map(|info| info.name);
    let guess =
        nearest(name, names).map_or_else(String::new, |name| format!("did you mean `{name}`? "));
    format!("there is no fact `{name}`: {guess}`probecause explain --facts` lists them")
}

fn is_test(table: &DeTable<'_>) -> bool {
    table
        .keys()
        .any(|key| ["at_least", "below", "present"].contains(&key.get_ref().as_ref()))
}
