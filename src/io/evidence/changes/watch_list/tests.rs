//! Tests of the order, the sharing and the bounds of the requests to CloudTrail.

use super::*;
use crate::model::scope::Scope;

const OPENED: i64 = 100_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Returns a request about an incident of a target with this function that opened at `opened`.
fn request(name: &str, cause: &str, opened: i64) -> ChangeRequest {
    let url = "https://a1b2c3.execute-api.eu-west-1.amazonaws.com/";
    let mut target = Target::with_defaults(name, url.parse().unwrap());
    target.aws.function = Some(name.to_owned());
    ChangeRequest {
        incident: IncidentId::new(&Scope::Target(target.name.clone()), at(opened)),
        watched: Watched::of(&target, &target.aws),
        target: Arc::new(target),
        opened: at(opened),
        first_failure: at(opened - 10),
        cause: CauseId::new(cause).unwrap(),
    }
}

/// Returns a list with these incidents, each with its cause and the time at which it opened.
fn list(incidents: &[(&str, &str, i64)]) -> WatchList {
    let mut list = WatchList::default();
    for (name, cause, opened) in incidents {
        let request = request(name, cause, *opened);
        assert!(list.add(request, &Settings::default(), at(*opened)));
    }
    list
}

fn next(list: &mut WatchList, second: i64) -> Option<Lookup> {
    list.next(at(second), |_| false)
}

fn names(lookup: &Lookup) -> Vec<&str> {
    let subscribers = lookup.subscribers.iter();
    subscribers.map(|one| one.target.as_str()).collect()
}

/// Answers every request that is due at `second`. Returns the names of the looked-up events.
fn answer_all(list: &mut WatchList, second: i64) -> Vec<&'static str> {
    let mut events = Vec::new();
    while let Some(lookup) = next(list, second) {
        events.push(lookup.event);
        assert!(list.record_answer(lookup, None));
    }
    events
}

const DENIED: &str = "lambda-permission-denied";
const THROTTLED: &str = "lambda-throttled";

#[test]
fn every_event_is_looked_up_at_once_and_after_five_and_fifteen_minutes() {
    let mut list = list(&[("orders", DENIED, OPENED)]);
    let first = answer_all(&mut list, OPENED);
    assert_eq!(first[0], "RemovePermission20150331v2");
    assert!(first.len() > 20, "{first:?}");
    for (minute, expected) in [
        (1, 0),
        (4, 0),
        (5, 1),
        (6, 0),
        (14, 0),
        (15, 1),
        (16, 0),
        (29, 0),
    ] {
        let events = answer_all(&mut list, OPENED + minute * 60);
        assert_eq!(events.len(), expected * first.len(), "minute {minute}");
    }
    assert_eq!(list.next_due(|_| None), None);
}

#[test]
fn one_request_serves_all_incidents_of_a_scope() {
    let mut list = list(&[("orders", DENIED, OPENED), ("users", DENIED, OPENED + 7)]);
    assert_eq!(names(&next(&mut list, OPENED).unwrap()), ["orders"]);
    let both = next(&mut list, OPENED + 7).unwrap();
    assert_eq!(names(&both), ["orders", "users"]);
    assert_eq!(both.from, at(OPENED - 10 - 3600));
    assert!(list.record_answer(both, None));
    let second = next(&mut list, OPENED + 7).unwrap();
    assert_ne!(second.event, "RemovePermission20150331v2");

    let mut elsewhere = request("users", DENIED, OPENED);
    Arc::make_mut(&mut elsewhere.target).aws.region = Some("us-east-1".to_owned());
    let mut list = super::tests::list(&[("orders", DENIED, OPENED)]);
    assert!(list.add(elsewhere, &Settings::default(), at(OPENED)));
    assert_eq!(names(&next(&mut list, OPENED).unwrap()).len(), 1);
}

#[test]
fn a_new_cause_changes_which_events_are_looked_up_first() {
    let mut list = list(&[("orders", THROTTLED, OPENED)]);
    let first = next(&mut list, OPENED).unwrap();
    assert_eq!(first.event, "PutFunctionConcurrency20171031");
    assert!(list.record_answer(first, None));
    let again = request("orders", DENIED, OPENED);
    assert!(list.add(again, &Settings::default(), at(OPENED + 60)));
    let next = next(&mut list, OPENED + 60).unwrap();
    assert_eq!(next.event, "RemovePermission20150331v2");
    let events = answer_all(&mut list, OPENED + 60);
    assert!(!events.contains(&"PutFunctionConcurrency20171031"));
}

#[test]
fn a_function_that_becomes_known_is_looked_up() {
    let complete = request("orders", DENIED, OPENED);
    let mut partial = complete.clone();
    partial.watched.function = None;
    let mut list = WatchList::default();
    assert!(list.add(partial, &Settings::default(), at(OPENED)));
    let events = answer_all(&mut list, OPENED);
    assert!(!events.contains(&"RemovePermission20150331v2"));
    assert!(list.add(complete, &Settings::default(), at(OPENED + 60)));
    let events = answer_all(&mut list, OPENED + 300);
    assert_eq!(events[0], "RemovePermission20150331v2");
}

