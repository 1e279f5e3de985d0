//! The JSON documents in which the store saves incidents and baselines.
//!
//! The documents have their own types, so that renaming a field elsewhere does not make saved state
//! unreadable. Keys are only ever added, and every added key has a default value.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::baseline::BaselineSnapshot;
use crate::domain::diagnosis::fact::FactValue;
use crate::domain::diagnosis::{Candidate, Evidence, Verdict};
use crate::domain::health::HealthState;
use crate::domain::incident::{Incident, IncidentId, Proof, ProofSource, Revision};
use crate::domain::layers::{LayerFindings, LayerResult, LayerState};
use crate::io::store::change_document::{self, ChangeDocument};
use crate::io::store::good_document::GoodDocument;
use crate::io::store::row::StoredIncident;
use crate::model::cause::{CauseId, Certainty, Hop, Owner};
use crate::model::scope::Scope;

/// The JSON document of a [`StoredIncident`]: an incident, the location of the daemon that saved
/// it, and the health of its target.
#[derive(Serialize, Deserialize)]
pub(super) struct IncidentDocument {
    id: String,
    location: String,
    target: String,
    verdict: VerdictDocument,
    #[serde(default)]
    evidence: Vec<(String, ValueDocument)>,
    #[serde(default)]
    also: Vec<String>,
    opened: Timestamp,
    resolved: Option<Timestamp>,
    #[serde(default)]
    history: Vec<RevisionDocument>,
    health: String,
    since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layers: Option<LayersDocument>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<ProofDocument>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<ChangeDocument>,
}

/// The JSON document of a [`Proof`].
#[derive(Serialize, Deserialize)]
struct ProofDocument {
    request_id: Option<String>,
    time: Timestamp,
    source: String,
    statement: String,
}

/// The JSON document of [`LayerFindings`]. Each result consists of a layer's name, state and
/// detail.
#[derive(Serialize, Deserialize)]
struct LayersDocument {
    at: Timestamp,
    results: Vec<(String, String, String)>,
    repeated: bool,
}

/// The JSON document of a verdict. Each candidate consists of a cause and its share of the
/// probability, from 0 to 1.
#[derive(Serialize, Deserialize)]
struct VerdictDocument {
    cause: String,
    #[serde(default)]
    title: String,
    owner: String,
    #[serde(default)]
    hop: Option<String>,
    certainty: String,
    #[serde(default)]
    candidates: Vec<(String, f64)>,
    #[serde(default)]
    next: Vec<String>,
}

/// The JSON document of a revision of an incident.
#[derive(Serialize, Deserialize)]
struct RevisionDocument {
    at: Timestamp,
    cause: String,
    certainty: String,
    #[serde(default)]
    note: String,
}

/// The JSON document of a fact's value. The value is tagged with its type, so that a string
/// that looks like a number remains a string.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ValueDocument {
    Text(String),
    Number(f64),
}

/// The JSON document of a baseline. `healthy` contains the response times of up to 64 healthy
/// responses, each with the connect time (`None` on a reused connection). `newest` is the time of
/// the newest of these responses. `controls` contains, for each control request, the timestamp of
/// the result and the response time (`None` if the response does not count for the floor, which is
/// the response time without the target's Lambda function). `elsewhere` is the time of the last
/// control request with a response that the gateway did not generate. Durations are integers in
/// microseconds, which keeps the document short.
#[derive(Serialize, Deserialize)]
pub(super) struct BaselineDocument {
    #[serde(default)]
    healthy: Vec<(u32, Option<u32>)>,
    newest: Option<Timestamp>,
    #[serde(default)]
    controls: Vec<(Timestamp, Option<u64>)>,
    elsewhere: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "GoodDocument::is_empty")]
    good: GoodDocument,
}

impl From<&StoredIncident> for IncidentDocument {
    fn from(kept: &StoredIncident) -> Self {
        let incident = &*kept.incident;
        let evidence = incident.evidence.iter().map(|evidence| {
            let value = match &evidence.value {
                FactValue::Text(text) => ValueDocument::Text(text.clone()),
                FactValue::Number(number) => ValueDocument::Number(*number),
            };
            (evidence.fact.clone(), value)
        });
        let history = incident.history.iter().map(|revision| RevisionDocument {
            at: revision.at,
            cause: revision.cause.to_string(),
            certainty: revision.certainty.to_string(),
            note: revision.note.clone(),
        });
        Self {
            id: incident.id.to_string(),
            location: kept.location.to_string(),
            target: incident.scope.to_string(),
            verdict: (&*incident.verdict).into(),
            evidence: evidence.collect(),
            also: incident.also.iter().map(ToString::to_string).collect(),
            opened: incident.opened,
            resolved: incident.resolved,
            history: history.collect(),
            health: kept.health.as_str().to_owned(),
            since: kept.since,
            layers: incident.layers.as_deref().map(LayersDocument::from),
            proof: incident.proof.as_ref().map(ProofDocument::from),
            changes: change_document::documents(&incident.changes),
        }
    }
}

