//! Parses the conditions of rules and the facts of their examples.

use toml::de::{DeTable, DeValue};

use super::Parser;
use super::fields::{Value, number};
use crate::domain::diagnosis::catalog::{self, FactType};
use crate::domain::diagnosis::condition::{Condition, Test};
use crate::domain::diagnosis::fact::{FactValue, Facts};
use crate::domain::diagnosis::nearest::nearest;

impl Parser<'_> {
    /// Parses the facts of an example. `phase` is the `phase` at the top of the file, which is a
    /// fact of every example.
    pub(super) fn given(&mut self, given: &Value<'_>, phase: Option<&Condition>) -> Facts {
        let mut facts = Facts::defaults();
        let start = given.span().start;
        let phase = phase.cloned().map(|condition| (start, condition));
        let positioned = self.positioned_conditions(given, "given");
        for (at, condition) in phase.into_iter().chain(positioned) {
            match condition.test {
                Test::OneOf(values) if values.len() == 1 => {
                    for value in values {
                        facts.set(&condition.fact, value);
                    }
                }
                _ => self.problem(
                    at,
                    format!(
                        "`{}` in `given` must be a single value, not a list, pattern, range, or `present`",
                        condition.fact
                    ),
                ),
            }
        }
        facts
    }

    /// Parses a table of conditions; `what` is the table's key in messages.
    pub(super) fn conditions(&mut self, value: &Value<'_>, what: &str) -> Vec<Condition> {
        let positioned = self.positioned_conditions(value, what).into_iter();
        positioned.map(|(_, condition)| condition).collect()
    }

    /// Parses a table of conditions; returns each condition with its byte offset in the file.
    fn positioned_conditions(&mut self, value: &Value<'_>, what: &str) -> Vec<(usize, Condition)> {
        let Some(table) = value.get_ref().as_table() else {
            self.problem(
                value.span().start,
                format!("`{what}` must be a table of facts, such as `{{ status = 503 }}`"),
            );
            return Vec::new();
        };
        let mut conditions = Vec::new();
        self.collect_conditions("", table, &mut conditions);
        conditions
    }

    /// Adds the conditions of a table to `into`. The name of a fact may be written as
    /// `header.server`, as `"header.server"`, or as nested tables.
    fn collect_conditions(
        &mut self,
        prefix: &str,
        table: &DeTable<'_>,
        into: &mut Vec<(usize, Condition)>,
    ) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) if !is_test(inner) => {
                    self.collect_conditions(&format!("{name}."), inner, into);
                }
                _ => {
                    let condition = self.condition(&name, value);
                    into.extend(condition.map(|condition| (value.span().start, condition)));
                }
            }
        }
    }

    /// Parses one condition, and reports its problems. Returns `None` if the fact is unknown or no
    /// test can be created from the value. Invalid items of a list are left out.
    pub(super) fn condition(&mut self, name: &str, value: &Value<'_>) -> Option<Condition> {
        let at = value.span().start;
        let Some(info) = catalog::info(name) else {
            self.problem(at, unknown_fact(name));
            return None;
        };
        let test = match value.get_ref() {
            DeValue::Table(table) => self.test(at, name, info.kind, table)?,
            DeValue::Array(items) if items.is_empty() => {
                self.problem(
                    at,
                    format!("`{name}` has an empty list; add at least one value"),
                );
                return None;
            }
            DeValue::Array(items) => Test::OneOf(
                items
                    .iter()
                    .filter_map(|item| self.item(name, info.kind, item))
                    .collect(),
            ),
            DeValue::String(glob) if is_glob(info.kind, glob) => Test::Glob(glob.to_string()),
            _ => Test::OneOf(vec![self.value(name, info.kind, value)?]),
        };
        Some(Condition {
            fact: name.to_owned(),
            test,
        })
    }

    /// Parses one value of a list. A list takes no glob patterns: they would be compared as text
    /// and never match.
    fn item(&mut self, name: &str, kind: FactType, item: &Value<'_>) -> Option<FactValue> {
        if let DeValue::String(glob) = item.get_ref()
            && is_glob(kind, glob)
        {
            let message = format!(
                "`{glob}` is a glob pattern in the list of `{name}`, and a list takes exact values \
                 only; write a rule for each pattern, as `{name} = \"{glob}\"`"
            );
            self.problem(item.span().start, message);
            return None;
        }
        self.value(name, kind, item)
    }

    fn test(&mut self, at: usize, name: &str, kind: FactType, table: &DeTable<'_>) -> Option<Test> {
        if table.contains_key("present") {
            self.check_keys(table, &["present"]);
            return self.boolean(table, "present").map(Test::Present);
        }
        self.check_keys(table, &["at_least", "below"]);
        if !matches!(kind, FactType::Number | FactType::Scalar) {
            self.problem(
                at,
                format!(
                    "`{name}` is text; a range requires a numeric fact; use text in quotes instead"
                ),
            );
            return None;
        }
        let (at_least, below) = (self.bound(table, "at_least"), self.bound(table, "below"));
        if let (Some(low), Some(high)) = (at_least, below)
            && low >= high
        {
            let message = format!(
                "the range of `{name}` is empty: {low} is not less than {high}; lower `at_least` or raise `below`"
            );
            self.problem(at, message);
        }
        Some(Test::Range { at_least, below })
    }

    fn bound(&mut self, table: &DeTable<'_>, key: &str) -> Option<f64> {
        let value = table.get(key)?;
        let bound = number(value.get_ref());
        if bound.is_none() {
            self.problem(value.span().start, format!("`{key}` must be a number"));
        }
        bound
    }

    fn value(&mut self, name: &str, kind: FactType, value: &Value<'_>) -> Option<FactValue> {
        let at = value.span().start;
        match (kind, value.get_ref()) {
            (FactType::Number, value) => {
                let number = number(value);
                if number.is_none() {
                    self.problem(at, format!("`{name}` must be a number"));
                }
                number.map(FactValue::Number)
            }
            (FactType::Text | FactType::Scalar, DeValue::String(text)) => {
                Some(FactValue::Text(text.to_string()))
            }
            (FactType::Scalar, DeValue::Boolean(truth)) => Some(FactValue::Text(truth.to_string())),
            (FactType::Scalar, value) => {
                let number = number(value);
                if number.is_none() {
                    self.problem(
                        at,
                        format!("`{name}` must be text in quotes, a number, `true`, or `false`"),
                    );
                }
                number.map(FactValue::Number)
            }
            (FactType::Word(words), DeValue::String(text)) => {
                if !words.contains(&text.as_ref()) {
                    self.problem(
                        at,
                        format!(
                            "invalid value `{text}` for `{name}`; use one of {}",
                            words.join(", ")
                        ),
                    );
                    return None;
                }
                Some(FactValue::Text(text.to_string()))
            }
            (FactType::Text | FactType::Word(_), _) => {
                self.problem(at, format!("`{name}` must be text in quotes"));
                None
            }
        }
    }
}

fn unknown_fact(name: &str) -> String {
    let names = catalog::CATALOG.iter().map(|info| info.name);
    let guess =
        nearest(name, names).map_or_else(String::new, |name| format!(" did you mean `{name}`?"));
    format!("unknown fact `{name}`;{guess} `probecause explain --facts` lists all facts")
}

fn is_test(table: &DeTable<'_>) -> bool {
    table
        .keys()
        .any(|key| ["at_least", "below", "present"].contains(&key.get_ref().as_ref()))
}

/// Whether a text is a glob pattern for a fact of this type.
fn is_glob(kind: FactType, text: &str) -> bool {
    matches!(kind, FactType::Text | FactType::Scalar) && text.contains('*')
}
