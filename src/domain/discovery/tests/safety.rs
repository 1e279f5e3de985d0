//! Tests of URLs that do not lead to the route, of deployments, of functions elsewhere, and of
//! stable names.

use super::*;

const SHADOWED: &str = "another mapping or stage, with a longer path, receives the request";

#[test]
fn a_longer_mapping_of_the_domain_receives_the_requests_below_it() {
    let mut other = http_api(&["GET /orders"]);
    other.id = "b2".to_owned();
    other.endpoint_disabled = true;
    let mut own = http_api(&["GET /v1/orders", "GET /v1", "GET /v10"]);
    own.endpoint_disabled = true;
    let mut account = account(vec![own, other]);
    let mut domain = domain("api.example.com", "");
    domain.mappings.push(Mapping {
        api_id: "b2".to_owned(),
        stage: "$default".to_owned(),
        path: "v1".to_owned(),
    });
    account.domains = vec![domain];
    let discovery = discover(&account);
    let targets = discovery.targets.iter();
    let targets: Vec<_> = targets
        .map(|it| (it.url.as_str(), it.aws.api_id.as_deref()))
        .collect();
    let expected = [
        ("https://api.example.com/v1/orders", Some("b2")),
        ("https://api.example.com/v10", Some("a1b2c3")),
    ];
    assert_eq!(targets, expected);
    let proposals = discovery.proposals.iter();
    let proposals: Vec<_> = proposals.map(|it| (it.url.as_str(), &it.reasons)).collect();
    let reasons = vec![SHADOWED.to_owned()];
    let expected = [
        ("https://api.example.com/v1", &reasons),
        ("https://api.example.com/v1/orders", &reasons),
    ];
    assert_eq!(proposals, expected);
}

#[test]
fn a_mapping_without_a_stage_receives_the_requests_below_it() {
    let mut api = http_api(&["GET /v1/orders", "GET /v10"]);
    api.endpoint_disabled = true;
    let mut account = account(vec![api]);
    let mut domain = domain("api.example.com", "");
    domain.mappings.push(Mapping {
        api_id: "r1".to_owned(),
        stage: String::new(),
        path: "v1".to_owned(),
    });
    account.domains = vec![domain];
    let url = |path: &str| format!("https://api.example.com{path}");
    let expected = [
        (url("/v10"), vec![]),
        (url("/v1/orders"), vec![SHADOWED.to_owned()]),
    ];
    assert_eq!(found(&account), expected);
}

