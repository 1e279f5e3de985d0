//! Formats a scorecard as text (a table, the history of each diagnosis, and totals) or as JSON
//! Lines.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::judge::{Card, Mark, NamedCause, VerdictStep};
use super::truth::{NONE, Truth};
use crate::cli::candidate_shares;
use crate::io::json;
use crate::model::cause::Certainty;

/// Formats the scorecard as text.
pub(super) fn text(cards: &[Card]) -> String {
    let mut out = String::new();
    let heads = ["TARGET", "INJECTED", "NAMED", "CERTAINTY"];
    row(&mut out, cards, heads, "MARK");
    for card in cards {
        let named = card.named.as_ref();
        let cells = [
            card.target.as_str(),
            injected(&card.injected),
            named.map_or("-", |named| named.cause.as_str()),
            named.map_or("-", |named| named.certainty.as_str()),
        ];
        row(&mut out, cards, cells, card.mark().as_str());
    }
    for card in cards {
        if let Some(named) = &card.named {
            history(&mut out, card, named);
        }
    }
    out.push('\n');
    for certainty in Certainty::ALL {
        let at = |card: &&Card| {
            card.named
                .as_ref()
                .is_some_and(|n| n.certainty == certainty)
        };
        let named: Vec<_> = cards.iter().filter(at).collect();
        if !named.is_empty() {
            let right = named
                .iter()
                .filter(|card| card.mark() == Mark::Right)
                .count();
            let _infallible = writeln!(out, "{certainty}: {right} of {} right", named.len());
        }
    }
    let counts = Mark::ALL.map(|mark| format!("{} {}", count(cards, mark), mark.as_str()));
    let _infallible = writeln!(out, "{} targets: {}", cards.len(), counts.join(", "));
    out
}

/// Formats the scorecard as JSON Lines: a line per card, and a line with totals.
pub(super) fn json(cards: &[Card]) -> String {
    let counts: serde_json::Map<String, Value> = Mark::ALL
        .iter()
        .map(|mark| (mark.as_str().to_owned(), count(cards, *mark).into()))
        .collect();
    let summary = json!({
        "event": "summary",
        "targets": cards.len(),
        "marks": counts,
        "success": cards.iter().all(Card::passes),
    });
    let lines = cards.iter().map(card_json).chain([summary]);
    lines.map(|line| format!("{line}\n")).collect()
}

fn card_json(card: &Card) -> Value {
    let named = card.named.as_ref();
    let candidates = |named: &NamedCause| {
        let all = named.candidates.iter();
        let all = all.map(|one| json!({"cause": one.cause.as_str(), "share": one.share}));
        Value::Array(all.collect())
    };
    let evidence = |named: &NamedCause| {
        let all = named.evidence.iter();
        let all = all.map(|one| json!({"fact": one.fact, "value": one.value.to_string()}));
        Value::Array(all.collect())
    };
    json!({
        "event": "card",
        "target": card.target.as_str(),
        "injected": card.injected.as_ref().map(|cause| cause.as_str()),
        "cause": named.map(|named| named.cause.as_str()),
        "certainty": named.map(|named| named.certainty.as_str()),
        "mark": card.mark().as_str(),
        "candidates": named.map_or_else(|| json!([]), candidates),
        "evidence": named.map_or_else(|| json!([]), evidence),
        "path": named.map_or_else(Vec::new, |named| named.path.iter().map(step_json).collect()),
    })
}

fn step_json(step: &VerdictStep) -> Value {
    json!({
        "time": json::time(step.at),
        "cause": step.cause.as_str(),
        "certainty": step.certainty.as_str(),
        "note": step.note,
    })
}

/// Appends the revisions and the evidence of a diagnosis, and also the candidates if there are
/// several and the card's mark is not `right`.
fn history(out: &mut String, card: &Card, named: &NamedCause) {
    let _infallible = writeln!(out, "\n{}:", card.target);
    for step in &named.path {
        let VerdictStep {
            cause, certainty, ..
        } = step;
        let at = step.at.strftime("%H:%M:%SZ");
        let _infallible = writeln!(out, "  {at}  {cause} ({certainty}): {}", step.note);
    }
    if card.mark() != Mark::Right && named.candidates.len() > 1 {
        let shares = candidate_shares(&named.candidates);
        let _infallible = writeln!(out, "  candidates: {shares}");
    }
    if !named.evidence.is_empty() {
        let facts = named.evidence.iter();
        let facts = facts.map(|one| format!("{} = {}", one.fact, one.value));
        let _infallible = writeln!(out, "  evidence: {}", facts.collect::<Vec<_>>().join("; "));
    }
}

/// Appends a row of the table. Each of the first three columns is as wide as its longest cell.
fn row(out: &mut String, cards: &[Card], [target, truth, named, certainty]: [&str; 4], mark: &str) {
    let longest = |cell: fn(&Card) -> usize| cards.iter().map(cell).max().unwrap_or(0);
    let first = longest(|card| card.target.as_str().len()).max("TARGET".len());
    let second = longest(|card| injected(&card.injected).len()).max("INJECTED".len());
    let third = longest(|card| {
        card.named
            .as_ref()
            .map_or(1, |named| named.cause.as_str().len())
    });
    let third = third.max("NAMED".len());
    let _infallible = writeln!(
        out,
        "{target:<first$}  {truth:<second$}  {named:<third$}  {certainty:<12}  {mark}"
    );
}

fn injected(truth: &Truth) -> &str {
    truth.as_ref().map_or(NONE, |cause| cause.as_str())
}

fn count(cards: &[Card], mark: Mark) -> usize {
    cards.iter().filter(|card| card.mark() == mark).count()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::cli::scorecard::judge::tests::card;
    use crate::domain::diagnosis::Evidence;
    use crate::domain::diagnosis::fact::FactValue;
    use crate::model::cause::CauseId;

    fn cards() -> Vec<Card> {
        let unsure = [
            ("lambda-function-error", 0.5),
            ("lambda-malformed-response", 0.4),
        ];
        let throttled = [("lambda-throttled", 1.0)];
        let mut proven = card(
            "throttled",
            "lambda-throttled",
            Certainty::Proven,
            &throttled,
        );
        if let Some(named) = &mut proven.named {
            named.path = [Certainty::Likely, Certainty::Proven]
                .map(|certainty| VerdictStep {
                    at: Timestamp::UNIX_EPOCH,
                    cause: CauseId::new("lambda-throttled").unwrap(),
                    certainty,
                    note: "opened".to_owned(),
                })
                .to_vec();
            named.evidence = vec![Evidence {
                fact: "status".to_owned(),
                value: FactValue::Number(503.0),
            }];
        }
        vec![
            card("orders", "none", Certainty::Possible, &[]),
            proven,
            card(
                "malformed",
                "lambda-malformed-response",
                Certainty::Possible,
                &unsure,
            ),
            card(
                "permission",
                "lambda-permission-denied",
                Certainty::Possible,
                &unsure,
            ),
            card("timeout", "integration-timeout", Certainty::Possible, &[]),
        ]
    }

    #[test]
    fn a_card_of_every_mark_as_text() {
        insta::assert_snapshot!(text(&cards()));
    }

    #[test]
    fn a_card_of_every_mark_as_json() {
        insta::assert_snapshot!(json(&cards()));
    }
}
