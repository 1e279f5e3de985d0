//! What is wrong with a configuration: one problem, and the list that gathers them.
//!
//! A problem says where it stands and how to mend it. Nothing here stops at the first
//! one: whoever edits forty targets wants to hear of all mistakes in one go.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong, or doubtful, with its place and its mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file it stands in, as the user would find it.
    pub file: PathBuf,
    /// The line, from 1; absent when the file as a whole is meant.
    pub line: Option<usize>,
    /// The key path, such as `target[orders].request.method`; empty for the whole file.
    pub key: String,
    /// What is wrong, then the mend. Never holds a secret.
    pub message: String,
}

/// Why a configuration cannot be used: at least one problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Every problem found, in the order of the files.
    pub problems: Vec<Problem>,
}

/// Problems and warnings gathered while a configuration is read.
#[derive(Debug, Default)]
pub(super) struct Problems {
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
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
    /// Adds a problem once: a bad default would otherwise be told for every target.
    pub(super) fn error(&mut self, problem: Problem) {
        if !self.errors.contains(&problem) {
            self.errors.push(problem);
        }
    }

    /// Adds a warning once.
    pub(super) fn warn(&mut self, problem: Problem) {
        if !self.warnings.contains(&problem) {
            self.warnings.push(problem);
        }
    }

    /// Puts both lists in the order of reading: the main file, then the included ones.
    pub(super) fn sort(&mut self, included: &[&Path]) {
        let order = |problem: &Problem| {
            let file = included.iter().position(|file| *file == problem.file);
            (file.map_or(0, |position| position + 1), problem.line)
        };
        self.errors.sort_by_key(order);
        self.warnings.sort_by_key(order);
    }
}
