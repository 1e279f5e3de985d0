//! How often the best possible observer of the same facts would be right.
//!
//! Causes overlap: two that give the same answer at the same time cannot be told apart by
//! anybody. The bound is the accuracy of an observer who knows how often each cause gives
//! each combination of facts. Those frequencies are counted on one half of the drawn
//! cases and scored on the other, and the other way round, so that no case is judged by
//! itself. Numbers are put into classes first: the bound is of these classes, and where a
//! combination was never seen the observer guesses the most frequent cause.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use probecause::diagnosis::fact::Facts;

/// Facts whose words, as they are, an observer may go by.
const WORDS: &[&str] = &[
    "phase",
    "fault",
    "front_door",
    "gateway_made",
    "integration",
    "authorizer",
    "plateau",
    "header.x-amzn-errortype",
    "header.x-cache",
    "body.message",
    "log.template",
    "log.invoked",
    "log.waited",
    "lambda.seen",
    "lambda.throttled",
    "window.every",
    "api.seen",
    "api.waited",
];

/// Excess over the floor, in seconds: the rules see two of these edges, the observer six.
const EXCESS: &[f64] = &[0.005, 0.015, 0.030, 0.075, 0.150, 0.400];

/// Answer times, in seconds.
const TIMES: &[f64] = &[1.0, 2.0, 9.9, 11.0];

/// The combination of facts that an observer sees.
pub(crate) fn class_of(facts: &Facts) -> u64 {
    let mut hasher = DefaultHasher::new();
    for word in WORDS {
        facts.text(word).hash(&mut hasher);
    }
    facts.number("status").map(f64::to_bits).hash(&mut hasher);
    for (name, edges) in [("excess", EXCESS), ("answer_time", TIMES)] {
        let class = |number| edges.iter().filter(|edge| number >= **edge).count();
        facts.number(name).map(class).hash(&mut hasher);
    }
    hasher.finish()
}

/// What one row's cases look like: class by class, how many of either half.
pub(crate) type Classes = HashMap<u64, [f64; 2]>;

/// One row, as the observer needs it.
pub(crate) struct Row<'a> {
    pub(crate) truth: &'static str,
    /// Occurrences of one drawn case.
    pub(crate) weight: f64,
    pub(crate) classes: &'a Classes,
}

/// The share of each row's cases that the observer names rightly.
pub(crate) fn observer(rows: &[Row<'_>]) -> Vec<f64> {
    let mut known: HashMap<u64, Vec<(&'static str, [f64; 2])>> = HashMap::new();
    let mut prior: HashMap<&'static str, f64> = HashMap::new();
    for row in rows {
        for (class, halves) in row.classes {
            let causes = known.entry(*class).or_default();
            let weighted = halves.map(|count| count * row.weight);
            *prior.entry(row.truth).or_default() += weighted[0] + weighted[1];
            match causes.iter_mut().find(|(truth, _)| *truth == row.truth) {
                Some((_, sums)) => {
                    sums[0] += weighted[0];
                    sums[1] += weighted[1];
                }
                None => causes.push((row.truth, weighted)),
            }
        }
    }
    let heaviest = |sums: &mut dyn Iterator<Item = (&'static str, f64)>| {
        // The name decides ties, so that the table does not depend on a map's order.
        sums.filter(|(_, sum)| *sum > 0.0)
            .max_by(|one, other| one.1.total_cmp(&other.1).then(other.0.cmp(one.0)))
            .map(|(truth, _)| truth)
    };
    let common = heaviest(&mut prior.into_iter());
    rows.iter()
        .map(|row| {
            let (mut right, mut all) = (0.0, 0.0);
            for (class, halves) in row.classes {
                for half in [0, 1] {
                    let other = 1 - half;
                    let sums = known.get(class).into_iter().flatten();
                    let named = heaviest(&mut sums.map(|(truth, sums)| (*truth, sums[other])));
                    all += halves[half];
                    if named.or(common) == Some(row.truth) {
                        right += halves[half];
                    }
                }
            }
            right / f64::max(all, 1.0)
        })
        .collect()
}
