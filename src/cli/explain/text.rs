//! What is explained, for a person at a terminal of 80 columns.

use super::card::{Card, basis, said, who};
use super::wrap::{TIED, wrapped};
use crate::domain::diagnosis::catalogue::{CATALOGUE, FactInfo, FactType};
use crate::domain::diagnosis::condition::Condition;
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::rule::Rule;
use crate::model::cause::Owner;

/// Every cause in a line or two, by who acts on it.
pub(super) fn list(cards: &[Card<'_>]) -> String {
    let widest = cards.iter().map(|card| card.cause.as_str().len()).max();
    let width = widest.unwrap_or_default();
    let mut text = String::new();
    for owner in Owner::ALL {
        let mut of_owner = cards.iter().filter(|card| card.owner == owner).peekable();
        if of_owner.peek().is_none() {
            continue;
        }
        text.push_str(&format!("{owner}: {}\n", who(owner)));
        for card in of_owner {
            let first = format!("  {:<width$}  ", card.cause.as_str());
            text.push_str(&wrapped(&first, &card.title));
        }
        text.push('\n');
    }
    text.push_str("`probecause explain CAUSE` says how a cause is told and what to do about it.\n");
    text
}

/// One cause with all its rules.
pub(super) fn cause(card: &Card<'_>) -> String {
    let mut text = format!("{}\n", card.cause);
    text.push_str(&wrapped("", &card.title));
    text.push('\n');
    text.push_str(&wrapped(
        "owner      ",
        &format!("{}, {}", card.owner, who(card.owner)),
    ));
    text.push_str(&wrapped(
        "certainty  ",
        &format!("{} at most", card.certainty),
    ));
    if !card.rivals.is_empty() {
        let rivals: Vec<&str> = card.rivals.iter().map(|cause| cause.as_str()).collect();
        text.push_str(&wrapped("rivals     ", &rivals.join(", ")));
    }
    if let Some(see) = &card.see {
        text.push_str(&wrapped("see        ", see));
    }
    text.push_str("\nWhat to do next\n");
    text.push_str(&steps("  - ", &card.next));
    if card.rules.is_empty() {
        return text;
    }
    let order = match card.rules.len() {
        1 => "one rule".to_owned(),
        rules => format!("{rules} rules, the surest first"),
    };
    text.push_str(&format!("\nWhat it looks like: {order}\n"));
    for rule in &card.rules {
        text.push('\n');
        text.push_str(&one_rule(card, rule));
    }
    text
}

/// The facts that rules may ask for.
pub(super) fn facts() -> String {
    let mut text = String::new();
    for info in CATALOGUE {
        text.push_str(&format!("{}\n", info.name));
        text.push_str(&wrapped("    ", info.meaning));
        text.push_str(&wrapped("    ", &kind(info)));
    }
    text
}

fn kind(info: &FactInfo) -> String {
    let kind = match info.kind {
        FactType::Text => "any text".to_owned(),
        FactType::Number => "a number".to_owned(),
        FactType::Word(words) => format!("one of {}", words.join(", ")),
    };
    match info.default {
        Some(default) => format!("{kind}; {default} unless known"),
        None => kind,
    }
}

/// A rule, without what was said of its cause already.
fn one_rule(card: &Card<'_>, rule: &Rule) -> String {
    let head = format!(
        "{} ({}): {} at most, {}",
        rule.id,
        rule.origin,
        rule.certainty,
        basis(rule)
    );
    let mut text = wrapped("  ", &head);
    if rule.title != card.title {
        text.push_str(&wrapped("    ", &rule.title));
    }
    if rule.owner != card.owner {
        text.push_str(&wrapped("    owner  ", rule.owner.as_str()));
    }
    if rule.fallback {
        text.push_str(&wrapped("    only   ", "where no specific rule fits"));
    }
    text.push_str(&wrapped("    when   ", &joined(&rule.when)));
    if (rule.weight - 1.0).abs() > f64::EPSILON {
        text.push_str(&wrapped("    weighs ", &rule.weight.to_string()));
    }
    for factor in &rule.weigh {
        let times = format!("{} times if {}", factor.factor, joined(&factor.when));
        text.push_str(&wrapped("    weighs ", &times));
    }
    for example in &rule.examples {
        text.push_str(&wrapped("    as in  ", &told(example)));
    }
    for counterexample in &rule.counterexamples {
        text.push_str(&wrapped("    not    ", &told(&counterexample.given)));
        text.push_str(&wrapped("           because: ", &counterexample.because));
    }
    if rule.next != card.next {
        text.push_str(&steps("    next   - ", &rule.next));
    }
    if Some(&rule.see) != card.see.as_ref() {
        text.push_str(&wrapped("    see    ", &rule.see));
    }
    text
}

/// A list of steps whose first line begins with `first`, the others under it.
fn steps(first: &str, next: &[String]) -> String {
    let others = format!("{:>1$}", "- ", first.len());
    let firsts = std::iter::once(first).chain(std::iter::repeat(others.as_str()));
    let lines = firsts.zip(next).map(|(first, step)| wrapped(first, step));
    lines.collect()
}

fn joined(conditions: &[Condition]) -> String {
    let words: Vec<String> = conditions.iter().map(ToString::to_string).collect();
    words.join(", ")
}

fn told(facts: &Facts) -> String {
    let told = said(facts).into_iter();
    let told: Vec<String> = told
        .map(|(name, value)| format!("{name}{TIED}={TIED}{value}"))
        .collect();
    told.join(", ")
}
