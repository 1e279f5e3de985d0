//! The IAM policies allow exactly the API calls that the code makes, on as few resources as
//! possible.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use probecause::domain::alarm::{heartbeat_name, target_alarm_name};
use probecause::io::aws::read::Service;
use regex::Regex;
use serde_json::Value;

use crate::deploy::read;

/// Actions that support no resource, or where a resource would hide composite alarms. The
/// template cites the sources.
const ON_ANYTHING: [&str; 12] = [
    "cloudfront:ListDistributions",
    "cloudtrail:LookupEvents",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "cloudwatch:PutMetricData",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "lambda:GetAccountSettings",
    "lambda:ListFunctions",
];

/// The policy files of the three roles.
pub(super) const POLICIES: [&str; 3] = [
    "publisher-policy.json",
    "evidence-policy.json",
    "reader-policy.json",
];

/// The operations that the code calls with signed requests, by service.
const SIGNED: [(Service, &[&str]); 5] = [
    (
        Service::ApiGateway,
        &[
            "GetApi",
            "GetApiMappings",
            "GetApis",
            "GetBasePathMappings",
            "GetDeployment",
            "GetDomainNames",
            "GetGatewayResponses",
            "GetIntegrations",
            "GetResources",
            "GetRestApi",
            "GetRestApis",
            "GetRoutes",
            "GetStage",
            "GetStages",
            "GetVpcLink",
        ],
    ),
    (
        Service::Lambda,
        &[
            "GetAccountSettings",
            "GetFunctionConcurrency",
            "GetFunctionConfiguration",
            "GetPolicy",
            "ListFunctionUrlConfigs",
            "ListFunctions",
        ],
    ),
    (
        Service::LoadBalancing,
        &[
            "DescribeListeners",
            "DescribeLoadBalancers",
            "DescribeRules",
            "DescribeTargetGroups",
            "DescribeTargetHealth",
        ],
    ),
    (Service::CloudTrail, &["LookupEvents"]),
    (Service::CloudFront, &["ListDistributions"]),
];

/// Literals in the code that look like operations of [`SIGNED`] and are not: operations that the SDK
/// calls, an operation that needs no permission, and the name of a parameter.
const NOT_SIGNED: [&str; 3] = ["GetMetricData", "GetCallerIdentity", "LookupAttributes"];

/// The statements of a policy file.
fn policy(name: &str) -> Vec<Value> {
    let policy: Value = serde_json::from_str(&read(name)).unwrap();
    policy["Statement"].as_array().unwrap().clone()
}

/// Returns a string or the strings of a list.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        _ => value
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect(),
    }
}

/// All actions of the statements.
fn actions(statements: &[Value]) -> BTreeSet<String> {
    let actions = statements.iter().flat_map(|one| texts(&one["Action"]));
    actions.map(ToOwned::to_owned).collect()
}

/// The Rust files in a folder of `src`, with their texts.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src")
            .join(folder),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// The texts between each `begin` and the next `end`.
fn between<'a>(text: &'a str, begin: &str, end: char) -> Vec<&'a str> {
    let parts = text.split(begin).skip(1);
    parts
        .filter_map(|part| part.trim_start().split_once(end).map(|(inner, _)| inner))
        .collect()
}

/// The actions that the publisher calls, from the operation names in its `settle` calls.
fn called_by_publisher() -> BTreeSet<String> {
    ["io/sink/cloudwatch", "io/cloudwatch", "io/alarms"]
        .iter()
        .flat_map(|folder| sources(folder))
        .collect::<Vec<_>>()
        .iter()
        .flat_map(|(_, text)| between(text, "settle(", ','))
        .filter_map(|first| first.strip_prefix('"')?.strip_suffix('"'))
        .map(|operation| format!("cloudwatch:{operation}"))
        .collect()
}

/// The actions that evidence calls with the SDK, from the operations whose outcome it records and
/// from their services.
fn called_for_evidence() -> BTreeSet<String> {
    let sources = sources("io/evidence");
    let code: String = sources.iter().map(|(_, text)| text.as_str()).collect();
    let (_, services) = code.split_once("fn service(").unwrap();
    let default = between(services, "_ => \"", '"')[0];
    let called = between(&code, "record_outcome(scope, Operation::", ',');
    called
        .into_iter()
        .map(|name| {
            let named = between(services, &format!("Self::{name} => \""), '"');
            format!("{}:{name}", named.first().unwrap_or(&default))
        })
        .collect()
}

/// The names of operations in the code that makes signed requests, without its tests.
fn called_with_signature() -> BTreeSet<String> {
    let name = r"(?:Get|List|Describe|Lookup)[A-Z]\w+";
    let operation = Regex::new(&format!("[\".]({name})\"")).unwrap();
    ["io/evidence", "io/discovery"]
        .iter()
        .flat_map(|folder| sources(folder))
        .filter(|(path, _)| {
            !path
                .iter()
                .any(|part| part == "tests" || part == "tests.rs")
        })
        .flat_map(|(_, text)| {
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let found = operation.captures_iter(code);
            found.map(|one| one[1].to_owned()).collect::<Vec<_>>()
        })
        .filter(|name| !NOT_SIGNED.contains(&name.as_str()))
        .collect()
}

#[test]
fn the_publisher_policy_allows_exactly_the_calls_of_the_code() {
    assert_eq!(
        actions(&policy("publisher-policy.json")),
        called_by_publisher()
    );
}

