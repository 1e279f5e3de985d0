//! Tests of the calls for several lookups.

use super::*;
use crate::domain::configuration::Configuration;
use crate::domain::configuration::load_balancer::TargetState;
use crate::io::evidence::log_finding::log_finding;
use crate::io::evidence::series::Points;
use crate::model::target::{AwsDeclarations, Target};

const ID: &str = "K2ZEDjwtIAMEcig=";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Creates an evidence request about a probe that ended at second `ended`.
fn request(name: &str, ended: i64, declare: impl FnOnce(&mut AwsDeclarations)) -> EvidenceRequest {
    let mut target = Target::with_defaults(name, "https://x.example/".parse().unwrap());
    target.aws.function_timeout = Some(Duration::from_secs(30));
    declare(&mut target.aws);
    EvidenceRequest {
        target: Arc::new(target),
        request_id: Some(ID.to_owned()),
        began: at(ended) - Duration::from_millis(200),
        ended: at(ended),
        own_requests: vec![at(ended - 600), at(ended - 1)],
    }
}

fn function(name: &str) -> impl FnOnce(&mut AwsDeclarations) + use<> {
    let name = name.to_owned();
    |aws| aws.function = Some(name)
}

fn pending(requests: Vec<EvidenceRequest>) -> PendingLookups {
    let mut pending = PendingLookups::new(Duration::from_secs(15));
    for request in requests {
        assert_eq!(pending.add(request, &Settings::default()), Ok(None));
    }
    pending
}

/// Takes the calls that are due at `second`, and checks the number of series and the number of
/// lookups of each call.
#[track_caller]
fn check_calls(
    pending: &mut PendingLookups,
    second: i64,
    expected: &[(usize, usize)],
) -> Vec<AwsCall> {
    let calls = pending.take_due(at(second));
    let series = |call: &AwsCall| match &call.query {
        Query::Metrics { series, .. } => series.len(),
        Query::Log(..) | Query::Configuration(_) => 0,
    };
    let sizes: Vec<_> = calls
        .iter()
        .map(|call| (series(call), call.lookups.len()))
        .collect();
    assert_eq!(sizes, expected);
    calls
}

#[test]
fn targets_that_share_a_function_share_its_series() {
    let mut pending = pending(vec![
        request("a", 1000, function("orders")),
        request("b", 1000, function("orders")),
        request("c", 1000, function("carts")),
    ]);
    check_calls(&mut pending, 1119, &[]);
    check_calls(&mut pending, 1120, &[(10, 3)]);
    check_calls(&mut pending, 1120, &[]);
}

#[test]
fn a_read_may_run_early_to_share_a_call_but_causes_none() {
    let requests = || {
        vec![
            request("a", 1000, function("orders")),
            request("b", 1015, function("orders")),
            request("c", 1060, function("orders")),
        ]
    };
    check_calls(&mut pending(requests()), 1119, &[]);
    check_calls(&mut pending(requests()), 1120, &[(5, 2)]);
}

#[test]
fn regions_do_not_share_calls_and_a_call_is_limited_in_series_and_range() {
    let mut many = vec![request("region", 1000, |aws| {
        function("orders")(aws);
        aws.region = Some("eu-west-1".to_owned());
    })];
    many.extend((0..101).map(|n| request(&format!("t{n}"), 1000, function(&format!("f{n}")))));
    check_calls(&mut pending(many), 1120, &[(500, 100), (5, 1), (5, 1)]);
    let apart = vec![
        request("a", 1000, function("orders")),
        request("b", 9000, function("orders")),
    ];
    check_calls(&mut pending(apart), 9120, &[(5, 1), (5, 1)]);
}

#[test]
fn only_the_final_read_is_settled_and_gives_the_last_update() {
    let mut pending = pending(vec![request("a", 1000, function("orders"))]);
    for (second, settled) in [(1120, false), (1240, false), (1640, true)] {
        let calls = check_calls(&mut pending, second, &[(5, 1)]);
        let Query::Metrics { series, .. } = &calls[0].query else {
            panic!("{calls:?}");
        };
        let values = series.iter().map(|series| (series.clone(), Points::new()));
        let output = CallOutput::Metrics(values.collect());
        let updates = pending.apply(&calls[0].lookups, &output, at(second));
        let [update] = &updates[..] else {
            panic!("{updates:?}");
        };
        let window = update.evidence.window.as_ref().unwrap();
        assert_eq!((window.settled, update.last), (settled, settled));
        assert_eq!(
            window.own_requests, 1,
            "the other request was before the window"
        );
    }
    assert_eq!(pending.next_call(), None);
}

