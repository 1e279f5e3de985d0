//! Writes the log lines of the monitor: one for each change of a target's health or of an incident
//! and, at level debug, one for each probe.

use crate::domain::incident::IncidentEvent;
use crate::domain::report::Report;
use crate::io::store::StoredIncident;
use crate::model::target::shown_url;

/// Logs the change of health and the change of the incident that a probe caused, if any. At level
/// debug, also logs the probe itself.
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
        tracing::info!(
            target = %name,
            from,
            to,
            cause,
            certainty,
            incident,
            maintenance,
            "health changed"
        );
    }
    if let Some(event) = &report.event {
        incident(event, Some(report));
    }
    let error = report.diagnosis.error.as_deref();
    tracing::debug!(target = %name, outcome = ?report.diagnosis.outcome, error, "target probed");
}

/// Logs that an incident was opened, updated or resolved. If the probe of `report` opened the
/// incident, also logs the URL and the error of the probe.
pub(super) fn incident(event: &IncidentEvent, report: Option<&Report>) {
    let incident = event.incident();
    let cause = incident.verdict.cause.as_str();
    let certainty = incident.verdict.certainty.as_str();
    let opened = matches!(event, IncidentEvent::Opened(_));
    let note = incident.history.last();
    let note = note.map(|revision| revision.note.as_str());
    // The first note of a target's incident is `opened`, which the message already says.
    let note = note.filter(|note| *note != "opened");
    let opening = report.filter(|_| opened);
    let url = opening.map(|report| shown_url(&report.target.url));
    let error = opening.and_then(|report| report.diagnosis.error.as_deref());
    tracing::info!(
        target = %incident.scope,
        incident = %incident.id,
        cause,
        certainty,
        url,
        error,
        note,
        "incident {}",
        event.as_str(),
    );
}

/// Logs that an open incident of the previous run was resumed.
pub(super) fn resumed(kept: &StoredIncident) {
    let incident = &kept.incident;
    let cause = incident.verdict.cause.as_str();
    let (health, since) = (kept.health.as_str(), kept.since);
    tracing::info!(
        target = %incident.scope,
        incident = %incident.id,
        cause,
        health,
        %since,
        "incident resumed"
    );
}
