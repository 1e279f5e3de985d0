//! Tests of the fact `config.held`.

use super::super::findings::{Held, held};
use super::*;
use crate::model::target::HeaderText;

#[test]
fn a_configuration_held_if_each_part_was_the_same() {
    let first = Setup::http();
    let mut revised = Setup::http();
    revised.policy = Lookup::Found(json!({ "Policy": "{}", "RevisionId": "p2" }));
    let mut limited = Setup::http();
    limited.concurrency = json!({ "ReservedConcurrentExecutions": 0 });
    let mut partial = first.read();
    partial.function = None;
    let target = &first.target;
    let now = first.read();
    for (before, expected) in [
        (Some(first.read()), Held::Yes),
        (Some(revised.read()), Held::No),
        (Some(limited.read()), Held::No),
        (Some(partial), Held::Unknown),
        (None, Held::Unknown),
    ] {
        let facts = findings(target, &now, before.as_ref());
        let (_, held) = facts
            .iter()
            .find(|(name, _)| *name == "config.held")
            .unwrap();
        assert_eq!(held.to_string(), expected.as_str());
    }
    assert!(findings(target, &Configuration::default(), None).is_empty());
}

/// Returns `config.held` if the configuration stayed the same, and whether `config.domain` is set.
fn unchanged(target: &Target, configuration: &Configuration) -> (String, bool) {
    let facts = findings(target, configuration, Some(configuration));
    let value = |wanted: &str| {
        let found = facts.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value.to_string())
    };
    let domain = value("config.domain");
    assert!(domain.as_ref().is_none_or(|value| value == "custom"));
    (value("config.held").unwrap(), domain.is_some())
}

#[test]
fn at_a_custom_domain_it_is_not_known_whether_the_configuration_held() {
    let api = |url: &str| {
        let mut setup = Setup::http();
        setup.target.url = url::Url::parse(url).unwrap();
        setup.target.aws.api_id = Some("a1b2c3".to_owned());
        setup.target.aws.stage = Some("$default".to_owned());
        setup.target.aws.route = Some("GET /orders".to_owned());
        (setup.target.clone(), setup.read())
    };
    let function = |url: &str| {
        let (mut target, configuration) = api(HTTP_URL);
        target.url = url::Url::parse(url).unwrap();
        target.aws.function = Some("orders".to_owned());
        let configuration = Configuration {
            function: configuration.function,
            ..Configuration::default()
        };
        (target, configuration)
    };
    let balancer = |url: &str| {
        let (mut target, _) = api(HTTP_URL);
        target.url = url::Url::parse(url).unwrap();
        let configuration = Configuration {
            targets: Some(TargetState::None),
            ..Configuration::default()
        };
        (target, configuration)
    };
    for ((target, configuration), is_custom) in [
        (api(HTTP_URL), false),
        (api("https://api.example.com/orders"), true),
        // Another API, whatever is declared.
        (
            api("https://b2.execute-api.eu-west-1.amazonaws.com/orders"),
            true,
        ),
        (api("https://127.0.0.1/orders"), true),
        (
            api("https://a1b2c3.execute-api.eusc-de-east-1.amazonaws.eu/orders"),
            false,
        ),
        (function("https://x.lambda-url.eu-west-1.on.aws/"), false),
        (
            function("https://x.lambda-url.eu-west-1.on.aws.example/"),
            true,
        ),
        (function("https://api.example.com/"), true),
        (
            balancer("https://shop-1.eu-west-1.elb.amazonaws.com/"),
            false,
        ),
        (balancer("https://shop.example.com/"), true),
    ] {
        let held = if is_custom { Held::Unknown } else { Held::Yes };
        let expected = (held.as_str().to_owned(), is_custom);
        assert_eq!(
            unchanged(&target, &configuration),
            expected,
            "{}",
            target.url
        );
    }
}

#[test]
fn a_host_header_selects_the_api_instead_of_the_url() {
    for (name, host, is_custom) in [
        ("Host", "api.example.com", true),
        ("host", "b2.execute-api.eu-west-1.amazonaws.com", true),
        (
            "Host",
            "A1B2C3.execute-api.eu-west-1.amazonaws.com:443",
            false,
        ),
        ("x-host", "api.example.com", false),
    ] {
        let mut setup = Setup::http();
        let text = HeaderText::Plain(host.to_owned());
        setup.target.request.headers = vec![(name.to_owned(), text)];
        let (_, found) = unchanged(&setup.target, &setup.read());
        assert_eq!(found, is_custom, "{name}: {host}");
    }
}

#[test]
fn a_change_at_a_custom_domain_is_a_change() {
    let mut setup = Setup::http();
    setup.target.url = url::Url::parse("https://api.example.com/orders").unwrap();
    setup.target.aws.route = Some("GET /orders".to_owned());
    let before = setup.read();
    setup.concurrency = json!({ "ReservedConcurrentExecutions": 0 });
    let facts = findings(&setup.target, &setup.read(), Some(&before));
    let held = facts.iter().find(|(name, _)| *name == "config.held");
    assert_eq!(held.unwrap().1.to_string(), Held::No.as_str());
}

#[test]
fn responses_that_were_read_once_are_not_a_change() {
    let setup = Setup::rest();
    let now = setup.read();
    let without_responses = |mut configuration: Configuration| {
        configuration.api.as_mut().unwrap().responses_customized = None;
        configuration
    };
    let mut other = Setup::rest();
    other.routes[0]["resourceMethods"]["GET"]["authorizationType"] = json!("AWS_IAM");
    for (before, expected) in [
        (setup.read(), Held::Yes),
        (without_responses(setup.read()), Held::Unknown),
        (without_responses(other.read()), Held::No),
    ] {
        assert_eq!(held(&before, &now), expected);
        assert_eq!(held(&now, &before), expected);
    }
}
