//! The database: its schema and its statements.
//!
//! A write-ahead log without a flush per commit: what was committed survives the end of
//! the process however it comes; the end of the machine may take the last seconds, and
//! never breaks the file. One process at a time: a second one would send the same
//! datapoints again.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use crate::io::store::document::{BaselineDocument, IncidentDocument};
use crate::io::store::fault::{Fault, FaultKind};
use crate::io::store::row::{KeptBaseline, KeptIncident};
use crate::io::store::{FILE, Memory, RECENT};
use crate::model::target::TargetName;

/// An open database.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
}

/// The most the database takes: a day's datapoints of some ten thousand targets.
pub(super) const MAX_BYTES: u64 = 2 << 30;

/// SQLite's default, in which the limit is counted.
const PAGE: u64 = 4096;

/// Written into the file; a release that changes the tables raises it.
const VERSION: i64 = 1;

/// A former process that is just ending is waited for.
const BUSY: Duration = Duration::from_secs(1);

/// A file up to this size is read through at start, which takes a fraction of a second;
/// damage in a larger one shows when it is met.
const CHECKED: u64 = 64 << 20;

/// Incidents that are over are kept this long.
const INCIDENTS_KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(90 * 24);

/// And at most so many: some ten megabytes.
const INCIDENTS_MOST: i64 = 10_000;

/// CloudWatch refuses older datapoints, so nobody can want them any more.
const TAKEN_WITHIN: jiff::SignedDuration = jiff::SignedDuration::from_hours(14 * 24);

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
    /// Opens the database of a directory, and makes both where they are missing.
    pub(super) fn open(directory: &Path, most: u64) -> Result<Self, Fault> {
        std::fs::create_dir_all(directory)?;
        let path = directory.join(FILE);
        let size = std::fs::metadata(&path).map_or(0, |file| file.len());
        let connection = Connection::open(&path)?;
        connection.busy_timeout(BUSY)?;
        // Before the first read: whoever reads a log of changes needs the lock for it.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "max_page_count", most.div_ceil(PAGE).cast_signed())?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let mut database = Self { connection };
        match version {
            0 => database.write(|t| {
                t.execute_batch(SCHEMA)?;
                Ok(t.pragma_update(None, "user_version", VERSION)?)
            })?,
            VERSION if size <= CHECKED => database.check()?,
            VERSION => {}
            other => {
                let text = format!("version {other}, this release knows {VERSION}");
                return Err(Fault::new(FaultKind::Newer, text));
            }
        }
        Ok(database)
    }

    /// Sets a broken database aside, in place of one that was set aside before: the
    /// newest is what somebody may want to look at, and they must not fill the disk.
    pub(super) fn set_aside(directory: &Path) -> Result<PathBuf, Fault> {
        for entry in std::fs::read_dir(directory)?.flatten() {
            let name = entry.file_name();
            if name
                .to_string_lossy()
                .starts_with(&format!("{FILE}.broken-"))
            {
                std::fs::remove_file(entry.path())?;
            }
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = since.map_or(0, |since| since.as_secs());
        let aside = directory.join(format!("{FILE}.broken-{seconds}"));
        std::fs::rename(directory.join(FILE), &aside)?;
        for beside in ["-wal", "-shm"] {
            let path = directory.join(format!("{FILE}{beside}"));
            if path.exists() {
                std::fs::remove_file(path)?;
            }
        }
        Ok(aside)
    }

    /// Everything that earlier lives left. Their datapoints, whose ids are below
    /// `first_id`, become the backlog; what they were sending may have arrived.
    pub(super) fn remember(&mut self, first_id: u64, now: Timestamp) -> Result<Memory, Fault> {
        self.write(|t| {
            t.execute(
                "UPDATE spool SET backlog = 1, sending = 0,
                    maybe_arrived = max(maybe_arrived, sending)
                 WHERE id < ?1 AND (backlog = 0 OR sending = 1)",
                [first_id.cast_signed()],
            )?;
            let late = (now - TAKEN_WITHIN).as_millisecond();
            t.execute("DELETE FROM spool WHERE at < ?1", [late])?;
            let oldest = (now - INCIDENTS_KEPT).as_millisecond();
            t.execute("DELETE FROM incidents WHERE resolved < ?1", [oldest])?;
            t.execute(
                "DELETE FROM incidents WHERE resolved IS NOT NULL AND id NOT IN (
                    SELECT id FROM incidents WHERE resolved IS NOT NULL
                    ORDER BY resolved DESC LIMIT ?1)",
                [INCIDENTS_MOST],
            )?;
            Ok(())
        })?;
        let open = "SELECT document FROM incidents WHERE resolved IS NULL ORDER BY opened";
        let resolved = format!(
            "SELECT document FROM incidents WHERE resolved IS NOT NULL
             ORDER BY resolved DESC LIMIT {RECENT}"
        );
        let count = "SELECT count(*) FROM spool";
        Ok(Memory {
            open: self.incidents(open)?,
            resolved: self.incidents(&resolved)?,
            baselines: self.baselines()?,
            datapoints: self.connection.query_row(count, [], unsigned)?,
        })
    }

    /// Does several things or none.
    pub(super) fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let transaction = self.connection.transaction()?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Reads.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        work(&self.connection)
    }

    fn check(&self) -> Result<(), Fault> {
        let check = "PRAGMA quick_check(1)";
        let word: String = self.connection.query_row(check, [], |row| row.get(0))?;
        if word == "ok" {
            Ok(())
        } else {
            Err(Fault::new(FaultKind::Corrupt, word))
        }
    }

    fn incidents(&self, sql: &str) -> Result<Vec<KeptIncident>, Fault> {
        let mut statement = self.connection.prepare(sql)?;
        let documents = statement.query_map([], |row| row.get::<_, String>(0))?;
        let mut incidents = Vec::new();
        for document in documents {
            // One that this release cannot read is no reason to lose the others.
            let read = serde_json::from_str::<IncidentDocument>(&document?).ok();
            incidents.extend(read.and_then(IncidentDocument::into_kept));
        }
        Ok(incidents)
    }

    fn baselines(&self) -> Result<Vec<KeptBaseline>, Fault> {
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
            baselines.extend(read.map(|document| KeptBaseline {
                target: TargetName::new(&name),
                settings,
                learned: document.into(),
            }));
        }
        Ok(baselines)
    }
}

