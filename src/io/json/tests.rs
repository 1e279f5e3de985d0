//! Tests that every JSON object is published in full and with its keys in order.

use std::sync::Arc;

use super::*;
use crate::domain::diagnosis::Candidate;
use crate::domain::incident::{
    AccountChange, AccountChanges, ChangeEffect, IncidentId, Proof, ProofSource, Revision,
};
use crate::domain::layers::{LayerFindings, LayerResult, LayerState};
use crate::model::cause::{CauseId, Certainty, Owner};
use crate::model::observation::Response;
use crate::model::scope::Scope;

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn cause_id(cause: &str) -> CauseId {
    CauseId::new(cause).unwrap()
}

fn verdict(leading: &str) -> Arc<Verdict> {
    let shares = [(leading, 0.912_345), ("integration-timeout", 0.087_655)];
    Arc::new(Verdict {
        cause: cause_id(leading),
        title: format!("Title of {leading}"),
        owner: Owner::Platform,
        hop: None,
        certainty: Certainty::Likely,
        candidates: shares
            .map(|(cause, share)| Candidate {
                cause: cause_id(cause),
                share,
            })
            .into(),
        next: vec!["First step.".to_owned(), "Second \"step\".".to_owned()],
    })
}

fn facts(status: f64) -> Vec<Evidence> {
    [
        ("status", FactValue::Number(status)),
        ("excess", FactValue::Number(0.012_345_678_9)),
        ("front_door", FactValue::Text("http-api".to_owned())),
    ]
    .map(|(fact, value)| Evidence {
        fact: fact.to_owned(),
        value,
    })
    .into()
}

fn failed() -> Diagnosis {
    Diagnosis {
        outcome: Outcome::Failed,
        verdict: Some(verdict("lambda-throttled")),
        evidence: facts(503.0),
        error: Some("expected status 200, got 503".to_owned()),
    }
}

fn observation() -> Observation {
    let mut seen = Observation::begun(at("2026-01-02T03:04:05.6789Z"), "https://a.example/b");
    for (phase, micros) in [(Phase::Connect, 14_000), (Phase::Processing, 41_234)] {
        seen.phases.add(phase, Duration::from_micros(micros));
    }
    seen.duration = Duration::from_nanos(60_123_456_789);
    seen.own_lag = Duration::from_millis(12);
    seen.remote = Some(([192, 0, 2, 7], 443).into());
    seen.response = Some(Response::of(503, &[("apigw-requestid", "abc123=")], ""));
    seen
}

fn open_incident() -> Arc<Incident> {
    let scope = Scope::Target(configured().name.clone());
    let opened = at("2026-01-02T03:00:00Z");
    let mut changes = AccountChanges::default();
    changes.add([AccountChange {
        time: at("2026-01-02T02:59:24Z"),
        event: "RemovePermission".to_owned(),
        resource: "orders:live".to_owned(),
        who: "deploy-role".to_owned(),
        seconds_before: 26,
        effect: ChangeEffect::PermissionRemoved,
    }]);
    Arc::new(Incident {
        id: IncidentId::new(&scope, opened),
        scope,
        verdict: verdict("lambda-permission-denied"),
        evidence: facts(500.0).into(),
        also: vec![cause_id("too-slow")],
        opened,
        resolved: None,
        history: vec![Revision {
            at: opened,
            cause: cause_id("unexplained"),
            certainty: Certainty::Possible,
            note: "opened".to_owned(),
        }],
        layers: Some(Arc::new(LayerFindings {
            at: opened,
            results: vec![LayerResult {
                name: "front".to_owned(),
                state: LayerState::Failing,
                detail: "status 503".to_owned(),
            }],
            repeated: true,
        })),
        proof: Some(Proof {
            request_id: Some("abc123=".to_owned()),
            time: opened,
            source: ProofSource::Aws,
            statement: "access log: permission denied".to_owned(),
        }),
        changes,
    })
}

fn configured() -> Arc<Target> {
    let mut target = Target::with_defaults("orders", "https://a.example/b?secret".parse().unwrap());
    target.labels = [("team", "shop"), ("area", "x")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    Arc::new(target)
}

fn report(diagnosis: Diagnosis, incident: Option<Arc<Incident>>) -> Report {
    let diagnosis = Arc::new(diagnosis);
    Report {
        target: configured(),
        location: "eu-west-1".into(),
        at: at("2026-01-02T03:04:06Z"),
        observation: Arc::new(observation()),
        health: HealthState::Down,
        since: at("2026-01-02T03:01:00Z"),
        transition: None,
        showing: diagnosis.verdict.clone(),
        floor: None,
        incident,
        event: None,
        maintenance: true,
        prober_fault: false,
        diagnosis,
    }
}

fn kept() -> StoredIncident {
    StoredIncident {
        location: "eu-west-1".into(),
        incident: open_incident(),
        health: HealthState::Degraded,
        since: at("2026-01-02T03:01:00Z"),
    }
}

#[test]
fn every_object_is_published_byte_for_byte() {
    let undated = result(ResultParts {
        target: "https://a.example/b",
        location: None,
        observation: &observation(),
        dated: false,
        diagnosis: &Diagnosis::passed(),
        incident_id: None,
    });
    let mut without_evidence = (*open_incident()).clone();
    without_evidence.evidence = Arc::default();
    let mut resolved = without_evidence.clone();
    resolved.resolved = Some(at("2026-01-02T03:10:00Z"));
    let resolved = Arc::new(resolved);
    let info = CauseInfo {
        cause: cause_id("too-slow"),
        owner: Owner::Service,
        hop: None,
        title: "The answer was slow".to_owned(),
        next: vec!["Look.".to_owned()],
        see: "https://docs.example/".to_owned(),
    };
    let objects = [
        ("result", undated),
        ("target, no incident", target(&report(failed(), None))),
        (
            "target, open incident",
            target(&report(failed(), Some(open_incident()))),
        ),
        (
            "target, open incident without evidence",
            target(&report(failed(), Some(Arc::new(without_evidence)))),
        ),
        (
            "target, passed during an incident",
            target(&report(Diagnosis::passed(), Some(open_incident()))),
        ),
        (
            "target, resolved incident",
            target(&report(failed(), Some(Arc::clone(&resolved)))),
        ),
        ("target, not probed", unprobed(&configured(), "x", None)),
        (
            "target, not probed since the restart",
            unprobed(&configured(), "x", Some(&kept())),
        ),
        ("incident, open", incident(&open_incident())),
        ("incident, resolved", incident(&resolved)),
        ("cause", cause(&info)),
    ];
    let lines: Vec<_> = objects
        .iter()
        .map(|(name, object)| format!("{name}: {object}"))
        .collect();
    insta::assert_snapshot!(lines.join("\n\n"));
}
