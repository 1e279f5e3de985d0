//! `probecause check`: reports all problems of a configuration or of custom rules.
//! The command reads the same files as the daemon. It sends requests only with `--aws`; the module
//! `aws` then shows which evidence each target can get from AWS.

mod aws;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Exit, Terminal, print};
use crate::domain::shard::{self, IndexError};
use crate::io::config::{self, ConfigError, Problem};
use crate::model::settings::Settings;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file, such as probecause.toml.
    #[arg(required_unless_present = "rules")]
    file: Option<PathBuf>,
    /// Check the custom rules in this directory instead of a configuration.
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    rules: Option<PathBuf>,
    /// Do not read secrets. The files, environment variables and credentials that the configuration
    /// names may then be absent, for example in CI.
    #[arg(long, conflicts_with = "rules")]
    no_secrets: bool,
    /// Also show which evidence each target can get from AWS, what is missing, and the step that
    /// would help most. Makes read-only AWS calls with the credentials of the AWS SDK's default
    /// chain. Run the command with the daemon's credentials.
    #[arg(long, conflicts_with = "rules")]
    aws: bool,
    /// Print a line of JSON for each problem, warning and note, and, with `--aws`, for the evidence
    /// of each target.
    #[arg(long)]
    json: bool,
}

/// Runs `probecause check`. Returns [`Exit::Usage`] if the check found a problem. Warnings, notes
/// and missing evidence are not problems.
///
/// # Errors
/// Returns an error if neither a configuration file nor custom rules are specified, if the AWS
/// calls cannot be prepared, or if standard output cannot be written.
pub async fn run(args: Args, terminal: Terminal) -> Result<Exit, String> {
    let mut valid = None;
    let report = match (&args.file, &args.rules) {
        (Some(file), _) => check_configuration(file, args.no_secrets).map(|(report, settings)| {
            valid = Some(settings);
            report
        }),
        (None, Some(directory)) => check_rules(directory),
        (None, None) => {
            return Err(
                "nothing to check; specify a configuration file or `--rules DIR`".to_owned(),
            );
        }
    };
    let report = report.unwrap_or_else(|error| CheckReport {
        problems: error.problems,
        warnings: error.warnings,
        ..CheckReport::default()
    });
    let mut text = String::new();
    for (level, list) in [
        ("error", &report.problems),
        ("warning", &report.warnings),
        ("note", &report.notes),
    ] {
        for problem in list {
            text.push_str(&line(level, problem, args.json));
            text.push('\n');
        }
    }
    if !args.json {
        text.push_str(&summary(&report));
        text.push('\n');
    }
    print(&text)?;
    if let Some(settings) = valid.filter(|_| args.aws) {
        print(&Box::pin(aws::report(&settings, terminal, args.json)).await?)?;
    }
    Ok(if report.problems.is_empty() {
        Exit::Fine
    } else {
        Exit::Usage
    })
}

/// The result of a check: the messages to print, and the values that the summary contains.
#[derive(Default)]
struct CheckReport {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    notes: Vec<Problem>,
    /// The number of targets; `None` if only rules are checked or a problem was found.
    targets: Option<usize>,
    /// The summary of the shards; `None` if only rules are checked, the targets are not sharded, or
    /// a problem was found.
    shards: Option<String>,
    /// The number of files with custom rules; 0 if a problem was found.
    rules: usize,
}

fn check_configuration(
    file: &Path,
    no_secrets: bool,
) -> Result<(CheckReport, Settings), ConfigError> {
    let loaded = if no_secrets {
        config::load_without_secrets(file)?
    } else {
        config::load(file)?
    };
    let (shards, index_error) = shard_summary(&loaded.settings);
    let mut notes = loaded.notes;
    // If the shard index cannot be determined, this is reported as a note, not as a problem, since
    // the configuration may be for another machine.
    notes.extend(index_error.map(|error| Problem {
        file: file.to_owned(),
        line: None,
        key: "shard.index".to_owned(),
        message: format!("the daemon would not start on this machine: {error}"),
    }));
    let report = CheckReport {
        warnings: loaded.warnings,
        notes,
        targets: Some(loaded.settings.targets.len()),
        shards,
        rules: loaded.settings.rules.len(),
        ..CheckReport::default()
    };
    Ok((report, loaded.settings))
}

