//! Reads the simulated account with the parsers and rules of the daemon.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::domain::account_changes::{Records, Watched};
use crate::domain::configuration::function::{Concurrency, FunctionSettings, Policy};
use crate::domain::configuration::http_api::{HttpApiAnswers, parse};
use crate::domain::diagnosis::aws::permission::{Decision, Invocation};
use crate::io::simulator::api::UNLOGGED_STAGE;
use crate::io::simulator::{REGION, RouteFault};

fn account() -> Account {
    let gateway = |api: ApiType| {
        let faults = RouteFault::ALL.map(|fault| (fault.route().to_owned(), fault));
        let timeout = api.default_timeout();
        Arc::new(Gateway::new(api, Arc::default(), faults, timeout, 1))
    };
    Account::new(ApiType::ALL.map(gateway))
}

/// Returns the answer to a GET request; `None` if the resource does not exist.
fn get(account: &Account, path: &str) -> Option<Value> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (status, _, body) = account.read(path, query);
    let body: Value = serde_json::from_slice(&body).unwrap();
    if status == StatusCode::OK {
        return Some(body);
    }
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(body["__type"], "ResourceNotFoundException");
    None
}

#[track_caller]
fn check_function(fault: RouteFault, decision: Decision, concurrency: Concurrency, timeout: u64) {
    let account = account();
    let name = ApiType::HttpApi.function_of(fault.route());
    let arn = format!("arn%3Aaws%3Alambda%3Aeu-west-1%3A{ACCOUNT_ID}%3Afunction%3A{name}");
    let of_function = |version: &str, resource: &str| {
        let path = format!("/{version}/functions/{arn}/{resource}");
        get(&account, &path).unwrap()
    };
    let settings = FunctionSettings::parse(&of_function("2015-03-31", "configuration")).unwrap();
    assert_eq!(settings.timeout, Some(Duration::from_secs(timeout)));
    let invocation = Invocation {
        partition: "aws".to_owned(),
        region: REGION.to_owned(),
        account: Some(ACCOUNT_ID.to_owned()),
        api: "simhttp001".to_owned(),
        sources: Invocation::http_sources("$default", &format!("GET {}", fault.route()), "GET"),
    };
    let answer = of_function("2015-03-31", "policy");
    let policy = Policy::parse(&answer, Some(&invocation)).unwrap();
    assert_eq!(policy.decision, decision, "{fault:?}");
    assert_eq!(answer, of_function("2015-03-31", "policy"), "not stable");
    let answer = of_function("2019-09-30", "concurrency");
    assert_eq!(Concurrency::parse(&answer), Some(concurrency), "{fault:?}");
}

#[test]
fn the_configuration_of_a_function_follows_from_its_fault() {
    let unreserved = Concurrency::Unreserved;
    check_function(RouteFault::None, Decision::Allowed, unreserved, 3);
    check_function(RouteFault::Permission, Decision::Denied, unreserved, 3);
    check_function(
        RouteFault::Throttled,
        Decision::Allowed,
        Concurrency::Reserved(0),
        3,
    );
    check_function(RouteFault::Timeout, Decision::Allowed, unreserved, 900);
    check_function(RouteFault::FunctionError, Decision::Allowed, unreserved, 3);
}

#[test]
fn only_one_stage_of_the_http_api_has_an_access_log() {
    let account = account();
    let of_api = |resource: &str| get(&account, &format!("/v2/apis/simhttp001{resource}"));
    let api = of_api("").unwrap();
    let routes = [of_api("/routes?maxResults=100").unwrap()];
    let integrations = [of_api("/integrations?maxResults=100").unwrap()];
    for (stage, group) in [
        ("%24default", Some(ApiType::HttpApi.log_group())),
        (UNLOGGED_STAGE, None),
    ] {
        let parsed = parse(&HttpApiAnswers {
            api: &api,
            stage: &of_api(&format!("/stages/{stage}")).unwrap(),
            routes: &routes,
            integrations: &integrations,
        });
        let parsed = parsed.unwrap();
        assert_eq!(parsed.access_log_group.as_deref(), group);
        assert!(parsed.deployed, "{stage}");
        assert_eq!(parsed.routes.len(), RouteFault::ALL.len());
        for route in &parsed.routes {
            assert_eq!(route.timeout, Some(Duration::from_secs(30)), "{route:?}");
            assert!(route.backend.is_some(), "{route:?}");
        }
    }
}

