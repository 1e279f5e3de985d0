//! Why a probe failed: observation → facts → rules that fit → ranked candidates.
//!
//! Reading order: `fact` and `catalogue` (the closed vocabulary), `context` and `aws` (what
//! is known besides the observation), `gather` (observation → facts, with `front_door`,
//! `timing` and `plateau`), `condition`, `rule` and `reader` (one rule and its parser),
//! `embedded` and `rulebook` (all rules; ranks what fits). Nothing here does I/O or knows
//! the time; what nothing explains is `unexplained`, never a wrong name.

pub mod aws;
pub mod catalogue;
pub mod condition;
pub mod context;
mod embedded;
pub mod fact;
pub mod front_door;
pub mod gather;
pub mod lint;
pub mod nearest;
pub mod plateau;
pub mod reader;
pub mod rule;
pub mod rulebook;
pub mod timing;

use std::sync::Arc;

use crate::domain::diagnosis::fact::FactValue;
use crate::model::cause::{CauseId, Certainty, Owner};

/// How a probe ended, judged by what the target expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// As expected.
    Passed,
    /// Answered as expected, but too slowly or with a certificate that runs out.
    Degraded,
    /// Not as expected, or no answer.
    Failed,
}

/// What a probe's result means.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// Good, bad, or in between.
    pub outcome: Outcome,
    /// The probable cause; there unless the outcome is [`Outcome::Passed`].
    pub verdict: Option<Arc<Verdict>>,
    /// The facts that the leading rule and its rivals asked for, in the order asked.
    pub evidence: Vec<Evidence>,
    /// One line for a person: the fault, or the expectation that was not met.
    pub error: Option<String>,
}

/// A probable cause with its rivals.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The leading candidate.
    pub cause: CauseId,
    /// What the cause means, in one sentence without a full stop.
    pub title: String,
    /// Who acts.
    pub owner: Owner,
    /// How sure.
    pub certainty: Certainty,
    /// All that fit, best first; shares sum to 1.
    pub candidates: Vec<Candidate>,
    /// What to do next, for the leading cause.
    pub next: Vec<String>,
}

/// A cause that fits, and how much of the probability it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The cause.
    pub cause: CauseId,
    /// Between 0 and 1.
    pub share: f64,
}

/// A fact that took part in a diagnosis.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The fact's name, such as `status` or `phase.processing`.
    pub fact: String,
    /// What it was.
    pub value: FactValue,
}

impl Diagnosis {
    /// A good result.
    #[must_use]
    pub const fn passed() -> Self {
        Self {
            outcome: Outcome::Passed,
            verdict: None,
            evidence: Vec::new(),
            error: None,
        }
    }

    /// The leading cause, unless all is well.
    #[must_use]
    pub fn cause(&self) -> Option<&CauseId> {
        self.verdict.as_ref().map(|verdict| &verdict.cause)
    }
}
