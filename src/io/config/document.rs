//! One configuration file: its text, and where each key stands in it.
//!
//! The mirror in `file` holds plain values; the place of a value is looked up here by its
//! path when, and only when, there is something to say about it. That keeps spans out of
//! every type. What a parser says is passed on without the values it quotes: one of them
//! could be a secret in the wrong place.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use super::wording::without_values;

/// A file that is well-formed TOML.
#[derive(Debug)]
pub(super) struct Document {
    file: PathBuf,
    text: String,
    places: BTreeMap<Vec<Step>, Range<usize>>,
    names: BTreeMap<Vec<Step>, String>,
    /// Where the value of a key ends.
    ends: BTreeMap<Vec<Step>, usize>,
}

/// A file with more wrong keys than this is some other file.
const MAX_WRONG_KEYS: usize = 100;

/// One step from a table or list to what it holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// A place in a document: what problems are reported at.
#[derive(Clone, Debug)]
pub(super) struct Site<'a> {
    document: &'a Document,
    path: Vec<Step>,
}

impl Document {
    /// Reads and parses a file.
    pub(super) fn read(file: &Path) -> Result<Self, Problem> {
        let text = read_text(file).map_err(|message| Problem {
            file: file.to_owned(),
            line: None,
            key: String::new(),
            message,
        })?;
        let mut document = Self {
            file: file.to_owned(),
            text,
            places: BTreeMap::new(),
            names: BTreeMap::new(),
            ends: BTreeMap::new(),
        };
        let mut index = Index::default();
        {
            let table =
                DeTable::parse(&document.text).map_err(|error| document.syntax_problem(&error))?;
            index.table(table.get_ref(), &[]);
        }
        document.places = index.places;
        document.names = index.names;
        document.ends = index.ends;
        Ok(document)
    }

    /// Reads the text as `T`. Every unknown key and every value of a wrong type is a
    /// problem; what is left when those are taken out is read all the same, so that the
    /// checks that follow can report theirs too. `None` where too little is left.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> (Option<T>, Vec<Problem>) {
        let mut text = self.text.clone();
        let mut problems = Vec::new();
        while problems.len() < MAX_WRONG_KEYS {
            let error = match toml::from_str(&text) {
                Ok(read) => return (Some(read), problems),
                Err(error) => error,
            };
            let start = error.span().map(|span| span.start);
            let path = start.map_or_else(Vec::new, |start| self.path_at(start));
            let problem = Problem {
                file: self.file.clone(),
                line: start.map(|start| self.line_of(start)),
                key: self.show(&path),
                message: without_values(error.message()),
            };
            problems.push(problem);
            if !self.blank(&mut text, &path) {
                break;
            }
        }
        (None, problems)
    }

    /// Overwrites a key and its value by blanks, which moves no other place. False where
    /// that is not possible without touching more.
    fn blank(&self, text: &mut String, path: &[Step]) -> bool {
        let (Some(key), Some(end)) = (self.places.get(path), self.ends.get(path)) else {
            return false;
        };
        let Some(part) = text.get(key.start..*end) else {
            return false;
        };
        let blanks: String = part
            .bytes()
            .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
            .collect();
        if part == blanks {
            return false;
        }
        text.replace_range(key.start..*end, &blanks);
        // A header or an inline table without what stood in it may be no TOML any more.
        DeTable::parse(text).is_ok()
    }

    /// The document as a whole.
    pub(super) const fn root(&self) -> Site<'_> {
        Site {
            document: self,
            path: Vec::new(),
        }
    }

    /// Whether there is nothing but blanks and comments.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The file as the user would find it.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// The folder that relative names in this file start from.
    pub(super) fn folder(&self) -> &Path {
        self.file.parent().unwrap_or_else(|| Path::new(""))
    }

    fn syntax_problem(&self, error: &toml::de::Error) -> Problem {
        let message = error.message().replace('\n', ", ");
        Problem {
            file: self.file.clone(),
            line: error.span().map(|span| self.line_of(span.start)),
            key: String::new(),
            message: format!("not valid TOML: {message}"),
        }
    }

    fn line_of(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        1 + before.filter(|byte| **byte == b'\n').count()
    }

    /// The deepest path whose key stands last before (or at) the offset.
    fn path_at(&self, offset: usize) -> Vec<Step> {
        let before = self.places.iter().filter(|(_, span)| span.start <= offset);
        before
            .max_by_key(|(path, span)| (span.start, path.len()))
            .map_or_else(Vec::new, |(path, _)| path.clone())
    }

    fn show(&self, path: &[Step]) -> String {
        let mut shown = String::new();
        for (depth, step) in path.iter().enumerate() {
            match step {
                Step::Key(key) if shown.is_empty() => shown.push_str(&show_key(key)),
                Step::Key(key) => {
                    shown.push('.');
                    shown.push_str(&show_key(key));
                }
                Step::Index(index) => {
                    let name = self.names.get(path.get(..=depth).unwrap_or_default());
                    let label = name.cloned().unwrap_or_else(|| (index + 1).to_string());
                    shown.push_str(&format!("[{label}]"));
                }
            }
        }
        shown
    }
}

