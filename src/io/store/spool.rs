//! SQL statements on unsent datapoints.
//!
//! The backlog consists of the rows that an earlier process left and the rows that this process
//! moved to the backlog. The other rows are copies of datapoints that this process has in memory
//! and sends from memory. These rows are not in the backlog, so that no datapoint is sent twice.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use crate::io::store::database::unsigned;
use crate::io::store::error::StoreError;
use crate::io::store::row::SpoolRow;

// Statements for `for_each`, which executes a statement once per id and binds the id to `?1`.
pub(super) const MARK_SENDING: &str = "UPDATE spool SET sending = 1 WHERE id = ?1";
pub(super) const DELETE: &str = "DELETE FROM spool WHERE id = ?1";
pub(super) const TO_BACKLOG: &str = "UPDATE spool SET backlog = 1, sending = 0 WHERE id = ?1";
pub(super) const TO_BACKLOG_MAYBE_ARRIVED: &str =
    "UPDATE spool SET backlog = 1, sending = 0, maybe_arrived = 1 WHERE id = ?1";

/// Reads at most `limit` datapoints of a destination's backlog, oldest first.
pub(super) fn oldest(
    connection: &Connection,
    destination: &str,
    limit: usize,
) -> Result<Vec<SpoolRow>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT id, series, at, points, maybe_arrived FROM spool
         WHERE destination = ?1 AND backlog = 1 ORDER BY at LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![destination, limit], |row| {
        let points: Vec<u8> = row.get(3)?;
        Ok(SpoolRow {
            id: unsigned(row)?,
            destination: destination.into(),
            series: row.get(1)?,
            at: Timestamp::from_millisecond(row.get(2)?).unwrap_or_default(),
            values: unpack(&points),
            maybe_arrived: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counts the datapoints of a destination's backlog.
pub(super) fn count(connection: &Connection, destination: &str) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM spool WHERE destination = ?1 AND backlog = 1";
    let mut statement = connection.prepare(sql)?;
    Ok(statement.query_row([destination], unsigned)?)
}

/// Inserts datapoints. If a row with the same id exists, the timestamp and the values of this row
/// are replaced.
pub(super) fn save(transaction: &Transaction<'_>, rows: &[SpoolRow]) -> Result<(), StoreError> {
    let mut statement = transaction.prepare(
        "INSERT INTO spool (id, destination, series, at, points) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO UPDATE SET at = excluded.at, points = excluded.points",
    )?;
    for row in rows {
        statement.execute(params![
            row.id.cast_signed(),
            &*row.destination,
            row.series,
            row.at.as_millisecond(),
            pack(&row.values),
        ])?;
    }
    Ok(())
}

/// Executes the statement `sql` once for each id in `ids`.
pub(super) fn for_each(
    transaction: &Transaction<'_>,
    sql: &str,
    ids: &[u64],
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare(sql)?;
    for id in ids {
        statement.execute([id.cast_signed()])?;
    }
    Ok(())
}

/// Moves a destination's datapoints to the backlog, except the datapoints with the ids `known`,
/// which the process still has in memory. The moved datapoints are marked as possibly arrived,
/// because they may have been sent.
pub(super) fn reconcile(
    transaction: &Transaction<'_>,
    destination: &str,
    known: &[u64],
) -> Result<(), StoreError> {
    let known: HashSet<u64> = known.iter().copied().collect();
    let mut statement = transaction
        .prepare("SELECT id FROM spool WHERE destination = ?1 AND (backlog = 0 OR sending = 1)")?;
    let rows = statement.query_map([destination], unsigned)?;
    let lost: Vec<u64> = rows
        .filter(|id| id.as_ref().map_or(true, |id| !known.contains(id)))
        .collect::<Result<_, _>>()?;
    for_each(transaction, TO_BACKLOG_MAYBE_ARRIVED, &lost)
}

/// Deletes datapoints of a destination's backlog that are older than `before`, and the oldest
/// datapoints beyond `max_count`. Returns the number of deleted datapoints.
pub(super) fn trim(
    transaction: &Transaction<'_>,
    destination: &str,
    before: Timestamp,
    max_count: u64,
) -> Result<u64, StoreError> {
    let aged = transaction.execute(
        "DELETE FROM spool WHERE destination = ?1 AND backlog = 1 AND at < ?2",
        params![destination, before.as_millisecond()],
    )?;
    let beyond = transaction.execute(
        "DELETE FROM spool WHERE id IN (
            SELECT id FROM spool WHERE destination = ?1 AND backlog = 1
            ORDER BY at DESC LIMIT -1 OFFSET ?2)",
        params![destination, i64::try_from(max_count).unwrap_or(i64::MAX)],
    )?;
    // Returns up to 256 free pages to the file system, because a long outage makes the file large.
    let mut vacuum = transaction.prepare("PRAGMA incremental_vacuum(256)")?;
    let mut freed = vacuum.query([])?;
    while freed.next()?.is_some() {}
    Ok((aged + beyond) as u64)
}

fn pack(values: &[(f64, f64)]) -> Vec<u8> {
    let bytes = values
        .iter()
        .flat_map(|(value, count)| [value.to_le_bytes(), count.to_le_bytes()]);
    bytes.flatten().collect()
}

fn unpack(bytes: &[u8]) -> Vec<(f64, f64)> {
    let (pairs, _) = bytes.as_chunks::<16>();
    let number = |bytes: &[u8]| bytes.try_into().map_or(f64::NAN, f64::from_le_bytes);
    pairs
        .iter()
        .map(|pair| (number(&pair[..8]), number(&pair[8..])))
        .filter(|(value, count)| value.is_finite() && count.is_finite())
        .collect()
}
