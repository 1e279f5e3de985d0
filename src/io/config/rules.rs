//! Reads the custom rules from all `*.toml` files in a directory.
//!
//! This module only finds and reads the files. `domain::diagnosis` parses and checks the rules.

use std::path::Path;
use std::sync::Arc;

use super::document::read_text;
use super::include;
use super::problem::{ConfigError, Problem};
use crate::domain::diagnosis::lint::{Level, lint};
use crate::domain::diagnosis::rule::RuleProblem;
use crate::domain::diagnosis::rulebook::Rulebook;
use crate::model::settings::RuleFile;

/// The valid custom rules of a directory, and the warnings and notes about them.
#[derive(Clone, Debug)]
pub struct LoadedRules {
    /// The rule files, sorted by path.
    pub files: Arc<[RuleFile]>,
    /// The custom rules combined with the built-in rules.
    pub rulebook: Rulebook,
    /// Warnings about valid but probably unintended parts of the rules.
    pub warnings: Vec<Problem>,
    /// Notes about built-in rules that the custom rules replace or outrank.
    pub notes: Vec<Problem>,
}

/// Reads the custom rules in a directory. Blocks on I/O.
///
/// # Errors
/// Returns the problems of all files. If the directory does not exist, returns only this problem.
/// If a file cannot be read or parsed, the examples in the rules are not checked.
pub fn load_rules(directory: &Path) -> Result<LoadedRules, ConfigError> {
    if !directory.is_dir() {
        return Err(Problem::of_file(directory, NO_DIRECTORY).into());
    }
    let paths = include::find_files(directory, "*.toml");
    // An empty directory causes only a warning, so that the last custom rule can be removed.
    let empty = paths
        .is_empty()
        .then(|| Problem::of_file(directory, NO_RULES));
    let mut problems = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        match read_text(&path) {
            Ok(text) => files.push(RuleFile {
                name: path.display().to_string(),
                text,
            }),
            Err(message) => problems.push(Problem::of_file(&path, message)),
        }
    }
    let (rulebook, built_in) = match (Rulebook::with(&files), Rulebook::embedded()) {
        (Ok(rulebook), Ok(built_in)) if problems.is_empty() => (rulebook, built_in),
        (Ok(_), Ok(_)) => return Err(problems.into()),
        (Err(error), _) | (_, Err(error)) => {
            problems.extend(error.0.into_iter().map(located));
            return Err(problems.into());
        }
    };
    let findings = lint(&rulebook, &built_in);
    let of = |level: Level| -> Vec<Problem> {
        let found = findings.iter().filter(|finding| finding.level == level);
        found
            .map(|finding| located(finding.problem.clone()))
            .collect()
    };
    let problems = of(Level::Error);
    if problems.is_empty() {
        Ok(LoadedRules {
            warnings: empty.into_iter().chain(of(Level::Warning)).collect(),
            notes: of(Level::Note),
            files: files.into(),
            rulebook,
        })
    } else {
        let warnings = of(Level::Warning);
        Err(ConfigError { problems, warnings })
    }
}

const NO_DIRECTORY: &str = "directory not found; create it or correct the path";

const NO_RULES: &str = "the directory has no *.toml file; add rules or correct the path";

fn located(problem: RuleProblem) -> Problem {
    Problem {
        line: Some(problem.line),
        ..Problem::of_file(Path::new(&problem.file), problem.message)
    }
}
