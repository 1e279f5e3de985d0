//! Tests of which events are changes of a target, and with which effect.

mod incident;

use serde_json::json;

use super::*;
use crate::domain::incident::ChangeEffect;

const FIRST_FAILURE: &str = "2026-07-14T22:32:28.798Z";

fn first_failure() -> Timestamp {
    FIRST_FAILURE.parse().unwrap()
}

/// An event as in the field `Events` of a response.
fn event(service: &str, name: &str, time: &str, parameters: Value) -> Value {
    let mut details = json!({
        "eventVersion": "1.10",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROASECRETPRINCIPAL:jane@example.com",
            "arn": "arn:aws:sts::123456789012:assumed-role/deploy-role/jane@example.com",
            "accountId": "123456789012",
            "accessKeyId": "ASIASECRETKEY",
            "sessionContext": { "sessionIssuer": { "type": "Role", "userName": "deploy-role" } }
        },
        "eventTime": time,
        "eventSource": format!("{service}.amazonaws.com"),
        "eventName": name,
        "sourceIPAddress": "203.0.113.77",
        "userAgent": "secret-agent/1.0",
        "responseElements": { "statement": "secret-statement" },
        "readOnly": false
    });
    details["requestParameters"] = parameters;
    json!({
        "EventName": name,
        "EventTime": 1_784_068_322,
        "Username": "jane@example.com",
        "AccessKeyId": "ASIASECRETKEY",
        "ReadOnly": "false",
        "CloudTrailEvent": details.to_string()
    })
}

fn response(events: impl IntoIterator<Item = Value>) -> Value {
    let events: Vec<Value> = events.into_iter().collect();
    json!({ "Events": events, "NextToken": "more" })
}

fn changes(response: &Value, watched: &Watched, first_failure: Timestamp) -> Vec<AccountChange> {
    Records::parse(response).changes(watched, first_failure)
}

fn watched() -> Watched {
    Watched {
        function: Some("orders".to_owned()),
        qualifier: Some("live".to_owned()),
        api: Some("a1b2c3".to_owned()),
        stage: Some("prod".to_owned()),
        route_id: Some("r7".to_owned()),
        vpc_link: Some("v9".to_owned()),
        host: Some("api.example.com".to_owned()),
        target_groups: vec!["orders/73e2d6bc".to_owned()],
        load_balancers: vec!["app/shop/50dc6c49".to_owned()],
        load_balancer_name: None,
    }
}

const TIME: &str = "2026-07-14T22:32:02Z";

/// Returns the resource and effect of the change that an event is, if any.
fn found(
    watched: &Watched,
    service: &str,
    name: &str,
    parameters: Value,
) -> Option<(String, ChangeEffect)> {
    let response = response([event(service, name, TIME, parameters)]);
    let mut changes = changes(&response, watched, first_failure());
    let change = changes.pop()?;
    assert_eq!(change.who, "deploy-role");
    assert_eq!(change.seconds_before, 26);
    Some((change.resource, change.effect))
}

#[track_caller]
fn check(service: &str, name: &str, parameters: Value, expected: Option<(&str, ChangeEffect)>) {
    let found = found(&watched(), service, name, parameters);
    let found = found.as_ref();
    let found = found.map(|(resource, effect)| (resource.as_str(), *effect));
    assert_eq!(found, expected, "{name}");
}

use ChangeEffect as E;

