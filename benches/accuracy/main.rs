//! Measures how often the rules are right: `cargo bench --bench accuracy`.
//!
//! This is a simulation. Failures are drawn from the distributions in `population`,
//! diagnosed by the embedded rules, and compared with the drawn cause. The result says
//! nothing about how often a fault occurs in practice.

mod bound;
mod cases;
mod configuration;
mod evidence;
mod front_doors;
mod log_lines;
mod measure;
mod population;
mod random;
mod resources;
mod table;
mod truths;

use std::error::Error;

use probecause::domain::diagnosis::rulebook::Rulebook;

/// Default number of cases per row. It determines a share of 99.5 % to within 0.15 %.
const CASES: u32 = 10_000;

struct Options {
    seeds: Vec<u64>,
    cases: u32,
    style: table::Style,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = parse_options(std::env::args().skip(1))?;
    let rules = Rulebook::embedded()?;
    for seed in &options.seeds {
        let measured = measure::measure(&rules, *seed, options.cases)?;
        print!(
            "{}",
            table::table(*seed, options.cases, &measured, options.style)
        );
    }
    Ok(())
}

fn parse_options(mut arguments: impl Iterator<Item = String>) -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        seeds: Vec::new(),
        cases: CASES,
        style: table::Style::default(),
    };
    while let Some(argument) = arguments.next() {
        let mut value = || {
            let missing = format!("{argument}: missing value; give a number");
            arguments.next().ok_or(missing)
        };
        match argument.as_str() {
            "--seed" => options.seeds.push(value()?.parse()?),
            "--n" => options.cases = value()?.parse()?,
            "--confusion" => options.style.confusion = true,
            // The table is always Markdown. Cargo passes `--bench` to every benchmark.
            "--markdown" | "--bench" => {}
            other => {
                return Err(format!(
                    "unknown argument `{other}`; use --seed, --n, --confusion or --markdown"
                )
                .into());
            }
        }
    }
    if options.seeds.is_empty() {
        options.seeds = vec![1, 2];
    }
    Ok(options)
}
