//! Holds all rules and diagnoses the facts of a probe with them.
//!
//! This module loads the built-in and the custom rules. `parser` parses the rule files, `causes`
//! describes the causes that the rules name, and `ranking` ranks the matching rules. A failure that
//! no rule matches is diagnosed as `unexplained`. The same facts always give the same diagnosis.

mod causes;

use std::sync::Arc;

use self::causes::find_duplicate_cause;
use crate::domain::diagnosis::cause::CauseDefinition;
use crate::domain::diagnosis::embedded;
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::parser;
use crate::domain::diagnosis::ranking::{evidence, known, rank, verdict};
use crate::domain::diagnosis::rule::{Rule, RuleProblem};
use crate::domain::diagnosis::{Candidate, Diagnosis, Outcome, Verdict};
use crate::model::cause::{CauseId, Certainty, Owner};
use crate::model::settings::RuleFile;

/// All rules: the custom rules, followed by the built-in rules.
#[derive(Clone, Debug)]
pub struct Rulebook {
    rules: Vec<Rule>,
    /// The `[[cause]]` tables, at most one per cause.
    definitions: Vec<CauseDefinition>,
}

/// An error that contains every problem found in the rule files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct RulebookError(pub Vec<RuleProblem>);

/// The title of the verdict `unexplained`.
const UNEXPLAINED_TITLE: &str = "No rule explains this failure";

/// The next steps of the verdict `unexplained`.
const UNEXPLAINED_NEXT: &[&str] = &[
    "Read the evidence: it lists what was seen from outside, such as the status and the response time.",
    "Search the logs of the service and of its gateway for the id or the time of the failed request.",
    "If you find the cause, write a rule for it: `probecause explain --facts` lists the facts that the rule may test.",
];

/// The names of the facts that are the evidence of the verdict `unexplained`, which has no rule
/// that tests facts.
const UNEXPLAINED_FACTS: &[&str] = &[
    "phase",
    "fault",
    "unmet",
    "status",
    "front_door",
    "answer_time",
];

/// The names of the facts that the evidence of every result lists, even if the probe passed.
const NOTICES: &[&str] = &["dead_addresses", "replaced_connections", "changed.what"];

impl Rulebook {
    /// Loads the rules that are built into the program.
    ///
    /// # Errors
    /// Returns an error only if a built-in file is invalid; a test checks that all are valid.
    pub fn embedded() -> Result<Self, RulebookError> {
        Self::with(&[])
    }

    /// Loads the custom rules, followed by the built-in ones, so that custom rules win ties. A
    /// custom rule replaces a built-in rule with the same id, and a custom `[[cause]]` replaces the
    /// built-in one for the same cause.
    ///
    /// # Errors
    /// Returns every problem of the files with custom rules. A `[[cause]]` whose cause no rule
    /// names is reported only if there is no other problem.
    pub fn with(custom: &[RuleFile]) -> Result<Self, RulebookError> {
        let files = custom
            .iter()
            .map(|file| (file.name.as_str(), file.text.as_str()));
        let mut book = Self::from_files(files)?;
        let mut built_in = Self::from_files(embedded::FILES.iter().copied())?;
        built_in
            .rules
            .retain(|rule| !book.rules.iter().any(|custom| custom.id == rule.id));
        for rule in &mut built_in.rules {
            rule.origin.embedded = true;
        }
        book.rules.append(&mut built_in.rules);
        let unknown = book.unknown_causes();
        if !unknown.is_empty() {
            return Err(RulebookError(unknown));
        }
        built_in
            .definitions
            .retain(|definition| book.definition(&definition.id).is_none());
        book.definitions.append(&mut built_in.definitions);
        Ok(book)
    }

