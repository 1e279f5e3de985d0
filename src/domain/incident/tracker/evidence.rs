//! Revises the open incident by evidence that arrives after a probe: from AWS, from the response to
//! a follow-up request, from requests through the target's layers, and about changes in the AWS
//! account.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Incidents, LayerDiagnosis, difference, is_same, keep_proof};
use crate::domain::diagnosis::{Diagnosis, Evidence, Verdict};
use crate::domain::incident::change::AccountChange;
use crate::domain::incident::failure_kind::FailureKind;
use crate::domain::incident::id::IncidentId;
use crate::domain::incident::record::{ASKED, IncidentEvent, Proof, ProofSource};
use crate::domain::layers::{LayerFindings, is_layer_cause};
use crate::model::cause::Certainty;

impl Incidents {
    /// Keeps the failed probe that started at `began` until [`Self::revise_with`] applies its
    /// evidence, which may arrive after many more failures.
    pub fn await_evidence(&mut self, began: Timestamp) {
        self.attribution.await_evidence(began);
    }

    /// Applies evidence from AWS, described by `summary`, about the probe that started at `began`.
    /// Such evidence is about this request or its metric window, so one update can change the
    /// cause, without waiting for `OUTCOMES_TO_CHANGE` failures. Evidence about an older failure
    /// changes the incident only if the newest failure has the same signature. Returns the change
    /// of the incident, if any.
    pub fn revise_with(
        &mut self,
        began: Timestamp,
        diagnosis: &Diagnosis,
        summary: &str,
        now: Timestamp,
    ) -> Option<IncidentEvent> {
        self.revise_by(ProofSource::Aws, (began, diagnosis), summary, now)
    }

    fn revise_by(
        &mut self,
        source: ProofSource,
        (began, diagnosis): (Timestamp, &Diagnosis),
        summary: &str,
        now: Timestamp,
    ) -> Option<IncidentEvent> {
        let verdict = diagnosis.verdict.as_ref()?;
        let is_newest = self.attribution.replace(began, verdict);
        let incident = self.open.as_mut()?;
        let newest = self.attribution.newest();
        let is_present = newest.is_none_or(|newest| is_newest || Arc::ptr_eq(newest, verdict));
        let known = &incident.verdict;
        if !is_present || is_same(known, verdict) || is_weaker(known, verdict) {
            return None;
        }
        let note = format!("{}: {summary}", difference(known, verdict));
        (self.rival, self.unexplained) = (None, 0);
        let revised = Arc::make_mut(incident);
        revised.revise(verdict, &diagnosis.evidence, note, now);
        revised.also = self.attribution.unexplained_by(&verdict.cause);
        if verdict.certainty == Certainty::Proven {
            revised.proof = Some(Proof {
                request_id: self.attribution.request_id(began).map(str::to_owned),
                time: began,
                source,
                statement: summary.to_owned(),
            });
        }
        keep_proof(&mut self.proofs, incident);
        Some(IncidentEvent::Updated(Arc::clone(incident)))
    }

    /// Applies the response to a follow-up request about the failed probe that started at `began`
    /// and had the kind `kind` and the verdict `previous`. If the verdict of `diagnosis` is more
    /// certain than `previous`, and neither the same as the incident's verdict nor weaker (see
    /// `is_weaker`), it revises the incident and applies to all failures with the same signature.
    /// Otherwise the facts in the response, `evidence`, are added to the incident. Returns the
    /// change of the incident, if any.
    pub fn revise_with_response(
        &mut self,
        (began, kind, previous): (Timestamp, FailureKind, &Verdict),
        diagnosis: &Diagnosis,
        evidence: &[Evidence],
        now: Timestamp,
    ) -> Option<IncidentEvent> {
        let verdict = diagnosis.verdict.as_ref()?;
        let incident = self.open.as_mut()?;
        let known = &incident.verdict;
        let is_better = verdict.certainty > previous.certainty;
        if is_better && !is_weaker(known, verdict) && !is_same(known, verdict) {
            self.attribution.learn(kind, previous, verdict);
            return self.revise_by(ProofSource::FollowUp, (began, diagnosis), ASKED, now);
        }
        if evidence.is_empty() {
            return None;
        }
        Arc::make_mut(incident).add_evidence(evidence, ASKED.to_owned(), now);
        Some(IncidentEvent::Updated(Arc::clone(incident)))
    }

