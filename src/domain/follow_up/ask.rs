//! Requests the cause of a failure from the front door.
//!
//! Cloudflare describes its errors as JSON if the request accepts JSON. Azure Front Door adds a
//! header with its error if the request has the header `x-azure-debuginfo`. The request of the
//! failed probe is therefore sent once more with these headers.

use std::sync::Arc;

use jiff::Timestamp;

use super::Failure;
use crate::domain::diagnosis::fact::{FactValue, Facts};
use crate::domain::diagnosis::{Evidence, Verdict};
use crate::model::cause::Certainty;
use crate::model::observation::Observation;
use crate::model::target::Target;

/// A request to the front door for the cause of a failed probe.
#[derive(Clone, Debug, PartialEq)]
pub struct CauseRequest {
    /// When the failed probe started.
    pub began: Timestamp,
    /// The status code that the failed probe received.
    status: u16,
    /// The verdict of the failed probe.
    pub verdict: Arc<Verdict>,
}

/// The front doors that name the cause on request. An `unknown` front door may be one of them.
const FRONT_DOORS: [&str; 3] = ["cloudflare", "azure-front-door", "unknown"];

/// The methods of requests that are safe to repeat (RFC 9110, section 9.2.1).
const SAFE_METHODS: [&str; 2] = ["GET", "HEAD"];

/// The request headers that make front doors name the cause.
const HEADERS: [(&str, &str); 2] = [("accept", "application/json"), ("x-azure-debuginfo", "1")];

/// Facts of the front door's response that name the cause, each with the name under which the
/// evidence lists its value, even if no rule tests the fact.
const CAUSE_FACTS: [(&str, &str); 4] = [
    ("body.json.error_code", "asked.error_code"),
    ("body.json.error_category", "asked.error_category"),
    ("header.x-azure-externalerror", "asked.azure_error"),
    (
        "header.x-azure-originstatuscode",
        "asked.azure_origin_status",
    ),
];

/// Returns the headers to add to the request so that the front door names the cause. Headers that
/// the target sets itself are not added.
#[must_use]
pub fn headers(target: &Target) -> Vec<(&'static str, &'static str)> {
    let own = |name: &str| {
        let mut own = target.request.headers.iter();
        own.any(|(own, _)| own.eq_ignore_ascii_case(name))
    };
    let added = HEADERS.into_iter();
    added.filter(|(name, _)| !own(name)).collect()
}

impl CauseRequest {
    /// Returns the request for the cause of a failed probe; `None` if the request is not permitted
    /// or would not help.
    pub(super) fn of(failure: &Failure<'_>) -> Option<Self> {
        let target = failure.target;
        let response = failure.observation.response.as_ref()?;
        let verdict = failure.diagnosis.verdict.as_ref()?;
        let front_door = failure.facts.text("front_door")?;
        let asks = target.ask_for_cause
            && SAFE_METHODS.contains(&target.request.method.as_str())
            && failure.observation.fault.is_none()
            && FRONT_DOORS.contains(&front_door)
            && verdict.certainty < Certainty::Proven
            && !headers(target).is_empty();
        asks.then_some(Self {
            began: failure.observation.started,
            status: response.status,
            verdict: Arc::clone(verdict),
        })
    }

    /// Returns the evidence in the front door's response, and adds it to `facts`, the facts of this
    /// response. Returns `None` if the response does not show the failure of the probe, for example
    /// because it has another status.
    #[must_use]
    pub fn evidence_in(
        &self,
        observation: &Observation,
        facts: &mut Facts,
    ) -> Option<Vec<Evidence>> {
        let response = observation.response.as_ref();
        let same = response.is_some_and(|response| response.status == self.status);
        if !same || observation.fault.is_some() || facts.text("phase").is_none() {
            return None;
        }
        facts.set_text("asked.answered", "yes");
        let mut evidence = Vec::new();
        for (fact, kept) in CAUSE_FACTS {
            if let Some(value) = facts.get(fact) {
                let value = FactValue::Text(value.to_string());
                facts.set(kept, value.clone());
                evidence.push(Evidence {
                    fact: kept.to_owned(),
                    value,
                });
            }
        }
        Some(evidence)
    }
}
