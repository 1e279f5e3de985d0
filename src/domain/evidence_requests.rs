//! Which failed probes of an open incident AWS is asked about, and what was known of them.
//!
//! Asking costs money and evidence comes minutes later: only a few questions are open at
//! a time, none once the cause is proven. Pure: it keeps the facts of a probe that was
//! asked about, so that they can be judged again together with the answer.

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

/// The questions of one target.
#[derive(Clone, Debug, Default)]
pub struct EvidenceRequests {
    /// When our own requests began, oldest first.
    sent: VecDeque<Timestamp>,
    open: VecDeque<Open>,
}

#[derive(Clone, Debug)]
struct Open {
    began: Timestamp,
    facts: Facts,
}

/// Questions open at a time: the newest failure and the one before, so that an answer
/// that comes late does not hold up a second opinion.
const MAX_OPEN: usize = 2;

/// Own requests remembered: at one a second, more than a settled window of minutes
/// around a request of the longest function timeout that an API waits for (30 s).
const MAX_SENT: usize = 300;

impl EvidenceRequests {
    /// Remembers that a probe of ours was sent, whatever came of it.
    pub fn sent(&mut self, began: Timestamp) {
        if self.sent.len() >= MAX_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back(began);
    }

    /// The question that a failed probe raises; `None`: nothing to ask, or nowhere.
    pub fn ask(
        &mut self,
        target: &Arc<Target>,
        observation: &Observation,
        facts: &Facts,
        diagnosis: &Diagnosis,
        incident: &Incident,
    ) -> Option<EvidenceRequest> {
        let verdict = diagnosis.verdict.as_ref()?;
        // A proven cause needs no second proof, unless this failure does not look like it.
        let explained = verdict
            .candidates
            .iter()
            .any(|candidate| candidate.cause == incident.verdict.cause);
        let settled = explained && incident.verdict.certainty == Certainty::Proven;
        // Without an answer no gateway was reached that could have written anything down.
        let answered = observation.response.is_some();
        if settled
            || !answered
            || verdict.certainty == Certainty::Proven
            || !target.aws.names_evidence()
            || self.open.len() >= MAX_OPEN
        {
            return None;
        }
        self.open.push_back(Open {
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

    /// The facts of the probe that an answer is about, and the evidence with our own
    /// requests counted anew: more of them may have been sent since it was asked.
    /// `None`: nobody waits for it any more.
    pub fn answered(&mut self, answer: &EvidenceUpdate) -> Option<(Facts, AwsEvidence)> {
        let place = self
            .open
            .iter()
            .position(|open| open.began == answer.began)?;
        let facts = self.open.get(place)?.facts.clone();
        if answer.last {
            self.open.remove(place);
        }
        let mut evidence = AwsEvidence::clone(&answer.evidence);
        if let Some(window) = &mut evidence.window {
            let within = self
                .sent
                .iter()
                .filter(|began| (window.from..window.to).contains(began));
            window.ours = u32::try_from(within.count()).unwrap_or(u32::MAX);
        }
        Some((facts, evidence))
    }

    /// Forgets every open question: the incident is over, or the target has changed.
    pub fn forget(&mut self) {
        self.open.clear();
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

    /// A target that names its function, or nothing.
    fn target(function: Option<&str>) -> Arc<Target> {
        let mut target = Target::with_defaults("orders", "https://x.example/".parse().unwrap());
        target.aws.function = function.map(str::to_owned);
        Arc::new(target)
    }

    /// An HTTP API's 500, which four faults share.
    fn ambiguous(began: Timestamp) -> Observation {
        let mut observation = Observation::begun(began, "https://x.example/");
        observation.duration = Duration::from_millis(400);
        let headers = [
            ("content-type", "application/json"),
            ("apigw-requestid", "K2ZEDjwtIAMEcig="),
        ];
        observation.response = Some(Response {
            status: 500,
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
        inquiry: EvidenceRequests,
        incidents: Incidents,
    }

    impl Asking {
        fn of(target: Arc<Target>) -> Self {
            Self {
                target,
                inquiry: EvidenceRequests::default(),
                incidents: Incidents::default(),
            }
        }

        /// One more failed probe, and the question it raises.
        fn fail(&mut self, observation: &Observation) -> Option<EvidenceRequest> {
            let now = observation.started;
            let facts = Facts::gather(&self.target, observation, &Context::at(now));
            let diagnosis = Rulebook::embedded().unwrap().diagnose(&facts);
            let sighting = ProbeOutcome {
                target: &self.target.name,
                began: now,
                diagnosis: &diagnosis,
                health: HealthState::Down,
                suppressed: false,
            };
            let book = Rulebook::embedded().unwrap();
            self.incidents.apply(sighting, &book, now);
            self.inquiry.sent(now);
            let incident = Arc::clone(self.incidents.open().unwrap());
            self.inquiry
                .ask(&self.target, observation, &facts, &diagnosis, &incident)
        }
    }

    #[test]
    fn a_failure_raises_a_question_only_where_there_is_somebody_to_ask() {
        let question = Asking::of(target(Some("orders"))).fail(&ambiguous(at(60)));
        let question = question.unwrap();
        assert_eq!(question.request_id.as_deref(), Some("K2ZEDjwtIAMEcig="));
        assert_eq!((question.began, question.ours), (at(60), vec![at(60)]));
        assert_eq!(question.ended, at(60) + Duration::from_millis(400));
        assert_eq!(Asking::of(target(None)).fail(&ambiguous(at(60))), None);
    }

    #[test]
    fn few_questions_are_open_at_a_time_and_an_answer_makes_room() {
        let mut asking = Asking::of(target(Some("orders")));
        let asked = [60, 120, 180].map(|second| asking.fail(&ambiguous(at(second))).is_some());
        assert_eq!(asked, [true, true, false]);
        let mut answer = EvidenceUpdate {
            target: asking.target.name.clone(),
            began: at(60),
            evidence: Arc::new(AwsEvidence::default()),
            last: false,
        };
        assert!(asking.inquiry.answered(&answer).is_some());
        assert!(asking.fail(&ambiguous(at(240))).is_none(), "more may come");
        answer.last = true;
        assert!(asking.inquiry.answered(&answer).is_some());
        assert!(
            asking.inquiry.answered(&answer).is_none(),
            "it was the last"
        );
        assert!(asking.fail(&ambiguous(at(300))).is_some());
    }

    #[test]
    fn our_own_requests_are_counted_when_the_answer_comes() {
        let mut asking = Asking::of(target(Some("orders")));
        asking.fail(&ambiguous(at(60)));
        for second in [70, 90, 130] {
            asking.inquiry.sent(at(second));
        }
        let window = MetricWindow {
            from: at(60),
            to: at(120),
            settled: true,
            ours: 1,
            lambda: None,
            api: None,
        };
        let answer = EvidenceUpdate {
            target: asking.target.name.clone(),
            began: at(60),
            evidence: Arc::new(AwsEvidence {
                log: None,
                window: Some(window),
            }),
            last: true,
        };
        let (facts, evidence) = asking.inquiry.answered(&answer).unwrap();
        assert_eq!(facts.number("status"), Some(500.0));
        assert_eq!(evidence.window.unwrap().ours, 3);
    }

    #[test]
    fn a_proven_cause_is_not_proven_again() {
        let mut asking = Asking::of(target(Some("orders")));
        asking.fail(&ambiguous(at(60)));
        asking.inquiry.forget();
        let mut incident = Incident::clone(asking.incidents.open().unwrap());
        let mut verdict = crate::domain::diagnosis::Verdict::clone(&incident.verdict);
        verdict.certainty = Certainty::Proven;
        let facts = Facts::gather(&asking.target, &ambiguous(at(120)), &Context::at(at(120)));
        let diagnosis = Rulebook::embedded().unwrap().diagnose(&facts);
        let mut ask = |verdict: &crate::domain::diagnosis::Verdict| {
            incident.verdict = Arc::new(verdict.clone());
            let observation = ambiguous(at(120));
            asking
                .inquiry
                .ask(&asking.target, &observation, &facts, &diagnosis, &incident)
        };
        assert_eq!(ask(&verdict), None);
        verdict.cause = CauseId::new("dns-failure").unwrap();
        assert!(ask(&verdict).is_some(), "this failure looks different");
    }
}
