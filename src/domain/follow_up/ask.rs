//! Asks a front door for the cause of a failure.
//!
//! Cloudflare describes its errors as JSON if the request accepts JSON, and Azure Front Door adds
//! a header with its error if the request asks for it. The same request is therefore made once
//! more with these headers.

use std::sync::Arc;

use jiff::Timestamp;

use super::Failure;
use crate::domain::diagnosis::fact::{FactValue, Facts};
use crate::domain::diagnosis::{Evidence, Verdict};
use crate::model::cause::Certainty;
use crate::model::observation::Observation;
use crate::model::target::Target;

/// A question that was sent, and the failure that it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// When the failed probe started.
    pub began: Timestamp,
    /// The status of the failed probe.
    status: u16,
    /// The verdict of the failed probe.
    pub verdict: Arc<Verdict>,
}

/// The front doors that name the cause if asked. `unknown` may be one that was not recognized.
const ANSWERING: [&str; 3] = ["cloudflare", "azure-front-door", "unknown"];

/// Methods whose repetition changes nothing.
const SAFE_METHODS: [&str; 2] = ["GET", "HEAD"];

/// The headers with which front doors are asked.
const HEADERS: [(&str, &str); 2] = [("accept", "application/json"), ("x-azure-debuginfo", "1")];

/// Facts of the answer that name the cause, with the names under which they are evidence even if
/// no rule tests them.
const KEPT: [(&str, &str); 4] = [
    ("body.json.error_code", "asked.error_code"),
    ("body.json.error_category", "asked.error_category"),
    ("header.x-azure-externalerror", "asked.azure_error"),
    (
        "header.x-azure-originstatuscode",
        "asked.azure_origin_status",
    ),
];

/// The headers to add to the target's own, so that the front door names the cause.
#[must_use]
pub fn headers(target: &Target) -> Vec<(&'static str, &'static str)> {
    let own = |name: &str| {
        let mut own = target.request.headers.iter();
        own.any(|(own, _)| own.eq_ignore_ascii_case(name))
    };
    let added = HEADERS.into_iter();
    added.filter(|(name, _)| !own(name)).collect()
}

impl Question {
    /// The question about a failed probe; `None` if it may not be asked or would not help.
    pub(super) fn of(failure: &Failure<'_>) -> Option<Self> {
        let target = failure.target;
        let response = failure.observation.response.as_ref()?;
        let verdict = failure.diagnosis.verdict.as_ref()?;
        let front_door = failure.facts.text("front_door")?;
        let asks = target.ask_for_cause
            && SAFE_METHODS.contains(&target.request.method.as_str())
            && failure.observation.fault.is_none()
            && ANSWERING.contains(&front_door)
            && verdict.certainty < Certainty::Proven
            && !headers(target).is_empty();
        asks.then_some(Self {
            began: failure.observation.started,
            status: response.status,
            verdict: Arc::clone(verdict),
        })
    }

    /// Returns what the front door told in its answer, and adds it to the facts of the answer.
    /// `None` if the answer is not about the same failure: it has another status.
    #[must_use]
    pub fn told_by(&self, observation: &Observation, facts: &mut Facts) -> Option<Vec<Evidence>> {
        let response = observation.response.as_ref();
        let same = response.is_some_and(|response| response.status == self.status);
        if !same || observation.fault.is_some() || facts.text("phase").is_none() {
            return None;
        }
        facts.set_text("asked.answered", "yes");
        let mut told = Vec::new();
        for (fact, kept) in KEPT {
            if let Some(value) = facts.get(fact) {
                let value = FactValue::Text(value.to_string());
                facts.set(kept, value.clone());
                told.push(Evidence {
                    fact: kept.to_owned(),
                    value,
                });
            }
        }
        Some(told)
    }
}
