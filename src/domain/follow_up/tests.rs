mod asking;

use super::*;

use crate::domain::diagnosis::Evidence;
use crate::domain::diagnosis::context::Context;
use crate::domain::diagnosis::fact::FactValue;
use crate::domain::diagnosis::rulebook::Rulebook;
use crate::domain::health::HealthState;
use crate::domain::incident::{Incidents, ProbeOutcome, ResponseMark};
use crate::domain::layers::{LAYER_FAILING, LayerState};
use crate::model::host_port::{HostPort, Layer};
use crate::model::observation::{Fault, FaultKind, Phase, Response};
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
            kind: FailureKind::from(observation),
            mark: ResponseMark::of(observation),
            request_id: observation.request_id(),
            diagnosis: &diagnosis,
            health,
            suppressed: false,
        };
        self.incidents.apply(outcome, &self.rulebook, now);
        let Some(incident) = self.incidents.open() else {
            self.ups.forget();
            return Vec::new();
        };
        let failure = IncidentProbe {
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

    /// Applies the findings of both rounds, with these statuses, to the incident. The failed probe
    /// started at 0.
    fn learn(&mut self, statuses: &[u16], second: i64) {
        for round in 0..2 {
            let examined = self.round(0, round, statuses, second).examined.unwrap();
            let shown = verdict::with_layers(&self.rulebook, &examined);
            let incidents = &mut self.incidents;
            incidents.revise_with_layers(&shown, examined.findings, at(second));
        }
    }

    fn cause(&self) -> &str {
        self.incidents.open().unwrap().verdict.cause.as_str()
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
fn another_kind_of_failure_in_the_same_incident_is_examined_after_five_minutes() {
    let mut following = Following::of(target(&["lb"]));
    following.fail(502, 0);
    following.round(0, 0, &[502, 502], 1);
    following.round(0, 1, &[502, 502], 2);
    assert!(following.fail(500, 299).is_empty());
    assert!(following.fail(502, 300).is_empty());
    assert_eq!(following.fail(500, 301), ["0.0 after 0", "0.1 after 0"]);
    let mut following = Following::of(target(&["lb"]));
    following.fail(502, 0);
    following.round(0, 0, &[502, 502], 1);
    following.round(0, 1, &[502, 502], 2);
    let wanted = following.probe(&timeout(300), HealthState::Down);
    assert_eq!(wanted, ["0.0 after 0", "0.1 after 0"]);
}

#[test]
fn layers_are_compared_with_the_url_in_the_same_round() {
    let mut following = Following::of(target(&["lb"]));
    following.fail(502, 0);
    let step = following.round(0, 0, &[404, 404], 1);
    assert_eq!(states(&step), [LayerState::Failing, LayerState::Failing]);
    let mut following = Following::of(target(&["lb"]));
    following.fail(404, 0);
    // The result of the layer arrives before that of the URL.
    following.layer((0, 0, 1), Some(&answer(404, &[], 1)), 1);
    let step = following.layer((0, 0, 0), Some(&answer(502, &[], 1)), 1);
    assert_eq!(
        states(&step),
        [LayerState::Failing, LayerState::NotTestable]
    );
    let step = following.round(0, 1, &[403, 403], 2);
    assert_eq!(
        states(&step),
        [LayerState::Failing, LayerState::NotTestable]
    );
}

#[test]
fn a_changed_target_is_examined_again_if_its_layers_changed_or_an_examination_was_dropped() {
    let examined = |rounds: u8| {
        let mut following = Following::of(target(&["lb"]));
        following.fail(502, 0);
        for round in 0..rounds {
            following.round(0, round, &[502, 502], 1);
        }
        following
    };
    let mut dropped = examined(1);
    dropped.ups.change(false);
    assert!(dropped.fail(502, 299).is_empty());
    assert_eq!(dropped.fail(502, 300), ["0.0 after 0", "0.1 after 0"]);
    let mut complete = examined(2);
    complete.ups.change(false);
    assert!(complete.fail(502, 3599).is_empty());
    let mut changed = examined(2);
    changed.ups.change(true);
    assert_eq!(changed.fail(502, 10), ["0.0 after 0", "0.1 after 0"]);
}

#[test]
fn requests_are_needed_until_they_are_dropped() {
    let mut following = Following::of(target(&["lb"]));
    following.fail(502, 0);
    let next = following.round(0, 0, &[502, 502], 1).next;
    assert_eq!(next.len(), 2);
    assert!(next.iter().all(|request| request.validity.is_needed()));
    following.pass(2);
    assert!(!next.iter().any(|request| request.validity.is_needed()));
}

#[test]
fn requests_of_an_incident_are_not_repeated_after_a_restart() {
    let mut following = Following::of(target(&["lb"]));
    following.fail(502, 0);
    following.learn(&[502, 200], 1);
    let cause_request = following.ups.take_cause_request(at(0)).unwrap();
    let evidence = [Evidence {
        fact: "asked.azure_error".to_owned(),
        value: FactValue::Text("x".to_owned()),
    }];
    let outside = cause_request.verdict;
    let diagnosis = Diagnosis {
        verdict: Some(Arc::clone(&outside)),
        ..Diagnosis::passed()
    };
    let previous = (at(0), cause_request.kind, &*outside);
    let incidents = &mut following.incidents;
    let event = incidents.revise_with_response(previous, &diagnosis, &evidence, at(4));
    assert!(event.is_some());
    let incident = Arc::clone(following.incidents.open().unwrap());
    assert_eq!(incident.verdict.cause.as_str(), LAYER_FAILING);

    let mut resumed = Following::of(target(&["lb"]));
    resumed.ups = FollowUps::resumed(&incident);
    resumed.incidents = Incidents::resumed(incident);
    for second in 60..64 {
        assert!(resumed.fail(502, second).is_empty());
    }
    assert_eq!(resumed.cause(), LAYER_FAILING, "the verdict is kept");
    assert_eq!(resumed.fail(502, 3700), ["0.0 after 0", "0.1 after 0"]);
}

#[test]
fn a_learned_verdict_does_not_apply_to_another_kind_of_failure() {
    let mut following = Following::of(target(&["lb"]));
    following.fail(502, 0);
    following.learn(&[502, 200], 1);
    for second in 60..64 {
        following.fail(502, second);
    }
    assert_eq!(following.cause(), LAYER_FAILING);
    following.fail(500, 70);
    following.fail(500, 71);
    following.fail(500, 72);
    assert_ne!(following.cause(), LAYER_FAILING);
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
