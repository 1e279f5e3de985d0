//! Tests of the fact `config.permission`.

use super::*;

/// Checks the permission with one statement that allows the source.
fn check_source(setup: Setup, source: &str, expected: Option<&str>) {
    let allow = |it: &mut Setup| {
        it.policy = Lookup::Found(policy(&[statement("Allow", source)]));
    };
    check(setup, allow, "config.permission", expected);
}

/// Returns an HTTP API whose only route has the key.
fn with_key(key: &str) -> Setup {
    let mut setup = Setup::http();
    setup.routes[0]["routeKey"] = json!(key);
    setup
}

/// Returns a REST API whose resource has only the method.
fn with_method(method: &str) -> Setup {
    let mut setup = Setup::rest();
    let settings = setup.routes[0]["resourceMethods"]["GET"].take();
    setup.routes[0]["resourceMethods"] = json!({ method: settings });
    setup
}

#[test]
fn the_source_arn_decides_about_an_http_api() {
    for (source, expected) in [
        ("a1b2c3/*/GET/orders", "allowed"),
        ("a1b2c3/$default/GET/orders", "allowed"),
        ("a1b2c3/*", "allowed"),
        ("a1b2c3/prod/GET/orders", "denied"),
        ("a1b2c3/*/POST/orders", "denied"),
        ("a1b2c3/*/GET/order", "denied"),
        // The logical id of a template instead of the id of the API.
        ("ServerlessHttpApi/*", "denied"),
    ] {
        check_source(Setup::http(), source, Some(expected));
    }
    let default = || with_key("$default");
    check_source(default(), "a1b2c3/$default/$default", Some("allowed"));
    check_source(default(), "a1b2c3/*/$default", Some("allowed"));
    check_source(default(), "a1b2c3/*/*/$default", Some("denied"));
    check_source(default(), "a1b2c3/*/*/{proxy+}", Some("denied"));
    // It is not documented whether the route sends `ANY` or the method of the request.
    let any = || with_key("ANY /orders");
    check_source(any(), "a1b2c3/*/GET/orders", None);
    check_source(any(), "a1b2c3/*/*/orders", Some("allowed"));
    check_source(any(), "a1b2c3/*/PUT/orders", Some("denied"));
}

#[test]
fn the_source_arn_decides_about_a_rest_api() {
    for (source, expected) in [
        ("r1/*/GET/orders", "allowed"),
        ("r1/prod/GET/orders", "allowed"),
        ("r1/test/GET/orders", "denied"),
        // The permission of another method of the same function (measured).
        ("r1/*/GET/other", "denied"),
    ] {
        check_source(Setup::rest(), source, Some(expected));
    }
    // A REST API sends the declared method.
    check_source(with_method("ANY"), "r1/*/GET/orders", Some("denied"));
    check_source(with_method("ANY"), "r1/*/ANY/orders", Some("allowed"));
}

#[test]
fn a_denying_statement_and_another_account_decide() {
    let fact = "config.permission";
    let both = policy(&[
        statement("Allow", "a1b2c3/*"),
        statement("Deny", "a1b2c3/*"),
    ]);
    check(
        Setup::http(),
        |it| it.policy = Lookup::Found(both),
        fact,
        Some("denied"),
    );
    for (account, key, expected) in [
        ("999999999999", "AWS:SourceAccount", "denied"),
        (ACCOUNT, "aws:SourceAccount", "allowed"),
    ] {
        let mut one = statement("Allow", "a1b2c3/*");
        one["Condition"]["StringEquals"] = json!({ key: account });
        let change = |it: &mut Setup| it.policy = Lookup::Found(policy(&[one]));
        check(Setup::http(), change, fact, Some(expected));
    }
    // A condition that is not interpreted may decide.
    let mut one = statement("Allow", "a1b2c3/*");
    one["Condition"]["StringEquals"] = json!({ "aws:PrincipalOrgID": "o-1" });
    let change = |it: &mut Setup| it.policy = Lookup::Found(policy(&[one]));
    check(Setup::http(), change, fact, None);
}

#[test]
fn a_missing_policy_denies_only_if_the_function_exists() {
    let fact = "config.permission";
    let no_policy = |it: &mut Setup| it.policy = Lookup::Missing;
    check(Setup::http(), no_policy, fact, Some("denied"));
    check(Setup::rest(), no_policy, fact, Some("denied"));
    // Each alias has its own policy.
    let alias = |it: &mut Setup| {
        no_policy(it);
        it.integrations[0]["integrationUri"] = json!(format!("{FUNCTION}:live"));
    };
    check(Setup::http(), alias, fact, Some("denied"));
    let missing = |it: &mut Setup| {
        no_policy(it);
        it.settings = Lookup::Missing;
    };
    check(Setup::http(), missing, fact, None);
    // The function could not be read.
    let setup = Setup::http();
    let mut configuration = setup.read();
    if let Some(function) = &mut configuration.function {
        function.settings = None;
        function.policy = Some(Lookup::Missing);
    }
    assert_eq!(fact_of(&setup.target, &configuration, fact), None);
}

#[test]
fn a_role_another_account_and_an_unknown_function_give_no_verdict() {
    let fact = "config.permission";
    for role in ["arn:aws:iam::123456789012:role/x", "arn:aws:iam::*:user/*"] {
        check(
            Setup::http(),
            |it| it.integrations[0]["credentialsArn"] = json!(role),
            fact,
            None,
        );
        check(
            Setup::rest(),
            |it| {
                let method = &mut it.routes[0]["resourceMethods"]["GET"];
                method["methodIntegration"]["credentials"] = json!(role);
            },
            fact,
            None,
        );
    }
    let elsewhere = FUNCTION.replace(ACCOUNT, "999999999999");
    check(
        Setup::http(),
        |it| it.integrations[0]["integrationUri"] = json!(elsewhere),
        fact,
        None,
    );
    let unknown = |it: &mut Setup| {
        it.integrations[0]["integrationUri"] = json!("${stageVariables.function}");
    };
    check(Setup::http(), unknown, fact, None);
    check(Setup::http(), unknown, "config.integration", Some("lambda"));
    check(
        Setup::http(),
        |it| {
            unknown(it);
            it.stage["stageVariables"] = json!({ "function": FUNCTION });
        },
        fact,
        Some("allowed"),
    );
}
