//! Describes the causes that the rules name.
//!
//! A cause is described by its `[[cause]]` table, if there is one, and by the rule that represents
//! it. The verdict on a single response has the texts of the rule that matches instead.

use super::Rulebook;
use crate::domain::diagnosis::cause::{Cause, CauseDefinition};
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::nearest::nearest;
use crate::domain::diagnosis::rule::{Rule, RuleProblem};
use crate::domain::diagnosis::{Candidate, Verdict};
use crate::model::cause::{CauseId, Certainty};

impl Rulebook {
    /// Returns every cause that a rule names, in the order of the rules. The cause `unexplained` is
    /// not included, because it has no rule.
    ///
    /// The rule whose id is the cause represents the cause, or else the first rule that names it.
    /// The texts of the cause are those of its `[[cause]]` table, or else those of this rule.
    pub fn causes(&self) -> impl Iterator<Item = Cause<'_>> {
        self.rules
            .iter()
            .filter(|rule| {
                let representative = self.representative(&rule.cause);
                representative.is_some_and(|other| std::ptr::eq(other, *rule))
            })
            .map(move |rule| self.describe(rule))
    }

    /// Returns the `[[cause]]` table of a cause; `None` if there is none.
    pub(in crate::domain::diagnosis) fn definition(
        &self,
        cause: &CauseId,
    ) -> Option<&CauseDefinition> {
        self.definitions
            .iter()
            .find(|definition| definition.id == *cause)
    }

    /// Returns the rule that represents a cause; `None` if no rule names the cause.
    fn representative(&self, cause: &CauseId) -> Option<&Rule> {
        let mut rules = self.rules.iter().filter(|rule| rule.cause == *cause);
        let first = rules.clone().next();
        rules.find(|rule| rule.id == *cause).or(first)
    }

    /// Describes the cause that `rule` represents.
    fn describe<'a>(&'a self, rule: &'a Rule) -> Cause<'a> {
        let definition = self.definition(&rule.cause);
        let title = definition.map_or(rule.title.as_str(), |it| it.title.as_str());
        let next = definition.and_then(|it| it.next.as_deref());
        let see = definition.and_then(|it| it.see.as_deref());
        Cause {
            id: &rule.cause,
            title,
            owner: rule.owner,
            hop: rule.hop,
            next: next.unwrap_or(rule.next.as_slice()),
            see: see.unwrap_or(rule.see.as_str()),
        }
    }

    /// Returns a problem for each `[[cause]]` table whose cause no rule names.
    pub(super) fn unknown_causes(&self) -> Vec<RuleProblem> {
        let causes = || self.rules.iter().map(|rule| rule.cause.as_str());
        self.definitions
            .iter()
            .filter(|definition| causes().all(|cause| cause != definition.id.as_str()))
            .map(|definition| {
                let guess = nearest(definition.id.as_str(), causes());
                let guess =
                    guess.map_or_else(String::new, |cause| format!(" did you mean `{cause}`?"));
                let message = format!(
                    "unknown cause `{}`;{guess} use a cause that a rule names",
                    definition.id
                );
                RuleProblem::new(&definition.file, definition.line, message)
            })
            .collect()
    }

    /// Returns the verdict for a cause that several failures have in common, although it is not the
    /// most probable cause of any of them. The certainty is always `possible`. `None` if no rule
    /// names the cause.
    #[must_use]
    pub fn verdict_of(&self, cause: &CauseId, candidates: Vec<Candidate>) -> Option<Verdict> {
        let rule = self.representative(cause)?;
        let mut verdict = rule.verdict(&Facts::default(), Certainty::Possible, candidates);
        if let Some(definition) = self.definition(cause) {
            definition.describe(&mut verdict);
        }
        Some(verdict)
    }
}

/// Returns a problem if an earlier `[[cause]]` table describes the same cause as `definition`;
/// `None` otherwise.
pub(super) fn find_duplicate_cause(
    definitions: &[CauseDefinition],
    definition: &CauseDefinition,
) -> Option<RuleProblem> {
    let first = definitions.iter().find(|other| other.id == definition.id)?;
    let message = format!(
        "duplicate `[[cause]]` table for `{}`, first defined at {}:{}; remove one of the two tables",
        definition.id, first.file, first.line
    );
    Some(RuleProblem::new(&definition.file, definition.line, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::diagnosis::embedded;
    use crate::model::settings::RuleFile;

    const RULES: &str = r#"
        [[rule]]
        id = "first"
        title = "A vendor returned {status}"
        owner = "service"
        next = ["Look."]
        see = "https://example.org/"
        when = { status = 500 }
        example = [{ given = { phase = "expect", status = 500 } }]
        counterexample = [{ given = { phase = "expect" }, because = "b" }]
        [[cause]]
        id = "first"
        title = "Shared"
    "#;

    const SHARED: &str = r#"
        [[cause]]
        id = "upstream-timeout"
        title = "Our backend is too slow"
    "#;

    /// Returns a file with custom rules.
    fn custom(name: &str, text: &str) -> RuleFile {
        RuleFile {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn every_built_in_description_is_of_a_cause_that_a_rule_names() {
        let book = Rulebook::from_files(embedded::FILES.iter().copied()).unwrap();
        assert_eq!(book.unknown_causes(), []);
    }

    #[test]
    fn a_custom_description_of_a_cause_replaces_the_built_in_one() {
        let title_of = |book: &Rulebook| {
            let found = book
                .causes()
                .find(|it| it.id.as_str() == "upstream-timeout");
            found.map(|it| it.title.to_owned()).unwrap()
        };
        let built_in = Rulebook::embedded().unwrap();
        assert_ne!(title_of(&built_in), "Our backend is too slow");
        let book = Rulebook::with(&[custom("own.toml", SHARED)]).unwrap();
        assert_eq!(title_of(&book), "Our backend is too slow");
        assert_eq!(book.definitions.len(), built_in.definitions.len());
        let id = CauseId::new("upstream-timeout").unwrap();
        let verdict = book.verdict_of(&id, Vec::new()).unwrap();
        assert_eq!(verdict.title, "Our backend is too slow");
    }

    #[test]
    fn the_verdict_for_one_response_keeps_the_title_of_its_rule() {
        let book = Rulebook::from_files([("t.toml", RULES)]).unwrap();
        let mut facts = Facts::defaults();
        facts.set_text("phase", "expect");
        facts.set_number("status", 500.0);
        let verdict = book.diagnose(&facts).verdict.unwrap();
        assert_eq!(verdict.title, "A vendor returned 500");
        let titles: Vec<&str> = book.causes().map(|cause| cause.title).collect();
        assert_eq!(titles, ["Shared"]);
    }

    #[test]
    fn a_description_of_an_unknown_cause_and_a_second_description_are_rejected() {
        let misspelled = SHARED.replace("upstream-timeout", "upstream-timout");
        let error = Rulebook::with(&[custom("own.toml", &misspelled)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "own.toml:2: unknown cause `upstream-timout`; did you mean `upstream-timeout`? use a cause that a rule names"
        );
        let files = [custom("a.toml", SHARED), custom("b.toml", SHARED)];
        assert_eq!(
            Rulebook::with(&files).unwrap_err().to_string(),
            "b.toml:2: duplicate `[[cause]]` table for `upstream-timeout`, first defined at a.toml:2; remove one of the two tables"
        );
    }
}