impl From<&LayerFindings> for LayersDocument {
    fn from(findings: &LayerFindings) -> Self {
        let results = findings.results.iter().map(|one| {
            let state = one.state.as_str().to_owned();
            (one.name.clone(), state, one.detail.clone())
        });
        Self {
            at: findings.at,
            results: results.collect(),
            repeated: findings.repeated,
        }
    }
}

impl From<&Proof> for ProofDocument {
    fn from(proof: &Proof) -> Self {
        Self {
            request_id: proof.request_id.clone(),
            time: proof.time,
            source: proof.source.to_string(),
            statement: proof.statement.clone(),
        }
    }
}

impl ProofDocument {
    fn into_proof(self) -> Option<Proof> {
        Some(Proof {
            request_id: self.request_id,
            time: self.time,
            source: ProofSource::parse(&self.source)?,
            statement: self.statement,
        })
    }
}

impl LayersDocument {
    fn into_findings(self) -> Option<LayerFindings> {
        let results = self.results.into_iter().map(|(name, state, detail)| {
            let state = LayerState::parse(&state)?;
            Some(LayerResult {
                name,
                state,
                detail,
            })
        });
        Some(LayerFindings {
            at: self.at,
            results: results.collect::<Option<_>>()?,
            repeated: self.repeated,
        })
    }
}

impl From<&Verdict> for VerdictDocument {
    fn from(verdict: &Verdict) -> Self {
        let candidates = verdict.candidates.iter();
        Self {
            cause: verdict.cause.to_string(),
            title: verdict.title.clone(),
            owner: verdict.owner.to_string(),
            hop: verdict.hop.map(|hop| hop.to_string()),
            certainty: verdict.certainty.to_string(),
            candidates: candidates
                .map(|candidate| (candidate.cause.to_string(), candidate.share))
                .collect(),
            next: verdict.next.clone(),
        }
    }
}

impl IncidentDocument {
    /// Converts the document to an incident. An unsupported hop, or layers with an unsupported
    /// state, are omitted. Returns `None` if this release does not support any other value.
    pub(super) fn into_stored(self) -> Option<StoredIncident> {
        let also = self.also.iter().map(|cause| CauseId::new(cause).ok());
        let evidence = self.evidence.into_iter().map(|(fact, value)| Evidence {
            fact,
            value: match value {
                ValueDocument::Text(text) => FactValue::Text(text),
                ValueDocument::Number(number) => FactValue::Number(number),
            },
        });
        let history = self
            .history
            .into_iter()
            .map(RevisionDocument::into_revision);
        let incident = Incident {
            id: IncidentId::restored(&self.id),
            scope: Scope::parse(&self.target),
            verdict: Arc::new(self.verdict.into_verdict()?),
            evidence: evidence.collect(),
            also: also.collect::<Option<_>>()?,
            opened: self.opened,
            resolved: self.resolved,
            history: history.collect::<Option<_>>()?,
            layers: self
                .layers
                .and_then(LayersDocument::into_findings)
                .map(Arc::new),
            proof: self.proof.and_then(ProofDocument::into_proof),
            changes: change_document::into_changes(self.changes),
        };
        Some(StoredIncident {
            location: self.location.into(),
            incident: Arc::new(incident),
            health: HealthState::parse(&self.health)?,
            since: self.since,
        })
    }
}

impl VerdictDocument {
    fn into_verdict(self) -> Option<Verdict> {
        let candidates = self.candidates.into_iter().map(|(cause, share)| {
            let cause = CauseId::new(&cause).ok()?;
            Some(Candidate { cause, share })
        });
        Some(Verdict {
            cause: CauseId::new(&self.cause).ok()?,
            title: self.title,
            owner: Owner::parse(&self.owner)?,
            hop: self.hop.as_deref().and_then(Hop::parse),
            certainty: Certainty::parse(&self.certainty)?,
            candidates: candidates.collect::<Option<_>>()?,
            next: self.next,
        })
    }
}

impl RevisionDocument {
    fn into_revision(self) -> Option<Revision> {
        Some(Revision {
            at: self.at,
            cause: CauseId::new(&self.cause).ok()?,
            certainty: Certainty::parse(&self.certainty)?,
            note: self.note,
        })
    }
}

impl From<&BaselineSnapshot> for BaselineDocument {
    fn from(learned: &BaselineSnapshot) -> Self {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let controls = learned.controls.iter();
        Self {
            healthy: learned.healthy.clone(),
            newest: learned.newest,
            controls: controls.map(|(at, time)| (*at, time.map(micros))).collect(),
            elsewhere: learned.not_gateway_at,
            good: (&learned.good).into(),
        }
    }
}

impl From<BaselineDocument> for BaselineSnapshot {
    fn from(document: BaselineDocument) -> Self {
        let controls = document.controls.into_iter();
        Self {
            healthy: document.healthy,
            newest: document.newest,
            controls: controls
                .map(|(at, time)| (at, time.map(Duration::from_micros)))
                .collect(),
            not_gateway_at: document.elsewhere,
            good: document.good.into(),
        }
    }
}
