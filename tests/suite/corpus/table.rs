//! The table of verdicts and the confusion matrix, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use probecause::model::cause::Hop;

use crate::corpus::score::{Outcome, Scored};

/// The line before the generated part of the page.
pub(crate) const BEGIN: &str = "<!-- generated: verdicts -->\n";

/// The line after it.
pub(crate) const END: &str = "<!-- end of the generated part -->\n";

/// The generated part of `tests/corpus/README.md`.
pub(crate) fn table(scored: &[Scored]) -> String {
    let mut page = outcomes(scored);
    page.push_str(&confusion(scored));
    page.push_str(&verdicts(scored));
    page
}

/// Number of captures by front door and outcome.
fn outcomes(scored: &[Scored]) -> String {
    let mut counts: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    for one in scored {
        for door in [&one.capture.door, "**all**"] {
            counts.entry(door).or_default()[one.outcome as usize] += 1;
        }
    }
    let mut text = String::from("### Outcomes\n\n| front door |");
    for outcome in Outcome::ALL {
        write!(text, " {} |", outcome.as_str()).unwrap();
    }
    text.push_str("\n| --- | --- | --- | --- | --- |\n");
    for (door, counts) in counts {
        let counts = counts.map(|count| count.to_string()).join(" | ");
        writeln!(text, "| {door} | {counts} |").unwrap();
    }
    text.push('\n');
    text
}

/// Number of captures by true and by named cause.
fn confusion(scored: &[Scored]) -> String {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for one in scored {
        let truth = one.capture.truth.causes.first();
        let truth = truth.map_or("(unknown)", String::as_str);
        let named = format!("{} ({})", one.verdict.cause.as_str(), one.verdict.certainty);
        let key = (
            truth.to_owned(),
            format!("{named} | {}", one.outcome.as_str()),
        );
        *counts.entry(key).or_default() += 1;
    }
    let mut text = String::from(
        "### Confusion\n\n| truth | named | outcome | captures |\n| --- | --- | --- | --- |\n",
    );
    for ((truth, named), count) in counts {
        writeln!(text, "| {truth} | {named} | {count} |").unwrap();
    }
    text.push('\n');
    text
}

/// One line per front door, fault and verdict.
fn verdicts(scored: &[Scored]) -> String {
    let mut rows: Vec<(Row<'_>, Vec<&str>)> = Vec::new();
    for one in scored {
        let row = Row::of(one);
        match rows.iter_mut().find(|(other, _)| *other == row) {
            Some((_, versions)) => versions.push(one.capture.version()),
            None => rows.push((row, vec![one.capture.version()])),
        }
    }
    let mut text = String::from(
        "### Verdicts\n\n| front door | fault | HTTP | status | cause | hop | certainty | outcome \
         |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (row, versions) in rows {
        let Row {
            door,
            fault,
            status,
            cause,
            hop,
            certainty,
            outcome,
        } = row;
        let versions = versions.join(", ");
        writeln!(
            text,
            "| {door} | {fault} | {versions} | {status} | {cause} | {hop} | {certainty} | {} |",
            outcome.as_str()
        )
        .unwrap();
    }
    text
}

/// The cells of a line, except for the versions of HTTP that it holds for.
#[derive(PartialEq)]
struct Row<'a> {
    door: &'a str,
    fault: &'a str,
    status: String,
    cause: &'a str,
    hop: &'static str,
    certainty: &'static str,
    outcome: Outcome,
}

impl<'a> Row<'a> {
    fn of(scored: &'a Scored) -> Self {
        let Scored {
            capture, verdict, ..
        } = scored;
        let response = capture.response.as_ref();
        Self {
            door: &capture.door,
            fault: &capture.fault,
            status: response.map_or("-".to_owned(), |response| response.status.to_string()),
            cause: verdict.cause.as_str(),
            hop: verdict.hop.map_or("-", Hop::as_str),
            certainty: verdict.certainty.as_str(),
            outcome: scored.outcome,
        }
    }
}
