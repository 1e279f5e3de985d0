//! Formats the measurement as Markdown tables.
//!
//! Shares have 95 % Wilson score intervals. The shares per certainty weight each case by the
//! assumed frequency of its fault and use Kish's effective sample size; further columns show
//! them with equal weights. An aim is met if the share reaches it.

use std::fmt::Write as _;

use probecause::model::cause::Certainty;

use super::bound::{self, Row};
use super::front_doors::{Door, FAULTS, Fault};
use super::measure::{Measured, Tally};
use super::truths::Stage;

/// Options of the table.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style {
    /// Whether to list, per row, how often each cause leads.
    pub(crate) confusion: bool,
}

/// A share with its 95 % interval, all between 0 and 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) share: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Total weight of the cases; 0 if there are none.
    pub(crate) cases: f64,
}

/// The share of verdicts with a certainty that must be right at a stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aim {
    pub(crate) stage: Stage,
    pub(crate) certainty: Certainty,
    /// The share if each cause is as frequent as assumed.
    pub(crate) assumed: f64,
    /// The share if all causes, and so all look-alikes, are equally frequent.
    pub(crate) equal: f64,
}

/// The stages with aims.
const AIM_STAGES: [Stage; 3] = [Stage::Configuration, Stage::Logs, Stage::All];

/// The aims of each certainty.
pub(crate) const AIMS: [Aim; 9] = [
    aim(Stage::Configuration, Certainty::Likely, 0.98, 0.97),
    aim(Stage::Configuration, Certainty::Corroborated, 0.995, 0.99),
    aim(Stage::Configuration, Certainty::Proven, 0.9999, 0.9999),
    aim(Stage::Logs, Certainty::Likely, 0.98, 0.98),
    aim(Stage::Logs, Certainty::Corroborated, 0.995, 0.995),
    aim(Stage::Logs, Certainty::Proven, 0.9999, 0.9999),
    aim(Stage::All, Certainty::Likely, 0.98, 0.98),
    aim(Stage::All, Certainty::Corroborated, 0.995, 0.995),
    aim(Stage::All, Certainty::Proven, 0.9999, 0.9999),
];

/// The share of failures whose candidates must include the true cause.
pub(crate) const AIM_AMONG: f64 = 0.995;

/// The header of the table with one line per row.
const ROWS: [&str; 12] = [
    "front door",
    "truth",
    "+ metrics",
    "+ configuration",
    "right",
    "bound",
    "among",
    "possible",
    "likely",
    "corroborated",
    "proven",
    "no name",
];

/// The normal distribution's 97.5th percentile.
const SIGMAS: f64 = 1.96;

const fn aim(stage: Stage, certainty: Certainty, assumed: f64, equal: f64) -> Aim {
    Aim {
        stage,
        certainty,
        assumed,
        equal,
    }
}