#[test]
fn a_found_line_gives_an_update_at_once_and_a_search_without_result_none() {
    let mut pending = pending(vec![request("a", 1000, |aws| {
        function("orders")(aws);
        aws.access_log_group = Some("access".to_owned());
    })]);
    let calls = check_calls(&mut pending, 1015, &[(0, 1)]);
    let AwsCall { query, lookups, .. } = &calls[0];
    let Query::Log(source, query) = query else {
        panic!("{calls:?}");
    };
    assert!(query.from < at(1000) && query.to > at(1000));
    let output = |lines: &[String]| CallOutput::Log(*source, log_finding(*source, lines, ID));
    assert_eq!(pending.apply(lookups, &output(&[]), at(1015)), []);
    check_calls(&mut pending, 1030, &[(0, 1)]);
    let line = format!(r#"{{"requestId":"{ID}","status":"500"}}"#);
    let updates = pending.apply(lookups, &output(&[line]), at(1030));
    assert!(updates.len() == 1 && updates[0].evidence.log.is_some() && !updates[0].last);
    // The line was found, so the log is not searched again.
    check_calls(&mut pending, 1119, &[]);
}

#[test]
fn a_lookup_that_is_abandoned_gets_a_last_update() {
    let mut pending = pending(vec![request("a", 1000, function("orders"))]);
    let calls = check_calls(&mut pending, 1120, &[(5, 1)]);
    assert_eq!(pending.postpone(&calls[0], Some(at(1125))), (vec![], 0));
    let calls = check_calls(&mut pending, 1125, &[(5, 1)]);
    let (updates, abandoned) = pending.postpone(&calls[0], None);
    assert!(updates.len() == 1 && updates[0].last && abandoned == 1);
    assert!(!pending.needs(&calls[0]));
}

#[test]
fn a_request_beyond_the_limit_gets_an_empty_update() {
    let all = (0..i64::try_from(MAX_LOOKUPS).unwrap())
        .map(|n| request("a", 1000 + n, function("orders")));
    let mut pending = pending(all.collect());
    let one_more = request("b", 1000, function("orders"));
    let refused = pending.add(one_more.clone(), &Settings::default());
    assert_eq!(refused, Err(empty_update(&one_more)));
}

const API: &str = "https://a1.execute-api.eu-west-1.amazonaws.com/";

/// Adds a lookup for a probe of an API that ended at this second, and takes its call.
fn add_api_request(pending: &mut PendingLookups, ended: i64) -> AwsCall {
    let mut settings = Settings::default();
    settings.evidence.configuration = true;
    let target = Target::with_defaults("api", API.parse().unwrap());
    let request = EvidenceRequest {
        target: Arc::new(target),
        ..request("api", ended, |_| ())
    };
    assert_eq!(pending.add(request, &settings), Ok(None));
    let mut calls = pending.take_due(at(ended));
    assert_eq!(calls.len(), 1);
    calls.remove(0)
}

/// Returns the output of a call that read this configuration until `finished`.
fn read_until(finished: i64, concurrency: Option<u64>) -> CallOutput {
    CallOutput::Configuration(Reading {
        configuration: Arc::new(Configuration {
            targets: concurrency.map(|_| TargetState::None),
            account_concurrency: concurrency,
            ..Configuration::default()
        }),
        finished: at(finished),
        calls: Vec::new(),
        skipped: Vec::new(),
        retry_at: None,
    })
}

#[test]
fn from_the_second_failure_on_the_configuration_is_known_before_and_after() {
    let mut pending = PendingLookups::new(Duration::from_secs(15));
    for (ended, finished, held) in [
        (1000, 1002, "unknown"),
        (1010, 1012, "yes"),
        // The first reading is older than 15 minutes.
        (3000, 3002, "unknown"),
    ] {
        let call = add_api_request(&mut pending, ended);
        let Query::Configuration(query) = &call.query else {
            panic!("{call:?}");
        };
        assert_eq!(query.after, at(ended));
        let updates = pending.apply(&call.lookups, &read_until(finished, Some(10)), at(ended));
        assert!(updates.len() == 1 && updates[0].last, "{updates:?}");
        let found = updates[0].evidence.configuration.as_ref().unwrap();
        let mut facts = found.facts.iter();
        let (_, value) = facts.find(|(name, _)| *name == "config.held").unwrap();
        assert_eq!(value.to_string(), held, "{ended}");
    }
}

#[test]
fn a_configuration_that_shows_nothing_gives_only_the_last_update() {
    let mut pending = PendingLookups::new(Duration::from_secs(15));
    let call = add_api_request(&mut pending, 1000);
    let updates = pending.apply(&call.lookups, &read_until(1002, None), at(1000));
    assert!(updates.len() == 1 && updates[0].last, "{updates:?}");
    assert_eq!(updates[0].evidence.configuration, None);
    let call = add_api_request(&mut pending, 1010);
    let (updates, abandoned) = pending.postpone(&call, None);
    assert!(updates.len() == 1 && updates[0].last && abandoned == 1);
}

#[test]
fn configurations_that_were_switched_off_are_not_read_any_more() {
    let mut pending = PendingLookups::new(Duration::from_secs(15));
    let call = add_api_request(&mut pending, 1000);
    let updates = pending.stop_configurations();
    assert!(updates.len() == 1 && updates[0].last, "{updates:?}");
    assert!(!pending.needs(&call));
    // Other reads of a lookup continue.
    let mut pending = self::pending(vec![request("a", 1000, function("orders"))]);
    assert_eq!(pending.stop_configurations(), vec![]);
    assert!(pending.next_call().is_some());
}
