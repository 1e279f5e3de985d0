//! The SQLite database: its schema, and the statements on incidents and baselines. `spool` has the
//! statements on datapoints.
//!
//! The database uses a write-ahead log that is not synced to disk on every commit. Committed data
//! survives a crash of the process. A crash of the machine may lose the latest commits but does not
//! damage the file. The database is locked exclusively, because a second process would send the
//! same datapoints again.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use crate::io::store::document::{BaselineDocument, IncidentDocument};
use crate::io::store::error::{StoreError, StoreErrorKind};
use crate::io::store::row::{StoredBaseline, StoredIncident};
use crate::io::store::{DATABASE_FILE, MAX_RESTORED_RESOLVED, RestoredState};
use crate::model::target::TargetName;

/// An open and locked database.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
}

/// Maximum size of the database in bytes, enough for a day of datapoints of about ten thousand
/// targets that publish only the default metric.
pub(super) const MAX_BYTES: u64 = 2 << 30;

/// SQLite's default page size in bytes, used to convert the maximum size of the database to pages.
const PAGE_BYTES: u64 = 4096;

/// Version of the schema, which is stored in the file. A release that changes the tables increments
/// the version.
const SCHEMA_VERSION: i64 = 1;

/// Maximum time to wait for the lock of the database, which a previous process holds until it has
/// shut down.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum size in bytes of a database file that is checked for damage when it is opened. The check
/// takes a fraction of a second. Damage in a larger file is found when the damaged page is read.
const MAX_CHECKED_BYTES: u64 = 64 << 20;

/// Time for which a resolved incident is kept: 90 days.
const INCIDENT_RETENTION: jiff::SignedDuration = jiff::SignedDuration::from_hours(90 * 24);

/// Maximum number of resolved incidents to keep. This number of incidents takes about ten
/// megabytes.
const MAX_RESOLVED_INCIDENTS: i64 = 10_000;

/// Maximum age of a stored datapoint: two weeks, because CloudWatch rejects older datapoints.
const MAX_DATAPOINT_AGE: jiff::SignedDuration = jiff::SignedDuration::from_hours(14 * 24);

