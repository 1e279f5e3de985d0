//! Tests of the plan of a lookup.

use super::*;
use crate::domain::configuration::function::{Function, FunctionRef, FunctionSettings};
use crate::domain::configuration::{Api, ApiKind, Backend, Lookup as Found, Route};
use crate::model::target::Target;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn lookup(change: impl FnOnce(&mut Target)) -> Lookup {
    lookup_with(&Settings::default(), "https://x.example/", change)
}

fn lookup_with(settings: &Settings, url: &str, change: impl FnOnce(&mut Target)) -> Lookup {
    let mut target = Target::with_defaults("orders", url.parse().unwrap());
    change(&mut target);
    let request = EvidenceRequest {
        target: Arc::new(target),
        request_id: Some("K2ZEDjwtIAMEcig=".to_owned()),
        began: at(970),
        ended: at(1000),
        own_requests: vec![at(970)],
    };
    Lookup::new(request, settings, Duration::from_secs(15))
}

const API: &str = "https://a1.execute-api.eu-west-1.amazonaws.com/";

/// Returns the lookup of a target whose URL shows its API, with this setting.
fn lookup_of_api(reads_configuration: bool, change: impl FnOnce(&mut Target)) -> Lookup {
    let mut settings = Settings::default();
    settings.evidence.configuration = reads_configuration;
    lookup_with(&settings, API, change)
}

/// Returns the configuration of an HTTP API with an access log and a function with a timeout of 30
/// s.
fn configuration() -> Configuration {
    let function = FunctionRef {
        place: None,
        name: "orders".to_owned(),
        qualifier: None,
    };
    let route = Route {
        key: "$default".to_owned(),
        backend: Some(Backend::Lambda {
            function: Some(function.clone()),
            by_role: false,
            method: None,
        }),
        timeout: None,
        authorizer: None,
        rejects_all: false,
    };
    Configuration {
        api: Some(Api {
            kind: ApiKind::Http,
            id: "a1".to_owned(),
            stage: "$default".to_owned(),
            account: None,
            deployed: true,
            endpoint_disabled: Some(false),
            answers_preflight: false,
            responses_customized: None,
            access_log_group: Some("access".to_owned()),
            paths: Vec::new(),
            routes: vec![route],
        }),
        function: Some(Function {
            reference: function,
            settings: Some(Found::Found(FunctionSettings {
                state: None,
                reason: None,
                timeout: Some(Duration::from_secs(30)),
                revision: None,
            })),
            policy: None,
            concurrency: None,
        }),
        ..Configuration::default()
    }
}

/// Checks how many seconds after the request metrics are read, and whether the window has
/// settled at each read.
#[track_caller]
fn check_reads(lookup: &mut Lookup, expected: &[(i64, bool)]) {
    let mut reads = Vec::new();
    while let FetchState::Scheduled { at, .. } = lookup.metrics {
        lookup.apply_metrics(&SeriesValues::new(), at);
        let window = lookup.evidence.window.as_ref().unwrap();
        reads.push((at.as_second() - 1000, window.settled));
    }
    assert_eq!(reads, expected);
    assert!(lookup.is_done());
}

#[test]
fn metrics_are_read_until_the_window_has_settled() {
    let mut lookup = lookup(|target| {
        target.aws.function = Some("orders".to_owned());
        target.aws.function_timeout = Some(Duration::from_secs(30));
    });
    check_reads(&mut lookup, &[(120, false), (240, false), (640, true)]);
}

#[test]
fn a_window_never_settles_if_the_functions_timeout_is_unknown() {
    let mut lookup = lookup(|target| target.aws.function = Some("orders".to_owned()));
    check_reads(&mut lookup, &[(120, false), (240, false), (610, false)]);
}

