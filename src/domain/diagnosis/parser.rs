//! Parses rule files.
//!
//! Users write rules too, so the parser rejects every unknown key, fact, and value. It reports all
//! problems of a file at once, each with its line and a correction. The parser walks the TOML
//! tables itself, to keep the position of every key. The caller reads the files, and `lint` runs
//! the examples.

mod causes;
mod conditions;
mod examples;
mod fields;

use toml::de::DeTable;

use crate::domain::diagnosis::cause::CauseDefinition;
use crate::domain::diagnosis::condition::Condition;
use crate::domain::diagnosis::rule::{Factor, Origin, Rule, RuleProblem};
use crate::model::cause::{Certainty, Hop, Owner};

/// The content of one rule file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedFile {
    /// The rules, in the order of the file.
    pub rules: Vec<Rule>,
    /// The `[[cause]]` tables, in the order of the file.
    pub causes: Vec<CauseDefinition>,
}

/// Parses one rule file; `file` is the name of the file in messages.
///
/// # Errors
/// Returns every problem of the file, or only the syntax error if the file is not valid TOML.
pub fn parse(file: &str, text: &str) -> Result<ParsedFile, Vec<RuleProblem>> {
    Parser::parse(file, text)
}

/// The parser of one file, with the problems found so far.
struct Parser<'a> {
    file: &'a str,
    /// The byte offsets of the line ends.
    line_ends: Vec<usize>,
    problems: Vec<RuleProblem>,
}

