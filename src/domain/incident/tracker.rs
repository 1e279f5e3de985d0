//! Opens, revises and resolves the incidents of one scope: a target, the prober or a group.
//!
//! A target's incident opens when the target's health is `down` or `degraded`, and resolves when
//! the target is up again. The incident's cause is the cause that explains the recent failures best
//! (`attribution`), so a single deviating probe does not change it. The cause changes if another
//! cause explains two consecutive failures better, or if two consecutive failures do not have the
//! incident's cause as a candidate. It changes at once if a failure is corroborated or proven to
//! have another cause. The certainty is always the one that the newest failures support. The prober
//! itself and a group have no health, so the caller opens and closes their incidents.

mod evidence;

use std::sync::Arc;

use jiff::Timestamp;

use super::attribution::{Attribution, FailureId};
use super::failure_kind::{FailureKind, ResponseMark};
use super::record::{Incident, IncidentEvent, Proof, ProofSource};
use crate::domain::diagnosis::rulebook::Rulebook;
use crate::domain::diagnosis::{Diagnosis, Evidence, Verdict};
use crate::domain::health::HealthState;
use crate::model::cause::{CauseId, Certainty};
use crate::model::scope::Scope;
use crate::model::target::TargetName;

/// The open incident of one scope, if any, and the recent failures that determine its cause.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Incidents {
    open: Option<Arc<Incident>>,
    /// The recent failures and their causes, including failures before the incident opened.
    attribution: Attribution,
    /// A cause that explains the failures better than the cause of the open incident, and the
    /// number of consecutive failures for which this has been the case.
    rival: Option<(CauseId, u32)>,
    /// Number of consecutive failures, up to the newest one, of which the cause of the open
    /// incident is not a candidate.
    unexplained: usize,
    /// The proofs of the causes that the open incident has or had, the most recent first. If the
    /// incident has one of these causes again and it is proven, its proof is restored.
    proofs: Vec<(CauseId, Proof)>,
}

/// The fields of a probe result that incidents depend on.
#[derive(Clone, Copy, Debug)]
pub struct ProbeOutcome<'a> {
    /// The probed target.
    pub target: &'a TargetName,
    /// When the probe started. Later evidence identifies the probe by this time.
    pub began: Timestamp,
    /// The kind of the failure. After a successful probe, it contains only the status and the
    /// number of redirects, and is not used.
    pub kind: FailureKind,
    /// The mark of the response. A failure has the same signature as another one only if their
    /// marks are equal.
    pub mark: ResponseMark,
    /// The request id in the response; `None` if there is none.
    pub request_id: Option<&'a str>,
    /// The diagnosis of the probe.
    pub diagnosis: &'a Diagnosis,
    /// The target's health after the probe.
    pub health: HealthState,
    /// Whether the target is in a maintenance window, in which no incident opens and an open
    /// incident continues.
    pub suppressed: bool,
}

/// The diagnoses of a failed probe with and without the findings about the target's layers.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerDiagnosis {
    /// The kind of the failure.
    pub kind: FailureKind,
    /// The diagnosis with the findings about the layers.
    pub diagnosis: Diagnosis,
    /// The diagnosis without the findings about the layers.
    pub outside: Diagnosis,
    /// Whether the findings changed the verdict; if false, both diagnoses have the same verdict.
    pub by_layers: bool,
}

/// Number of consecutive failures for which another cause must explain the failures better before
/// this cause replaces the incident's cause. One failure is not enough, because two different
/// responses may alternate during one outage.
const OUTCOMES_TO_CHANGE: u32 = 2;

/// Number of consecutive failures after which the incident gives up a cause that is not a candidate
/// of any of these failures.
const FAILURES_TO_GIVE_UP: usize = 2;

/// Maximum number of proofs that are kept for one incident, one for each cause.
const MAX_PROOFS: usize = 4;

impl<'a> ProbeOutcome<'a> {
    /// Returns the evidence of the probe if the probe's own diagnosis has the verdict's cause;
    /// otherwise an empty slice.
    fn evidence_for(&self, verdict: &Verdict) -> &'a [Evidence] {
        if self.diagnosis.cause() == Some(&verdict.cause) {
            &self.diagnosis.evidence
        } else {
            &[]
        }
    }

    /// Returns the proof that the probe itself provides; `None` if it does not prove the cause of
    /// `verdict`.
    fn proof_of(&self, verdict: &Verdict) -> Option<Proof> {
        let own = self.diagnosis.verdict.as_ref()?;
        let proves = own.certainty == Certainty::Proven && own.cause == verdict.cause;
        proves.then(|| Proof {
            request_id: self.request_id.map(str::to_owned),
            time: self.began,
            source: ProofSource::Probe,
            statement: self.diagnosis.error.clone().unwrap_or_default(),
        })
    }
}

impl Incidents {
    /// Resumes an incident that was open before a restart. Its earlier failures are not known, so
    /// its verdict is kept until new failures outweigh it.
    #[must_use]
    pub fn resumed(incident: Arc<Incident>) -> Self {
        Self {
            attribution: Attribution::resumed(&incident),
            open: Some(incident),
            rival: None,
            unexplained: 0,
            proofs: Vec::new(),
        }
    }

