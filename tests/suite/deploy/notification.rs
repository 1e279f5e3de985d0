//! The example in `notification.md` equals what the code writes, and the EventBridge rule of the
//! template matches it.

use std::collections::BTreeMap;

use probecause::domain::alarm::annotation::Annotation;
use probecause::domain::alarm::{AlarmSpec, HEARTBEAT_METRIC, desired, target_alarm_name};
use probecause::domain::diagnosis::fact::FactValue;
use probecause::domain::diagnosis::{Evidence, Verdict};
use probecause::model::cause::{CauseId, Certainty, Owner};
use probecause::model::settings::Settings;
use probecause::model::target::Target;
use serde_json::Value;

use crate::deploy::read;

/// The JSON blocks of `notification.md`: the SNS message, then the EventBridge event.
fn blocks() -> Vec<Value> {
    let page = read("notification.md");
    page.split("```json")
        .skip(1)
        .map(|block| block.split_once("```").unwrap().0)
        .map(|json| serde_json::from_str(json).unwrap())
        .collect()
}

/// The alarm of the example.
fn alarm() -> AlarmSpec {
    let url = "https://orders.example/".parse().unwrap();
    let target = Target::with_defaults("orders", url);
    let mut settings = Settings {
        location: "eu-1".into(),
        targets: vec![target.into()],
        ..Settings::default()
    };
    settings.cloudwatch.enabled = true;
    let mut alarms = desired(&settings).into_iter();
    alarms
        .find(|alarm| alarm.metric.name != HEARTBEAT_METRIC)
        .unwrap()
}

/// The annotation of a throttled function, with the texts of the rule.
fn annotation() -> Annotation {
    let next = [
        "Check the Throttles and ConcurrentExecutions metrics of the function and the account.",
        "Compare the function's reserved concurrency with its load; raise it or the account's quota.",
        "Do not look for this request in the function's logs: the function did not run.",
        "If the route has a VPC link, declare `integration`: a VPC link that cannot reach its \
         target gets the same response.",
    ];
    let verdict = Verdict {
        cause: CauseId::new("lambda-throttled").unwrap(),
        title: "Lambda throttled the invocation: no concurrency was available".to_owned(),
        owner: Owner::Platform,
        hop: None,
        certainty: Certainty::Likely,
        candidates: Vec::new(),
        next: next.map(ToOwned::to_owned).to_vec(),
    };
    let fact = |fact: &str, value| Evidence {
        fact: fact.to_owned(),
        value,
    };
    let evidence = [
        fact("status", FactValue::Number(503.0)),
        fact("gateway_made", FactValue::Text("yes".to_owned())),
    ];
    Annotation::failing("orders", &verdict, &evidence, None)
}

/// The tags of the alarm in the example.
fn tags() -> BTreeMap<String, String> {
    let tags = annotation().tags(&alarm()).into_iter();
    let mut tags: BTreeMap<_, _> = tags.map(|(key, value)| (key.to_owned(), value)).collect();
    // The hash changes with every definition; the example shows only its form.
    tags.insert("probecause:definition".into(), "0123456789abcdef".into());
    tags
}

#[test]
fn the_sns_message_contains_the_annotation() {
    let message = &blocks()[0];
    assert_eq!(message["AlarmName"], target_alarm_name("eu-1", "orders"));
    assert_eq!(message["AlarmDescription"], annotation().description);
    let listed = message["AlarmTags"].as_array().unwrap().iter();
    let listed: BTreeMap<_, _> = listed
        .map(|tag| (tag["Key"].as_str().unwrap(), tag["Value"].as_str().unwrap()))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(listed, tags());
}

#[test]
fn the_sns_message_describes_the_alarm_as_defined() {
    let trigger = &blocks()[0]["Trigger"];
    let alarm = alarm();
    assert_eq!(trigger["MetricName"], alarm.metric.name);
    assert_eq!(trigger["Namespace"], alarm.metric.namespace);
    assert_eq!(trigger["Period"], alarm.period);
    assert_eq!(trigger["EvaluationPeriods"], alarm.evaluation_periods);
    assert_eq!(trigger["DatapointsToAlarm"], alarm.datapoints_to_alarm);
    let dimensions = trigger["Dimensions"].as_array().unwrap().iter();
    let dimensions: Vec<_> = dimensions
        .map(|one| {
            (
                one["name"].as_str().unwrap(),
                one["value"].as_str().unwrap(),
            )
        })
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(dimensions, alarm.metric.dimensions);
}

#[test]
fn the_rule_finds_the_cause_in_the_tags_and_in_the_description() {
    let template = read("monitoring.yaml");
    // The two alternatives of the rule in the template.
    assert!(template.contains(r#"alarmTags: { "probecause:cause": [!Ref CapacityCause] }"#));
    assert!(template.contains(r#"wildcard: !Sub "*(${CapacityCause}, *""#));
    assert!(template.contains("Default: lambda-throttled"));
    let event = &blocks()[1];
    assert_eq!(event["source"], "aws.cloudwatch");
    assert_eq!(event["detail-type"], "CloudWatch Alarm State Change");
    let detail = &event["detail"];
    let tags_of_event: BTreeMap<String, String> =
        serde_json::from_value(detail["alarmTags"].clone()).unwrap();
    assert_eq!(tags_of_event, tags());
    assert_eq!(tags_of_event["probecause:cause"], "lambda-throttled");
    let description = detail["configuration"]["description"].as_str().unwrap();
    assert_eq!(description, annotation().description);
    assert!(description.contains("(lambda-throttled, "));
}
