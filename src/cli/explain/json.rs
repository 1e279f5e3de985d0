//! What is explained, as JSON: one object a line.

use serde_json::{Map, Value, json};

use super::card::{Card, said};
use crate::domain::diagnosis::catalogue::{FactInfo, FactType};
use crate::domain::diagnosis::condition::Condition;
use crate::domain::diagnosis::fact::{FactValue, Facts};
use crate::domain::diagnosis::rule::Rule;

/// A cause with all its rules.
pub(super) fn cause(card: &Card<'_>) -> Value {
    let rivals: Vec<&str> = card.rivals.iter().map(|cause| cause.as_str()).collect();
    json!({
        "cause": card.cause.as_str(),
        "title": card.title,
        "owner": card.owner.as_str(),
        "certainty": card.certainty.as_str(),
        "rivals": rivals,
        "next": card.next,
        "see": card.see,
        "rules": card.rules.iter().map(|rule| self::rule(rule)).collect::<Vec<_>>(),
    })
}

/// A fact that rules may ask for.
pub(super) fn fact(info: &FactInfo) -> Value {
    let (kind, words) = match info.kind {
        FactType::Text => ("text", None),
        FactType::Number => ("number", None),
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
    for (name, _) in said(facts) {
        let value = match facts.get(&name) {
            Some(FactValue::Text(text)) => json!(text),
            Some(FactValue::Number(number)) => json!(number),
            None => continue,
        };
        object.insert(name, value);
    }
    Value::Object(object)
}