/// The keys that a rule may have.
const RULE_KEYS: &[&str] = &[
    "id",
    "cause",
    "title",
    "owner",
    "hop",
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

impl<'a> Parser<'a> {
    /// Parses the file; returns its content, or all its problems in the order of lines.
    fn parse(file: &'a str, text: &'a str) -> Result<ParsedFile, Vec<RuleProblem>> {
        let mut parser = Self {
            file,
            line_ends: text.match_indices('\n').map(|(at, _)| at).collect(),
            problems: Vec::new(),
        };
        let parsed = match DeTable::parse(text) {
            Ok(document) => parser.document(document.get_ref()),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                let message = error.message().replace('\n', ", ");
                parser.problem(at, format!("not valid TOML: {message}"));
                ParsedFile::default()
            }
        };
        if parser.problems.is_empty() {
            Ok(parsed)
        } else {
            parser.problems.sort_by_key(|problem| problem.line);
            Err(parser.problems)
        }
    }

    fn problem(&mut self, at: usize, message: String) {
        let problem = RuleProblem::new(self.file, self.line(at), message);
        self.problems.push(problem);
    }

    fn line(&self, at: usize) -> usize {
        self.line_ends.partition_point(|end| *end < at) + 1
    }

    fn document(&mut self, document: &DeTable<'_>) -> ParsedFile {
        self.check_keys(document, &["rule", "cause", "phase"]);
        // A `phase` at the top of the file is a condition of every rule and a fact of every example
        // in the file.
        let phase = document
            .get("phase")
            .and_then(|value| self.condition("phase", value));
        let (rules, causes) = (document.get("rule"), document.get("cause"));
        if rules.is_none() && causes.is_none() {
            self.problem(
                0,
                "the file has no `[[rule]]` and no `[[cause]]` table; add at least one table"
                    .to_owned(),
            );
        }
        let mut parsed = ParsedFile::default();
        if let Some(rules) = rules {
            for (at, table) in self.tables(rules, "rule") {
                parsed.rules.extend(self.rule(at, table, phase.as_ref()));
            }
        }
        if let Some(causes) = causes {
            for (at, table) in self.tables(causes, "cause") {
                parsed.causes.extend(self.cause_definition(at, table));
            }
        }
        parsed
    }

    fn rule(&mut self, at: usize, table: &DeTable<'_>, phase: Option<&Condition>) -> Option<Rule> {
        self.check_keys(table, RULE_KEYS);
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
            "service, platform, network, client, prober, or unknown",
        );
        let hop = self.hop(at, table);
        let certainty = match table.get("certainty") {
            Some(_) => self.word(
                at,
                table,
                "certainty",
                Certainty::parse,
                "possible, likely, corroborated, or proven",
            ),
            None => Some(Certainty::Likely),
        };
        let weight = self.positive(table, "weight").unwrap_or(1.0);
        let fallback = self.boolean(table, "fallback").unwrap_or(false);
        let next = self.next(at, table);
        let see = self.see(at, table);
        let when = self.when(at, table, phase);
        let weigh = self.weigh(table);
        let tests = self.examples(at, table, phase);
        Some(Rule {
            id: id?,
            cause: cause?,
            title: title?,
            owner: owner?,
            hop,
            certainty: certainty?,
            weight,
            fallback,
            next,
            see: see?,
            when,
            weigh,
            examples: tests.examples,
            counterexamples: tests.counterexamples,
            origin: Origin {
                file: self.file.into(),
                line: self.line(at),
                embedded: false,
                examples: tests.example_lines,
                counterexamples: tests.counterexample_lines,
            },
        })
    }

    fn hop(&mut self, at: usize, table: &DeTable<'_>) -> Option<Hop> {
        table.get("hop")?;
        self.word(
            at,
            table,
            "hop",
            Hop::parse,
            "client, edge, gateway, upstream, function, or application",
        )
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
                "`when` is missing; add the facts that the rule requires".to_owned(),
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
            self.check_keys(entry, &["when", "factor"]);
            let (when, factor) = (entry.get("when"), self.positive(entry, "factor"));
            if let (Some(when), Some(factor)) = (when, factor) {
                let when = self.conditions(when, "when");
                factors.push(Factor { when, factor });
            } else {
                self.problem(
                    at,
                    "an entry of `weigh` requires `when` and a `factor` greater than 0; add the missing key or correct `factor`"
                        .to_owned(),
                );
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
because = "The service itself responded"
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
    fn a_valid_rule_is_parsed() {
        let rules = parse("r.toml", GOOD).unwrap().rules;
        let mut conditions: Vec<String> = rules[0].when.iter().map(ToString::to_string).collect();
        conditions.sort();
        assert_eq!(
            conditions,
            [
                "header.server matches awselb/*",
                "phase is expect",
                "phase.processing is below 2",
                "status is 503",
            ]
        );
        assert_eq!(rules[0].examples[0].text("phase"), Some("expect"));
    }

    #[test]
    fn an_unknown_fact_is_rejected_with_its_line() {
        check(
            "status = 503\n",
            "color = 503\n",
            &["r.toml:9: unknown fact `color`; `probecause explain --facts` lists all facts"],
        );
    }

    #[test]
    fn a_value_that_a_fact_cannot_have_is_rejected() {
        check(
            "status = 503\n",
            "invoked = \"maybe\"\n",
            &["r.toml:9: invalid value `maybe` for `invoked`; use one of yes, no, unclear"],
        );
        check(
            "status = 503\n",
            "status = \"503\"\n",
            &["r.toml:9: `status` must be a number"],
        );
        check(
            "status = 503\n",
            "fault = { below = 2 }\n",
            &[
                "r.toml:9: `fault` is text; a range requires a numeric fact; use text in quotes instead",
            ],
        );
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let text = GOOD.replacen(
            "owner = \"service\"",
            "owner = \"me\"\nweight = 0\nhop = \"router\"",
            1,
        );
        let problems = parse("r.toml", &text).unwrap_err();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "r.toml:5: invalid value `me` for `owner`; use service, platform, network, client, prober, or unknown",
                "r.toml:6: `weight` must be a number greater than 0",
                "r.toml:7: invalid value `router` for `hop`; use client, edge, gateway, upstream, function, or application",
            ]
        );
    }

    #[test]
    fn missing_parts_unknown_keys_and_invalid_titles_are_rejected() {
        check(
            "owner",
            "color = 1\nowner",
            &[
                "r.toml:5: unknown key `color`; use one of id, cause, title, owner, hop, certainty, weight, fallback, next, see, when, weigh, example, counterexample",
            ],
        );
        check(
            "target\"\nowner",
            "target.\"\nowner",
            &["r.toml:4: `title` ends with a period; remove the period"],
        );
        check(
            "because = \"The service itself responded\"\n",
            "",
            &[
                "r.toml:14: a counterexample requires `because`; add the reason why the rule's cause is wrong",
            ],
        );
    }
}
