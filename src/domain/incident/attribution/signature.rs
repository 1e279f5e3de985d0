//! Decides which failures probably have the same cause: their signature, and the verdict that was
//! known before a restart.

use std::sync::Arc;

use crate::domain::diagnosis::Verdict;
use crate::domain::incident::failure_kind::{FailureKind, ResponseMark};
use crate::domain::incident::record::Incident;
use crate::domain::layers::is_layer_cause;
use crate::model::cause::{CauseId, Certainty, Hop};

/// A failure before AWS or a follow-up request provides evidence. Failures with equal signatures
/// probably have the same cause.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Signature {
    kind: FailureKind,
    hop: Option<Hop>,
    /// The causes that are candidates in the verdict, the most probable first.
    causes: Vec<CauseId>,
    /// The mark of the response; `None` for a verdict that applies to any response of this kind.
    mark: Option<ResponseMark>,
}

/// A verdict that was known before a restart. The signature of its failure is not stored, so the
/// signature of the first new failure that fits is used.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Before {
    pub(super) verdict: Arc<Verdict>,
    /// The cause that the incident had before a follow-up request provided `verdict`; `None` if
    /// `verdict` is not from a follow-up request, or if the incident had no other cause before. The
    /// signature of a fitting failure contains this cause or the cause of `verdict`.
    earlier: Option<CauseId>,
    /// The status of a fitting failure; if `None`, the status is not known, and a failure with any
    /// status fits.
    status: Option<u16>,
}

impl Before {
    /// Returns the verdict of an incident that was open before a restart; `None` unless it is
    /// corroborated, proven or from a follow-up request.
    pub(super) fn of(incident: &Incident) -> Option<Self> {
        let verdict = &incident.verdict;
        let by_request = is_layer_cause(&verdict.cause) || incident.is_named_by_front_door();
        if !by_request && verdict.certainty < Certainty::Corroborated {
            return None;
        }
        // No follow-up request has been made for a new failure yet, so the cause that an earlier
        // request found may be missing from the candidates of this failure. The incident's cause
        // before that request is usually one of them.
        let causes = incident.history.iter().rev();
        let mut causes = causes.map(|revision| &revision.cause);
        let earlier = causes.find(|cause| **cause != verdict.cause && !is_layer_cause(cause));
        Some(Self {
            verdict: Arc::clone(verdict),
            earlier: earlier.filter(|_| by_request).cloned(),
            status: incident.failed_status(),
        })
    }

    /// Returns whether the verdict may apply to a failure with this signature.
    pub(super) fn fits(&self, signature: &Signature) -> bool {
        let same_status = self.status.is_none() || self.status == signature.kind.status;
        let mut causes = signature.causes.iter();
        same_status
            && causes
                .any(|cause| *cause == self.verdict.cause || self.earlier.as_ref() == Some(cause))
    }
}

impl Signature {
    /// Returns the signature of a failure with this kind and this first verdict.
    pub(super) fn of(kind: FailureKind, verdict: &Verdict, mark: Option<ResponseMark>) -> Self {
        let candidates = verdict.candidates.iter();
        Self {
            kind,
            hop: verdict.hop,
            causes: candidates.map(|one| one.cause.clone()).collect(),
            mark,
        }
    }

    /// Returns whether the verdict of a failure with this signature applies to a failure with
    /// `other`.
    pub(super) fn applies_to(&self, other: &Self) -> bool {
        let same_mark = self.mark.is_none() || self.mark == other.mark;
        same_mark && self.kind == other.kind && self.hop == other.hop && self.causes == other.causes
    }
}
