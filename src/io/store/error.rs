//! Errors of the state directory, classified by how to fix them.

use std::fmt;

use rusqlite::ErrorCode;

/// An error that makes the database unusable. The displayed text says how the error is fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoreError {
    pub(super) kind: StoreErrorKind,
    /// The details of the error, such as the error message of SQLite or of the operating system.
    pub(super) text: String,
}

/// The class of a [`StoreError`], which decides how the error is handled and fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreErrorKind {
    /// The disk has no space, or the database has reached its maximum size.
    Full,
    /// The database cannot be opened or written: no permission, or a read-only file system.
    ReadOnly,
    /// Another process has locked the database.
    Locked,
    /// The file is damaged or not a database.
    Corrupt,
    /// The database has the schema of a later release, which this release cannot use.
    Newer,
    /// Any other error of SQLite or the operating system.
    Other,
}

impl StoreError {
    pub(super) fn new(kind: StoreErrorKind, text: impl fmt::Display) -> Self {
        Self {
            kind,
            text: text.to_string(),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreErrorKind::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                StoreErrorKind::ReadOnly
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreErrorKind::Locked,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreErrorKind::Corrupt,
            _ => StoreErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreErrorKind::Full,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreErrorKind::ReadOnly,
            _ => StoreErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.kind {
            StoreErrorKind::Full => {
                "the disk is full or the database has reached its maximum size; free some disk \
                 space, or shorten `cloudwatch.backlog`"
            }
            StoreErrorKind::ReadOnly => {
                "cannot write to the state directory; make it writable for the daemon's user, or \
                 choose another directory with `--state`"
            }
            StoreErrorKind::Locked => {
                "another process uses the database; give each daemon its own state directory"
            }
            StoreErrorKind::Corrupt => "the database is corrupt and is replaced with a new one",
            StoreErrorKind::Newer => {
                "a later release wrote the database; run that release, or move the database file \
                 out of the state directory"
            }
            StoreErrorKind::Other => "the database cannot be used; check the state directory",
        };
        write!(f, "{problem} ({})", self.text)
    }
}
