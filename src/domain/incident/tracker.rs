//! Opens, revises and resolves the incidents of one scope: a target, the prober or a group.
//!
//! A target's incident opens when the target's health is `down` or `degraded`, and resolves when
//! the target is up again. The incident's cause is the cause that explains the recent failures best
//! (`attribution`), so a single deviating probe does not change it. A group and the prober itself
//! have no [`HealthState`], so the caller opens and closes their incidents.

use std::sync::Arc;

use jiff::Timestamp;

use super::attribution::Attribution;
use super::failure_kind::FailureKind;
use super::record::{ASKED, Incident, IncidentEvent};
use crate::domain::diagnosis::rulebook::Rulebook;
use crate::domain::diagnosis::{Diagnosis, Evidence, Verdict};
use crate::domain::health::HealthState;
use crate::domain::layers::{LayerFindings, is_layer_cause};
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
        self.attribution.add(outcome.began, outcome.kind, verdict);
        let Some(mut incident) = self.open.take() else {
            let opens = matches!(outcome.health, HealthState::Down | HealthState::Degraded);
            if !opens || outcome.suppressed {
                return None;
            }
            self.rival = None;
            let (scope, best) = (Scope::Target(outcome.target.clone()), self.best(rulebook)?);
            let evidence = outcome.evidence_for(&best);
            let incident = Incident::open(scope, &best, evidence, "opened".to_owned(), now);
            return Some(IncidentEvent::Opened(self.keep_open(incident.into())));
        };
        let changed = self.reconsider(&mut incident, &outcome, rulebook, now);
        let incident = self.keep_open(incident);
        changed.then_some(IncidentEvent::Updated(incident))
    }

    /// Applies `diagnosis`, a new diagnosis of the probe that started at `began`. It takes later
    /// evidence into account, which `summary` describes. Such evidence is about this probe or its
    /// metric window, so one update can change the cause, without waiting for `OUTCOMES_TO_CHANGE`
    /// failures. Returns the change of the incident, if any.
    pub fn revise_with(
        &mut self,
        began: Timestamp,
        diagnosis: &Diagnosis,
        summary: &str,
        now: Timestamp,
    ) -> Option<IncidentEvent> {
        let verdict = diagnosis.verdict.as_ref()?;
        self.attribution.replace(began, verdict);
        let incident = self.open.as_mut()?;
        let known = &incident.verdict;
        if is_same(known, verdict) || is_weaker(known, verdict) {
            return None;
        }
        let note = format!("{}: {summary}", difference(known, verdict));
        self.rival = None;
        let revised = Arc::make_mut(incident);
        revised.revise(verdict, &diagnosis.evidence, note, now);
        revised.also = self.attribution.unexplained_by(&verdict.cause);
        Some(IncidentEvent::Updated(Arc::clone(incident)))
    }

    /// Applies the response to a follow-up request about a failed probe, which started at `began`
    /// and had the kind `kind` and the verdict `previous`. `diagnosis` is the diagnosis with the
    /// response, and `evidence` contains the facts in the response.
    ///
    /// The verdict of `diagnosis` replaces the incident's verdict if it is more certain than
    /// `previous`, differs from the incident's verdict, and is certain enough to replace the
    /// incident's verdict. In this case, it also applies to all failures with the same signature
    /// (kind, hop and candidate causes). In all other cases, `evidence` is added to the incident.
    /// Returns the change of the incident, if any.
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
            return self.revise_with(began, diagnosis, ASKED, now);
        }
        if evidence.is_empty() {
            return None;
        }
        Arc::make_mut(incident).add_evidence(evidence, ASKED.to_owned(), now);
        Some(IncidentEvent::Updated(Arc::clone(incident)))
    }

    /// Applies findings about the target's layers. If the findings did not change the verdict, they
    /// change the incident's cause only if this cause names only a layer, not why the layer fails.
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
                // If other evidence has made another cause at least likely, that other cause is
                // kept.
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
            self.rival = None;
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
        self.rival = None;
        Arc::make_mut(&mut incident).resolve(note.to_owned(), now);
        Some(IncidentEvent::Resolved(incident))
    }

    fn keep_open(&mut self, incident: Arc<Incident>) -> Arc<Incident> {
        self.open = Some(Arc::clone(&incident));
        incident
    }

    /// Returns a verdict with the cause that explains the failures best; `None` without failures,
    /// or if no verdict and no rule has this cause.
    fn best(&self, rulebook: &Rulebook) -> Option<Arc<Verdict>> {
        let cause = self.attribution.leader()?;
        // A cause may explain all failures best although it is not the probable cause of any single
        // failure. In this case, the rule book provides the verdict.
        let named = || {
            rulebook
                .verdict_of(cause, self.attribution.candidates())
                .map(Arc::new)
        };
        self.attribution.verdict_of(cause).cloned().or_else(named)
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
        let Some(best) = self.best(rulebook) else {
            return false;
        };
        let known = Arc::clone(&incident.verdict);
        let mut changed = false;
        if best.cause == known.cause {
            self.rival = None;
            changed = best.certainty > known.certainty;
        } else {
            let in_a_row = match self.rival.take() {
                Some((cause, count)) if cause == best.cause => count + 1,
                _ => 1,
            };
            if in_a_row < OUTCOMES_TO_CHANGE {
                self.rival = Some((best.cause.clone(), in_a_row));
            } else {
                changed = true;
            }
        }
        if changed {
            let (note, evidence) = (difference(&known, &best), outcome.evidence_for(&best));
            Arc::make_mut(incident).revise(&best, evidence, note, now);
        }
        // The unexplained causes may change with each probe, so such a change alone does not count
        // as an update of the incident.
        let also = self.attribution.unexplained_by(&incident.verdict.cause);
        if incident.also != also {
            Arc::make_mut(incident).also = also;
        }
        changed
    }
}

/// Returns whether `verdict` must not replace `known`, because `known` is corroborated or proven
/// and `verdict` is less certain. As an exception, returns `false` if the cause of `known` names
/// only a layer and `verdict` is at least likely.
fn is_weaker(known: &Verdict, verdict: &Verdict) -> bool {
    let names_reason = is_layer_cause(&known.cause) && verdict.certainty >= Certainty::Likely;
    known.certainty >= Certainty::Corroborated
        && verdict.certainty < known.certainty
        && !names_reason
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