#[test]
fn the_evidence_policy_allows_exactly_the_calls_of_the_code() {
    assert_eq!(
        actions(&policy("evidence-policy.json")),
        called_for_evidence()
    );
}

#[test]
fn the_reader_policy_allows_exactly_the_signed_requests_of_the_code() {
    let known = SIGNED
        .iter()
        .flat_map(|(_, operations)| operations.iter().map(|name| (*name).to_owned()));
    assert_eq!(called_with_signature(), known.collect::<BTreeSet<_>>());
    let needed = SIGNED.iter().flat_map(|(service, operations)| {
        let actions = operations.iter().map(|operation| service.action(operation));
        actions.collect::<Vec<_>>()
    });
    assert_eq!(
        actions(&policy("reader-policy.json")),
        needed.collect::<BTreeSet<_>>()
    );
}

#[test]
fn the_reader_reads_apis_and_domains_but_no_keys() {
    let statements = policy("reader-policy.json");
    let mut paths: Vec<&str> = statements
        .iter()
        .filter(|one| one["Action"] == "apigateway:GET")
        .flat_map(|one| texts(&one["Resource"]))
        .map(|resource| resource.strip_prefix("arn:aws:apigateway:REGION:").unwrap())
        .collect();
    paths.sort_unstable();
    let expected = [
        ":/apis",
        ":/apis/*",
        ":/domainnames",
        ":/domainnames/*",
        ":/restapis",
        ":/restapis/*",
        ":/vpclinks/*",
        // The ARN of a private custom domain contains the account.
        "ACCOUNT:/domainnames/*",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn aws_clients_are_used_only_in_known_modules() {
    let known = [
        "src/io/alarms/",
        "src/io/cloudwatch/",
        "src/io/sink/cloudwatch/",
        "src/io/evidence/",
        "src/io/aws/",
    ];
    let mut modules = BTreeSet::new();
    for (path, text) in sources("") {
        // The simulator and the probe implement HTTP themselves, without the AWS SDK.
        if text.contains("aws_sdk_") {
            let path = path.to_string_lossy();
            let module = known.iter().find(|module| path.contains(**module));
            modules.insert(module.unwrap_or_else(|| panic!("{path} uses the AWS SDK")));
        }
    }
    assert!(
        modules.len() > 1,
        "the AWS SDK is no longer found by its crate name"
    );
}

#[test]
fn the_policies_share_no_action_and_allow_no_invoke() {
    let mut known = BTreeSet::new();
    for name in POLICIES {
        for action in actions(&policy(name)) {
            assert!(!action.contains('*'), "{action}");
            assert!(!action.contains("Invoke"), "{action}");
            assert!(known.insert(action.clone()), "{action} is in two policies");
        }
    }
}

#[test]
fn only_listed_actions_are_allowed_on_all_resources() {
    for name in POLICIES {
        for statement in policy(name) {
            assert_eq!(statement["Effect"], "Allow");
            if texts(&statement["Resource"]).contains(&"*") {
                for action in texts(&statement["Action"]) {
                    assert!(
                        ON_ANYTHING.contains(&action),
                        "{action} is allowed on all resources"
                    );
                }
            }
        }
    }
}

#[test]
fn metrics_are_limited_to_one_namespace_and_alarm_actions_to_named_topics() {
    let statements = policy("publisher-policy.json");
    let of = |action: &str| {
        let mut allowed = statements.iter();
        allowed
            .find(|one| texts(&one["Action"]).contains(&action))
            .unwrap()
    };
    let namespace = &of("cloudwatch:PutMetricData")["Condition"]["StringEquals"];
    assert_eq!(namespace["cloudwatch:namespace"], "Probecause");
    let topics = &of("cloudwatch:PutMetricAlarm")["Condition"]["ForAllValues:StringEquals"];
    let topics = texts(&topics["cloudwatch:AlarmActions"]);
    assert!(!topics.is_empty());
    for topic in topics {
        assert!(
            topic.starts_with("arn:aws:sns:") && !topic.contains('*'),
            "{topic}"
        );
    }
}

#[test]
fn the_policy_covers_all_alarms_of_its_location_and_no_others() {
    let prefix = "arn:aws:cloudwatch:REGION:ACCOUNT:alarm:";
    let statements = policy("publisher-policy.json");
    let patterns: BTreeSet<_> = statements
        .iter()
        .flat_map(|one| texts(&one["Resource"]))
        .filter_map(|resource| resource.strip_prefix(prefix)?.strip_suffix('*'))
        .collect();
    assert_eq!(patterns.len(), 1);
    for pattern in patterns {
        assert!(heartbeat_name("LOCATION", 0).starts_with(pattern));
        assert!(target_alarm_name("LOCATION", "orders").starts_with(pattern));
        assert!(target_alarm_name("LOCATION", &"x".repeat(300)).starts_with(pattern));
        assert!(!heartbeat_name("LOCATION-2", 0).starts_with(pattern));
        assert!(!heartbeat_name("elsewhere", 0).starts_with(pattern));
    }
}

#[test]
fn the_readme_explains_every_allowed_action() {
    let readme = read("README.md");
    let explained: BTreeSet<String> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(action, _)| action.to_owned())
        .filter(|action| action.contains(':'))
        .collect();
    let allowed = POLICIES.iter().flat_map(|name| actions(&policy(name)));
    assert_eq!(explained, allowed.collect::<BTreeSet<_>>());
}
