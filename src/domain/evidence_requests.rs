//! Decides for which failed probes the daemon requests evidence from AWS.
//!
//! Requests cost money and evidence arrives minutes later, so only a few requests are pending per
//! target, and no request is made for a proven cause. The facts of a probe are kept while its
//! request is pending, so that the probe can be diagnosed again with the evidence. `io::evidence`
//! performs the requests.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::configuration::evidence::has_sources;
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
    /// The start times of the newest [`MAX_SENT`] probes, oldest first, to count the probes in a
    /// metric window.
    sent: VecDeque<Timestamp>,
    pending: VecDeque<Pending>,
}

/// A failed probe whose evidence request is pending.
#[derive(Clone, Debug)]
struct Pending {
    began: Timestamp,
    facts: Facts,
}

/// Maximum number of pending requests per target. With two pending requests, late evidence about
/// one failure does not delay the request about the next failure.
const MAX_PENDING: usize = 2;

/// Maximum number of probe start times kept per target. With one probe per second, 300 start times
/// cover five minutes. This is enough, because the metric window around a request of 30 s, the
/// longest integration timeout of an HTTP API, covers at most two minutes.
const MAX_SENT: usize = 300;

impl EvidenceRequests {
    /// Records the start time of a probe.
    pub fn record_sent(&mut self, began: Timestamp) {
        if self.sent.len() >= MAX_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back(began);
    }

