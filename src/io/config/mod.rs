//! Reads, validates and explains the configuration.
//!
//! A file goes through three steps: well-formed TOML (`document`), known keys of the right
//! type (`file`), and sense (`validate`). A syntax error stands alone, since nothing after it
//! can be trusted; everything else is reported at once. What comes out is [`Settings`], which nothing
//! below checks again. Reads the files it is told of and environment variables that hold
//! secrets; never writes, and never shows a secret.

mod document;
mod file;
mod include;
mod layer;
mod problem;
mod rules;
mod scratch_thread;
mod validate;
mod watch;
mod web;
mod wording;

use std::path::Path;
use std::sync::Arc;

use document::Document;
use file::{IncludedFile, MainFile};
use problem::Problems;

use validate::KnownCauses;

use crate::domain::diagnosis::rulebook::Rulebook;
use crate::model::settings::{RuleFile, Settings};
use crate::model::target::Target;

pub use problem::{ConfigError, Problem};
pub use rules::{LoadedRules, load_rules};
pub use watch::Watch;

/// A configuration that can be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// What to do.
    pub settings: Settings,
    /// What is doubtful about it.
    pub warnings: Vec<Problem>,
    /// What is worth knowing about the operator's rules.
    pub notes: Vec<Problem>,
}

impl Loaded {
    /// The same, without a byte in common but what targets share.
    fn copied(&self) -> Self {
        let mut copy = self.clone();
        for target in &mut copy.settings.targets {
            *target = Arc::new(Target::clone(target));
        }
        copy
    }
}

/// Reads a configuration with everything it includes. Blocks on files.
///
/// # Errors
/// Every problem found: a main file that cannot be read or is not TOML stands alone; all
/// others are told at once.
pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
    scratch_thread::read(|| read(path), Loaded::copied)
}

fn read(path: &Path) -> Result<Loaded, ConfigError> {
    let alone = |problem| ConfigError {
        problems: vec![problem],
    };
    let main = Document::read(path).map_err(alone)?;
    if main.is_empty() {
        return Err(alone(main.root().problem(EMPTY_FILE)));
    }
    let mut problems = Problems::default();
    let (file, wrong) = main.parse::<MainFile>();
    problems.errors.extend(wrong);
    let Some(file) = file else {
        return Err(ConfigError {
            problems: problems.errors,
        });
    };
    let (documents, unreadable) = read_included(&main, &file, &mut problems);
    problems.errors.extend(unreadable);
    let included = parse_included(&documents, &mut problems);
    let rules = Rules::read(&main, file.rules_dir.as_deref());
    let mut sources = validate::Sources {
        main: &main,
        file,
        included,
    };
    let wrong = std::mem::take(&mut problems.errors);
    let mut settings = validate::settings(&mut sources, || rules.causes(), &mut problems);
    // What a wrong key left missing is its consequence, not one more mistake.
    problems
        .errors
        .retain(|found| !wrong.iter().any(|wrong| is_about_same(found, wrong)));
    problems.errors.extend(wrong);
    let files: Vec<&Path> = documents.iter().map(Document::file).collect();
    problems.sort(&files);
    // Rules come last: they stand in files of their own, in the order of these.
    problems.errors.extend(rules.problems.errors);
    problems.warnings.extend(rules.problems.warnings);
    settings.rules = rules.files;
    if problems.errors.is_empty() {
        Ok(Loaded {
            settings,
            warnings: problems.warnings,
            notes: rules.notes,
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

/// What the folder that `rules_dir` names came to.
#[derive(Debug, Default)]
struct Rules {
    files: Arc<[RuleFile]>,
    /// With the program's own; `None`: those alone, or the operator's cannot be used.
    rulebook: Option<Rulebook>,
    problems: Problems,
    notes: Vec<Problem>,
}

impl Rules {
    fn read(main: &Document, name: Option<&str>) -> Self {
        let Some(name) = name else {
            return Self::default();
        };
        let site = main.root().key("rules_dir");
        let folder = site.relative(name);
        // What is wrong with the folder itself is mended where it is named.
        let placed = |problem: Problem| {
            if problem.file == folder {
                site.problem(format!("{}: {}", folder.display(), problem.message))
            } else {
                problem
            }
        };
        let mut read = Self::default();
        match load_rules(&folder) {
            Ok(rules) => {
                read.files = rules.files;
                read.rulebook = Some(rules.rulebook);
                let warnings = rules.warnings.into_iter();
                read.problems.warnings.extend(warnings.map(placed));
                read.notes = rules.notes;
            }
            Err(error) => {
                let errors = error.problems.into_iter();
                read.problems.errors.extend(errors.map(placed));
            }
        }
        read
    }

    /// The causes that alarms may name; `None` while the rules themselves cannot be read,
    /// since a cause may be one of theirs.
    fn causes(&self) -> Option<KnownCauses> {
        let own = self.rulebook.as_ref().map(KnownCauses::of);
        let embedded = || Rulebook::embedded().ok().as_ref().map(KnownCauses::of);
        own.or_else(|| self.problems.errors.is_empty().then(embedded).flatten())
    }
}

fn parse_included<'a>(
    documents: &'a [Document],
    problems: &mut Problems,
) -> Vec<(&'a Document, IncludedFile)> {
    let mut files = Vec::new();
    for document in documents {
        let (file, wrong) = document.parse::<IncludedFile>();
        files.extend(file.map(|file| (document, file)));
        for mut problem in wrong {
            if !problem.key.contains(['.', '[']) {
                problem.message.push_str(INCLUDED_MEND);
            }
            problems.errors.push(problem);
        }
    }
    files
}

const INCLUDED_MEND: &str = "; an included file holds [[target]] and [[maintenance]] only, the rest goes into the main file";

/// Whether one problem's key holds the other's.
fn is_about_same(found: &Problem, wrong: &Problem) -> bool {
    found.file == wrong.file
        && (wrong.key.starts_with(&found.key) || found.key.starts_with(&wrong.key))
}

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
