//! Tests of the parsed answers of API Gateway, and of what must not survive the parse.

use super::super::declarations::completed;
use super::super::function::account_concurrency;
use super::*;
use crate::model::target::{Authorizer, Integration};

const SECRET: &str = "s3cr3t";

#[test]
fn secrets_do_not_survive_the_parse() {
    let mut http = Setup::http();
    http.stage["stageVariables"] = json!({ "password": SECRET, "name": "orders" });
    http.stage["description"] = json!(SECRET);
    http.stage["accessLogSettings"] = json!({
        "destinationArn": format!("arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/api"),
        "format": format!("{{\"key\":\"{SECRET}\"}}")
    });
    http.api["description"] = json!(SECRET);
    http.integrations[0]["requestParameters"] = json!({ "overwrite:header.x-key": SECRET });
    http.integrations[0]["integrationUri"] =
        json!(FUNCTION.replace("function:orders", "function:${stageVariables.name}"));
    let backend = format!("https://user:{SECRET}@backend.example/?key={SECRET}");
    let more = json!({
        "integrationId": "i2", "integrationType": "HTTP_PROXY", "integrationUri": backend
    });
    http.integrations.as_array_mut().unwrap().push(more);
    let more = json!({ "routeKey": "GET /other", "target": "integrations/i2" });
    http.routes.as_array_mut().unwrap().push(more);
    http.settings = Lookup::Found(json!({
        "FunctionName": "orders", "State": "Active", "Timeout": 5,
        "Environment": { "Variables": { "PASSWORD": SECRET } },
        "Description": SECRET, "StateReason": SECRET, "StateReasonCode": format!("x {SECRET}"),
        "KMSKeyArn": SECRET, "VpcConfig": { "VpcId": SECRET }
    }));
    let mut other = statement("Allow", "a1b2c3/*");
    other["Principal"]["AWS"] = json!(format!("arn:aws:iam::{ACCOUNT}:role/{SECRET}"));
    http.policy = Lookup::Found(policy(&[other]));
    let mut rest = Setup::rest();
    rest.settings = http.settings.clone();
    rest.policy = http.policy.clone();
    rest.stage["variables"] = json!({ "password": SECRET });
    let method = &mut rest.routes[0]["resourceMethods"]["GET"];
    method["methodIntegration"]["requestTemplates"] = json!({ "application/json": SECRET });
    for setup in [http, rest] {
        let configuration = setup.read();
        let settings = configuration.function.as_ref().unwrap().settings.clone();
        assert!(matches!(settings, Some(Lookup::Found(_))));
        let facts = findings(&setup.target, &configuration, Some(&configuration));
        let all = format!("{configuration:?} {facts:?}");
        assert!(!all.contains(SECRET), "{all}");
    }
}

#[test]
fn incomplete_answers_are_not_an_api() {
    let setup = Setup::http();
    let page = [json!({ "items": [] })];
    let cut = [json!({ "items": [], "nextToken": "x" })];
    let parse = |api: &Value, routes: &[Value]| {
        http_api::parse(&HttpApiAnswers {
            api,
            stage: &setup.stage,
            routes,
            integrations: &page,
        })
    };
    assert!(parse(&setup.api, &page).is_some());
    assert!(parse(&setup.api, &cut).is_none());
    let socket = json!({ "apiId": "a1b2c3", "protocolType": "WEBSOCKET" });
    assert!(parse(&socket, &page).is_none());
    let cut = [json!({ "item": [], "position": "x" })];
    let answers = RestApiAnswers {
        id: "r1",
        stage: &setup.stage,
        resources: &cut,
        responses: None,
    };
    assert!(rest_api::parse(&answers).is_none());
}

#[test]
fn the_kinds_of_integrations_and_authorizers_are_facts() {
    let kind = |value: Value| move |it: &mut Setup| it.integrations[0] = value;
    for (integration, expected) in [
        (json!({ "integrationType": "HTTP_PROXY" }), "http"),
        (
            json!({ "integrationType": "AWS_PROXY", "integrationSubtype": "SQS-SendMessage" }),
            "aws",
        ),
        (json!({ "integrationType": "MOCK" }), "mock"),
    ] {
        let mut integration = integration;
        integration["integrationId"] = json!("i1");
        check(
            Setup::http(),
            kind(integration),
            "config.integration",
            Some(expected),
        );
    }
    for (integration, expected) in [
        (json!({ "type": "MOCK" }), "mock"),
        (json!({ "type": "HTTP" }), "http"),
        (
            json!({ "type": "HTTP_PROXY", "connectionType": "VPC_LINK", "connectionId": "v" }),
            "vpc-link",
        ),
        (
            json!({ "type": "AWS", "uri": "arn:aws:apigateway:eu-west-1:sqs:path/1/q" }),
            "aws",
        ),
        (
            json!({ "type": "AWS", "uri": rest_uri(FUNCTION) }),
            "lambda",
        ),
    ] {
        let change = |it: &mut Setup| {
            it.routes[0]["resourceMethods"]["GET"]["methodIntegration"] = integration;
        };
        check(Setup::rest(), change, "config.integration", Some(expected));
    }
    for (name, expected) in [
        ("AWS_IAM", Some("iam")),
        ("CUSTOM", Some("lambda")),
        ("JWT", Some("jwt")),
        ("NEW", None),
    ] {
        let change = |it: &mut Setup| it.routes[0]["authorizationType"] = json!(name);
        check(Setup::http(), change, "config.authorizer", expected);
    }
    let change = |it: &mut Setup| {
        let method = &mut it.routes[0]["resourceMethods"]["GET"];
        method["authorizationType"] = json!("COGNITO_USER_POOLS");
    };
    check(Setup::rest(), change, "config.authorizer", Some("cognito"));
}

