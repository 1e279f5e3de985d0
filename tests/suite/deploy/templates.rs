//! The templates: linted, and equal to the plain policies.
//!
//! Reading YAML takes a parser, and cfn-lint brings one: what needs it is ignored unless
//! `tests/run` has set it up.

use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};

use crate::deploy::{deploy, read};

/// cfn-lint's own reader makes `!Ref x` into `{"Ref": "x"}`.
const AS_JSON: &str = "import json, sys; from cfnlint.decode.cfn_yaml import load; \
                       print(json.dumps(load(sys.argv[1])))";

fn venv(program: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Command::new(root.join("target/cfn-lint-venv/bin").join(program))
}

/// What a parameter or resource is called in the plain policies.
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
        other => panic!("nothing is known of {other}"),
    }
}

fn substituted(text: &str) -> String {
    let mut parts = text.split("${");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap();
        whole.push_str(value_of(name));
        whole.push_str(rest);
    }
    whole
}

/// A part of the template as it would be deployed, every condition holding.
fn resolved(value: &Value) -> Value {
    let Value::Object(object) = value else {
        return match value {
            Value::Array(items) => items.iter().map(resolved).collect(),
            other => other.clone(),
        };
    };
    if let Some(name) = object.get("Ref").and_then(Value::as_str) {
        let value = Value::from(value_of(name));
        // The only parameter that is a list.
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

/// The template, as cfn-lint reads it.
fn template() -> Value {
    let output = venv("python")
        .args(["-c", AS_JSON])
        .arg(deploy("monitoring.yaml"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
#[ignore = "needs cfn-lint: tests/run sets it up"]
fn cfn_lint_finds_nothing() {
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
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
}

#[test]
#[ignore = "needs cfn-lint: tests/run sets it up"]
fn the_plain_policies_are_the_template_s() {
    let template = template();
    for (resource, file) in [
        ("PublisherPolicy", "publisher-policy.json"),
        ("EvidencePolicy", "evidence-policy.json"),
    ] {
        let document = &template["Resources"][resource]["Properties"]["PolicyDocument"];
        let plain: Value = serde_json::from_str(&read(file)).unwrap();
        assert_eq!(resolved(document), plain, "{file}");
    }
}

#[test]
#[ignore = "needs cfn-lint: tests/run sets it up"]
fn topics_take_this_location_s_alarms_and_only_one_takes_rules() {
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
        let ours = "arn:aws:cloudwatch:REGION:ACCOUNT:alarm:probecause LOCATION *";
        assert_eq!(alarms, ours);
    }
    // EventBridge takes no condition in a topic's policy: with one, nothing would arrive.
    assert_eq!(capacity[1]["Principal"]["Service"], "events.amazonaws.com");
    assert_eq!(capacity[1]["Action"], "sns:Publish");
    assert_eq!(capacity[1]["Condition"], Value::Null);
}

#[test]
fn every_file_fits_into_its_request() {
    // A template in a request has at most 51,200 bytes, a managed policy 6,144 characters
    // without white space.
    assert!(read("monitoring.yaml").len() < 51_200);
    for policy in ["publisher-policy.json", "evidence-policy.json"] {
        let text = read(policy);
        assert!(text.chars().filter(|c| !c.is_whitespace()).count() < 6_144);
    }
}
