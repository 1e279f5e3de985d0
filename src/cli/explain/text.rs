//! Formats causes and facts as text for a terminal of 80 columns.

use super::summary::{CauseSummary, basis, describe_hop, describe_owner, non_default};
use super::wrap::{NO_BREAK_SPACE, wrap_text};
use crate::domain::diagnosis::catalog::{CATALOG, FactInfo, FactType};
use crate::domain::diagnosis::condition::Condition;
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::rule::Rule;
use crate::model::cause::{Hop, Owner};

/// Total length of a fact's name and value, in bytes, at which a line may be broken between the
/// name and the value. A shorter name and value are kept on the same line.
const MAX_UNBROKEN: usize = 60;

/// Lists every cause with its title, grouped by owner.
pub(super) fn list(summaries: &[CauseSummary<'_>]) -> String {
    let widest = summaries
        .iter()
        .map(|summary| summary.cause.as_str().len())
        .max();
    let width = widest.unwrap_or_default();
    let mut text = String::new();
    for owner in Owner::ALL {
        let of_owner = summaries.iter().filter(|summary| summary.owner == owner);
        let mut of_owner = of_owner.peekable();
        if of_owner.peek().is_none() {
            continue;
        }
        text.push_str(&format!("{owner}: {}\n", describe_owner(owner)));
        for summary in of_owner {
            let first = format!("  {:<width$}  ", summary.cause.as_str());
            text.push_str(&wrap_text(&first, &summary.title));
        }
        text.push('\n');
    }
    text.push_str(
        "`probecause explain CAUSE` explains how a cause is recognized and what to do.\n",
    );
    text
}

/// Describes a cause: its meaning, the next steps, and the titles of its rules.
pub(super) fn cause(summary: &CauseSummary<'_>) -> String {
    let mut text = meaning(summary);
    if summary.rules.is_empty() {
        return text;
    }
    text.push_str(&titles(&summary.rules));
    text.push('\n');
    text.push_str(&wrap_text(
        "",
        &format!(
            "`probecause explain --verbose {}` prints the conditions, the examples and the next \
             steps of each rule.",
            summary.cause
        ),
    ));
    text
}

/// Describes a cause like [`cause`], but with all its rules in full.
pub(super) fn cause_with_rules(summary: &CauseSummary<'_>) -> String {
    let mut text = meaning(summary);
    for rule in &summary.rules {
        text.push('\n');
        text.push_str(&one_rule(summary, rule));
    }
    text
}

/// Describes a cause up to and including the heading of its rules. A cause without rules has no
/// such heading.
fn meaning(summary: &CauseSummary<'_>) -> String {
    let mut text = format!("{}\n", summary.cause);
    text.push_str(&wrap_text("", &summary.title));
    text.push('\n');
    text.push_str(&wrap_text(
        "owner      ",
        &format!("{}, {}", summary.owner, describe_owner(summary.owner)),
    ));
    if let Some(hop) = summary.hop {
        text.push_str(&wrap_text(
            "hop        ",
            &format!("{hop}, {}", describe_hop(hop)),
        ));
    }
    text.push_str(&wrap_text(
        "certainty  ",
        &format!("up to {}", summary.certainty),
    ));
    if !summary.rivals.is_empty() {
        let rivals: Vec<&str> = summary.rivals.iter().map(|cause| cause.as_str()).collect();
        text.push_str(&wrap_text("rivals     ", &rivals.join(", ")));
    }
    if let Some(see) = &summary.see {
        text.push_str(&wrap_text("see        ", see));
    }
    text.push_str("\nNext steps\n");
    text.push_str(&steps("  - ", &summary.next));
    if summary.rules.is_empty() {
        return text;
    }
    let order = match summary.rules.len() {
        1 => "1 rule".to_owned(),
        rules => format!("{rules} rules, the highest certainty first"),
    };
    text.push_str(&format!("\nHow it is recognized: {order}\n"));
    text
}

/// Lists the distinct titles of the rules. Each line contains the id of the first rule with the
/// title and, if several rules have the title, their number.
fn titles(rules: &[&Rule]) -> String {
    let mut groups: Vec<(&Rule, usize)> = Vec::new();
    for &rule in rules {
        let known = groups
            .iter_mut()
            .find(|(first, _)| first.title == rule.title);
        if let Some((_, count)) = known {
            *count += 1;
        } else {
            groups.push((rule, 1));
        }
    }
    let widest = groups.iter().map(|(rule, _)| rule.id.as_str().len()).max();
    let width = widest.unwrap_or_default();
    let mut text = String::new();
    for (rule, count) in groups {
        let first = format!("  {:<width$}  ", rule.id.as_str());
        let title = match count {
            1 => rule.title.clone(),
            count => format!("{} ({count} rules)", rule.title),
        };
        text.push_str(&wrap_text(&first, &title));
    }
    text
}

/// Lists the facts that rules may test.
pub(super) fn facts() -> String {
    let mut text = String::new();
    for info in CATALOG {
        text.push_str(&format!("{}\n", info.name));
        text.push_str(&wrap_text("    ", info.meaning));
        text.push_str(&wrap_text("    ", &kind(info)));
    }
    text
}

fn kind(info: &FactInfo) -> String {
    let kind = match info.kind {
        FactType::Text => "any text".to_owned(),
        FactType::Number => "a number".to_owned(),
        FactType::Scalar => "any text or number".to_owned(),
        FactType::Word(words) => format!("one of {}", words.join(", ")),
    };
    match info.default {
        Some(default) => format!("{kind}; default {default}"),
        None => kind,
    }
}

/// Describes a rule. Parts that are the same as in the summary of the cause are omitted.
fn one_rule(summary: &CauseSummary<'_>, rule: &Rule) -> String {
    let head = format!(
        "{} ({}): up to {}, {}",
        rule.id,
        rule.origin,
        rule.certainty,
        basis(rule)
    );
    let mut text = wrap_text("  ", &head);
    if rule.title != summary.title {
        text.push_str(&wrap_text("    ", &rule.title));
    }
    if rule.owner != summary.owner {
        text.push_str(&wrap_text("    owner    ", rule.owner.as_str()));
    }
    if rule.hop != summary.hop {
        let hop = rule.hop.map_or("not known", Hop::as_str);
        text.push_str(&wrap_text("    hop      ", hop));
    }
    if rule.fallback {
        text.push_str(&wrap_text(
            "    fallback ",
            "used only if no ordinary rule matches",
        ));
    }
    text.push_str(&wrap_text("    when     ", &format_conditions(&rule.when)));
    if (rule.weight - 1.0).abs() > f64::EPSILON {
        text.push_str(&wrap_text("    weight   ", &rule.weight.to_string()));
    }
    for factor in &rule.weigh {
        let factor = format!("{} if {}", factor.factor, format_conditions(&factor.when));
        text.push_str(&wrap_text("    factor   ", &factor));
    }
    for example in &rule.examples {
        text.push_str(&wrap_text("    example  ", &given(example)));
    }
    for counterexample in &rule.counterexamples {
        text.push_str(&wrap_text("    not      ", &given(&counterexample.given)));
        text.push_str(&wrap_text(
            "             because: ",
            &counterexample.because,
        ));
    }
    if rule.next != summary.next {
        text.push_str(&steps("    next     - ", &rule.next));
    }
    if Some(&rule.see) != summary.see.as_ref() {
        text.push_str(&wrap_text("    see      ", &rule.see));
    }
    text
}

/// Formats steps as a list. The first line begins with `first`, and the other steps are aligned
/// with the first step.
fn steps(first: &str, next: &[String]) -> String {
    let others = format!("{:>1$}", "- ", first.len());
    let firsts = std::iter::once(first).chain(std::iter::repeat(others.as_str()));
    let lines = firsts.zip(next).map(|(first, step)| wrap_text(first, step));
    lines.collect()
}

fn format_conditions(conditions: &[Condition]) -> String {
    let words: Vec<String> = conditions.iter().map(ToString::to_string).collect();
    words.join(", ")
}

fn given(facts: &Facts) -> String {
    let facts = non_default(facts).into_iter();
    let facts: Vec<String> = facts
        .map(|(name, value)| {
            let is_short = name.len() + value.len() < MAX_UNBROKEN;
            let space = if is_short { NO_BREAK_SPACE } else { " " };
            format!("{name}{space}={space}{value}")
        })
        .collect();
    facts.join(", ")
}
