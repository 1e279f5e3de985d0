//! Builds the JSON objects that the command line and the HTTP API output.
//!
//! The domain types do not implement serialization, so this module defines the format of every
//! object. Keys may be added but are never removed or reordered. A missing value is `null`.
//! Durations are numbers in seconds. Timestamps are text in RFC 3339 format with milliseconds.

mod incident;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::diagnosis::fact::FactValue;
use crate::domain::diagnosis::{Diagnosis, Evidence, Outcome, Verdict};
use crate::domain::health::HealthState;
use crate::domain::incident::Incident;
use crate::domain::report::{CauseInfo, Report};
use crate::io::store::StoredIncident;
use crate::model::cause::Hop;
use crate::model::observation::{Observation, Phase, Phases};
use crate::model::target::{Target, shown_url};

pub use self::incident::incident;

use self::incident::{broken_layer, incident_of_target, layers};

/// The data of a result object, for one probe or one transcript.
#[derive(Clone, Copy, Debug)]
pub struct ResultParts<'a> {
    /// The target's name, or the URL for a transcript.
    pub target: &'a str,
    /// The location of the daemon; `None` for a result of the command line.
    pub location: Option<&'a str>,
    /// The observation of the probe or transcript.
    pub observation: &'a Observation,
    /// Whether `observation.started` is known. Some transcripts contain no date.
    pub dated: bool,
    /// The diagnosis of the observation.
    pub diagnosis: &'a Diagnosis,
    /// The id of the open incident of the target or of the prober itself, if any.
    pub incident_id: Option<&'a str>,
}

/// The JSON object of a result. The order of the fields is the order of the keys in the output.
#[derive(Default, Serialize)]
struct ResultObject<'a> {
    time: Option<String>,
    target: &'a str,
    location: Option<&'a str>,
    success: Option<bool>,
    status: Option<u16>,
    duration_seconds: Option<f64>,
    phases: Value,
    cause: Option<&'a str>,
    owner: Option<&'a str>,
    certainty: Option<&'a str>,
    candidates: Vec<Value>,
    evidence: Vec<Value>,
    request_id: Option<&'a str>,
    error: Option<&'a str>,
    incident_id: Option<&'a str>,
    next: &'a [String],
    title: Option<&'a str>,
    url: Cow<'a, str>,
    remote: Option<String>,
    own_lag_seconds: Option<f64>,
    hop: Option<&'a str>,
    layers: Vec<Value>,
    broken_layer: Option<&'a str>,
}

/// The JSON object of a target: the result object of the latest probe plus the target's state.
#[derive(Serialize)]
struct TargetObject<'a> {
    #[serde(flatten)]
    result: ResultObject<'a>,
    health: &'static str,
    since: Option<String>,
    maintenance: Option<bool>,
    probable_cause: Option<&'a str>,
    labels: &'a BTreeMap<String, String>,
    /// Whether probes verify the certificate of the target.
    tls_verify: bool,
    /// The open incident; `None` if no incident is open.
    incident: Option<Value>,
}

impl<'a> ResultObject<'a> {
    /// Builds the result object of one probe or transcript.
    fn new(parts: ResultParts<'a>) -> Self {
        let (observation, diagnosis) = (parts.observation, parts.diagnosis);
        let response = observation.response.as_ref();
        let mut object = Self {
            time: parts.dated.then(|| time(observation.started)),
            location: parts.location,
            success: Some(diagnosis.outcome != Outcome::Failed),
            status: response.map(|response| response.status),
            duration_seconds: Some(seconds(observation.duration)),
            phases: phases(&observation.phases),
            evidence: diagnosis.evidence.iter().map(evidence).collect(),
            request_id: observation.request_id(),
            error: diagnosis.error.as_deref(),
            incident_id: parts.incident_id,
            remote: observation.remote.map(|address| address.to_string()),
            own_lag_seconds: own_lag(observation),
            ..Self::unknown(parts.target, Cow::Borrowed(&observation.final_url))
        };
        if let Some(verdict) = &diagnosis.verdict {
            object.set_verdict(verdict);
        }
        object
    }

    /// Builds the result object of a target that has no result yet.
    fn unknown(target: &'a str, url: Cow<'a, str>) -> Self {
        Self {
            target,
            phases: phases(&Phases::default()),
            url,
            ..Self::default()
        }
    }

