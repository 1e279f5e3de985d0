//! Reads the custom domains of API Gateway with the stages that they are mapped to.
//!
//! The operations for HTTP APIs return all public domains and their mappings, including the
//! mappings to REST APIs. The older operations, those for REST APIs, are used only for domains that
//! the operations for HTTP APIs do not return.

use std::collections::BTreeSet;

use serde_json::Value;

use super::calls::{Calls, NEXT_TOKEN, POSITION, Pages, Part, Token};
use super::fields::{items, text};
use crate::domain::discovery::account::{Domain, Mapping};
use crate::io::aws::read::Service;

/// A domain that was listed, without its mappings.
struct Listed {
    domain: Domain,
    /// The id with which the mappings of a private domain are read; `None` for a public domain.
    id: Option<String>,
    /// Whether only routing rules decide which API serves a request. This program does not read
    /// routing rules.
    only_rules: bool,
}

/// One of the two sets of operations that read domains and their mappings.
#[derive(Clone, Copy)]
struct Version {
    /// The path of the operation that lists the domains.
    path: &'static [&'static str],
    list: &'static str,
    mappings: &'static str,
    /// The last segment of the path of the operation that lists the mappings of a domain.
    segment: &'static str,
    token: Token,
    query: &'static [(&'static str, &'static str)],
}

/// The operations for HTTP APIs.
const V2: Version = Version {
    path: &["v2", "domainnames"],
    list: "GetDomainNames",
    mappings: "GetApiMappings",
    segment: "apimappings",
    token: NEXT_TOKEN,
    query: &[("maxResults", "100")],
};

/// The operations for REST APIs.
const V1: Version = Version {
    path: &["domainnames"],
    list: "GetDomainNames",
    mappings: "GetBasePathMappings",
    segment: "basepathmappings",
    token: POSITION,
    query: &[("limit", "500")],
};

/// Reads all custom domains. A domain whose mappings cannot be read, or that has only routing
/// rules, is omitted, and recorded as not read unless it was deleted during the read.
pub(super) async fn read(calls: &mut Calls<'_>) -> Vec<Domain> {
    calls.report("the list of custom domains".to_owned());
    let mut listed = list(calls, V2).await;
    let known: BTreeSet<String> = listed.iter().map(|it| it.domain.name.clone()).collect();
    let older = list(calls, V1).await;
    let mut versions = vec![V2; listed.len()];
    for one in older {
        if !known.contains(&one.domain.name) {
            listed.push(one);
            versions.push(V1);
        }
    }
    let total = listed.len();
    let mut read = Vec::new();
    for (index, (mut one, version)) in listed.into_iter().zip(versions).enumerate() {
        let title = format!("custom domain {}", one.domain.name);
        calls.report(format!("{title}, {} of {total}", index + 1));
        if one.only_rules {
            calls.note(format!("{title}: its routing rules are not supported"));
            continue;
        }
        let Some(mappings) = mappings(calls, &one, version).await else {
            continue;
        };
        one.domain.mappings = mappings;
        read.push(one.domain);
    }
    read
}

async fn list(calls: &mut Calls<'_>, version: Version) -> Vec<Listed> {
    let request = Pages {
        service: Service::ApiGateway,
        operation: version.list,
        path: version.path,
        query: version.query,
        token: version.token,
    };
    let mut listed = Vec::new();
    let each = |page: &Value| listed.extend(items(page).iter().filter_map(parse_domain));
    if let Err(error) = calls.pages(&request, each).await {
        calls.record("custom domains", &error, Part::Targets);
    }
    listed
}

/// Reads the mappings of a domain. If they cannot be read, records the error and returns `None`.
async fn mappings(calls: &mut Calls<'_>, one: &Listed, version: Version) -> Option<Vec<Mapping>> {
    let mut path = version.path.to_vec();
    path.extend([one.domain.name.as_str(), version.segment]);
    let mut query = version.query.to_vec();
    query.extend(one.id.as_deref().map(|id| ("domainNameId", id)));
    let request = Pages {
        service: Service::ApiGateway,
        operation: version.mappings,
        path: &path,
        query: &query,
        token: version.token,
    };
    let mut found = Vec::new();
    let each = |page: &Value| found.extend(items(page).iter().filter_map(parse_mapping));
    match calls.pages(&request, each).await {
        Ok(()) => Some(found),
        Err(error) => {
            let what = format!("the mappings of the custom domain {}", one.domain.name);
            // A private domain is only proposed, so no probed target is missing without it.
            let part = if one.domain.private {
                Part::Details
            } else {
                Part::Targets
            };
            calls.record_one(&what, &error, part);
            None
        }
    }
}

