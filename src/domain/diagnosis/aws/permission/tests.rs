use serde_json::json;

use super::*;

const ACCOUNT: &str = "123456789012";

fn invocation(sources: &[&str]) -> Invocation {
    Invocation {
        partition: "aws".to_owned(),
        region: "eu-west-1".to_owned(),
        account: Some(ACCOUNT.to_owned()),
        api: "a1b2c3".to_owned(),
        sources: sources.iter().map(|source| (*source).to_owned()).collect(),
    }
}

fn statement(effect: &str, source_arn: &str) -> Value {
    json!({
        "Sid": "probecause",
        "Effect": effect,
        "Principal": { "Service": "apigateway.amazonaws.com" },
        "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:orders",
        "Condition": { "ArnLike": { "AWS:SourceArn": source_arn } }
    })
}

fn check(statements: &[Value], sources: &[&str], expected: Decision) {
    let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let found = decide(Some(&policy), &invocation(sources));
    assert_eq!(found, expected, "{statements:?} for {sources:?}");
}

use Decision::{Allowed, Denied, Unclear};

#[test]
fn the_source_arn_decides() {
    let arn = |rest: &str| format!("arn:aws:execute-api:eu-west-1:123456789012:{rest}");
    for (pattern, sources, expected) in [
        (
            arn("a1b2c3/*/GET/orders"),
            &["prod/GET/orders"][..],
            Allowed,
        ),
        (arn("a1b2c3/*"), &["prod/GET/orders"], Allowed),
        (arn("a1b2c3/*/*"), &["prod/GET/orders/{id}"], Allowed),
        (arn("a1b2c3/prod/*"), &["prod/GET/orders"], Allowed),
        (arn("*"), &["prod/GET/orders"], Allowed),
        (
            "arn:aws:execute-api:*:*:a1b2c3/*".to_owned(),
            &["prod/GET/x"],
            Allowed,
        ),
        // Another stage, method, path, API, account and Region.
        (arn("a1b2c3/test/GET/orders"), &["prod/GET/orders"], Denied),
        (arn("a1b2c3/*/POST/orders"), &["prod/GET/orders"], Denied),
        (arn("a1b2c3/*/GET/order"), &["prod/GET/orders"], Denied),
        (arn("zzzzzz/*"), &["prod/GET/orders"], Denied),
        (
            "arn:aws:execute-api:eu-west-1:999999999999:a1b2c3/*".to_owned(),
            &["prod/GET/orders"],
            Denied,
        ),
        (
            "arn:aws:execute-api:us-east-1:123456789012:a1b2c3/*".to_owned(),
            &["prod/GET/orders"],
            Denied,
        ),
        // The logical id of a template instead of the API's id.
        (arn("OrdersApi/*"), &["prod/GET/orders"], Denied),
        // A method that accepts every method sends `ANY`.
        (arn("a1b2c3/*/GET/x"), &["prod/ANY/x"], Denied),
        (arn("a1b2c3/*/ANY/x"), &["prod/ANY/x"], Allowed),
        // The route `$default` has no method.
        (arn("a1b2c3/*/$default"), &["prod/$default"], Allowed),
        (arn("a1b2c3/*/*/$default"), &["prod/$default"], Denied),
        (arn("a1b2c3/*/*/{proxy+}"), &["prod/$default"], Denied),
        // Not documented: what the route `ANY /x` of an HTTP API sends.
        (
            arn("a1b2c3/*/GET/x"),
            &["prod/ANY/x", "prod/GET/x"],
            Unclear,
        ),
        (arn("a1b2c3/*/*/x"), &["prod/ANY/x", "prod/GET/x"], Allowed),
        (
            arn("a1b2c3/*/POST/x"),
            &["prod/ANY/x", "prod/GET/x"],
            Denied,
        ),
    ] {
        check(&[statement("Allow", &pattern)], sources, expected);
    }
}

