//! Diagnoses a probe: computes facts from the observation, finds the rules that match the facts,
//! and ranks the causes that the rules name.
//!
//! Reading order: `fact` and `catalog` define the closed vocabulary. `context` and `aws` hold the
//! input besides the observation. `gather` computes the facts with the help of `recognition`,
//! `application_header`, `error_page`, `gateway_made`, `answered_by`, `timing`, `invoked` and
//! `plateau`. `condition`, `rule` and `parser` define one rule, and `cause` describes a cause that
//! several rules share. `embedded`, `rulebook` and `ranking` handle all rules. No module performs
//! I/O or reads the current time. A failure that no rule matches is diagnosed as `unexplained`.

pub mod answered_by;
mod application_header;
pub mod aws;
mod body_text;
pub mod catalog;
pub mod cause;
pub mod changes;
pub mod condition;
mod connections;
pub mod context;
mod embedded;
mod error_page;
pub mod fact;
mod follow_up;
pub mod front_door;
pub mod gateway_made;
pub(in crate::domain) mod gather;
mod invoked;
pub mod lint;
pub mod nearest;
pub mod parser;
pub mod plateau;
mod ranking;
mod recognition;
pub mod rule;
pub mod rulebook;
pub mod timing;

use std::sync::Arc;

use crate::domain::diagnosis::fact::FactValue;
use crate::model::cause::{CauseId, Certainty, Hop, Owner};

/// The outcome of a probe, judged by the expectations of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The response meets every expectation.
    Passed,
    /// The response is correct, but too slow or served with a certificate that expires soon.
    Degraded,
    /// There is no complete response, or its status, headers, or body do not meet the expectations.
    Failed,
}

/// The diagnosis of one probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// The outcome of the probe.
    pub outcome: Outcome,
    /// The probable cause; `None` if the outcome is [`Outcome::Passed`].
    pub verdict: Option<Arc<Verdict>>,
    /// The facts on which the diagnosis is based: those that the matching rules test, in the order
    /// tested; those from which they are derived; and facts that are always reported, such as dead
    /// addresses.
    pub evidence: Vec<Evidence>,
    /// The error in one line of text: the fault, or the unmet expectations, most severe first.
    /// `None` if the probe passed.
    pub error: Option<String>,
}

/// The most probable cause of a failed or degraded probe, with all candidates.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The id of the most probable cause.
    pub cause: CauseId,
    /// The meaning of the cause, in one sentence without a period.
    pub title: String,
    /// The team that has to act.
    pub owner: Owner,
    /// The hop on the path of the request, such as the gateway, at which the request failed; `None`
    /// if the cause does not identify a hop.
    pub hop: Option<Hop>,
    /// The certainty of the most probable cause.
    pub certainty: Certainty,
    /// Every cause with a matching rule, the most probable first; only `unexplained` if no rule
    /// matches. The shares add up to 1.
    pub candidates: Vec<Candidate>,
    /// The next steps for the most probable cause.
    pub next: Vec<String>,
}

/// A possible cause of a failure, and the cause's share of the probability.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The id of the cause.
    pub cause: CauseId,
    /// The cause's share of the probability, from 0 to 1.
    pub share: f64,
}

/// A fact on which a diagnosis is based.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The fact's name, such as `status` or `phase.processing`.
    pub fact: String,
    /// The fact's value.
    pub value: FactValue,
}

impl Evidence {
    /// Returns whether the evidence is shown to a person. The facts `phase` and `unmet` only repeat
    /// the error, and a fact with the value `unknown` states nothing.
    #[must_use]
    pub fn is_informative(&self) -> bool {
        let is_unknown = matches!(&self.value, FactValue::Text(text) if text == "unknown");
        !is_unknown && !["phase", "unmet"].contains(&self.fact.as_str())
    }
}

impl Diagnosis {
    /// Creates the diagnosis of a probe that passed.
    #[must_use]
    pub const fn passed() -> Self {
        Self {
            outcome: Outcome::Passed,
            verdict: None,
            evidence: Vec::new(),
            error: None,
        }
    }

    /// Returns the id of the most probable cause; `None` if the probe passed.
    #[must_use]
    pub fn cause(&self) -> Option<&CauseId> {
        self.verdict.as_ref().map(|verdict| &verdict.cause)
    }
}