    /// Returns the open incident; `None` if no incident is open.
    #[must_use]
    pub const fn open(&self) -> Option<&Arc<Incident>> {
        self.open.as_ref()
    }

    /// Applies the result of one probe. Returns the change of the incident, if any.
    pub fn apply(
        &mut self,
        outcome: ProbeOutcome<'_>,
        rulebook: &Rulebook,
        now: Timestamp,
    ) -> Option<IncidentEvent> {
        let Some(verdict) = &outcome.diagnosis.verdict else {
            if outcome.health == HealthState::Up {
                self.attribution.clear();
                return self.close(now, "up again");
            }
            return None;
        };
        let id = FailureId {
            began: outcome.began,
            kind: outcome.kind,
            mark: outcome.mark,
            request_id: outcome.request_id,
        };
        self.attribution.add(id, verdict);
        let Some(mut incident) = self.open.take() else {
            let opens = matches!(outcome.health, HealthState::Down | HealthState::Degraded);
            if !opens || outcome.suppressed {
                return None;
            }
            self.settle();
            let (scope, best) = (Scope::Target(outcome.target.clone()), self.best(rulebook)?);
            // The newest failure may already contradict the cause of the failures before it.
            self.unexplained = usize::from(!self.attribution.newest_allows(&best.cause));
            let evidence = outcome.evidence_for(&best);
            let mut incident = Incident::open(scope, &best, evidence, "opened".to_owned(), now);
            incident.proof = outcome.proof_of(&best);
            let mut incident = Arc::new(incident);
            keep_proof(&mut self.proofs, &mut incident);
            return Some(IncidentEvent::Opened(self.keep_open(incident)));
        };
        let changed = self.reconsider(&mut incident, &outcome, rulebook, now);
        if incident.proof.is_none()
            && let Some(proof) = outcome.proof_of(&incident.verdict)
        {
            Arc::make_mut(&mut incident).proof = Some(proof);
        }
        keep_proof(&mut self.proofs, &mut incident);
        let incident = self.keep_open(incident);
        changed.then_some(IncidentEvent::Updated(incident))
    }

    /// Opens an incident that does not follow from the health of a single target. Returns the
    /// change; `None` if an incident is already open or the diagnosis has no verdict.
    pub fn declare(
        &mut self,
        scope: Scope,
        diagnosis: &Diagnosis,
        note: &str,
        now: Timestamp,
    ) -> Option<IncidentEvent> {
        let verdict = diagnosis.verdict.as_ref()?;
        if self.open.is_some() {
            return None;
        }
        let note = format!("opened: {note}");
        let incident = Incident::open(scope, verdict, &diagnosis.evidence, note, now);
        Some(IncidentEvent::Opened(self.keep_open(incident.into())))
    }

    /// Changes the cause of an incident that was opened by [`Self::declare`]. Returns the change;
    /// `None` if the cause and certainty stay the same or no incident is open.
    pub fn update_cause(
        &mut self,
        verdict: &Arc<Verdict>,
        note: &str,
        now: Timestamp,
    ) -> Option<IncidentEvent> {
        let incident = self.open.as_mut()?;
        let known = &incident.verdict;
        if is_same(known, verdict) {
            return None;
        }
        let note = format!("{}: {note}", difference(known, verdict));
        Arc::make_mut(incident).revise(verdict, &[], note, now);
        Some(IncidentEvent::Updated(Arc::clone(incident)))
    }

    /// Resolves the open incident, for example because its target was removed. `note` is the
    /// reason. Returns the change; `None` if no incident is open.
    pub fn close(&mut self, now: Timestamp, note: &str) -> Option<IncidentEvent> {
        let mut incident = self.open.take()?;
        self.settle();
        self.proofs.clear();
        Arc::make_mut(&mut incident).resolve(note.to_owned(), now);
        Some(IncidentEvent::Resolved(incident))
    }

    fn keep_open(&mut self, incident: Arc<Incident>) -> Arc<Incident> {
        self.open = Some(Arc::clone(&incident));
        incident
    }

    /// Resets the counts of failures that contradict the cause of the incident.
    fn settle(&mut self) {
        self.rival = None;
        self.unexplained = 0;
    }

    /// Returns the verdict of the newest failure if this verdict is corroborated or proven.
    /// Otherwise returns a verdict with the cause that explains the failures best; `None` if there
    /// is no such cause. The certainty is not higher than the newest failures support.
    fn best(&self, rulebook: &Rulebook) -> Option<Arc<Verdict>> {
        let newest = self.attribution.newest();
        if let Some(newest) = newest.filter(|one| one.certainty >= Certainty::Corroborated) {
            return Some(Arc::clone(newest));
        }
        let cause = self.attribution.leader()?;
        let Some(verdict) = self.attribution.verdict_of(cause) else {
            // A cause may explain all failures best although it is not the probable cause of any
            // single failure. In this case, the rule book provides the verdict.
            let candidates = self.attribution.candidates();
            return rulebook.verdict_of(cause, candidates).map(Arc::new);
        };
        Some(with_certainty(verdict, self.attribution.supported(cause)))
    }