    /// Creates the evidence request for a failed probe. `reads_configuration` tells whether the
    /// configuration of AWS resources is read. Returns `None` if no evidence is needed or available,
    /// or if too many requests are pending.
    pub fn request(
        &mut self,
        target: &Arc<Target>,
        observation: &Observation,
        (facts, diagnosis): (&Facts, &Diagnosis),
        incident: &Incident,
        reads_configuration: bool,
    ) -> Option<EvidenceRequest> {
        let verdict = diagnosis.verdict.as_ref()?;
        // If the incident's cause is proven, no further evidence is needed, unless this cause does
        // not explain this failure.
        let explained = verdict
            .candidates
            .iter()
            .any(|candidate| candidate.cause == incident.verdict.cause);
        let settled = explained && incident.verdict.certainty == Certainty::Proven;
        // No evidence is requested for a failure without a response, because the request id is
        // unknown and the request may not have reached a gateway.
        let has_response = observation.response.is_some();
        if settled
            || !has_response
            || verdict.certainty == Certainty::Proven
            || !has_sources(target, reads_configuration)
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
            own_requests: self.sent.iter().copied().collect(),
        })
    }

    /// Returns the facts of the probe that an update is about, and the updated evidence. The probes
    /// in the metric window are counted again, because more probes may have started since the
    /// request. After the last update, the request is no longer pending. Returns `None` if the
    /// request is not pending.
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
            window.own_requests = u32::try_from(within.count()).unwrap_or(u32::MAX);
        }
        Some((facts, evidence))
    }

    /// Drops all pending requests, because the incident was resolved.
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
    use crate::domain::incident::{FailureKind, Incidents, ProbeOutcome, ResponseMark};
    use crate::model::cause::CauseId;
    use crate::model::observation::Response;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Returns a target that declares the Lambda function, or no AWS resource if `function` is
    /// `None`.
    fn target(function: Option<&str>) -> Arc<Target> {
        let mut target = Target::with_defaults("orders", "https://x.example/".parse().unwrap());
        target.aws.function = function.map(str::to_owned);
        Arc::new(target)
    }

    /// Returns an observation of an HTTP API's 500 response that four causes may produce.
    fn ambiguous(began: Timestamp) -> Observation {
        let mut observation = Observation::begun(began, "https://x.example/");
        observation.duration = Duration::from_millis(400);
        let headers = [
            ("content-type", "application/json"),
            ("apigw-requestid", "K2ZEDjwtIAMEcig="),
        ];
        observation.response = Some(Response::of(
            500,
            &headers,
            r#"{"message":"Internal Server Error"}"#,
        ));
        observation
    }

    struct Fixture {
        target: Arc<Target>,
        requests: EvidenceRequests,
        incidents: Incidents,
        reads_configuration: bool,
    }

    impl Fixture {
        fn new(target: Arc<Target>) -> Self {
            Self {
                target,
                requests: EvidenceRequests::default(),
                incidents: Incidents::default(),
                reads_configuration: false,
            }
        }

        /// Applies a failed probe and returns the evidence request for it.
        fn fail(&mut self, observation: &Observation) -> Option<EvidenceRequest> {
            let now = observation.started;
            let facts = Facts::gather(&self.target, observation, &Context::at(now));
            let diagnosis = Rulebook::embedded().unwrap().diagnose(&facts);
            let outcome = ProbeOutcome {
                target: &self.target.name,
                began: now,
                kind: FailureKind::default(),
                mark: ResponseMark::default(),
                request_id: None,
                diagnosis: &diagnosis,
                health: HealthState::Down,
                suppressed: false,
            };
            let rulebook = Rulebook::embedded().unwrap();
            self.incidents.apply(outcome, &rulebook, now);
            self.requests.record_sent(now);
            let incident = Arc::clone(self.incidents.open().unwrap());
            let (target, reads) = (&self.target, self.reads_configuration);
            self.requests
                .request(target, observation, (&facts, &diagnosis), &incident, reads)
        }
    }

    #[test]
    fn evidence_is_requested_only_if_aws_resources_are_declared() {
        let request = Fixture::new(target(Some("orders"))).fail(&ambiguous(at(60)));
        let request = request.unwrap();
        assert_eq!(request.request_id.as_deref(), Some("K2ZEDjwtIAMEcig="));
        assert_eq!(
            (request.began, request.own_requests),
            (at(60), vec![at(60)])
        );
        assert_eq!(request.ended, at(60) + Duration::from_millis(400));
        assert_eq!(Fixture::new(target(None)).fail(&ambiguous(at(60))), None);
    }

    #[test]
    fn the_host_of_an_api_is_enough_if_its_configuration_is_read() {
        for (url, reads, expected) in [
            (
                "https://a1.execute-api.eu-west-1.amazonaws.com/",
                true,
                true,
            ),
            (
                "https://a1.execute-api.eu-west-1.amazonaws.com/",
                false,
                false,
            ),
            ("https://x.example/", true, false),
        ] {
            let target = Target::with_defaults("orders", url.parse().unwrap());
            let mut fixture = Fixture::new(Arc::new(target));
            fixture.reads_configuration = reads;
            let request = fixture.fail(&ambiguous(at(60)));
            assert_eq!(request.is_some(), expected, "{url} {reads}");
        }
    }

    #[test]
    fn two_requests_are_pending_at_most_and_the_last_update_ends_one() {
        let mut fixture = Fixture::new(target(Some("orders")));
        let asked = [60, 120, 180].map(|second| fixture.fail(&ambiguous(at(second))).is_some());
        assert_eq!(asked, [true, true, false]);
        let mut update = EvidenceUpdate {
            target: fixture.target.name.clone(),
            began: at(60),
            evidence: Arc::new(AwsEvidence::default()),
            last: false,
        };
        assert!(fixture.requests.apply(&update).is_some());
        assert!(
            fixture.fail(&ambiguous(at(240))).is_none(),
            "the request is pending until the last update"
        );
        update.last = true;
        assert!(fixture.requests.apply(&update).is_some());
        assert!(
            fixture.requests.apply(&update).is_none(),
            "the last update ended the request"
        );
        assert!(fixture.fail(&ambiguous(at(300))).is_some());
    }

    #[test]
    fn probes_in_the_metric_window_are_counted_when_the_evidence_arrives() {
        let mut fixture = Fixture::new(target(Some("orders")));
        fixture.fail(&ambiguous(at(60)));
        for second in [70, 90, 130] {
            fixture.requests.record_sent(at(second));
        }
        let window = MetricWindow {
            from: at(60),
            to: at(120),
            settled: true,
            own_requests: 1,
            lambda: None,
            api: None,
        };
        let update = EvidenceUpdate {
            target: fixture.target.name.clone(),
            began: at(60),
            evidence: Arc::new(AwsEvidence {
                window: Some(window),
                ..AwsEvidence::default()
            }),
            last: true,
        };
        let (facts, evidence) = fixture.requests.apply(&update).unwrap();
        assert_eq!(facts.number("status"), Some(500.0));
        assert_eq!(evidence.window.unwrap().own_requests, 3);
    }

    #[test]
    fn no_evidence_is_requested_for_a_proven_cause() {
        let mut fixture = Fixture::new(target(Some("orders")));
        fixture.fail(&ambiguous(at(60)));
        fixture.requests.forget();
        let mut incident = Incident::clone(fixture.incidents.open().unwrap());
        let mut verdict = crate::domain::diagnosis::Verdict::clone(&incident.verdict);
        verdict.certainty = Certainty::Proven;
        let facts = Facts::gather(&fixture.target, &ambiguous(at(120)), &Context::at(at(120)));
        let diagnosis = Rulebook::embedded().unwrap().diagnose(&facts);
        let mut ask = |verdict: &crate::domain::diagnosis::Verdict| {
            incident.verdict = Arc::new(verdict.clone());
            let observation = ambiguous(at(120));
            let target = &fixture.target;
            let probe = (&facts, &diagnosis);
            fixture
                .requests
                .request(target, &observation, probe, &incident, false)
        };
        assert_eq!(ask(&verdict), None);
        verdict.cause = CauseId::new("dns-failure").unwrap();
        assert!(
            ask(&verdict).is_some(),
            "the proven cause does not explain this failure"
        );
    }
}
