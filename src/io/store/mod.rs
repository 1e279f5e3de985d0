//! What outlives the process: incidents, baselines, and datapoints not sent yet, in SQLite.
//!
//! Reading order: this file (the handle), `row` (what is kept), `document` (an incident as
//! JSON), `database` and `spool` (SQL), `fault` (what went wrong, and the mend), `keeper` (the one
//! thread: group commits, and getting well again). Nobody needs the store: without it, or
//! while its disk is full, read-only, locked or broken, monitoring goes on, it says so
//! once, and whoever asks is told that nothing was kept. It refuses to interpret a row.

mod database;
mod document;
mod fault;
mod row;
mod spool;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use jiff::Timestamp;
use prometheus::{IntCounter, IntGauge};
use tokio::sync::{oneshot, watch};

pub use fault::Fault;
pub use row::{KeptBaseline, KeptIncident, SpoolRow};

use self::writer::{Job, Writer};
use crate::model::target::TargetName;

/// The way to the state directory. Cheap to clone; every method may be called at any time
/// and answers soon, whatever the disk does.
#[derive(Clone, Debug)]
pub struct Store {
    /// `None`: switched off.
    jobs: Option<SyncSender<Job>>,
    ids: Arc<AtomicU64>,
    gauges: Gauges,
    /// Somebody waited in vain, and the disk has not answered since.
    late: Arc<AtomicBool>,
    ended: watch::Receiver<()>,
}

/// What is remembered from an earlier life.
#[derive(Debug, Default)]
pub struct Memory {
    /// Incidents that were open when the daemon ended.
    pub open: Vec<KeptIncident>,
    /// Incidents that are over, newest first; at most [`RECENT`].
    pub resolved: Vec<KeptIncident>,
    /// Baselines by target.
    pub baselines: Vec<KeptBaseline>,
    /// Datapoints that were not sent, or of which that is not known.
    pub datapoints: u64,
}

/// Where the store shows how it is. Cloning shares the values.
#[derive(Clone, Debug)]
pub struct Gauges {
    /// 1 while what is given is kept, 0 while it is not.
    pub up: IntGauge,
    /// Pieces of work that were not done.
    pub failures: IntCounter,
}

/// Resolved incidents that are read at start.
pub const RECENT: usize = 500;

/// The database in the state directory.
pub const FILE: &str = "probecause.db";

/// Pieces of work that may wait: each is one second's or one request's worth, so a disk
/// that stands still for minutes fills it, and then work is refused instead of piled up.
const QUEUE: usize = 1024;

/// How long anybody waits for the disk. A commit takes well under a millisecond; what
/// takes this long is a disk in trouble, and probes must not wait for it.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long the end of the process waits for work that was handed over before.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// How long the start waits for what is remembered; a first probe is due within five.
const START: Duration = Duration::from_secs(3);

impl Store {
    /// A store that keeps nothing and says so to nobody: there is no state directory.
    #[must_use]
    pub fn off(gauges: Gauges) -> Self {
        let (_, ended) = watch::channel(());
        gauges.up.set(0);
        Self {
            jobs: None,
            ids: Arc::new(AtomicU64::new(first_id())),
            gauges,
            late: Arc::default(),
            ended,
        }
    }

    /// Opens or creates the database of a state directory, and reads what is remembered.
    ///
    /// It never fails: a directory that cannot be used is told in the log, tried again
    /// every while, and until then nothing is kept. A broken database is set aside.
    pub async fn open(directory: &Path, gauges: Gauges) -> (Self, Memory) {
        Self::open_limited(directory, gauges, database::MAX_BYTES).await
    }

