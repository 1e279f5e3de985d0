//! Tests of the generated file.

use std::collections::BTreeSet;

use super::*;
use crate::domain::discovery::account::FunctionUrl;

/// An account with an HTTP API at a custom domain, a REST API and a function URL.
fn shop() -> Account {
    let mut http = http_api(&["GET /orders", "GET /orders/{id}", "POST /orders"]);
    http.routes[2].authorization = Authorization::Iam;
    let mut rest = http_api(&["GET /status"]);
    rest.api_type = ApiType::Rest;
    rest.id = "z9y8x7".to_owned();
    rest.name = "say \"hi\"".to_owned();
    rest.stages = vec![Stage {
        execution_log: true,
        deployment: methods(&["GET /status"]),
        ..stage("prod")
    }];
    rest.routes[0].backend = Some(Backend {
        integration: Some(Integration::VpcLink),
        function_uri: None,
        timeout: Some(Duration::from_secs(45)),
    });
    let mut account = account(vec![rest, http]);
    account.role_arn = Some("arn:aws:iam::123456789012:role/reader".to_owned());
    account.domains = vec![domain("api.example.com", "shop")];
    account.function_urls = vec![FunctionUrl {
        url: "https://abcdef.lambda-url.eu-west-1.on.aws/".to_owned(),
        function: "orders".to_owned(),
        iam: true,
    }];
    account.not_read = vec!["elasticloadbalancing:DescribeRules: access denied".to_owned()];
    account
}

const SHOP: &str = r#"# Targets in eu-west-1, found by `probecause discover aws --region eu-west-1`.
# This file is generated: the next run replaces it, so do not edit it. Read it with
# `include` in the main file, and set common keys there, in [defaults].
#
# Not read, so targets may be missing:
# - elasticloadbalancing:DescribeRules: access denied

[[target]]
name = "api.example.com/shop/orders"
url = "https://api.example.com/shop/orders"
[target.request]
method = "GET"
[target.aws]
region = "eu-west-1"
role_arn = "arn:aws:iam::123456789012:role/reader"
api_id = "a1b2c3"
stage = "$default"
route = "GET /orders"
function = "orders"
qualifier = "live"
integration = "lambda"
integration_timeout = "30s"
function_timeout = "29s"
authorizer = "none"

[[target]]
name = "z9y8x7.execute-api.eu-west-1.amazonaws.com/prod/status"
url = "https://z9y8x7.execute-api.eu-west-1.amazonaws.com/prod/status"
timeout = "50s"
[target.request]
method = "GET"
[target.aws]
region = "eu-west-1"
role_arn = "arn:aws:iam::123456789012:role/reader"
api_id = "z9y8x7"
api_name = 'say "hi"'
stage = "prod"
route = "GET /status"
integration = "vpc-link"
integration_timeout = "45s"
authorizer = "none"
execution_log_group = "API-Gateway-Execution-Logs_z9y8x7/prod"

# Proposals. They are not probed, for the reasons above each table. To use
# one, copy it to another file and remove the comment characters.
"#;

/// One of the proposals of [`shop`].
const PROPOSAL: &str = r#"
# a POST request may change data
# the route requires IAM authorization; add `auth.sigv4`
# [[target]]
# name = "POST api.example.com/shop/orders"
# url = "https://api.example.com/shop/orders"
# [target.request]
# method = "POST"
# [target.aws]
# region = "eu-west-1"
# role_arn = "arn:aws:iam::123456789012:role/reader"
# api_id = "a1b2c3"
# stage = "$default"
# route = "POST /orders"
# function = "orders"
# qualifier = "live"
# integration = "lambda"
# integration_timeout = "30s"
# function_timeout = "29s"
# authorizer = "iam"
"#;

fn file(account: &Account) -> String {
    render(&discover(account))
}

#[test]
fn the_file_contains_all_keys_in_order() {
    let file = file(&shop());
    assert!(file.starts_with(SHOP), "{file}");
    assert!(file.contains(PROPOSAL), "{file}");
}

#[test]
fn the_file_is_toml_with_the_enabled_targets_only() {
    let table: toml::Table = file(&shop()).parse().unwrap();
    let targets = table["target"].as_array().unwrap();
    assert_eq!(targets.len(), 2);
    assert_eq!(targets[1]["aws"]["api_name"].as_str(), Some("say \"hi\""));
    assert_eq!(table.len(), 1);
}

