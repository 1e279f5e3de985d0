//! Datapoints in memory on their way to CloudWatch: fresh ones, and a backlog.
//!
//! Bounded, and what it has to give up it hands back to be counted. It decides which
//! datapoints make the next batch, which may leave memory because the disk has them, and
//! when to try again; it refuses to send and to keep.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::io::aws::FailureKind;
use crate::io::sink::cloudwatch::datapoint::Datapoint;

/// The waiting datapoints.
#[derive(Debug)]
pub(super) struct Spool {
    fresh: VecDeque<Datapoint>,
    /// What CloudWatch did not take, as far as the disk does not have it.
    backlog: VecDeque<Datapoint>,
    /// Rows that were taken out and whose fate is not known.
    under_way: HashSet<u64>,
    /// Rows of all these that are on disk.
    kept: HashSet<u64>,
    /// How many may wait.
    capacity: usize,
    /// The most datapoints the next batch may have; smaller while a batch was refused.
    batch_limit: usize,
    failures_in_a_row: u32,
    not_before: Option<Instant>,
}

/// Datapoints in memory while CloudWatch cannot be reached and there is no disk: 1,000
/// targets for an hour and a half, at about 200 bytes each.
pub(super) const CAPACITY: usize = 100_000;

/// CloudWatch's limit of metrics in one request.
pub(super) const MAX_BATCH: usize = 1000;

/// CloudWatch takes 1 MB; the estimate of a datapoint's size is rough.
const MAX_BATCH_BYTES: usize = 900_000;

/// First wait after a failure; it doubles from there.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// Longest wait: within it a returning CloudWatch is found, and a heartbeat alarm's
/// three minutes are not used up by waiting.
const LAST_BACKOFF: Duration = Duration::from_secs(30);

impl Spool {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            fresh: VecDeque::new(),
            backlog: VecDeque::new(),
            under_way: HashSet::new(),
            kept: HashSet::new(),
            capacity,
            batch_limit: MAX_BATCH,
            failures_in_a_row: 0,
            not_before: None,
        }
    }

    /// The rows of all that wait or are under way.
    pub(super) fn rows(&self) -> Vec<u64> {
        let waiting = self
            .fresh
            .iter()
            .chain(&self.backlog)
            .map(|point| point.row);
        waiting.chain(self.under_way.iter().copied()).collect()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.fresh.len() + self.backlog.len()
    }

    pub(super) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    pub(super) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Whether the last batch was taken.
    pub(super) const fn is_flowing(&self) -> bool {
        self.failures_in_a_row == 0
    }

    /// When the next batch may go; `None`: at once.
    pub(super) const fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// Takes a new datapoint; returns the old ones that had to go for it.
    pub(super) fn push(&mut self, datapoint: Datapoint) -> Vec<Datapoint> {
        self.fresh.push_back(datapoint);
        self.trim()
    }

    /// As [`Spool::push`], of one that is on disk already.
    pub(super) fn push_kept(&mut self, datapoint: Datapoint) -> Vec<Datapoint> {
        self.kept.insert(datapoint.row);
        self.push(datapoint)
    }

    /// These rows are on disk, as far as they are not sent yet.
    pub(super) fn keep(&mut self, rows: &HashSet<u64>) {
        let known = self.rows().into_iter();
        self.kept.extend(known.filter(|row| rows.contains(row)));
    }

    /// Takes out the next batch of fresh datapoints.
    pub(super) fn fresh_batch(&mut self, location: &str) -> Vec<Datapoint> {
        let batch = batch(&mut self.fresh, self.batch_limit, location);
        self.under_way.extend(batch.iter().map(|point| point.row));
        batch
    }

    /// Takes out the next batch of the backlog in memory, oldest first.
    pub(super) fn backlog_batch(&mut self, location: &str) -> Vec<Datapoint> {
        let batch = batch(&mut self.backlog, self.batch_limit, location);
        self.under_way.extend(batch.iter().map(|point| point.row));
        batch
    }

    /// A batch was taken.
    pub(super) fn sent(&mut self, batch: &[Datapoint]) {
        self.failures_in_a_row = 0;
        self.not_before = None;
        self.batch_limit = (self.batch_limit * 2).min(MAX_BATCH);
        self.forget(batch);
    }

    /// A batch was not taken: it waits. A refused one comes again in halves until the
    /// datapoint that CloudWatch will never take stands alone and is given up.
    /// `jitter` is between 0 and 1. Returns what is given up.
    pub(super) fn failed(
        &mut self,
        batch: Vec<Datapoint>,
        kind: FailureKind,
        now: Instant,
        jitter: f64,
    ) -> Vec<Datapoint> {
        for datapoint in &batch {
            self.under_way.remove(&datapoint.row);
        }
        if kind == FailureKind::Refused {
            self.batch_limit = (batch.len() / 2).max(1);
            if batch.len() <= 1 {
                self.forget(&batch);
                return batch;
            }
            // In front, so that the halves are tried next and the culprit is found.
            for datapoint in batch.into_iter().rev() {
                self.fresh.push_front(datapoint);
            }
            return self.trim();
        }
        self.back_off(now, jitter);
        self.backlog.extend(batch);
        self.backlog
            .make_contiguous()
            .sort_by_key(|datapoint| datapoint.at);
        self.trim()
    }

    /// Waits before the next try, each time longer. `jitter` is between 0 and 1.
    pub(super) fn back_off(&mut self, now: Instant, jitter: f64) {
        let doublings = self.failures_in_a_row.min(10);
        let backoff = (FIRST_BACKOFF * 2_u32.pow(doublings)).min(LAST_BACKOFF);
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.not_before = Some(now + backoff.mul_f64(0.5 + jitter / 2.0));
    }

    /// Takes out what the disk has and need not wait in memory: the backlog, and, while
    /// nothing flows, fresh datapoints of before `old`.
    pub(super) fn release(&mut self, old: Timestamp) -> Vec<Datapoint> {
        let flows = self.is_flowing();
        let kept = &self.kept;
        let mut released = take_if(&mut self.backlog, |point| kept.contains(&point.row));
        if !flows {
            let is_old = |point: &Datapoint| point.at < old && kept.contains(&point.row);
            released.extend(take_if(&mut self.fresh, is_old));
        }
        self.forget(&released);
        released
    }

    fn forget(&mut self, gone: &[Datapoint]) {
        for datapoint in gone {
            self.kept.remove(&datapoint.row);
            self.under_way.remove(&datapoint.row);
        }
    }

    fn trim(&mut self) -> Vec<Datapoint> {
        let surplus = self.len().saturating_sub(self.capacity);
        let oldest = |_| self.backlog.pop_front().or_else(|| self.fresh.pop_front());
        let gone: Vec<_> = (0..surplus).filter_map(oldest).collect();
        self.forget(&gone);
        gone
    }
}

