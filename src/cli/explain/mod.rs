//! `probecause explain`: what a cause means, when it fits, and what to do.
//!
//! Prints the rule book as people and programs read it; it adds nothing of its own.
//! `page` is one cause in a terminal, `markdown` is all of them as a document.

mod markdown;
mod page;

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Exit, Terminal, print, rulebook};
use crate::cause::{CauseId, Owner};
use crate::diagnosis::catalogue::{CATALOGUE, FactInfo, FactType};
use crate::diagnosis::nearest::nearest;
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
    /// Print the page of all causes, config/rules/README.md.
    #[arg(long, conflicts_with_all = ["cause", "facts", "json"])]
    markdown: bool,
    /// A configuration whose own rules (`rules_dir`) are explained too.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One JSON object a line instead of text for people.
    #[arg(long)]
    json: bool,
}

/// Carries the command out.
///
/// # Errors
/// A cause that does not exist, with the nearest one that does; a bad configuration.
pub async fn run(args: Args, _terminal: Terminal) -> Result<Exit, String> {
    let rulebook = rulebook(args.config.as_deref())?;
    let text = match (&args.cause, args.json) {
        (None, _) if args.markdown => markdown::document(&rulebook),
        (None, true) if args.facts => json_facts(),
        (None, false) if args.facts => facts(),
        (None, true) => json_list(&rulebook),
        (None, false) => list(&rulebook),
        (Some(cause), true) => format!("{}\n", json_one(&rulebook, cause)?),
        (Some(cause), false) => {
            page::of(&rulebook, cause).ok_or_else(|| unknown(&rulebook, cause))?
        }
    };
    print(&text)?;
    Ok(Exit::Fine)
}

/// Every cause, by who acts on it.
fn list(rulebook: &Rulebook) -> String {
    let last = unexplained();
    let mut text = String::new();
    for owner in Owner::ALL {
        let known = rulebook.causes().filter(|rule| rule.owner == owner);
        let mut lines: Vec<(&str, &str)> = known
            .map(|rule| (rule.cause.as_str(), rule.title.as_str()))
            .collect();
        if last.owner == owner {
            lines.push((last.cause.as_str(), &last.title));
        }
        if !lines.is_empty() {
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{owner} acts:");
        }
        for (cause, title) in lines {
            let _ = writeln!(text, "  {cause:<29} {title}");
        }
    }
    text.push_str("\n`probecause explain CAUSE` tells the rest.\n");
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
        "rule": rule.id.as_str(),
        "origin": rule.origin.to_string(),
        "examples": rule.examples.iter().map(page::told).collect::<Vec<_>>(),
        "counterexamples": rule.counterexamples.iter().map(|one| json!({
            "given": page::told(&one.given),
            "because": one.because,
        })).collect::<Vec<_>>(),
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
        "rule": null,
        "origin": null,
        "examples": [],
        "counterexamples": [],
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

fn facts() -> String {
    let mut text = String::new();
    for info in CATALOGUE {
        let _ = writeln!(text, "{}\n  {}\n  {}", info.name, kind(info), info.meaning);
    }
    text
}

fn json_facts() -> String {
    let mut text = String::new();
    for info in CATALOGUE {
        let fact = json!({
            "fact": info.name,
            "type": kind(info),
            "default": info.default,
            "meaning": info.meaning,
        });
        let _ = writeln!(text, "{fact}");
    }
    text
}

/// What a fact can be, in words.
fn kind(info: &FactInfo) -> String {
    match info.kind {
        FactType::Text => "text".to_owned(),
        FactType::Number => "number".to_owned(),
        FactType::Word(words) => words.join(" | "),
    }
}

fn unknown(rulebook: &Rulebook, cause: &str) -> String {
    let known = rulebook.causes().map(|rule| rule.cause.as_str());
    let hint =
        nearest(cause, known).map_or_else(String::new, |id| format!(": did you mean `{id}`?"));
    format!("there is no cause `{cause}`{hint} (`probecause explain` lists them all)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_cause_is_answered_with_the_nearest() {
        let book = Rulebook::embedded().unwrap();
        insta::assert_snapshot!(unknown(&book, "lambda-throtled"), @"there is no cause `lambda-throtled`: did you mean `lambda-throttled`? (`probecause explain` lists them all)");
    }

    #[test]
    fn all_causes_are_listed_and_fit_a_terminal() {
        let text = list(&Rulebook::embedded().unwrap());
        let wide = text.lines().find(|line| line.chars().count() > 112);
        assert_eq!(wide, None);
        insta::assert_snapshot!("list", text);
    }

    #[test]
    fn a_cause_is_explained_with_every_rule_that_names_it() {
        let book = Rulebook::embedded().unwrap();
        let text = page::of(&book, "lambda-throttled").unwrap();
        insta::assert_snapshot!("lambda_throttled", text);
        assert_eq!(page::of(&book, "no-such-cause"), None);
    }
}
