//! Tests of the facts: each counter-case that AWS's behavior is known for is a row.

mod held;
mod narrowed;
mod parse;
mod permission;

use serde_json::{Value, json};

use super::findings::findings;
use super::function::{Concurrency, Function, FunctionSettings, Policy};
use super::http_api::{self, HttpApiAnswers};
use super::load_balancer::TargetState;
use super::rest_api::{self, RestApiAnswers};
use super::serving::{Serving, invocation, serving};
use super::vpc_link::{VpcLink, VpcLinkState};
use super::{Api, Backend, Configuration, Lookup};
use crate::model::target::Target;

const ACCOUNT: &str = "123456789012";
const HTTP_URL: &str = "https://a1b2c3.execute-api.eu-west-1.amazonaws.com/orders";
const REST_URL: &str = "https://r1.execute-api.eu-west-1.amazonaws.com/prod/orders";
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:orders";

/// The answers of AWS about one target; a test changes what matters to it.
struct Setup {
    target: Target,
    /// The response of `GetApi`; null for a REST API.
    api: Value,
    stage: Value,
    /// The items of GetRoutes or GetResources.
    routes: Value,
    /// The items of GetIntegrations.
    integrations: Value,
    /// The items of GetGatewayResponses.
    responses: Value,
    settings: Lookup<Value>,
    policy: Lookup<Value>,
    concurrency: Value,
    vpc_link: Option<VpcLink>,
}

/// Returns the response of `GetPolicy` with the statements.
fn policy(statements: &[Value]) -> Value {
    let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    json!({ "Policy": text, "RevisionId": "p1" })
}

/// Returns a statement that allows API Gateway to invoke the function from the source.
fn statement(effect: &str, source: &str) -> Value {
    json!({
        "Sid": "s", "Effect": effect, "Principal": { "Service": "apigateway.amazonaws.com" },
        "Action": "lambda:InvokeFunction", "Resource": FUNCTION,
        "Condition": { "ArnLike": {
            "AWS:SourceArn": format!("arn:aws:execute-api:eu-west-1:{ACCOUNT}:{source}")
        } }
    })
}

/// Returns the path of Lambda's API by which a REST API invokes a function.
fn rest_uri(function: &str) -> String {
    format!("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{function}/invocations")
}

impl Setup {
    /// An HTTP API with the route `GET /orders`, whose function may be invoked.
    fn http() -> Self {
        Self {
            target: Target::with_defaults("t", url::Url::parse(HTTP_URL).unwrap()),
            api: json!({ "apiId": "a1b2c3", "protocolType": "HTTP" }),
            stage: json!({ "stageName": "$default", "autoDeploy": true }),
            routes: json!([{
                "routeKey": "GET /orders", "target": "integrations/i1",
                "authorizationType": "NONE"
            }]),
            integrations: json!([{
                "integrationId": "i1", "integrationType": "AWS_PROXY",
                "integrationUri": FUNCTION, "timeoutInMillis": 6500
            }]),
            responses: json!([]),
            settings: Lookup::Found(json!({
                "FunctionName": "orders", "State": "Active", "Timeout": 5, "RevisionId": "r1"
            })),
            policy: Lookup::Found(policy(&[statement("Allow", "a1b2c3/*/GET/orders")])),
            concurrency: json!({}),
            vpc_link: None,
        }
    }

    /// A REST API with the method `GET /orders`, whose function may be invoked.
    fn rest() -> Self {
        Self {
            target: Target::with_defaults("t", url::Url::parse(REST_URL).unwrap()),
            api: Value::Null,
            stage: json!({ "stageName": "prod" }),
            routes: json!([{
                "id": "x", "path": "/orders",
                "resourceMethods": { "GET": {
                    "authorizationType": "NONE",
                    "methodIntegration": {
                        "type": "AWS_PROXY", "httpMethod": "POST", "timeoutInMillis": 29000,
                        "uri": rest_uri(FUNCTION)
                    }
                } }
            }]),
            policy: Lookup::Found(policy(&[statement("Allow", "r1/*/GET/orders")])),
            ..Self::http()
        }
    }

    fn parsed_api(&self) -> Api {
        let page = |items: &Value| [json!({ "items": items })];
        if self.api.is_null() {
            rest_api::parse(&RestApiAnswers {
                id: "r1",
                stage: &self.stage,
                resources: &page(&self.routes),
                responses: Some(&page(&self.responses)),
            })
            .unwrap()
        } else {
            http_api::parse(&HttpApiAnswers {
                api: &self.api,
                stage: &self.stage,
                routes: &page(&self.routes),
                integrations: &page(&self.integrations),
            })
            .unwrap()
        }
    }

