//! All causes as a document, `config/rules/README.md`: for those who look one up, and for
//! those who write a rule of their own. Generated, so that it never tells yesterday's rules.

use std::fmt::Write as _;

use super::page::{basis, joined, told};
use super::{kind, rivals};
use crate::diagnosis::catalogue::CATALOGUE;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::rulebook::Rulebook;

/// A rule that works as it stands, for people to start from.
const EXAMPLE: &str = include_str!("example.toml");

const HEAD: &str = "\
# Causes and their rules

<!-- Generated: probecause explain --markdown > config/rules/README.md -->

Every cause that Probecause names, what it looks like, how sure it can be, and what to do.
Rules that fit together share the probability by their weights; the first is the probable
cause. It is *likely* or more only with nine tenths of it. `probecause explain CAUSE` tells
the same in a terminal.
";

const WRITING: &str = "\
## Write a rule of your own

Put a file into the folder that `rules_dir` names and run `probecause check`. A rule is a
conjunction: every condition under `when` must hold. A condition is a value (`status = 503`),
a list of values, a text with `*` for any run of characters, a range
(`{ at_least = 2, below = 5 }`) or presence (`{ present = true }`). There is no or, not,
regular expression or arithmetic. `weigh` multiplies the weight where its `when` holds.
Your rules are read first and win ties; one with the id of a built-in rule takes its place.
A rule names a new cause by its `id`, or one that exists by `cause`. This one works as it
stands:
";

/// The whole document.
pub(super) fn document(rulebook: &Rulebook) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n| cause | who acts | at most | means |\n| --- | --- | --- | --- |\n");
    for rule in rulebook.causes() {
        let most = rules_of(rulebook, rule).map(|rule| rule.certainty).max();
        let most = most.unwrap_or(rule.certainty);
        let cause = &rule.cause;
        let _ = writeln!(
            text,
            "| [`{cause}`](#{cause}) | {} | {most} | {} |",
            rule.owner, rule.title
        );
    }
    for rule in rulebook.causes() {
        cause(&mut text, rulebook, rule);
    }
    let _ = write!(text, "\n{WRITING}\n```toml\n{EXAMPLE}```\n");
    text.push_str(
        "\n## The facts that a rule may ask for\n\n| fact | is | says |\n| --- | --- | --- |\n",
    );
    for info in CATALOGUE {
        let kind = kind(info).replace(" | ", ", ");
        let meaning = info.meaning.replace('|', "\\|");
        let _ = writeln!(text, "| `{}` | {kind} | {meaning} |", info.name);
    }
    text
}

fn rules_of<'a>(rulebook: &'a Rulebook, main: &'a Rule) -> impl Iterator<Item = &'a Rule> {
    rulebook.rules().filter(|rule| rule.cause == main.cause)
}

fn cause(text: &mut String, rulebook: &Rulebook, main: &Rule) {
    let _ = writeln!(
        text,
        "\n## {}\n\n{}. {} acts.",
        main.cause,
        main.title,
        capital(main.owner.as_str())
    );
    let rivals = rivals(rulebook, main);
    if !rivals.is_empty() {
        let links: Vec<String> = rivals
            .iter()
            .map(|one| format!("[`{one}`](#{one})"))
            .collect();
        let _ = writeln!(text, "\nRivals: {}.", links.join(", "));
    }
    text.push('\n');
    for (number, step) in (1..).zip(&main.next) {
        let _ = writeln!(text, "{number}. {step}");
    }
    for rule in rules_of(rulebook, main) {
        signature(text, rule);
    }
}

fn signature(text: &mut String, rule: &Rule) {
    let _ = writeln!(
        text,
        "\n**{}** ({}): at most {}, {}. [Source]({}).\n",
        rule.id,
        rule.origin,
        rule.certainty,
        basis(rule),
        rule.see
    );
    let fallback = if rule.fallback {
        ", and no specific rule does"
    } else {
        ""
    };
    let _ = writeln!(text, "- Fits when {}{fallback}.", code(&joined(&rule.when)));
    for factor in &rule.weigh {
        let _ = writeln!(
            text,
            "- Weighs {} times when {}.",
            factor.factor,
            code(&joined(&factor.when))
        );
    }
    for example in &rule.examples {
        let _ = writeln!(text, "- For example: `{}`", told(example));
    }
    for counterexample in &rule.counterexamples {
        let _ = writeln!(
            text,
            "- Not: `{}`. {}",
            told(&counterexample.given),
            counterexample.because
        );
    }
}

/// Globs and the like must not become emphasis.
fn code(text: &str) -> String {
    format!("`{text}`")
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::lint::{Findings, lint};
    use crate::settings::RuleFile;

    #[test]
    fn the_page_of_all_causes_is_the_one_that_is_committed() {
        let committed = include_str!("../../../config/rules/README.md");
        let text = document(&Rulebook::embedded().unwrap());
        assert!(
            text == committed,
            "config/rules/README.md is not of these rules: run \
             `cargo run -- explain --markdown > config/rules/README.md`"
        );
    }

    #[test]
    fn the_example_is_a_rule_that_keeps_its_word() {
        let files = [RuleFile {
            name: "example.toml".to_owned(),
            text: EXAMPLE.to_owned(),
        }];
        let book = Rulebook::with(&files).unwrap();
        let findings = lint(&book, &Rulebook::embedded().unwrap());
        assert_eq!(findings, Findings::default());
    }
}
