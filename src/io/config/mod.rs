//! Reads the configuration and reports what is wrong with it.
//!
//! `document` parses a file as TOML, `table` reads tables key by key, `value` checks single values,
//! and `validate` checks combinations of values and creates the [`Settings`]. No other module
//! validates the settings again. If the main file cannot be read, is not TOML or is empty, only the
//! problems of this file are reported. Otherwise, all problems of all files are reported together.
//! This module also reads the files and environment variables that the configuration names.
//! Messages never contain a secret.

mod document;
mod foreign;
mod habits;
mod include;
mod named_file;
mod problem;
mod rules;
mod schema;
mod scratch_thread;
mod syntax;
mod table;
mod validate;
mod value;
mod watch;
mod web;
mod wording;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use document::{Document, SourceFile};
use problem::Problems;
use table::Table;
use validate::KnownCauses;

use crate::domain::diagnosis::rulebook::Rulebook;
use crate::model::settings::discovery::AwsSource;
use crate::model::settings::{RuleFile, Settings};
use crate::model::target::Target;

pub use problem::{ConfigError, Problem};
pub use rules::{LoadedRules, load_rules};
pub use watch::Watch;

/// A valid configuration with its warnings and notes.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The validated settings.
    pub settings: Settings,
    /// Warnings about valid but probably unintended parts of the configuration.
    pub warnings: Vec<Problem>,
    /// Notes about built-in rules that the custom rules replace or outrank.
    pub notes: Vec<Problem>,
}

impl Loaded {
    /// Returns a copy with newly allocated targets, so that the memory of the original targets can
    /// be freed. Data behind an inner [`Arc`], such as request bodies, remains shared.
    fn deep_copy(&self) -> Self {
        let mut copy = self.clone();
        for target in &mut copy.settings.targets {
            *target = Arc::new(Target::clone(target));
        }
        copy
    }
}

/// The error message for a file without any key. It contains a minimal configuration.
const EMPTY_FILE: &str = "the file contains no settings; start with these three lines:\n\
    [[target]]\n\
    name = \"example\"\n\
    url = \"https://example.com/\"";

/// The text appended to the error about an unknown key in an included file.
const INCLUDED_HINT: &str = "; an included file can contain only [[target]] and \
     [[maintenance]], so move everything else to the main file";

/// A function that returns the newest list of the targets found in an AWS account, as TOML; `None`
/// if there is no list yet.
pub type DiscoveredLists<'a> = &'a (dyn Fn(&AwsSource) -> Option<String> + Sync);

/// Reads a configuration and all files that it includes, but not the targets that
/// `[[discovery.aws]]` found. Blocks on I/O.
///
/// # Errors
/// Returns all problems found. If the main file cannot be read, is not TOML or is empty, the other
/// files are not checked.
pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
    let all = || read(path, Problems::default(), &|_| None);
    scratch_thread::read(all, Loaded::deep_copy)
}

/// Reads a configuration, all files that it includes, and the lists of the targets that
/// `[[discovery.aws]]` found. A target of the files takes precedence over a found target with the
/// same name or URL. Problems of found targets are warnings, and found targets with problems are
/// omitted. Blocks on I/O.
///
/// # Errors
/// Returns the same errors as [`load`].
pub fn load_with(path: &Path, lists: DiscoveredLists<'_>) -> Result<Loaded, ConfigError> {
    let all = || read(path, Problems::default(), lists);
    let error = match scratch_thread::read(all, Loaded::deep_copy) {
        Ok(loaded) => return Ok(loaded),
        Err(error) => error,
    };
    // A problem in [defaults] that occurs only with a found target must not prevent the probes of
    // the targets in the files.
    let mut loaded = load(path)?;
    let reasons = error.problems.into_iter().map(|problem| Problem {
        message: format!(
            "{}; the targets of [[discovery.aws]] are omitted",
            problem.message
        ),
        ..problem
    });
    loaded.warnings.extend(reasons);
    Ok(loaded)
}

/// Reads a configuration on a machine that does not have its secrets. The sources of secrets are
/// checked but not read, so the settings cannot be used for probes. Blocks on I/O.
///
/// # Errors
/// Returns the same errors as [`load`], except errors from reading secrets.
pub fn load_without_secrets(path: &Path) -> Result<Loaded, ConfigError> {
    read(path, Problems::without_secrets(), &|_| None)
}