#[test]
fn a_new_incident_has_precedence_over_a_later_look() {
    let mut list = list(&[("orders", DENIED, OPENED)]);
    answer_all(&mut list, OPENED);
    let later = OPENED + 300;
    let new = request("users", THROTTLED, later);
    assert!(list.add(new, &Settings::default(), at(later)));
    let lookup = next(&mut list, later).unwrap();
    assert_eq!(lookup.event, "PutFunctionConcurrency20171031");
    assert_eq!(names(&lookup), ["orders", "users"]);
}

#[test]
fn a_blocked_scope_waits() {
    let mut list = list(&[("orders", DENIED, OPENED)]);
    assert_eq!(list.next(at(OPENED), |_| true), None);
    assert_eq!(list.next_due(|_| None), Some(at(OPENED)));
    let until = at(OPENED + 30);
    assert_eq!(list.next_due(|_| Some(until)), Some(until));
    assert!(list.next(at(OPENED), |_| false).is_some());
}

#[test]
fn three_pages_are_read_at_most() {
    let mut list = list(&[("orders", DENIED, OPENED)]);
    let token = || Some("more".to_owned());
    let mut lookup = next(&mut list, OPENED).unwrap();
    for page in 1..=3 {
        assert_eq!(
            (lookup.page, lookup.event),
            (page, "RemovePermission20150331v2")
        );
        assert_eq!(lookup.next_token, token().filter(|_| page > 1));
        assert_eq!(list.record_answer(lookup, token()), page < 3);
        lookup = next(&mut list, OPENED).unwrap();
    }
    assert_eq!(lookup.page, 1);
    assert_ne!(lookup.event, "RemovePermission20150331v2");
}

#[test]
fn nothing_is_requested_after_the_incident() {
    let mut list = list(&[("orders", DENIED, OPENED)]);
    let lookup = next(&mut list, OPENED).unwrap();
    assert!(list.record_answer(lookup, Some("more".to_owned())));
    list.forget(&TargetName::new("orders"));
    assert_eq!(next(&mut list, OPENED), None);
    assert_eq!(list.next_due(|_| None), None);
}

#[test]
fn no_further_page_is_read_for_an_incident_that_was_resolved_during_the_request() {
    let mut list = list(&[("orders", DENIED, OPENED)]);
    let lookup = next(&mut list, OPENED).unwrap();
    list.forget(&TargetName::new("orders"));
    assert!(list.record_answer(lookup, Some("more".to_owned())));
    assert_eq!(next(&mut list, OPENED), None);
}

#[test]
fn the_next_page_of_a_blocked_scope_is_not_replaced() {
    let mut elsewhere = request("users", DENIED, OPENED);
    Arc::make_mut(&mut elsewhere.target).aws.region = Some("us-east-1".to_owned());
    let mut list = list(&[("orders", DENIED, OPENED)]);
    assert!(list.add(elsewhere, &Settings::default(), at(OPENED)));
    let first = next(&mut list, OPENED).unwrap();
    let blocked = first.scope.clone();
    assert!(list.record_answer(first, Some("first".to_owned())));
    let second = list.next(at(OPENED), |scope| *scope == blocked).unwrap();
    assert_ne!(second.scope, blocked);
    assert!(!list.record_answer(second, Some("second".to_owned())));
    let token = next(&mut list, OPENED).unwrap().next_token;
    assert_eq!(token.as_deref(), Some("first"));
}

#[test]
fn an_incident_is_given_up_after_half_an_hour() {
    let mut list = list(&[("orders", DENIED, OPENED), ("users", DENIED, OPENED + 60)]);
    assert!(list.remove_expired(at(OPENED + 1799)).is_empty());
    assert_eq!(list.remove_expired(at(OPENED + 1800)).len(), 1);
    assert_eq!(names(&next(&mut list, OPENED + 1800).unwrap()), ["users"]);
    // A later request about the same incident does not start the search again.
    let again = request("orders", DENIED, OPENED);
    assert!(list.add(again, &Settings::default(), at(OPENED + 1800)));
    assert_eq!(names(&next(&mut list, OPENED + 1800).unwrap()), ["users"]);
}

#[test]
fn a_changed_or_removed_target_is_dropped() {
    let request = request("orders", DENIED, OPENED);
    let mut changed = (*request.target).clone();
    changed.aws.stage = Some("prod".to_owned());
    for (targets, kept) in [
        (vec![Arc::clone(&request.target)], true),
        (vec![Arc::new(changed)], false),
        (Vec::new(), false),
    ] {
        let settings = Settings {
            targets,
            ..Settings::default()
        };
        let mut list = list(&[("orders", DENIED, OPENED)]);
        list.configure(&settings);
        assert_eq!(next(&mut list, OPENED).is_some(), kept);
    }
}

#[test]
fn the_list_is_bounded_and_omits_targets_without_aws() {
    let mut list = WatchList::default();
    let settings = Settings::default();
    let mut other = request("other", DENIED, OPENED);
    let url = "https://example.com/".parse().unwrap();
    other.target = Arc::new(Target::with_defaults("other", url));
    other.watched = Watched::of(&other.target, &other.target.aws);
    assert!(list.add(other, &settings, at(OPENED)));
    assert_eq!(next(&mut list, OPENED), None);
    for number in 0..MAX_INCIDENTS {
        let request = request(&format!("t{number}"), DENIED, OPENED);
        assert!(list.add(request, &settings, at(OPENED)));
    }
    assert!(!list.add(request("one-more", DENIED, OPENED), &settings, at(OPENED)));
    assert!(list.add(request("t7", THROTTLED, OPENED), &settings, at(OPENED)));
}
