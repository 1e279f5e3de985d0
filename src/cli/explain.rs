//! `probecause explain`: what a cause means, when it fits, and what to do.
//!
//! Prints the rule book as people and programs read it; it adds nothing of its own.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Exit, Terminal, print};
use crate::cause::CauseId;
use crate::diagnosis::catalogue::{CATALOGUE, FactType};
use crate::diagnosis::condition::Condition;
use crate::diagnosis::fact::Facts;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::rulebook::{Rulebook, unexplained};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The cause to explain; all are listed without it.
    cause: Option<String>,
    /// List the facts that rules may ask for.
    #[arg(long, conflicts_with = "cause")]
    facts: bool,
    /// One JSON object a line instead of text for people.
    #[arg(long)]
    json: bool,
}

/// Carries the command out.
///
/// # Errors
/// A cause that does not exist, with the nearest one that does.
pub async fn run(args: Args, _terminal: Terminal) -> Result<Exit, String> {
    let rulebook = Rulebook::embedded().map_err(|error| error.to_string())?;
    let text = match (&args.cause, args.facts, args.json) {
        (None, true, _) => facts(),
        (None, false, true) => json_list(&rulebook),
        (None, false, false) => list(&rulebook),
        (Some(cause), _, true) => format!("{}\n", json_one(&rulebook, cause)?),
        (Some(cause), _, false) => one(&rulebook, cause)?,
    };
    print(&text)?;
    Ok(Exit::Fine)
}

fn list(rulebook: &Rulebook) -> String {
    let mut text = String::new();
    for rule in rulebook.causes() {
        let (cause, owner) = (rule.cause.as_str(), rule.owner.as_str());
        let _ = writeln!(text, "{cause:<29} {owner:<9} {}", rule.title);
    }
    let last = unexplained();
    let (cause, owner) = (last.cause.as_str(), last.owner.as_str());
    let _ = writeln!(text, "{cause:<29} {owner:<9} {}", last.title);
    text
}

fn json_list(rulebook: &Rulebook) -> String {
    let mut text = String::new();
    for rule in rulebook.causes() {
        let _ = writeln!(text, "{}", object(rulebook, rule));
    }
    let _ = writeln!(text, "{}", unexplained_object());
    text
}

fn one(rulebook: &Rulebook, cause: &str) -> Result<String, String> {
    if cause == CauseId::unexplained().as_str() {
        let verdict = unexplained();
        let mut text = format!("{}\n{}\n\n", verdict.cause, verdict.title);
        let _ = writeln!(
            text,
            "owner: {}\ncertainty: at most possible",
            verdict.owner
        );
        steps(&mut text, &verdict.next);
        return Ok(text);
    }
    let mut text = String::new();
    for rule in rulebook.rules().filter(|rule| rule.cause.as_str() == cause) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&page(rulebook, rule));
    }
    if text.is_empty() {
        return Err(unknown(rulebook, cause));
    }
    Ok(text)
}

fn page(rulebook: &Rulebook, rule: &Rule) -> String {
    let mut text = format!("{}\n{}\n\n", rule.cause, rule.title);
    let _ = writeln!(
        text,
        "owner: {}\ncertainty: at most {}, seen from outside",
        rule.owner, rule.certainty
    );
    let order = if rule.fallback {
        "fits when no specific rule does, and:"
    } else {
        "fits when:"
    };
    let _ = writeln!(text, "\n{order}");
    for condition in &rule.when {
        let _ = writeln!(text, "  {condition}");
    }
    for factor in &rule.weigh {
        let _ = writeln!(
            text,
            "  weighs {} times when {}",
            factor.factor,
            joined(&factor.when)
        );
    }
    let rivals = rivals(rulebook, rule);
    if !rivals.is_empty() {
        let _ = writeln!(text, "\nrivals: {}", rivals.join(", "));
    }
    steps(&mut text, &rule.next);
    let _ = writeln!(text, "\nexamples:");
    for example in &rule.examples {
        let _ = writeln!(text, "  {}", told(example));
    }
    let _ = writeln!(text, "\nnot:");
    for counterexample in &rule.counterexamples {
        let _ = writeln!(
            text,
            "  {}\n    {}",
            told(&counterexample.given),
            counterexample.because
        );
    }
    let _ = writeln!(text, "\nsee: {}", rule.see);
    text
}