    fn set_verdict(&mut self, verdict: &'a Verdict) {
        self.cause = Some(verdict.cause.as_str());
        self.owner = Some(verdict.owner.as_str());
        self.certainty = Some(verdict.certainty.as_str());
        self.candidates = candidates(verdict);
        self.next = &verdict.next;
        self.title = Some(&verdict.title);
        self.hop = verdict.hop.map(Hop::as_str);
    }

    fn set_layers(&mut self, incident: &'a Incident) {
        self.layers = layers(incident);
        self.broken_layer = broken_layer(incident);
    }
}

/// Builds the JSON object of the result of one probe or transcript.
#[must_use]
pub fn result(parts: ResultParts<'_>) -> Value {
    json!(ResultObject::new(parts))
}

/// Builds the JSON object of a target: the result object of its latest probe plus the target's
/// state.
///
/// The keys of the result object, such as `cause` and `evidence`, describe the latest probe, except
/// the incident id and the layers. The key `incident` describes the open incident; its cause is
/// based on more than the latest probe.
#[must_use]
pub fn target(report: &Report) -> Value {
    let incident = report.incident.as_deref();
    let mut result = ResultObject::new(ResultParts {
        target: report.target.name.as_str(),
        location: Some(&report.location),
        observation: &report.observation,
        dated: true,
        diagnosis: &report.diagnosis,
        incident_id: incident.map(|incident| incident.id.as_str()),
    });
    let open = incident.filter(|incident| incident.resolved.is_none());
    if let Some(open) = open {
        result.set_layers(open);
    }
    let shown = report.showing.as_ref();
    json!(TargetObject {
        result,
        health: report.health.as_str(),
        since: Some(time(report.since)),
        maintenance: Some(report.maintenance),
        probable_cause: shown.map(|verdict| verdict.cause.as_str()),
        labels: &report.target.labels,
        tls_verify: !report.target.tls.accept_any_certificate,
        incident: open.map(incident_of_target),
    })
}

/// Builds the JSON object of a target that this process has not probed yet. The object has every
/// key of [`target`]. `resumed` is an incident that was restored after a restart.
#[must_use]
pub fn unprobed(target: &Target, location: &str, resumed: Option<&StoredIncident>) -> Value {
    let url = Cow::Owned(shown_url(&target.url));
    let mut object = TargetObject {
        result: ResultObject::unknown(target.name.as_str(), url),
        health: HealthState::Unknown.as_str(),
        since: None,
        maintenance: None,
        probable_cause: None,
        labels: &target.labels,
        tls_verify: !target.tls.accept_any_certificate,
        incident: None,
    };
    object.result.location = Some(location);
    if let Some(kept) = resumed {
        let incident = &kept.incident;
        object.result.incident_id = Some(incident.id.as_str());
        object.result.set_layers(incident);
        object.health = kept.health.as_str();
        object.since = Some(time(kept.since));
        object.probable_cause = Some(incident.verdict.cause.as_str());
        object.incident = Some(incident_of_target(incident));
    }
    json!(object)
}

/// Builds the JSON object of a cause.
#[must_use]
pub fn cause(info: &CauseInfo) -> Value {
    json!({
        "cause": info.cause.as_str(),
        "title": info.title,
        "owner": info.owner.as_str(),
        "next": info.next,
        "see": info.see,
        "hop": info.hop.map(Hop::as_str),
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

/// Returns the maximum delay in seconds that the prober itself may have added to the measured
/// durations. Returns `None` if the delay is negligible or unknown.
fn own_lag(observation: &Observation) -> Option<f64> {
    (!observation.own_lag.is_zero()).then(|| seconds(observation.own_lag))
}

/// Formats a timestamp as RFC 3339 with milliseconds.
#[must_use]
pub fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Converts a duration to seconds, rounded to the microsecond.
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
        FactValue::Number(number) => number_value(rounded(*number, 6)),
    };
    json!({ "fact": evidence.fact, "value": value })
}

/// Returns the number of a fact as JSON. A whole number is written without a decimal point, as it
/// is in rules.
fn number_value(number: f64) -> Value {
    // `f64` represents every integer below 2^53 exactly.
    let is_whole = number.fract() == 0.0 && number.abs() < 9e15;
    if is_whole {
        json!(number as i64)
    } else {
        json!(number)
    }
}

fn rounded(number: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (number * scale).round() / scale
}

#[cfg(test)]
mod tests;
