//! Draws the population, diagnoses each case at each stage of knowledge, and counts.
//!
//! Every row has its own stream of random numbers, seeded by the seed and the row's index,
//! so neither the number of threads nor another row changes what is drawn. A verdict that
//! names no cause (`unexplained`, `unexpected-…`) is a miss if a rule could have named the
//! cause, but it is not counted as a wrong name.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use probecause::domain::diagnosis::Diagnosis;
use probecause::domain::diagnosis::fact::Facts;
use probecause::domain::diagnosis::rulebook::Rulebook;
use probecause::model::cause::Certainty;
use probecause::model::target::Target;

use super::bound::{self, Classes};
use super::cases::Case;
use super::front_doors::{FAULTS, Fault};
use super::random::Random;
use super::truths::Stage;

/// The counts of one row at one stage.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// All diagnosed cases.
    pub(crate) cases: u32,
    /// Cases whose leading cause is the true one.
    pub(crate) right: u32,
    /// Cases whose candidates include the true cause.
    pub(crate) among: u32,
    /// Cases in which no cause was named.
    pub(crate) unnamed: u32,
    /// Per certainty, the cases that name a cause with it, and how many of them are right.
    pub(crate) certainties: BTreeMap<Certainty, (u32, u32)>,
    /// Per cause, the cases in which it leads.
    pub(crate) leading: BTreeMap<String, u32>,
}

/// The measurement of one row of the population.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Measured {
    /// One tally per stage, in the order of [`Stage::ALL`].
    pub(crate) tallies: Vec<Tally>,
    /// The combinations of facts of its cases at the last stage.
    pub(crate) classes: Classes,
}

/// Measures every row, with `cases` cases each.
///
/// # Errors
/// A URL of a front door does not parse, or a thread panicked.
pub(crate) fn measure(
    rules: &Rulebook,
    seed: u64,
    cases: u32,
) -> Result<Vec<Measured>, Box<dyn std::error::Error>> {
    let mut targets = Vec::new();
    for fault in FAULTS {
        targets.push(Target::with_defaults(
            "t",
            url::Url::parse(fault.door.url())?,
        ));
    }
    let next = AtomicUsize::new(0);
    let measured = Mutex::new(BTreeMap::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(fault), Some(target)) = (FAULTS.get(index), targets.get(index))
                    else {
                        return;
                    };
                    // The start states are far apart, so the streams of two rows do not
                    // overlap.
                    let offset = (index as u64 + 1).wrapping_mul(0xd134_2543_de82_ef95);
                    let mut random = Random::new(seed.wrapping_mul(0x2545_f491) ^ offset);
                    let row = measure_row(rules, fault, target, cases, &mut random);
                    if let Ok(mut all) = measured.lock() {
                        all.insert(index, row);
                    }
                }
            });
        }
    });
    let measured = measured.into_inner().map_err(|_| "a thread panicked")?;
    Ok(measured.into_values().collect())
}

fn measure_row(
    rules: &Rulebook,
    fault: &Fault,
    target: &Target,
    cases: u32,
    random: &mut Random,
) -> Measured {
    let mut measured = Measured {
        tallies: vec![Tally::default(); Stage::ALL.len()],
        classes: Classes::new(),
    };
    for number in 0..cases {
        let case = Case::draw(fault, target, random);
        let mut diagnosed: Vec<(Rc<Diagnosis>, bound::Class)> = Vec::new();
        for (stage, tally) in Stage::ALL.into_iter().zip(&mut measured.tallies) {
            let base = stage.base().and_then(|base| diagnosed.get(base.index()));
            let diagnosis = case.context(stage).map(|context| {
                let facts = Facts::gather(&case.target, &case.observation, context);
                (Rc::new(rules.diagnose(&facts)), bound::class_of(&facts))
            });
            // A stage that adds nothing has the diagnosis of its base; the first one always adds.
            if let Some(diagnosis) = diagnosis.or_else(|| base.cloned()) {
                tally.add(&diagnosis.0, fault);
                diagnosed.push(diagnosis);
            }
        }
        let class = diagnosed.last().map(|(_, class)| *class);
        let class = class.unwrap_or_default();
        let half = usize::from(number % 2 == 1);
        measured.classes.entry(class).or_default()[half] += 1.0;
    }
    measured
}

impl Tally {
    fn add(&mut self, diagnosis: &Diagnosis, fault: &Fault) {
        let Some(verdict) = &diagnosis.verdict else {
            return;
        };
        let name = verdict.cause.as_str();
        let right = name == fault.truth;
        self.cases += 1;
        self.right += u32::from(right);
        let among = |candidate: &probecause::domain::diagnosis::Candidate| {
            candidate.cause.as_str() == fault.truth
        };
        self.among += u32::from(verdict.candidates.iter().any(among));
        if names_no_cause(name) {
            self.unnamed += 1;
        } else {
            let counts = self.certainties.entry(verdict.certainty).or_default();
            counts.0 += 1;
            counts.1 += u32::from(right);
        }
        match self.leading.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                self.leading.insert(name.to_owned(), 1);
            }
        }
    }
}

/// Whether a verdict only describes the response and names no cause.
pub(crate) fn names_no_cause(name: &str) -> bool {
    name == "unexplained" || name.starts_with("unexpected-")
}