    /// Parses the rules of several files, given as pairs of name and text. Rules of an earlier
    /// file win ties.
    ///
    /// # Errors
    /// Returns every problem of every file, every duplicate id, and every cause that two
    /// `[[cause]]` tables describe.
    pub(super) fn from_files<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, RulebookError> {
        let mut rules: Vec<Rule> = Vec::new();
        let mut definitions: Vec<CauseDefinition> = Vec::new();
        let mut problems = Vec::new();
        for (file, text) in files {
            match parser::parse(file, text) {
                Ok(parsed) => {
                    for rule in parsed.rules {
                        problems.extend(find_duplicate(&rules, &rule));
                        rules.push(rule);
                    }
                    for definition in parsed.causes {
                        problems.extend(find_duplicate_cause(&definitions, &definition));
                        definitions.push(definition);
                    }
                }
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() {
            Ok(Self { rules, definitions })
        } else {
            Err(RulebookError(problems))
        }
    }

    /// Returns all rules, in the order in which they win ties.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// Returns the rule with the highest weight among the rules that match the facts. Fallback
    /// rules are considered only if no ordinary rule matches. `None` if no rule matches.
    #[must_use]
    pub fn heaviest_match(&self, facts: &Facts) -> Option<&Rule> {
        rank(&self.rules, facts)
            .first()
            .map(|matching| matching.rule)
    }

    /// Diagnoses the facts of a probe.
    #[must_use]
    pub fn diagnose(&self, facts: &Facts) -> Diagnosis {
        let outcome = match facts.text("phase") {
            None => {
                return Diagnosis {
                    evidence: known(NOTICES, facts),
                    ..Diagnosis::passed()
                };
            }
            Some("degraded") => Outcome::Degraded,
            Some(_) => Outcome::Failed,
        };
        let ranked = rank(&self.rules, facts);
        let (verdict, mut evidence) = match ranked.first() {
            Some(first) => (verdict(first, &ranked, facts), evidence(&ranked, facts)),
            None => (unexplained(), known(UNEXPLAINED_FACTS, facts)),
        };
        for notice in known(NOTICES, facts) {
            if !evidence.contains(&notice) {
                evidence.push(notice);
            }
        }
        Diagnosis {
            outcome,
            verdict: Some(Arc::new(verdict)),
            evidence,
            error: facts.error.clone(),
        }
    }
}

/// Returns a problem if an earlier rule has the same id as `rule`; `None` otherwise.
fn find_duplicate(rules: &[Rule], rule: &Rule) -> Option<RuleProblem> {
    let first = rules.iter().find(|other| other.id == rule.id)?;
    let message = format!(
        "duplicate rule id `{}`, first used at {}; use another id (several rules may name the same `cause`)",
        rule.id, first.origin
    );
    let origin = &rule.origin;
    Some(RuleProblem::new(&origin.file, origin.line, message))
}

/// Returns the verdict `unexplained`, which has no rule.
#[must_use]
pub fn unexplained() -> Verdict {
    Verdict {
        cause: CauseId::unexplained(),
        title: UNEXPLAINED_TITLE.to_owned(),
        owner: Owner::Unknown,
        hop: None,
        certainty: Certainty::Possible,
        candidates: vec![Candidate {
            cause: CauseId::unexplained(),
            share: 1.0,
        }],
        next: UNEXPLAINED_NEXT
            .iter()
            .map(|step| (*step).to_owned())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [[rule]]
        id = "first"
        title = "First"
        owner = "service"
        next = ["Look."]
        see = "https://example.org/"
        when = { status = 500 }
        example = [{ given = { phase = "expect", status = 500 } }]
        counterexample = [{ given = { phase = "expect" }, because = "b" }]
        [[rule]]
        id = "second"
        title = "Second"
        owner = "platform"
        next = ["Look."]
        see = "https://example.org/"
        when = { status = { at_least = 500 } }
        weigh = [{ when = { invoked = "no" }, factor = 19 }]
        example = [{ given = { phase = "expect", status = 500 } }]
        counterexample = [{ given = { phase = "expect" }, because = "b" }]
        [[rule]]
        id = "last-resort"
        title = "Last"
        owner = "service"
        fallback = true
        next = ["Look."]
        see = "https://example.org/"
        when = { status = { present = true } }
        example = [{ given = { phase = "expect", status = 400 } }]
        counterexample = [{ given = { phase = "expect" }, because = "b" }]
    "#;

    fn check(status: Option<f64>, invoked: &str, expected: &str) {
        let book = Rulebook::from_files([("t.toml", RULES)]).unwrap();
        let mut facts = Facts::defaults();
        facts.set_text("phase", "expect");
        facts.set_text("invoked", invoked);
        if let Some(status) = status {
            facts.set_number("status", status);
        }
        let diagnosis = book.diagnose(&facts);
        let verdict = diagnosis.verdict.unwrap();
        let shares: Vec<String> = verdict
            .candidates
            .iter()
            .map(|candidate| format!("{} {:.2}", candidate.cause, candidate.share))
            .collect();
        assert_eq!(
            format!("{} {}", verdict.certainty, shares.join(" ")),
            expected
        );
    }

    #[test]
    fn ties_keep_the_order_of_the_rules_and_are_only_possible() {
        check(Some(500.0), "unclear", "possible first 0.50 second 0.50");
    }

    #[test]
    fn a_factor_changes_the_ranking_and_a_share_of_nine_tenths_is_likely() {
        check(Some(500.0), "no", "likely second 0.95 first 0.05");
    }

    #[test]
    fn a_fallback_applies_without_an_ordinary_match_and_no_match_is_unexplained() {
        check(Some(404.0), "no", "likely last-resort 1.00");
        check(None, "no", "possible unexplained 1.00");
    }

    #[test]
    fn a_duplicate_id_is_rejected() {
        let error = Rulebook::from_files([("a.toml", RULES), ("b.toml", RULES)]).unwrap_err();
        assert_eq!(error.0.len(), 3);
        assert!(error.to_string().contains("duplicate rule id `first`"));
    }
}