/// Returns a summary with the number of targets that this machine's shard probes. If the index of
/// this shard cannot be determined, returns a summary with the smallest and the largest number of
/// targets of a shard, and the reason as an error. If the targets are not sharded, both values are
/// `None`.
fn shard_summary(settings: &Settings) -> (Option<String>, Option<IndexError>) {
    let total = settings.shards.total;
    if total <= 1 {
        return (None, None);
    }
    let mut counts = vec![0_usize; total as usize];
    for target in &settings.targets {
        for index in shard::assigned_shards(&settings.shards, &target.name) {
            counts[index as usize] += 1;
        }
    }
    match shard::index(&settings.shards, |name| std::env::var(name).ok()) {
        Ok(own) => {
            let count = counts[own as usize];
            (
                Some(format!(
                    "the shard with index {own} of {total} shards probes {count} of the targets"
                )),
                None,
            )
        }
        Err(error) => {
            let least = counts.iter().min().unwrap_or(&0);
            let most = counts.iter().max().unwrap_or(&0);
            let range = format!("each of {total} shards probes {least} to {most} of the targets");
            (Some(range), Some(error))
        }
    }
}

fn check_rules(directory: &Path) -> Result<CheckReport, ConfigError> {
    let loaded = config::load_rules(directory)?;
    Ok(CheckReport {
        warnings: loaded.warnings,
        notes: loaded.notes,
        rules: loaded.files.len(),
        ..CheckReport::default()
    })
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

fn summary(report: &CheckReport) -> String {
    let mut parts = Vec::new();
    let valid = report.problems.is_empty();
    if valid {
        parts.extend(
            report
                .targets
                .map(|targets| format_count(targets, "target")),
        );
        parts.extend(report.shards.clone());
        if report.rules > 0 || report.targets.is_none() {
            parts.push(format_count(report.rules, "file") + " of rules");
        }
    } else {
        parts.push(format_count(report.problems.len(), "problem"));
    }
    if !report.warnings.is_empty() {
        parts.push(format_count(report.warnings.len(), "warning"));
    }
    let prefix = if valid { "fine: " } else { "" };
    format!("{prefix}{}", parts.join(", "))
}

fn format_count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(problems: usize, warnings: usize, targets: Option<usize>, rules: usize, text: &str) {
        let problem = || Problem {
            file: "c.toml".into(),
            line: None,
            key: String::new(),
            message: "no".to_owned(),
        };
        let report = CheckReport {
            problems: std::iter::repeat_with(problem).take(problems).collect(),
            warnings: std::iter::repeat_with(problem).take(warnings).collect(),
            notes: Vec::new(),
            targets,
            shards: (rules == 3).then(|| "shard 0 of 2 probes 5 of the targets".to_owned()),
            rules,
        };
        assert_eq!(summary(&report), text);
    }

    #[test]
    fn the_summary_counts_in_singular_and_plural() {
        check(0, 0, Some(1), 0, "fine: 1 target");
        check(0, 1, Some(12), 0, "fine: 12 targets, 1 warning");
        check(0, 0, Some(2), 1, "fine: 2 targets, 1 file of rules");
        check(0, 0, None, 2, "fine: 2 files of rules");
        let shared = "fine: 9 targets, shard 0 of 2 probes 5 of the targets, 3 files of rules";
        check(0, 0, Some(9), 3, shared);
        check(1, 0, None, 0, "1 problem");
        check(3, 2, None, 0, "3 problems, 2 warnings");
    }
}
