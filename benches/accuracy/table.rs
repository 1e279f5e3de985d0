//! The table that people read.
//!
//! Shares come with 95 % intervals by Wilson's score. The rows of certainty weigh each
//! case by how often its fault is assumed to occur, and count as many cases as the
//! weights are worth (Kish); beside them stands the same with every fault as often as the
//! next. An aim is met where the share reaches it, and the interval says how sure that is.

use std::fmt::Write as _;

use probecause::model::cause::Certainty;

use super::bound::{self, Row};
use super::front_doors::{Door, FAULTS, Fault};
use super::measure::{Measured, Tally};
use super::truths::Stage;

/// How the table is written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style {
    pub(crate) confusion: bool,
}

/// A share with its interval; all between 0 and 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) share: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Weight of what was counted; nought: nothing was.
    pub(crate) cases: f64,
}

/// The share that each certainty aims to be right at.
pub(crate) const AIMS: [(Certainty, f64); 3] = [
    (Certainty::Likely, 0.98),
    (Certainty::Corroborated, 0.995),
    (Certainty::Proven, 0.9999),
];

/// The share of failures whose cause is to be among the candidates.
pub(crate) const AIM_AMONG: f64 = 0.995;

/// The normal distribution's 97.5th percentile.
const SIGMAS: f64 = 1.96;

impl Share {
    /// Wilson's interval of `right` in `all`, with as many cases as the weights are worth.
    pub(crate) fn wilson(right: f64, all: f64, worth: f64) -> Self {
        if all <= 0.0 || worth <= 0.0 {
            return Self {
                share: 0.0,
                low: 0.0,
                high: 1.0,
                cases: 0.0,
            };
        }
        let share = right / all;
        let square = SIGMAS * SIGMAS;
        let middle = share + square / (2.0 * worth);
        let spread = share * (1.0 - share) / worth + square / (4.0 * worth * worth);
        let half = SIGMAS * spread.sqrt();
        let scale = 1.0 + square / worth;
        Self {
            share,
            low: (middle - half) / scale,
            high: (middle + half) / scale,
            cases: all,
        }
    }

    fn text(self) -> String {
        if self.cases == 0.0 {
            return "-".to_owned();
        }
        let [share, low, high] = [self.share, self.low, self.high].map(|share| share * 100.0);
        format!("{share:.2} ({low:.2}–{high:.2})")
    }
}

/// How often a certainty is right at a step, over all rows.
pub(crate) fn right_at(
    measured: &[Measured],
    stage: usize,
    step: Certainty,
    weighted: bool,
) -> Share {
    let counts = FAULTS.iter().zip(measured).filter_map(|(fault, row)| {
        let (given, right) = *row.tallies.get(stage)?.steps.get(&step)?;
        Some((weight(fault, weighted), given, right))
    });
    sum(counts)
}

/// How often the truth is among the candidates, over all rows that a rule could name.
pub(crate) fn among(measured: &[Measured], stage: usize, weighted: bool) -> Share {
    let counts = FAULTS.iter().zip(measured).filter_map(|(fault, row)| {
        let tally = row.tallies.get(stage)?;
        let named = !super::measure::names_nothing(fault.truth);
        named.then_some((weight(fault, weighted), tally.cases, tally.among))
    });
    sum(counts)
}

fn weight(fault: &Fault, weighted: bool) -> f64 {
    if weighted { fault.often } else { 1.0 }
}

/// Sums counts under weights, and what they are worth: `(Σw)² / Σw²`.
fn sum(counts: impl Iterator<Item = (f64, u32, u32)>) -> Share {
    let (mut all, mut right, mut squares) = (0.0, 0.0, 0.0);
    for (weight, given, hits) in counts {
        all += weight * f64::from(given);
        right += weight * f64::from(hits);
        squares += weight * weight * f64::from(given);
    }
    Share::wilson(right, all, all * all / f64::max(squares, f64::MIN_POSITIVE))
}

/// The whole table of one seed.
pub(crate) fn table(seed: u64, cases: u32, measured: &[Measured], style: Style) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "### Seed {seed}, {cases} simulated failures a row; shares in %, 95 % intervals\n"
    );
    text += &rows(measured);
    text += "\n";
    text += &ablation(measured);
    text += "\n";
    text += &aims(measured);
    if style.confusion {
        text += "\n";
        text += &confusion(measured);
    }
    text += "\n";
    text
}

