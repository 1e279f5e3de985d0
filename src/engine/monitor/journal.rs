//! The log lines of the monitor: every transition and every change of an incident is one.

use crate::domain::incident::IncidentEvent;
use crate::domain::report::Report;
use crate::io::store::KeptIncident;

/// What one probe changed.
pub(super) fn probe(report: &Report) {
    let name = &report.target.name;
    if let Some(transition) = report.transition {
        let (from, to) = (transition.from.as_str(), transition.to.as_str());
        let verdict = report.showing.as_deref();
        let cause = verdict.map(|verdict| verdict.cause.as_str());
        let certainty = verdict.map(|verdict| verdict.certainty.as_str());
        let incident = report
            .incident
            .as_ref()
            .map(|incident| incident.id.as_str());
        let maintenance = report.maintenance;
        tracing::info!(target = %name, from, to, cause, certainty, incident, maintenance, "health changed");
    }
    if let Some(event) = &report.event {
        incident(event);
    }
    let error = report.diagnosis.error.as_deref();
    tracing::debug!(target = %name, outcome = ?report.diagnosis.outcome, error, "probed");
}

/// What happened to an incident.
pub(super) fn incident(event: &IncidentEvent) {
    let story = event.incident();
    let cause = story.verdict.cause.as_str();
    let certainty = story.verdict.certainty.as_str();
    let note = story.history.last().map(|revision| revision.note.as_str());
    tracing::info!(
        target = %story.scope,
        incident = %story.id,
        cause,
        certainty,
        note,
        "incident {}",
        event.as_str(),
    );
}

/// That an incident of before a restart goes on.
pub(super) fn resumed(kept: &KeptIncident) {
    let story = &kept.incident;
    let cause = story.verdict.cause.as_str();
    let (health, since) = (kept.health.as_str(), kept.since);
    tracing::info!(target = %story.scope, incident = %story.id, cause, health, %since, "incident goes on");
}
