//! The spool: the datapoints of one destination in the state directory.
//!
//! The spool saves a copy of each datapoint that the publisher has in memory, and reads the
//! backlog: datapoints that CloudWatch did not accept or that an earlier process left. Without a
//! usable state directory, nothing is saved and no backlog is read. The publisher decides what is
//! sent.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::io::sink::cloudwatch::datapoint::Datapoint;
use crate::io::sink::cloudwatch::publisher::request::{InProgress, wait_for};
use crate::io::store::Store;

/// The spool of one destination.
pub(super) struct Spool {
    store: Store,
    /// The key of the destination's rows in the store: `LOCATION/DESTINATION`.
    key: Arc<str>,
    /// The save in progress; `None` if no save is in progress.
    saving: Option<InProgress<SpoolResult>>,
    /// The operation in progress that trims and counts the backlog, if any. It has its own field,
    /// because under load a save is always in progress, so `saving` is never `None`.
    query: Option<InProgress<SpoolResult>>,
    /// The number of datapoints in the backlog, counted at each [`SpoolResult::Trimmed`] and
    /// estimated in between.
    backlog: u64,
    /// The time at which the last trim and count of the backlog started; `None` if the next call of
    /// [`Spool::maintain`] must trim and count the backlog.
    trimmed: Option<Timestamp>,
    /// Whether the store was usable at the last call of [`Spool::has_recovered`].
    was_healthy: bool,
}

/// The result of an operation of the store.
pub(in crate::io::sink::cloudwatch) enum SpoolResult {
    /// The result of [`Spool::save`]: whether the datapoints were saved.
    Saved(bool),
    /// The number of datapoints that were removed from the backlog, and the number of datapoints
    /// that are left in the backlog. Each number is `None` if its operation failed.
    Trimmed {
        removed: Option<u64>,
        left: Option<u64>,
    },
}

/// Maximum number of datapoints in a destination's backlog: a day of datapoints of 3,500 series
/// with one datapoint a minute each. This number of datapoints takes about a gigabyte on disk.
const MAX_BACKLOG: u64 = 5_000_000;

/// Interval at which the backlog is trimmed and counted.
const TRIM_EVERY: SignedDuration = SignedDuration::from_secs(60);

impl Spool {
    pub(super) const fn new(store: Store, key: Arc<str>) -> Self {
        Self {
            store,
            key,
            saving: None,
            query: None,
            backlog: 0,
            trimmed: None,
            was_healthy: true,
        }
    }

    /// Returns whether the store can currently save data.
    pub(super) fn is_healthy(&self) -> bool {
        self.store.is_healthy()
    }

    /// Returns whether [`Spool::save`] may be called: no save is in progress, and the store can
    /// save.
    pub(super) fn can_save(&self) -> bool {
        self.saving.is_none() && self.is_healthy()
    }

    /// Starts to save copies of datapoints. When the save completes, [`Spool::result`] returns
    /// [`SpoolResult::Saved`].
    pub(super) fn save(&mut self, datapoints: &[Datapoint]) {
        if !datapoints.is_empty() {
            let saved = self.write(datapoints);
            self.saving = Some(Box::pin(async { SpoolResult::Saved(saved.await) }));
        }
    }

    /// Saves the last datapoints of the process. Waits for the save in progress, passes to
    /// `unsaved` whether that save succeeded (true if there was none), and saves the datapoints
    /// that `unsaved` returns. Returns whether these datapoints are saved.
    pub(super) async fn save_last(&mut self, unsaved: impl FnOnce(bool) -> Vec<Datapoint>) -> bool {
        let saved = match self.saving.take() {
            Some(saving) => matches!(saving.await, SpoolResult::Saved(true)),
            None => true,
        };
        self.write(&unsaved(saved)).await
    }

    fn write(&self, datapoints: &[Datapoint]) -> impl Future<Output = bool> + Send + use<> {
        let rows = datapoints.iter().map(|point| point.to_row(&self.key));
        let (store, rows) = (self.store.clone(), rows.collect());
        async move { store.save_datapoints(rows).await }
    }

    /// Returns whether the store has recovered from a failure since the previous call of this
    /// method.
    pub(super) fn has_recovered(&mut self) -> bool {
        let is_healthy = self.is_healthy();
        let was_healthy = std::mem::replace(&mut self.was_healthy, is_healthy);
        is_healthy && !was_healthy
    }

    /// Moves the destination's rows in a recovered store to the backlog, except the rows with the
    /// ids `known`, whose datapoints are still in memory. Datapoints that were sent while the store
    /// was unusable are sent again, because their rows could not be deleted.
    pub(super) fn reconcile(&mut self, known: Vec<u64>) {
        self.store.reconcile_datapoints(&self.key, known);
        self.recount();
    }