#[test]
fn a_change_of_a_function_concerns_only_targets_of_the_function() {
    let lambda = |name: &str, parameters: Value, expected| {
        check("lambda", name, parameters, expected);
    };
    let live = json!({ "functionName": "orders", "qualifier": "live", "statementId": "api" });
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live";
    let removed = Some(("orders:live", E::PermissionRemoved));
    lambda("RemovePermission20150331v2", live, removed);
    lambda(
        "RemovePermission20150331v2",
        json!({ "functionName": arn }),
        removed,
    );
    // The policy of the function itself does not serve its alias.
    let whole = json!({ "functionName": "orders" });
    lambda(
        "RemovePermission20150331v2",
        whole.clone(),
        Some(("orders", E::Other)),
    );
    let other = json!({ "functionName": "orders", "qualifier": "test" });
    lambda("RemovePermission20150331v2", other, None);
    let another = json!({ "functionName": "orders-worker" });
    lambda("RemovePermission20150331v2", another, None);

    let concurrency =
        |number: u32| json!({ "functionName": "orders", "reservedConcurrentExecutions": number });
    let name = "PutFunctionConcurrency20171031";
    lambda(name, concurrency(0), Some(("orders", E::FunctionStopped)));
    lambda(
        name,
        concurrency(5),
        Some(("orders", E::ConcurrencyChanged)),
    );
    let deleted = Some(("orders", E::FunctionDeleted));
    lambda("DeleteFunction20150331", whole.clone(), deleted);
    let alias = |name: &str| json!({ "functionName": "orders", "name": name });
    let deleted = Some(("orders:live", E::FunctionDeleted));
    lambda("DeleteAlias20150331", alias("live"), deleted);
    lambda("DeleteAlias20150331", alias("test"), None);
    let moved = Some(("orders:live", E::CodeChanged));
    lambda("UpdateAlias20150331", alias("live"), moved);
    // The alias still runs the published code.
    lambda(
        "UpdateFunctionCode20150331v2",
        whole.clone(),
        Some(("orders", E::Other)),
    );
    lambda(
        "UpdateFunctionConfiguration20150331v2",
        whole,
        Some(("orders", E::FunctionConfigured)),
    );
}

fn check_api(name: &str, parameters: Value, expected: Option<(&str, E)>) {
    check("apigateway", name, parameters, expected);
}

/// Events of API Gateway, each with its parameters, the resource and the effect.
fn changes_of_an_api() -> Vec<(&'static str, Value, &'static str, E)> {
    vec![
        (
            "DeleteRoute",
            json!({ "apiId": "a1b2c3", "routeId": "r7" }),
            "a1b2c3 route r7",
            E::RouteDeleted,
        ),
        (
            "UpdateStage",
            json!({ "apiId": "a1b2c3", "stageName": "prod", "description": "x" }),
            "a1b2c3 stage prod",
            E::StageChanged,
        ),
        (
            "UpdateStage",
            json!({ "ApiId": "a1b2c3", "StageName": "prod",
                    "defaultRouteSettings": { "throttlingBurstLimit": 0 } }),
            "a1b2c3 stage prod",
            E::StageStopped,
        ),
        (
            "UpdateStage",
            json!({ "restApiId": "a1b2c3", "stageName": "prod", "updateStageInput": {
                    "patchOperations": [
                        { "op": "replace", "path": "/*/*/throttling/rateLimit", "value": "0" } ] } }),
            "a1b2c3 stage prod",
            E::StageStopped,
        ),
        (
            "DeleteStage",
            json!({ "apiId": "a1b2c3", "stageName": "prod" }),
            "a1b2c3 stage prod",
            E::StageDeleted,
        ),
        (
            "CreateDeployment",
            json!({ "restApiId": "a1b2c3" }),
            "a1b2c3",
            E::ApiChanged,
        ),
        (
            "UpdateIntegration",
            json!({ "apiId": "a1b2c3", "integrationId": "i1" }),
            "a1b2c3",
            E::IntegrationChanged,
        ),
    ]
}

/// Further events of API Gateway, as those of [`changes_of_an_api`].
fn further_changes_of_an_api() -> Vec<(&'static str, Value, &'static str, E)> {
    vec![
        // It takes effect with the next deployment.
        (
            "UpdateIntegration",
            json!({ "restApiId": "a1b2c3", "resourceId": "x" }),
            "a1b2c3",
            E::Other,
        ),
        (
            "DeleteVpcLink",
            json!({ "vpcLinkId": "v9" }),
            "VPC link v9",
            E::VpcLinkDeleted,
        ),
        (
            "DeleteApiMapping",
            json!({ "domainName": "api.example.com", "apiMappingId": "m1" }),
            "api.example.com",
            E::DomainChanged,
        ),
    ]
}

