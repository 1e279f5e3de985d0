//! The page of all causes in Markdown: `config/rules/README.md`.
//!
//! It names no line of a rule file, so that a comment added there does not change it.

use std::fmt::Write as _;

use super::authors;
use super::card::{Card, basis, said, who};
use crate::domain::diagnosis::condition::{Condition, Test};
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::rule::Rule;
use crate::model::cause::{CauseId, Owner};

const HEAD: &str = "<!-- Generated: do not edit. After a change of rules or facts, write it anew by
     `cargo run -- explain --markdown > config/rules/README.md`. A test compares the two. -->

# What failures are called, and why

Probecause names the probable cause of a failing endpoint. This page lists every cause it
knows, how each is told from the others, and what to do about it; then it says how to
[write rules of your own](#write-your-own-rules).

A *rule* says what a cause looks like: *facts* about the failed request, all of which must
hold. Of all rules that fit, each cause counts with its heaviest one. A cause's share is
this weight over the sum of all causes'; the cause with the largest share leads. Where
nothing fits, rules marked as a fallback are looked at, and after them the cause is
`unexplained`: never a wrong name.

How sure a verdict is says its certainty. A rule states the most it can earn; a leader
with less than nine tenths of the shares is only `possible`, whatever its rule says.

| certainty | what stands behind it |
| --- | --- |
| `possible` | several causes fit; the leading one is the best guess |
| `likely` | seen from outside, and all rivals together hold at most a tenth |
| `corroborated` | the platform's own metrics, of the time of the request, agree |
| `proven` | a statement about this very request or connection |
";

/// The whole page.
pub(super) fn page(cards: &[Card<'_>]) -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## All causes\n");
    for owner in Owner::ALL {
        let of_owner: Vec<&Card<'_>> = cards.iter().filter(|card| card.owner == owner).collect();
        if !of_owner.is_empty() {
            overview(&mut page, owner, &of_owner);
        }
    }
    page.push_str("\n## Each cause\n");
    for card in cards {
        section(&mut page, card);
    }
    page.push('\n');
    authors::write(&mut page);
    page
}

fn overview(page: &mut String, owner: Owner, cards: &[&Card<'_>]) {
    let _ = write!(
        page,
        "\n### Owner: {owner}\n\n{}.\n\n",
        sentence(who(owner))
    );
    page.push_str("| cause | at most | what it means |\n| --- | --- | --- |\n");
    for card in cards {
        let (link, certainty, title) = (link(&card.cause), card.certainty, &card.title);
        let _ = writeln!(page, "| {link} | {certainty} | {title} |");
    }
}

fn section(page: &mut String, card: &Card<'_>) {
    let _ = write!(page, "\n### {}\n\n{}.\n\n", card.cause, card.title);
    let _ = writeln!(page, "- Owner: {}, {}", card.owner, who(card.owner));
    let _ = writeln!(page, "- Certainty: {} at most", card.certainty);
    if !card.rivals.is_empty() {
        let rivals: Vec<String> = card.rivals.iter().map(link).collect();
        let _ = writeln!(page, "- Rivals: {}", rivals.join(", "));
    }
    if let Some(see) = &card.see {
        let _ = writeln!(page, "- Source: <{see}>");
    }
    page.push_str("\nWhat to do next:\n\n");
    for step in &card.next {
        let _ = writeln!(page, "1. {step}");
    }
    if card.rules.is_empty() {
        return;
    }
    page.push_str("\nWhat it looks like:\n\n");
    for rule in &card.rules {
        signature(page, card, rule);
    }
    page.push_str("\n<details><summary>Examples and counterexamples</summary>\n\n");
    for rule in &card.rules {
        examples(page, rule);
    }
    page.push_str("\n</details>\n");
}

fn signature(page: &mut String, card: &Card<'_>, rule: &Rule) {
    let file = if rule.origin.embedded {
        format!("[{0}]({0})", rule.origin.file)
    } else {
        format!("`{}`", rule.origin.file)
    };
    let _ = writeln!(
        page,
        "- `{}` ({file}): {} at most, {}",
        rule.id,
        rule.certainty,
        basis(rule)
    );
    if rule.title != card.title {
        let _ = writeln!(page, "  - {}", rule.title);
    }
    if rule.fallback {
        page.push_str("  - only where no specific rule fits\n");
    }
    let _ = writeln!(page, "  - when {}", joined(&rule.when));
    let mut weighs = Vec::new();
    if (rule.weight - 1.0).abs() > f64::EPSILON {
        weighs.push(rule.weight.to_string());
    }
    for factor in &rule.weigh {
        weighs.push(format!(
            "{} times if {}",
            factor.factor,
            joined(&factor.when)
        ));
    }
    if !weighs.is_empty() {
        let _ = writeln!(page, "  - weighs {}", weighs.join("; "));
    }
    if rule.next != card.next {
        let _ = writeln!(page, "  - next: {}", rule.next.join(" "));
    }
    if Some(&rule.see) != card.see.as_ref() {
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

/// Conditions with everything that is written in a rule set as code.
fn joined(conditions: &[Condition]) -> String {
    let all: Vec<String> = conditions.iter().map(marked).collect();
    all.join(", ")
}

fn marked(condition: &Condition) -> String {
    let fact = format!("`{}`", condition.fact);
    match &condition.test {
        Test::OneOf(values) => {
            let words: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
            format!("{fact} is {}", words.join(" or "))
        }
        Test::Glob(glob) => format!("{fact} looks like `{glob}`"),
        // Numbers and presence read as they are.
        Test::Range { .. } | Test::Present(_) => {
            condition.to_string().replacen(&condition.fact, &fact, 1)
        }
    }
}

fn given(facts: &Facts) -> String {
    let all = said(facts).into_iter();
    let all: Vec<String> = all
        .map(|(name, value)| format!("`{name} = {value}`"))
        .collect();
    all.join(", ")
}

fn link(cause: &CauseId) -> String {
    format!("[{cause}](#{cause})")
}

/// With a capital first letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
