//! Reads the operator's own rules, and has them looked through.
//!
//! Every `*.toml` of the folder, in the order of the names; nothing below it. What rules
//! mean is for `diagnosis` to say: this only finds the files and passes on what is wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::document::read_text;
use super::include;
use super::problem::{ConfigError, Problem};
use crate::domain::diagnosis::lint::{Level, lint};
use crate::domain::diagnosis::rule::RuleProblem;
use crate::domain::diagnosis::rulebook::Rulebook;
use crate::model::settings::RuleFile;

/// The operator's rules, fit to be used.
#[derive(Clone, Debug)]
pub struct LoadedRules {
    /// Their files, in the order of the names.
    pub files: Arc<[RuleFile]>,
    /// They and our own.
    pub rulebook: Rulebook,
    /// What is doubtful about them.
    pub warnings: Vec<Problem>,
    /// What is worth knowing: which of our rules they replace or outweigh.
    pub notes: Vec<Problem>,
}

/// Reads a folder of rules. Blocks on files.
///
/// # Errors
/// Every problem of every file; a folder that is none stands alone.
pub fn load_rules(folder: &Path) -> Result<LoadedRules, ConfigError> {
    if !folder.is_dir() {
        return Err(ConfigError {
            problems: vec![whole(folder.to_owned(), NO_FOLDER.to_owned())],
        });
    }
    let paths = include::matching(folder, "*.toml");
    // Like an `include` that matches nothing: whoever takes the last rule out goes on.
    let empty = paths
        .is_empty()
        .then(|| whole(folder.to_owned(), NO_RULES.to_owned()));
    let mut problems = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        match read_text(&path) {
            Ok(text) => files.push(RuleFile {
                name: path.display().to_string(),
                text,
            }),
            Err(message) => problems.push(whole(path, message)),
        }
    }
    let (rulebook, ours) = match (Rulebook::with(&files), Rulebook::embedded()) {
        (Ok(rulebook), Ok(ours)) if problems.is_empty() => (rulebook, ours),
        (Ok(_), Ok(_)) => return Err(ConfigError { problems }),
        (Err(error), _) | (_, Err(error)) => {
            problems.extend(error.0.into_iter().map(placed));
            return Err(ConfigError { problems });
        }
    };
    let findings = lint(&rulebook, &ours);
    let of = |level: Level| -> Vec<Problem> {
        let found = findings.iter().filter(|finding| finding.level == level);
        found
            .map(|finding| placed(finding.problem.clone()))
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
        Err(ConfigError { problems })
    }
}

/// What is said of a folder that cannot be listed.
const NO_FOLDER: &str = "there is no such directory of rules; name one, or create it";

/// What is said of a folder without a rule file.
const NO_RULES: &str =
    "no *.toml file is in this directory of rules; add one, or name another directory";

fn whole(file: PathBuf, message: String) -> Problem {
    Problem {
        file,
        line: None,
        key: String::new(),
        message,
    }
}

fn placed(problem: RuleProblem) -> Problem {
    Problem {
        file: problem.file.into(),
        line: Some(problem.line),
        key: String::new(),
        message: problem.message,
    }
}
