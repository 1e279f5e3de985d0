//! The store's thread: takes what waits, commits it as one, and gets well again.
//!
//! Work that arrives while the disk is busy waits and is committed together, so that a
//! thousand incidents cost as many commits as the disk can make, not a thousand. While
//! the database cannot be used every piece of work is refused at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::Transaction;
use tokio::sync::oneshot;

use crate::io::store::database::{self, Database};
use crate::io::store::fault::{Fault, FaultKind};
use crate::io::store::row::{KeptBaseline, KeptIncident, SpoolRow};
use crate::io::store::spool;
use crate::io::store::{Gauges, Memory};
use crate::model::target::TargetName;

/// A piece of work.
#[derive(Debug)]
pub(super) enum Job {
    Incidents(Vec<KeptIncident>, oneshot::Sender<bool>),
    Baselines(Vec<KeptBaseline>),
    Unlearn(Vec<TargetName>),
    Keep(Vec<SpoolRow>, oneshot::Sender<bool>),
    Sending(Vec<u64>),
    Forget(Vec<u64>),
    PutBack(Vec<u64>, bool),
    Reconcile(String, Vec<u64>),
    Oldest(String, usize, oneshot::Sender<Vec<SpoolRow>>),
    Count(String, oneshot::Sender<u64>),
    Trim(String, Timestamp, u64, oneshot::Sender<u64>),
    Close(oneshot::Sender<()>),
}

/// The thread's state.
#[derive(Debug)]
pub(super) struct Writer {
    directory: PathBuf,
    gauges: Gauges,
    most: u64,
    /// Rows with lower ids are of earlier lives.
    first_id: u64,
    database: Option<Database>,
    /// The present fault's kind, once it was told.
    told: Option<FaultKind>,
    try_again: Instant,
    /// Somebody waited in vain for the work that is under way.
    late: Arc<AtomicBool>,
}

/// Between two attempts to open: somebody who makes room sees it work within a moment.
const RETRY: Duration = Duration::from_secs(10);

/// Pieces of work in one commit: a slow disk makes them wait, not grow without end.
const TOGETHER: usize = 256;

impl Writer {
    pub(super) fn new(
        directory: &Path,
        gauges: Gauges,
        most: u64,
        first_id: u64,
        late: Arc<AtomicBool>,
    ) -> Self {
        Self {
            directory: directory.to_owned(),
            gauges,
            most,
            first_id,
            database: None,
            told: None,
            try_again: Instant::now(),
            late,
        }
    }

