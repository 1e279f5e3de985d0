//! Represents one configuration file: its text, its TOML values and the locations of its keys.
//!
//! The parser records the byte offset of every key and value. A [`KeyLocation`] converts this
//! offset to a line number only when a problem is reported.

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::foreign;
use super::problem::{Problem, Problems};
use super::syntax::{self, SyntaxError};

/// A configuration file that has been read but not parsed.
#[derive(Debug)]
pub(super) struct SourceFile {
    path: PathBuf,
    text: String,
    /// The byte offsets of all line breaks in `text`, in ascending order.
    line_breaks: Vec<usize>,
}

/// A configuration file that has been parsed as TOML.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) source: &'a SourceFile,
    pub(super) values: DeTable<'a>,
}

/// The location of a key or value in a configuration file, for error messages.
#[derive(Clone, Debug)]
pub(super) struct KeyLocation<'a> {
    source: &'a SourceFile,
    problems: &'a Problems,
    /// The key path shown in messages, such as `target[orders].url`. Empty for the whole file.
    key: String,
    /// The byte range in `key` of the first list item's name or number, such as `[orders]`. Empty
    /// if the key path contains no list item.
    item: Range<usize>,
    /// The byte offset of the key in the file. If the key is absent, the offset of its table.
    /// `None` for the top level of the file.
    offset: Option<usize>,
}

/// Maximum length in bytes of a list item's name in a key path. The item's number replaces a longer
/// name, so that the path stays readable.
const MAX_SHOWN_NAME: usize = 64;

/// Maximum size of a configuration file in bytes. This size is sufficient for a hundred thousand
/// targets. The limit prevents an endless device file from exhausting the memory.
const MAX_FILE: u64 = 64 * 1024 * 1024;

impl SourceFile {
    /// Reads a configuration file without parsing it. Blocks on I/O.
    pub(super) fn read(path: &Path) -> Result<Self, Problem> {
        let text = read_text(path).map_err(|message| Problem::of_file(path, message))?;
        Ok(Self::of_text(path, text))
    }

    /// Creates a source file from a text that is already in memory. `path` is used only in
    /// messages.
    pub(super) fn of_text(path: &Path, text: String) -> Self {
        Self {
            line_breaks: text.match_indices('\n').map(|(at, _)| at).collect(),
            path: path.to_owned(),
            text,
        }
    }

    /// Parses the text as TOML.
    ///
    /// # Errors
    /// Returns a problem for each invalid line, up to a maximum number. If the file is in another
    /// known format, such as YAML, returns problems that say how to write it in TOML.
    pub(super) fn parse(&self) -> Result<Document<'_>, Vec<Problem>> {
        if let Ok(values) = DeTable::parse(&self.text) {
            return Ok(Document {
                source: self,
                values: values.into_inner(),
            });
        }
        if let Some(problems) = foreign::problems(&self.path, &self.text) {
            return Err(problems);
        }
        let (_, errors) = DeTable::parse_recoverable(&self.text);
        let errors: Vec<SyntaxError> = errors
            .iter()
            .map(|error| SyntaxError {
                line: error.span().map(|span| self.line_of(span.start)),
                message: error.message().to_owned(),
            })
            .collect();
        Err(syntax::problems(&self.path, &self.text, &errors))
    }

    /// Resolves the path `name` relative to the directory of this file.
    pub(super) fn relative(&self, name: &str) -> PathBuf {
        self.path
            .parent()
            .unwrap_or_else(|| Path::new(""))
            .join(name)
    }

    fn line_of(&self, offset: usize) -> usize {
        1 + self.line_breaks.partition_point(|at| *at < offset)
    }
}

impl<'a> Document<'a> {
    /// Returns the location of the whole file, for problems that do not concern a single key.
    pub(super) const fn place(&self, problems: &'a Problems) -> KeyLocation<'a> {
        KeyLocation {
            source: self.source,
            problems,
            key: String::new(),
            item: 0..0,
            offset: None,
        }
    }
}

impl<'a> KeyLocation<'a> {
    /// Returns the location of the key `name` in the table at this location. The returned location
    /// has the line of the table until [`at`](Self::at) sets the line of the key.
    pub(super) fn key(&self, name: &str) -> Self {
        let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let dot = if self.key.is_empty() { "" } else { "." };
        let key = if !name.is_empty() && name.chars().all(bare) {
            format!("{}{dot}{name}", self.key)
        } else {
            format!("{}{dot}{name:?}", self.key)
        };
        self.with_key(key)
    }