#[test]
fn other_resources_do_not_exist() {
    let account = account();
    for path in [
        "/v2/apis/simrest001",
        "/v2/apis/simhttp001/stages/prod",
        "/restapis/simrest001/stages/prod",
        "/2015-03-31/functions/unknown/configuration",
        "/2015-03-31/functions/simulated-http-orders/policy?Qualifier=live",
        "/2015-03-31/functions/simulated-http-orders%3Alive/policy",
    ] {
        assert_eq!(get(&account, path), None, "{path}");
    }
    let rest = get(
        &account,
        "/2015-03-31/functions/simulated-rest-orders/policy",
    );
    assert!(rest.is_some());
    assert!(get(&account, "/2016-08-19/account-settings/").is_some());
}

/// Looks up events by name and returns the response.
fn look_up(account: &Account, request: &Value) -> (StatusCode, Value) {
    let (status, _, body) = account.look_up("LookupEvents", request.to_string().as_bytes());
    (status, serde_json::from_slice(&body).unwrap())
}

#[test]
fn the_removed_permission_is_found_thirty_seconds_before_the_first_failure() {
    let account = account();
    let now = Timestamp::now();
    let named = |name: &str, from: i64| {
        let attribute = json!({ "AttributeKey": "EventName", "AttributeValue": name });
        let request = json!({ "LookupAttributes": [attribute], "StartTime": from });
        let (status, response) = look_up(&account, &request);
        assert_eq!(status, StatusCode::OK, "{response}");
        let watched = Watched {
            function: Some("simulated-http-permission".to_owned()),
            ..Watched::default()
        };
        let changes = Records::parse(&response).changes(&watched, now);
        changes.first().map(|change| {
            assert!((29..=31).contains(&change.seconds_before), "{change:?}");
            (change.who.clone(), change.resource.clone())
        })
    };
    let name = "RemovePermission20150331v2";
    let hour_ago = now.as_second() - 3600;
    let expected = ("deploy-role", "simulated-http-permission");
    let expected = (expected.0.to_owned(), expected.1.to_owned());
    assert_eq!(named(name, hour_ago), Some(expected));
    assert_eq!(named(name, now.as_second()), None);
    // CloudTrail compares the names exactly.
    assert_eq!(named("RemovePermission", hour_ago), None);
    assert_eq!(named("PutFunctionConcurrency20171031", hour_ago), None);
}

#[test]
fn events_are_paged() {
    let account = account();
    let name = "PutFunctionConcurrency20171031";
    let attribute = json!({ "AttributeKey": "EventName", "AttributeValue": name });
    let mut request = json!({ "LookupAttributes": [attribute], "MaxResults": 1 });
    let mut found = Vec::new();
    loop {
        let (_, page) = look_up(&account, &request);
        let events = page["Events"].as_array().unwrap();
        assert_eq!(events.len(), 1);
        found.extend(events.iter().map(|event| event["EventId"].to_string()));
        match page.get("NextToken") {
            Some(token) => request["NextToken"] = token.clone(),
            None => break,
        }
    }
    // One function of each API is throttled.
    assert_eq!(found.len(), 2);
    assert_ne!(found[0], found[1]);
}

#[test]
fn unsupported_requests_are_errors() {
    let account = account();
    let (status, error) = look_up(&account, &json!({}));
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(error["__type"], "InvalidLookupAttributesException");
    let (status, ..) = account.look_up("ListTrails", b"{}");
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, ..) = account.identity(b"Action=AssumeRole&Version=2011-06-15");
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _, body) = account.identity(b"Action=GetCallerIdentity&Version=2011-06-15");
    let body = String::from_utf8(body).unwrap();
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("<Account>123456789012</Account>"), "{body}");
}