    /// Applies findings about the target's layers. If the findings did not change the verdict, they
    /// change the incident's cause only if this cause is a layer cause (see [`is_layer_cause`]).
    /// Returns the change of the incident, if any.
    pub fn revise_with_layers(
        &mut self,
        shown: &LayerDiagnosis,
        findings: LayerFindings,
        now: Timestamp,
    ) -> Option<IncidentEvent> {
        let (diagnosis, by_layers) = (&shown.diagnosis, shown.by_layers);
        let verdict = diagnosis.verdict.as_ref()?;
        let outside = shown.outside.verdict.as_ref()?;
        let incident = self.open.as_mut()?;
        let known = Arc::clone(&incident.verdict);
        let earlier = incident.layers.as_deref();
        let moved = earlier.is_none_or(|earlier| earlier.broken() != findings.broken());
        let repeats = earlier.is_some_and(|earlier| earlier.says_same(&findings));
        let revises = match (is_layer_cause(&known.cause), by_layers) {
            (true, true) => moved || verdict.certainty > known.certainty,
            (true, false) => true,
            (false, true) if is_layer_cause(&verdict.cause) => {
                // A cause that later evidence provided is kept if it is at least likely.
                known.cause == outside.cause || known.certainty < Certainty::Likely
            }
            (false, true) => !is_same(&known, verdict) && !is_weaker(&known, verdict),
            (false, false) => false,
        };
        let (summary, findings) = (findings.summary(), Arc::new(findings));
        let changed = Arc::make_mut(incident);
        if revises {
            let note = format!("{}: {summary}", difference(&known, verdict));
            self.attribution.learn(shown.kind, outside, verdict);
            (self.rival, self.unexplained) = (None, 0);
            changed.revise(verdict, &diagnosis.evidence, note, now);
            changed.also = self.attribution.unexplained_by(&verdict.cause);
            changed.layers = Some(findings);
        } else if repeats {
            changed.layers = Some(findings);
            return None;
        } else {
            changed.add_layers(findings, summary, now);
        }
        Some(IncidentEvent::Updated(Arc::clone(incident)))
    }

    /// Adds changes in the AWS account to the open incident, if its id is `id`. A change is a lead,
    /// so the cause and the certainty stay the same. Returns the change of the incident; `None` if
    /// this incident is not open or no account change is new.
    pub fn add_changes(
        &mut self,
        id: &IncidentId,
        found: Vec<AccountChange>,
        now: Timestamp,
    ) -> Option<IncidentEvent> {
        let incident = self.open.as_mut().filter(|open| open.id == *id)?;
        let mut changes = incident.changes.clone();
        if !changes.add(found) {
            return None;
        }
        Arc::make_mut(incident).set_changes(changes, now);
        Some(IncidentEvent::Updated(Arc::clone(incident)))
    }
}

/// Returns whether `known` is corroborated or proven and `verdict` is less certain, so that it must
/// not replace `known`. There are two exceptions: a verdict that is corroborated or proven to have
/// another cause, since it is about a newer failure; and any cause that is at least likely, which
/// replaces a layer cause.
fn is_weaker(known: &Verdict, verdict: &Verdict) -> bool {
    let names_reason = is_layer_cause(&known.cause) && verdict.certainty >= Certainty::Likely;
    let contradicts = verdict.cause != known.cause && verdict.certainty >= Certainty::Corroborated;
    known.certainty >= Certainty::Corroborated
        && verdict.certainty < known.certainty
        && !names_reason
        && !contradicts
}
