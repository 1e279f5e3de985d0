//! Estimates how often the best possible observer of the same facts would be right.
//!
//! Two causes with the same response at the same time cannot be distinguished. The bound is
//! the accuracy of an observer that knows how often each cause produces each combination of
//! facts. The frequencies are counted on one half of the drawn cases and scored on the
//! other half, and vice versa. Numbers are grouped into classes first. A rare combination
//! is replaced by a coarser one, and that by the most frequent cause, so with few cases the
//! bound is estimated too low, never too high.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use probecause::domain::diagnosis::fact::Facts;

/// The text facts that the observer uses.
const TEXT_FACTS: &[&str] = &[
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
    "config.permission",
    "config.function_state",
    "config.route",
    "config.vpc_link",
    "config.api_throttle",
    "config.targets",
    "config.held",
];

/// The most informative text facts; a coarse class consists of these, the status, and the class of
/// the reserved concurrency.
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
    "config.permission",
    "config.function_state",
    "config.targets",
];

/// A combination is used if the other half has at least this many cases of it.
const ENOUGH: f64 = 12.0;

/// Class boundaries of the excess over the floor, in seconds. The rules distinguish two of
/// them, the observer all six.
const EXCESS: &[f64] = &[0.005, 0.015, 0.030, 0.075, 0.150, 0.400];

/// Class boundaries of the response time, in seconds.
const TIMES: &[f64] = &[1.0, 2.0, 9.9, 11.0];

/// Class boundary of the reserved concurrency: with 0, the function cannot run.
const RESERVED: &[f64] = &[0.5];

/// The hashed combination of facts that an observer sees, the finest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Class([u64; 2]);

/// The class of these facts.
pub(crate) fn class_of(facts: &Facts) -> Class {
    let hash = |texts: &[&str], numbers: &[(&str, &[f64])]| {
        let mut hasher = DefaultHasher::new();
        for name in texts {
            facts.text(name).hash(&mut hasher);
        }
        facts.number("status").map(f64::to_bits).hash(&mut hasher);
        for (name, edges) in numbers {
            let class = |number| edges.iter().filter(|edge| number >= **edge).count();
            facts.number(name).map(class).hash(&mut hasher);
        }
        hasher.finish()
    };
    let reserved = ("config.reserved_concurrency", RESERVED);
    let times = [("excess", EXCESS), ("answer_time", TIMES), reserved];
    let fine = hash(TEXT_FACTS, &times);
    Class([fine, hash(COARSE, &[reserved])])
}

/// The number of a row's cases in each class, per half.
pub(crate) type Classes = HashMap<Class, [f64; 2]>;

/// The part of a row that the observer needs.
pub(crate) struct Row<'a> {
    /// The true cause.
    pub(crate) truth: &'static str,
    /// Assumed occurrences per drawn case.
    pub(crate) weight: f64,
    /// The combinations of facts of its cases.
    pub(crate) classes: &'a Classes,
}

/// The frequencies of one combination.
#[derive(Default)]
struct Frequencies {
    /// The number of cases per half.
    cases: [f64; 2],
    /// The weight of each cause per half.
    causes: BTreeMap<&'static str, [f64; 2]>,
}

impl Frequencies {
    fn add(&mut self, row: &Row<'_>, halves: [f64; 2]) {
        let sums = self.causes.entry(row.truth).or_default();
        for half in [0, 1] {
            self.cases[half] += halves[half];
            sums[half] += halves[half] * row.weight;
        }
    }

    /// The cause with the highest weight in one half; of equal ones, the first by name.
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

/// The share of each row's cases whose cause the observer names correctly.
pub(crate) fn observer(rows: &[Row<'_>]) -> Vec<f64> {
    let mut known: [HashMap<u64, Frequencies>; 2] = Default::default();
    let mut all = Frequencies::default();
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
