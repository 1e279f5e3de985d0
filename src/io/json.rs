//! The JSON that users and programs read (design.md 5 "Contracts"), in one place.
//!
//! The core knows no serialisation; this file mirrors its types into the published
//! shape, for the command line, the API and the page alike. Keys are only ever added;
//! what is absent is `null`; seconds are numbers; times are RFC 3339 with milliseconds.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::diagnosis::fact::FactValue;
use crate::domain::diagnosis::{Diagnosis, Evidence, Outcome, Verdict};
use crate::domain::health::HealthState;
use crate::domain::incident::{Incident, Revision};
use crate::domain::report::{CauseInfo, Report};
use crate::io::store::KeptIncident;
use crate::model::cause::CauseId;
use crate::model::observation::{Observation, Phase, Phases};
use crate::model::target::{Target, shown_url};

/// What a result object is made from, wherever it comes from.
#[derive(Clone, Copy, Debug)]
pub struct ResultParts<'a> {
    /// The target's name, or the URL for a transcript.
    pub target: &'a str,
    /// The daemon's location; absent for a transcript.
    pub location: Option<&'a str>,
    /// What was seen.
    pub observation: &'a Observation,
    /// Whether `observation.started` is known (a transcript may carry no date).
    pub dated: bool,
    /// What it means.
    pub diagnosis: &'a Diagnosis,
    /// The incident it belongs to.
    pub incident_id: Option<&'a str>,
}

/// The result object of the contract.
#[must_use]
pub fn result(parts: ResultParts<'_>) -> Value {
    let ResultParts {
        observation,
        diagnosis,
        ..
    } = parts;
    let verdict = diagnosis.verdict.as_deref();
    json!({
        "time": parts.dated.then(|| time(observation.started)),
        "target": parts.target,
        "location": parts.location,
        "success": diagnosis.outcome != Outcome::Failed,
        "status": observation.response.as_ref().map(|response| response.status),
        "duration_seconds": seconds(observation.duration),
        "phases": phases(&observation.phases),
        "cause": verdict.map(|verdict| verdict.cause.as_str()),
        "owner": verdict.map(|verdict| verdict.owner.as_str()),
        "certainty": verdict.map(|verdict| verdict.certainty.as_str()),
        "candidates": verdict.map_or_else(Vec::new, candidates),
        "evidence": diagnosis.evidence.iter().map(evidence).collect::<Vec<_>>(),
        "request_id": observation.request_id(),
        "error": diagnosis.error,
        "incident_id": parts.incident_id,
        "next": verdict.map_or(&[][..], |verdict| &verdict.next),
        "title": verdict.map(|verdict| verdict.title.as_str()),
        "url": observation.final_url,
        "remote": observation.remote.map(|address| address.to_string()),
        "own_lag_seconds": own_lag(observation),
    })
}

/// A target of the API: the result object plus `health` and `since`. While an incident is
/// open, cause and evidence are the incident's: what is known of the outage is more than
/// what its newest probe shows.
#[must_use]
pub fn target(report: &Report) -> Value {
    let mut diagnosis = Cow::Borrowed(&*report.diagnosis);
    if let Some(incident) = &report.incident
        && incident.resolved.is_none()
        && diagnosis.outcome != Outcome::Passed
    {
        let known = diagnosis.to_mut();
        known.verdict = Some(Arc::clone(&incident.verdict));
        if !incident.evidence.is_empty() {
            known.evidence = incident.evidence.to_vec();
        }
    }
    let mut object = result(ResultParts {
        target: report.target.name.as_str(),
        location: Some(&report.location),
        observation: &report.observation,
        dated: true,
        diagnosis: &diagnosis,
        incident_id: report
            .incident
            .as_ref()
            .map(|incident| incident.id.as_str()),
    });
    object["health"] = json!(report.health.as_str());
    object["since"] = json!(time(report.since));
    object["maintenance"] = json!(report.maintenance);
    object["probable_cause"] = json!(
        report
            .showing
            .as_ref()
            .map(|verdict| verdict.cause.as_str())
    );
    object["labels"] = json!(report.target.labels);
    object
}