    /// Works until it is told to close, or nobody is left to give it work.
    pub(super) fn run(mut self, queue: &Receiver<Job>, remember: oneshot::Sender<Memory>) {
        let memory = self.open().unwrap_or_default();
        // Whoever started us may have stopped waiting: the memory is lost to it, not here.
        let _ = remember.send(memory);
        loop {
            let first = match queue.recv_timeout(RETRY) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => {
                    self.open();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut jobs = vec![first];
            jobs.extend(queue.try_iter().take(TOGETHER - 1));
            let closing = jobs.iter().position(|job| matches!(job, Job::Close(_)));
            let after = closing.map(|at| jobs.split_off(at));
            self.work(jobs);
            if let Some(Job::Close(done)) = after.and_then(|jobs| jobs.into_iter().next()) {
                self.database = None;
                // Whoever waited may have given up.
                let _ = done.send(());
                return;
            }
        }
    }

    /// Opens the database unless it is open or was just tried; what it remembers is of use
    /// at the start only.
    fn open(&mut self) -> Option<Memory> {
        if self.database.is_some() || Instant::now() < self.try_again {
            return None;
        }
        self.try_again = Instant::now() + RETRY;
        let opened = match self.try_open() {
            Err(fault) if fault.kind == FaultKind::Corrupt => self.replace(&fault),
            other => other,
        };
        match opened {
            Ok((database, memory)) => {
                self.database = Some(database);
                self.gauges.up.set(1);
                Some(memory)
            }
            Err(fault) => {
                self.down(&fault);
                None
            }
        }
    }

    fn try_open(&self) -> Result<(Database, Memory), Fault> {
        let mut database = Database::open(&self.directory, self.most)?;
        let memory = database.remember(self.first_id, Timestamp::now())?;
        Ok((database, memory))
    }

    /// A broken database is set aside and a new one begun: history is lost, not monitoring.
    fn replace(&self, fault: &Fault) -> Result<(Database, Memory), Fault> {
        let aside = Database::set_aside(&self.directory)?;
        tracing::error!(
            aside = %aside.display(),
            "store: the database is broken and was set aside; a new one is begun without \
             its incidents, baselines and unsent datapoints ({})",
            fault.text
        );
        self.try_open()
    }

    fn work(&mut self, jobs: Vec<Job>) {
        self.open();
        let Some(database) = &mut self.database else {
            self.gauges.failures.inc_by(jobs.len() as u64);
            // Dropped senders tell whoever waits.
            return;
        };
        let written = database.write(|transaction| {
            let mut trimmed = Vec::new();
            for job in &jobs {
                trimmed.push(write(transaction, job)?);
            }
            Ok(trimmed)
        });
        let failed = match written {
            Ok(trimmed) => jobs
                .into_iter()
                .zip(trimmed)
                .try_for_each(|(job, count)| answer(database, job, count)),
            Err(fault) => {
                self.gauges.failures.inc_by(jobs.len() as u64);
                // Before anybody who waits is told.
                self.gauges.up.set(0);
                if fault.kind == FaultKind::Full {
                    make_room(database, jobs);
                }
                Err(fault)
            }
        };
        if let Err(fault) = failed {
            // Reading what a full disk holds goes on: only opening it again tells more.
            self.database = None;
            self.try_again = Instant::now() + RETRY;
            if fault.kind == FaultKind::Corrupt {
                self.try_again = Instant::now();
            }
            self.down(&fault);
            return;
        }
        // Only now: a full disk can be opened, and would be told of each time anew.
        if self.told.take().is_some() {
            tracing::info!(directory = %self.directory.display(), "store: works again");
        }
        if self.late.swap(false, Ordering::Relaxed) {
            self.gauges.up.set(1);
            tracing::info!("store: the disk answers again");
        }
    }

    /// Says what is wrong, once for each kind of fault.
    fn down(&mut self, fault: &Fault) {
        self.gauges.up.set(0);
        if self.told != Some(fault.kind) {
            self.told = Some(fault.kind);
            tracing::error!(
                directory = %self.directory.display(),
                "store: {fault}; monitoring goes on, and a restart will not know of it"
            );
        }
    }
}

/// Of jobs that do not fit does those that take no room: the oldest has to go so that the
/// newest can come.
fn make_room(database: &mut Database, jobs: Vec<Job>) {
    let shrinks = |job: &Job| matches!(job, Job::Forget(_) | Job::Trim(..));
    let jobs: Vec<_> = jobs.into_iter().filter(shrinks).collect();
    let written = database.write(|transaction| {
        let counts = jobs.iter().map(|job| write(transaction, job));
        counts.collect::<Result<Vec<_>, _>>()
    });
    for (job, count) in jobs.into_iter().zip(written.unwrap_or_default()) {
        // What goes wrong here is told of the jobs that did not fit.
        let _ = answer(database, job, count);
    }
}

/// Does the writing part of a job, and counts what it gave up.
fn write(transaction: &Transaction<'_>, job: &Job) -> Result<u64, Fault> {
    const SENDING: &str = "UPDATE spool SET sending = 1 WHERE id = ?1";
    const FORGET: &str = "DELETE FROM spool WHERE id = ?1";
    const UNKNOWN: &str =
        "UPDATE spool SET backlog = 1, sending = 0, maybe_arrived = 1 WHERE id = ?1";
    const REFUSED: &str = "UPDATE spool SET backlog = 1, sending = 0 WHERE id = ?1";
    match job {
        Job::Incidents(incidents, _) => database::keep_incidents(transaction, incidents)?,
        Job::Baselines(baselines) => database::keep_baselines(transaction, baselines)?,
        Job::Unlearn(targets) => database::forget_baselines(transaction, targets)?,
        Job::Keep(rows, _) => spool::keep(transaction, rows)?,
        Job::Sending(ids) => spool::each(transaction, SENDING, ids)?,
        Job::Forget(ids) => spool::each(transaction, FORGET, ids)?,
        Job::PutBack(ids, true) => spool::each(transaction, UNKNOWN, ids)?,
        Job::PutBack(ids, false) => spool::each(transaction, REFUSED, ids)?,
        Job::Reconcile(destination, known) => spool::reconcile(transaction, destination, known)?,
        Job::Trim(destination, before, most, _) => {
            return spool::trim(transaction, destination, *before, *most);
        }
        Job::Oldest(..) | Job::Count(..) | Job::Close(_) => {}
    }
    Ok(0)
}

/// Tells whoever waits for a job that was committed.
fn answer(database: &Database, job: Job, count: u64) -> Result<(), Fault> {
    // None of them has to be there still.
    let _ = match job {
        Job::Incidents(_, done) | Job::Keep(_, done) => done.send(true).is_ok(),
        Job::Trim(_, _, _, done) => done.send(count).is_ok(),
        Job::Oldest(destination, limit, done) => done
            .send(database.read(|c| spool::oldest(c, &destination, limit))?)
            .is_ok(),
        Job::Count(destination, done) => done
            .send(database.read(|c| spool::count(c, &destination))?)
            .is_ok(),
        _ => true,
    };
    Ok(())
}
