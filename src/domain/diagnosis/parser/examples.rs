//! Parses a rule's examples and counterexamples.
//!
//! Examples and counterexamples are the tests of a rule; `lint` runs them against all rules.

use toml::de::DeTable;

use super::Parser;
use crate::domain::diagnosis::condition::Condition;
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::rule::Counterexample;

/// The examples and counterexamples of one rule, each with its line.
#[derive(Default)]
pub(super) struct Examples {
    pub(super) examples: Vec<Facts>,
    pub(super) example_lines: Vec<usize>,
    pub(super) counterexamples: Vec<Counterexample>,
    pub(super) counterexample_lines: Vec<usize>,
}

impl Parser<'_> {
    /// Parses the examples and counterexamples of the rule that begins at the byte offset `at`.
    pub(super) fn examples(
        &mut self,
        at: usize,
        table: &DeTable<'_>,
        phase: Option<&Condition>,
    ) -> Examples {
        let mut read = Examples::default();
        for key in ["example", "counterexample"] {
            let Some(list) = table.get(key) else {
                self.problem(
                    at,
                    format!("the rule has no `[[rule.{key}]]` table; add at least one"),
                );
                continue;
            };
            for (at, entry) in self.tables(list, key) {
                self.example(key, at, entry, phase, &mut read);
            }
        }
        read
    }

    fn example(
        &mut self,
        key: &str,
        at: usize,
        entry: &DeTable<'_>,
        phase: Option<&Condition>,
        into: &mut Examples,
    ) {
        self.check_keys(entry, &["given", "because"]);
        let Some(given) = entry.get("given") else {
            self.problem(
                at,
                format!("`{key}` has no `given`; add `given` with the facts of a failure"),
            );
            return;
        };
        let given = self.given(given, phase);
        let because = entry
            .get("because")
            .and_then(|value| value.get_ref().as_str());
        match (key, because) {
            ("example", None) => {
                into.examples.push(given);
                into.example_lines.push(self.line(at));
            }
            ("counterexample", Some(because)) => {
                let because = because.to_owned();
                into.counterexamples.push(Counterexample { given, because });
                into.counterexample_lines.push(self.line(at));
            }
            ("example", Some(_)) => self.problem(
                at,
                "an example must not have `because`; remove `because`, or move the table to `[[rule.counterexample]]`"
                    .to_owned(),
            ),
            _ => self.problem(
                at,
                "a counterexample requires `because`; add the reason why the rule's cause is wrong"
                    .to_owned(),
            ),
        }
    }
}
