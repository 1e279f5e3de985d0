//! `probecause check`: says everything that is wrong with a configuration and with the
//! operator's rules that it names, and the mend.
//!
//! Reads what the daemon would read and nothing more: no target is contacted.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Exit, Terminal, print};
use crate::domain::shard::{self, IndexError};
use crate::io::config::{self, Problem};
use crate::model::settings::Settings;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration, such as probecause.toml.
    #[arg(required_unless_present = "rules")]
    file: Option<PathBuf>,
    /// Check this directory of rules alone.
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    rules: Option<PathBuf>,
    /// One JSON object a line for each problem, warning and note.
    #[arg(long)]
    json: bool,
}

/// Carries the command out: problems and warnings, then a summary. Warnings alone are fine.
///
/// # Errors
/// A message for the user: standard output cannot be written.
pub async fn run(args: Args, _terminal: Terminal) -> Result<Exit, String> {
    let found = match (&args.file, &args.rules) {
        (Some(file), _) => of_configuration(file),
        (None, Some(folder)) => of_rules(folder),
        (None, None) => return Err("name a configuration, or --rules DIR".to_owned()),
    };
    let mut text = String::new();
    for (level, list) in [
        ("error", &found.problems),
        ("warning", &found.warnings),
        ("note", &found.notes),
    ] {
        for problem in list {
            text.push_str(&line(level, problem, args.json));
            text.push('\n');
        }
    }
    if !args.json {
        text.push_str(&summary(&found));
        text.push('\n');
    }
    print(&text)?;
    Ok(if found.problems.is_empty() {
        Exit::Fine
    } else {
        Exit::Usage
    })
}

/// What there is to say.
#[derive(Default)]
struct Found {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    notes: Vec<Problem>,
    /// Absent where rules alone are looked at.
    targets: Option<usize>,
    /// How the targets are shared out.
    shares: Option<String>,
    /// Files of the operator's rules.
    rules: usize,
}

fn of_configuration(file: &Path) -> Found {
    match config::load(file) {
        Ok(loaded) => {
            let (shares, note) = shares(&loaded.settings);
            let mut notes = loaded.notes;
            // Not a warning: configurations are checked on other machines than they are for.
            notes.extend(note.map(|error| Problem {
                file: file.to_owned(),
                line: None,
                key: "shard.index".to_owned(),
                message: format!("no daemon would start on this machine: {error}"),
            }));
            Found {
                warnings: loaded.warnings,
                notes,
                targets: Some(loaded.settings.targets.len()),
                shares,
                rules: loaded.settings.rules.len(),
                ..Found::default()
            }
        }
        Err(error) => Found {
            problems: error.problems,
            ..Found::default()
        },
    }
}

/// What this shard holds, or, where its index is not known here, what each of them does,
/// and why. Nothing where one daemon holds everything.
fn shares(settings: &Settings) -> (Option<String>, Option<IndexError>) {
    let total = settings.shards.total;
    if total <= 1 {
        return (None, None);
    }
    let mut held = vec![0_usize; total as usize];
    for target in &settings.targets {
        for holder in shard::holders(&settings.shards, &target.name) {
            held[holder as usize] += 1;
        }
    }
    match shard::index(&settings.shards, |name| std::env::var(name).ok()) {
        Ok(own) => {
            let held = held[own as usize];
            (Some(format!("shard {own} of {total} holds {held}")), None)
        }
        Err(error) => {
            let (least, most) = (held.iter().min(), held.iter().max());
            let (least, most) = (least.unwrap_or(&0), most.unwrap_or(&0));
            let shares = format!("{total} shards hold {least} to {most} each");
            (Some(shares), Some(error))
        }
    }
}

fn of_rules(folder: &Path) -> Found {
    match config::load_rules(folder) {
        Ok(loaded) => Found {
            warnings: loaded.warnings,
            notes: loaded.notes,
            rules: loaded.files.len(),
            ..Found::default()
        },
        Err(error) => Found {
            problems: error.problems,
            ..Found::default()
        },
    }
}

fn line(level: &str, problem: &Problem, as_json: bool) -> String {
    if !as_json {
        return match level {
            "error" => problem.to_string(),
            _ => format!("{level}: {problem}"),
        };
    }
    json!({
        "level": level,
        "file": problem.file.display().to_string(),
        "line": problem.line,
        "key": problem.key,
        "message": problem.message,
    })
    .to_string()
}

fn summary(found: &Found) -> String {
    let mut parts = Vec::new();
    let seen = |parts: &mut Vec<String>| {
        parts.extend(found.targets.map(|targets| counted(targets, "target")));
        parts.extend(found.shares.clone());
        if found.rules > 0 || found.targets.is_none() {
            parts.push(counted(found.rules, "file") + " of rules");
        }
    };
    match found.problems.len() {
        0 => seen(&mut parts),
        problems => parts.push(counted(problems, "problem")),
    }
    if !found.warnings.is_empty() {
        parts.push(counted(found.warnings.len(), "warning"));
    }
    let fine = if found.problems.is_empty() {
        "fine: "
    } else {
        ""
    };
    format!("{fine}{}", parts.join(", "))
}

fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(problems: usize, warnings: usize, targets: Option<usize>, rules: usize, said: &str) {
        let problem = || Problem {
            file: "c.toml".into(),
            line: None,
            key: String::new(),
            message: "no".to_owned(),
        };
        let found = Found {
            problems: std::iter::repeat_with(problem).take(problems).collect(),
            warnings: std::iter::repeat_with(problem).take(warnings).collect(),
            notes: Vec::new(),
            targets,
            shares: (rules == 3).then(|| "shard 0 of 2 holds 5".to_owned()),
            rules,
        };
        assert_eq!(summary(&found), said);
    }

    #[test]
    fn the_summary_counts_in_words_a_person_would_use() {
        check(0, 0, Some(1), 0, "fine: 1 target");
        check(0, 1, Some(12), 0, "fine: 12 targets, 1 warning");
        check(0, 0, Some(2), 1, "fine: 2 targets, 1 file of rules");
        check(0, 0, None, 2, "fine: 2 files of rules");
        let shared = "fine: 9 targets, shard 0 of 2 holds 5, 3 files of rules";
        check(0, 0, Some(9), 3, shared);
        check(1, 0, None, 0, "1 problem");
        check(3, 2, None, 0, "3 problems, 2 warnings");
    }
}
