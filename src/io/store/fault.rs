//! What went wrong with the state directory, and what a person does about it.

use std::fmt;

use rusqlite::ErrorCode;

/// Why nothing is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What to do about it.
    pub kind: FaultKind,
    /// SQLite's or the system's word.
    pub text: String,
}

/// Faults by what to do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// No room on the disk, or the most that the database may take.
    Full,
    /// It may not be written.
    ReadOnly,
    /// Another process has it.
    Locked,
    /// It is no database, or a broken one.
    Corrupt,
    /// A later release wrote it.
    Newer,
    /// Anything else.
    Other,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, text: impl fmt::Display) -> Self {
        Self {
            kind,
            text: text.to_string(),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => FaultKind::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                FaultKind::ReadOnly
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => FaultKind::Locked,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => FaultKind::Corrupt,
            _ => FaultKind::Other,
        };
        Self::new(kind, error)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FaultKind::Full,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => FaultKind::ReadOnly,
            _ => FaultKind::Other,
        };
        Self::new(kind, error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mend = match self.kind {
            FaultKind::Full => "the disk is full: make room",
            FaultKind::ReadOnly => {
                "it cannot be written: give the daemon's user a directory of its own"
            }
            FaultKind::Locked => {
                "another process uses it: give each daemon a state directory of its own"
            }
            FaultKind::Corrupt => "it is broken",
            FaultKind::Newer => "a later release wrote it: start that one, or move the file away",
            FaultKind::Other => "it cannot be used",
        };
        write!(f, "{mend} ({})", self.text)
    }
}
