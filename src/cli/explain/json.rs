//! Formats causes and facts as JSON objects.

use serde_json::{Map, Value, json};

use super::summary::{CauseSummary, non_default};
use crate::domain::diagnosis::catalog::{FactInfo, FactType};
use crate::domain::diagnosis::condition::Condition;
use crate::domain::diagnosis::fact::{FactValue, Facts};
use crate::domain::diagnosis::rule::Rule;
use crate::model::cause::Hop;

/// Formats a cause with all its rules.
pub(super) fn cause(summary: &CauseSummary<'_>) -> Value {
    let rivals: Vec<&str> = summary.rivals.iter().map(|cause| cause.as_str()).collect();
    json!({
        "cause": summary.cause.as_str(),
        "title": summary.title,
        "owner": summary.owner.as_str(),
        "hop": summary.hop.map(Hop::as_str),
        "certainty": summary.certainty.as_str(),
        "rivals": rivals,
        "next": summary.next,
        "see": summary.see,
        "rules": summary.rules.iter().map(|rule| self::rule(rule)).collect::<Vec<_>>(),
    })
}

/// Formats the definition of a fact.
pub(super) fn fact(info: &FactInfo) -> Value {
    let (kind, words) = match info.kind {
        FactType::Text => ("text", None),
        FactType::Number => ("number", None),
        FactType::Scalar => ("text or number", None),
        FactType::Word(words) => ("word", Some(words)),
    };
    json!({
        "fact": info.name,
        "type": kind,
        "words": words,
        "default": info.default,
        "meaning": info.meaning,
    })
}

fn rule(rule: &Rule) -> Value {
    let weigh = rule
        .weigh
        .iter()
        .map(|factor| json!({ "when": conditions(&factor.when), "factor": factor.factor }));
    let counterexamples = rule.counterexamples.iter().map(|counterexample| {
        json!({ "given": given(&counterexample.given), "because": counterexample.because })
    });
    json!({
        "id": rule.id.as_str(),
        "title": rule.title,
        "owner": rule.owner.as_str(),
        "hop": rule.hop.map(Hop::as_str),
        "certainty": rule.certainty.as_str(),
        "embedded": rule.origin.embedded,
        "file": &*rule.origin.file,
        "line": rule.origin.line,
        "weight": rule.weight,
        "fallback": rule.fallback,
        "when": conditions(&rule.when),
        "weigh": weigh.collect::<Vec<_>>(),
        "examples": rule.examples.iter().map(given).collect::<Vec<_>>(),
        "counterexamples": counterexamples.collect::<Vec<_>>(),
        "next": rule.next,
        "see": rule.see,
    })
}

fn conditions(conditions: &[Condition]) -> Vec<String> {
    conditions.iter().map(ToString::to_string).collect()
}

fn given(facts: &Facts) -> Value {
    let mut object = Map::new();
    for (name, _) in non_default(facts) {
        let value = match facts.get(&name) {
            Some(FactValue::Text(text)) => json!(text),
            Some(FactValue::Number(number)) => json!(number),
            None => continue,
        };
        object.insert(name, value);
    }
    Value::Object(object)
}