#[test]
fn a_log_is_searched_at_growing_intervals_for_a_quarter_of_an_hour() {
    let mut lookup = lookup(|target| target.aws.access_log_group = Some("access".to_owned()));
    let mut searches = Vec::new();
    while let FetchState::Scheduled { at, .. } = lookup.logs[0].state {
        searches.push(at.as_second() - 1000);
        lookup.apply_log(LogSource::AccessLog, None, at);
    }
    assert_eq!(searches, [15, 30, 60, 120, 240, 480, 900]);
    assert!(lookup.is_done());
    assert_eq!(lookup.update().evidence, Arc::new(AwsEvidence::default()));
}

#[test]
fn a_target_without_declarations_has_nothing_to_look_up() {
    assert!(lookup(|_| ()).is_done());
}

#[test]
fn a_part_is_abandoned_after_six_consecutive_failures() {
    let mut state = FetchState::scheduled_or_done(Some(at(0)));
    let mut failures = 0;
    while state != FetchState::Done {
        state = state.started().postponed(at(failures));
        failures += 1;
    }
    assert_eq!(failures, 6);
}

#[test]
fn the_configuration_is_read_at_once_if_it_is_enabled() {
    let lookup = lookup_of_api(true, |_| ());
    assert_eq!(lookup.next_call(), Some(at(1000)));
    assert!(lookup_of_api(false, |_| ()).is_done());
}

#[test]
fn the_log_and_the_timeout_of_the_configuration_are_used() {
    let declare = |target: &mut Target| target.aws.function = Some("orders".to_owned());
    let mut lookup = lookup_of_api(true, declare);
    assert!(lookup.apply_configuration(&configuration(), None, None));
    assert_eq!(lookup.configuration, FetchState::Done);
    assert_eq!(lookup.logs[0].query.group, "access");
    assert_eq!(lookup.next_call(), Some(at(1015)));
    lookup.logs[0].state = FetchState::Done;
    // Without the timeout, the window would never settle.
    check_reads(&mut lookup, &[(120, false), (240, false), (640, true)]);
    // A second reading does not add a second search.
    lookup.apply_configuration(&configuration(), None, None);
    assert_eq!(lookup.logs.len(), 1);
}

#[test]
fn a_declared_log_is_searched_instead_of_that_of_the_configuration() {
    let mut lookup = lookup_of_api(true, |target| {
        target.aws.access_log_group = Some("declared".to_owned());
    });
    lookup.apply_configuration(&configuration(), None, None);
    let groups: Vec<&str> = lookup
        .logs
        .iter()
        .map(|log| log.query.group.as_str())
        .collect();
    assert_eq!(groups, ["declared"]);
}

#[test]
fn a_configuration_that_shows_nothing_is_read_again_up_to_six_times() {
    let mut lookup = lookup_of_api(true, |_| ());
    let mut reads = 0;
    while lookup.configuration.is_due(at(2000)) {
        lookup.configuration = lookup.configuration.started();
        let nothing = Configuration::default();
        assert!(!lookup.apply_configuration(&nothing, None, Some(at(1001))));
        reads += 1;
    }
    assert_eq!(reads, 6);
    assert_eq!(lookup.evidence, AwsEvidence::default());
}

#[test]
fn the_configuration_is_not_read_again_later_than_a_minute_after_the_request() {
    let nothing = Configuration::default();
    for (retry_at, is_read_again) in [(1060, true), (1061, false)] {
        let mut lookup = lookup_of_api(true, |_| ());
        lookup.apply_configuration(&nothing, None, Some(at(retry_at)));
        assert_eq!(!lookup.is_done(), is_read_again, "{retry_at}");
        let mut failed = lookup_of_api(true, |_| ());
        failed.postpone_configuration(Some(at(retry_at)));
        assert_eq!(!failed.is_done(), is_read_again, "{retry_at}");
    }
}

#[test]
fn a_second_reading_does_not_withdraw_what_the_first_one_showed() {
    let mut lookup = lookup_of_api(true, |_| ());
    assert!(lookup.apply_configuration(&configuration(), None, Some(at(1005))));
    let first = lookup.evidence.clone();
    let mut corrected = configuration();
    if let Some(api) = &mut corrected.api {
        api.routes.clear();
    }
    assert!(!lookup.apply_configuration(&corrected, None, None));
    assert_eq!(lookup.evidence, first);
}