fn read(
    path: &Path,
    problems: Problems,
    lists: DiscoveredLists<'_>,
) -> Result<Loaded, ConfigError> {
    let source = SourceFile::read(path)?;
    let document = source.parse().map_err(ConfigError::from)?;
    if document.values.is_empty() {
        return Err(document.place(&problems).problem(EMPTY_FILE).into());
    }
    let main = Table::root(&document, schema::MAIN, "", &problems);
    let paths = included_paths(&main, path);
    let sources = valid(paths.iter().map(|path| SourceFile::read(path)), &problems);
    let documents = sources.iter().map(SourceFile::parse);
    let documents: Vec<_> = documents
        .filter_map(|result| well_formed(result, &problems))
        .collect();
    let included = |document| {
        let keys = schema::INCLUDED;
        Table::root(document, keys, INCLUDED_HINT, &problems)
    };
    let included: Vec<Table<'_>> = documents.iter().map(included).collect();
    let found = Found::read(&main, lists);
    let found_documents = found.documents();
    let discovered: Vec<Table<'_>> = found_documents
        .iter()
        .map(|document| Table::root(document, schema::INCLUDED, "", &found.problems))
        .collect();
    let rules = Rules::read(&main);
    let files = validate::Files {
        main: &main,
        included: &included,
        discovered: &discovered,
    };
    let mut settings = validate::settings(&files, || rules.causes());

    let files: Vec<&Path> = std::iter::once(path)
        .chain(paths.iter().map(AsRef::as_ref))
        .collect();
    let (mut errors, mut warnings) = problems.into_sorted(&files);
    errors.extend(rules.errors);
    warnings.extend(rules.warnings);
    drop(discovered);
    drop(found_documents);
    warnings.extend(found.into_warnings());
    if !errors.is_empty() {
        return Err(ConfigError {
            problems: errors,
            warnings,
        });
    }
    settings.rules = rules.files;
    Ok(Loaded {
        settings,
        warnings,
        notes: rules.notes,
    })
}

/// Returns the paths of the included files in the order of `include`, without duplicates and
/// without the main file. Warns about a pattern that matches no file.
fn included_paths(main: &Table<'_>, main_path: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for item in main.items("include") {
        let Some(glob) = item.read::<String>() else {
            continue;
        };
        let found = include::find_files(&item.place.relative(""), &glob);
        if found.is_empty() {
            item.place.warn(format!(
                "no file matches {glob:?}; correct the pattern or remove it"
            ));
        }
        for path in found {
            if path != main_path && !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    paths
}

/// The lists of the targets that were found in AWS accounts.
struct Found {
    sources: Vec<SourceFile>,
    /// The problems of these lists. They are reported as warnings, not as errors.
    problems: Problems,
}

impl Found {
    fn read(main: &Table<'_>, lists: DiscoveredLists<'_>) -> Self {
        let accounts = validate::discovery::read(main);
        let sources = accounts.into_iter().filter_map(|account| {
            let text = lists(&account.source)?;
            let name = format!("targets found in {}", account.source.region);
            Some(SourceFile::of_text(Path::new(&name), text))
        });
        Self {
            sources: sources.collect(),
            problems: Problems::default(),
        }
    }

    /// Parses the lists. Omits lists that are not valid TOML, and records their problems.
    fn documents(&self) -> Vec<Document<'_>> {
        let documents = self.sources.iter().map(SourceFile::parse);
        documents
            .filter_map(|result| well_formed(result, &self.problems))
            .collect()
    }

    fn into_warnings(self) -> Vec<Problem> {
        let (errors, warnings) = self.problems.into_sorted(&[]);
        errors.into_iter().chain(warnings).collect()
    }
}

/// Returns the values of the successful results, in order. Reports the problems of the failed
/// results.
fn valid<T>(results: impl Iterator<Item = Result<T, Problem>>, problems: &Problems) -> Vec<T> {
    let valid = results.filter_map(|result| result.map_err(|error| problems.error(error)).ok());
    valid.collect()
}

/// Returns the value of a successful result. Reports the problems of a failed result and returns
/// `None`.
fn well_formed<T>(result: Result<T, Vec<Problem>>, problems: &Problems) -> Option<T> {
    let report = |list: Vec<Problem>| list.into_iter().for_each(|problem| problems.error(problem));
    result.map_err(report).ok()
}

/// The custom rules in the directory `rules_dir`, and the problems found in them.
#[derive(Debug, Default)]
struct Rules {
    files: Arc<[RuleFile]>,
    /// The custom rules combined with the built-in rules. `None` if `rules_dir` is not set, or
    /// if the custom rules cannot be read or contain an error.
    rulebook: Option<Rulebook>,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
    notes: Vec<Problem>,
}

impl Rules {
    fn read(main: &Table<'_>) -> Self {
        let Some(name) = main.get::<String>("rules_dir") else {
            return Self::default();
        };
        let place = main.place_of("rules_dir");
        let directory = place.relative(&name);
        // A problem that concerns the directory itself is reported at the key `rules_dir`.
        let at_key = |problem: Problem| {
            if problem.file == directory {
                place.problem(format!("{}: {}", directory.display(), problem.message))
            } else {
                problem
            }
        };
        match load_rules(&directory) {
            Ok(rules) => Self {
                files: rules.files,
                rulebook: Some(rules.rulebook),
                errors: Vec::new(),
                warnings: rules.warnings.into_iter().map(at_key).collect(),
                notes: rules.notes,
            },
            Err(error) => Self {
                errors: error.problems.into_iter().map(at_key).collect(),
                warnings: error.warnings,
                ..Self::default()
            },
        }
    }

    /// Returns the causes that can have an alarm. Returns `None` if the custom rules cannot be read
    /// or contain an error, because they could define causes that the built-in rules do not define.
    fn causes(&self) -> Option<KnownCauses> {
        let all = self.rulebook.as_ref().map(KnownCauses::of);
        let embedded = || Rulebook::embedded().ok().as_ref().map(KnownCauses::of);
        all.or_else(|| self.errors.is_empty().then(embedded).flatten())
    }
}
