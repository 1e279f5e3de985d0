//! Tests of which targets are found, how they are named, and how the file changes with the account.

mod edge;
mod file;
mod safety;

use std::collections::BTreeMap;
use std::time::Duration;

use super::account::{
    AccessLog, Api, ApiType, Authorization, Backend, DeployedMethod, Deployment, Domain, Mapping,
    Route, Stage,
};
use super::*;
use crate::model::target::{Authorizer, AwsDeclarations, Integration};

const LAMBDA: &str = "arn:aws:lambda:eu-west-1:123456789012:function:";

fn lambda(function: &str) -> Option<Backend> {
    Some(Backend {
        integration: Some(Integration::Lambda),
        function_uri: Some(format!("{LAMBDA}{function}")),
        timeout: Some(Duration::from_secs(30)),
    })
}

fn route(key: &str) -> Route {
    Route {
        key: key.to_owned(),
        authorization: Authorization::None,
        api_key_required: false,
        required_parameters: Vec::new(),
        backend: lambda("orders:live"),
    }
}

fn stage(name: &str) -> Stage {
    Stage {
        name: name.to_owned(),
        deployment: Deployment::Present,
        ..Stage::default()
    }
}

/// Returns a deployment of a REST API with these public methods.
fn methods(keys: &[&str]) -> Deployment {
    let public = DeployedMethod {
        public: true,
        api_key_required: false,
    };
    Deployment::Methods(keys.iter().map(|key| ((*key).to_owned(), public)).collect())
}

fn http_api(routes: &[&str]) -> Api {
    Api {
        api_type: ApiType::Http,
        id: "a1b2c3".to_owned(),
        name: "shop".to_owned(),
        endpoint_disabled: false,
        private: false,
        resource_policy: false,
        stages: vec![stage("$default")],
        routes: routes.iter().map(|key| route(key)).collect(),
    }
}

fn account(apis: Vec<Api>) -> Account {
    Account {
        region: "eu-west-1".to_owned(),
        apis,
        function_timeouts: BTreeMap::from([("orders".to_owned(), Duration::from_secs(29))]),
        ..Account::default()
    }
}

fn domain(name: &str, path: &str) -> Domain {
    Domain {
        name: name.to_owned(),
        available: true,
        mutual_tls: false,
        private: false,
        routing_rules: false,
        mappings: vec![Mapping {
            api_id: "a1b2c3".to_owned(),
            stage: "$default".to_owned(),
            path: path.to_owned(),
        }],
    }
}

/// Returns all candidates as (URL, reasons), the enabled ones first.
fn found(account: &Account) -> Vec<(String, Vec<String>)> {
    let Discovery {
        targets, proposals, ..
    } = discover(account);
    let all = targets.into_iter().chain(proposals);
    all.map(|one| (one.url, one.reasons)).collect()
}

const HOST: &str = "https://a1b2c3.execute-api.eu-west-1.amazonaws.com";

#[test]
fn only_literal_get_routes_without_authorization_are_enabled() {
    for (key, path, reasons) in [
        ("GET /orders", "/orders", &[][..]),
        ("GET /presets", "/presets", &[]),
        ("GET /", "/", &[]),
        (
            "$default",
            "/",
            &["the route receives the requests that match no other route"],
        ),
        (
            "ANY /orders",
            "/orders",
            &["the route accepts every method"],
        ),
        (
            "POST /orders",
            "/orders",
            &["a POST request may change data"],
        ),
        (
            "HEAD /orders",
            "/orders",
            &["only GET routes are probed without a review"],
        ),
        (
            "GET /orders/{id}",
            "/orders/{id}",
            &["the path has parameters; write their values"],
        ),
        (
            "ANY /{proxy+}",
            "/{proxy+}",
            &[
                "the route accepts every method",
                "the path has parameters; write their values",
            ],
        ),
        (
            "GET /news/Unsubscribe",
            "/news/Unsubscribe",
            &["`unsubscribe` in the path suggests a side effect"],
        ),
    ] {
        let found = found(&account(vec![http_api(&[key])]));
        let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
        assert_eq!(found, [(format!("{HOST}{path}"), reasons)], "{key}");
    }
    assert!(found(&account(vec![http_api(&["OPTIONS /orders"])])).is_empty());
}

