//! Defines and collects errors and warnings about a configuration.
//!
//! Each problem contains its location. An invalid value does not end the reading of the
//! configuration, so that all problems are reported together.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// One error, warning or note about a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Problem {
    /// The path of the file that contains the problem.
    pub file: PathBuf,
    /// The line number, from 1. `None` if the problem concerns the whole file or its line is not
    /// known.
    pub line: Option<usize>,
    /// The key path, such as `target[orders].request.method`. Empty if the problem does not
    /// concern a single key.
    pub key: String,
    /// The message: what is wrong and what to write instead. Never contains a secret.
    pub message: String,
}

/// The error returned for a configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The errors found; never empty.
    pub problems: Vec<Problem>,
    /// The warnings found in addition to the errors.
    pub warnings: Vec<Problem>,
}

/// Collects errors and warnings while a configuration is read.
///
/// The methods take `&self`, because all `KeyLocation` values share one collector.
#[derive(Debug, Default)]
pub(super) struct Problems {
    /// Whether sources of secrets are checked without reading the secrets.
    skips_secrets: bool,
    errors: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
}

impl Problem {
    /// Creates a problem that concerns a whole file.
    pub(super) fn of_file(file: &Path, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            key: String::new(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}", self.message)
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        vec![problem].into()
    }
}

impl From<Vec<Problem>> for ConfigError {
    fn from(problems: Vec<Problem>) -> Self {
        Self {
            problems,
            warnings: Vec::new(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl Problems {
    /// Creates an empty collector for reading a configuration without its secrets.
    pub(super) fn without_secrets() -> Self {
        Self {
            skips_secrets: true,
            ..Self::default()
        }
    }

    /// Returns whether sources of secrets are checked without reading the secrets.
    pub(super) const fn skips_secrets(&self) -> bool {
        self.skips_secrets
    }

    /// Adds an error to the collector.
    pub(super) fn error(&self, problem: Problem) {
        self.errors.borrow_mut().push(problem);
    }

    /// Adds a warning to the collector.
    pub(super) fn warn(&self, problem: Problem) {
        self.warnings.borrow_mut().push(problem);
    }

    /// Returns the number of errors collected so far, including duplicates.
    pub(super) fn error_count(&self) -> usize {
        self.errors.borrow().len()
    }

    /// Returns all errors and all warnings without duplicates. Duplicates occur because a value of
    /// `[defaults]` is read for every target. Both lists are sorted by the position of the file in
    /// `files`, then by line. A file that is not in `files` is sorted like the first file.
    pub(super) fn into_sorted(self, files: &[&Path]) -> (Vec<Problem>, Vec<Problem>) {
        let order = |problem: &Problem| {
            let position = files.iter().position(|file| *file == problem.file);
            (position.unwrap_or_default(), problem.line)
        };
        let sorted = |list: RefCell<Vec<Problem>>| {
            let mut list = list.into_inner();
            list.sort_by_key(order);
            let mut seen = HashSet::new();
            list.retain(|problem| seen.insert(problem.clone()));
            list
        };
        (sorted(self.errors), sorted(self.warnings))
    }
}
