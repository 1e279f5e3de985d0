//! Holds the data of one incident, with its history.
//!
//! The methods keep the record consistent: every change of the verdict adds a revision, and the
//! history is bounded. `tracker` decides when the incident changes.

use std::sync::Arc;

use jiff::Timestamp;

use super::change::{AccountChange, AccountChanges};
use super::id::IncidentId;
use crate::domain::diagnosis::fact::FactValue;
use crate::domain::diagnosis::{Evidence, Verdict};
use crate::domain::layers::LayerFindings;
use crate::model::cause::{CauseId, Certainty};
use crate::model::scope::Scope;
use crate::model::text_enum::text_enum;

/// One continuous period of failures of a target, of the prober itself, or of a group of targets.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// The incident's identifier.
    pub id: IncidentId,
    /// The scope that is affected: a target, the prober itself, or a group of targets.
    pub scope: Scope,
    /// The verdict with the current probable cause.
    pub verdict: Arc<Verdict>,
    /// The facts that support the verdict.
    pub evidence: Arc<[Evidence]>,
    /// The causes of the recent failures that the verdict does not explain, newest failure first.
    pub also: Vec<CauseId>,
    /// When the incident opened.
    pub opened: Timestamp,
    /// When the incident was resolved; `None` while it is open.
    pub resolved: Option<Timestamp>,
    /// The revisions, oldest first; at most 100. The first revision is always kept. If a revision
    /// is added at this limit, the second-oldest revision is dropped.
    pub history: Vec<Revision>,
    /// The newest findings about the target's layers; `None` if there are no findings.
    pub layers: Option<Arc<LayerFindings>>,
    /// The proof of the current cause; `None` if this cause was not proven. The proof is kept while
    /// the incident has this cause, even if later failures look different. If the incident changes
    /// to another cause and then back to this cause, and this cause is proven again, its proof is
    /// restored.
    pub proof: Option<Proof>,
    /// The changes in the AWS account that concern the target and were made no earlier than an hour
    /// before the first failure.
    pub changes: AccountChanges,
}

/// The proof of the cause of an incident: a statement, its source, and the failed probe that it is
/// about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The request id of the failed probe; `None` if the response contained no request id.
    pub request_id: Option<String>,
    /// When the failed probe began.
    pub time: Timestamp,
    /// The source of the statement.
    pub source: ProofSource,
    /// The statement, in one line.
    pub statement: String,
}

text_enum! {
    /// The source of a proof.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ProofSource {
        /// The probe itself: its response or the error of its connection.
        Probe = "probe",
        /// Evidence from AWS: a log, metrics or the configuration of a resource.
        Aws = "aws",
        /// The response to a follow-up request.
        FollowUp = "follow-up",
    }
}

/// One entry of an incident's history.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// When the incident changed.
    pub at: Timestamp,
    /// The cause after the change.
    pub cause: CauseId,
    /// The certainty of the cause after the change.
    pub certainty: Certainty,
    /// A description of the change, in one line.
    pub note: String,
}

/// A change of an incident.
#[derive(Clone, Debug, PartialEq)]
pub enum IncidentEvent {
    /// The incident opened.
    Opened(Arc<Incident>),
    /// The cause, certainty, evidence, layer findings or account changes of the incident changed.
    Updated(Arc<Incident>),
    /// The incident was resolved.
    Resolved(Arc<Incident>),
}

/// Maximum number of revisions kept per incident, so that the history of a day with many changes
/// stays readable.
pub(super) const MAX_HISTORY: usize = 100;

/// The text at the end of the note of every revision that results from a follow-up request to the
/// front door.
pub(super) const ASKED: &str = "evidence from a follow-up request to the front door";

/// The name of the evidence about a change in the AWS account that removed or stopped exactly what
/// the cause of the incident says is missing or stopped.
pub const CHANGE_EVIDENCE: &str = "account.change";

/// Maximum number of account changes that the note of one revision names. The incident's list of
/// changes contains the others too.
const MAX_NOTED_CHANGES: usize = 3;

impl IncidentEvent {
    /// Returns the incident as it is after the event.
    #[must_use]
    pub const fn incident(&self) -> &Arc<Incident> {
        match self {
            Self::Opened(incident) | Self::Updated(incident) | Self::Resolved(incident) => incident,
        }
    }

    /// Returns the name of the event for logs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Opened(_) => "opened",
            Self::Updated(_) => "updated",
            Self::Resolved(_) => "resolved",
        }
    }
}

impl Incident {
    /// Creates an open incident with its first revision.
    pub(super) fn open(
        scope: Scope,
        verdict: &Arc<Verdict>,
        evidence: &[Evidence],
        note: String,
        now: Timestamp,
    ) -> Self {
        Self {
            id: IncidentId::new(&scope, now),
            scope,
            verdict: Arc::clone(verdict),
            evidence: evidence.into(),
            also: Vec::new(),
            opened: now,
            resolved: None,
            history: vec![revision(verdict, now, note)],
            layers: None,
            proof: None,
            changes: AccountChanges::default(),
        }
    }