#[test]
fn authorization_api_keys_and_missing_integrations_are_reasons() {
    type Change = fn(&mut Route);
    let changes: [(Change, &str); 9] = [
        (
            |it| it.authorization = Authorization::Lambda,
            "the route requires a Lambda authorizer",
        ),
        (
            |it| it.authorization = Authorization::Jwt,
            "the route requires a JWT",
        ),
        (
            |it| it.authorization = Authorization::Iam,
            "the route requires IAM authorization; add `auth.sigv4`",
        ),
        (
            |it| it.authorization = Authorization::Cognito,
            "the route requires a token of a Cognito user pool",
        ),
        (
            |it| it.authorization = Authorization::Other,
            "the route requires authorization",
        ),
        (
            |it| it.api_key_required = true,
            "the route requires an API key; add the header `x-api-key`",
        ),
        (|it| it.backend = None, "the route has no integration"),
        (
            |it| it.backend = Some(Backend::default()),
            "the integration is a mock or calls an AWS service directly",
        ),
        (
            |it| it.required_parameters = vec!["page".to_owned()],
            "the route requires the query parameter or header `page`; add it to the target",
        ),
    ];
    for (change, reason) in changes {
        let mut api = http_api(&["GET /orders"]);
        change(&mut api.routes[0]);
        let found = found(&account(vec![api]));
        assert_eq!(found[0].1, [reason.to_owned()]);
    }
}

#[test]
fn the_url_contains_the_stage_and_the_mapping() {
    let mut api = http_api(&["GET /orders"]);
    api.stages = vec![stage("$default"), stage("test")];
    let urls = |account: &Account| {
        let found = found(account);
        found.into_iter().map(|(url, _)| url).collect::<Vec<_>>()
    };
    let own = [format!("{HOST}/orders"), format!("{HOST}/test/orders")];
    assert_eq!(urls(&account(vec![api.clone()])), own);

    let mut china = account(vec![http_api(&["GET /orders"])]);
    china.region = "cn-north-1".to_owned();
    let host = "https://a1b2c3.execute-api.cn-north-1.amazonaws.com.cn";
    assert_eq!(urls(&china), [format!("{host}/orders")]);

    api.endpoint_disabled = true;
    for (path, expected) in [
        ("", "https://api.example.com/orders"),
        ("shop/v2", "https://api.example.com/shop/v2/orders"),
    ] {
        let mut account = account(vec![api.clone()]);
        account.domains = vec![domain("api.example.com", path)];
        assert_eq!(urls(&account), [expected.to_owned()]);
    }
}

#[test]
fn a_route_is_probed_at_its_domain_and_only_proposed_at_the_own_endpoint() {
    let mut account = account(vec![http_api(&["GET /orders"])]);
    account.domains = vec![domain("b.example.com", ""), domain("a.example.com", "")];
    let reason = "the same route is probed at https://a.example.com/orders";
    let expected = [
        ("https://a.example.com/orders".to_owned(), vec![]),
        ("https://b.example.com/orders".to_owned(), vec![]),
        (format!("{HOST}/orders"), vec![reason.to_owned()]),
    ];
    assert_eq!(found(&account), expected);
}

#[test]
fn a_domain_that_a_probe_cannot_use_leaves_the_own_endpoint_enabled() {
    type Change = fn(&mut Domain);
    let changes: [(Change, &str); 5] = [
        (
            |it| it.mutual_tls = true,
            "the domain requires a client certificate; add it to [target.tls]",
        ),
        (|it| it.available = false, "the domain is not available"),
        (
            |it| it.private = true,
            "the endpoint is reachable only from a VPC",
        ),
        (
            |it| it.routing_rules = true,
            "routing rules of the domain may select another API",
        ),
        (
            |it| it.name = "*.example.com".to_owned(),
            "the domain is a wildcard; write a host name",
        ),
    ];
    for (change, reason) in changes {
        let mut domain = domain("api.example.com", "");
        change(&mut domain);
        let mut account = account(vec![http_api(&["GET /orders"])]);
        account.domains = vec![domain];
        let found = found(&account);
        assert_eq!(found[0], (format!("{HOST}/orders"), vec![]), "{reason}");
        assert_eq!(found[1].1[0], reason);
    }
}

