//! The parser of rule files.
//!
//! Rules are data that people other than us write, so the parser refuses whatever it does
//! not know (a key, a fact, a word of a fact) with the line and the mend, and reports all
//! problems of a file at once. It walks the document by hand, since only that keeps the
//! place of every key. It reads no files.

mod conditions;
mod examples;
mod fields;

use toml::de::DeTable;

use crate::domain::diagnosis::condition::Condition;
use crate::domain::diagnosis::rule::{Factor, Origin, Rule, RuleProblem};
use crate::model::cause::{Certainty, Owner};

/// Reads the rules of one file.
///
/// # Errors
/// Every problem of the file; a syntax error stands alone.
pub fn parse(file: &str, text: &str) -> Result<Vec<Rule>, Vec<RuleProblem>> {
    Reader::read(file, text)
}

/// Reads one file, gathering its problems.
struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    problems: Vec<RuleProblem>,
}

const RULE_KEYS: &[&str] = &[
    "id",
    "cause",
    "title",
    "owner",
    "certainty",
    "weight",
    "fallback",
    "next",
    "see",
    "when",
    "weigh",
    "example",
    "counterexample",
];

impl<'a> Reader<'a> {
    /// Reads every rule, or every problem.
    fn read(file: &'a str, text: &'a str) -> Result<Vec<Rule>, Vec<RuleProblem>> {
        let mut reader = Self {
            file,
            text,
            problems: Vec::new(),
        };
        let rules = match DeTable::parse(text) {
            Ok(document) => reader.document(document.get_ref()),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                let message = error.message().replace('\n', ", ");
                reader.problem(at, format!("not valid TOML: {message}"));
                Vec::new()
            }
        };
        if reader.problems.is_empty() {
            Ok(rules)
        } else {
            reader.problems.sort_by_key(|problem| problem.line);
            Err(reader.problems)
        }
    }

    fn problem(&mut self, at: usize, message: String) {
        self.problems.push(RuleProblem {
            file: self.file.to_owned(),
            line: self.line(at),
            message,
        });
    }

    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().iter().take(at);
        before.filter(|byte| **byte == b'\n').count() + 1
    }

    fn document(&mut self, document: &DeTable<'_>) -> Vec<Rule> {
        self.only(document, &["rule", "phase"]);
        // A file's `phase` saves repeating it: it is a condition of each of its rules and
        // given in each of their examples.
        let phase = document
            .get("phase")
            .and_then(|value| self.condition("phase", value));
        let Some(rules) = document.get("rule") else {
            self.problem(0, "no rule here: add a [[rule]]".to_owned());
            return Vec::new();
        };
        self.tables(rules, "rule")
            .into_iter()
            .filter_map(|(at, table)| self.rule(at, table, phase.as_ref()))
            .collect()
    }

    fn rule(&mut self, at: usize, table: &DeTable<'_>, phase: Option<&Condition>) -> Option<Rule> {
        self.only(table, RULE_KEYS);
        let id = self.cause(at, table, "id");
        let cause = match table.get("cause") {
            Some(_) => self.cause(at, table, "cause"),
            None => id.clone(),
        };
        let title = self.title(at, table);
        let owner = self.word(
            at,
            table,
            "owner",
            Owner::parse,
            "service, platform, network, client or prober",
        );
        let certainty = match table.get("certainty") {
            Some(_) => self.word(
                at,
                table,
                "certainty",
                Certainty::parse,
                "possible, likely, corroborated or proven",
            ),
            None => Some(Certainty::Likely),
        };
        let weight = self.positive(table, "weight").unwrap_or(1.0);
        let fallback = self.truth(table, "fallback").unwrap_or(false);
        let next = self.next(at, table);
        let see = self.see(at, table);
        let when = self.when(at, table, phase);
        let weigh = self.weigh(table);
        let read = self.examples(at, table, phase);
        Some(Rule {
            id: id?,
            cause: cause?,
            title: title?,
            owner: owner?,
            certainty: certainty?,
            weight,
            fallback,
            next,
            see: see?,
            when,
            weigh,
            examples: read.examples,
            counterexamples: read.counterexamples,
            origin: Origin {
                file: self.file.into(),
                line: self.line(at),
                embedded: false,
                examples: read.example_lines,
                counterexamples: read.counterexample_lines,
            },
        })
    }

    fn when(
        &mut self,
        at: usize,
        table: &DeTable<'_>,
        phase: Option<&Condition>,
    ) -> Vec<Condition> {
        let mut conditions: Vec<Condition> = phase.cloned().into_iter().collect();
        match table.get("when") {
            Some(when) => conditions.extend(self.conditions(when, "when")),
            None => self.problem(
                at,
                "`when` is missing: say which facts this rule needs".to_owned(),
            ),
        }
        conditions
    }

    fn weigh(&mut self, table: &DeTable<'_>) -> Vec<Factor> {
        let Some(weigh) = table.get("weigh") else {
            return Vec::new();
        };
        let mut factors = Vec::new();
        for (at, entry) in self.tables(weigh, "weigh") {
            self.only(entry, &["when", "factor"]);
            let (when, factor) = (entry.get("when"), self.positive(entry, "factor"));
            if let (Some(when), Some(factor)) = (when, factor) {
                let when = self.conditions(when, "when");
                factors.push(Factor { when, factor });
            } else {
                self.problem(at, "`weigh` needs `when` and `factor`".to_owned());
            }
        }
        factors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"phase = "expect"
[[rule]]
id = "alb-no-target"
title = "The load balancer has no target"
owner = "service"
next = ["Look."]
see = "https://example.org/"
[rule.when]
status = 503
header.server = "awselb/*"
"phase.processing" = { below = 2 }
[[rule.example]]
given = { status = 503, header.server = "awselb/2.0" }
[[rule.counterexample]]
given = { status = 503, header.server = "nginx" }
because = "The service itself answered"
"#;

    fn check(from: &str, to: &str, expected: &[&str]) {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "nothing was replaced");
        let problems: Vec<String> = parse("r.toml", &text)
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(problems, expected);
    }

    #[test]
    fn a_rule_reads_as_written() {
        let rules = parse("r.toml", GOOD).unwrap();
        let mut told: Vec<String> = rules[0].when.iter().map(ToString::to_string).collect();
        told.sort();
        assert_eq!(
            told,
            [
                "header.server looks like awselb/*",
                "phase is expect",
                "phase.processing is below 2",
                "status is 503",
            ]
        );
        assert_eq!(rules[0].examples[0].text("phase"), Some("expect"));
    }

    #[test]
    fn a_fact_that_does_not_exist_is_refused_with_its_line() {
        check(
            "status = 503\n",
            "colour = 503\n",
            &["r.toml:9: there is no fact `colour`: `probecause explain --facts` lists them"],
        );
    }

    #[test]
    fn a_word_that_a_fact_never_is_is_refused() {
        check(
            "status = 503\n",
            "invoked = \"maybe\"\n",
            &["r.toml:9: `invoked` is never `maybe`: it is one of yes, no, unclear"],
        );
        check(
            "status = 503\n",
            "status = \"503\"\n",
            &["r.toml:9: `status` is a number"],
        );
        check(
            "status = 503\n",
            "fault = { below = 2 }\n",
            &["r.toml:9: `fault` is words: a range needs a number"],
        );
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let text = GOOD.replacen("owner = \"service\"", "owner = \"me\"\nweight = 0", 1);
        let problems = parse("r.toml", &text).unwrap_err();
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "r.toml:5: `owner` is never `me`: it is service, platform, network, client or prober",
                "r.toml:6: `weight` is a number above 0",
            ]
        );
    }

    #[test]
    fn missing_parts_unknown_keys_and_bad_titles_are_refused() {
        check(
            "owner",
            "colour = 1\nowner",
            &[
                "r.toml:5: unknown key `colour`: it is one of id, cause, title, owner, certainty, weight, fallback, next, see, when, weigh, example, counterexample",
            ],
        );
        check(
            "target\"\nowner",
            "target.\"\nowner",
            &["r.toml:4: `title` ends with a full stop: drop it"],
        );
        check(
            "because = \"The service itself answered\"\n",
            "",
            &["r.toml:14: a counterexample, and no other, says `because`"],
        );
    }
}
