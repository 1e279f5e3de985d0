use super::*;

use crate::domain::diagnosis::context::Context;
use crate::domain::diagnosis::rulebook::Rulebook;
use crate::domain::health::HealthState;
use crate::domain::incident::{Incidents, ProbeOutcome};
use crate::domain::layers::LayerState;
use crate::model::host_port::{HostPort, Layer};
use crate::model::observation::{Fault, FaultKind, HttpVersion, Phase, Response};
use crate::model::target::HeaderText;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Returns a target with these layers.
fn target(layers: &[&str]) -> Target {
    let mut target = Target::with_defaults("shop", "https://shop.example/".parse().unwrap());
    let layers = layers.iter().map(|name| Layer {
        name: (*name).to_owned(),
        connect_to: HostPort::parse("10.0.0.1:443").unwrap(),
    });
    target.layers = layers.collect();
    target
}

fn answer(status: u16, headers: &[(&str, &str)], second: i64) -> Observation {
    let mut observation = Observation::begun(at(second), "https://shop.example/");
    observation.response = Some(Response::of(status, headers, ""));
    observation
}

fn timeout(second: i64) -> Observation {
    let mut observation = Observation::begun(at(second), "https://shop.example/");
    observation.fault = Some(Fault {
        phase: Phase::Processing,
        kind: FaultKind::Timeout,
        detail: String::new(),
    });
    observation
}

/// A target, its incidents, and the state of its follow-up requests.
struct Following {
    target: Arc<Target>,
    rulebook: Rulebook,
    incidents: Incidents,
    ups: FollowUps,
    budget: FollowUpBudget,
}

impl Following {
    fn of(target: Target) -> Self {
        Self {
            target: Arc::new(target),
            rulebook: Rulebook::embedded().unwrap(),
            incidents: Incidents::default(),
            ups: FollowUps::default(),
            budget: FollowUpBudget::default(),
        }
    }

    /// Applies a probe, and returns the follow-up requests as short texts.
    fn probe(&mut self, observation: &Observation, health: HealthState) -> Vec<String> {
        let now = observation.started;
        let facts = Facts::gather(&self.target, observation, &Context::at(now));
        let diagnosis = self.rulebook.diagnose(&facts);
        let outcome = ProbeOutcome {
            target: &self.target.name,
            began: now,
            diagnosis: &diagnosis,
            health,
            suppressed: false,
        };
        self.incidents.apply(outcome, &self.rulebook, now);
        let Some(incident) = self.incidents.open() else {
            self.ups.forget();
            return Vec::new();
        };
        let failure = Failure {
            target: &self.target,
            observation,
            facts: &facts,
            diagnosis: &diagnosis,
            incident,
        };
        words(&self.ups.wanted(&failure, &mut self.budget, now))
    }

    fn fail(&mut self, status: u16, second: i64) -> Vec<String> {
        self.probe(&answer(status, &[], second), HealthState::Down)
    }

    fn pass(&mut self, second: i64) -> Vec<String> {
        self.probe(&answer(200, &[], second), HealthState::Up)
    }

    /// Applies the result of a request through one layer, in the examination of the probe that
    /// started at `began`.
    fn layer(
        &mut self,
        (began, round, index): (i64, u8, usize),
        observation: Option<&Observation>,
        second: i64,
    ) -> Step {
        let kind = FollowUpKind::Layer {
            began: at(began),
            round,
            index,
        };
        self.ups
            .apply_layer_result(&self.target, kind, observation, at(second))
    }

    /// Applies the statuses of all requests of a round, in order of the index. Returns the last
    /// step.
    fn round(&mut self, began: i64, round: u8, statuses: &[u16], second: i64) -> Step {
        let mut last = Step::default();
        for (index, status) in statuses.iter().enumerate() {
            let observation = answer(*status, &[], second);
            last = self.layer((began, round, index), Some(&observation), second);
        }
        last
    }
}