/// Row by row, with everything known.
fn rows(measured: &[Measured]) -> String {
    let mut lines = vec![
        vec![
            "front door",
            "truth",
            "right",
            "bound",
            "among",
            "possible",
            "likely",
            "corroborated",
            "proven",
            "no name",
        ]
        .into_iter()
        .map(str::to_owned)
        .collect(),
    ];
    for door in doors() {
        let of_door: Vec<_> = FAULTS
            .iter()
            .zip(measured)
            .filter(|(fault, _)| fault.door == door)
            .collect();
        let seen: Vec<Row<'_>> = of_door
            .iter()
            .map(|(fault, row)| Row {
                truth: fault.truth,
                weight: fault.often,
                classes: &row.classes,
            })
            .collect();
        let bounds = bound::observer(&seen);
        let mut total = (0.0, 0.0, 0.0);
        for ((fault, row), best) in of_door.iter().zip(&bounds) {
            let Some(tally) = row.tallies.last() else {
                continue;
            };
            lines.push(line(fault, tally, *best));
            total.0 += fault.often;
            total.1 += fault.often * part(tally.right, tally.cases);
            total.2 += fault.often * best;
        }
        let share = |sum: f64| format!("{:.2}", 100.0 * sum / total.0);
        let mut line = vec![
            door.name().to_owned(),
            "**all, as often as assumed**".to_owned(),
        ];
        line.extend([share(total.1), share(total.2)]);
        line.resize(10, String::new());
        lines.push(line);
    }
    grid(&lines)
}

fn doors() -> [Door; 6] {
    [
        Door::HttpApi,
        Door::RestApi,
        Door::FunctionUrl,
        Door::Alb,
        Door::CloudFront,
        Door::Below,
    ]
}

fn part(count: u32, all: u32) -> f64 {
    f64::from(count) / f64::from(all.max(1))
}

fn line(fault: &Fault, tally: &Tally, best: f64) -> Vec<String> {
    let percent = |count: u32| format!("{:.2}", 100.0 * part(count, tally.cases));
    let mut line = vec![
        fault.door.name().to_owned(),
        fault.row(),
        percent(tally.right),
        format!("{:.2}", 100.0 * best),
        percent(tally.among),
    ];
    for step in Certainty::ALL {
        let (given, right) = tally.steps.get(&step).copied().unwrap_or_default();
        line.push(if given == 0 {
            "-".to_owned()
        } else {
            let share = Share::wilson(right.into(), given.into(), given.into());
            format!("{}: {}", percent(given), share.text())
        });
    }
    line.push(percent(tally.unnamed));
    line
}

/// What each kind of knowledge adds.
fn ablation(measured: &[Measured]) -> String {
    let header = [
        "known",
        "right at API Gateways",
        "possible",
        "likely",
        "corroborated",
        "proven",
    ];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    for (index, stage) in Stage::ALL.iter().enumerate() {
        let gateways = FAULTS
            .iter()
            .zip(measured)
            .filter(|(fault, _)| fault.door.is_gateway())
            .filter_map(|(fault, row)| {
                let tally = row.tallies.get(index)?;
                Some((fault.often, tally.cases, tally.right))
            });
        let right = sum(gateways);
        let all: f64 = FAULTS.iter().map(|fault| fault.often).sum();
        let cases = f64::from(measured.first().map_or(0, |row| row.tallies[index].cases));
        let mut line = vec![stage.name().to_owned(), right.text()];
        for step in Certainty::ALL {
            let share = right_at(measured, index, step, true);
            let given = 100.0 * share.cases / (all * cases).max(1.0);
            line.push(format!("{given:.1}: {}", share.text()));
        }
        lines.push(line);
    }
    grid(&lines)
}

fn aims(measured: &[Measured]) -> String {
    let last = Stage::ALL.len() - 1;
    let header = [
        "aim",
        "at least",
        "as often as assumed",
        "",
        "each as often as the next",
        "",
    ];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    let mut row = |name: String, aim: f64, one: Share, other: Share| {
        let met = |share: Share| {
            let met = share.cases == 0.0 || share.share >= aim;
            if met { "met" } else { "MISSED" }.to_owned()
        };
        let aim = format!("{:.2}", 100.0 * aim);
        lines.push(vec![
            name,
            aim,
            one.text(),
            met(one),
            other.text(),
            met(other),
        ]);
    };
    for (step, aim) in AIMS {
        let [one, other] = [true, false].map(|weighted| right_at(measured, last, step, weighted));
        row(format!("`{}` is right", step.as_str()), aim, one, other);
    }
    let [one, other] = [true, false].map(|weighted| among(measured, last, weighted));
    row(
        "truth among the candidates".to_owned(),
        AIM_AMONG,
        one,
        other,
    );
    grid(&lines)
}

/// Which names led, row by row.
fn confusion(measured: &[Measured]) -> String {
    let mut text = String::new();
    for (fault, row) in FAULTS.iter().zip(measured) {
        for (stage, tally) in [
            ("outside", row.tallies.first()),
            ("all", row.tallies.last()),
        ] {
            let Some(tally) = tally else { continue };
            let mut names: Vec<_> = tally.names.iter().collect();
            names.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
            let names: Vec<String> = names
                .into_iter()
                .map(|(name, count)| format!("{name} {:.2}", 100.0 * part(*count, tally.cases)))
                .collect();
            let door = fault.door.name();
            let _ = writeln!(
                text,
                "- {door}, {}, {stage}: {}",
                fault.row(),
                names.join(", ")
            );
        }
    }
    text
}

/// A Markdown table whose columns line up for people too.
fn grid(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text += "|\n";
        if number == 0 {
            for width in &widths {
                let _ = write!(text, "|-{}-", "-".repeat(*width));
            }
            text += "|\n";
        }
    }
    text
}
