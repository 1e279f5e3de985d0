use super::*;

use crate::model::observation::{Certificate, Fault, FaultKind, HttpVersion, Phase};
use crate::model::observation::{Response, TlsFacts};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn address(last: u8) -> std::net::SocketAddr {
    format!("192.0.2.{last}:443").parse().unwrap()
}

/// Creates an observation of a response from the address `192.0.2.{last}` at the time `second`.
fn answer(last: u8, second: i64) -> Observation {
    let mut observation = Observation::begun(at(second), "https://a.example/");
    observation.remote = Some(address(last));
    observation.response = Some(Response {
        body_bytes: 100,
        ..Response::of(200, &[("server", "nginx")], "")
    });
    observation
}

/// Records good responses, given as (last byte of the address, time in seconds).
fn good(answers: &[(u8, i64)]) -> GoodResponses {
    let mut good = GoodResponses::default();
    for (last, second) in answers {
        good.observe_good(&answer(*last, *second), at(*second));
    }
    good
}

fn of(compared: &[(Property, Comparison)], property: Property) -> Option<&Comparison> {
    let mut compared = compared.iter();
    compared.find(|one| one.0 == property).map(|one| &one.1)
}

fn changed(was: &str, now: &str, seconds_before: Option<f64>) -> Comparison {
    Comparison::Changed {
        was: was.to_owned(),
        now: now.to_owned(),
        seconds_before,
    }
}

/// Checks the comparison of a failure's address with those of good responses. `first_failure` is
/// the time of an earlier failure in seconds.
#[track_caller]
fn check(
    answers: &[(u8, i64)],
    first_failure: Option<i64>,
    failure: (u8, i64),
    expected: Option<&Comparison>,
) {
    let mut good = good(answers);
    if let Some(second) = first_failure {
        good.observe_failure(&answer(failure.0, second));
    }
    let compared = good.compare(&answer(failure.0, failure.1));
    assert_eq!(of(&compared, Property::Address), expected);
}

#[test]
fn a_value_that_no_good_answer_had_is_a_change_with_the_first_failure() {
    let expected = changed("192.0.2.1", "192.0.2.2", Some(0.0));
    check(&[(1, 0), (1, 60)], None, (2, 120), Some(&expected));
    check(&[(1, 0)], None, (1, 60), Some(&Comparison::Same));
    check(&[], None, (1, 60), None);
    check(
        &[(1, 0)],
        Some(60),
        (2, 120),
        Some(&changed("192.0.2.1", "192.0.2.2", Some(0.0))),
    );
    let mut good = good(&[(1, 0)]);
    good.observe_failure(&answer(1, 60));
    let compared = good.compare(&answer(2, 120));
    let after = changed("192.0.2.1", "192.0.2.2", None);
    assert_eq!(of(&compared, Property::Address), Some(&after));
}

#[test]
fn a_value_that_replaced_another_within_the_hour_is_a_change_before_the_first_failure() {
    let answers = [(1, 0), (1, 60), (2, 120), (2, 180)];
    let expected = changed("192.0.2.1", "192.0.2.2", Some(120.0));
    check(&answers, None, (2, 240), Some(&expected));
    check(&answers, Some(240), (2, 900), Some(&expected));
    check(&answers, None, (2, 4000), Some(&Comparison::Same));
}

#[test]
fn values_that_alternate_are_no_change() {
    let answers = [(1, 0), (2, 60), (1, 120), (2, 180)];
    check(&answers, None, (1, 240), Some(&Comparison::Same));
    check(&answers, None, (2, 240), Some(&Comparison::Same));
    let expected = changed("192.0.2.2", "192.0.2.3", Some(0.0));
    check(&answers, None, (3, 240), Some(&expected));
}

#[test]
fn a_property_with_too_many_values_is_not_compared_for_a_day() {
    let answers: Vec<_> = (0..9).map(|last| (last, i64::from(last) * 60)).collect();
    check(&answers, None, (100, 600), None);
    let known = &good(&answers).known[&Property::Address];
    assert_eq!(known.values.len(), MAX_VALUES);
    let expected = changed("192.0.2.8", "192.0.2.100", Some(0.0));
    check(&answers, None, (100, 90_000), Some(&expected));
}

#[test]
fn the_attempted_address_of_a_failed_connection_is_compared() {
    let good = good(&[(1, 0)]);
    let mut failed = Observation::begun(at(60), "https://a.example/");
    failed.attempted = vec![address(2)];
    failed.fault = Some(Fault {
        phase: Phase::Connect,
        kind: FaultKind::ConnectionRefused,
        detail: String::new(),
    });
    let compared = good.compare(&failed);
    assert_eq!(compared.len(), 1);
    let expected = changed("192.0.2.1", "192.0.2.2", Some(0.0));
    assert_eq!(of(&compared, Property::Address), Some(&expected));
    failed.attempted = vec![address(2), address(1)];
    let compared = good.compare(&failed);
    assert_eq!(of(&compared, Property::Address), Some(&Comparison::Same));
}

