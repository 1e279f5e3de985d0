//! One rule: what a cause looks like, who acts on it, and how to tell it from its rivals.
//!
//! Plain data, read by `reader` from text; a `Rule` that exists names only facts of the
//! catalogue. It does not rank (`rulebook`).

use std::fmt;
use std::sync::Arc;

use crate::domain::diagnosis::condition::Condition;
use crate::domain::diagnosis::fact::Facts;
use crate::model::cause::{CauseId, Certainty, Owner};

/// What one cause looks like.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The rule's own name; the cause's too unless another is given.
    pub id: CauseId,
    /// The cause it names. Several rules may name one cause; the first tells its title.
    pub cause: CauseId,
    /// One sentence without a full stop, at most 80 columns.
    pub title: String,
    /// Who acts.
    pub owner: Owner,
    /// The most that this rule can earn.
    pub certainty: Certainty,
    /// Weight among rivals, before `weigh`; above 0.
    pub weight: f64,
    /// Looked at only when no ordinary rule fits.
    pub fallback: bool,
    /// What to do next.
    pub next: Vec<String>,
    /// Official page it is drawn from.
    pub see: String,
    /// All must hold.
    pub when: Vec<Condition>,
    /// Factors on the weight: how timing and declarations reorder rivals.
    pub weigh: Vec<Factor>,
    /// Facts that are diagnosed as this rule's cause.
    pub examples: Vec<Facts>,
    /// Facts that are not.
    pub counterexamples: Vec<Counterexample>,
    /// Where it is written.
    pub origin: Origin,
}

/// Where a rule is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file's name as given.
    pub file: Arc<str>,
    /// 1-based; where the rule begins.
    pub line: usize,
    /// Whether it is one of the program's own.
    pub embedded: bool,
    /// The line of each example, in their order.
    pub examples: Vec<usize>,
    /// The line of each counterexample, in their order.
    pub counterexamples: Vec<usize>,
}

/// A factor on a rule's weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Factor {
    /// All must hold for it to count.
    pub when: Vec<Condition>,
    /// Above 0; multiplies the weight.
    pub factor: f64,
}

/// Facts that are diagnosed as something else.
#[derive(Clone, Debug, PartialEq)]
pub struct Counterexample {
    /// The facts.
    pub given: Facts,
    /// Why they are something else.
    pub because: String,
}

/// Something wrong in a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleProblem {
    /// The file's name as given.
    pub file: String,
    /// 1-based.
    pub line: usize,
    /// What is wrong, with the mend.
    pub message: String,
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

impl fmt::Display for RuleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}