    /// As [`Store::open`], for a database of at most so many bytes.
    pub async fn open_limited(directory: &Path, gauges: Gauges, bytes: u64) -> (Self, Memory) {
        let (jobs, queue) = sync_channel(QUEUE);
        let (alive, ended) = watch::channel(());
        let (remember, remembered) = oneshot::channel();
        let first_id = first_id();
        let late = Arc::<AtomicBool>::default();
        let keeper = Writer::new(
            directory,
            gauges.clone(),
            bytes,
            first_id,
            Arc::clone(&late),
        );
        let spawned = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                keeper.run(&queue, remember);
                drop(alive);
            });
        if let Err(error) = spawned {
            tracing::error!(%error, "store: no thread can be had; nothing is remembered");
            return (Self::off(gauges), Memory::default());
        }
        let memory = match tokio::time::timeout(START, remembered).await {
            Ok(Ok(memory)) => memory,
            _ => {
                tracing::error!("store: slow to open; the daemon starts without its memory");
                Memory::default()
            }
        };
        let store = Self {
            jobs: Some(jobs),
            ids: Arc::new(AtomicU64::new(first_id)),
            gauges,
            late,
            ended,
        };
        (store, memory)
    }

    /// Whether there is a state directory, well or not.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.jobs.is_some()
    }

    /// Whether what is given is kept at present.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.jobs.is_some() && !self.late.load(Ordering::Relaxed) && self.gauges.up.get() == 1
    }

    /// Where new rows get their ids, unique over restarts.
    #[must_use]
    pub fn ids(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.ids)
    }

    /// Keeps incidents as they are now; resolves with whether they are on disk, after half
    /// a second at most. To be awaited before anybody is told of them.
    pub async fn keep_incidents(&self, incidents: Vec<KeptIncident>) -> bool {
        incidents.is_empty() || self.ask(|done| Job::Incidents(incidents, done)).await == Some(true)
    }

    /// Keeps baselines, some time soon.
    pub fn keep_baselines(&self, baselines: Vec<KeptBaseline>) {
        if !baselines.is_empty() {
            self.send(Job::Baselines(baselines));
        }
    }

    /// Forgets what is normal for targets that are gone.
    pub fn forget_baselines(&self, targets: Vec<TargetName>) {
        if !targets.is_empty() {
            self.send(Job::Unlearn(targets));
        }
    }

    /// Keeps datapoints, or what has become of them since; resolves with whether they are
    /// on disk. A row with a known id takes the place of the former.
    pub async fn keep_datapoints(&self, rows: Vec<SpoolRow>) -> bool {
        rows.is_empty() || self.ask(|done| Job::Keep(rows, done)).await == Some(true)
    }

    /// Notes that these datapoints are being sent: should the process end before
    /// [`Store::forget_datapoints`], they may have arrived.
    pub fn sending_datapoints(&self, ids: Vec<u64>) {
        self.send(Job::Sending(ids));
    }

    /// Forgets datapoints that have arrived, or are given up.
    pub fn forget_datapoints(&self, ids: Vec<u64>) {
        if !ids.is_empty() {
            self.send(Job::Forget(ids));
        }
    }

    /// Leaves datapoints to the backlog. `maybe_arrived`: nobody knows whether CloudWatch
    /// took them.
    pub fn put_back_datapoints(&self, ids: Vec<u64>, maybe_arrived: bool) {
        if !ids.is_empty() {
            self.send(Job::PutBack(ids, maybe_arrived));
        }
    }

    /// Leaves to the backlog what a destination has on disk beside the datapoints that are
    /// `known`: after a time in which work was refused, nobody else remembers them.
    pub fn reconcile_datapoints(&self, destination: &str, known: Vec<u64>) {
        self.send(Job::Reconcile(destination.to_owned(), known));
    }

    /// The oldest datapoints of a destination's backlog; `None`: the store is not well.
    pub async fn oldest_datapoints(
        &self,
        destination: &str,
        limit: usize,
    ) -> Option<Vec<SpoolRow>> {
        let destination = destination.to_owned();
        self.ask(|done| Job::Oldest(destination, limit, done)).await
    }

    /// How many datapoints a destination's backlog has; `None`: the store is not well.
    pub async fn count_datapoints(&self, destination: &str) -> Option<u64> {
        let destination = destination.to_owned();
        self.ask(|done| Job::Count(destination, done)).await
    }

    /// Gives up datapoints of a destination's backlog that are older than `before`, and the
    /// oldest of those beyond `most`; resolves with how many.
    pub async fn trim_datapoints(
        &self,
        destination: &str,
        before: Timestamp,
        most: u64,
    ) -> Option<u64> {
        let destination = destination.to_owned();
        self.ask(|done| Job::Trim(destination, before, most, done))
            .await
    }

    /// Resolves when the thread has ended, which before [`Store::close`] is a fault of ours;
    /// never where the store is off.
    pub async fn ended(&self) {
        if self.jobs.is_none() {
            return std::future::pending().await;
        }
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    /// Waits until everything handed over is on disk, two seconds at most.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.send(Job::Close(done)) {
            // Whoever ends the process has waited long enough then.
            let _ = tokio::time::timeout(LAST_PATIENCE, closed).await;
        }
    }

    /// Hands over and waits for the answer. A disk that let somebody wait in vain is given
    /// work all the same, and waited for again once it has answered: whoever asks each
    /// second would otherwise wait most of the time.
    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Option<T> {
        let (done, answer) = oneshot::channel();
        let late = self.late.load(Ordering::Relaxed);
        if !self.send(job(done)) || late {
            return None;
        }
        let Ok(answer) = tokio::time::timeout(PATIENCE, answer).await else {
            if !self.late.swap(true, Ordering::Relaxed) {
                self.gauges.up.set(0);
                tracing::error!("store: the disk does not answer; nobody waits for it any more");
            }
            return None;
        };
        answer.ok()
    }

    /// Hands over; false: nobody takes it.
    fn send(&self, job: Job) -> bool {
        let Some(jobs) = &self.jobs else { return false };
        match jobs.try_send(job) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.gauges.failures.inc();
                false
            }
        }
    }
}

/// Milliseconds of the start above a counter: no two lives share ids, though the former
/// cannot be asked for its last one while the disk is away.
fn first_id() -> u64 {
    let millis = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
    // Twenty bits of rows a millisecond; the sum stays within SQLite's signed 64 bits.
    (millis << 20) & (u64::MAX >> 1)
}

#[cfg(test)]
mod tests;