#[test]
fn certificate_server_protocol_redirects_and_size_are_compared() {
    let with = |serial: &str, size: u64| {
        let mut observation = answer(1, 0);
        observation.tls = Some(TlsFacts {
            chain: vec![Certificate {
                subject: String::new(),
                issuer: "CN=ca".to_owned(),
                serial: serial.to_owned(),
                names: Vec::new(),
                not_before: at(0),
                not_after: at(1),
            }],
            ..TlsFacts::default()
        });
        observation.response.as_mut().unwrap().body_bytes = size;
        observation
    };
    let mut good = GoodResponses::default();
    good.observe_good(&with("01", 100), at(0));
    good.observe_good(&with("01", 140), at(1));
    let same = good.compare(&with("01", 60));
    assert_eq!(same.len(), 6);
    assert!(same.iter().all(|one| one.1 == Comparison::Same), "{same:?}");
    let mut other = with("02", 20);
    other.redirects = 1;
    other.final_url = "https://a.example/b".to_owned();
    let response = other.response.as_mut().unwrap();
    response.version = HttpVersion::Http11;
    response.headers.clear();
    let compared = good.compare(&other);
    for (property, was, now) in [
        (Property::Certificate, "01 of CN=ca", "02 of CN=ca"),
        (Property::Server, "nginx", "(none)"),
        (Property::Protocol, "HTTP/2", "HTTP/1.1"),
        (Property::Redirects, "none", "1 to https://a.example/b"),
    ] {
        let expected = changed(was, now, Some(0.0));
        assert_eq!(of(&compared, property), Some(&expected));
    }
    let expected = changed("100 to 140 bytes", "20 bytes", None);
    assert_eq!(of(&compared, Property::BodySize), Some(&expected));
    other.response.as_mut().unwrap().status = 502;
    assert_eq!(of(&good.compare(&other), Property::BodySize), None);
}

#[test]
fn only_redirects_are_compared_if_another_hop_than_that_of_good_responses_failed() {
    let redirected = |second| {
        let mut observation = answer(2, second);
        observation.redirects = 1;
        observation.final_url = "https://b.example/".to_owned();
        observation
    };
    let mut good = GoodResponses::default();
    good.observe_good(&redirected(0), at(0));
    let compared = good.compare(&answer(1, 60));
    let expected = changed("1 to https://b.example/", "none", Some(0.0));
    assert_eq!(compared, [(Property::Redirects, expected)]);
    let mut refused = Observation::begun(at(60), "https://a.example/");
    refused.remote = Some(address(1));
    assert_eq!(good.compare(&refused), []);
    let mut moved = redirected(60);
    moved.remote = Some(address(3));
    let compared = good.compare(&moved);
    let expected = changed("192.0.2.2", "192.0.2.3", Some(0.0));
    assert_eq!(of(&compared, Property::Address), Some(&expected));
    moved.final_url = "https://b.example:8443/".to_owned();
    assert_eq!(of(&good.compare(&moved), Property::Address), None);
}

#[test]
fn the_first_failure_of_the_previous_run_is_kept() {
    let mut kept = good(&[(1, 0), (2, 60)]);
    kept.resume_failure(at(120));
    let compared = kept.compare(&answer(2, 900));
    let expected = changed("192.0.2.1", "192.0.2.2", Some(60.0));
    assert_eq!(of(&compared, Property::Address), Some(&expected));
    let compared = kept.compare(&answer(3, 900));
    let expected = changed("192.0.2.2", "192.0.2.3", None);
    assert_eq!(of(&compared, Property::Address), Some(&expected));
}

#[test]
fn a_value_is_short_and_has_no_control_characters() {
    let mut observation = answer(1, 0);
    observation.redirects = 1;
    observation.final_url = format!("https://a.example/{}", "b".repeat(500));
    let found = values(&observation, |_| false);
    let mut found = found.iter();
    let path = found.find(|one| one.property == Property::Redirects);
    assert_eq!(path.unwrap().value.chars().count(), MAX_LENGTH);
    assert_eq!(short("a\u{1b}[31mb"), "a[31mb");
}

#[test]
fn data_of_the_request_that_a_server_repeats_is_not_kept() {
    let mut seen = answer(1, 0);
    seen.redirects = 1;
    seen.final_url = "https://me:t0k3n@a.example/b?token=t0k3n".to_owned();
    let headers = &mut seen.response.as_mut().unwrap().headers;
    headers[0].1 = "nginx host=a.example /?token=t0k3n".to_owned();
    let mut good = GoodResponses::default();
    good.observe_good(&seen, at(0));
    let kept = format!("{good:?}");
    assert!(
        !kept.contains("t0k3n") && kept.contains("(other)"),
        "{kept}"
    );
    assert!(kept.contains("1 to https://a.example/b?…"), "{kept}");
}
