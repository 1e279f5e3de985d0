//! How often the best possible observer of the same facts would be right.
//!
//! Causes overlap: two that give the same answer at the same time cannot be told apart by
//! anybody. The bound is the accuracy of an observer who knows how often each cause gives
//! each combination of facts. Those frequencies are counted on one half of the drawn
//! cases and scored on the other, and the other way round, so that no case is judged by
//! itself. Numbers are put into classes first: the bound is of these classes. A combination
//! seen too rarely to count on is replaced by a coarser one, and that by the most frequent
//! cause, so that with few cases the bound is estimated too low, never too high.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use probecause::domain::diagnosis::fact::Facts;

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

/// Those that tell most; a coarser class knows these alone.
const COARSE: &[&str] = &[
    "phase",
    "fault",
    "front_door",
    "gateway_made",
    "plateau",
    "invoked",
    "header.x-amzn-errortype",
    "header.x-cache",
    "body.message",
    "log.template",
    "lambda.seen",
];

/// From so many cases of the other half on a combination is counted on.
const ENOUGH: f64 = 12.0;

/// Excess over the floor, in seconds: the rules see two of these edges, the observer six.
const EXCESS: &[f64] = &[0.005, 0.015, 0.030, 0.075, 0.150, 0.400];

/// Answer times, in seconds.
const TIMES: &[f64] = &[1.0, 2.0, 9.9, 11.0];

/// The combination of facts that an observer sees, finest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Class([u64; 2]);

/// The class of these facts.
pub(crate) fn class_of(facts: &Facts) -> Class {
    let hash = |words: &[&str], numbers: &[(&str, &[f64])]| {
        let mut hasher = DefaultHasher::new();
        for word in words {
            facts.text(word).hash(&mut hasher);
        }
        facts.number("status").map(f64::to_bits).hash(&mut hasher);
        for (name, edges) in numbers {
            let class = |number| edges.iter().filter(|edge| number >= **edge).count();
            facts.number(name).map(class).hash(&mut hasher);
        }
        hasher.finish()
    };
    let fine = hash(WORDS, &[("excess", EXCESS), ("answer_time", TIMES)]);
    Class([fine, hash(COARSE, &[])])
}

/// What one row's cases look like: class by class, how many of either half.
pub(crate) type Classes = HashMap<Class, [f64; 2]>;

/// One row, as the observer needs it.
pub(crate) struct Row<'a> {
    pub(crate) truth: &'static str,
    /// Occurrences of one drawn case.
    pub(crate) weight: f64,
    pub(crate) classes: &'a Classes,
}

/// What is known of one combination: cases of either half, and the weight of each cause.
#[derive(Default)]
struct Known {
    cases: [f64; 2],
    causes: BTreeMap<&'static str, [f64; 2]>,
}

impl Known {
    fn add(&mut self, row: &Row<'_>, halves: [f64; 2]) {
        let sums = self.causes.entry(row.truth).or_default();
        for half in [0, 1] {
            self.cases[half] += halves[half];
            sums[half] += halves[half] * row.weight;
        }
    }

    /// The heaviest cause of one half; ties go to the first by name.
    fn heaviest(&self, half: usize) -> Option<&'static str> {
        let mut best: Option<(&'static str, f64)> = None;
        for (truth, sums) in &self.causes {
            if best.is_none_or(|(_, most)| sums[half] > most) {
                best = Some((truth, sums[half]));
            }
        }
        best.map(|(truth, _)| truth)
    }
}

/// The share of each row's cases that the observer names rightly.
pub(crate) fn observer(rows: &[Row<'_>]) -> Vec<f64> {
    let mut known: [HashMap<u64, Known>; 2] = Default::default();
    let mut all = Known::default();
    for row in rows {
        for (Class(levels), halves) in row.classes {
            all.add(row, *halves);
            for (level, class) in known.iter_mut().zip(levels) {
                level.entry(*class).or_default().add(row, *halves);
            }
        }
    }
    let named = |Class(levels): &Class, half: usize| {
        let seen = known.iter().zip(levels).find_map(|(level, class)| {
            let known = level.get(class)?;
            (known.cases[half] >= ENOUGH).then_some(known)
        });
        seen.unwrap_or(&all).heaviest(half)
    };
    rows.iter()
        .map(|row| {
            let (mut right, mut count) = (0.0, 0.0);
            for (class, halves) in row.classes {
                for half in [0, 1] {
                    count += halves[half];
                    if named(class, 1 - half) == Some(row.truth) {
                        right += halves[half];
                    }
                }
            }
            right / f64::max(count, 1.0)
        })
        .collect()
}
