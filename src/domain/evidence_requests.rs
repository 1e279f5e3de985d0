//! Decides for which failed probes the daemon makes evidence requests to AWS.
//!
//! Requests cost money and evidence arrives minutes later, so only a few requests are pending
//! per target, and none is made for a proven cause. Keeps the facts of each pending probe, so
//! that they can be diagnosed again with the evidence. Performs no request itself.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::diagnosis::Diagnosis;
use crate::domain::diagnosis::aws::{AwsEvidence, EvidenceRequest, EvidenceUpdate};
use crate::domain::diagnosis::fact::Facts;
use crate::domain::incident::Incident;
use crate::model::cause::Certainty;
use crate::model::observation::Observation;
use crate::model::target::Target;

/// The evidence requests of one target.
#[derive(Clone, Debug, Default)]
pub struct EvidenceRequests {
    /// Start times of the latest probes, oldest first.
    sent: VecDeque<Timestamp>,
    pending: VecDeque<Pending>,
}

#[derive(Clone, Debug)]
struct Pending {
    began: Timestamp,
    facts: Facts,
}

/// Maximum number of pending requests: with two, late evidence about one failure does not
/// delay evidence about the next.
const MAX_PENDING: usize = 2;

/// Maximum number of start times kept. At one probe per second this covers more than the
/// metric window of minutes around a request of 30 s, the longest an API waits for.
const MAX_SENT: usize = 300;

impl EvidenceRequests {
    /// Records that a probe was sent.
    pub fn record_sent(&mut self, began: Timestamp) {
        if self.sent.len() >= MAX_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back(began);
    }

    /// Returns the evidence request for a failed probe; `None` if no evidence is needed or
    /// available.
    pub fn ask(
        &mut self,
        target: &Arc<Target>,
        observation: &Observation,
        facts: &Facts,
        diagnosis: &Diagnosis,
        incident: &Incident,
    ) -> Option<EvidenceRequest> {
        let verdict = diagnosis.verdict.as_ref()?;
        // A proven cause needs no further evidence, unless it does not explain this failure.
        let explained = verdict
            .candidates
            .iter()
            .any(|candidate| candidate.cause == incident.verdict.cause);
        let settled = explained && incident.verdict.certainty == Certainty::Proven;
        // Without a response no gateway was reached, so AWS has no record of the request.
        let answered = observation.response.is_some();
        if settled
            || !answered
            || verdict.certainty == Certainty::Proven
            || !target.aws.names_evidence()
            || self.pending.len() >= MAX_PENDING
        {
            return None;
        }
        self.pending.push_back(Pending {
            began: observation.started,
            facts: facts.clone(),
        });
        let took = jiff::SignedDuration::try_from(observation.duration).unwrap_or_default();
        Some(EvidenceRequest {
            target: Arc::clone(target),
            request_id: observation.request_id().map(str::to_owned),
            began: observation.started,
            ended: observation.started + took,
            ours: self.sent.iter().copied().collect(),
        })
    }

    /// The facts of the probe that an update is about, and the evidence with the probes in its
    /// metric window counted again, because more may have been sent since the request. `None`
    /// if the request is not pending any more.
    pub fn apply(&mut self, update: &EvidenceUpdate) -> Option<(Facts, AwsEvidence)> {
        let mut pending = self.pending.iter();
        let index = pending.position(|pending| pending.began == update.began)?;
        let facts = self.pending.get(index)?.facts.clone();
        if update.last {
            self.pending.remove(index);
        }
        let mut evidence = AwsEvidence::clone(&update.evidence);
        if let Some(window) = &mut evidence.window {
            let within = self
                .sent
                .iter()
                .filter(|began| (window.from..window.to).contains(began));
            window.ours = u32::try_from(within.count()).unwrap_or(u32::MAX);
        }
        Some((facts, evidence))
    }

