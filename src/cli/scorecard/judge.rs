//! Creates a card for each target and marks the card. A card contains the true cause, the named
//! cause and the history of the diagnosis.
//!
//! The card of a failing target passes if the diagnosis names the true cause, or if the certainty
//! is `possible` and the share of the true cause is at least half the share of the named cause. The
//! card of a healthy target passes if no cause is named.

use jiff::Timestamp;

use super::truth::Truth;
use crate::domain::diagnosis::{Candidate, Evidence};
use crate::domain::report::Report;
use crate::model::cause::{CauseId, Certainty};
use crate::model::target::TargetName;

/// The card of one target: the true cause, and the cause that the diagnosis named. `named` is
/// `None` if no cause was named.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Card {
    pub(super) target: TargetName,
    pub(super) injected: Truth,
    /// Whether a probe of the target has completed.
    pub(super) probed: bool,
    pub(super) named: Option<NamedCause>,
}

/// The cause that a diagnosis named for a target at the end of the run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NamedCause {
    pub(super) cause: CauseId,
    pub(super) certainty: Certainty,
    /// The candidates, the most probable first.
    pub(super) candidates: Vec<Candidate>,
    /// The facts on which the diagnosis is based.
    pub(super) evidence: Vec<Evidence>,
    /// The revisions of the target's incident, oldest first.
    pub(super) path: Vec<VerdictStep>,
}

/// One revision of an incident: the cause and certainty after a change, and a note on the change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct VerdictStep {
    pub(super) at: Timestamp,
    pub(super) cause: CauseId,
    pub(super) certainty: Certainty,
    pub(super) note: String,
}

/// The mark of a card: the result of comparing the named cause with the true cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// The true cause was named, or no cause was named for a healthy target.
    Right,
    /// The certainty is `possible`, and the true cause is a leading candidate.
    Candidate,
    /// A wrong cause was named, or a cause was named for a healthy target.
    Wrong,
    /// No cause was named for a failing target.
    Unnamed,
    /// No probe completed before the run ended.
    Unprobed,
}

/// Minimum share of a leading candidate, as a fraction of the first candidate's share. A
/// candidate half as probable as the first is worth checking.
const LEADING_FRACTION: f64 = 0.5;

impl Card {
    /// Creates the card of a target from the target's newest report; `None` means that no probe
    /// has completed.
    pub(super) fn new(target: TargetName, injected: Truth, report: Option<&Report>) -> Self {
        Self {
            target,
            injected,
            probed: report.is_some(),
            named: report.and_then(NamedCause::of),
        }
    }

    /// Returns the mark of the card by comparing the named cause with the true cause.
    pub(super) fn mark(&self) -> Mark {
        match (&self.injected, &self.named) {
            _ if !self.probed => Mark::Unprobed,
            (None, None) => Mark::Right,
            (None, Some(_)) => Mark::Wrong,
            (Some(_), None) => Mark::Unnamed,
            (Some(truth), Some(named)) if *truth == named.cause => Mark::Right,
            (Some(truth), Some(named)) if named.has_leading_candidate(truth) => Mark::Candidate,
            (Some(_), Some(_)) => Mark::Wrong,
        }
    }

    /// Returns whether the mark is [`Mark::Right`] or [`Mark::Candidate`].
    pub(super) fn passes(&self) -> bool {
        matches!(self.mark(), Mark::Right | Mark::Candidate)
    }
}

impl Mark {
    /// All marks that a card can have, in the order of the output.
    pub(super) const ALL: [Self; 5] = [
        Self::Right,
        Self::Candidate,
        Self::Wrong,
        Self::Unnamed,
        Self::Unprobed,
    ];

    /// Returns the mark's name in the output.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Candidate => "candidate",
            Self::Wrong => "wrong",
            Self::Unnamed => "unnamed",
            Self::Unprobed => "unprobed",
        }
    }
}

