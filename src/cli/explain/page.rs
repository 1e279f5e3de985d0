//! One cause in a terminal: what it means first, then each rule that names it.

use std::fmt::Write as _;

use super::rivals;
use crate::cause::CauseId;
use crate::diagnosis::condition::Condition;
use crate::diagnosis::fact::Facts;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::rulebook::{Rulebook, unexplained};

/// Everything about one cause; `None`: no rule names it.
pub(super) fn of(rulebook: &Rulebook, cause: &str) -> Option<String> {
    if cause == CauseId::unexplained().as_str() {
        let verdict = unexplained();
        let mut text = format!("{}\n{}\n\n", verdict.cause, verdict.title);
        let _ = writeln!(
            text,
            "owner: {}\ncertainty: at most possible",
            verdict.owner
        );
        steps(&mut text, &verdict.next);
        return Some(text);
    }
    let main = rulebook
        .causes()
        .find(|rule| rule.cause.as_str() == cause)?;
    let mut text = format!("{}\n{}\n\n", main.cause, main.title);
    let rules: Vec<&Rule> = rulebook
        .rules()
        .filter(|rule| rule.cause == main.cause)
        .collect();
    let most = rules.iter().map(|rule| rule.certainty).max();
    let _ = writeln!(text, "owner: {}", main.owner);
    if let Some(most) = most {
        let _ = writeln!(text, "certainty: at most {most}");
    }
    let rivals = rivals(rulebook, main);
    if !rivals.is_empty() {
        let _ = writeln!(text, "rivals: {}", rivals.join(", "));
    }
    steps(&mut text, &main.next);
    for rule in rules {
        describe(&mut text, rule, main);
    }
    Some(text)
}

fn describe(text: &mut String, rule: &Rule, main: &Rule) {
    let _ = writeln!(
        text,
        "\nrule {} ({}): at most {}, {}",
        rule.id,
        rule.origin,
        rule.certainty,
        basis(rule)
    );
    if rule.title != main.title {
        let _ = writeln!(text, "  {}", rule.title);
    }
    let order = if rule.fallback {
        "fits when no specific rule does, and"
    } else {
        "fits when"
    };
    let _ = writeln!(text, "  {order}");
    for condition in &rule.when {
        let _ = writeln!(text, "    {condition}");
    }
    for factor in &rule.weigh {
        let _ = writeln!(
            text,
            "  weighs {} times when {}",
            factor.factor,
            joined(&factor.when)
        );
    }
    for example in &rule.examples {
        let _ = writeln!(text, "  example: {}", told(example));
    }
    for counterexample in &rule.counterexamples {
        let _ = writeln!(
            text,
            "  not: {}\n    {}",
            told(&counterexample.given),
            counterexample.because
        );
    }
    if rule.next != main.next {
        for step in &rule.next {
            let _ = writeln!(text, "  next: {step}");
        }
    }
    let _ = writeln!(text, "  see: {}", rule.see);
}

/// What a rule looks at: the answer alone, or what AWS says of it.
pub(super) fn basis(rule: &Rule) -> &'static str {
    let asks = |prefix: &str| rule.when.iter().any(|one| one.fact.starts_with(prefix));
    if asks("log.") {
        "by AWS's log"
    } else if ["lambda.", "api.", "window."].iter().any(|one| asks(one)) {
        "by AWS's metrics"
    } else {
        "seen from outside"
    }
}

fn steps(text: &mut String, next: &[String]) {
    let _ = writeln!(text, "\nnext:");
    for step in next {
        let _ = writeln!(text, "  - {step}");
    }
}

/// Facts without those that only hold their default.
pub(super) fn told(facts: &Facts) -> String {
    let defaults = Facts::defaults();
    facts
        .iter()
        .filter(|(name, value)| defaults.get(name) != Some(value))
        .map(|(name, value)| format!("{name} = {value}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Conditions in one line.
pub(super) fn joined(conditions: &[Condition]) -> String {
    let words: Vec<String> = conditions.iter().map(ToString::to_string).collect();
    words.join(" and ")
}
