//! Builds the JSON objects of incidents.

use serde_json::{Value, json};

use super::{candidates, evidence, time};
use crate::domain::incident::{AccountChanges, Incident, Proof, Revision};
use crate::model::cause::{CauseId, Hop};

/// Builds the JSON object of an open incident for the JSON object of its target. Omits the name and
/// the layers of the target, because the object of the target contains them. Also omits the
/// history.
pub(super) fn incident_of_target(incident: &Incident) -> Value {
    json!({
        "incident_id": incident.id.as_str(),
        "cause": incident.verdict.cause.as_str(),
        "owner": incident.verdict.owner.as_str(),
        "title": incident.verdict.title,
        "certainty": incident.verdict.certainty.as_str(),
        "candidates": candidates(&incident.verdict),
        "evidence": incident.evidence.iter().map(evidence).collect::<Vec<_>>(),
        "also": incident.also.iter().map(CauseId::as_str).collect::<Vec<_>>(),
        "opened": time(incident.opened),
        "changes": changes(&incident.changes),
        "hop": incident.verdict.hop.map(Hop::as_str),
        "next": incident.verdict.next,
        "proof": incident.proof.as_ref().map(proof),
    })
}

/// Builds the JSON object of a proof.
fn proof(proof: &Proof) -> Value {
    json!({
        "request_id": proof.request_id,
        "time": time(proof.time),
        "source": proof.source.as_str(),
        "statement": proof.statement,
    })
}

/// Builds the JSON object of an incident.
#[must_use]
pub fn incident(incident: &Incident) -> Value {
    json!({
        "incident_id": incident.id.as_str(),
        "target": incident.scope.as_str(),
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
        "hop": incident.verdict.hop.map(Hop::as_str),
        "layers": layers(incident),
        "broken_layer": broken_layer(incident),
        "proof": incident.proof.as_ref().map(proof),
        "changes": changes(&incident.changes),
    })
}

/// Builds the JSON objects of the changes in the AWS account. The changes before the first failure
/// come first, beginning with the latest. The changes during the incident follow.
fn changes(changes: &AccountChanges) -> Vec<Value> {
    let changes = changes.as_slice().iter();
    changes
        .map(|change| {
            json!({
                "time": time(change.time),
                "event": change.event,
                "resource": change.resource,
                "who": change.who,
                "seconds_before": change.seconds_before,
            })
        })
        .collect()
}

/// Returns the states of the layers, outermost first. Returns an empty list if the incident has no
/// results of requests through layers.
pub(super) fn layers(incident: &Incident) -> Vec<Value> {
    let results = incident.layers.iter().flat_map(|found| &found.results);
    results
        .map(|one| {
            json!({
                "name": one.name,
                "state": one.state.as_str(),
                "detail": one.detail,
            })
        })
        .collect()
}

/// Returns the name of the layer at which requests fail, or `None` if that layer is unknown.
pub(super) fn broken_layer(incident: &Incident) -> Option<&str> {
    Some(incident.layers.as_deref()?.broken()?.name)
}

fn revision(revision: &Revision) -> Value {
    json!({
        "time": time(revision.at),
        "cause": revision.cause.as_str(),
        "certainty": revision.certainty.as_str(),
        "note": revision.note,
    })
}
