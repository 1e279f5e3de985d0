//! Tests of what changes in the AWS account add to an incident.

use super::*;
use crate::domain::incident::{AccountChange, CHANGE_EVIDENCE, ChangeEffect, Incident};

fn change(event: &str, seconds_before: i64, effect: ChangeEffect) -> AccountChange {
    AccountChange {
        time: at(1000 - seconds_before),
        event: event.to_owned(),
        resource: "orders".to_owned(),
        who: "deploy-role".to_owned(),
        seconds_before,
        effect,
    }
}

/// Returns the sentences about changes in the evidence of the incident.
fn explanations(incident: &Incident) -> Vec<String> {
    let evidence = incident.evidence.iter();
    let found = evidence.filter(|one| one.fact == CHANGE_EVIDENCE);
    found.map(|one| one.value.to_string()).collect()
}

fn opened(cause: &str) -> (Incidents, IncidentId) {
    let expected = format!("opened {cause}");
    let incidents = check(&[(cause, Likely, Down)], &[expected.as_str()]);
    let id = incidents.open().unwrap().id.clone();
    (incidents, id)
}

const REMOVED: ChangeEffect = ChangeEffect::PermissionRemoved;

#[test]
fn new_changes_update_the_incident_and_its_history_but_not_its_cause() {
    let (mut incidents, id) = opened("lambda-permission-denied");
    let found = vec![change("RemovePermission", 26, REMOVED)];
    let event = incidents.add_changes(&id, found.clone(), at(9)).unwrap();
    assert_eq!(event.as_str(), "updated");
    let incident = event.incident();
    assert_eq!(incident.changes.as_slice(), found);
    let revision = incident.history.last().unwrap();
    assert_eq!(
        revision.note,
        "changes in the AWS account, relative to the first failure: RemovePermission by \
         deploy-role 26 s before"
    );
    assert_eq!((revision.at, revision.certainty), (at(9), Likely));
    assert_eq!(revision.cause.as_str(), "lambda-permission-denied");
    assert_eq!(incidents.add_changes(&id, found, at(10)), None);
    assert_eq!(incidents.add_changes(&id, Vec::new(), at(10)), None);
}

#[test]
fn changes_of_another_incident_are_ignored() {
    let (mut incidents, id) = opened("lambda-throttled");
    let found = vec![change("RemovePermission", 26, REMOVED)];
    let other = IncidentId::new(&Scope::parse("orders"), at(77));
    assert_eq!(incidents.add_changes(&other, found.clone(), at(9)), None);
    assert!(incidents.close(at(10), "up again").is_some());
    assert_eq!(incidents.add_changes(&id, found, at(11)), None);
}

#[test]
fn a_note_names_three_changes() {
    let (mut incidents, id) = opened("lambda-throttled");
    let found = (1..=5).map(|second| change("UpdateAlias", second, ChangeEffect::CodeChanged));
    let event = incidents.add_changes(&id, found.collect(), at(9)).unwrap();
    let note = &event.incident().history.last().unwrap().note;
    assert!(note.ends_with("3 s before and 2 more"), "{note}");
}

#[test]
fn the_evidence_names_a_change_that_undid_what_the_present_cause_misses() {
    let (mut incidents, id) = opened("lambda-permission-denied");
    let found = vec![
        change("UpdateAlias", 3, ChangeEffect::CodeChanged),
        change("RemovePermission", 26, REMOVED),
    ];
    incidents.add_changes(&id, found, at(9)).unwrap();
    let sentence = "RemovePermission by deploy-role 26 s before the first failure: removed a \
                    permission from the policy of orders";
    assert_eq!(explanations(incidents.open().unwrap()), [sentence]);
    // A later list of changes does not repeat the sentence.
    let later = vec![change("UpdateAlias", -30, ChangeEffect::CodeChanged)];
    incidents.add_changes(&id, later, at(10)).unwrap();
    assert_eq!(explanations(incidents.open().unwrap()), [sentence]);
    // The sentence explains only this cause.
    let throttled = failed("lambda-throttled", Proven);
    apply(&mut incidents, &throttled, Down, 11).unwrap();
    assert_eq!(
        incidents.open().unwrap().verdict.cause.as_str(),
        "lambda-throttled"
    );
    assert!(explanations(incidents.open().unwrap()).is_empty());
    let denied = failed("lambda-permission-denied", Proven);
    apply(&mut incidents, &denied, Down, 12).unwrap();
    assert_eq!(explanations(incidents.open().unwrap()), [sentence]);
}