    /// Drops all pending requests, because the incident is resolved or the target changed.
    pub fn forget(&mut self) {
        self.pending.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::domain::diagnosis::aws::MetricWindow;
    use crate::domain::diagnosis::context::Context;
    use crate::domain::diagnosis::rulebook::Rulebook;
    use crate::domain::health::HealthState;
    use crate::domain::incident::{Incidents, ProbeOutcome};
    use crate::model::cause::CauseId;
    use crate::model::observation::{HttpVersion, Response};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A target that declares its function, or nothing.
    fn target(function: Option<&str>) -> Arc<Target> {
        let mut target = Target::with_defaults("orders", "https://x.example/".parse().unwrap());
        target.aws.function = function.map(str::to_owned);
        Arc::new(target)
    }

    /// A 500 of an HTTP API, which four causes have in common.
    fn ambiguous(began: Timestamp) -> Observation {
        let mut observation = Observation::begun(began, "https://x.example/");
        observation.duration = Duration::from_millis(400);
        let headers = [
            ("content-type", "application/json"),
            ("apigw-requestid", "K2ZEDjwtIAMEcig="),
        ];
        observation.response = Some(Response {
            status: 500,
            reason: None,
            version: HttpVersion::Http2,
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            body: br#"{"message":"Internal Server Error"}"#.to_vec(),
            body_truncated: false,
            body_bytes: 35,
            content_length: Some(35),
        });
        observation
    }

    struct Asking {
        target: Arc<Target>,
        requests: EvidenceRequests,
        incidents: Incidents,
    }

    impl Asking {
        fn of(target: Arc<Target>) -> Self {
            Self {
                target,
                requests: EvidenceRequests::default(),
                incidents: Incidents::default(),
            }
        }

        /// Applies a failed probe and returns the request made for it.
        fn fail(&mut self, observation: &Observation) -> Option<EvidenceRequest> {
            let now = observation.started;
            let facts = Facts::gather(&self.target, observation, &Context::at(now));
            let diagnosis = Rulebook::embedded().unwrap().diagnose(&facts);
            let outcome = ProbeOutcome {
                target: &self.target.name,
                began: now,
                diagnosis: &diagnosis,
                health: HealthState::Down,
                suppressed: false,
            };
            let rulebook = Rulebook::embedded().unwrap();
            self.incidents.apply(outcome, &rulebook, now);
            self.requests.record_sent(now);
            let incident = Arc::clone(self.incidents.open().unwrap());
            self.requests
                .ask(&self.target, observation, &facts, &diagnosis, &incident)
        }
    }

    #[test]
    fn evidence_is_requested_only_if_aws_resources_are_declared() {
        let request = Asking::of(target(Some("orders"))).fail(&ambiguous(at(60)));
        let request = request.unwrap();
        assert_eq!(request.request_id.as_deref(), Some("K2ZEDjwtIAMEcig="));
        assert_eq!((request.began, request.ours), (at(60), vec![at(60)]));
        assert_eq!(request.ended, at(60) + Duration::from_millis(400));
        assert_eq!(Asking::of(target(None)).fail(&ambiguous(at(60))), None);
    }

    #[test]
    fn two_requests_are_pending_at_most_and_the_last_update_ends_one() {
        let mut asking = Asking::of(target(Some("orders")));
        let asked = [60, 120, 180].map(|second| asking.fail(&ambiguous(at(second))).is_some());
        assert_eq!(asked, [true, true, false]);
        let mut update = EvidenceUpdate {
            target: asking.target.name.clone(),
            began: at(60),
            evidence: Arc::new(AwsEvidence::default()),
            last: false,
        };
        assert!(asking.requests.apply(&update).is_some());
        assert!(
            asking.fail(&ambiguous(at(240))).is_none(),
            "a further update may follow"
        );
        update.last = true;
        assert!(asking.requests.apply(&update).is_some());
        assert!(
            asking.requests.apply(&update).is_none(),
            "that was the last update"
        );
        assert!(asking.fail(&ambiguous(at(300))).is_some());
    }

    #[test]
    fn probes_in_the_metric_window_are_counted_when_the_evidence_arrives() {
        let mut asking = Asking::of(target(Some("orders")));
        asking.fail(&ambiguous(at(60)));
        for second in [70, 90, 130] {
            asking.requests.record_sent(at(second));
        }
        let window = MetricWindow {
            from: at(60),
            to: at(120),
            settled: true,
            ours: 1,
            lambda: None,
            api: None,
        };
        let update = EvidenceUpdate {
            target: asking.target.name.clone(),
            began: at(60),
            evidence: Arc::new(AwsEvidence {
                log: None,
                window: Some(window),
            }),
            last: true,
        };
        let (facts, evidence) = asking.requests.apply(&update).unwrap();
        assert_eq!(facts.number("status"), Some(500.0));
        assert_eq!(evidence.window.unwrap().ours, 3);
    }

    #[test]
    fn no_evidence_is_requested_for_a_proven_cause() {
        let mut asking = Asking::of(target(Some("orders")));
        asking.fail(&ambiguous(at(60)));
        asking.requests.forget();
        let mut incident = Incident::clone(asking.incidents.open().unwrap());
        let mut verdict = crate::domain::diagnosis::Verdict::clone(&incident.verdict);
        verdict.certainty = Certainty::Proven;
        let facts = Facts::gather(&asking.target, &ambiguous(at(120)), &Context::at(at(120)));
        let diagnosis = Rulebook::embedded().unwrap().diagnose(&facts);
        let mut ask = |verdict: &crate::domain::diagnosis::Verdict| {
            incident.verdict = Arc::new(verdict.clone());
            let observation = ambiguous(at(120));
            asking
                .requests
                .ask(&asking.target, &observation, &facts, &diagnosis, &incident)
        };
        assert_eq!(ask(&verdict), None);
        verdict.cause = CauseId::new("dns-failure").unwrap();
        assert!(
            ask(&verdict).is_some(),
            "the proven cause does not explain this failure"
        );
    }
}
