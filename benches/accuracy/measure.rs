//! Draws the population, diagnoses each case at each step, and counts.
//!
//! Every row has its own stream of random numbers, from the seed and the row's place, so
//! that neither the number of threads nor another row changes what is drawn. A verdict
//! that names no cause (`unexplained`, `unexpected-…`) counts against the rules where a
//! cause was to be named, but not as a wrong name: it claims none.

use std::collections::BTreeMap;
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

/// What was counted of one row at one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) cases: u32,
    /// The leading name is the truth.
    pub(crate) right: u32,
    /// The truth is among the candidates.
    pub(crate) among: u32,
    /// No cause was named.
    pub(crate) unnamed: u32,
    /// How often each certainty was given with a name, and how often that was right.
    pub(crate) steps: BTreeMap<Certainty, (u32, u32)>,
    /// How often each name led.
    pub(crate) names: BTreeMap<String, u32>,
}

/// One row of the population, measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Measured {
    /// By step, in the order of [`Stage::ALL`].
    pub(crate) tallies: Vec<Tally>,
    /// What its cases look like with everything known.
    pub(crate) classes: Classes,
}

/// Measures every row, with `cases` cases each.
///
/// # Errors
/// Never in practice: the embedded rules and the doors' URLs are read by tests.
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
                    // Far apart, so that no row's stream runs into the next one's.
                    let place = (index as u64 + 1).wrapping_mul(0xd134_2543_de82_ef95);
                    let mut random = Random::new(seed.wrapping_mul(0x2545_f491) ^ place);
                    let row = measure_row(rules, fault, target, cases, &mut random);
                    if let Ok(mut all) = measured.lock() {
                        all.insert(index, row);
                    }
                }
            });
        }
    });
    let measured = measured.into_inner().map_err(|_| "a thread failed")?;
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
        let mut last: Option<Diagnosis> = None;
        let mut class = bound::Class::default();
        for (stage, tally) in Stage::ALL.iter().zip(&mut measured.tallies) {
            if let Some(context) = case.context(*stage) {
                let facts = Facts::gather(&case.target, &case.observation, context);
                last = Some(rules.diagnose(&facts));
                class = bound::class_of(&facts);
            }
            if let Some(diagnosis) = &last {
                tally.add(diagnosis, fault);
            }
        }
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
        if names_nothing(name) {
            self.unnamed += 1;
        } else {
            let step = self.steps.entry(verdict.certainty).or_default();
            step.0 += 1;
            step.1 += u32::from(right);
        }
        match self.names.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                self.names.insert(name.to_owned(), 1);
            }
        }
    }
}

/// Whether a verdict describes the answer and claims no cause.
pub(crate) fn names_nothing(name: &str) -> bool {
    name == "unexplained" || name.starts_with("unexpected-")
}
