//! Tests of how sequences of probes open, change and resolve incidents.

mod account_changes;
mod hand_over;

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;

use super::record::MAX_HISTORY;
use super::{
    FailureKind, IncidentEvent, IncidentId, Incidents, ProbeOutcome, ProofSource, ResponseMark,
};
use crate::domain::diagnosis::rulebook::Rulebook;
use crate::domain::diagnosis::{Candidate, Diagnosis, Outcome, Verdict};
use crate::domain::health::HealthState;
use crate::model::cause::{CauseId, Certainty, Owner};
use crate::model::scope::Scope;
use crate::model::target::TargetName;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn failed(cause: &str, certainty: Certainty) -> Diagnosis {
    let cause = CauseId::new(cause).unwrap();
    Diagnosis {
        outcome: Outcome::Failed,
        verdict: Some(Arc::new(Verdict {
            cause: cause.clone(),
            title: String::new(),
            owner: Owner::Service,
            hop: None,
            certainty,
            candidates: vec![Candidate { cause, share: 1.0 }],
            next: Vec::new(),
        })),
        evidence: Vec::new(),
        error: None,
    }
}

/// The embedded rules, parsed once for all tests because parsing takes longer than the tests.
static RULES: LazyLock<Rulebook> = LazyLock::new(|| Rulebook::embedded().unwrap());

fn apply(
    incidents: &mut Incidents,
    diagnosis: &Diagnosis,
    health: HealthState,
    second: i64,
) -> Option<IncidentEvent> {
    let outcome = ProbeOutcome {
        target: &TargetName::new("orders"),
        began: at(second),
        kind: FailureKind::default(),
        mark: ResponseMark::default(),
        request_id: None,
        diagnosis,
        health,
        suppressed: false,
    };
    incidents.apply(outcome, &RULES, at(second))
}

/// Applies probes and compares the events. A probe is a cause (empty for a success), a certainty,
/// and the health after the probe.
fn check(steps: &[(&str, Certainty, HealthState)], expected: &[&str]) -> Incidents {
    let mut incidents = Incidents::default();
    let mut events = Vec::new();
    for (second, (cause, certainty, health)) in (1..).zip(steps) {
        let diagnosis = match *cause {
            "" => Diagnosis::passed(),
            cause => failed(cause, *certainty),
        };
        let event = apply(&mut incidents, &diagnosis, *health, second);
        events.push(event.map_or("-".to_owned(), |event| {
            format!("{} {}", event.as_str(), event.incident().verdict.cause)
        }));
    }
    assert_eq!(events, expected);
    incidents
}

use Certainty::{Likely, Possible, Proven};
use HealthState::{Down, Unknown, Up};

#[test]
fn an_incident_opens_when_the_target_goes_down_and_resolves_when_it_is_up() {
    let incidents = check(
        &[
            ("connection-refused", Likely, Unknown),
            ("connection-refused", Likely, Down),
            ("", Likely, Down),
            ("", Likely, Up),
        ],
        &[
            "-",
            "opened connection-refused",
            "-",
            "resolved connection-refused",
        ],
    );
    assert!(incidents.open().is_none());
}

#[test]
fn the_cause_changes_after_two_deviating_probes_and_not_after_one() {
    check(
        &[
            ("lambda-throttled", Likely, Down),
            ("too-slow", Likely, Down),
            ("lambda-throttled", Likely, Down),
            ("too-slow", Likely, Down),
            ("too-slow", Likely, Down),
        ],
        &["opened lambda-throttled", "-", "-", "-", "updated too-slow"],
    );
}

#[test]
fn a_failure_that_contradicts_the_cause_when_the_incident_opens_counts() {
    check(
        &[
            ("dns-name-not-found", Proven, Unknown),
            ("connect-timeout", Likely, Down),
            ("connect-timeout", Likely, Down),
        ],
        &["-", "opened dns-name-not-found", "updated connect-timeout"],
    );
}

#[test]
fn a_higher_certainty_is_taken_at_once_and_kept() {
    let incidents = check(
        &[
            ("lambda-throttled", Possible, Down),
            ("lambda-throttled", Proven, Down),
            ("lambda-throttled", Possible, Down),
        ],
        &["opened lambda-throttled", "updated lambda-throttled", "-"],
    );
    let open = incidents.open().unwrap();
    assert_eq!(open.verdict.certainty, Proven);
    assert_eq!(open.history.last().unwrap().note, "possible → proven");
}

#[test]
fn no_incident_opens_during_maintenance() {
    let mut incidents = Incidents::default();
    let diagnosis = failed("dns-failure", Likely);
    let outcome = ProbeOutcome {
        target: &TargetName::new("orders"),
        began: at(1),
        kind: FailureKind::default(),
        mark: ResponseMark::default(),
        request_id: None,
        diagnosis: &diagnosis,
        health: Down,
        suppressed: true,
    };
    assert_eq!(incidents.apply(outcome, &RULES, at(1)), None);
    assert!(apply(&mut incidents, &diagnosis, Down, 2).is_some());
}

#[test]
fn the_history_is_bounded_and_keeps_the_first_revision() {
    let mut incidents = Incidents::default();
    for second in 0..1000_i64 {
        let cause = if second % 8 < 4 {
            "dns-failure"
        } else {
            "too-slow"
        };
        apply(&mut incidents, &failed(cause, Likely), Down, second);
    }
    let history = &incidents.open().unwrap().history;
    assert_eq!(history.len(), MAX_HISTORY);
    assert_eq!(history[0].note, "opened");
}