#[test]
fn an_api_with_a_resource_policy_is_only_proposed() {
    let mut api = http_api(&["GET /orders"]);
    api.resource_policy = true;
    let mut account = account(vec![api]);
    account.domains = vec![domain("api.example.com", "")];
    let reason = "the API has a resource policy, which may deny the request".to_owned();
    let expected = [
        (format!("{HOST}/orders"), vec![reason.clone()]),
        ("https://api.example.com/orders".to_owned(), vec![reason]),
    ];
    assert_eq!(found(&account), expected);
}

#[test]
fn everything_that_was_read_is_declared() {
    let mut api = http_api(&["GET /orders"]);
    let uri = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/\
               arn:aws:lambda:eu-west-1:123456789012:function:orders:${stageVariables.alias}\
               /invocations";
    api.routes[0].backend = Some(Backend {
        integration: Some(Integration::Lambda),
        function_uri: Some(uri.to_owned()),
        timeout: Some(Duration::from_millis(29_000)),
    });
    api.stages = vec![Stage {
        name: "prod".to_owned(),
        variables: BTreeMap::from([("alias".to_owned(), "live".to_owned())]),
        access_log: Some(AccessLog {
            destination: "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/shop:*".to_owned(),
            json: true,
        }),
        execution_log: true,
        deployment: methods(&["GET /orders"]),
    }];
    let text = |text: &str| Some(text.to_owned());
    let mut expected = AwsDeclarations {
        region: text("eu-west-1"),
        role_arn: text("arn:aws:iam::123456789012:role/reader"),
        external_id: text("probecause"),
        api_id: text("a1b2c3"),
        stage: text("prod"),
        route: text("GET /orders"),
        function: text("orders"),
        qualifier: text("live"),
        integration: Some(Integration::Lambda),
        integration_timeout: Some(Duration::from_secs(29)),
        function_timeout: Some(Duration::from_secs(29)),
        authorizer: Some(Authorizer::None),
        access_log_group: text("/aws/shop"),
        ..AwsDeclarations::default()
    };
    let mut account = account(vec![api]);
    account.role_arn = expected.role_arn.clone();
    account.external_id = expected.external_id.clone();
    assert_eq!(discover(&account).targets[0].aws, expected);

    account.apis[0].api_type = ApiType::Rest;
    expected.api_name = text("shop");
    expected.execution_log_group = text("API-Gateway-Execution-Logs_a1b2c3/prod");
    assert_eq!(discover(&account).targets[0].aws, expected);

    // A variable that was not read, and a log without JSON, are not declared.
    account.apis[0].stages[0].variables.clear();
    account.apis[0].stages[0].access_log = Some(AccessLog {
        destination: "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/shop".to_owned(),
        json: false,
    });
    let found = discover(&account);
    let aws = &found.targets[0].aws;
    assert_eq!((&aws.function, &aws.access_log_group), (&None, &None));
    let note = "the access log of API shop (a1b2c3), stage prod, is not in JSON, so it cannot be \
                used as evidence";
    assert_eq!(found.notes, [note]);
}

#[test]
fn apis_that_cannot_be_reached_are_noted() {
    let mut disabled = http_api(&["GET /orders"]);
    disabled.endpoint_disabled = true;
    let mut socket = http_api(&["$connect"]);
    socket.api_type = ApiType::WebSocket;
    socket.id = "w1".to_owned();
    let found = discover(&account(vec![socket, disabled]));
    assert_eq!((found.targets.len(), found.proposals.len()), (0, 0));
    let notes = [
        "API shop (a1b2c3) is not reachable: its endpoint is disabled, and no domain is mapped \
         to it",
        "API shop (w1) is a WebSocket API, which is not probed",
    ];
    assert_eq!(found.notes, notes);
}
