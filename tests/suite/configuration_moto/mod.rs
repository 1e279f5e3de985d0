//! Runs a daemon and `discover aws` against moto, which emulates the control planes of Lambda, API
//! Gateway and Elastic Load Balancing with real resources and policies.
//!
//! Ignored by default; `tests/run` installs moto and runs these tests. The daemon probes a gateway of
//! the test at AWS's host names. It declares nothing and has no logs and no metrics, so the URL and
//! the configuration are the only evidence. moto has one policy per function, regardless of the
//! alias; `domain::configuration` tests the policies of aliases.

mod account;
mod discovery;
mod front;
mod gateway;
mod moto;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::process::Daemon;

use account::{ACCOUNT, Account, OTHER_ACCOUNT, SECRET, STAGE, api_host, function_arn};
use front::Front;
use gateway::{Expected, REQUEST_ID, Row};
use moto::REGION;

/// Time limit until the configuration of all targets was read three times.
const PATIENCE: Duration = Duration::from_secs(240);

/// The number of readings after which at least one failed probe was diagnosed with a reading before
/// and one after it.
const READINGS: usize = 3;

/// Integration timeout of a slow route.
const LIMIT: Duration = Duration::from_secs(2);

/// Response time of a function that ran.
const RUN: Duration = Duration::from_millis(300);

const DENIED: Expected = Expected::Cause("lambda-permission-denied", "proven");

fn config(front: &Front, gateway: &str, targets: &[(Row, &str)]) -> String {
    // While the interval passes, the configuration of all targets is read once.
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[cloudwatch]\nregion = \"{REGION}\"\n\
         [evidence]\nendpoint_url = \"{}\"\nconfiguration = true\n\
         [defaults]\ninterval = \"20s\"\nconfirm_after = \"1s\"\ntimeout = \"10s\"\n\
         ask_for_cause = false\n[defaults.request]\nconnect_to = \"{gateway}\"\n",
        front.url()
    );
    for (row, host) in targets {
        let name = row.name;
        text.push_str(&format!(
            "[[target]]\nname = \"{name}\"\nurl = \"http://{host}/{STAGE}/{name}\"\n"
        ));
    }
    text
}

/// Runs a daemon with a target for each row, at this host name, until every row had what is expected.
async fn check(account: &Account, targets: &[(Row, &str)]) {
    let rows = targets.iter().map(|(row, _)| *row).collect();
    let gateway = gateway::start(rows).await.to_string();
    let front = Front::start(account.moto.address).await;
    let daemon = Daemon::start(&config(&front, &gateway, targets)).await;
    let started = Instant::now();
    // The certainty may be lower again until the evidence about the newest failure has arrived.
    let mut met: BTreeSet<&str> = BTreeSet::new();
    while met.len() < targets.len() {
        sleep(Duration::from_millis(500)).await;
        let text = daemon.get("/api/v1/incidents").await;
        assert!(!text.contains(SECRET), "a secret in {text}");
        assert!(started.elapsed() < PATIENCE, "only {met:?} in {text}");
        let incidents: Vec<Value> = serde_json::from_str(&text).unwrap();
        for (row, _) in targets {
            if is_as_expected(row, incident_of(row, &incidents), &front) {
                met.insert(row.name);
            }
        }
    }
    for (row, _) in targets {
        if let Expected::NoCause { policy_read } = row.expected {
            assert_eq!(front.reads(row.name, "policy") > 0, policy_read, "{row:?}");
        }
    }
}

fn incident_of<'a>(row: &Row, incidents: &'a [Value]) -> Option<&'a Value> {
    incidents
        .iter()
        .find(|incident| incident["target"] == row.name)
}