    /// Returns the time of the newest revision that results from a follow-up request to the front
    /// door; `None` if the history contains no such revision.
    #[must_use]
    pub fn asked_at(&self) -> Option<Timestamp> {
        let mut revisions = self.history.iter().rev();
        let asked = revisions.find(|revision| revision.note.ends_with(ASKED));
        asked.map(|revision| revision.at)
    }

    /// Returns whether the current cause is from the front door's response to a follow-up request.
    pub(super) fn is_named_by_front_door(&self) -> bool {
        let revisions = self.history.iter().rev();
        let mut current = revisions.take_while(|revision| revision.cause == self.verdict.cause);
        // If a follow-up request only added evidence, the revision's note is exactly `ASKED`.
        current.any(|revision| revision.note.ends_with(ASKED) && revision.note != ASKED)
    }

    /// Returns the status of the failure that the verdict is about; `None` if neither the evidence
    /// nor the findings about the layers contain the status.
    pub(super) fn failed_status(&self) -> Option<u16> {
        let mut evidence = self.evidence.iter();
        let status = evidence.find(|one| one.fact == "status");
        let status = status.and_then(|one| one.value.to_string().parse().ok());
        status.or_else(|| self.layers.as_ref()?.front_status())
    }

    /// Replaces the verdict and its evidence, and adds a revision.
    pub(super) fn revise(
        &mut self,
        verdict: &Arc<Verdict>,
        evidence: &[Evidence],
        note: String,
        now: Timestamp,
    ) {
        if verdict.cause != self.verdict.cause {
            self.proof = None;
        }
        self.verdict = Arc::clone(verdict);
        self.set_evidence(evidence);
        self.push(now, note);
    }

    /// Replaces the list of account changes, updates the evidence about them, and adds a revision
    /// that names the new changes.
    pub(super) fn set_changes(&mut self, changes: AccountChanges, now: Timestamp) {
        let known = std::mem::replace(&mut self.changes, changes);
        let note = note_of_changes(&known, &self.changes);
        let evidence = Arc::clone(&self.evidence);
        self.set_evidence(&evidence);
        self.push(now, note);
    }

    /// Replaces the evidence. If an account change removed or stopped exactly what the cause says
    /// is missing or stopped, adds a text about this change.
    fn set_evidence(&mut self, evidence: &[Evidence]) {
        let is_kept = |one: &&Evidence| one.fact != CHANGE_EVIDENCE;
        let explanation = self.changes.explanation(&self.verdict.cause);
        let explanation = explanation.map(|text| Evidence {
            fact: CHANGE_EVIDENCE.to_owned(),
            value: FactValue::Text(text),
        });
        let kept = evidence.iter().filter(is_kept).cloned();
        self.evidence = kept.chain(explanation).collect();
    }

    /// Adds facts to the evidence, and a revision with `note`. An added fact replaces a known fact
    /// of the same name.
    pub(super) fn add_evidence(&mut self, added: &[Evidence], note: String, now: Timestamp) {
        let is_kept = |known: &&Evidence| added.iter().all(|one| one.fact != known.fact);
        let kept = self.evidence.iter().filter(is_kept);
        self.evidence = kept.chain(added).cloned().collect();
        self.push(now, note);
    }

    /// Stores the findings about the target's layers, and adds a revision with `note`.
    pub(super) fn add_layers(
        &mut self,
        findings: Arc<LayerFindings>,
        note: String,
        now: Timestamp,
    ) {
        self.layers = Some(findings);
        self.push(now, note);
    }

    /// Marks the incident as resolved, and adds a revision.
    pub(super) fn resolve(&mut self, note: String, now: Timestamp) {
        self.resolved = Some(now);
        self.push(now, note);
    }

    /// Adds a revision. If the history is full, drops the second-oldest revision first, because the
    /// oldest one shows how the incident began.
    fn push(&mut self, now: Timestamp, note: String) {
        if self.history.len() >= MAX_HISTORY {
            self.history.remove(1);
        }
        self.history.push(revision(&self.verdict, now, note));
    }
}

/// Returns the note of a revision that replaces the account changes `known` with `changes`. The
/// note names at most [`MAX_NOTED_CHANGES`] of the new changes, and the number of the others.
fn note_of_changes(known: &AccountChanges, changes: &AccountChanges) -> String {
    let is_new = |change: &&AccountChange| !known.as_slice().contains(*change);
    let new: Vec<_> = changes.as_slice().iter().filter(is_new).collect();
    let named = new.iter().take(MAX_NOTED_CHANGES);
    let named: Vec<String> = named.map(|change| change.summary()).collect();
    let mut note = format!(
        "changes in the AWS account, relative to the first failure: {}",
        named.join(", ")
    );
    if new.len() > MAX_NOTED_CHANGES {
        note.push_str(&format!(" and {} more", new.len() - MAX_NOTED_CHANGES));
    }
    note
}

fn revision(verdict: &Verdict, at: Timestamp, note: String) -> Revision {
    Revision {
        at,
        cause: verdict.cause.clone(),
        certainty: verdict.certainty,
        note,
    }
}
