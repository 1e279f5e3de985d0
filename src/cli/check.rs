//! `probecause check`: says everything that is wrong with a configuration, and its mend.
//!
//! Reads what the daemon would read and nothing more: no target is contacted.

use std::path::PathBuf;

use serde_json::json;

use super::{Exit, Terminal, print};
use crate::config::{self, Problem};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration, such as probecause.toml.
    file: PathBuf,
    /// One JSON object a line for each problem and warning.
    #[arg(long)]
    json: bool,
}

/// Carries the command out: problems and warnings, then a summary. Warnings alone are fine.
///
/// # Errors
/// A message for the user: standard output cannot be written.
pub async fn run(args: Args, _terminal: Terminal) -> Result<Exit, String> {
    let loaded = config::load(&args.file);
    let (problems, warnings, targets) = match &loaded {
        Ok(loaded) => (&[][..], &loaded.warnings[..], loaded.settings.targets.len()),
        Err(error) => (&error.problems[..], &[][..], 0),
    };
    let mut text = String::new();
    for (level, list) in [("error", problems), ("warning", warnings)] {
        for problem in list {
            text.push_str(&line(level, problem, args.json));
            text.push('\n');
        }
    }
    if !args.json {
        text.push_str(&summary(problems.len(), warnings.len(), targets));
        text.push('\n');
    }
    print(&text)?;
    Ok(if problems.is_empty() {
        Exit::Fine
    } else {
        Exit::Usage
    })
}

fn line(level: &str, problem: &Problem, as_json: bool) -> String {
    if !as_json {
        let note = if level == "warning" { "warning: " } else { "" };
        return format!("{note}{problem}");
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

fn summary(problems: usize, warnings: usize, targets: usize) -> String {
    let verdict = match problems {
        0 => format!("fine: {}", counted(targets, "target")),
        _ => counted(problems, "problem"),
    };
    match warnings {
        0 => verdict,
        _ => format!("{verdict}, {}", counted(warnings, "warning")),
    }
}

fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::summary;

    fn check(given: (usize, usize, usize), said: &str) {
        assert_eq!(summary(given.0, given.1, given.2), said);
    }

    #[test]
    fn the_summary_counts_in_words_a_person_would_use() {
        check((0, 0, 1), "fine: 1 target");
        check((0, 1, 12), "fine: 12 targets, 1 warning");
        check((1, 0, 0), "1 problem");
        check((3, 0, 0), "3 problems");
    }
}