#[test]
fn another_stage_receives_the_requests_below_its_name() {
    let mut api = http_api(&["GET /v1/orders", "GET /v10"]);
    api.stages.push(stage("v1"));
    let url = |path: &str| format!("{HOST}{path}");
    let mut found = found(&account(vec![api]));
    found.sort();
    let expected = [
        (url("/v1/orders"), vec![SHADOWED.to_owned()]),
        (url("/v1/v1/orders"), vec![]),
        (url("/v1/v10"), vec![]),
        (url("/v10"), vec![]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_parts_of_a_word_in_camel_case_suggest_side_effects() {
    for (path, word) in [
        ("/orders/APIRestart", Some("restart")),
        ("/userDelete", Some("delete")),
        ("/deleteUser", Some("delete")),
        ("/SuBSCRIBE", Some("subscribe")),
        ("/reJect", Some("reject")),
        ("/v2Updates", Some("updates")),
        ("/presets", None),
        ("/orderStatus", None),
    ] {
        let key = format!("GET {path}");
        let found = found(&account(vec![http_api(&[key.as_str()])]));
        let reason = word.map(|word| format!("`{word}` in the path suggests a side effect"));
        let reasons: Vec<String> = reason.into_iter().collect();
        assert_eq!(found[0].1, reasons, "{path}");
    }
}

#[test]
fn a_path_that_clients_change_is_only_proposed() {
    for key in [
        "GET /a/../b",
        "GET /./b",
        "GET /a?b",
        "GET /a#b",
        "GET /a\\b",
    ] {
        let found = found(&account(vec![http_api(&[key])]));
        let reason = "clients change the path before they send it".to_owned();
        assert_eq!(found[0].1, [reason], "{key}");
    }
    let found = found(&account(vec![http_api(&["GET /v1.0/.well-known"])]));
    assert_eq!(found[0].1, Vec::<String>::new());
}

#[test]
fn a_route_that_the_stage_does_not_serve_is_only_proposed() {
    let with = |public, api_key_required| {
        let method = DeployedMethod {
            public,
            api_key_required,
        };
        Deployment::Methods(BTreeMap::from([("GET /orders".to_owned(), method)]))
    };
    for (deployment, reason) in [
        (Deployment::Present, None),
        (methods(&["GET /", "GET /orders"]), None),
        (
            Deployment::Missing,
            Some("stage $default has no deployment"),
        ),
        (
            Deployment::Unknown,
            Some("whether the route is deployed could not be verified for stage $default"),
        ),
        (
            methods(&["ANY /orders", "POST /orders", "GET /orders/{id}"]),
            Some("the route is not deployed in stage $default"),
        ),
        (
            with(false, false),
            Some("the route deployed in stage $default requires authorization"),
        ),
        (
            with(true, true),
            Some("the route deployed in stage $default requires an API key"),
        ),
    ] {
        let mut api = http_api(&["GET /orders"]);
        api.stages[0].deployment = deployment;
        let mut account = account(vec![api]);
        account.domains = vec![domain("api.example.com", "")];
        let found = discover(&account);
        assert_eq!(found.targets.len(), usize::from(reason.is_none()));
        if let Some(reason) = reason {
            assert_eq!(found.proposals.len(), 2, "{reason}");
            assert!(found.proposals.iter().all(|it| it.reasons == [reason]));
        }
    }
}

#[test]
fn a_requirement_of_the_draft_and_of_the_deployment_is_one_reason() {
    let mut api = http_api(&["GET /orders"]);
    api.routes[0].authorization = Authorization::Iam;
    let method = DeployedMethod {
        public: false,
        api_key_required: false,
    };
    let methods = BTreeMap::from([("GET /orders".to_owned(), method)]);
    api.stages[0].deployment = Deployment::Methods(methods);
    let reason = "the route requires IAM authorization; add `auth.sigv4`".to_owned();
    assert_eq!(found(&account(vec![api]))[0].1, [reason]);
}

#[test]
fn a_function_of_another_account_or_region_is_not_declared() {
    for (id, arn, expected) in [
        (
            Some("123456789012"),
            "eu-west-1:123456789012",
            Some("orders"),
        ),
        (None, "eu-west-1:210987654321", Some("orders")),
        (Some("123456789012"), "eu-west-1:210987654321", None),
        (None, "us-east-1:123456789012", None),
    ] {
        let mut api = http_api(&["GET /orders"]);
        let backend = api.routes[0].backend.as_mut().unwrap();
        backend.function_uri = Some(format!("arn:aws:lambda:{arn}:function:orders:live"));
        let mut account = account(vec![api]);
        account.id = id.map(str::to_owned);
        let found = discover(&account);
        let aws = &found.targets[0].aws;
        assert_eq!(aws.function.as_deref(), expected, "{arn}");
        assert_eq!(aws.function_timeout.is_some(), expected.is_some(), "{arn}");
        assert_eq!(found.notes.is_empty(), expected.is_some(), "{arn}");
    }
}

#[test]
fn the_host_depends_on_the_partition() {
    for (region, suffix) in [
        ("us-gov-west-1", "amazonaws.com"),
        ("cn-north-1", "amazonaws.com.cn"),
        ("eusc-de-east-1", "amazonaws.eu"),
    ] {
        let mut account = account(vec![http_api(&["GET /orders"])]);
        account.region = region.to_owned();
        let expected = format!("https://a1b2c3.execute-api.{region}.{suffix}/orders");
        assert_eq!(found(&account)[0].0, expected);
    }
}

#[test]
fn a_new_route_does_not_rename_another_target() {
    let long = |end: &str| format!("GET /{}/{end}", "x".repeat(200));
    let pairs = [
        ("GET /orders/".to_owned(), "GET /orders".to_owned()),
        (long("b"), long("a")),
    ];
    for (key, added) in pairs {
        let name = |keys: &[&str]| {
            let found = discover(&account(vec![http_api(keys)]));
            let mut targets = found.targets.into_iter();
            let target = targets.find(|it| it.aws.route.as_deref() == Some(key.as_str()));
            target.unwrap().name
        };
        let (key, added) = (key.as_str(), added.as_str());
        assert_eq!(name(&[key, added]), name(&[key]), "{key}");
    }
}