/// The statements that create the tables of a new database.
const SCHEMA: &str = "
    CREATE TABLE incidents (
        id TEXT PRIMARY KEY,
        opened INTEGER NOT NULL,
        resolved INTEGER,
        document TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX incidents_resolved ON incidents (resolved);
    CREATE TABLE baselines (
        target TEXT PRIMARY KEY,
        settings INTEGER NOT NULL,
        document TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE spool (
        id INTEGER PRIMARY KEY,
        destination TEXT NOT NULL,
        series TEXT NOT NULL,
        at INTEGER NOT NULL,
        points BLOB NOT NULL,
        backlog INTEGER NOT NULL DEFAULT 0,
        sending INTEGER NOT NULL DEFAULT 0,
        maybe_arrived INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX spool_backlog ON spool (destination, at) WHERE backlog = 1;
";

impl Database {
    /// Opens the database of a directory, and creates the directory and the database if they are
    /// missing. The database grows to at most `max_bytes`.
    pub(super) fn open(directory: &Path, max_bytes: u64) -> Result<Self, StoreError> {
        std::fs::create_dir_all(directory)?;
        let path = directory.join(DATABASE_FILE);
        let size = std::fs::metadata(&path).map_or(0, |file| file.len());
        let connection = Connection::open(&path)?;
        connection.busy_timeout(LOCK_TIMEOUT)?;
        // The locking mode must be set before the first read, because the first read of the
        // write-ahead log locks the database in the mode that is set at that time.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(
            None,
            "max_page_count",
            max_bytes.div_ceil(PAGE_BYTES).cast_signed(),
        )?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let mut database = Self { connection };
        match version {
            0 => database.write(|t| {
                t.execute_batch(SCHEMA)?;
                Ok(t.pragma_update(None, "user_version", SCHEMA_VERSION)?)
            })?,
            SCHEMA_VERSION if size <= MAX_CHECKED_BYTES => database.check()?,
            SCHEMA_VERSION => {}
            other => {
                let text = format!(
                    "found schema version {other}, but this release supports {SCHEMA_VERSION}"
                );
                return Err(StoreError::new(StoreErrorKind::Newer, text));
            }
        }
        Ok(database)
    }

    /// Renames a corrupt database and deletes its write-ahead log. Returns the database's new path.
    /// Also deletes the corrupt databases that earlier calls renamed, because several copies could
    /// fill the disk.
    pub(super) fn move_aside(directory: &Path) -> Result<PathBuf, StoreError> {
        let prefix = format!("{DATABASE_FILE}.broken-");
        for entry in std::fs::read_dir(directory)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                std::fs::remove_file(entry.path())?;
            }
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = since.map_or(0, |since| since.as_secs());
        let aside = directory.join(format!("{prefix}{seconds}"));
        std::fs::rename(directory.join(DATABASE_FILE), &aside)?;
        for suffix in ["-wal", "-shm"] {
            let path = directory.join(format!("{DATABASE_FILE}{suffix}"));
            if path.exists() {
                std::fs::remove_file(path)?;
            }
        }
        Ok(aside)
    }

    /// Deletes expired rows and surplus resolved incidents, and reads the state that earlier
    /// processes saved. Datapoints with ids below `first_id`, which earlier processes saved, become
    /// the backlog. Datapoints that were being sent are marked as possibly arrived.
    pub(super) fn restore(
        &mut self,
        first_id: u64,
        now: Timestamp,
    ) -> Result<RestoredState, StoreError> {
        self.write(|t| {
            t.execute(
                "UPDATE spool SET backlog = 1, sending = 0,
                    maybe_arrived = max(maybe_arrived, sending)
                 WHERE id < ?1 AND (backlog = 0 OR sending = 1)",
                [first_id.cast_signed()],
            )?;
            let oldest = (now - MAX_DATAPOINT_AGE).as_millisecond();
            t.execute("DELETE FROM spool WHERE at < ?1", [oldest])?;
            let oldest = (now - INCIDENT_RETENTION).as_millisecond();
            t.execute("DELETE FROM incidents WHERE resolved < ?1", [oldest])?;
            t.execute(
                "DELETE FROM incidents WHERE resolved IS NOT NULL AND id NOT IN (
                    SELECT id FROM incidents WHERE resolved IS NOT NULL
                    ORDER BY resolved DESC LIMIT ?1)",
                [MAX_RESOLVED_INCIDENTS],
            )?;
            Ok(())
        })?;
        let open = "SELECT document FROM incidents WHERE resolved IS NULL ORDER BY opened";
        let resolved = format!(
            "SELECT document FROM incidents WHERE resolved IS NOT NULL
             ORDER BY resolved DESC LIMIT {MAX_RESTORED_RESOLVED}"
        );
        let count = "SELECT count(*) FROM spool";
        Ok(RestoredState {
            open: self.incidents(open)?,
            resolved: self.incidents(&resolved)?,
            baselines: self.baselines()?,
            datapoints: self.connection.query_row(count, [], unsigned)?,
        })
    }

    /// Runs `work` in a transaction, which is committed if `work` succeeds.
    pub(super) fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction = self.connection.transaction()?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Returns the connection, which callers use only to read.
    pub(super) const fn reader(&self) -> &Connection {
        &self.connection
    }

    fn check(&self) -> Result<(), StoreError> {
        let check = "PRAGMA quick_check(1)";
        let result: String = self.connection.query_row(check, [], |row| row.get(0))?;
        if result == "ok" {
            Ok(())
        } else {
            Err(StoreError::new(StoreErrorKind::Corrupt, result))
        }
    }

    fn incidents(&self, sql: &str) -> Result<Vec<StoredIncident>, StoreError> {
        let mut statement = self.connection.prepare(sql)?;
        let documents = statement.query_map([], |row| row.get::<_, String>(0))?;
        let mut incidents = Vec::new();
        for document in documents {
            // An incident that this release cannot read is skipped, so that the other incidents are
            // restored.
            let read = serde_json::from_str::<IncidentDocument>(&document?).ok();
            incidents.extend(read.and_then(IncidentDocument::into_stored));
        }
        Ok(incidents)
    }

    fn baselines(&self) -> Result<Vec<StoredBaseline>, StoreError> {
        let sql = "SELECT target, settings, document FROM baselines";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let name: String = row.get(0)?;
            let settings: i64 = row.get(1)?;
            Ok((name, settings.cast_unsigned(), row.get::<_, String>(2)?))
        })?;
        let mut baselines = Vec::new();
        for row in rows {
            let (name, settings, document) = row?;
            let read = serde_json::from_str::<BaselineDocument>(&document).ok();
            baselines.extend(read.map(|document| StoredBaseline {
                target: TargetName::new(&name),
                settings,
                learned: document.into(),
            }));
        }
        Ok(baselines)
    }
}

/// Inserts incidents. Each incident replaces the stored incident with the same id.
pub(super) fn save_incidents(
    transaction: &Transaction<'_>,
    incidents: &[StoredIncident],
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare(
        "INSERT OR REPLACE INTO incidents (id, opened, resolved, document) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for kept in incidents {
        let incident = &kept.incident;
        let document = serde_json::to_string(&IncidentDocument::from(kept))
            .map_err(|error| StoreError::new(StoreErrorKind::Other, error))?;
        statement.execute(params![
            incident.id.as_str(),
            incident.opened.as_millisecond(),
            incident.resolved.map(Timestamp::as_millisecond),
            document,
        ])?;
    }
    Ok(())
}

/// Inserts baselines. Each baseline replaces the stored baseline of the same target.
pub(super) fn save_baselines(
    transaction: &Transaction<'_>,
    baselines: &[StoredBaseline],
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare(
        "INSERT OR REPLACE INTO baselines (target, settings, document) VALUES (?1, ?2, ?3)",
    )?;
    for kept in baselines {
        let document = serde_json::to_string(&BaselineDocument::from(&kept.learned))
            .map_err(|error| StoreError::new(StoreErrorKind::Other, error))?;
        let settings = kept.settings.cast_signed();
        statement.execute(params![kept.target.as_str(), settings, document])?;
    }
    Ok(())
}

/// Deletes the baselines of targets.
pub(super) fn delete_baselines(
    transaction: &Transaction<'_>,
    targets: &[TargetName],
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare("DELETE FROM baselines WHERE target = ?1")?;
    for target in targets {
        statement.execute([target.as_str()])?;
    }
    Ok(())
}

/// Reads the first column of a row as an unsigned number, which SQLite stores as the signed integer
/// with the same bits.
pub(super) fn unsigned(row: &rusqlite::Row<'_>) -> rusqlite::Result<u64> {
    row.get(0).map(i64::cast_unsigned)
}
