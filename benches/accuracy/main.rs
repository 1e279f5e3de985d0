//! How often the rules are right: `cargo bench --bench accuracy`.
//!
//! A simulation and nothing more: failures are drawn from distributions that are written
//! down beside it, diagnosed by the embedded rules, and compared with what was drawn. It
//! refuses to say how often any fault occurs in the world.

mod bound;
mod cases;
mod evidence;
mod front_doors;
mod log_lines;
mod measure;
mod population;
mod random;
mod table;
mod truths;

use std::error::Error;

use probecause::domain::diagnosis::rulebook::Rulebook;

/// Cases a row unless `--n` says otherwise: a share of 99.5 % is then known to 0.15 %.
const CASES: u32 = 10_000;

struct Options {
    seeds: Vec<u64>,
    cases: u32,
    style: table::Style,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options(std::env::args().skip(1))?;
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

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        seeds: Vec::new(),
        cases: CASES,
        style: table::Style::default(),
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("`{word}` needs a number"));
        match word.as_str() {
            "--seed" => options.seeds.push(value()?.parse()?),
            "--n" => options.cases = value()?.parse()?,
            "--confusion" => options.style.confusion = true,
            // The table is Markdown either way; Cargo adds the other to every benchmark.
            "--markdown" | "--bench" => {}
            other => {
                return Err(format!(
                    "`{other}` is not known: --seed, --n, --confusion, --markdown"
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
