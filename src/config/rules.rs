//! The operator's own rules: a folder of files that are read before the built-in ones.
//!
//! Reads and checks them like the rest of the configuration, so that a broken rule is
//! told with its place, and refuses a reload, before anything relies on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::document::Site;
use super::problem::{Problem, Problems};
use crate::diagnosis::lint::lint;
use crate::diagnosis::rule::RuleProblem;
use crate::diagnosis::rulebook::Rulebook;
use crate::settings::RuleFile;

/// The rules of a folder, relative to that of the configuration; only `*.toml`, by name.
pub(super) fn read(
    folder: &Path,
    written: &str,
    site: &Site<'_>,
    problems: &mut Problems,
) -> Arc<[RuleFile]> {
    let files = match list(&folder.join(written)) {
        Ok(files) => files,
        Err(error) => {
            problems.error(site.problem(format!(
                "the folder {written:?} cannot be read ({error}); mend the path or remove the key"
            )));
            return Arc::default();
        }
    };
    if files.is_empty() {
        problems.warn(site.problem(format!(
            "the folder {written:?} holds no rule file (*.toml); add one or remove the key"
        )));
    }
    let mut rules = Vec::new();
    for path in files {
        match std::fs::read_to_string(&path) {
            Ok(text) => rules.push(RuleFile {
                name: path.display().to_string(),
                text,
            }),
            Err(error) => problems.error(Problem {
                file: path,
                line: None,
                key: String::new(),
                message: format!("cannot be read ({error}); mend its permissions or its text"),
            }),
        }
    }
    check(&rules, problems);
    rules.into()
}

fn list(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| {
            let hidden = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            path.extension().is_some_and(|end| end == "toml") && !hidden && path.is_file()
        })
        .collect();
    files.sort();
    Ok(files)
}

fn check(rules: &[RuleFile], problems: &mut Problems) {
    let place = |found: RuleProblem| Problem {
        file: PathBuf::from(found.file),
        line: Some(found.line),
        key: String::new(),
        message: found.message,
    };
    match (Rulebook::with(rules), Rulebook::embedded()) {
        (Ok(book), Ok(ours)) => {
            let findings = lint(&book, &ours);
            problems
                .errors
                .extend(findings.errors.into_iter().map(place));
            problems
                .warnings
                .extend(findings.warnings.into_iter().map(place));
        }
        (Err(error), _) | (_, Err(error)) => {
            problems.errors.extend(error.0.into_iter().map(place));
        }
    }
}