    /// Parses the answers in the order in which they are read.
    fn read(&self) -> Configuration {
        let api = self.parsed_api();
        let mut configuration = Configuration {
            account: Some(ACCOUNT.to_owned()),
            api: Some(api.clone()),
            vpc_link: self.vpc_link.clone(),
            ..Configuration::default()
        };
        let Serving::Route(route) = serving(&self.target, &api) else {
            return configuration;
        };
        if let Some(Backend::Lambda {
            function: Some(reference),
            ..
        }) = &route.backend
        {
            let invocation = invocation(&self.target, &configuration, route, reference);
            configuration.function = Some(Function {
                reference: reference.clone(),
                settings: Some(match &self.settings {
                    Lookup::Found(answer) => {
                        Lookup::Found(FunctionSettings::parse(answer).unwrap())
                    }
                    Lookup::Missing => Lookup::Missing,
                }),
                policy: Some(match &self.policy {
                    Lookup::Found(answer) => {
                        Lookup::Found(Policy::parse(answer, invocation.as_ref()).unwrap())
                    }
                    Lookup::Missing => Lookup::Missing,
                }),
                concurrency: Concurrency::parse(&self.concurrency),
            });
        }
        configuration
    }

    /// Returns the value of a fact as text; `None` if the fact is not known.
    fn fact(&self, name: &str) -> Option<String> {
        fact_of(&self.target, &self.read(), name)
    }
}

fn fact_of(target: &Target, configuration: &Configuration, name: &str) -> Option<String> {
    let facts = findings(target, configuration, None);
    let found = facts.into_iter().find(|(fact, _)| *fact == name);
    found.map(|(_, value)| value.to_string())
}

/// Checks one fact after a change of the setup.
fn check(mut setup: Setup, change: impl FnOnce(&mut Setup), fact: &str, expected: Option<&str>) {
    change(&mut setup);
    assert_eq!(setup.fact(fact).as_deref(), expected, "{fact}");
}

#[test]
fn the_configuration_of_a_healthy_target_is_known() {
    for (setup, timeout) in [(Setup::http(), "6.5"), (Setup::rest(), "29")] {
        for (fact, expected) in [
            ("config.route", Some("found")),
            ("config.integration", Some("lambda")),
            ("config.integration_timeout", Some(timeout)),
            ("config.authorizer", Some("none")),
            ("config.permission", Some("allowed")),
            ("config.function_state", Some("active")),
            ("config.function_timeout", Some("5")),
            ("config.reserved_concurrency", None),
            ("config.api_throttle", None),
            ("config.endpoint", None),
            ("config.held", Some("unknown")),
        ] {
            assert_eq!(setup.fact(fact).as_deref(), expected, "{fact}");
        }
    }
    // The routes of a REST API are a draft.
    assert_eq!(
        Setup::http().fact("config.deployed").as_deref(),
        Some("yes")
    );
    assert_eq!(
        Setup::rest().fact("config.deployed").as_deref(),
        Some("unclear")
    );
}

#[test]
fn the_stage_of_an_http_api_may_not_run_the_routes() {
    let fact = "config.deployed";
    check(
        Setup::http(),
        |it| it.stage["autoDeploy"] = json!(false),
        fact,
        Some("unclear"),
    );
    for (message, expected) in [
        ("Successfully deployed stage with deployment ID 'x'", "yes"),
        ("Deployment attempt failed: Unable to deploy API", "unclear"),
    ] {
        let change = |it: &mut Setup| it.stage["lastDeploymentStatusMessage"] = json!(message);
        check(Setup::http(), change, fact, Some(expected));
    }
}

#[test]
fn the_state_is_of_the_version_that_the_integration_invokes() {
    let fact = "config.function_state";
    let state = |name: &'static str| {
        move |it: &mut Setup| {
            it.settings = Lookup::Found(json!({ "FunctionName": "orders", "State": name }));
        }
    };
    check(Setup::http(), state("Inactive"), fact, Some("inactive"));
    check(Setup::http(), state("Failed"), fact, Some("failed"));
    check(Setup::http(), state("Deleting"), fact, None);
    let missing = |it: &mut Setup| it.settings = Lookup::Missing;
    check(Setup::rest(), missing, fact, Some("missing"));
    // The states of SnapStart are per version: that of another version says nothing.
    let mut setup = Setup::http();
    let configuration = setup.read();
    setup.integrations[0]["integrationUri"] = json!(format!("{FUNCTION}:live"));
    let other = Configuration {
        function: configuration.function,
        ..setup.read()
    };
    assert_eq!(fact_of(&setup.target, &other, fact), None);
}

