//! One target's card: what was injected, what was named, how it came to that, and a mark.
//!
//! Pure: a report comes in, a mark goes out. The measure is strict where the daemon
//! claims to know: only a verdict that itself says `possible` may have the truth behind
//! its first place.

use jiff::Timestamp;

use super::truth::Truth;
use crate::domain::diagnosis::{Candidate, Evidence};
use crate::domain::report::Report;
use crate::model::cause::{CauseId, Certainty};
use crate::model::target::TargetName;

/// How one target came out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Card {
    pub(super) target: TargetName,
    pub(super) injected: Truth,
    /// Whether a first result is in.
    pub(super) probed: bool,
    pub(super) named: Option<Named>,
}

/// What was shown at the end.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named {
    pub(super) cause: CauseId,
    pub(super) certainty: Certainty,
    /// Best first.
    pub(super) candidates: Vec<Candidate>,
    /// The facts of the last probe that took part.
    pub(super) evidence: Vec<Evidence>,
    /// How it came to that, oldest first: the incident's revisions.
    pub(super) path: Vec<Step>,
}

/// One revision.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) at: Timestamp,
    pub(super) cause: CauseId,
    pub(super) certainty: Certainty,
    pub(super) note: String,
}

/// A card's mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// The truth was named, or rightly nothing.
    Right,
    /// Only `possible` was claimed, and the truth is among the leading candidates.
    Candidate,
    /// Another cause was named.
    Wrong,
    /// No cause was named although one is there.
    Unnamed,
    /// There was no result in time.
    Unprobed,
}

/// A candidate leads along while it holds at least this part of the first one's share:
/// one that is half as probable is worth a look, one below that is a footnote.
const LEADING: f64 = 0.5;

impl Card {
    /// What a target's newest report shows.
    pub(super) fn new(target: TargetName, injected: Truth, report: Option<&Report>) -> Self {
        Self {
            target,
            injected,
            probed: report.is_some(),
            named: report.and_then(named),
        }
    }

    /// The mark.
    pub(super) fn mark(&self) -> Mark {
        match (&self.injected, &self.named) {
            _ if !self.probed => Mark::Unprobed,
            (None, None) => Mark::Right,
            (None, Some(_)) => Mark::Wrong,
            (Some(_), None) => Mark::Unnamed,
            (Some(truth), Some(named)) if *truth == named.cause => Mark::Right,
            (Some(truth), Some(named)) if named.leads(truth) => Mark::Candidate,
            (Some(_), Some(_)) => Mark::Wrong,
        }
    }

    /// Whether that is good enough.
    pub(super) fn passes(&self) -> bool {
        matches!(self.mark(), Mark::Right | Mark::Candidate)
    }
}

impl Mark {
    /// Every mark, best first.
    pub(super) const ALL: [Self; 5] = [
        Self::Right,
        Self::Candidate,
        Self::Wrong,
        Self::Unnamed,
        Self::Unprobed,
    ];

    /// The mark as a word.
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

impl Named {
    /// Whether a cause is among the leading candidates of a verdict that claims no more.
    fn leads(&self, cause: &CauseId) -> bool {
        let most = self.candidates.first().map_or(0.0, |first| first.share);
        let enough = |one: &Candidate| one.cause == *cause && one.share >= most * LEADING;
        self.certainty == Certainty::Possible && self.candidates.iter().any(enough)
    }
}

fn named(report: &Report) -> Option<Named> {
    let verdict = report.showing.as_deref()?;
    let incident = report.incident.as_deref();
    let evidence = incident.map_or(&report.diagnosis.evidence[..], |one| &one.evidence);
    let path = match incident {
        Some(incident) => {
            let revisions = incident.history.iter();
            let steps = revisions.map(|revision| Step {
                at: revision.at,
                cause: revision.cause.clone(),
                certainty: revision.certainty,
                note: revision.note.clone(),
            });
            steps.collect()
        }
        None => Vec::new(),
    };
    Some(Named {
        cause: verdict.cause.clone(),
        certainty: verdict.certainty,
        candidates: verdict.candidates.clone(),
        evidence: evidence.to_vec(),
        path,
    })
}

/// Cards that the tests of this command share.
#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A card; `candidates` are written `cause:share`, the first is the one named.
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
            named: candidates.first().cloned().map(|first| Named {
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
    fn the_truth_named_first_is_right_however_sure() {
        let named = [("too-slow", 0.6), ("forbidden", 0.4)];
        check("too-slow", Certainty::Possible, &named, Mark::Right);
        check("too-slow", Certainty::Proven, &named, Mark::Right);
    }

    #[test]
    fn the_truth_behind_counts_only_where_no_more_than_possible_was_claimed() {
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
    fn silence_is_not_health() {
        let mut silent = card("a", "none", Certainty::Possible, &[]);
        silent.probed = false;
        assert_eq!(silent.mark(), Mark::Unprobed);
        assert!(!silent.passes());
    }
}