/// Opens an incident with an ambiguous cause, then applies evidence about its second failed probe.
fn check_revision(revised: &Diagnosis, expected: Option<&str>) -> Incidents {
    let mut incidents = Incidents::default();
    let guess = failed("lambda-function-error", Possible);
    for second in 1..=3 {
        apply(&mut incidents, &guess, Down, second);
    }
    let event = incidents.revise_with(at(2), revised, "Throttles 14, Invocations 0", at(9));
    let note = event.map(|event| {
        assert_eq!(event.as_str(), "updated");
        event.incident().history.last().unwrap().note.clone()
    });
    assert_eq!(note.as_deref(), expected);
    incidents
}

#[test]
fn evidence_revises_an_incident_at_once_and_is_noted() {
    check_revision(
        &failed("lambda-function-error", Certainty::Corroborated),
        Some("possible → corroborated: Throttles 14, Invocations 0"),
    );
    check_revision(
        &failed("lambda-throttled", Proven),
        Some(
            "lambda-function-error → lambda-throttled (possible → proven): \
             Throttles 14, Invocations 0",
        ),
    );
    check_revision(&failed("lambda-function-error", Possible), None);
}

#[test]
fn evidence_that_arrives_after_many_failures_revises_the_incident() {
    let mut incidents = Incidents::default();
    let guess = failed("lambda-function-error", Possible);
    apply(&mut incidents, &guess, Down, 10);
    incidents.await_evidence(at(10));
    for minute in 1..=10 {
        apply(&mut incidents, &guess, Down, 10 + 60 * minute);
    }
    let measured = failed("lambda-function-error", Certainty::Corroborated);
    let event = incidents.revise_with(at(10), &measured, "Errors 1", at(615));
    let incident = Arc::clone(event.unwrap().incident());
    let note = &incident.history.last().unwrap().note;
    assert_eq!(note, "possible → corroborated: Errors 1");
    // A newer failure with the same signature gets the same verdict.
    assert_eq!(apply(&mut incidents, &guess, Down, 670), None);
    let open = incidents.open().unwrap();
    assert_eq!(open.verdict.certainty, Certainty::Corroborated);
    // Other failures of this age are forgotten.
    let proven = failed("lambda-throttled", Proven);
    let event = incidents.revise_with(at(70), &proven, "log", at(680));
    assert_eq!(event, None);
}

#[test]
fn a_proven_cause_survives_later_ambiguous_failures() {
    let proven = failed("lambda-throttled", Proven);
    let mut incidents = check_revision(
        &proven,
        Some(
            "lambda-function-error → lambda-throttled (possible → proven): \
             Throttles 14, Invocations 0",
        ),
    );
    let guess = failed("lambda-function-error", Possible);
    for second in 10..20 {
        assert_eq!(apply(&mut incidents, &guess, Down, second), None);
    }
    let event = incidents.revise_with(at(19), &guess, "nothing", at(21));
    assert_eq!(event, None);
    let open = incidents.open().unwrap();
    assert_eq!(open.verdict.cause.as_str(), "lambda-throttled");
    assert!(
        open.also.is_empty(),
        "the failures have the signature of the proven failure"
    );
    apply(&mut incidents, &failed("too-slow", Likely), Down, 22);
    let open = incidents.open().unwrap();
    assert_eq!(open.also[0].as_str(), "too-slow");
}

#[test]
fn a_cause_proven_before_a_restart_survives_it() {
    let mut before = Incidents::default();
    let guess = failed("lambda-function-error", Possible);
    apply(&mut before, &guess, Down, 1);
    let mut revised = failed("lambda-malformed-response", Proven);
    before.revise_with(at(1), &revised, "access log", at(2));
    let mut after = Incidents::resumed(Arc::clone(before.open().unwrap()));
    assert_eq!(after.open(), before.open());
    // The following failures allow both causes, as the failure with the proven cause did.
    let both = ["lambda-function-error", "lambda-malformed-response"];
    revised = guess;
    Arc::make_mut(revised.verdict.as_mut().unwrap()).candidates = both
        .map(|cause| Candidate {
            cause: CauseId::new(cause).unwrap(),
            share: 0.5,
        })
        .to_vec();
    for second in 10..20 {
        assert_eq!(apply(&mut after, &revised, Down, second), None);
    }
    let event = apply(&mut after, &Diagnosis::passed(), Up, 30).unwrap();
    assert_eq!(event.as_str(), "resolved");
    assert_eq!(event.incident().id, before.open().unwrap().id);
}

#[test]
fn ids_sort_by_time_and_differ_by_scope() {
    let (a, b) = (Scope::parse("a"), Scope::parse("b"));
    assert_ne!(IncidentId::new(&a, at(1)), IncidentId::new(&b, at(1)));
    assert!(IncidentId::new(&b, at(1)) < IncidentId::new(&a, at(2)));
}

#[test]
fn a_declared_incident_is_updated_only_if_cause_or_certainty_differ() {
    let mut incidents = Incidents::default();
    let throttled = failed("lambda-throttled", Certainty::Likely);
    incidents.declare(Scope::Group, &throttled, "100 targets fail", at(1));
    let mut update_cause = |diagnosis: &Diagnosis| {
        let verdict = diagnosis.verdict.as_ref().unwrap();
        let event = incidents.update_cause(verdict, "90 targets fail", at(2))?;
        Some(event.incident().history.last()?.note.clone())
    };
    assert_eq!(update_cause(&throttled), None);
    // The new majority may be less certain than the previous one.
    let weaker = failed("dns-failure", Certainty::Possible);
    let note = "lambda-throttled → dns-failure (likely → possible): 90 targets fail";
    assert_eq!(update_cause(&weaker).as_deref(), Some(note));
}
