//! The state directory: saves incidents, baselines and unsent datapoints in SQLite, and
//! restores them at startup.
//!
//! [`Store`] is the handle, and `writer` is the thread that executes its jobs. `row` and `document`
//! contain the records and their JSON, `database` and `spool` the SQL, and `error` the errors.
//! Persistence is optional: without a usable directory the daemon keeps monitoring, the error is
//! logged once, and the methods report that nothing was saved. This module does not interpret the
//! records.

mod change_document;
mod database;
mod document;
mod error;
mod good_document;
mod row;
mod spool;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use jiff::Timestamp;
use prometheus::{IntCounter, IntGauge};
use tokio::sync::{oneshot, watch};

pub use row::{SpoolRow, StoredBaseline, StoredIncident};

use self::writer::{Job, Writer};
use crate::model::target::TargetName;

/// The handle of the state directory. Cloning is cheap. A disk that does not respond delays a
/// method by at most three seconds.
#[derive(Clone, Debug)]
pub struct Store {
    /// The queue of jobs for the store's thread; `None` if the store is disabled.
    jobs: Option<SyncSender<Job>>,
    ids: Arc<AtomicU64>,
    metrics: StoreMetrics,
    /// Whether a job took too long and no job has been committed since.
    unresponsive: Arc<AtomicBool>,
    ended: watch::Receiver<()>,
}

/// The state that earlier processes saved.
#[derive(Debug, Default)]
pub struct RestoredState {
    /// Incidents that were open when the previous process ended, oldest first.
    pub open: Vec<StoredIncident>,
    /// Resolved incidents, newest first; at most 500.
    pub resolved: Vec<StoredIncident>,
    /// Baselines of targets, in no particular order.
    pub baselines: Vec<StoredBaseline>,
    /// The number of datapoints that CloudWatch has not confirmed.
    pub datapoints: u64,
}

/// The metrics that show the health of the store. Clones share their values.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    /// Whether data can be saved (1) or not (0).
    pub up: IntGauge,
    /// The number of jobs that failed.
    pub failures: IntCounter,
}

/// The name of the database file in the state directory.
pub const DATABASE_FILE: &str = "probecause.db";

/// Maximum number of resolved incidents to restore: as many as the status board keeps.
const MAX_RESTORED_RESOLVED: usize = 500;

/// Capacity of the queue in jobs. A job contains the data of one second or one request, so the
/// queue is full only after the disk has hung for minutes. Further jobs then fail.
const QUEUE: usize = 1024;

/// Maximum time that a caller waits for the result of a job, so that a slow disk delays monitoring
/// by at most this time per job. A commit normally takes far less than a millisecond.
const MAX_JOB_WAIT: Duration = Duration::from_millis(500);

/// Maximum time that [`Store::close`] waits for the queued jobs, so that a hanging disk delays
/// the shutdown by at most this time.
const MAX_CLOSE_WAIT: Duration = Duration::from_secs(2);

/// Maximum time that startup waits for the saved state, so that a slow disk delays the first probes
/// by at most this time.
const MAX_OPEN_WAIT: Duration = Duration::from_secs(3);

impl Store {
    /// Creates a disabled store, which has no state directory and saves nothing.
    #[must_use]
    pub fn disabled(metrics: StoreMetrics) -> Self {
        let (_, ended) = watch::channel(());
        metrics.up.set(0);
        Self {
            jobs: None,
            ids: Arc::new(AtomicU64::new(first_id())),
            metrics,
            unresponsive: Arc::default(),
            ended,
        }
    }

    /// Opens or creates the database of a state directory, and restores the saved state.
    ///
    /// Never fails. If the directory cannot be used, the error is logged and opening the database
    /// is retried regularly. A corrupt database is renamed and replaced. The returned state is
    /// empty if the database cannot be used, or if opening it takes longer than three seconds.
    pub async fn open(directory: &Path, metrics: StoreMetrics) -> (Self, RestoredState) {
        Self::open_limited(directory, metrics, database::MAX_BYTES).await
    }