#[test]
fn a_rest_api_calls_lambda_by_post_and_may_replace_responses() {
    let fact = "config.integration_method";
    check(Setup::rest(), |_| {}, fact, Some("post"));
    check(Setup::http(), |_| {}, fact, None);
    let change = |it: &mut Setup| {
        let method = &mut it.routes[0]["resourceMethods"]["GET"];
        method["methodIntegration"]["httpMethod"] = json!("GET");
    };
    check(Setup::rest(), change, fact, Some("other"));
    for (kind, default, expected) in [
        ("INTEGRATION_FAILURE", true, "default"),
        ("INTEGRATION_FAILURE", false, "customized"),
        ("DEFAULT_5XX", false, "customized"),
        ("DEFAULT_4XX", false, "default"),
    ] {
        let change = |it: &mut Setup| {
            it.responses = json!([{ "responseType": kind, "defaultResponse": default }]);
        };
        check(Setup::rest(), change, "config.responses", Some(expected));
    }
}

#[test]
fn a_throttling_limit_of_zero_rejects_every_request() {
    let fact = "config.api_throttle";
    let zero = json!({ "throttlingBurstLimit": 0, "throttlingRateLimit": 0.0 });
    let some = json!({ "throttlingBurstLimit": 10, "throttlingRateLimit": 5.0 });
    for (of_stage, of_route, expected) in [
        (&zero, None, Some("off")),
        (&some, None, None),
        (&zero, Some(&some), None),
        (&some, Some(&zero), Some("off")),
    ] {
        let change = |it: &mut Setup| {
            it.stage["defaultRouteSettings"] = of_stage.clone();
            if let Some(limits) = of_route {
                it.stage["routeSettings"] = json!({ "GET /orders": limits });
            }
        };
        check(Setup::http(), change, fact, expected);
        for key in ["~1orders/GET", "orders/GET"] {
            let change = |it: &mut Setup| {
                it.stage["methodSettings"] = json!({ "*/*": of_stage });
                if let Some(limits) = of_route {
                    it.stage["methodSettings"][key] = limits.clone();
                }
            };
            check(Setup::rest(), change, fact, expected);
        }
    }
    // A limit of -1 means that there is none.
    let unlimited = json!({ "*/*": { "throttlingBurstLimit": -1, "throttlingRateLimit": -1.0 } });
    let change = |it: &mut Setup| it.stage["methodSettings"] = unlimited;
    check(Setup::rest(), change, fact, None);
}

#[test]
fn the_configuration_completes_the_declarations() {
    let mut setup = Setup::http();
    setup.stage["accessLogSettings"] = json!({
        "destinationArn": format!("arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/api/orders"),
        "format": "{\"requestId\":\"$context.requestId\"}"
    });
    let all = completed(&setup.target, &setup.read());
    assert_eq!(all.integration, Some(Integration::Lambda));
    assert_eq!(all.authorizer, Some(Authorizer::None));
    assert_eq!(all.function.as_deref(), Some("orders"));
    assert_eq!(all.access_log_group.as_deref(), Some("/api/orders"));
    let seconds = |time: Option<std::time::Duration>| time.map(|time| time.as_secs_f64());
    assert_eq!(seconds(all.integration_timeout), Some(6.5));
    assert_eq!(seconds(all.function_timeout), Some(5.0));
    // What the user declares takes precedence.
    setup.target.aws.integration = Some(Integration::Http);
    setup.target.aws.function = Some("other".to_owned());
    setup.target.aws.integration_timeout = Some(std::time::Duration::from_secs(3));
    let all = completed(&setup.target, &setup.read());
    assert_eq!(all.integration, Some(Integration::Http));
    assert_eq!(all.function.as_deref(), Some("other"));
    assert_eq!(seconds(all.integration_timeout), Some(3.0));
    assert_eq!(
        completed(&setup.target, &Configuration::default()),
        setup.target.aws
    );
    let answer = json!({ "AccountLimit": { "UnreservedConcurrentExecutions": 5 } });
    assert_eq!(account_concurrency(&answer), None);
}

#[test]
fn the_qualifier_is_completed_for_the_function_of_the_integration() {
    let mut setup = Setup::http();
    setup.integrations[0]["integrationUri"] = json!(format!("{FUNCTION}:live"));
    for (function, expected) in [
        (None, Some("live")),
        (Some("orders"), Some("live")),
        (Some("other"), None),
    ] {
        setup.target.aws.function = function.map(str::to_owned);
        let all = completed(&setup.target, &setup.read());
        assert_eq!(all.qualifier.as_deref(), expected, "{function:?}");
    }
}
