//! Defines a rule: the facts that indicate a cause, the cause's owner and next steps, and the
//! rule's tests.
//!
//! `parser` creates this plain data from TOML. Every fact that a `Rule` names is in the catalog.
//! `ranking` ranks the matching rules.

use std::fmt;
use std::sync::Arc;

use crate::domain::diagnosis::condition::{Condition, Test};
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::{Candidate, Verdict};
use crate::model::cause::{CauseId, Certainty, Hop, Owner};

/// A rule: the conditions that indicate a cause, and what to do about the cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The rule's unique id. This is also the cause if the rule names no other cause.
    pub id: CauseId,
    /// The cause that the rule indicates. Several rules may name the same cause;
    /// [`Rulebook::causes`] selects the rule that represents the cause.
    ///
    /// [`Rulebook::causes`]: super::rulebook::Rulebook::causes
    pub cause: CauseId,
    /// The title: one sentence without a period, at most 80 characters. `{status}` is replaced with
    /// the status of the response, or with `an error` if the status is unknown.
    pub title: String,
    /// The team that has to act.
    pub owner: Owner,
    /// The hop on the path of the request, such as the gateway, at which the request failed; `None`
    /// if the rule does not identify a hop.
    pub hop: Option<Hop>,
    /// The highest certainty that a diagnosis by this rule can have.
    pub certainty: Certainty,
    /// The weight of the rule relative to other matching rules, before `weigh` applies; greater
    /// than 0.
    pub weight: f64,
    /// Whether the rule is used only if no ordinary rule matches.
    pub fallback: bool,
    /// The next steps, the most useful first.
    pub next: Vec<String>,
    /// The URL of the official page that the rule is based on.
    pub see: String,
    /// The conditions of the rule. The rule matches if all conditions hold.
    pub when: Vec<Condition>,
    /// Factors by which the weight is multiplied if their conditions hold.
    pub weigh: Vec<Factor>,
    /// Sets of facts that must be diagnosed as this rule's cause.
    pub examples: Vec<Facts>,
    /// Sets of facts that must not be diagnosed as this rule's cause.
    pub counterexamples: Vec<Counterexample>,
    /// The place where the rule is defined.
    pub origin: Origin,
}

/// The place where a rule is defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The name of the rule file, as passed to the parser.
    pub file: Arc<str>,
    /// The first line of the rule, counted from 1.
    pub line: usize,
    /// Whether the rule is built into the program.
    pub embedded: bool,
    /// The line of each example, in the order of the file, counted from 1.
    pub examples: Vec<usize>,
    /// The line of each counterexample, in the order of the file, counted from 1.
    pub counterexamples: Vec<usize>,
}

/// A factor by which a rule's weight is multiplied under certain conditions.
#[derive(Clone, Debug, PartialEq)]
pub struct Factor {
    /// The conditions of the factor. The factor applies if all conditions hold.
    pub when: Vec<Condition>,
    /// The number by which the rule's weight is multiplied; greater than 0.
    pub factor: f64,
}

/// Facts that must not be diagnosed as the rule's cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Counterexample {
    /// The facts of the counterexample.
    pub given: Facts,
    /// The reason why the rule's cause is wrong for these facts.
    pub because: String,
}

/// A problem in a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleProblem {
    /// The name of the rule file, as passed to the parser.
    pub file: String,
    /// The line of the problem, counted from 1.
    pub line: usize,
    /// The description of the problem, and how to correct it.
    pub message: String,
}

/// The placeholder for the status of the response in a title.
pub(super) const STATUS: &str = "{status}";

/// Facts of a transcript that do not depend on the response headers. `unmet` is one of them,
/// because a transcript has no expectations about headers.
const WITHOUT_HEADERS: &[&str] = &["phase", "unmet", "status", "reason", "method"];

impl Rule {
    /// Returns whether the rule has no factors, tests the presence or value of at least one header,
    /// and otherwise tests only facts that do not depend on headers. Such a rule matches even if
    /// further headers of the response are unknown.
    #[must_use]
    pub fn is_stated_by_headers(&self) -> bool {
        let tests_header = |condition: &Condition| {
            condition.fact.starts_with("header.") && condition.test != Test::Present(false)
        };
        let holds_anyway =
            |condition: &Condition| WITHOUT_HEADERS.contains(&condition.fact.as_str());
        self.weigh.is_empty()
            && self.when.iter().any(tests_header)
            && self
                .when
                .iter()
                .all(|condition| tests_header(condition) || holds_anyway(condition))
    }

    /// Returns the verdict that names this rule's cause, with the given certainty and candidates.
    pub(super) fn verdict(
        &self,
        facts: &Facts,
        certainty: Certainty,
        candidates: Vec<Candidate>,
    ) -> Verdict {
        let status = facts.get("status").map(ToString::to_string);
        Verdict {
            cause: self.cause.clone(),
            title: self
                .title
                .replace(STATUS, status.as_deref().unwrap_or("an error")),
            owner: self.owner,
            hop: self.hop,
            certainty,
            candidates,
            next: self.next.clone(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.embedded {
            write!(f, "built in, {}", self.file)
        } else {
            write!(f, "{}:{}", self.file, self.line)
        }
    }
}

impl RuleProblem {
    /// Creates a problem at a line of a rule file, counted from 1.
    pub(super) fn new(file: &str, line: usize, message: String) -> Self {
        Self {
            file: file.to_owned(),
            line,
            message,
        }
    }
}

impl fmt::Display for RuleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}