#[test]
fn a_denying_statement_wins() {
    let all = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/*";
    let other = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/test/*";
    let sources = &["prod/GET/orders"];
    check(&[], sources, Denied);
    check(
        &[statement("Allow", all), statement("Deny", all)],
        sources,
        Denied,
    );
    check(
        &[statement("Allow", all), statement("Deny", other)],
        sources,
        Allowed,
    );
    let mut unclear = statement("Deny", all);
    unclear["Condition"]["Bool"] = json!({ "aws:SecureTransport": "false" });
    check(
        &[statement("Allow", all), unclear.clone()],
        sources,
        Unclear,
    );
    check(&[statement("Allow", other), unclear], sources, Denied);
}

#[test]
fn principals_actions_and_other_conditions_count() {
    let arn = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/*";
    let sources = &["prod/GET/orders"];
    for (key, value, expected) in [
        ("Principal", json!("*"), Allowed),
        ("Principal", json!({ "AWS": "*" }), Allowed),
        ("Principal", json!({ "AWS": "arn:aws:iam::1:root" }), Denied),
        (
            "Principal",
            json!({ "Service": ["s3.amazonaws.com", PRINCIPAL] }),
            Allowed,
        ),
        (
            "Principal",
            json!({ "Service": "events.amazonaws.com" }),
            Denied,
        ),
        ("Action", json!("lambda:*"), Allowed),
        (
            "Action",
            json!(["lambda:GetFunction", "lambda:invokefunction"]),
            Allowed,
        ),
        ("Action", json!("lambda:InvokeFunctionUrl"), Denied),
        ("NotAction", json!("lambda:DeleteFunction"), Unclear),
        (
            "Condition",
            json!({ "StringEquals": { "aws:SourceAccount": ACCOUNT } }),
            Allowed,
        ),
        (
            "Condition",
            json!({ "StringEquals": { "AWS:SourceAccount": "9" } }),
            Denied,
        ),
        (
            "Condition",
            json!({ "StringLike": { "aws:SourceArn": "arn:*:a1b2c3/*" } }),
            Allowed,
        ),
        (
            "Condition",
            json!({ "StringEquals": { "aws:SourceArn": "x" } }),
            Denied,
        ),
        (
            "Condition",
            json!({ "StringEquals": { "lambda:FunctionUrlAuthType": "NONE" } }),
            Denied,
        ),
        (
            "Condition",
            json!({ "StringEquals": { "aws:PrincipalOrgID": "o-1" } }),
            Unclear,
        ),
        (
            "Condition",
            json!({ "StringNotLike": { "aws:SourceArn": "x" } }),
            Unclear,
        ),
        // `StringEquals` compares without wildcards.
        (
            "Condition",
            json!({ "StringEquals": { "aws:SourceAccount": "*" } }),
            Denied,
        ),
        // A policy variable has a value only during the request.
        (
            "Condition",
            json!({ "StringEquals": { "aws:SourceAccount": "${aws:ResourceAccount}" } }),
            Unclear,
        ),
        // A wildcard that may stand for several parts of the ARN.
        (
            "Condition",
            json!({ "ArnLike": { "aws:SourceArn": "arn:aws:execute-api:*" } }),
            Unclear,
        ),
        (
            "Condition",
            json!({ "ArnLike": { "aws:SourceArn": "orders" } }),
            Denied,
        ),
        (
            "Principal",
            json!({ "Service": "apigateway.eu-west-1.amazonaws.com" }),
            Unclear,
        ),
    ] {
        let mut changed = statement("Allow", arn);
        changed[key] = value;
        check(&[changed], sources, expected);
    }
}

#[test]
fn an_account_that_is_not_known_leaves_the_decision_open() {
    let of = |pattern: &str| {
        let policy = json!({ "Statement": statement("Allow", pattern) }).to_string();
        let mut invocation = invocation(&["prod/GET/orders"]);
        invocation.account = None;
        decide(Some(&policy), &invocation)
    };
    assert_eq!(
        of("arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/*"),
        Unclear
    );
    assert_eq!(of("arn:aws:execute-api:eu-west-1:*:a1b2c3/*"), Allowed);
    assert_eq!(
        of("arn:aws:execute-api:eu-west-1:123456789012:zzz/*"),
        Denied
    );
}

#[test]
fn no_policy_denies_and_an_unreadable_one_is_unclear() {
    let sources = invocation(&["prod/GET/orders"]);
    assert_eq!(decide(None, &sources), Denied);
    for text in ["", "[]", "{}", r#"{"Statement":[{"Effect":"Maybe"}]}"#] {
        assert_eq!(decide(Some(text), &sources), Unclear, "{text}");
    }
}

#[test]
fn the_source_is_that_of_the_declared_method_and_path() {
    assert_eq!(
        Invocation::rest_source("Prod", "ANY", "/{proxy+}"),
        "Prod/ANY/{proxy+}"
    );
    assert_eq!(Invocation::rest_source("Prod", "GET", "/"), "Prod/GET/");
    assert_eq!(
        Invocation::http_sources("$default", "$default", "GET"),
        ["$default/$default"]
    );
    assert_eq!(Invocation::http_sources("s", "GET /x", "GET"), ["s/GET/x"]);
    assert_eq!(
        Invocation::http_sources("s", "ANY /x", "GET"),
        ["s/ANY/x", "s/GET/x"]
    );
}