    /// Returns the location of an item in the list at this location. The key path contains the
    /// item's `name`, or the item's number (from 1) if the name is missing, empty, too long, or
    /// contains control characters.
    pub(super) fn item(&self, index: usize, item: &Spanned<DeValue<'_>>) -> Self {
        let table = item.get_ref().as_table();
        let name = table.and_then(|table| table.get("name")?.get_ref().as_str());
        let shown = name.filter(|name| {
            !name.is_empty() && name.len() <= MAX_SHOWN_NAME && !name.chars().any(char::is_control)
        });
        let shown = shown.map_or_else(|| (index + 1).to_string(), str::to_owned);
        let key = format!("{}[{shown}]", self.key);
        let mut place = self.with_key(key);
        if place.item.is_empty() {
            place.item = self.key.len()..place.key.len();
        }
        place.at(item.span())
    }

    /// Returns the key path without the first list item's name or number: `target.request` for
    /// `target[orders].request`.
    pub(super) fn section(&self) -> String {
        let mut section = self.key.clone();
        section.replace_range(self.item.clone(), "");
        section
    }

    /// Returns this location with the start of `span` as its byte offset.
    pub(super) fn at(self, span: Range<usize>) -> Self {
        Self {
            offset: Some(span.start),
            ..self
        }
    }

    /// Resolves the path `name` relative to the directory of this file.
    pub(super) fn relative(&self, name: &str) -> PathBuf {
        self.source.relative(name)
    }

    /// Returns the collector to which problems at this location are reported.
    pub(super) const fn problems(&self) -> &'a Problems {
        self.problems
    }

    /// Reports an error at this location.
    pub(super) fn error(&self, message: impl Into<String>) {
        self.problems.error(self.problem(message));
    }

    /// Reports a warning at this location.
    pub(super) fn warn(&self, message: impl Into<String>) {
        self.problems.warn(self.problem(message));
    }

    /// Returns the value of `result`. If `result` is an error, reports it at this location and
    /// returns `None`.
    pub(super) fn check<T>(&self, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.error(message)).ok()
    }

    /// Creates a problem at this location without reporting it.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem {
            file: self.source.path.clone(),
            line: self.line(),
            key: self.key.clone(),
            message: message.into(),
        }
    }

    /// Formats this location as `file:line`, or as `file` if it has no line. Used in messages about
    /// another location.
    pub(super) fn file_and_line(&self) -> String {
        let file = self.source.path.display();
        match self.line() {
            Some(line) => format!("{file}:{line}"),
            None => file.to_string(),
        }
    }

    fn with_key(&self, key: String) -> Self {
        Self {
            key,
            item: self.item.clone(),
            ..*self
        }
    }

    fn line(&self) -> Option<usize> {
        self.offset.map(|offset| self.source.line_of(offset))
    }
}

/// Reads a configuration file or rule file as UTF-8 text. The error message says what is wrong and
/// what to do.
pub(super) fn read_text(file: &Path) -> Result<String, String> {
    if file.is_dir() {
        return Err("this is a directory; give the path of a TOML file in it".to_owned());
    }
    let mut bytes = Vec::new();
    let open = std::fs::File::open(file);
    let read = open.and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            "file not found; give the path of an existing TOML file".to_owned()
        }
        std::io::ErrorKind::PermissionDenied => {
            "permission denied; make the file readable for the user that runs probecause".to_owned()
        }
        _ => format!("the file cannot be read ({error}); check the path and the file system"),
    })?;
    if bytes.len() as u64 > MAX_FILE {
        return Err("the file is larger than 64 MB; split it into several files".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let valid = error.as_bytes().iter().take(valid);
        let line = 1 + valid.filter(|byte| **byte == b'\n').count();
        format!("line {line} is not UTF-8; save the file as UTF-8")
    })?;
    // Some Windows editors write a byte order mark, which is not part of the TOML text.
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}
