//! The CloudFormation templates pass cfn-lint, and their policies equal the JSON policy files.
//!
//! Tests that parse YAML use the parser of cfn-lint. They are ignored unless `tests/run` has
//! installed it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};

use crate::deploy::policies::POLICIES;
use crate::deploy::{deploy, read};

/// A script that prints a template as JSON. cfn-lint's parser reads `!Ref x` as `{"Ref": "x"}`.
const AS_JSON: &str = "import json, sys; from cfnlint.decode.cfn_yaml import load; \
                       print(json.dumps(load(sys.argv[1])))";

/// A program of the virtual environment that contains cfn-lint.
fn venv(program: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Command::new(root.join("target/cfn-lint-venv/bin").join(program))
}

/// The placeholder for a parameter or resource in the JSON policy files.
fn value_of(name: &str) -> &'static str {
    match name {
        "AWS::Partition" => "aws",
        "AWS::Region" => "REGION",
        "AWS::AccountId" => "ACCOUNT",
        "Location" => "LOCATION",
        "Namespace" => "Probecause",
        "PageTopic" => "arn:aws:sns:REGION:ACCOUNT:probecause-pages",
        "CapacityTopic" => "arn:aws:sns:REGION:ACCOUNT:probecause-capacity",
        "EvidenceLogGroupArns" => "arn:aws:logs:REGION:ACCOUNT:log-group:LOG_GROUP:*",
        other => panic!("no placeholder for {other}"),
    }
}

/// Replaces each `${…}` with its placeholder.
fn substituted(text: &str) -> String {
    let mut parts = text.split("${");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap();
        result.push_str(value_of(name));
        result.push_str(rest);
    }
    result
}

/// Resolves the intrinsic functions in a part of the template. Every condition is true.
fn resolved(value: &Value) -> Value {
    let Value::Object(object) = value else {
        return match value {
            Value::Array(items) => items.iter().map(resolved).collect(),
            other => other.clone(),
        };
    };
    if let Some(name) = object.get("Ref").and_then(Value::as_str) {
        let value = Value::from(value_of(name));
        // The only list parameter.
        return if name == "EvidenceLogGroupArns" {
            Value::from(vec![value])
        } else {
            value
        };
    }
    if let Some(text) = object.get("Fn::Sub").and_then(Value::as_str) {
        return Value::from(substituted(text));
    }
    if let Some(choices) = object.get("Fn::If") {
        return resolved(&choices[1]);
    }
    let fields = object
        .iter()
        .map(|(key, value)| (key.clone(), resolved(value)));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// The template `monitoring.yaml` as JSON.
fn template() -> Value {
    let output = venv("python")
        .args(["-c", AS_JSON])
        .arg(deploy("monitoring.yaml"))
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
#[ignore = "needs cfn-lint: tests/run sets it up"]
fn cfn_lint_reports_no_problem() {
    let files = std::fs::read_dir(deploy("")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let templates: Vec<_> = files
        .filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    assert!(templates.len() >= 2, "{templates:?}");
    let output = venv("cfn-lint").args(templates).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}");
}

#[test]
#[ignore = "needs cfn-lint: tests/run sets it up"]
fn the_policy_files_equal_the_policies_of_the_template() {
    let template = template();
    for (resource, file) in [
        ("PublisherPolicy", "publisher-policy.json"),
        ("EvidencePolicy", "evidence-policy.json"),
        ("ReaderPolicy", "reader-policy.json"),
    ] {
        let document = &template["Resources"][resource]["Properties"]["PolicyDocument"];
        let plain: Value = serde_json::from_str(&read(file)).unwrap();
        assert_eq!(resolved(document), plain, "{file}");
    }
}

#[test]
#[ignore = "needs cfn-lint: tests/run sets it up"]
fn each_statement_of_the_reader_depends_on_a_key() {
    let template = template();
    let policy = &template["Resources"]["ReaderPolicy"]["Properties"]["PolicyDocument"];
    let mut statements: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for statement in policy["Statement"].as_array().unwrap() {
        let choices = &statement["Fn::If"];
        let condition = choices[0].as_str().unwrap();
        let sid = choices[1]["Sid"].as_str().unwrap();
        statements.entry(condition).or_default().push(sid);
    }
    let expected = [
        ("WithChanges", vec!["SearchChanges"]),
        (
            "WithConfiguration",
            vec!["ReadVpcLinks", "ReadFunctions", "ReadLimits"],
        ),
        (
            "WithDiscovery",
            vec!["ListApisAndDomains", "ListFunctionUrls", "ListEndpoints"],
        ),
        ("WithResources", vec!["ReadApis", "ReadTargetHealth"]),
    ];
    assert_eq!(statements, BTreeMap::from(expected));
    for parameter in ["ReadConfiguration", "ReadChanges", "ReadDiscovery"] {
        assert_eq!(template["Parameters"][parameter]["Default"], "false");
    }
}

#[test]
#[ignore = "needs cfn-lint: tests/run sets it up"]
fn topics_accept_alarms_of_one_location_and_only_one_accepts_events() {
    let template = template();
    let statements = |resource: &str| {
        let policy = &template["Resources"][resource]["Properties"]["PolicyDocument"];
        resolved(&policy["Statement"]).as_array().unwrap().clone()
    };
    let page = statements("PageTopicPolicy");
    let capacity = statements("CapacityTopicPolicy");
    assert_eq!((page.len(), capacity.len()), (1, 2));
    for statement in [&page[0], &capacity[0]] {
        assert_eq!(statement["Action"], "sns:Publish");
        let service = &statement["Principal"]["Service"];
        assert_eq!(service, "cloudwatch.amazonaws.com");
        let condition = &statement["Condition"];
        let account = &condition["StringEquals"]["aws:SourceAccount"];
        assert_eq!(account, "ACCOUNT");
        let alarms = &condition["ArnLike"]["aws:SourceArn"];
        let expected = "arn:aws:cloudwatch:REGION:ACCOUNT:alarm:probecause LOCATION *";
        assert_eq!(alarms, expected);
    }
    // EventBridge does not support conditions in a topic policy: with one, no event arrives.
    assert_eq!(capacity[1]["Principal"]["Service"], "events.amazonaws.com");
    assert_eq!(capacity[1]["Action"], "sns:Publish");
    assert_eq!(capacity[1]["Condition"], Value::Null);
}

#[test]
fn templates_and_policies_are_within_their_size_limits() {
    // The limits are 51,200 bytes for a template in a request, and 6,144 characters without
    // white space for a managed policy.
    assert!(read("monitoring.yaml").len() < 51_200);
    for policy in POLICIES {
        let text = read(policy);
        assert!(text.chars().filter(|c| !c.is_whitespace()).count() < 6_144);
    }
}
