//! Formats all causes as a Markdown page, `config/rules/README.md`.
//!
//! The page contains no line numbers of rule files, so that a new comment in a rule file does
//! not change the page.

use std::fmt::Write as _;

use super::guide;
use super::summary::{CauseSummary, basis, describe_hop, describe_owner, non_default};
use crate::domain::diagnosis::condition::{Condition, Test};
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::rule::Rule;
use crate::model::cause::{CauseId, Owner};

const HEAD: &str =
    "<!-- Generated: do not edit. After a change to rules or facts, regenerate this page with
     `cargo run -- explain --markdown > config/rules/README.md`. A test compares the page with
     the output. -->

# Causes and rules

Probecause names the probable cause of a failing endpoint. This page lists every cause, how
it is recognized, and what to do about it. It also explains how to
[write your own rules](#write-your-own-rules).

A *rule* lists conditions on *facts* about the failed request. The rule matches if all conditions
hold. If several rules with the same cause match, the one with the largest weight counts. The
share of a cause is this weight divided by the sum of the weights of all causes. The cause with
the largest share is the probable cause. If no rule matches, rules marked as a fallback are tried.
If none of them matches either, the cause is `unexplained`.

The certainty states how reliable a verdict is. Each rule states the highest certainty that it
can reach. A probable cause with a share of less than 90 % is always `possible`.

| certainty | meaning |
| --- | --- |
| `possible` | several causes match; the probable cause has the largest share |
| `likely` | inferred from outside; all other causes together have a share of at most 10 % |
| `corroborated` | confirmed by metrics or logs of the platform, or by requests through the \
     target's layers |
| `proven` | stated by the platform or the protocol for this exact request or connection, or \
     shown by metrics of a time window in which only the prober sent requests |
";

/// Formats the whole Markdown page of causes and rules.
pub(super) fn page(summaries: &[CauseSummary<'_>]) -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## All causes\n");
    for owner in Owner::ALL {
        let of_owner = summaries.iter().filter(|summary| summary.owner == owner);
        let of_owner: Vec<&CauseSummary<'_>> = of_owner.collect();
        if !of_owner.is_empty() {
            overview(&mut page, owner, &of_owner);
        }
    }
    page.push_str("\n## Each cause\n");
    for summary in summaries {
        section(&mut page, summary);
    }
    page.push('\n');
    guide::write(&mut page);
    page
}

fn overview(page: &mut String, owner: Owner, summaries: &[&CauseSummary<'_>]) {
    let _ = write!(
        page,
        "\n### Owner: {owner}\n\n{}.\n\n",
        sentence(describe_owner(owner))
    );
    page.push_str("| cause | highest certainty | meaning |\n| --- | --- | --- |\n");
    for summary in summaries {
        let (link, certainty, title) = (link(&summary.cause), summary.certainty, &summary.title);
        let _ = writeln!(page, "| {link} | {certainty} | {title} |");
    }
}

fn section(page: &mut String, summary: &CauseSummary<'_>) {
    let _ = write!(page, "\n### {}\n\n{}.\n\n", summary.cause, summary.title);
    let _ = writeln!(
        page,
        "- Owner: {}, {}",
        summary.owner,
        describe_owner(summary.owner)
    );
    if let Some(hop) = summary.hop {
        let _ = writeln!(page, "- Hop: {hop}, {}", describe_hop(hop));
    }
    let _ = writeln!(page, "- Certainty: up to {}", summary.certainty);
    if !summary.rivals.is_empty() {
        let rivals: Vec<String> = summary.rivals.iter().map(link).collect();
        let _ = writeln!(page, "- Rivals: {}", rivals.join(", "));
    }
    if let Some(see) = &summary.see {
        let _ = writeln!(page, "- Source: <{see}>");
    }
    page.push_str("\nNext steps:\n\n");
    for step in &summary.next {
        let _ = writeln!(page, "1. {step}");
    }
    if summary.rules.is_empty() {
        return;
    }
    page.push_str("\nHow it is recognized:\n\n");
    for rule in &summary.rules {
        signature(page, summary, rule);
    }
    page.push_str("\n<details><summary>Examples and counterexamples</summary>\n\n");
    for rule in &summary.rules {
        examples(page, rule);
    }
    page.push_str("\n</details>\n");
}

fn signature(page: &mut String, summary: &CauseSummary<'_>, rule: &Rule) {
    let file = if rule.origin.embedded {
        format!("[{0}]({0})", rule.origin.file)
    } else {
        format!("`{}`", rule.origin.file)
    };
    let _ = writeln!(
        page,
        "- `{}` ({file}): up to {}, {}",
        rule.id,
        rule.certainty,
        basis(rule)
    );
    if rule.title != summary.title {
        let _ = writeln!(page, "  - {}", rule.title);
    }
    if rule.fallback {
        page.push_str("  - fallback: used only if no ordinary rule matches\n");
    }
    let _ = writeln!(page, "  - when {}", format_conditions(&rule.when));
    let mut weights = Vec::new();
    if (rule.weight - 1.0).abs() > f64::EPSILON {
        weights.push(rule.weight.to_string());
    }
    for factor in &rule.weigh {
        weights.push(format!(
            "factor {} if {}",
            factor.factor,
            format_conditions(&factor.when)
        ));
    }
    if !weights.is_empty() {
        let _ = writeln!(page, "  - weight: {}", weights.join("; "));
    }
    if rule.next != summary.next {
        let _ = writeln!(page, "  - next: {}", rule.next.join(" "));
    }
    if Some(&rule.see) != summary.see.as_ref() {
        let _ = writeln!(page, "  - source: <{}>", rule.see);
    }
}

fn examples(page: &mut String, rule: &Rule) {
    for example in &rule.examples {
        let _ = writeln!(page, "- `{}`: {}", rule.id, given(example));
    }
    for counterexample in &rule.counterexamples {
        let (given, because) = (given(&counterexample.given), &counterexample.because);
        let _ = writeln!(page, "- not `{}`: {given}. {because}", rule.id);
    }
}

/// Formats conditions as a list separated by commas, with the names of the facts as code.
fn format_conditions(conditions: &[Condition]) -> String {
    let all: Vec<String> = conditions.iter().map(format_condition).collect();
    all.join(", ")
}

fn format_condition(condition: &Condition) -> String {
    let fact = format!("`{}`", condition.fact);
    match &condition.test {
        Test::OneOf(values) => {
            let words: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
            format!("{fact} is {}", words.join(" or "))
        }
        Test::Glob(glob) => format!("{fact} matches `{glob}`"),
        Test::Range { .. } | Test::Present(_) => {
            condition.to_string().replacen(&condition.fact, &fact, 1)
        }
    }
}

fn given(facts: &Facts) -> String {
    let all = non_default(facts).into_iter();
    let all: Vec<String> = all
        .map(|(name, value)| format!("`{name} = {value}`"))
        .collect();
    all.join(", ")
}

fn link(cause: &CauseId) -> String {
    format!("[{cause}](#{cause})")
}

/// Capitalizes the first letter of a text.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
