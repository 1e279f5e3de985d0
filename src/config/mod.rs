//! Reads, validates and explains the configuration.
//!
//! A file goes through three steps: well-formed TOML (`document`), known keys of the right
//! type (`file`), and sense (`validate`). The first two stop at their first problem of a
//! file; the last one reports all there is. What comes out is [`Settings`], which nothing
//! below checks again. Reads the files it is told of and environment variables that hold
//! secrets; never writes, and never shows a secret.

mod document;
mod file;
mod include;
mod layer;
mod problem;
mod validate;
mod wording;

use std::path::Path;

use document::Document;
use file::{IncludedFile, MainFile};
use problem::Problems;

use crate::settings::Settings;

pub use problem::{ConfigError, Problem};

/// A configuration that can be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// What to do.
    pub settings: Settings,
    /// What is doubtful about it.
    pub warnings: Vec<Problem>,
}

/// Reads a configuration with everything it includes. Blocks on files.
///
/// # Errors
/// Every problem found: a file that cannot be read, is not TOML or has unknown keys stands
/// alone; all others are told at once.
pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
    let alone = |problem| ConfigError {
        problems: vec![problem],
    };
    let main = Document::read(path).map_err(alone)?;
    if main.is_empty() {
        return Err(alone(main.root().problem(EMPTY_FILE)));
    }
    let file: MainFile = main.parse().map_err(alone)?;
    let mut problems = Problems::default();
    let (documents, unreadable) = read_included(&main, &file, &mut problems);
    let included = parse_included(&documents, unreadable)?;
    let mut sources = validate::Sources {
        main: &main,
        file,
        included,
    };
    let settings = validate::settings(&mut sources, &mut problems);
    let files: Vec<&Path> = documents.iter().map(Document::file).collect();
    problems.sort(&files);
    if problems.errors.is_empty() {
        Ok(Loaded {
            settings,
            warnings: problems.warnings,
        })
    } else {
        Err(ConfigError {
            problems: problems.errors,
        })
    }
}

/// The shortest configuration that works, for somebody who starts from nothing.
const EMPTY_FILE: &str = "the file is empty; start with these three lines:\n\
    [[target]]\n\
    name = \"example\"\n\
    url = \"https://example.com/\"";

/// Included files in the order of `include`, each once, the main file never; and what
/// is wrong with those that cannot be read.
fn read_included(
    main: &Document,
    file: &MainFile,
    problems: &mut Problems,
) -> (Vec<Document>, Vec<Problem>) {
    let site = main.root().key("include");
    let mut paths = Vec::new();
    for (index, glob) in file.include.iter().flatten().enumerate() {
        let found = include::matching(main.folder(), glob);
        if found.is_empty() {
            problems.warn(site.index(index).problem(format!(
                "no file matches {glob:?}; mend the pattern or remove it"
            )));
        }
        for path in found {
            if path != main.file() && !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    apart(paths.iter().map(|path| Document::read(path)))
}

fn parse_included(
    documents: &[Document],
    mut problems: Vec<Problem>,
) -> Result<Vec<(&Document, IncludedFile)>, ConfigError> {
    let (files, wrong) = apart(documents.iter().map(|document| {
        let parsed = document.parse::<IncludedFile>().map_err(|mut problem| {
            if !problem.key.contains(['.', '[']) {
                problem.message.push_str(INCLUDED_MEND);
            }
            problem
        })?;
        Ok((document, parsed))
    }));
    problems.extend(wrong);
    if problems.is_empty() {
        Ok(files)
    } else {
        Err(ConfigError { problems })
    }
}

const INCLUDED_MEND: &str = "; an included file holds [[target]] and [[maintenance]] only, the rest goes into the main file";

/// The good ones and the problems, each in their order.
fn apart<T>(results: impl Iterator<Item = Result<T, Problem>>) -> (Vec<T>, Vec<Problem>) {
    let mut good = Vec::new();
    let mut problems = Vec::new();
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(problem) => problems.push(problem),
        }
    }
    (good, problems)
}
