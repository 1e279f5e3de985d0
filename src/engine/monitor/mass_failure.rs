//! Opens one incident for all targets when many of them fail at the same time.
//!
//! If the prober itself has a problem (`prober-local`), the failures count for no target.
//! If a group of targets fails, each target keeps its own incident, and one annotation
//! replaces those of their alarms.

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
use crate::io::store::KeptIncident;
use crate::model::observation::Phase;
use crate::model::scope::Scope;
use crate::model::target::TargetName;

/// The maximum number of target names in a group's annotation. An alarm's description has
/// room for fewer.
const NAMES: usize = 100;

impl Monitor {
    /// Opens or closes the incident of the prober itself.
    pub(super) fn prober_changes(&mut self, change: &ProberTransition, now: Timestamp) {
        match change {
            ProberTransition::Started(census) => self.own_trouble_begins(census, now),
            ProberTransition::Ended(census) => self.own_trouble_ends(census, now),
        }
    }

    fn own_trouble_begins(&mut self, census: &ProbeCounts, now: Timestamp) {
        let mut facts = Facts::defaults();
        facts.set_text("phase", census.phase.as_str());
        facts.set_text("vantage", "suspect");
        let diagnosis = self.rulebook.diagnose(&facts);
        let (own, note) = (&mut self.own_incident, census.to_string());
        let event = own.declare(Scope::Prober, &diagnosis, &note, now);
        if let Some(event) = event {
            self.declare(event);
            self.batch.notify(Notification::Trouble(true));
            self.tell_group();
        }
    }

    fn own_trouble_ends(&mut self, census: &ProbeCounts, now: Timestamp) {
        let note = format!("resolved: {census}");
        if let Some(event) = self.own_incident.close(now, &note) {
            self.declare(event);
            self.batch.notify(Notification::Trouble(false));
            self.tell_group();
        }
    }

    /// Counts opened and resolved incidents. Many that open at the same time form a group.
    pub(super) fn count(&mut self, report: &Report, now: Timestamp) {
        let target = &report.target.name;
        match &report.event {
            Some(IncidentEvent::Opened(_)) => {
                let change = self.mass_failure.opened(target, now);
                self.group_changes(change, now);
            }
            Some(IncidentEvent::Resolved(_)) => self.leaves(target, now),
            _ => {}
        }
    }

    /// Removes a target whose incident was resolved from the group.
    pub(super) fn leaves(&mut self, target: &TargetName, now: Timestamp) {
        let change = self.mass_failure.resolved(target);
        self.group_changes(change, now);
    }

    /// Updates the group's incident and annotation.
    pub(super) fn look_at_group(&mut self, now: Timestamp) {
        let change = self.mass_failure.expire(now);
        self.group_changes(change, now);
        if let Some(census) = self.census() {
            let (leading, note) = (&census.leading, census.to_string());
            if let Some(event) = self.group_incident.restate(leading, &note, now) {
                self.declare(event);
            }
        }
        self.tell_group();
    }

    fn group_changes(&mut self, change: Option<mass_failure::GroupTransition>, now: Timestamp) {
        let event = match change {
            Some(mass_failure::GroupTransition::Started) => self.census().and_then(|census| {
                let diagnosis = Diagnosis {
                    outcome: Outcome::Failed,
                    verdict: Some(Arc::clone(&census.leading)),
                    evidence: Vec::new(),
                    error: None,
                };
                let (group, note) = (&mut self.group_incident, census.to_string());
                group.declare(Scope::Group, &diagnosis, &note, now)
            }),
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
            self.tell_group();
        }
    }

    fn census(&self) -> Option<mass_failure::GroupSummary> {
        let members = self.mass_failure.members();
        let watched = members.filter_map(|name| self.targets.get(name));
        let open = watched.filter_map(|watched| watched.incidents.open());
        mass_failure::GroupSummary::of(
            self.mass_failure.since()?,
            open.map(|incident| &incident.verdict),
        )
    }

    /// Sends the annotation that replaces those of the targets' alarms, if it has changed.
    pub(super) fn tell_group(&mut self) {
        let words = self.words();
        if words != self.told_of_group {
            self.told_of_group.clone_from(&words);
            self.batch.notify(Notification::Group(words));
        }
    }

    /// Sends the annotation in any case: the heartbeat alarm may still carry that of the
    /// previous run.
    pub(super) fn tell_first_of_group(&mut self) {
        self.told_of_group = self.words();
        let words = self.told_of_group.clone();
        self.batch.notify(Notification::Group(words));
    }

    /// The annotation to send. A problem of the prober takes precedence, since its view of
    /// the targets is unreliable.
    fn words(&self) -> Option<Annotation> {
        if let Some(own) = self.own_incident.open() {
            let opened = own.history.first().map_or("", |first| first.note.as_str());
            let census = opened.strip_prefix("opened: ").unwrap_or(opened);
            let since = own.opened.strftime("%Y-%m-%d %H:%M:%SZ");
            let census = format!("Since {since} {census}");
            return Some(Annotation::group(&own.verdict, &census, &[]));
        }
        let census = self.census()?;
        let mut names: Vec<&str> = self
            .mass_failure
            .members()
            .map(TargetName::as_str)
            .collect();
        names.sort_unstable();
        names.truncate(NAMES);
        let text = census.to_string();
        Some(Annotation::group(&census.leading, &text, &names))
    }

    /// Resumes an incident of the prober or of a group from the previous run; returns
    /// whether it could.
    pub(super) fn resume_declared(&mut self, kept: &KeptIncident) -> bool {
        let incident = &kept.incident;
        let resumed = Incidents::resumed(Arc::clone(incident));
        match incident.scope {
            Scope::Prober if self.own_incident.open().is_none() => {
                let Some(phase) = phase_of(incident) else {
                    return false;
                };
                self.prober_health = ProberHealth::resumed(phase);
                self.own_incident = resumed;
                self.batch.notify(Notification::Trouble(true));
            }
            Scope::Group if self.group_incident.open().is_none() => {
                let watched = self.targets.iter();
                let open = watched.filter_map(|(name, watched)| {
                    let incident = watched.incidents.open()?;
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

/// The phase in which probes fail during an incident of the prober.
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
