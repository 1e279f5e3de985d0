//! Opens one incident for the prober or for a group of targets when many targets fail at the same
//! time.
//!
//! If the prober itself has a problem (the cause `prober-local`), failures caused by this problem
//! open no incidents of targets. If a group of targets fails, each target keeps its own incident,
//! and the heartbeat alarm is annotated instead of the targets' alarms.

use std::sync::Arc;

use jiff::Timestamp;

use super::Monitor;
use super::notification::Notification;
use crate::domain::alarm::annotation::Annotation;
use crate::domain::diagnosis::fact::{FactValue, Facts};
use crate::domain::diagnosis::{Diagnosis, Outcome};
use crate::domain::incident::{Incident, IncidentEvent, Incidents};
use crate::domain::mass_failure::{self, MassFailure};
use crate::domain::prober_health::{ProbeCounts, ProberHealth, ProberTransition};
use crate::domain::report::Report;
use crate::io::store::StoredIncident;
use crate::model::observation::Phase;
use crate::model::scope::Scope;
use crate::model::target::TargetName;

/// Maximum number of target names in a group's annotation. More names of usual length do not fit in
/// the description of an alarm.
const MAX_NAMES: usize = 100;

impl Monitor {
    /// Opens or closes the incident of the prober itself.
    pub(super) fn apply_prober_transition(&mut self, change: &ProberTransition, now: Timestamp) {
        match change {
            ProberTransition::Started(counts) => self.open_prober_incident(counts, now),
            ProberTransition::Ended(counts) => self.close_prober_incident(counts, now),
        }
    }

    fn open_prober_incident(&mut self, counts: &ProbeCounts, now: Timestamp) {
        let mut facts = Facts::defaults();
        facts.set_text("phase", counts.phase.as_str());
        facts.set_text("vantage", "suspect");
        let diagnosis = self.rulebook.diagnose(&facts);
        let (own, note) = (&mut self.prober_incident, counts.to_string());
        let event = own.declare(Scope::Prober, &diagnosis, &note, now);
        if let Some(event) = event {
            self.declare(event);
            self.batch.notify(Notification::ProberProblem(true));
            self.publish_annotation();
        }
    }

    fn close_prober_incident(&mut self, counts: &ProbeCounts, now: Timestamp) {
        let note = format!("resolved: {counts}");
        if let Some(event) = self.prober_incident.close(now, &note) {
            self.declare(event);
            self.batch.notify(Notification::ProberProblem(false));
            self.publish_annotation();
        }
    }

    /// Counts the incident that the reported probe opened or resolved. Many incidents that open at
    /// the same time form a group.
    pub(super) fn count_incident(&mut self, report: &Report, now: Timestamp) {
        let target = &report.target.name;
        match &report.event {
            Some(IncidentEvent::Opened(_)) => {
                let change = self.mass_failure.opened(target, now);
                self.apply_group_transition(change, now);
            }
            Some(IncidentEvent::Resolved(_)) => self.leave_group(target, now),
            _ => {}
        }
    }

    /// Removes a target from the group after its incident was resolved.
    pub(super) fn leave_group(&mut self, target: &TargetName, now: Timestamp) {
        let change = self.mass_failure.resolved(target);
        self.apply_group_transition(change, now);
    }

    /// Dissolves the group if it has expired; otherwise, updates its incident. Publishes the
    /// annotation if the annotation has changed.
    pub(super) fn update_group(&mut self, now: Timestamp) {
        let change = self.mass_failure.expire(now);
        self.apply_group_transition(change, now);
        if let Some(summary) = self.group_summary() {
            let (leading, note) = (&summary.leading, summary.to_string());
            if let Some(event) = self.group_incident.update_cause(leading, &note, now) {
                self.declare(event);
            }
        }
        self.publish_annotation();
    }

