//! The statements about datapoints on their way to CloudWatch.
//!
//! The backlog is what was put back or left by an earlier life; a row of this life that
//! waits in memory too is none, so that nobody sends it twice.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use crate::io::store::database::unsigned;
use crate::io::store::fault::Fault;
use crate::io::store::row::SpoolRow;

/// The oldest datapoints of a backlog.
pub(super) fn oldest(
    connection: &Connection,
    destination: &str,
    limit: usize,
) -> Result<Vec<SpoolRow>, Fault> {
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

/// How many datapoints a backlog has.
pub(super) fn count(connection: &Connection, destination: &str) -> Result<u64, Fault> {
    let sql = "SELECT count(*) FROM spool WHERE destination = ?1 AND backlog = 1";
    let mut statement = connection.prepare(sql)?;
    Ok(statement.query_row([destination], unsigned)?)
}

/// Writes datapoints, in place of what their ids held.
pub(super) fn keep(transaction: &Transaction<'_>, rows: &[SpoolRow]) -> Result<(), Fault> {
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

/// Carries a statement out for each of many rows.
pub(super) fn each(transaction: &Transaction<'_>, sql: &str, ids: &[u64]) -> Result<(), Fault> {
    let mut statement = transaction.prepare(sql)?;
    for id in ids {
        statement.execute([id.cast_signed()])?;
    }
    Ok(())
}

/// Leaves to the backlog every datapoint of a destination that nobody knows of any more.
/// What has become of it was lost on the way, so that it may have arrived.
pub(super) fn reconcile(
    transaction: &Transaction<'_>,
    destination: &str,
    known: &[u64],
) -> Result<(), Fault> {
    let known: HashSet<u64> = known.iter().copied().collect();
    let mut statement = transaction
        .prepare("SELECT id FROM spool WHERE destination = ?1 AND (backlog = 0 OR sending = 1)")?;
    let rows = statement.query_map([destination], unsigned)?;
    let lost: Vec<u64> = rows
        .filter(|id| id.as_ref().map_or(true, |id| !known.contains(id)))
        .collect::<Result<_, _>>()?;
    let sql = "UPDATE spool SET backlog = 1, sending = 0, maybe_arrived = 1 WHERE id = ?1";
    each(transaction, sql, &lost)
}

/// Gives datapoints of a backlog up, and says how many.
pub(super) fn trim(
    transaction: &Transaction<'_>,
    destination: &str,
    before: Timestamp,
    most: u64,
) -> Result<u64, Fault> {
    let aged = transaction.execute(
        "DELETE FROM spool WHERE destination = ?1 AND backlog = 1 AND at < ?2",
        params![destination, before.as_millisecond()],
    )?;
    let beyond = transaction.execute(
        "DELETE FROM spool WHERE id IN (
            SELECT id FROM spool WHERE destination = ?1 AND backlog = 1
            ORDER BY at DESC LIMIT -1 OFFSET ?2)",
        params![destination, i64::try_from(most).unwrap_or(i64::MAX)],
    )?;
    // What a long outage took from the disk goes back to it piece by piece.
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