#[test]
fn a_change_of_an_api_names_its_resource_and_effect() {
    let all = changes_of_an_api()
        .into_iter()
        .chain(further_changes_of_an_api());
    for (name, parameters, resource, effect) in all {
        check_api(name, parameters, Some((resource, effect)));
    }
}

#[test]
fn a_change_of_an_api_concerns_only_its_stage_and_route() {
    for parameters in [
        json!({ "apiId": "zzzzzz", "stageName": "prod" }),
        json!({ "apiId": "a1b2c3", "stageName": "test" }),
        json!({ "apiId": "a1b2c3", "stageName": "prod", "routeId": "r8" }),
        json!({ "domainName": "other.example.com" }),
        json!({}),
        Value::Null,
    ] {
        check_api("UpdateStage", parameters, None);
    }
}

#[test]
fn an_unknown_route_or_stage_makes_the_effect_weaker() {
    let unsure = Watched {
        api: Some("a1b2c3".to_owned()),
        ..Watched::default()
    };
    for (name, expected) in [
        ("DeleteRoute", E::RouteChanged),
        ("DeleteStage", E::StageChanged),
    ] {
        let parameters = json!({ "apiId": "a1b2c3", "routeId": "r7", "stageName": "prod" });
        let found = found(&unsure, "apigateway", name, parameters);
        assert_eq!(found.map(|(_, effect)| effect), Some(expected), "{name}");
    }
}

#[test]
fn a_change_of_a_load_balancer_concerns_only_targets_behind_it() {
    let arn = |end: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:123456789012:{end}");
    for (name, key, end, expected) in [
        (
            "DeregisterTargets",
            "targetGroupArn",
            "targetgroup/orders/73e2d6bc",
            Some(("target group orders", E::TargetsDeregistered)),
        ),
        (
            "DeregisterTargets",
            "targetGroupArn",
            "targetgroup/orders/99999999",
            None,
        ),
        (
            "ModifyRule",
            "ruleArn",
            "listener-rule/app/shop/50dc6c49/l1/r1",
            Some(("load balancer shop", E::LoadBalancerChanged)),
        ),
        (
            "DeleteListener",
            "listenerArn",
            "listener/app/other/50dc6c49/l1",
            None,
        ),
    ] {
        let parameters = json!({ key: arn(end), "targets": [{ "id": "i-0abc" }] });
        check("elasticloadbalancing", name, parameters, expected);
    }
}

#[test]
fn reads_failed_calls_and_unreadable_events_are_no_changes() {
    let parameters = json!({ "functionName": "orders", "qualifier": "live" });
    let good = event("lambda", "RemovePermission20150331v2", TIME, parameters);
    let text = good["CloudTrailEvent"].as_str().unwrap();
    let with = |from: &str, to: &str| {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        json!({ "CloudTrailEvent": changed })
    };
    assert_eq!(
        changes(&response([good.clone()]), &watched(), first_failure()).len(),
        1
    );
    for bad in [
        with("\"readOnly\":false", "\"readOnly\":true"),
        with("\"readOnly\":false", "\"errorCode\":\"AccessDenied\""),
        with("lambda.amazonaws.com", "s3.amazonaws.com"),
        with(TIME, "yesterday"),
        with("RemovePermission20150331v2", "Remove\\u001bPermission"),
        with("{", ""),
        json!({ "CloudTrailEvent": 7 }),
        json!({}),
        Value::Null,
    ] {
        let response = response([bad]);
        assert!(changes(&response, &watched(), first_failure()).is_empty());
    }
    for empty in [json!({}), json!({ "Events": "none" }), Value::Null] {
        assert!(changes(&empty, &watched(), first_failure()).is_empty());
    }
}