    /// Starts to trim and count the backlog: at the first call, once per minute, and after
    /// [`Spool::recount`]. Datapoints older than `max_age` and the oldest datapoints beyond
    /// [`MAX_BACKLOG`] are removed. When the count completes, [`Spool::result`] returns
    /// [`SpoolResult::Trimmed`].
    pub(super) fn maintain(&mut self, now: Timestamp, max_age: Duration) {
        let is_due = |last: Timestamp| now.duration_since(last) >= TRIM_EVERY;
        if self.query.is_some() || !self.is_healthy() || !self.trimmed.is_none_or(is_due) {
            return;
        }
        self.trimmed = Some(now);
        let (store, key) = (self.store.clone(), Arc::clone(&self.key));
        let age = SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX);
        let before = now.checked_sub(age).unwrap_or(Timestamp::MIN);
        self.query = Some(Box::pin(async move {
            SpoolResult::Trimmed {
                removed: store.trim_datapoints(&key, before, MAX_BACKLOG).await,
                left: store.count_datapoints(&key).await,
            }
        }));
    }

    /// Waits for an operation in progress to complete and returns the result. Waits forever if no
    /// operation is in progress.
    pub(super) async fn result(&mut self) -> SpoolResult {
        tokio::select! {
            result = wait_for(&mut self.saving) => result,
            result = wait_for(&mut self.query) => result,
        }
    }

    /// Returns the number of datapoints in the backlog.
    pub(super) const fn backlog(&self) -> u64 {
        self.backlog
    }

    /// Returns whether the backlog has datapoints that can be read now.
    pub(super) fn has_backlog(&self) -> bool {
        self.backlog > 0 && self.is_healthy()
    }

    /// Sets the number of datapoints in the backlog. `None` means that the count failed and is
    /// repeated.
    pub(super) fn set_backlog(&mut self, left: Option<u64>) {
        match left {
            Some(left) => self.backlog = left,
            None => self.trimmed = None,
        }
    }

    /// Makes the next [`Spool::maintain`] trim and count the backlog. Until the count completes,
    /// the backlog is treated as empty.
    pub(super) const fn recount(&mut self) {
        self.trimmed = None;
        self.backlog = 0;
    }

    /// Returns at most `limit` datapoints of the backlog, oldest first, and marks the datapoints as
    /// being sent. Also returns the ids of the rows that this release cannot decode. Both lists are
    /// empty if the backlog cannot be read.
    pub(super) fn take_oldest(
        &self,
        limit: usize,
    ) -> impl Future<Output = (Vec<Datapoint>, Vec<u64>)> + Send + use<> {
        let (store, key) = (self.store.clone(), Arc::clone(&self.key));
        async move {
            let (mut batch, mut unreadable) = (Vec::new(), Vec::new());
            for row in store
                .oldest_datapoints(&key, limit)
                .await
                .into_iter()
                .flatten()
            {
                match Datapoint::from_row(&row) {
                    Some(datapoint) => batch.push(datapoint),
                    None => unreadable.push(row.id),
                }
            }
            if !batch.is_empty() {
                store.mark_datapoints_sending(rows(&batch));
            }
            (batch, unreadable)
        }
    }

    /// Marks datapoints as being sent. If the process ends before [`Spool::forget`], the next
    /// process treats the datapoints as possibly arrived.
    pub(super) fn mark_sending(&self, batch: &[Datapoint]) {
        self.store.mark_datapoints_sending(rows(batch));
    }

    /// Removes the saved copies of datapoints.
    pub(super) fn forget(&self, batch: &[Datapoint]) {
        self.store.delete_datapoints(rows(batch));
    }

    /// Removes the rows with the ids `rows` from the backlog.
    pub(super) fn forget_backlog(&mut self, rows: Vec<u64>) {
        self.backlog = self.backlog.saturating_sub(rows.len() as u64);
        self.store.delete_datapoints(rows);
    }

    /// Adds saved datapoints, which the caller has removed from memory, to the backlog.
    pub(super) fn add_backlog(&mut self, released: Vec<Datapoint>) {
        self.backlog += released.len() as u64;
        let (lost, other): (Vec<_>, Vec<_>) =
            released.into_iter().partition(|point| point.maybe_arrived);
        self.put_back(&lost, true);
        self.put_back(&other, false);
    }

    /// Marks the saved copies of datapoints as part of the backlog, for example after a failed
    /// request. `maybe_arrived` says whether CloudWatch may already have the datapoints.
    pub(super) fn put_back(&self, batch: &[Datapoint], maybe_arrived: bool) {
        self.store
            .return_datapoints_to_backlog(rows(batch), maybe_arrived);
    }
}

fn rows(batch: &[Datapoint]) -> Vec<u64> {
    batch.iter().map(|datapoint| datapoint.row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sink::cloudwatch::datapoint::Series;
    use crate::io::sink::daemon_metrics::DaemonMetrics;

    #[tokio::test]
    async fn the_backlog_of_earlier_processes_is_counted_under_load() {
        let directory = tempfile::tempdir().unwrap();
        let gauges = DaemonMetrics::new().unwrap().store_metrics();
        let (store, _) = Store::open(directory.path(), gauges).await;
        let mut spool = Spool::new(store, "here/".into());
        let now = Timestamp::now();
        for row in 0..3 {
            // A new datapoint in each round keeps a save in progress.
            if spool.can_save() {
                spool.save(&[Datapoint::new(row, Series::Heartbeat, now, 1.0)]);
            }
            spool.maintain(now, Duration::from_secs(3600));
            for _ in 0..2 {
                if let SpoolResult::Trimmed { left, .. } = spool.result().await {
                    assert_eq!(left, Some(0));
                    return;
                }
                if spool.saving.is_none() && spool.query.is_none() {
                    break;
                }
            }
        }
        panic!("the backlog was not counted");
    }
}
