//! `probecause explain`: what a cause means, when it fits, and what to do.
//!
//! Prints the rule book as people and programs read it; it adds nothing of its own.

mod authors;
mod card;
mod json;
mod page;
mod text;
mod wrap;

use super::rules::RulesArgs;
use super::{Exit, Terminal, print};
use crate::domain::diagnosis::catalogue::CATALOGUE;
use crate::domain::diagnosis::nearest::nearest;
use card::{Card, cards};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The cause to explain; all are listed without it.
    cause: Option<String>,
    /// List the facts that rules may ask for.
    #[arg(long, conflicts_with = "cause")]
    facts: bool,
    /// Print the page of all causes, with all that is needed to write rules.
    #[arg(long, conflicts_with_all = ["cause", "facts", "json"])]
    markdown: bool,
    /// One JSON object a line instead of text for people.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rules: RulesArgs,
}

/// Carries the command out.
///
/// # Errors
/// A cause that does not exist, with the nearest one that does; rules that cannot be used.
pub async fn run(args: Args, _terminal: Terminal) -> Result<Exit, String> {
    let rulebook = args.rules.rulebook()?;
    let cards = cards(&rulebook);
    let lines = |values: Vec<serde_json::Value>| -> String {
        values.iter().map(|value| format!("{value}\n")).collect()
    };
    let text = match &args.cause {
        Some(cause) => {
            let card = find(&cards, cause)?;
            if args.json {
                lines(vec![json::cause(card)])
            } else {
                text::cause(card)
            }
        }
        None if args.markdown => page::page(&cards),
        None if args.facts && args.json => lines(CATALOGUE.iter().map(json::fact).collect()),
        None if args.facts => text::facts(),
        None if args.json => lines(cards.iter().map(json::cause).collect()),
        None => text::list(&cards),
    };
    print(&text)?;
    Ok(Exit::Fine)
}

fn find<'a, 'b>(cards: &'a [Card<'b>], cause: &str) -> Result<&'a Card<'b>, String> {
    let found = cards.iter().find(|card| card.cause.as_str() == cause);
    found.ok_or_else(|| {
        let causes = cards.iter().map(|card| card.cause.as_str());
        let guess = nearest(cause, causes)
            .map_or_else(String::new, |cause| format!(": did you mean `{cause}`?"));
        format!("there is no cause `{cause}`{guess} (`probecause explain` lists them all)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::diagnosis::rulebook::Rulebook;

    #[test]
    fn a_misspelt_cause_is_answered_with_the_nearest() {
        let book = Rulebook::embedded().unwrap();
        let said = find(&cards(&book), "lambda-throtled").err().unwrap();
        insta::assert_snapshot!(said, @"there is no cause `lambda-throtled`: did you mean `lambda-throttled`? (`probecause explain` lists them all)");
    }

    #[test]
    fn all_causes_are_listed_by_who_acts() {
        let book = Rulebook::embedded().unwrap();
        insta::assert_snapshot!("list", text::list(&cards(&book)));
    }

    #[test]
    fn a_cause_is_explained_with_all_its_rules() {
        let book = Rulebook::embedded().unwrap();
        let all = cards(&book);
        insta::assert_snapshot!(
            "cause",
            text::cause(find(&all, "lambda-permission-denied").unwrap())
        );
        insta::assert_snapshot!(
            "unexplained",
            text::cause(find(&all, "unexplained").unwrap())
        );
    }

    #[test]
    fn facts_are_listed_with_their_words() {
        insta::assert_snapshot!("facts", text::facts());
    }

    #[test]
    fn no_line_is_wider_than_a_terminal_unless_it_is_an_address() {
        let book = Rulebook::embedded().unwrap();
        let all = cards(&book);
        let pages = all.iter().map(text::cause);
        for page in pages.chain([text::list(&all), text::facts()]) {
            for line in page.lines() {
                let fits = line.chars().count() <= wrap::COLUMNS;
                assert!(fits || line.contains("https://"), "{line}");
            }
        }
    }
}
