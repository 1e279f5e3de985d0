//! Proposes targets at function URLs, load balancers and CloudFront distributions.
//!
//! None of them says which paths answer a GET request without side effects, so nothing here is
//! probed without a review.

use super::account::{Account, Distribution, FunctionUrl, Listener, ListenerRule, LoadBalancer};
use super::candidate::{Candidate, common_declarations, declare_function};
use super::reasons::{PRIVATE, applying};
use crate::model::target::{Authorizer, AwsDeclarations};

/// Finds the candidates of function URLs, load balancers and CloudFront distributions.
pub(super) fn find(account: &Account) -> Vec<Candidate> {
    let urls = account.function_urls.iter();
    let mut found: Vec<Candidate> = urls.map(|url| function_url(account, url)).collect();
    for balancer in &account.load_balancers {
        for listener in &balancer.listeners {
            for rule in &listener.rules {
                found.extend(listener_rule(account, balancer, listener, rule));
            }
        }
    }
    let enabled = account.distributions.iter().filter(|it| it.enabled);
    found.extend(enabled.flat_map(distribution));
    found
}

fn function_url(account: &Account, url: &FunctionUrl) -> Candidate {
    let authorizer = if url.iam {
        Authorizer::Iam
    } else {
        Authorizer::None
    };
    let mut aws = AwsDeclarations {
        authorizer: Some(authorizer),
        ..common_declarations(account)
    };
    declare_function(&mut aws, Some(url.function.as_str()), account);
    let reasons = applying([
        (true, "a function URL passes every request to the function"),
        (
            url.iam,
            "the URL requires IAM authorization; add `auth.sigv4`",
        ),
    ]);
    Candidate::new("GET", url.url.clone(), aws, reasons)
}

/// Returns one candidate for each combination of a host and a path in the conditions of a rule.
/// Without a host condition, the host is the DNS name of the load balancer. Without a path
/// condition, the path is `/`.
fn listener_rule(
    account: &Account,
    balancer: &LoadBalancer,
    listener: &Listener,
    rule: &ListenerRule,
) -> Vec<Candidate> {
    let own_host = std::slice::from_ref(&balancer.dns_name);
    let has_host = !rule.hosts.is_empty();
    let hosts = if has_host { &rule.hosts[..] } else { own_host };
    let root = ["/".to_owned()];
    let paths = if rule.paths.is_empty() {
        &root[..]
    } else {
        &rule.paths[..]
    };
    let mut aws = common_declarations(account);
    declare_function(&mut aws, rule.function.as_deref(), account);
    let mut found = Vec::new();
    for host in hosts {
        for path in paths {
            let is_pattern = |text: &str| text.contains(['*', '?']);
            let reasons = applying([
                (
                    true,
                    "the rule does not show whether a GET request changes data",
                ),
                (balancer.internal, PRIVATE),
                (
                    is_pattern(host) || is_pattern(path),
                    "the host or path is a pattern; replace it with a literal value",
                ),
                (
                    listener.https && !has_host,
                    "the certificate is for another host name; replace the host with the host name \
                     of the service",
                ),
            ]);
            let url = listener_url(listener, host, path);
            found.push(Candidate::new("GET", url, aws.clone(), reasons));
        }
    }
    found
}

fn listener_url(listener: &Listener, host: &str, path: &str) -> String {
    let (scheme, default_port) = if listener.https {
        ("https", 443)
    } else {
        ("http", 80)
    };
    match listener.port {
        port if port == default_port => format!("{scheme}://{host}{path}"),
        port => format!("{scheme}://{host}:{port}{path}"),
    }
}

/// Returns one candidate for each alias of a distribution or, without aliases, one for its own
/// domain name. No Region is declared, because the Region of the origin is not known.
fn distribution(distribution: &Distribution) -> Vec<Candidate> {
    let own = std::slice::from_ref(&distribution.domain_name);
    let hosts = match &distribution.aliases[..] {
        [] => own,
        aliases => aliases,
    };
    let hosts = hosts.iter();
    let candidates = hosts.map(|host| {
        let reasons = applying([
            (true, "the paths of a distribution are not known"),
            (
                host.contains('*'),
                "the alias is a wildcard; write a host name",
            ),
        ]);
        let aws = AwsDeclarations::default();
        Candidate::new("GET", format!("https://{host}/"), aws, reasons)
    });
    candidates.collect()
}
