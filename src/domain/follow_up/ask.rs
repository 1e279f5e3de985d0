//! Decides for which failures the cause is requested from the front door, and reads the cause from
//! the response.
//!
//! Cloudflare describes its errors as JSON if the `accept` header of the request asks for JSON.
//! Azure Front Door adds a header with its error if the request has the header `x-azure-debuginfo`.
//! The caller therefore sends the request of the failed probe once more with these headers.

use std::sync::Arc;

use jiff::Timestamp;

use super::{IncidentProbe, Validity};
use crate::domain::diagnosis::condition::is_plain;
use crate::domain::diagnosis::fact::{FactValue, Facts};
use crate::domain::diagnosis::{Evidence, Verdict};
use crate::domain::incident::FailureKind;
use crate::model::cause::Certainty;
use crate::model::observation::Observation;
use crate::model::target::Target;

/// A request to the front door for the cause of a failed probe.
#[derive(Clone, Debug)]
pub struct CauseRequest {
    /// The time at which the failed probe started.
    pub began: Timestamp,
    /// The status code that the failed probe received.
    status: u16,
    /// The kind of the failure.
    pub kind: FailureKind,
    /// The verdict of the failed probe.
    pub verdict: Arc<Verdict>,
    /// A value that all clones of this cause request share. The follow-up request is needed until
    /// every clone is dropped, which [`Validity`] detects through a weak reference.
    needed: Arc<()>,
}

/// The front doors that name the cause if the request has the headers of [`HEADERS`]. An `unknown`
/// front door may be one of them.
const FRONT_DOORS: [&str; 3] = [CLOUDFLARE, "azure-front-door", "unknown"];

/// The value of the fact `front_door` for Cloudflare, which names the cause in the response body.
const CLOUDFLARE: &str = "cloudflare";

/// Methods whose requests can be repeated, because they change nothing on the server (RFC 9110,
/// section 9.2.1, "Safe Methods").
const SAFE_METHODS: [&str; 2] = ["GET", "HEAD"];

/// The request headers that make front doors name the cause.
const HEADERS: [(&str, &str); 2] = [("accept", "application/json"), ("x-azure-debuginfo", "1")];

/// Facts of the front door's response that name the cause. Each entry contains the fact's name, the
/// fact's name in the evidence, and the form of the value. The evidence lists these facts even if
/// no rule tests them.
const CAUSE_FACTS: [(&str, &str, Form); 4] = [
    ("body.json.error_code", "asked.error_code", Form::Number),
    (
        "body.json.error_category",
        "asked.error_category",
        Form::Word,
    ),
    (
        "header.x-azure-externalerror",
        "asked.azure_error",
        Form::Plain,
    ),
    (
        "header.x-azure-originstatuscode",
        "asked.azure_origin_status",
        Form::Plain,
    ),
];

/// The form that a value must have to be published, because the response may come from the
/// application and contain private data.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// Only digits, from the body of a Cloudflare response.
    Number,
    /// Only lowercase letters, digits, underscores and hyphens, from the body of a Cloudflare
    /// response.
    Word,
    /// A header value of at most 128 bytes with only the characters of names and versions, such as
    /// `nginx/1.24.0 (Ubuntu)`.
    Plain,
}

/// Maximum length, in bytes, of a [`Form::Number`] or [`Form::Word`].
const MAX_WORD: usize = 32;

impl Form {
    /// Returns whether the value of `fact` has this form.
    fn allows(self, fact: &str, value: &FactValue, facts: &Facts) -> bool {
        let text = value.to_string();
        let is_short = (1..=MAX_WORD).contains(&text.len());
        let from_cloudflare = facts.text("front_door") == Some(CLOUDFLARE);
        match self {
            Self::Number => {
                from_cloudflare && is_short && text.bytes().all(|byte| byte.is_ascii_digit())
            }
            Self::Word => from_cloudflare && is_short && text.chars().all(is_of_word),
            Self::Plain => is_plain(fact, value),
        }
    }
}

const fn is_of_word(letter: char) -> bool {
    matches!(letter, 'a'..='z' | '0'..='9' | '_' | '-')
}

/// Returns the headers to add to the request so that the front door names the cause. Headers that
/// the target's configuration sets are not added.
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
    pub(super) fn of(failure: &IncidentProbe<'_>) -> Option<Self> {
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
            kind: FailureKind::from(failure.observation),
            verdict: Arc::clone(verdict),
            needed: Arc::default(),
        })
    }

    /// Returns the validity of the request: the request is needed until every clone of `self` is
    /// dropped.
    pub(super) fn validity(&self) -> Validity {
        Validity::while_kept(&self.needed)
    }

    /// Returns the evidence in the front door's response, and adds it to `facts`, the facts of this
    /// response. Returns `None` if the response does not show the same failure as the probe, for
    /// example because their status codes differ.
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
        for (fact, kept, form) in CAUSE_FACTS {
            let value = facts.get(fact);
            if let Some(value) = value.filter(|value| form.allows(fact, value, facts)) {
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