fn batch(queue: &mut VecDeque<Datapoint>, limit: usize, location: &str) -> Vec<Datapoint> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while batch.len() < limit {
        let Some(next) = queue.front() else { break };
        bytes += next.size(location);
        if bytes > MAX_BATCH_BYTES && !batch.is_empty() {
            break;
        }
        batch.extend(queue.pop_front());
    }
    batch
}

fn take_if(queue: &mut VecDeque<Datapoint>, test: impl Fn(&Datapoint) -> bool) -> Vec<Datapoint> {
    let (taken, left): (VecDeque<_>, _) = std::mem::take(queue).into_iter().partition(test);
    *queue = left;
    taken.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sink::cloudwatch::datapoint::Series;

    fn at(second: i64) -> Datapoint {
        let row = second.unsigned_abs();
        let at = Timestamp::from_second(second).unwrap();
        Datapoint::new(row, Series::Heartbeat, at, 1.0)
    }

    fn seconds(batch: &[Datapoint]) -> Vec<i64> {
        batch.iter().map(|d| d.at.as_second()).collect()
    }

    /// A spool in which the given seconds are fresh and one batch of them has failed.
    fn failed(capacity: usize, fresh: &[i64]) -> Spool {
        let mut spool = Spool::new(capacity);
        for second in fresh {
            spool.push(at(*second));
        }
        let batch = spool.fresh_batch("here");
        let given_up = spool.failed(batch, FailureKind::Failed, Instant::now(), 0.0);
        assert_eq!(given_up, []);
        spool
    }

    #[tokio::test(start_paused = true)]
    async fn fresh_datapoints_do_not_wait_behind_the_backlog() {
        let mut spool = failed(10, &[2, 1]);
        spool.push(at(3));
        assert_eq!(seconds(&spool.fresh_batch("here")), [3]);
        assert_eq!(seconds(&spool.backlog_batch("here")), [1, 2]);
        assert_eq!(spool.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_spool_gives_up_the_oldest() {
        let mut spool = failed(3, &[1, 2, 3]);
        assert_eq!(seconds(&spool.push(at(4))), [1]);
        assert_eq!(seconds(&spool.backlog_batch("here")), [2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_the_disk_has_leaves_memory() {
        let mut spool = failed(10, &[1, 2]);
        for second in [3, 4, 100] {
            spool.push(at(second));
        }
        spool.push_kept(at(6));
        spool.keep(&HashSet::from([1, 3, 100, 7]));
        let old = Timestamp::from_second(50).unwrap();
        assert_eq!(seconds(&spool.release(old)), [1, 3, 6]);
        assert_eq!(seconds(&spool.fresh_batch("here")), [4, 100]);
        spool.sent(&[at(4), at(100)]);
        spool.push(at(5));
        spool.keep(&HashSet::from([5]));
        // Flowing again: what is fresh goes from memory.
        assert_eq!(seconds(&spool.release(old)), [] as [i64; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_double_to_a_limit_and_end_with_success() {
        let mut spool = Spool::new(3);
        let waits: Vec<_> = (0..9)
            .map(|_| {
                spool.failed(vec![at(1)], FailureKind::Lost, Instant::now(), 1.0);
                spool.not_before().unwrap() - Instant::now()
            })
            .map(|wait| wait.as_millis())
            .collect();
        let expected = [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000];
        assert_eq!(waits, expected);
        spool.sent(&[]);
        assert_eq!(spool.not_before(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_datapoint_that_is_always_refused_is_found_and_given_up_alone() {
        let mut spool = Spool::new(100);
        for second in 1..=20 {
            spool.push(at(second));
        }
        let mut sent = Vec::new();
        let mut given_up = Vec::new();
        while spool.has_fresh() {
            let batch = spool.fresh_batch("here");
            if seconds(&batch).contains(&13) {
                given_up.extend(spool.failed(batch, FailureKind::Refused, Instant::now(), 0.0));
            } else {
                sent.extend(seconds(&batch));
                spool.sent(&batch);
            }
        }
        sent.sort_unstable();
        assert_eq!(sent, (1..=20).filter(|n| *n != 13).collect::<Vec<_>>());
        assert_eq!(seconds(&given_up), [13]);
    }
}