/// Writes incidents as they are now.
pub(super) fn keep_incidents(
    transaction: &Transaction<'_>,
    incidents: &[KeptIncident],
) -> Result<(), Fault> {
    let mut statement = transaction.prepare(
        "INSERT OR REPLACE INTO incidents (id, opened, resolved, document) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for kept in incidents {
        let incident = &kept.incident;
        let document = serde_json::to_string(&IncidentDocument::from(kept))
            .map_err(|error| Fault::new(FaultKind::Other, error))?;
        statement.execute(params![
            incident.id.as_str(),
            incident.opened.as_millisecond(),
            incident.resolved.map(Timestamp::as_millisecond),
            document,
        ])?;
    }
    Ok(())
}

/// Writes baselines as they are now.
pub(super) fn keep_baselines(
    transaction: &Transaction<'_>,
    baselines: &[KeptBaseline],
) -> Result<(), Fault> {
    let mut statement = transaction.prepare(
        "INSERT OR REPLACE INTO baselines (target, settings, document) VALUES (?1, ?2, ?3)",
    )?;
    for kept in baselines {
        let document = serde_json::to_string(&BaselineDocument::from(&kept.learned))
            .map_err(|error| Fault::new(FaultKind::Other, error))?;
        let settings = kept.settings.cast_signed();
        statement.execute(params![kept.target.as_str(), settings, document])?;
    }
    Ok(())
}

/// Forgets what is normal for targets.
pub(super) fn forget_baselines(
    transaction: &Transaction<'_>,
    targets: &[TargetName],
) -> Result<(), Fault> {
    let mut statement = transaction.prepare("DELETE FROM baselines WHERE target = ?1")?;
    for target in targets {
        statement.execute([target.as_str()])?;
    }
    Ok(())
}

/// SQLite's integers have a sign, ours never do.
pub(super) fn unsigned(row: &rusqlite::Row<'_>) -> rusqlite::Result<u64> {
    row.get(0).map(i64::cast_unsigned)
}