#[test]
fn a_proposal_is_toml_after_the_comment_characters_are_removed() {
    let proposals = discover(&shop()).proposals;
    assert!(!proposals.is_empty());
    for proposal in &proposals {
        let discovery = Discovery {
            region: "eu-west-1".to_owned(),
            targets: vec![proposal.clone()],
            proposals: Vec::new(),
            notes: Vec::new(),
            not_read: Vec::new(),
        };
        let table: toml::Table = render(&discovery).parse().unwrap();
        let target = &table["target"][0];
        assert_eq!(target["url"].as_str(), Some(proposal.url.as_str()));
    }
}

#[test]
fn the_same_account_gives_the_same_file_in_any_order() {
    let expected = file(&shop());
    assert_eq!(file(&shop()), expected);
    let mut reordered = shop();
    reordered.apis.reverse();
    for api in &mut reordered.apis {
        api.routes.reverse();
        api.stages.reverse();
    }
    assert_eq!(file(&reordered), expected);
}

/// Returns the blocks of a file between empty lines.
fn blocks(file: &str) -> BTreeSet<&str> {
    file.split("\n\n").map(str::trim).collect()
}

#[test]
fn a_removed_and_an_added_route_change_only_their_own_tables() {
    let before = file(&shop());
    let mut changed = shop();
    let http = &mut changed.apis[1];
    http.routes.retain(|route| route.key != "GET /orders/{id}");
    http.routes.push(route("GET /carts"));
    let after = file(&changed);
    let (before, after) = (blocks(&before), blocks(&after));
    let names = |blocks: Vec<&&str>| {
        let names = blocks.into_iter().filter_map(|block| {
            let line = block.lines().find(|line| line.contains("name = "))?;
            Some(line.to_owned())
        });
        names.collect::<Vec<_>>()
    };
    let removed: Vec<&&str> = before.difference(&after).collect();
    let added: Vec<&&str> = after.difference(&before).collect();
    assert_eq!((removed.len(), added.len()), (2, 2));
    let host = "a1b2c3.execute-api.eu-west-1.amazonaws.com";
    let gone = [
        format!("# name = \"{host}/orders/{{id}}\""),
        "# name = \"api.example.com/shop/orders/{id}\"".to_owned(),
    ];
    let new = [
        format!("# name = \"{host}/carts\""),
        "name = \"api.example.com/shop/carts\"".to_owned(),
    ];
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(sorted(names(removed)), gone);
    assert_eq!(sorted(names(added)), new);
}

#[test]
fn targets_of_the_previous_file_that_were_not_found_are_kept() {
    let urls = |text: &str| -> Vec<String> {
        let table: toml::Table = text.parse().unwrap();
        let targets = table["target"].as_array().unwrap().iter();
        let urls = targets.map(|target| target["url"].as_str().unwrap().to_owned());
        urls.collect()
    };
    let before = file(&shop());
    let mut partial = shop();
    partial.apis.remove(0);
    let discovery = discover(&partial);
    let after = render(&discovery) + &kept(&before, &discovery);
    assert_ne!(urls(&render(&discovery)), urls(&before));
    assert_eq!(urls(&after), urls(&before), "{after}");
    assert_eq!(render(&discovery) + &kept(&after, &discovery), after);

    let mut protected = shop();
    protected.apis[1].routes[0].authorization = Authorization::Jwt;
    assert_eq!(kept(&before, &discover(&protected)), "");
    assert_eq!(kept("= broken", &discovery), "");
}

#[test]
fn text_from_the_account_cannot_leave_its_comment_or_value() {
    let mut account = shop();
    account.not_read = vec!["x\n[[target]]\nname = \"evil\"".to_owned()];
    account.apis[0].name = "a\nname = \"evil\"".to_owned();
    account.apis[1].routes[1].key = "GET /\"]\n[[target]]/{id}".to_owned();
    let file = file(&account);
    let table: toml::Table = file.parse().unwrap();
    assert_eq!(table["target"].as_array().unwrap().len(), 2, "{file}");
    assert!(table["target"][1]["aws"].get("api_name").is_none());
    assert!(!file.lines().any(|line| line.starts_with("name = \"evil")));
}