/// Returns whether the incident has the expected cause and certainty. Panics if the certainty is
/// overstated.
fn is_as_expected(row: &Row, incident: Option<&Value>, front: &Front) -> bool {
    let Some(incident) = incident else {
        return false;
    };
    let found = (&incident["cause"], &incident["certainty"]);
    match row.expected {
        Expected::Cause(cause, certainty) => {
            let is_proven = found.1 == "proven";
            if is_proven {
                assert_eq!((found.0, certainty), (&json!(cause), "proven"), "{row:?}");
                assert_eq!(incident["proof"]["source"], "aws", "{incident}");
                // The second failure with a reading is proven, or the third one if a reading took
                // longer than the interval.
                assert!(front.reads(row.name, "configuration") <= READINGS);
                assert_eq!(incident["proof"]["request_id"], REQUEST_ID, "{incident}");
            }
            found.0 == cause && found.1 == certainty
        }
        Expected::NoCause { .. } => {
            let is_claimed = found.1 == "corroborated" || found.1 == "proven";
            assert!(!is_claimed, "{row:?}: {incident}");
            front.reads(row.name, "configuration") >= READINGS
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto: run by tests/run"]
async fn a_policy_without_the_route_proves_a_missing_permission() {
    let account = Account::start().await;
    let api = account.http_api("policies").await;
    let rows = [
        "no-policy",
        "wrong-stage",
        "wrong-method",
        "explicit-deny",
        "foreign-account",
    ];
    for name in rows {
        account.function(name).await;
        let arn = function_arn(ACCOUNT, name);
        let key = format!("GET /{name}");
        account.invoking_route(&api, &key, &arn, &json!({})).await;
    }
    account.stage(&api, STAGE, &json!({})).await;
    let source = |rest: &str| format!("{api}/{rest}");
    let stage = source("dev/GET/wrong-stage");
    account.allow("wrong-stage", &stage).await;
    let method = source("*/POST/wrong-method");
    account.allow("wrong-method", &method).await;
    account.allow("explicit-deny", &source("*/*/*")).await;
    account
        .add_statement("explicit-deny", "Deny", &json!({}))
        .await;
    let other = json!({ "SourceAccount": OTHER_ACCOUNT });
    account
        .add_statement("foreign-account", "Allow", &other)
        .await;
    let host = api_host(&api);
    let targets = rows.map(|name| (Row::http(name, 500, DENIED), host.as_str()));
    check(&account, &targets).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto: run by tests/run"]
async fn a_default_route_needs_a_pattern_of_its_own() {
    let account = Account::start().await;
    let mut hosts = Vec::new();
    // The pattern that deployment tools write for routes with a method does not match `$default`.
    for (name, pattern) in [
        ("default-route", "*/*/$default"),
        ("default-ok", "*/$default"),
    ] {
        let api = account.http_api(name).await;
        account.function(name).await;
        let arn = function_arn(ACCOUNT, name);
        account
            .invoking_route(&api, "$default", &arn, &json!({}))
            .await;
        account.stage(&api, STAGE, &json!({})).await;
        account.allow(name, &format!("{api}/{pattern}")).await;
        hosts.push(api_host(&api));
    }
    let allowed = Expected::NoCause { policy_read: true };
    let targets = [
        (Row::http("default-route", 500, DENIED), hosts[0].as_str()),
        (
            Row::http("default-ok", 500, allowed).after(RUN),
            hosts[1].as_str(),
        ),
    ];
    check(&account, &targets).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto: run by tests/run"]
async fn a_policy_that_allows_or_does_not_decide_supports_no_cause() {
    let account = Account::start().await;
    let api = account.http_api("unclear").await;
    let names = [
        "right-arn",
        "any-method",
        "role",
        "other-owner",
        "no-alias-policy",
    ];
    for name in names {
        account.function(name).await;
    }
    account.alias("no-alias-policy", "live").await;
    let own = |name: &str| function_arn(ACCOUNT, name);
    let role = json!({ "credentialsArn": "arn:aws:iam::123456789012:role/invoke" });
    for (key, uri, more) in [
        ("GET /right-arn", own("right-arn"), json!({})),
        ("ANY /any-method", own("any-method"), json!({})),
        ("GET /role", own("role"), role),
        (
            "GET /other-owner",
            function_arn(OTHER_ACCOUNT, "other-owner"),
            json!({}),
        ),
        (
            "GET /no-alias-policy",
            own("no-alias-policy:live"),
            json!({}),
        ),
    ] {
        account.invoking_route(&api, key, &uri, &more).await;
    }
    account.stage(&api, STAGE, &json!({})).await;
    let right = format!("{api}/{STAGE}/GET/right-arn");
    account.allow("right-arn", &right).await;
    // Whether the ARN has the declared method or that of the request is not documented.
    let any = format!("{api}/*/GET/any-method");
    account.allow("any-method", &any).await;
    let read = Expected::NoCause { policy_read: true };
    let not_read = Expected::NoCause { policy_read: false };
    let host = api_host(&api);
    let targets = [
        Row::http("right-arn", 500, read).after(RUN),
        Row::http("any-method", 500, read),
        Row::http("role", 500, not_read),
        Row::http("other-owner", 500, not_read),
        // The alias is read like a function without an alias.
        Row::http("no-alias-policy", 500, DENIED),
    ];
    check(&account, &targets.map(|row| (row, host.as_str()))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto: run by tests/run"]
async fn other_faults_of_an_http_api_are_shown_by_its_configuration() {
    let account = Account::start().await;
    let api = account.http_api("faults").await;
    for name in ["stopped", "slow", "limited", "no-alias"] {
        account.function(name).await;
        account.allow(name, &format!("{api}/*/*/*")).await;
    }
    account.stop("stopped").await;
    let own = |name: &str| function_arn(ACCOUNT, name);
    let millis = json!({ "timeoutInMillis": LIMIT.as_secs() * 1000 });
    for (key, uri, more) in [
        ("GET /stopped", own("stopped"), json!({})),
        ("GET /slow", own("slow"), millis),
        ("GET /limited", own("limited"), json!({})),
        ("GET /deleted", own("deleted"), json!({})),
        ("GET /no-alias", own("no-alias:gone"), json!({})),
    ] {
        account.invoking_route(&api, key, &uri, &more).await;
    }
    let limits = json!({ "throttlingBurstLimit": 0, "throttlingRateLimit": 0.0 });
    let settings = json!({ "routeSettings": { "GET /limited": limits } });
    account.stage(&api, STAGE, &settings).await;
    let missing = Expected::Cause("function-missing", "corroborated");
    let host = api_host(&api);
    let targets = [
        Row::http(
            "stopped",
            503,
            Expected::Cause("lambda-throttled", "proven"),
        ),
        Row::http(
            "slow",
            503,
            Expected::Cause("integration-timeout", "corroborated"),
        )
        .after(LIMIT),
        Row::http("limited", 429, Expected::Cause("api-throttled", "proven")),
        Row::http("deleted", 500, missing),
        Row::http("no-alias", 500, missing),
        Row::http(
            "no-route",
            404,
            Expected::Cause("route-not-found", "proven"),
        ),
    ];
    check(&account, &targets.map(|row| (row, host.as_str()))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto: run by tests/run"]
async fn the_draft_of_a_rest_api_and_an_empty_target_group_prove_nothing() {
    let account = Account::start().await;
    let api = account.rest_api("orders").await;
    let limit = LIMIT.as_secs() * 1000;
    // The source ARN has the declared method.
    for (name, method, timeout) in [
        ("rest-denied", "ANY", 29_000),
        ("rest-stopped", "GET", 29_000),
        ("rest-slow", "GET", limit),
        ("rest-deleted", "GET", 29_000),
    ] {
        let resource = account.resource(&api, name).await;
        let method = (method, "NONE");
        account
            .method(&api, &resource, method, (name, timeout))
            .await;
    }
    account.deploy(&api).await;
    for name in ["rest-denied", "rest-stopped", "rest-slow"] {
        account.function(name).await;
        let source = format!("{}/*/GET/{name}", api.id);
        account.allow(name, &source).await;
    }
    account.stop("rest-stopped").await;
    let balancer = account.load_balancer().await;
    let host = api_host(&api.id);
    let cause = |cause| Expected::Cause(cause, "corroborated");
    let rest = [
        Row::rest("rest-denied", 500, cause("lambda-permission-denied")),
        Row::rest("rest-stopped", 500, cause("lambda-throttled")),
        Row::rest("rest-slow", 504, cause("integration-timeout")).after(LIMIT),
        Row::rest("rest-deleted", 502, cause("function-missing")),
        Row::rest("rest-no-method", 403, cause("route-not-found")),
    ];
    let mut targets = rest.map(|row| (row, host.as_str())).to_vec();
    let empty = Row::load_balancer("empty-group", cause("alb-no-target"));
    targets.push((empty, balancer.as_str()));
    check(&account, &targets).await;
}