    /// Opens the store like [`Store::open`], but limits the size of the database to `max_bytes`.
    async fn open_limited(
        directory: &Path,
        metrics: StoreMetrics,
        max_bytes: u64,
    ) -> (Self, RestoredState) {
        let (jobs, queue) = sync_channel(QUEUE);
        let (alive, ended) = watch::channel(());
        let (restored, restoring) = oneshot::channel();
        let first_id = first_id();
        let unresponsive = Arc::<AtomicBool>::default();
        let writer = Writer::new(
            directory,
            metrics.clone(),
            max_bytes,
            first_id,
            Arc::clone(&unresponsive),
        );
        let spawned = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                writer.run(&queue, restored);
                drop(alive);
            });
        if let Err(error) = spawned {
            tracing::error!(
                %error,
                "store: thread not started; continuing without persistence"
            );
            return (Self::disabled(metrics), RestoredState::default());
        }
        let state = match tokio::time::timeout(MAX_OPEN_WAIT, restoring).await {
            Ok(Ok(state)) => state,
            _ => {
                tracing::error!(
                    "store: opening the database took too long; starting without the saved state"
                );
                RestoredState::default()
            }
        };
        let store = Self {
            jobs: Some(jobs),
            ids: Arc::new(AtomicU64::new(first_id)),
            metrics,
            unresponsive,
            ended,
        };
        (store, state)
    }

    /// Returns whether a state directory is configured and the store's thread was started, even if
    /// the directory cannot be used.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.jobs.is_some()
    }

    /// Returns whether data can currently be saved.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.is_enabled()
            && !self.unresponsive.load(Ordering::Relaxed)
            && self.metrics.up.get() == 1
    }

    /// Returns the counter from which callers take the ids of new rows. The ids are unique across
    /// restarts.
    #[must_use]
    pub fn ids(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.ids)
    }

    /// Saves incidents and replaces their earlier versions. Returns after at most half a second
    /// whether the incidents are saved. Callers await the result before they show or report an
    /// incident.
    pub async fn save_incidents(&self, incidents: Vec<StoredIncident>) -> bool {
        incidents.is_empty()
            || self.run(|done| Job::SaveIncidents(incidents, done)).await == Some(true)
    }

    /// Saves baselines in the background.
    pub fn save_baselines(&self, baselines: Vec<StoredBaseline>) {
        if !baselines.is_empty() {
            self.enqueue(Job::SaveBaselines(baselines));
        }
    }

    /// Deletes the baselines of targets in the background.
    pub fn delete_baselines(&self, targets: Vec<TargetName>) {
        if !targets.is_empty() {
            self.enqueue(Job::DeleteBaselines(targets));
        }
    }

    /// Saves datapoints. If a row with the same id is stored, its timestamp and values are
    /// replaced. Returns whether all datapoints are saved.
    pub async fn save_datapoints(&self, rows: Vec<SpoolRow>) -> bool {
        rows.is_empty() || self.run(|done| Job::SaveDatapoints(rows, done)).await == Some(true)
    }

    /// Marks datapoints as being sent. If the process ends while datapoints are marked, the next
    /// process treats these datapoints as possibly arrived.
    pub fn mark_datapoints_sending(&self, ids: Vec<u64>) {
        self.enqueue(Job::MarkSending(ids));
    }

    /// Deletes datapoints that have arrived or that will not be sent again.
    pub fn delete_datapoints(&self, ids: Vec<u64>) {
        if !ids.is_empty() {
            self.enqueue(Job::DeleteDatapoints(ids));
        }
    }

    /// Moves datapoints to the backlog. `maybe_arrived` says whether the response to the request
    /// that contained the datapoints was lost.
    pub fn return_datapoints_to_backlog(&self, ids: Vec<u64>, maybe_arrived: bool) {
        if !ids.is_empty() {
            self.enqueue(Job::ReturnToBacklog(ids, maybe_arrived));
        }
    }

    /// Moves a destination's datapoints to the backlog, except the datapoints with the ids `known`,
    /// which the caller still has in memory. Callers use this method after the store has recovered,
    /// because failed jobs may have left rows of datapoints that the caller no longer has.
    pub fn reconcile_datapoints(&self, destination: &str, known: Vec<u64>) {
        self.enqueue(Job::Reconcile(destination.to_owned(), known));
    }

    /// Returns at most `limit` datapoints of a destination's backlog, oldest first; `None` if the
    /// read failed.
    pub async fn oldest_datapoints(
        &self,
        destination: &str,
        limit: usize,
    ) -> Option<Vec<SpoolRow>> {
        let destination = destination.to_owned();
        self.run(|done| Job::ReadOldest(destination, limit, done))
            .await
    }

    /// Returns the number of datapoints in a destination's backlog; `None` if the read failed.
    pub async fn count_datapoints(&self, destination: &str) -> Option<u64> {
        let destination = destination.to_owned();
        self.run(|done| Job::CountBacklog(destination, done)).await
    }

    /// Deletes datapoints of a destination's backlog that are older than `before`, and the oldest
    /// datapoints beyond `max_count`. Returns the number of deleted datapoints; `None` if the job
    /// failed.
    pub async fn trim_datapoints(
        &self,
        destination: &str,
        before: Timestamp,
        max_count: u64,
    ) -> Option<u64> {
        let destination = destination.to_owned();
        self.run(|done| Job::TrimBacklog(destination, before, max_count, done))
            .await
    }

    /// Resolves when the store's thread has ended. Before [`Store::close`], the end of the thread
    /// is a bug. Never resolves if the store is disabled.
    pub async fn ended(&self) {
        if !self.is_enabled() {
            return std::future::pending().await;
        }
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    /// Executes all queued jobs and closes the database, but waits for at most two seconds.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.enqueue(Job::Close(done)) {
            // On a timeout the process ends without waiting any longer.
            let _ = tokio::time::timeout(MAX_CLOSE_WAIT, closed).await;
        }
    }

    /// Runs a job and returns its result; `None` if the job failed or took too long, or while the
    /// disk is unresponsive.
    ///
    /// While the disk is unresponsive, the job is queued, but its result is not awaited. If it
    /// were awaited, a caller that runs a job every second would spend half of its time waiting.
    async fn run<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Option<T> {
        let (done, result) = oneshot::channel();
        let unresponsive = self.unresponsive.load(Ordering::Relaxed);
        if !self.enqueue(job(done)) || unresponsive {
            return None;
        }
        let Ok(result) = tokio::time::timeout(MAX_JOB_WAIT, result).await else {
            if !self.unresponsive.swap(true, Ordering::Relaxed) {
                self.metrics.up.set(0);
                tracing::error!("store: disk is not responding; continuing without persistence");
            }
            return None;
        };
        result.ok()
    }

    /// Queues a job. Returns false if the job was not queued, because the queue is full, the thread
    /// has ended or the store is disabled.
    fn enqueue(&self, job: Job) -> bool {
        let Some(jobs) = &self.jobs else { return false };
        let queued = jobs.try_send(job).is_ok();
        if !queued {
            self.metrics.failures.inc();
        }
        queued
    }
}

/// Returns the first row id of this process: the current Unix time in milliseconds, shifted left by
/// twenty bits. Ids are thus unique across processes without reading the last id from the disk,
/// which may be unavailable.
fn first_id() -> u64 {
    let millis = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
    // SQLite's integers are signed, so the id must fit into 63 bits.
    (millis << 20) & (u64::MAX >> 1)
}

#[cfg(test)]
mod tests;
