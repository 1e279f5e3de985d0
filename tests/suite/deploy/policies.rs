//! The policies allow what the code calls and nothing else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use probecause::domain::alarm::{heartbeat_name, target_alarm_name};
use serde_json::Value;

use crate::deploy::read;

/// Actions that take no resource, or of which composite alarms would be hidden by one:
/// the template says where that is written.
const ON_ANYTHING: [&str; 3] = [
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "cloudwatch:PutMetricData",
];

fn policy(name: &str) -> Vec<Value> {
    let policy: Value = serde_json::from_str(&read(name)).unwrap();
    policy["Statement"].as_array().unwrap().clone()
}

/// One text or a list of them.
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

fn actions(statements: &[Value]) -> BTreeSet<String> {
    let actions = statements.iter().flat_map(|one| texts(&one["Action"]));
    actions.map(ToOwned::to_owned).collect()
}

/// The files of a folder of `src`, with their texts.
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

/// What stands between `begin` and `end`, wherever `begin` does.
fn between<'a>(text: &'a str, begin: &str, end: char) -> Vec<&'a str> {
    let parts = text.split(begin).skip(1);
    parts
        .filter_map(|part| part.trim_start().split_once(end).map(|(inner, _)| inner))
        .collect()
}

/// Every call is settled under its operation's name, which counts it and sorts its failure.
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

/// Evidence has a list of its operations, each with its service.
fn called_for_evidence() -> BTreeSet<String> {
    let sources = sources("io/evidence");
    let whole: String = sources.iter().map(|(_, text)| text.as_str()).collect();
    let (_, services) = whole.split_once("fn service(").unwrap();
    let called: BTreeSet<&str> = between(&whole, "Operation::", ',').into_iter().collect();
    called
        .into_iter()
        .filter(|name| name.chars().all(char::is_alphanumeric))
        .map(|name| {
            let service = between(services, &format!("Self::{name} => \""), '"')[0];
            format!("{service}:{name}")
        })
        .collect()
}

#[test]
fn the_publisher_may_do_what_the_code_calls_and_nothing_else() {
    assert_eq!(
        actions(&policy("publisher-policy.json")),
        called_by_publisher()
    );
}

#[test]
fn evidence_may_do_what_the_code_calls_and_nothing_else() {
    assert_eq!(
        actions(&policy("evidence-policy.json")),
        called_for_evidence()
    );
}

#[test]
fn no_call_is_made_where_the_tests_above_do_not_look() {
    let known = [
        "src/io/alarms/",
        "src/io/cloudwatch/",
        "src/io/sink/cloudwatch/",
        "src/io/evidence/",
        "src/io/aws/",
    ];
    let mut rooms = BTreeSet::new();
    for (path, text) in sources("") {
        // The simulator and the probe speak for themselves, without a client of AWS.
        if text.contains("aws_sdk_") {
            let path = path.to_string_lossy();
            let room = known.iter().find(|room| path.contains(**room));
            rooms.insert(room.unwrap_or_else(|| panic!("{path} uses a client of AWS")));
        }
    }
    assert!(rooms.len() > 1, "clients are known by another name now");
}

#[test]
fn both_roles_together_may_invoke_nothing_and_share_nothing() {
    let publisher = actions(&policy("publisher-policy.json"));
    let evidence = actions(&policy("evidence-policy.json"));
    assert!(publisher.is_disjoint(&evidence));
    for action in publisher.union(&evidence) {
        assert!(!action.contains('*'), "{action}");
        assert!(!action.contains("Invoke"), "{action}");
    }
}

#[test]
fn only_what_takes_no_resource_is_allowed_on_everything() {
    for name in ["publisher-policy.json", "evidence-policy.json"] {
        for statement in policy(name) {
            assert_eq!(statement["Effect"], "Allow");
            if texts(&statement["Resource"]).contains(&"*") {
                for action in texts(&statement["Action"]) {
                    assert!(ON_ANYTHING.contains(&action), "{action} on everything");
                }
            }
        }
    }
}

#[test]
fn metrics_go_to_one_namespace_and_alarms_only_to_named_topics() {
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
fn every_alarm_of_the_location_is_ours_to_write_and_no_other_location_s() {
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
fn the_readme_says_of_each_action_what_it_is_for() {
    let readme = read("README.md");
    let told: BTreeSet<String> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(action, _)| action.to_owned())
        .filter(|action| action.starts_with("cloudwatch:") || action.starts_with("logs:"))
        .collect();
    let mut allowed = actions(&policy("publisher-policy.json"));
    allowed.extend(actions(&policy("evidence-policy.json")));
    assert_eq!(told, allowed);
}
