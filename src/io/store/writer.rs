//! The thread of the store. It executes queued jobs, commits them in groups, and reopens the
//! database after an error.
//!
//! Jobs that arrive while the disk is busy are committed together, so that a thousand incidents
//! need only a few commits. While the database cannot be used, every job fails immediately.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::Transaction;
use tokio::sync::oneshot;

use crate::io::store::database::{self, Database};
use crate::io::store::error::{StoreError, StoreErrorKind};
use crate::io::store::row::{SpoolRow, StoredBaseline, StoredIncident};
use crate::io::store::spool;
use crate::io::store::{RestoredState, StoreMetrics};
use crate::model::target::TargetName;

/// A job of the store's thread: a read or write of the database, or the end of the thread. If the
/// caller waits for the result, the job contains a channel for it. If a job fails, the channel is
/// closed without a result.
#[derive(Debug)]
pub(super) enum Job {
    SaveIncidents(Vec<StoredIncident>, oneshot::Sender<bool>),
    SaveBaselines(Vec<StoredBaseline>),
    DeleteBaselines(Vec<TargetName>),
    SaveDatapoints(Vec<SpoolRow>, oneshot::Sender<bool>),
    MarkSending(Vec<u64>),
    DeleteDatapoints(Vec<u64>),
    /// Moves the datapoints with these ids to the backlog. The flag is true if the datapoints may
    /// already have arrived at CloudWatch.
    ReturnToBacklog(Vec<u64>, bool),
    /// Moves a destination's datapoints to the backlog, except the datapoints with the given ids,
    /// which are still in memory.
    Reconcile(String, Vec<u64>),
    ReadOldest(String, usize, oneshot::Sender<Vec<SpoolRow>>),
    CountBacklog(String, oneshot::Sender<u64>),
    TrimBacklog(String, Timestamp, u64, oneshot::Sender<u64>),
    Close(oneshot::Sender<()>),
}

/// The state of the store's thread.
#[derive(Debug)]
pub(super) struct Writer {
    directory: PathBuf,
    metrics: StoreMetrics,
    max_bytes: u64,
    /// The first row id of this process. Earlier processes wrote the rows with lower ids.
    first_id: u64,
    /// The open database; `None` while it cannot be used.
    database: Option<Database>,
    /// The kind of the last logged error; `None` after a commit.
    logged: Option<StoreErrorKind>,
    /// The earliest time of the next attempt to open the database.
    reopen_at: Instant,
    /// Whether the disk is unresponsive. The handle sets the flag when a job took too long, and the
    /// thread clears it after the next commit.
    unresponsive: Arc<AtomicBool>,
}

/// Time between attempts to open the database. The interval is short, so that freeing disk space
/// takes effect soon.
const REOPEN_INTERVAL: Duration = Duration::from_secs(10);

/// Maximum number of jobs in one commit, so that commits stay short on a slow disk.
const MAX_GROUP: usize = 256;

impl Writer {
    pub(super) fn new(
        directory: &Path,
        metrics: StoreMetrics,
        max_bytes: u64,
        first_id: u64,
        unresponsive: Arc<AtomicBool>,
    ) -> Self {
        Self {
            directory: directory.to_owned(),
            metrics,
            max_bytes,
            first_id,
            database: None,
            logged: None,
            reopen_at: Instant::now(),
            unresponsive,
        }
    }

