//! Tests of function URLs, load balancers, CloudFront distributions and names.

use super::*;
use crate::domain::discovery::account::{
    Distribution, FunctionUrl, Listener, ListenerRule, LoadBalancer,
};

#[track_caller]
fn check(account: &Account, expected: &[(&str, &[&str])]) {
    let Discovery {
        targets, proposals, ..
    } = discover(account);
    assert!(targets.is_empty(), "{targets:?}");
    let found: Vec<(&str, Vec<&str>)> = proposals
        .iter()
        .map(|one| {
            let reasons = one.reasons.iter().map(String::as_str);
            (one.url.as_str(), reasons.collect())
        })
        .collect();
    let expected: Vec<(&str, Vec<&str>)> = expected
        .iter()
        .map(|(url, reasons)| (*url, reasons.to_vec()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn function_urls_are_proposed_with_their_function() {
    let url = "https://abcdef.lambda-url.eu-west-1.on.aws/";
    let mut account = account(Vec::new());
    account.function_urls = vec![FunctionUrl {
        url: url.to_owned(),
        function: format!("{LAMBDA}orders:live"),
        iam: false,
    }];
    let all = "a function URL passes every request to the function";
    check(&account, &[(url, &[all])]);
    let aws = &discover(&account).proposals[0].aws;
    assert_eq!(aws.function.as_deref(), Some("orders"));
    assert_eq!(aws.qualifier.as_deref(), Some("live"));
    assert_eq!(aws.function_timeout, Some(Duration::from_secs(29)));
    assert_eq!(aws.authorizer, Some(Authorizer::None));
    account.function_urls[0].iam = true;
    let iam = "the URL requires IAM authorization; add `auth.sigv4`";
    check(&account, &[(url, &[all, iam])]);
}

#[test]
fn the_rules_of_a_load_balancer_are_proposed_at_their_hosts_and_paths() {
    let rule = |hosts: &[&str], paths: &[&str]| ListenerRule {
        hosts: hosts.iter().map(ToString::to_string).collect(),
        paths: paths.iter().map(ToString::to_string).collect(),
        function: None,
    };
    let dns_name = "shop-1.eu-west-1.elb.amazonaws.com";
    let listener = |https, port, rules| Listener { https, port, rules };
    let mut account = account(Vec::new());
    account.load_balancers = vec![LoadBalancer {
        dns_name: dns_name.to_owned(),
        internal: false,
        listeners: vec![
            listener(true, 443, vec![rule(&["a.example.com"], &["/x", "/y/*"])]),
            listener(true, 8443, vec![rule(&[], &[])]),
            listener(false, 80, vec![rule(&[], &["/z"])]),
        ],
    }];
    let every = "the rule does not show whether a GET request changes data";
    let pattern = "the host or path is a pattern; replace it with a literal value";
    let certificate = "the certificate is for another host name; replace the host with the host \
                       name of the service";
    let plain = format!("http://{dns_name}/z");
    let other_port = format!("https://{dns_name}:8443/");
    check(
        &account,
        &[
            ("https://a.example.com/x", &[every]),
            ("https://a.example.com/y/*", &[every, pattern]),
            (&plain, &[every]),
            (&other_port, &[every, certificate]),
        ],
    );
    account.load_balancers[0].internal = true;
    let proposals = discover(&account).proposals;
    let private = "the endpoint is reachable only from a VPC".to_owned();
    assert!(proposals.iter().all(|it| it.reasons.contains(&private)));
}

#[test]
fn enabled_distributions_are_proposed_at_their_aliases() {
    let distribution = |domain_name: &str, aliases: &[&str], enabled| Distribution {
        domain_name: domain_name.to_owned(),
        aliases: aliases.iter().map(ToString::to_string).collect(),
        enabled,
    };
    let mut account = account(Vec::new());
    account.distributions = vec![
        distribution("d2.cloudfront.net", &[], true),
        distribution(
            "d1.cloudfront.net",
            &["www.example.com", "*.shop.example"],
            true,
        ),
        distribution("d3.cloudfront.net", &["off.example.com"], false),
    ];
    let unknown = "the paths of a distribution are not known";
    let wildcard = "the alias is a wildcard; write a host name";
    check(
        &account,
        &[
            ("https://*.shop.example/", &[unknown, wildcard]),
            ("https://d2.cloudfront.net/", &[unknown]),
            ("https://www.example.com/", &[unknown]),
        ],
    );
}

#[test]
fn names_are_unique_and_do_not_depend_on_the_order_of_reading() {
    let mut first = account(vec![http_api(&[
        "GET /orders",
        "ANY /orders",
        "PUT /orders",
    ])]);
    let mut second = first.clone();
    second.apis[0].routes.reverse();
    first.apis[0].routes.rotate_left(1);
    let names = |account: &Account| {
        let found = discover(account);
        let all = found.targets.into_iter().chain(found.proposals);
        all.map(|one| one.name).collect::<Vec<_>>()
    };
    let host = "a1b2c3.execute-api.eu-west-1.amazonaws.com";
    let expected = [
        format!("{host}/orders"),
        format!("PUT {host}/orders"),
        format!("{host}/orders (2)"),
    ];
    assert_eq!(names(&first), expected);
    assert_eq!(names(&second), expected);
}

#[test]
fn a_long_name_is_shortened_and_stays_unique() {
    let long = |end: &str| format!("GET /{}/{end}", "x".repeat(200));
    let keys = [long("a"), long("b")];
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let found = discover(&account(vec![http_api(&keys)]));
    let names: Vec<&str> = found.targets.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names.len(), 2);
    assert_ne!(names[0], names[1]);
    assert!(names.iter().all(|name| name.chars().count() <= 128));
}