/// A target that has not been probed yet: the same keys, with nothing known but what is
/// from before a restart.
#[must_use]
pub fn unprobed(target: &Target, location: &str, resumed: Option<&KeptIncident>) -> Value {
    let mut object = json!({
        "time": null,
        "target": target.name.as_str(),
        "location": location,
        "success": null,
        "status": null,
        "duration_seconds": null,
        "phases": phases(&Phases::default()),
        "cause": null,
        "owner": null,
        "certainty": null,
        "candidates": [],
        "evidence": [],
        "request_id": null,
        "error": null,
        "incident_id": null,
        "next": [],
        "title": null,
        "url": shown_url(&target.url),
        "remote": null,
        "own_lag_seconds": null,
        "health": HealthState::Unknown.as_str(),
        "since": null,
        "maintenance": null,
        "probable_cause": null,
        "labels": target.labels,
    });
    if let Some(kept) = resumed {
        let (incident, verdict) = (&kept.incident, &kept.incident.verdict);
        object["cause"] = json!(verdict.cause.as_str());
        object["owner"] = json!(verdict.owner.as_str());
        object["certainty"] = json!(verdict.certainty.as_str());
        object["candidates"] = json!(candidates(verdict));
        object["evidence"] = incident.evidence.iter().map(evidence).collect();
        object["incident_id"] = json!(incident.id.as_str());
        object["next"] = json!(verdict.next);
        object["title"] = json!(verdict.title);
        object["health"] = json!(kept.health.as_str());
        object["since"] = json!(time(kept.since));
        object["probable_cause"] = json!(verdict.cause.as_str());
    }
    object
}

/// A cause of the API.
#[must_use]
pub fn cause(info: &CauseInfo) -> Value {
    json!({
        "cause": info.cause.as_str(),
        "title": info.title,
        "owner": info.owner.as_str(),
        "next": info.next,
        "see": info.see,
    })
}

/// An incident of the API.
#[must_use]
pub fn incident(incident: &Incident) -> Value {
    json!({
        "incident_id": incident.id.as_str(),
        "target": incident.target.as_str(),
        "cause": incident.verdict.cause.as_str(),
        "owner": incident.verdict.owner.as_str(),
        "certainty": incident.verdict.certainty.as_str(),
        "opened": time(incident.opened),
        "resolved": incident.resolved.map(time),
        "history": incident.history.iter().map(revision).collect::<Vec<_>>(),
        "title": incident.verdict.title,
        "candidates": candidates(&incident.verdict),
        "also": incident.also.iter().map(CauseId::as_str).collect::<Vec<_>>(),
        "evidence": incident.evidence.iter().map(evidence).collect::<Vec<_>>(),
        "next": incident.verdict.next,
    })
}

fn candidates(verdict: &Verdict) -> Vec<Value> {
    let candidates = verdict.candidates.iter();
    candidates
        .map(|candidate| {
            json!({
                "cause": candidate.cause.as_str(),
                "share": rounded(candidate.share, 4),
            })
        })
        .collect()
}

/// By how much the times may be too long because of us; absent where it does not matter.
fn own_lag(observation: &Observation) -> Option<f64> {
    (!observation.own_lag.is_zero()).then(|| seconds(observation.own_lag))
}

/// A time as RFC 3339 with milliseconds.
#[must_use]
pub fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Seconds as a number, to the microsecond: finer digits are noise.
#[must_use]
pub fn seconds(time: Duration) -> f64 {
    rounded(time.as_secs_f64(), 6)
}

fn phases(phases: &Phases) -> Value {
    Phase::ALL
        .into_iter()
        .map(|phase| {
            (
                phase.as_str().to_owned(),
                json!(phases.get(phase).map(seconds)),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn evidence(evidence: &Evidence) -> Value {
    let value = match &evidence.value {
        FactValue::Text(text) => json!(text),
        FactValue::Number(number) => json!(rounded(*number, 6)),
    };
    json!({ "fact": evidence.fact, "value": value })
}

fn revision(revision: &Revision) -> Value {
    json!({
        "time": time(revision.at),
        "cause": revision.cause.as_str(),
        "certainty": revision.certainty.as_str(),
        "note": revision.note,
    })
}

fn rounded(number: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (number * scale).round() / scale
}

#[cfg(test)]
mod tests;