impl NamedCause {
    /// Returns the cause that a report names; `None` if the report names no cause.
    fn of(report: &Report) -> Option<Self> {
        let verdict = report.showing.as_deref()?;
        let incident = report.incident.as_deref();
        let evidence = incident.map_or(&report.diagnosis.evidence[..], |one| &one.evidence);
        let revisions = incident.map_or(&[][..], |incident| &incident.history);
        let path = revisions.iter().map(|revision| VerdictStep {
            at: revision.at,
            cause: revision.cause.clone(),
            certainty: revision.certainty,
            note: revision.note.clone(),
        });
        Some(Self {
            cause: verdict.cause.clone(),
            certainty: verdict.certainty,
            candidates: verdict.candidates.clone(),
            evidence: evidence.to_vec(),
            path: path.collect(),
        })
    }

    /// Returns whether the certainty is `possible` and `cause` is a leading candidate.
    fn has_leading_candidate(&self, cause: &CauseId) -> bool {
        let first = self.candidates.first().map_or(0.0, |first| first.share);
        let leading =
            |one: &Candidate| one.cause == *cause && one.share >= first * LEADING_FRACTION;
        self.certainty == Certainty::Possible && self.candidates.iter().any(leading)
    }
}

/// The tests of this module. The tests of `view` also use the function `card`.
#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Creates a card. The first of `candidates` is the named cause; if there are no candidates, no
    /// cause is named.
    pub(in super::super) fn card(
        target: &str,
        injected: &str,
        certainty: Certainty,
        candidates: &[(&str, f64)],
    ) -> Card {
        let cause = |text: &str| CauseId::new(text).unwrap();
        let candidates: Vec<_> = candidates
            .iter()
            .map(|(id, share)| Candidate {
                cause: cause(id),
                share: *share,
            })
            .collect();
        Card {
            target: TargetName::new(target),
            injected: (injected != "none").then(|| cause(injected)),
            probed: true,
            named: candidates.first().cloned().map(|first| NamedCause {
                cause: first.cause,
                certainty,
                candidates,
                evidence: Vec::new(),
                path: Vec::new(),
            }),
        }
    }

    fn check(injected: &str, certainty: Certainty, candidates: &[(&str, f64)], mark: Mark) {
        let card = card("a", injected, certainty, candidates);
        assert_eq!(card.mark(), mark, "{injected} {candidates:?}");
    }

    #[test]
    fn the_true_cause_is_right_at_any_certainty() {
        let named = [("too-slow", 0.6), ("forbidden", 0.4)];
        check("too-slow", Certainty::Possible, &named, Mark::Right);
        check("too-slow", Certainty::Proven, &named, Mark::Right);
    }

    #[test]
    fn a_leading_candidate_counts_only_at_certainty_possible() {
        let named = [
            ("too-slow", 0.5),
            ("forbidden", 0.25),
            ("unauthorized", 0.2),
        ];
        check("forbidden", Certainty::Possible, &named, Mark::Candidate);
        check("forbidden", Certainty::Likely, &named, Mark::Wrong);
        check("unauthorized", Certainty::Possible, &named, Mark::Wrong);
        check("dns-failure", Certainty::Possible, &named, Mark::Wrong);
    }

    #[test]
    fn a_healthy_target_must_have_no_cause_and_a_failing_one_must() {
        check("none", Certainty::Possible, &[], Mark::Right);
        check(
            "none",
            Certainty::Possible,
            &[("too-slow", 1.0)],
            Mark::Wrong,
        );
        check("too-slow", Certainty::Possible, &[], Mark::Unnamed);
    }

    #[test]
    fn a_target_without_a_result_does_not_pass() {
        let mut unprobed = card("a", "none", Certainty::Possible, &[]);
        unprobed.probed = false;
        assert_eq!(unprobed.mark(), Mark::Unprobed);
        assert!(!unprobed.passes());
    }
}