#[test]
fn the_declared_function_counts_only_if_the_route_is_not_known() {
    let mut setup = Setup::http();
    let function = setup.read().function;
    let only_function = Configuration {
        function,
        ..Configuration::default()
    };
    let fact = "config.function_state";
    assert_eq!(fact_of(&setup.target, &only_function, fact), None);
    setup.target.aws.function = Some("orders".to_owned());
    let found = fact_of(&setup.target, &only_function, fact);
    assert_eq!(found.as_deref(), Some("active"));
    assert_eq!(
        fact_of(&setup.target, &only_function, "config.permission"),
        None
    );
    // The account and the Region of a declared function are not known.
    let mut missing = only_function.clone();
    let function = missing.function.as_mut().unwrap();
    function.settings = Some(Lookup::Missing);
    let found = fact_of(&setup.target, &missing, fact);
    assert_eq!(found.as_deref(), Some("missing"));
    missing.function.as_mut().unwrap().reference.place = None;
    assert_eq!(fact_of(&setup.target, &missing, fact), None);
    setup.target.aws.qualifier = Some("live".to_owned());
    assert_eq!(fact_of(&setup.target, &only_function, fact), None);
}

#[test]
fn reserved_concurrency_zero_differs_from_none() {
    let fact = "config.reserved_concurrency";
    for (answer, expected) in [
        (json!({ "ReservedConcurrentExecutions": 0 }), Some("0")),
        (json!({ "ReservedConcurrentExecutions": 100 }), Some("100")),
        (json!({}), None),
    ] {
        check(Setup::http(), |it| it.concurrency = answer, fact, expected);
    }
}

#[test]
fn a_request_without_a_route_has_no_function() {
    let other = |it: &mut Setup| it.routes[0]["routeKey"] = json!("GET /other");
    check(Setup::http(), other, "config.route", Some("none"));
    check(Setup::http(), other, "config.function_state", None);
    let other = |it: &mut Setup| it.routes[0]["path"] = json!("/other");
    check(Setup::rest(), other, "config.route", Some("none"));
    let custom = |it: &mut Setup| {
        it.target.url = url::Url::parse("https://api.example.org/orders").unwrap();
    };
    check(Setup::http(), custom, "config.route", None);
    check(
        Setup::http(),
        |it| {
            custom(it);
            it.target.aws.route = Some("GET /orders".to_owned());
        },
        "config.route",
        Some("found"),
    );
    // Another stage of the same API.
    let stage = |it: &mut Setup| it.stage["stageName"] = json!("test");
    check(Setup::rest(), stage, "config.route", None);
    // The API itself answers a preflight request.
    check(
        Setup::http(),
        |it| {
            it.target.request.method = "OPTIONS".to_owned();
            it.api["corsConfiguration"] = json!({ "allowMethods": ["GET"] });
        },
        "config.route",
        None,
    );
}

#[test]
fn a_disabled_endpoint_matters_only_to_the_default_host() {
    let disable = |it: &mut Setup| it.api["disableExecuteApiEndpoint"] = json!(true);
    check(Setup::http(), disable, "config.endpoint", Some("disabled"));
    check(
        Setup::http(),
        |it| {
            disable(it);
            it.target.url = url::Url::parse("https://api.example.org/orders").unwrap();
        },
        "config.endpoint",
        None,
    );
}

#[test]
fn the_states_of_vpc_links_and_targets_are_facts() {
    let private = |state, id: &str| {
        let id = id.to_owned();
        move |it: &mut Setup| {
            it.integrations[0] = json!({
                "integrationId": "i1", "integrationType": "HTTP_PROXY",
                "connectionType": "VPC_LINK", "connectionId": "v1", "integrationUri": "arn"
            });
            it.vpc_link = Some(VpcLink { id, state });
        }
    };
    let fact = "config.vpc_link";
    check(
        Setup::http(),
        private(VpcLinkState::Failed, "v1"),
        fact,
        Some("failed"),
    );
    check(
        Setup::http(),
        private(VpcLinkState::Available, "v1"),
        fact,
        Some("available"),
    );
    check(
        Setup::http(),
        private(VpcLinkState::Failed, "v2"),
        fact,
        None,
    );
    let kind = private(VpcLinkState::Failed, "v1");
    check(Setup::http(), kind, "config.integration", Some("vpc-link"));
    let configuration = Configuration {
        targets: Some(TargetState::None),
        account_concurrency: Some(10),
        ..Configuration::default()
    };
    let of = |name: &str| fact_of(&Setup::http().target, &configuration, name);
    assert_eq!(of("config.targets").as_deref(), Some("none"));
    assert_eq!(of("config.account_concurrency").as_deref(), Some("10"));
    assert_eq!(of("config.held").as_deref(), Some("unknown"));
}