impl<'a> Site<'a> {
    /// The place of a key below this one.
    pub(super) fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    /// The place of an item of the list that stands here; counts from 0.
    pub(super) fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    /// A file named here: relative to the file that names it.
    pub(super) fn relative(&self, name: &str) -> PathBuf {
        self.document.folder().join(name)
    }

    /// A problem at this place. A key that is not there is reported at its table's line.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem {
            file: self.document.file.clone(),
            line: self.line(),
            key: self.document.show(&self.path),
            message: message.into(),
        }
    }

    /// `file:line`, for pointing from one place to another.
    pub(super) fn place(&self) -> String {
        let file = self.document.file.display();
        match self.line() {
            Some(line) => format!("{file}:{line}"),
            None => file.to_string(),
        }
    }

    /// The line of this place, or of the nearest thing around it.
    pub(super) fn line(&self) -> Option<usize> {
        (0..=self.path.len()).rev().find_map(|length| {
            let span = self.document.places.get(self.path.get(..length)?)?;
            Some(self.document.line_of(span.start))
        })
    }

    fn step(&self, step: Step) -> Self {
        let mut path = self.path.clone();
        path.push(step);
        Self { path, ..*self }
    }
}

/// A hundred thousand targets fit; a device that never ends does not fill the memory.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// The text of a file, or what keeps it from being read.
pub(super) fn read_text(file: &Path) -> Result<String, String> {
    if file.is_dir() {
        return Err("this is a directory; name a TOML file in it".to_owned());
    }
    let mut bytes = Vec::new();
    let open = std::fs::File::open(file);
    let read = open.and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            "there is no such file; name the configuration, such as probecause.toml".to_owned()
        }
        std::io::ErrorKind::PermissionDenied => {
            "may not be read by this user; change its owner or mode".to_owned()
        }
        _ => format!("cannot be read: {error}"),
    })?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(
            "is larger than 64 MB; name a configuration, or split it by `include`".to_owned(),
        );
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error
            .as_bytes()
            .iter()
            .take(error.utf8_error().valid_up_to());
        let line = 1 + good.filter(|byte| **byte == b'\n').count();
        format!("not UTF-8 from line {line} on; save the file as UTF-8")
    })?;
    // Editors on Windows start a file with a byte order mark, which is not TOML.
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// A longer name would bury the rest of the key path; the number stands in for it.
const MAX_SHOWN_NAME: usize = 64;

/// The places of a document while it is walked.
#[derive(Default)]
struct Index {
    places: BTreeMap<Vec<Step>, Range<usize>>,
    names: BTreeMap<Vec<Step>, String>,
    ends: BTreeMap<Vec<Step>, usize>,
}

impl Index {
    fn table(&mut self, table: &DeTable<'_>, path: &[Step]) {
        for (key, value) in table {
            let mut here = path.to_vec();
            here.push(Step::Key(key.get_ref().to_string()));
            self.places.insert(here.clone(), key.span());
            self.ends.insert(here.clone(), value.span().end);
            if let ("name", Some(Step::Index(_)), DeValue::String(name)) =
                (key.get_ref().as_ref(), path.last(), value.get_ref())
                && !name.is_empty()
                && name.len() <= MAX_SHOWN_NAME
                && !name.chars().any(char::is_control)
            {
                self.names.insert(path.to_vec(), name.to_string());
            }
            self.value(value.get_ref(), &here);
        }
    }

    fn value(&mut self, value: &DeValue<'_>, path: &[Step]) {
        match value {
            DeValue::Table(table) => self.table(table, path),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let mut here = path.to_vec();
                    here.push(Step::Index(index));
                    self.places.insert(here.clone(), item.span());
                    self.value(item.get_ref(), &here);
                }
            }
            _ => {}
        }
    }
}

fn show_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        format!("{key:?}")
    }
}