impl Share {
    /// The share `right / all` with Wilson's interval for a sample of `size` cases.
    pub(crate) fn wilson(right: f64, all: f64, size: f64) -> Self {
        if all <= 0.0 || size <= 0.0 {
            return Self {
                share: 0.0,
                low: 0.0,
                high: 1.0,
                cases: 0.0,
            };
        }
        let share = right / all;
        let square = SIGMAS * SIGMAS;
        let middle = share + square / (2.0 * size);
        let spread = share * (1.0 - share) / size + square / (4.0 * size * size);
        let half = SIGMAS * spread.sqrt();
        let scale = 1.0 + square / size;
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

/// How often verdicts with this certainty are right at a stage, over all rows.
pub(crate) fn right_at(
    measured: &[Measured],
    stage: usize,
    certainty: Certainty,
    weighted: bool,
) -> Share {
    let counts = FAULTS.iter().zip(measured).filter_map(|(fault, row)| {
        let (given, right) = *row.tallies.get(stage)?.certainties.get(&certainty)?;
        Some((weight(fault, weighted), given, right))
    });
    sum(counts)
}

/// How often the true cause is among the candidates, over all rows that a rule can name.
pub(crate) fn among(measured: &[Measured], stage: usize, weighted: bool) -> Share {
    let counts = FAULTS.iter().zip(measured).filter_map(|(fault, row)| {
        let tally = row.tallies.get(stage)?;
        let named = !super::measure::names_no_cause(fault.truth);
        named.then_some((weight(fault, weighted), tally.cases, tally.among))
    });
    sum(counts)
}

fn weight(fault: &Fault, weighted: bool) -> f64 {
    if weighted { fault.frequency } else { 1.0 }
}

/// The share of the weighted counts; the effective sample size is `(Σw)² / Σw²`.
fn sum(counts: impl Iterator<Item = (f64, u32, u32)>) -> Share {
    let (mut all, mut right, mut squares) = (0.0, 0.0, 0.0);
    for (weight, given, hits) in counts {
        all += weight * f64::from(given);
        right += weight * f64::from(hits);
        squares += weight * weight * f64::from(given);
    }
    Share::wilson(right, all, all * all / f64::max(squares, f64::MIN_POSITIVE))
}

/// All tables of one seed.
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

/// One line per row, at the last stage. The columns that are named like a stage are the shares of
/// right verdicts at that stage.
fn rows(measured: &[Measured]) -> String {
    let mut lines = vec![ROWS.map(str::to_owned).to_vec()];
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
                weight: fault.frequency,
                classes: &row.classes,
            })
            .collect();
        let bounds = bound::observer(&seen);
        let mut total = 0.0;
        let mut sums = [0.0; 4];
        for ((fault, row), best) in of_door.iter().zip(&bounds) {
            let Some(tally) = row.tallies.last() else {
                continue;
            };
            let [metrics, configuration] =
                [Stage::Metrics, Stage::Configuration].map(|stage| right_of(row, stage));
            let right = part(tally.right, tally.cases);
            let shares = [metrics, configuration, right, *best];
            lines.push(line(fault, tally, shares));
            total += fault.frequency;
            for (sum, share) in sums.iter_mut().zip(shares) {
                *sum += fault.frequency * share;
            }
        }
        let mut line = vec![
            door.name().to_owned(),
            "**all, as often as assumed**".to_owned(),
        ];
        line.extend(sums.map(|sum| format!("{:.2}", 100.0 * sum / total)));
        line.resize(ROWS.len(), String::new());
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

/// The share of right verdicts of a row at a stage.
fn right_of(row: &Measured, stage: Stage) -> f64 {
    let tally = row.tallies.get(stage.index());
    tally.map_or(0.0, |tally| part(tally.right, tally.cases))
}

fn line(fault: &Fault, tally: &Tally, shares: [f64; 4]) -> Vec<String> {
    let percent = |count: u32| format!("{:.2}", 100.0 * part(count, tally.cases));
    let mut line = vec![fault.door.name().to_owned(), fault.row()];
    line.extend(shares.map(|share| format!("{:.2}", 100.0 * share)));
    line.push(percent(tally.among));
    for certainty in Certainty::ALL {
        let (given, right) = tally
            .certainties
            .get(&certainty)
            .copied()
            .unwrap_or_default();
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

/// One line per stage, which shows what each kind of evidence adds.
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
                Some((fault.frequency, tally.cases, tally.right))
            });
        let right = sum(gateways);
        let all: f64 = FAULTS.iter().map(|fault| fault.frequency).sum();
        let cases = f64::from(measured.first().map_or(0, |row| row.tallies[index].cases));
        let mut line = vec![stage.name().to_owned(), right.text()];
        for certainty in Certainty::ALL {
            let share = right_at(measured, index, certainty, true);
            let given = 100.0 * share.cases / (all * cases).max(1.0);
            line.push(format!("{given:.1}: {}", share.text()));
        }
        lines.push(line);
    }
    grid(&lines)
}

fn aims(measured: &[Measured]) -> String {
    let header = [
        "known",
        "aim",
        "at least",
        "as often as assumed",
        "",
        "at least",
        "each as often as the next",
        "",
    ];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    let mut row = |stage: Stage, name: String, aims: [(f64, Share); 2]| {
        let mut line = vec![stage.name().to_owned(), name];
        for (aim, share) in aims {
            let met = share.cases == 0.0 || share.share >= aim;
            let met = if met { "met" } else { "MISSED" };
            line.extend([format!("{:.2}", 100.0 * aim), share.text(), met.to_owned()]);
        }
        lines.push(line);
    };
    for stage in AIM_STAGES {
        for aim in AIMS.iter().filter(|aim| aim.stage == stage) {
            let right = |weighted| right_at(measured, stage.index(), aim.certainty, weighted);
            let name = format!("`{}` is right", aim.certainty.as_str());
            row(
                stage,
                name,
                [(aim.assumed, right(true)), (aim.equal, right(false))],
            );
        }
        let among =
            [true, false].map(|weighted| (AIM_AMONG, among(measured, stage.index(), weighted)));
        row(stage, "truth among the candidates".to_owned(), among);
    }
    grid(&lines)
}

/// The leading causes of each row, at the first and the last stage.
fn confusion(measured: &[Measured]) -> String {
    let mut text = String::new();
    for (fault, row) in FAULTS.iter().zip(measured) {
        for (stage, tally) in [
            ("outside", row.tallies.first()),
            ("all", row.tallies.last()),
        ] {
            let Some(tally) = tally else { continue };
            let mut leading: Vec<_> = tally.leading.iter().collect();
            leading.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
            let shares: Vec<String> = leading
                .into_iter()
                .map(|(name, count)| format!("{name} {:.2}", 100.0 * part(*count, tally.cases)))
                .collect();
            let door = fault.door.name();
            let _ = writeln!(
                text,
                "- {door}, {}, {stage}: {}",
                fault.row(),
                shares.join(", ")
            );
        }
    }
    text
}

/// A Markdown table with aligned columns.
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
