//! Diagnoses a capture and compares the verdict with the truth.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use probecause::domain::diagnosis::Verdict;
use probecause::domain::diagnosis::context::Context;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::model::cause::{Certainty, Hop};
use probecause::model::observation::Observation;
use probecause::model::target::{BodyMatch, Target};

use crate::corpus::capture::{Capture, Truth};

/// Causes that say only that the response is not the expected one.
const NAMELESS: [&str; 3] = ["unexpected-status", "unexpected-body", "unexplained"];

/// How a verdict compares with the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// The most probable cause is right.
    Right,
    /// Only `possible`: either no cause is named, or the right one is among the candidates.
    Abstained,
    /// Only `possible`, but the right cause is not among the candidates.
    Missed,
    /// `likely` or more certain, and the cause or the hop is not right.
    Wrong,
}

/// A capture with its diagnosis.
pub(crate) struct Scored {
    pub(crate) capture: Capture,
    pub(crate) verdict: Arc<Verdict>,
    pub(crate) outcome: Outcome,
}

impl Outcome {
    pub(crate) const ALL: [Self; 4] = [Self::Right, Self::Abstained, Self::Missed, Self::Wrong];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Abstained => "abstained",
            Self::Missed => "missed",
            Self::Wrong => "WRONG",
        }
    }
}

impl Scored {
    /// Diagnoses `capture`. Panics if the probe would have passed.
    pub(crate) fn new(capture: Capture, rulebook: &Rulebook) -> Self {
        let verdict = diagnose(&capture.url, &capture.observation(), rulebook);
        let verdict = verdict.unwrap_or_else(|| panic!("{} passes", capture.name()));
        let outcome = outcome(&verdict, &capture.truth);
        Self {
            capture,
            verdict,
            outcome,
        }
    }
}

impl fmt::Display for Scored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (truth, found) = (&self.capture.truth, summary(&self.verdict));
        let (causes, hops) = (truth.causes.join(" or "), truth.hops.join(" or "));
        let name = self.capture.name();
        write!(f, "{name}: {found}; the truth is {causes} at {hops}")
    }
}

/// The verdict of a probe of `url`, which expects status 200 and "ok" in the body; `None` if it
/// passed.
pub(crate) fn diagnose(
    url: &str,
    observation: &Observation,
    rulebook: &Rulebook,
) -> Option<Arc<Verdict>> {
    let mut target = Target::with_defaults("corpus", url.parse().unwrap());
    target.expect.status = vec![(200, 200)];
    target.expect.body = vec![BodyMatch::Contains("ok".to_owned())];
    let context = Context::at(Timestamp::UNIX_EPOCH);
    let facts = Facts::gather(&target, observation, &context);
    rulebook.diagnose(&facts).verdict
}

/// `cause (certainty) at hop`.
pub(crate) fn summary(verdict: &Verdict) -> String {
    let hop = verdict.hop.map_or("an unknown hop", Hop::as_str);
    format!(
        "{} ({}) at {hop}",
        verdict.cause.as_str(),
        verdict.certainty
    )
}

/// Compares a verdict with the truth.
pub(crate) fn outcome(verdict: &Verdict, truth: &Truth) -> Outcome {
    let is_right = |cause: &str| truth.causes.iter().any(|right| right == cause);
    let cause = verdict.cause.as_str();
    let hop = verdict.hop.map(Hop::as_str);
    let right_hop =
        hop.is_none_or(|hop| truth.hops.is_empty() || truth.hops.iter().any(|right| right == hop));
    if verdict.certainty > Certainty::Possible {
        return if is_right(cause) && right_hop {
            Outcome::Right
        } else {
            Outcome::Wrong
        };
    }
    let mut candidates = verdict.candidates.iter();
    if is_right(cause) && right_hop {
        Outcome::Right
    } else if NAMELESS.contains(&cause)
        || truth.causes.is_empty()
        || candidates.any(|candidate| is_right(candidate.cause.as_str()))
    {
        Outcome::Abstained
    } else {
        Outcome::Missed
    }
}