/// Parses a domain from either version of the operations; `None` if it has no name. The operations
/// for HTTP APIs return one configuration for each endpoint of a domain.
fn parse_domain(domain: &Value) -> Option<Listed> {
    let name = text(domain, "domainName")?.to_owned();
    let configurations = domain.get("domainNameConfigurations");
    let configurations = configurations.and_then(Value::as_array);
    let configurations: Vec<&Value> = configurations.into_iter().flatten().collect();
    let is_available =
        |it: &Value| matches!(text(it, "domainNameStatus"), None | Some("AVAILABLE"));
    let available = if configurations.is_empty() {
        is_available(domain)
    } else {
        configurations.into_iter().any(is_available)
    };
    let types = domain.get("endpointConfiguration");
    let types = types.and_then(|it| it.get("types")?.as_array());
    let mut types = types.into_iter().flatten().filter_map(Value::as_str);
    let private = types.any(|kind| kind == "PRIVATE");
    let mutual_tls = domain.get("mutualTlsAuthentication");
    let routing = text(domain, "routingMode");
    Some(Listed {
        id: text(domain, "domainNameId")
            .filter(|_| private)
            .map(str::to_owned),
        only_rules: routing == Some("ROUTING_RULE_ONLY"),
        domain: Domain {
            name,
            available,
            mutual_tls: mutual_tls.is_some_and(|it| text(it, "truststoreUri").is_some()),
            private,
            routing_rules: routing == Some("ROUTING_RULE_THEN_API_MAPPING"),
            mappings: Vec::new(),
        },
    })
}

/// Parses a mapping of either version; `None` if it names no API. The stage is empty if the mapping
/// is to all stages of the API.
fn parse_mapping(mapping: &Value) -> Option<Mapping> {
    let set = |key: &str| text(mapping, key).filter(|value| *value != "(none)");
    let path = set("apiMappingKey").or_else(|| set("basePath"));
    Some(Mapping {
        api_id: set("apiId").or_else(|| set("restApiId"))?.to_owned(),
        stage: set("stage").unwrap_or_default().to_owned(),
        path: path.unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_mappings_of_both_versions_are_parsed() {
        for (mapping, expected) in [
            (
                json!({ "apiId": "a", "stage": "$default", "apiMappingKey": "" }),
                Some(("a", "$default", "")),
            ),
            (
                json!({ "apiId": "a", "stage": "prod", "apiMappingKey": "shop/v2" }),
                Some(("a", "prod", "shop/v2")),
            ),
            (
                json!({ "restApiId": "r", "stage": "prod", "basePath": "(none)" }),
                Some(("r", "prod", "")),
            ),
            (
                json!({ "restApiId": "r", "stage": "(none)", "basePath": "v1" }),
                Some(("r", "", "v1")),
            ),
            (json!({ "restApiId": "r" }), Some(("r", "", ""))),
            (json!({ "stage": "prod" }), None),
        ] {
            let expected = expected.map(|(api, stage, path)| Mapping {
                api_id: api.to_owned(),
                stage: stage.to_owned(),
                path: path.to_owned(),
            });
            assert_eq!(parse_mapping(&mapping), expected, "{mapping}");
        }
    }

    #[test]
    fn routing_rules_are_known() {
        for (mode, rules, only_rules) in [
            ("API_MAPPING_ONLY", false, false),
            ("ROUTING_RULE_THEN_API_MAPPING", true, false),
            ("ROUTING_RULE_ONLY", false, true),
        ] {
            let domain = json!({ "domainName": "api.example.com", "routingMode": mode });
            let parsed = parse_domain(&domain).unwrap();
            let found = (parsed.domain.routing_rules, parsed.only_rules);
            assert_eq!(found, (rules, only_rules), "{mode}");
        }
    }

    #[test]
    fn a_domain_is_available_if_one_of_its_endpoints_is() {
        for (domain, available, mutual_tls, private) in [
            (json!({}), true, false, false),
            (
                json!({ "domainNameStatus": "UPDATING" }),
                false,
                false,
                false,
            ),
            (
                json!({
                    "domainNameConfigurations": [
                        { "domainNameStatus": "PENDING" },
                        { "domainNameStatus": "AVAILABLE" },
                    ],
                    "mutualTlsAuthentication": { "truststoreUri": "s3://x" },
                }),
                true,
                true,
                false,
            ),
            (
                json!({
                    "domainNameConfigurations": [{ "domainNameStatus": "PENDING" }],
                    "endpointConfiguration": { "types": ["PRIVATE"] },
                }),
                false,
                false,
                true,
            ),
        ] {
            let mut named = domain.clone();
            named["domainName"] = json!("api.example.com");
            let parsed = parse_domain(&named).unwrap().domain;
            assert_eq!(
                (parsed.available, parsed.mutual_tls, parsed.private),
                (available, mutual_tls, private),
                "{domain}"
            );
            assert!(parse_domain(&domain).is_none());
        }
    }
}