    /// Revises the open incident if another cause has explained the failures better for
    /// [`OUTCOMES_TO_CHANGE`] consecutive failures, or if the incident's cause has become more
    /// certain. Returns whether the cause or its certainty changed.
    fn reconsider(
        &mut self,
        incident: &mut Arc<Incident>,
        outcome: &ProbeOutcome<'_>,
        rulebook: &Rulebook,
        now: Timestamp,
    ) -> bool {
        let known = Arc::clone(&incident.verdict);
        let gives_up = self.gives_up(&known.cause);
        let Some(mut best) = self.best(rulebook) else {
            return false;
        };
        let changed = if best.cause == known.cause {
            self.rival = None;
            best.certainty != known.certainty
        } else if gives_up || self.is_outweighed_by(&best.cause) {
            true
        } else {
            // The cause stays for now, but its certainty is lowered to what the newest failures
            // support.
            best = with_certainty(&known, self.attribution.supported(&known.cause));
            best.certainty < known.certainty
        };
        if changed {
            let (note, mut evidence) = (difference(&known, &best), outcome.evidence_for(&best));
            let kept = Arc::clone(&incident.evidence);
            let own = outcome.diagnosis.verdict.as_ref();
            if best.cause == known.cause && own.is_none_or(|own| !is_same(own, &best)) {
                // The probe itself does not show this certainty, so its evidence does not replace
                // the evidence for the cause.
                evidence = &kept;
            }
            Arc::make_mut(incident).revise(&best, evidence, note, now);
            if best.cause != known.cause {
                self.settle();
            }
        }
        // The unexplained causes may change with each probe, so such a change alone does not count
        // as an update of the incident.
        let also = self.attribution.unexplained_by(&incident.verdict.cause);
        if incident.also != also {
            Arc::make_mut(incident).also = also;
        }
        changed
    }

    /// Returns whether the newest failures contradict the cause of the incident: the newest one is
    /// corroborated or proven to have another cause, or the incident's cause is not a candidate of
    /// any of the newest [`FAILURES_TO_GIVE_UP`] failures. If so, drops the older failures.
    fn gives_up(&mut self, cause: &CauseId) -> bool {
        let Some(newest) = self.attribution.newest() else {
            return false;
        };
        if newest.cause != *cause && newest.certainty >= Certainty::Corroborated {
            self.attribution.keep_newest(1);
            return true;
        }
        if self.attribution.newest_allows(cause) {
            self.unexplained = 0;
        } else {
            self.unexplained += 1;
        }
        let gives_up = self.unexplained >= FAILURES_TO_GIVE_UP;
        if gives_up {
            self.attribution.keep_newest(self.unexplained);
        }
        gives_up
    }

    /// Counts the consecutive failures for which `cause` explains the failures better than the
    /// cause of the incident. Returns whether they are enough to change the cause.
    fn is_outweighed_by(&mut self, cause: &CauseId) -> bool {
        let in_a_row = match self.rival.take() {
            Some((rival, count)) if rival == *cause => count + 1,
            _ => 1,
        };
        if in_a_row < OUTCOMES_TO_CHANGE {
            self.rival = Some((cause.clone(), in_a_row));
        }
        in_a_row >= OUTCOMES_TO_CHANGE
    }
}

/// Stores the proof of the incident's cause in `proofs`. If the cause is proven but the incident
/// has no proof, restores the stored proof of this cause.
fn keep_proof(proofs: &mut Vec<(CauseId, Proof)>, incident: &mut Arc<Incident>) {
    let cause = incident.verdict.cause.clone();
    if let Some(proof) = incident.proof.clone() {
        proofs.retain(|(known, _)| *known != cause);
        proofs.truncate(MAX_PROOFS - 1);
        proofs.insert(0, (cause, proof));
    } else if incident.verdict.certainty == Certainty::Proven
        && let Some((_, proof)) = proofs.iter().find(|(known, _)| *known == cause)
    {
        Arc::make_mut(incident).proof = Some(proof.clone());
    }
}

/// Returns the verdict, with its certainty lowered to `certainty` if it was higher.
fn with_certainty(verdict: &Arc<Verdict>, certainty: Certainty) -> Arc<Verdict> {
    if verdict.certainty <= certainty {
        return Arc::clone(verdict);
    }
    Arc::new(Verdict {
        certainty,
        ..Verdict::clone(verdict)
    })
}

fn is_same(known: &Verdict, verdict: &Verdict) -> bool {
    known.cause == verdict.cause && known.certainty == verdict.certainty
}

/// Returns a one-line description of the change from `known` to `verdict`.
fn difference(known: &Verdict, verdict: &Verdict) -> String {
    let certainty = format!("{} → {}", known.certainty, verdict.certainty);
    if known.cause == verdict.cause {
        return certainty;
    }
    let causes = format!("{} → {}", known.cause, verdict.cause);
    if known.certainty == verdict.certainty {
        causes
    } else {
        format!("{causes} ({certainty})")
    }
}