fn words(requests: &[FollowUp]) -> Vec<String> {
    let word = |request: &FollowUp| match request.kind {
        FollowUpKind::Control => "control".to_owned(),
        FollowUpKind::Ask { .. } => "ask".to_owned(),
        FollowUpKind::Layer { round, index, .. } => {
            format!("{round}.{index} after {}", request.after.as_secs())
        }
    };
    requests.iter().map(word).collect()
}

fn states(step: &Step) -> Vec<LayerState> {
    let findings = &step.examined.as_ref().unwrap().findings;
    findings.results.iter().map(|one| one.state).collect()
}

#[test]
fn nothing_is_requested_while_all_is_well_or_a_failure_is_not_confirmed() {
    let mut following = Following::of(target(&["origin"]));
    assert!(following.pass(0).is_empty());
    let first = answer(502, &[], 60);
    assert!(following.probe(&first, HealthState::Up).is_empty());
    assert!(!following.fail(502, 70).is_empty());
}

#[test]
fn a_degraded_target_is_not_examined() {
    let mut target = target(&["origin"]);
    target.expect.slower_than = Some(Duration::from_millis(1));
    let mut following = Following::of(target);
    let mut slow = answer(200, &[], 0);
    slow.duration = Duration::from_secs(1);
    assert!(following.probe(&slow, HealthState::Degraded).is_empty());
    assert!(following.incidents.open().is_some());
}

#[test]
fn every_layer_and_the_url_itself_are_requested_twice() {
    let mut following = Following::of(target(&["lb", "app"]));
    let wanted = following.fail(502, 0);
    assert_eq!(wanted, ["ask", "0.0 after 0", "0.1 after 0", "0.2 after 0"]);
    let step = following.round(0, 0, &[502, 502, 200], 1);
    assert_eq!(
        words(&step.next),
        ["1.0 after 10", "1.1 after 10", "1.2 after 10"]
    );
    let expected = [LayerState::Failing, LayerState::Failing, LayerState::Ok];
    assert_eq!(states(&step), expected);
    assert!(!step.examined.as_ref().unwrap().findings.repeated);
    let step = following.round(0, 1, &[504, 502, 200], 12);
    assert_eq!(states(&step), expected);
    let findings = step.examined.unwrap().findings;
    assert!(findings.repeated && step.next.is_empty());
    assert_eq!(findings.broken().unwrap().name, "lb");
}

#[test]
fn an_examination_ends_without_findings_if_the_url_answers_or_a_result_is_lost() {
    for (index, result) in [(0, Some(answer(200, &[], 1))), (1, None)] {
        let mut following = Following::of(target(&["lb"]));
        following.fail(502, 0);
        let other = following.layer((0, 0, 1 - index), Some(&answer(502, &[], 1)), 1);
        assert!(other.next.is_empty() && other.examined.is_none());
        let step = following.layer((0, 0, index), result.as_ref(), 1);
        assert!(step.next.is_empty() && step.examined.is_none());
        let late = following.round(0, 0, &[502, 502], 2);
        assert!(late.examined.is_none(), "the examination has ended");
        assert!(following.fail(502, 60).is_empty());
        assert_eq!(
            following.fail(502, 300),
            ["0.0 after 0", "0.1 after 0"],
            "without findings, the examination is repeated after five minutes"
        );
    }
}

#[test]
fn a_complete_examination_is_repeated_after_an_hour_or_in_another_incident() {
    let mut following = Following::of(target(&["lb"]));
    following.fail(502, 0);
    following.round(0, 0, &[502, 502], 1);
    following.round(0, 1, &[502, 502], 2);
    assert!(following.fail(502, 3599).is_empty());
    assert_eq!(following.fail(502, 3600), ["0.0 after 0", "0.1 after 0"]);
    following.pass(3700);
    assert_eq!(
        following.fail(502, 3800),
        ["ask"],
        "the last examination is less than five minutes ago"
    );
    assert_eq!(following.fail(502, 3900), ["0.0 after 0", "0.1 after 0"]);
}