    /// Runs the thread: opens the database, sends the saved state to `restored`, and executes jobs
    /// from `queue` until a [`Job::Close`] arrives or every handle is dropped.
    pub(super) fn run(mut self, queue: &Receiver<Job>, restored: oneshot::Sender<RestoredState>) {
        let state = self.open().unwrap_or_default();
        // Sending fails if opening took too long and the daemon started without this state.
        let _ = restored.send(state);
        loop {
            let first = match queue.recv_timeout(REOPEN_INTERVAL) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => {
                    self.open();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut jobs = vec![first];
            jobs.extend(queue.try_iter().take(MAX_GROUP - 1));
            let close = jobs.iter().position(|job| matches!(job, Job::Close(_)));
            let rest = close.map(|index| jobs.split_off(index));
            self.execute(jobs);
            if let Some(Job::Close(done)) = rest.and_then(|jobs| jobs.into_iter().next()) {
                self.database = None;
                // Sending fails if the caller's time limit has passed.
                let _ = done.send(());
                return;
            }
        }
    }

    /// Opens the database, unless it is already open or the next attempt is not yet due. Returns
    /// the saved state, which is used only at startup; `None` if the database was not opened.
    fn open(&mut self) -> Option<RestoredState> {
        if self.database.is_some() || Instant::now() < self.reopen_at {
            return None;
        }
        self.reopen_at = Instant::now() + REOPEN_INTERVAL;
        let opened = match self.try_open() {
            Err(error) if error.kind == StoreErrorKind::Corrupt => self.replace(&error),
            other => other,
        };
        match opened {
            Ok((database, state)) => {
                self.database = Some(database);
                self.metrics.up.set(1);
                Some(state)
            }
            Err(error) => {
                self.record_error(&error);
                None
            }
        }
    }

    fn try_open(&self) -> Result<(Database, RestoredState), StoreError> {
        let mut database = Database::open(&self.directory, self.max_bytes)?;
        let state = database.restore(self.first_id, Timestamp::now())?;
        Ok((database, state))
    }

    /// Renames a corrupt database, and returns a new database with its state, which is empty.
    fn replace(&self, error: &StoreError) -> Result<(Database, RestoredState), StoreError> {
        let moved_to = Database::move_aside(&self.directory)?;
        tracing::error!(
            moved_to = %moved_to.display(),
            error = %error.text,
            "store: corrupt database moved aside; continuing with an empty one, without the \
             saved incidents, baselines and unsent datapoints"
        );
        self.try_open()
    }

    /// Executes a group of jobs: all writes in one transaction, then the reads. If the database
    /// cannot be used, all jobs fail.
    fn execute(&mut self, jobs: Vec<Job>) {
        self.open();
        let Some(database) = &mut self.database else {
            // Dropping the jobs closes their result channels, which reports the failure to the
            // callers.
            self.metrics.failures.inc_by(jobs.len() as u64);
            return;
        };
        let result = match commit(database, &jobs) {
            Ok(counts) => jobs
                .into_iter()
                .zip(counts)
                .try_for_each(|(job, count)| reply(database, job, count)),
            Err(error) => {
                self.metrics.failures.inc_by(jobs.len() as u64);
                // The metric is set before the jobs are dropped, because a caller reads the metric
                // as soon as its job has failed.
                self.metrics.up.set(0);
                if error.kind == StoreErrorKind::Full {
                    free_space(database, jobs);
                }
                Err(error)
            }
        };
        if let Err(error) = result {
            // The database is closed, so that every job fails immediately until the next attempt to
            // open the database. This includes jobs that only read, which would succeed on a full
            // disk.
            self.database = None;
            self.reopen_at = Instant::now();
            if error.kind != StoreErrorKind::Corrupt {
                self.reopen_at += REOPEN_INTERVAL;
            }
            self.record_error(&error);
            return;
        }
        // The recovery is logged only after a commit. A database on a full disk can be opened, so
        // logging after each opening would report a recovery that did not happen.
        if self.logged.take().is_some() {
            tracing::info!(directory = %self.directory.display(), "store: persistence resumed");
        }
        if self.unresponsive.swap(false, Ordering::Relaxed) {
            self.metrics.up.set(1);
            tracing::info!("store: disk responded again");
        }
    }

    /// Marks the store as unusable. Logs the error, unless the last logged error was of the same
    /// kind.
    fn record_error(&mut self, error: &StoreError) {
        self.metrics.up.set(0);
        if self.logged != Some(error.kind) {
            self.logged = Some(error.kind);
            tracing::error!(
                directory = %self.directory.display(),
                %error,
                "store: state directory failed; continuing without persistence"
            );
        }
    }
}

/// Executes only those jobs of a group that free space, after the whole group failed because the
/// disk or the database was full. Deleting old rows makes room for new rows.
fn free_space(database: &mut Database, jobs: Vec<Job>) {
    let frees = |job: &Job| matches!(job, Job::DeleteDatapoints(_) | Job::TrimBacklog(..));
    let jobs: Vec<_> = jobs.into_iter().filter(frees).collect();
    let counts = commit(database, &jobs).unwrap_or_default();
    for (job, count) in jobs.into_iter().zip(counts) {
        // An error is ignored here, because the error of the whole group is logged.
        let _ = reply(database, job, count);
    }
}

/// Executes the writing parts of jobs in one transaction. Returns one number per job: the number of
/// rows that a [`Job::TrimBacklog`] deleted, or 0 for any other job.
fn commit(database: &mut Database, jobs: &[Job]) -> Result<Vec<u64>, StoreError> {
    database.write(|transaction| jobs.iter().map(|job| write(transaction, job)).collect())
}

/// Executes the writing part of a job. Returns the number of rows that a [`Job::TrimBacklog`]
/// deleted, or 0 for any other job.
fn write(transaction: &Transaction<'_>, job: &Job) -> Result<u64, StoreError> {
    match job {
        Job::SaveIncidents(incidents, _) => database::save_incidents(transaction, incidents)?,
        Job::SaveBaselines(baselines) => database::save_baselines(transaction, baselines)?,
        Job::DeleteBaselines(targets) => database::delete_baselines(transaction, targets)?,
        Job::SaveDatapoints(rows, _) => spool::save(transaction, rows)?,
        Job::MarkSending(ids) => spool::for_each(transaction, spool::MARK_SENDING, ids)?,
        Job::DeleteDatapoints(ids) => spool::for_each(transaction, spool::DELETE, ids)?,
        Job::ReturnToBacklog(ids, true) => {
            spool::for_each(transaction, spool::TO_BACKLOG_MAYBE_ARRIVED, ids)?;
        }
        Job::ReturnToBacklog(ids, false) => spool::for_each(transaction, spool::TO_BACKLOG, ids)?,
        Job::Reconcile(destination, known) => spool::reconcile(transaction, destination, known)?,
        Job::TrimBacklog(destination, before, max_count, _) => {
            return spool::trim(transaction, destination, *before, *max_count);
        }
        Job::ReadOldest(..) | Job::CountBacklog(..) | Job::Close(_) => {}
    }
    Ok(0)
}

/// Executes the reading part of a committed job, and sends the job's result to the caller. `count`
/// is the number that [`commit`] returned for the job.
fn reply(database: &Database, job: Job, count: u64) -> Result<(), StoreError> {
    // Sending fails if the caller has stopped waiting.
    let _ = match job {
        Job::SaveIncidents(_, done) | Job::SaveDatapoints(_, done) => done.send(true).is_ok(),
        Job::TrimBacklog(_, _, _, done) => done.send(count).is_ok(),
        Job::ReadOldest(destination, limit, done) => done
            .send(spool::oldest(database.reader(), &destination, limit)?)
            .is_ok(),
        Job::CountBacklog(destination, done) => done
            .send(spool::count(database.reader(), &destination)?)
            .is_ok(),
        _ => true,
    };
    Ok(())
}