fn steps(text: &mut String, next: &[String]) {
    let _ = writeln!(text, "\nnext:");
    for step in next {
        let _ = writeln!(text, "  - {step}");
    }
}

fn json_one(rulebook: &Rulebook, cause: &str) -> Result<Value, String> {
    if cause == CauseId::unexplained().as_str() {
        return Ok(unexplained_object());
    }
    rulebook
        .causes()
        .find(|rule| rule.cause.as_str() == cause)
        .map(|rule| object(rulebook, rule))
        .ok_or_else(|| unknown(rulebook, cause))
}

fn object(rulebook: &Rulebook, rule: &Rule) -> Value {
    json!({
        "cause": rule.cause.as_str(),
        "title": rule.title,
        "owner": rule.owner.as_str(),
        "certainty": rule.certainty.as_str(),
        "when": rule.when.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "rivals": rivals(rulebook, rule),
        "next": rule.next,
        "see": rule.see,
    })
}

fn unexplained_object() -> Value {
    let verdict = unexplained();
    json!({
        "cause": verdict.cause.as_str(),
        "title": verdict.title,
        "owner": verdict.owner.as_str(),
        "certainty": verdict.certainty.as_str(),
        "when": [],
        "rivals": [],
        "next": verdict.next,
        "see": null,
    })
}

/// The causes that also fit an example of this rule.
fn rivals(rulebook: &Rulebook, rule: &Rule) -> Vec<String> {
    let mut rivals: Vec<String> = Vec::new();
    for example in &rule.examples {
        let diagnosis = rulebook.diagnose(example);
        for candidate in diagnosis
            .verdict
            .iter()
            .flat_map(|verdict| &verdict.candidates)
        {
            let name = candidate.cause.to_string();
            if candidate.cause != rule.cause && !rivals.contains(&name) {
                rivals.push(name);
            }
        }
    }
    rivals
}

/// Facts without those that only hold their default.
fn told(facts: &Facts) -> String {
    let defaults = Facts::defaults();
    facts
        .iter()
        .filter(|(name, value)| defaults.get(name) != Some(value))
        .map(|(name, value)| format!("{name} = {value}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn joined(conditions: &[Condition]) -> String {
    let words: Vec<String> = conditions.iter().map(ToString::to_string).collect();
    words.join(" and ")
}

fn facts() -> String {
    let mut text = String::new();
    for info in CATALOGUE {
        let kind = match info.kind {
            FactType::Text => "text".to_owned(),
            FactType::Number => "number".to_owned(),
            FactType::Word(words) => words.join(" | "),
        };
        let _ = writeln!(text, "{}\n  {kind}\n  {}", info.name, info.meaning);
    }
    text
}

fn unknown(rulebook: &Rulebook, cause: &str) -> String {
    let nearest = rulebook
        .causes()
        .map(|rule| rule.cause.as_str())
        .min_by_key(|id| distance(id, cause));
    let hint = nearest.map_or_else(String::new, |id| format!(": did you mean `{id}`?"));
    format!("there is no cause `{cause}`{hint} (`probecause explain` lists them all)")
}

/// Levenshtein's distance: how many letters to change, add or drop.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, candidate) in other.chars().enumerate() {
            let replaced = diagonal + usize::from(letter != candidate);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_cause_is_answered_with_the_nearest() {
        let book = Rulebook::embedded().unwrap();
        insta::assert_snapshot!(one(&book, "lambda-throtled").unwrap_err(), @"there is no cause `lambda-throtled`: did you mean `lambda-throttled`? (`probecause explain` lists them all)");
    }

    #[test]
    fn all_causes_are_listed() {
        insta::assert_snapshot!("list", list(&Rulebook::embedded().unwrap()));
    }

    #[test]
    fn a_cause_is_explained_with_its_rule() {
        let book = Rulebook::embedded().unwrap();
        insta::assert_snapshot!("lambda_throttled", one(&book, "lambda-throttled").unwrap());
    }
}