    fn apply_group_transition(
        &mut self,
        change: Option<mass_failure::GroupTransition>,
        now: Timestamp,
    ) {
        let event = match change {
            Some(mass_failure::GroupTransition::Started) => {
                self.group_summary().and_then(|summary| {
                    let diagnosis = Diagnosis {
                        outcome: Outcome::Failed,
                        verdict: Some(Arc::clone(&summary.leading)),
                        evidence: Vec::new(),
                        error: None,
                    };
                    let (group, note) = (&mut self.group_incident, summary.to_string());
                    group.declare(Scope::Group, &diagnosis, &note, now)
                })
            }
            Some(mass_failure::GroupTransition::Ended(left)) => {
                let note = format!(
                    "the group has dissolved; {left} of its targets still fail individually"
                );
                self.group_incident.close(now, &note)
            }
            None => None,
        };
        if let Some(event) = event {
            self.declare(event);
            self.publish_annotation();
        }
    }

    fn group_summary(&self) -> Option<mass_failure::GroupSummary> {
        let members = self.mass_failure.members();
        let states = members.filter_map(|name| self.targets.get(name));
        let open = states.filter_map(|state| state.incidents.open());
        mass_failure::GroupSummary::of(
            self.mass_failure.since()?,
            open.map(|incident| &incident.verdict),
        )
    }

    /// Publishes the annotation of the prober or of the group if the annotation has changed.
    pub(super) fn publish_annotation(&mut self) {
        let annotation = self.annotation();
        if annotation != self.published_annotation {
            self.published_annotation.clone_from(&annotation);
            self.batch.notify(Notification::Group(annotation));
        }
    }

    /// Publishes the annotation even if it has not changed, because the heartbeat alarm may still
    /// contain the annotation of the previous run.
    pub(super) fn publish_initial_annotation(&mut self) {
        self.published_annotation = self.annotation();
        let annotation = self.published_annotation.clone();
        self.batch.notify(Notification::Group(annotation));
    }

    /// Returns the annotation of the prober or of the group, or `None` if neither has an open
    /// incident. The prober has precedence, because a problem of the prober makes results of
    /// targets unreliable.
    fn annotation(&self) -> Option<Annotation> {
        if let Some(own) = self.prober_incident.open() {
            let opened = own.history.first().map_or("", |first| first.note.as_str());
            let summary = opened.strip_prefix("opened: ").unwrap_or(opened);
            let since = own.opened.strftime("%Y-%m-%d %H:%M:%SZ");
            let summary = format!("Since {since} {summary}");
            return Some(Annotation::group(&own.verdict, &summary, &[]));
        }
        let summary = self.group_summary()?;
        let mut names: Vec<&str> = self
            .mass_failure
            .members()
            .map(TargetName::as_str)
            .collect();
        names.sort_unstable();
        names.truncate(MAX_NAMES);
        let text = summary.to_string();
        Some(Annotation::group(&summary.leading, &text, &names))
    }

    /// Resumes an incident of the prober or of a group from the previous run. Returns whether the
    /// incident was resumed.
    pub(super) fn resume_declared(&mut self, kept: &StoredIncident) -> bool {
        let incident = &kept.incident;
        let resumed = Incidents::resumed(Arc::clone(incident));
        match incident.scope {
            Scope::Prober if self.prober_incident.open().is_none() => {
                let Some(phase) = phase_of(incident) else {
                    return false;
                };
                self.prober_health = ProberHealth::resumed(phase);
                self.prober_incident = resumed;
                self.batch.notify(Notification::ProberProblem(true));
            }
            Scope::Group if self.group_incident.open().is_none() => {
                let states = self.targets.iter();
                let open = states.filter_map(|(name, state)| {
                    let incident = state.incidents.open()?;
                    Some((name, incident.opened))
                });
                self.mass_failure = MassFailure::resumed(incident.opened, open);
                self.group_incident = resumed;
            }
            _ => return false,
        }
        self.batch.notify(Notification::Resumed(kept.clone()));
        true
    }
}

/// Returns the phase in which probes fail during an incident of the prober, or `None` if the
/// evidence of the incident contains no valid phase.
fn phase_of(incident: &Incident) -> Option<Phase> {
    let phase = incident
        .evidence
        .iter()
        .find(|known| known.fact == "phase")?;
    let FactValue::Text(text) = &phase.value else {
        return None;
    };
    Phase::parse(text)
}
