//! Tests of changes as an incident sees them: secrets, times and late events.

use super::*;
use crate::domain::incident::{AccountChanges, Relation, relation};
use crate::model::cause::CauseId;
use crate::model::target::{AwsDeclarations, Target};

#[test]
fn no_secret_of_an_event_is_kept() {
    let parameters = json!({
        "functionName": "orders", "qualifier": "live", "statementId": "secret-id",
        "environment": { "variables": { "PASSWORD": "secret-password", "name": "secret" } },
        "principal": "secret-principal"
    });
    let names = [
        "RemovePermission20150331v2",
        "UpdateFunctionConfiguration20150331v2",
    ];
    let events = names.map(|name| event("lambda", name, TIME, parameters.clone()));
    let changes = changes(&response(events), &watched(), first_failure());
    assert_eq!(changes.len(), 2);
    let shown = format!("{changes:?}").to_lowercase();
    for secret in [
        "secret",
        "jane",
        "asia",
        "aroa",
        "203.0.113",
        "123456789012",
    ] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn a_permission_removed_before_the_first_failure_is_named_and_explained() {
    let parameters = json!({ "functionName": "orders", "qualifier": "live" });
    let removed = event("lambda", "RemovePermission20150331v2", TIME, parameters);
    let changes = changes(&response([removed]), &watched(), first_failure());
    let change = &changes[0];
    assert_eq!(
        change.summary(),
        "RemovePermission by deploy-role 26 s before"
    );
    let sentence = "RemovePermission by deploy-role 26 s before the first failure: removed a \
                    permission from the policy of orders:live";
    let denied = CauseId::new("lambda-permission-denied").unwrap();
    let explanation = |cause: &CauseId, change: &AccountChange| {
        let mut changes = AccountChanges::default();
        changes.add([change.clone()]);
        changes.explanation(cause)
    };
    assert_eq!(explanation(&denied, change).as_deref(), Some(sentence));
    let throttled = CauseId::new("lambda-throttled").unwrap();
    assert_eq!(explanation(&throttled, change), None);
    let later = AccountChange {
        seconds_before: -1,
        ..change.clone()
    };
    assert_eq!(explanation(&denied, &later), None);
}

#[test]
fn an_unrelated_deployment_an_hour_before_is_no_lead() {
    let deploy = |function: &str, time: &str| {
        let parameters = json!({ "functionName": function });
        event("lambda", "UpdateFunctionCode20150331v2", time, parameters)
    };
    let unqualified = Watched {
        qualifier: None,
        ..watched()
    };
    let response = response([
        deploy("billing", "2026-07-14T21:40:00Z"),
        deploy("orders", "2026-07-14T21:32:28Z"),
        deploy("orders", "2026-07-14T21:33:00Z"),
    ]);
    // Another function, and a deployment before the window, are not changes of the incident.
    let changes = changes(&response, &unqualified, first_failure());
    let seconds: Vec<i64> = changes.iter().map(|change| change.seconds_before).collect();
    assert_eq!(seconds, [3568]);
    let relation = |cause: &str| relation(&CauseId::new(cause).unwrap(), changes[0].effect);
    assert_eq!(relation("lambda-permission-denied"), None);
    assert_eq!(relation("lambda-function-error"), Some(Relation::Lead));
}

#[test]
fn an_event_that_arrives_six_minutes_late_is_found_by_the_last_request() {
    let opened: Timestamp = "2026-07-14T22:32:38Z".parse().unwrap();
    let parameters = json!({ "functionName": "orders", "qualifier": "live" });
    let late = event("lambda", "RemovePermission20150331v2", TIME, parameters);
    let parameters = json!({ "functionName": "orders", "name": "live" });
    let early = event(
        "lambda",
        "UpdateAlias20150331",
        "2026-07-14T22:00:00Z",
        parameters,
    );
    let delivered = [
        ("2026-07-14T22:01:00Z", early),
        ("2026-07-14T22:38:02Z", late),
    ];
    let mut known = AccountChanges::default();
    let mut counts = Vec::new();
    let mut done = 0;
    while let Some(look) = next_look(opened, done) {
        let visible = delivered.iter().filter(|(at, _)| {
            let at: Timestamp = at.parse().unwrap();
            at <= look
        });
        let response = response(visible.map(|(_, event)| event.clone()));
        let is_new = known.add(changes(&response, &watched(), first_failure()));
        counts.push((known.as_slice().len(), is_new));
        done += 1;
    }
    assert_eq!(counts, [(1, true), (1, false), (2, true)]);
    assert_eq!(known.as_slice()[0].event, "RemovePermission");
}

#[test]
fn the_resources_of_a_target_come_from_declarations_and_the_host() {
    let url = "https://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod/orders";
    let mut target = Target::with_defaults("orders", url.parse().unwrap());
    target.aws.function =
        Some("arn:aws:lambda:eu-west-1:123456789012:function:orders:live".to_owned());
    target.aws.stage = Some("prod".to_owned());
    let host = "a1b2c3.execute-api.eu-west-1.amazonaws.com";
    let expected = Watched {
        function: Some("orders".to_owned()),
        qualifier: Some("live".to_owned()),
        api: Some("a1b2c3".to_owned()),
        stage: Some("prod".to_owned()),
        host: Some(host.to_owned()),
        ..Watched::default()
    };
    let of = |target: &Target| Watched::of(target, &target.aws);
    assert_eq!(of(&target), expected);
    target.aws.function = Some("orders".to_owned());
    target.aws.qualifier = Some("$LATEST".to_owned());
    assert_eq!(of(&target).qualifier, None);
    target.aws.function = None;
    let completed = AwsDeclarations {
        function: Some("orders".to_owned()),
        ..target.aws.clone()
    };
    let watched = Watched::of(&target, &completed);
    assert_eq!(watched.function.as_deref(), Some("orders"));
}

#[test]
fn the_host_of_a_load_balancer_names_it() {
    let listener =
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/Shop-Api/50d/f2f";
    let parameters = json!({ "listenerArn": listener });
    let response = response([event(
        "elasticloadbalancing",
        "ModifyListener",
        TIME,
        parameters,
    )]);
    for (host, expected) in [
        ("Shop-Api-1234567890.eu-west-1.elb.amazonaws.com", 1),
        (
            "internal-shop-api-1234567890.eu-west-1.elb.amazonaws.com",
            1,
        ),
        ("shop-1234567890.eu-west-1.elb.amazonaws.com", 0),
        (
            "shop-api-1234567890.eu-west-1.elb.amazonaws.com.evil.example",
            0,
        ),
        ("shop-api.example.com", 0),
    ] {
        let url = format!("https://{host}/");
        let target = Target::with_defaults("orders", url.parse().unwrap());
        let watched = Watched::of(&target, &target.aws);
        let found = changes(&response, &watched, first_failure());
        assert_eq!(found.len(), expected, "{host}");
        let names = event_names(&watched, &CauseId::unexplained());
        assert_eq!(
            names.contains(&"ModifyListener"),
            expected == 1 || host.starts_with("shop-1")
        );
    }
}

#[test]
fn the_host_names_the_api_whatever_is_declared() {
    for (id, declared, expected) in [
        ("a1b2c3", None, Some("a1b2c3")),
        ("a1b2c3", Some("other"), Some("a1b2c3")),
        ("a1b2c3-vpce-0123", Some("a1b2c3"), Some("a1b2c3")),
        ("a1b2c3-vpce-0123", None, None),
    ] {
        let url = format!("https://{id}.execute-api.eu-west-1.amazonaws.com/");
        let mut target = Target::with_defaults("orders", url.parse().unwrap());
        target.aws.api_id = declared.map(str::to_owned);
        let watched = Watched::of(&target, &target.aws);
        assert_eq!(watched.api.as_deref(), expected, "{id} {declared:?}");
    }
}
