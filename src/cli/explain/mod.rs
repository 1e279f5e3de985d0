//! `probecause explain`: prints what a cause means, how it is recognized, and what to do, or lists
//! all causes or facts.
//!
//! The output is text, JSON, or Markdown. Without `--verbose`, the text describes each rule of a
//! cause only by its title, because some causes have dozens of rules.

mod guide;
mod json;
mod markdown;
mod summary;
mod text;
mod wrap;

use super::rules::RulesArgs;
use super::{Exit, Terminal, print};
use crate::domain::diagnosis::catalog::CATALOG;
use crate::domain::diagnosis::nearest::nearest;
use summary::{CauseSummary, summaries};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The cause to explain. Without this argument, all causes are listed.
    cause: Option<String>,
    /// Also print the conditions, examples and next steps of each rule of the cause.
    #[arg(long, requires = "cause", conflicts_with = "json")]
    verbose: bool,
    /// List the facts that rules may test.
    #[arg(long, conflicts_with = "cause")]
    facts: bool,
    /// Print all causes as a Markdown page, with a guide to writing rules.
    #[arg(long, conflicts_with_all = ["cause", "facts", "json"])]
    markdown: bool,
    /// Print one JSON object per line instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rules: RulesArgs,
}

/// Runs `probecause explain`.
///
/// # Errors
/// Returns an error if the cause is unknown, the custom rules are invalid, or standard output
/// cannot be written.
pub async fn run(args: Args, _terminal: Terminal) -> Result<Exit, String> {
    let rulebook = args.rules.rulebook()?;
    let summaries = summaries(&rulebook);
    let lines = |values: Vec<serde_json::Value>| -> String {
        values.iter().map(|value| format!("{value}\n")).collect()
    };
    let text = match &args.cause {
        Some(cause) => {
            let summary = find(&summaries, cause)?;
            if args.json {
                lines(vec![json::cause(summary)])
            } else if args.verbose {
                text::cause_with_rules(summary)
            } else {
                text::cause(summary)
            }
        }
        None if args.markdown => markdown::page(&summaries),
        None if args.facts && args.json => lines(CATALOG.iter().map(json::fact).collect()),
        None if args.facts => text::facts(),
        None if args.json => lines(summaries.iter().map(json::cause).collect()),
        None => text::list(&summaries),
    };
    print(&text)?;
    Ok(Exit::Fine)
}

fn find<'a, 'b>(
    summaries: &'a [CauseSummary<'b>],
    cause: &str,
) -> Result<&'a CauseSummary<'b>, String> {
    let found = summaries
        .iter()
        .find(|summary| summary.cause.as_str() == cause);
    found.ok_or_else(|| {
        let causes = summaries.iter().map(|summary| summary.cause.as_str());
        let guess = nearest(cause, causes)
            .map_or_else(String::new, |cause| format!(" did you mean `{cause}`?"));
        format!("unknown cause `{cause}`;{guess} `probecause explain` lists all causes")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::diagnosis::rulebook::Rulebook;

    #[test]
    fn a_misspelled_cause_gets_a_suggestion() {
        let book = Rulebook::embedded().unwrap();
        let error = find(&summaries(&book), "lambda-throtled").err().unwrap();
        insta::assert_snapshot!(error, @"unknown cause `lambda-throtled`; did you mean `lambda-throttled`? `probecause explain` lists all causes");
    }

    #[test]
    fn all_causes_are_listed_by_owner() {
        let book = Rulebook::embedded().unwrap();
        insta::assert_snapshot!("list", text::list(&summaries(&book)));
    }

    #[test]
    fn a_cause_is_explained_with_one_entry_per_title_of_its_rules() {
        let book = Rulebook::embedded().unwrap();
        let all = summaries(&book);
        let summary = find(&all, "upstream-timeout").unwrap();
        let text = text::cause(summary);
        let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let titles: BTreeSet<&str> = summary
            .rules
            .iter()
            .map(|rule| rule.title.as_str())
            .collect();
        for title in &titles {
            assert!(one_line.contains(title), "{title}");
        }
        let is_entry = |line: &&str| {
            let rest = line.strip_prefix("  ").unwrap_or_default();
            rest.starts_with(|letter: char| letter.is_ascii_lowercase())
        };
        assert_eq!(text.lines().filter(is_entry).count(), titles.len());
        assert!(
            one_line.contains("did not respond in time (2 rules)"),
            "{text}"
        );
        assert!(one_line.contains("`probecause explain --verbose upstream-timeout`"));
        let full = text::cause_with_rules(summary);
        assert!(text.lines().count() * 4 < full.lines().count());
    }

    #[test]
    fn a_cause_is_explained_in_full_with_all_its_rules() {
        let book = Rulebook::embedded().unwrap();
        let all = summaries(&book);
        insta::assert_snapshot!(
            "cause",
            text::cause_with_rules(find(&all, "lambda-permission-denied").unwrap())
        );
        insta::assert_snapshot!(
            "unexplained",
            text::cause(find(&all, "unexplained").unwrap())
        );
    }

    #[test]
    fn facts_are_listed_with_their_types() {
        insta::assert_snapshot!("facts", text::facts());
    }

    #[test]
    fn only_lines_with_a_url_are_wider_than_the_terminal() {
        let book = Rulebook::embedded().unwrap();
        let all = summaries(&book);
        let brief = all.iter().map(text::cause);
        let pages = brief.chain(all.iter().map(text::cause_with_rules));
        for page in pages.chain([text::list(&all), text::facts()]) {
            for line in page.lines() {
                let fits = line.chars().count() <= wrap::COLUMNS;
                assert!(fits || line.contains("https://"), "{line}");
            }
        }
    }
}