#[test]
fn results_of_another_examination_or_round_are_ignored() {
    let mut following = Following::of(target(&["lb"]));
    following.fail(502, 0);
    assert!(following.round(7, 0, &[502, 200], 1).examined.is_none());
    assert!(following.round(0, 1, &[502, 200], 1).examined.is_none());
    assert!(following.round(0, 0, &[502, 200], 1).examined.is_some());
    following.pass(30);
    assert!(following.round(0, 1, &[502, 200], 31).examined.is_none());
}

#[test]
fn requests_above_the_budget_are_made_after_a_later_failure() {
    let mut following = Following::of(target(&["lb"]));
    assert!(following.budget.take(118, at(0)));
    assert_eq!(following.fail(502, 0), ["ask"]);
    assert_eq!(following.fail(502, 10), ["0.0 after 0", "0.1 after 0"]);
}

/// Returns whether the front door is asked for the cause after this observation of a changed
/// target.
fn asks(change: impl FnOnce(&mut Target), observation: &Observation) -> bool {
    let mut target = target(&[]);
    change(&mut target);
    let wanted = Following::of(target).probe(observation, HealthState::Down);
    assert!(wanted.len() <= 1);
    !wanted.is_empty()
}

#[test]
fn the_front_door_is_asked_only_where_it_may_answer_and_the_target_allows_it() {
    let own = |name: &str| (name.to_owned(), HeaderText::Plain("x".to_owned()));
    let plain = answer(530, &[], 0);
    assert!(asks(|_| {}, &plain));
    assert!(asks(
        |target| target.request.method = "HEAD".to_owned(),
        &plain
    ));
    assert!(asks(
        |target| target.request.headers = vec![own("Accept")],
        &plain
    ));
    assert!(!asks(
        |target| target.request.method = "POST".to_owned(),
        &plain
    ));
    assert!(!asks(|target| target.ask_for_cause = false, &plain));
    let both = vec![own("accept"), own("X-Azure-DebugInfo")];
    assert!(!asks(|target| target.request.headers = both, &plain));
    assert!(!asks(|_| {}, &timeout(0)));
    assert!(!asks(|_| {}, &answer(503, &[("apigw-requestid", "a=")], 0)));
    assert!(!asks(|_| {}, &answer(200, &[], 0)));
}

#[test]
fn a_front_door_is_asked_once_an_incident_and_at_most_once_an_hour() {
    let mut following = Following::of(target(&[]));
    assert_eq!(following.fail(530, 0), ["ask"]);
    assert!(following.fail(530, 4000).is_empty());
    following.pass(4100);
    assert_eq!(following.fail(530, 4200), ["ask"]);
    following.pass(4300);
    assert!(
        following.fail(530, 4400).is_empty(),
        "the last request is less than an hour ago"
    );
    assert_eq!(following.fail(530, 7800), ["ask"]);
}

#[test]
fn an_answer_counts_once_and_only_if_it_is_about_the_same_failure() {
    let ask = |seen: &Observation| {
        let mut following = Following::of(target(&[]));
        following.fail(530, 0);
        assert!(following.ups.take_cause_request(at(1)).is_none());
        let cause_request = following.ups.take_cause_request(at(0)).unwrap();
        assert!(following.ups.take_cause_request(at(0)).is_none());
        let mut facts = Facts::gather(&following.target, seen, &Context::at(at(2)));
        let evidence = cause_request.evidence_in(seen, &mut facts);
        (evidence, facts)
    };
    let headers = [("x-azure-externalerror", "0x830c1011, unfamiliar")];
    let (evidence, facts) = ask(&answer(530, &headers, 2));
    assert_eq!(evidence.unwrap()[0].fact, "asked.azure_error");
    assert_eq!(facts.text("asked.answered"), Some("yes"));
    assert_eq!(
        facts.text("asked.azure_error"),
        Some("0x830c1011, unfamiliar")
    );
    assert_eq!(ask(&answer(530, &[], 2)).0, Some(Vec::new()));
    for other in [
        answer(502, &headers, 2),
        answer(200, &headers, 2),
        timeout(2),
    ] {
        let (evidence, facts) = ask(&other);
        assert!(evidence.is_none() && facts.get("asked.answered").is_none());
    }
}
