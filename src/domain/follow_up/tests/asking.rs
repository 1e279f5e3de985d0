//! Tests of the request to the front door for the cause.

use super::*;

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

#[test]
fn only_values_of_the_expected_form_are_evidence() {
    let found = |headers: &[(&str, &str)], body: &str| {
        let mut following = Following::of(target(&[]));
        following.fail(530, 0);
        let cause_request = following.ups.take_cause_request(at(0)).unwrap();
        let mut seen = answer(530, headers, 2);
        seen.response.as_mut().unwrap().body = body.as_bytes().to_vec();
        let mut facts = Facts::gather(&following.target, &seen, &Context::at(at(2)));
        let evidence = cause_request.evidence_in(&seen, &mut facts).unwrap();
        let evidence = evidence.into_iter();
        let evidence = evidence.map(|one| format!("{} = {}", one.fact, one.value));
        evidence.collect::<Vec<_>>()
    };
    let json = ("content-type", "application/json");
    let cloudflare = [("server", "cloudflare"), ("cf-ray", "8a-FRA"), json];
    let body = r#"{"error_code": 1016, "error_category": "dns_error"}"#;
    assert_eq!(
        found(&cloudflare, body),
        [
            "asked.error_code = 1016",
            "asked.error_category = dns_error"
        ]
    );
    for body in [
        r#"{"error_code": "user 7 unknown", "error_category": "Jane Doe"}"#,
        r#"{"error_code": "", "error_category": "jane@example.com"}"#,
        r#"{"error_code": -1.5, "error_category": "a-word-that-is-much-longer-than-any-category"}"#,
    ] {
        assert!(found(&cloudflare, body).is_empty(), "{body}");
    }
    assert!(found(&[json], body).is_empty());
    let azure = [("x-azure-externalerror", "user=jane@example.com")];
    assert!(found(&azure, "").is_empty());
}

#[test]
fn the_cause_that_a_front_door_named_is_kept_after_a_restart() {
    let mut following = Following::of(target(&[]));
    following.fail(530, 0);
    let cause_request = following.ups.take_cause_request(at(0)).unwrap();
    let outside = cause_request.verdict;
    let mut facts = Facts::defaults();
    facts.set_text("phase", "connect");
    facts.set_text("fault", "connection-refused");
    let named = following.rulebook.diagnose(&facts);
    let previous = (at(0), cause_request.kind, &*outside);
    let incidents = &mut following.incidents;
    let event = incidents.revise_with_response(previous, &named, &[], at(1));
    assert!(event.is_some());
    let cause = following.cause().to_owned();
    assert_ne!(cause, outside.cause.as_str());

    let incident = Arc::clone(following.incidents.open().unwrap());
    following.incidents = Incidents::resumed(Arc::clone(&incident));
    following.ups = FollowUps::resumed(&incident);
    for second in 60..64 {
        assert!(following.fail(530, second).is_empty());
    }
    assert_eq!(following.cause(), cause);
    for second in 70..74 {
        following.fail(502, second);
    }
    assert_eq!(following.cause(), outside.cause.as_str());
}
