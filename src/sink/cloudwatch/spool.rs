//! Datapoints waiting to be sent: fresh ones first, then the backlog, oldest first.
//!
//! Bounded, and what it has to give up it counts. It decides which datapoints make the
//! next batch and when to try again; it refuses to send.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::sink::cloudwatch::client::FailureKind;
use crate::sink::cloudwatch::datapoints::Datapoint;

/// The waiting datapoints.
#[derive(Debug)]
pub(super) struct Spool {
    fresh: VecDeque<Datapoint>,
    backlog: VecDeque<Datapoint>,
    /// How many may wait.
    capacity: usize,
    /// The most datapoints the next batch may have; smaller while a batch was refused.
    batch_limit: usize,
    failures_in_a_row: u32,
    not_before: Option<Instant>,
}

/// Datapoints kept while CloudWatch cannot be reached: 1,000 targets for an hour and a
/// half, at about 150 bytes each.
pub(super) const CAPACITY: usize = 100_000;

/// CloudWatch's limit of metrics in one request.
const MAX_BATCH: usize = 1000;

/// CloudWatch takes 1 MB; the estimate of a datapoint's size is rough.
const MAX_BATCH_BYTES: usize = 900_000;

/// First wait after a failure; it doubles from there.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// Longest wait: within it a returning CloudWatch is found, and a heartbeat alarm's
/// three minutes are not used up by waiting.
const LAST_BACKOFF: Duration = Duration::from_secs(30);

impl Spool {
    pub(super) const fn new(capacity: usize) -> Self {
        Self {
            fresh: VecDeque::new(),
            backlog: VecDeque::new(),
            capacity,
            batch_limit: MAX_BATCH,
            failures_in_a_row: 0,
            not_before: None,
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.fresh.len() + self.backlog.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a new datapoint; returns how many old ones had to go for it.
    pub(super) fn push(&mut self, datapoint: Datapoint) -> usize {
        self.fresh.push_back(datapoint);
        self.trim()
    }

    /// When the next batch may go; `None`: at once.
    pub(super) const fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// Takes the next batch out.
    pub(super) fn batch(&mut self, location: &str) -> Vec<Datapoint> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < self.batch_limit {
            let queue = if self.fresh.is_empty() {
                &mut self.backlog
            } else {
                &mut self.fresh
            };
            let Some(next) = queue.front() else { break };
            bytes += next.size(location);
            if bytes > MAX_BATCH_BYTES && !batch.is_empty() {
                break;
            }
            batch.extend(queue.pop_front());
        }
        batch
    }

    /// The last batch was taken.
    pub(super) fn sent(&mut self) {
        self.failures_in_a_row = 0;
        self.not_before = None;
        self.batch_limit = (self.batch_limit * 2).min(MAX_BATCH);
    }

    /// The last batch was not taken: it waits. A refused one comes again in halves until
    /// the datapoint that CloudWatch will never take stands alone and is given up.
    /// `jitter` is between 0 and 1. Returns how many datapoints were given up.
    pub(super) fn failed(
        &mut self,
        batch: Vec<Datapoint>,
        kind: FailureKind,
        now: Instant,
        jitter: f64,
    ) -> usize {
        if kind == FailureKind::Refused {
            self.batch_limit = (batch.len() / 2).max(1);
            if batch.len() <= 1 {
                return batch.len();
            }
            // In front, so that the halves are tried next and the culprit is found.
            for datapoint in batch.into_iter().rev() {
                self.fresh.push_front(datapoint);
            }
            return self.trim();
        }
        let doublings = self.failures_in_a_row.min(10);
        let backoff = (FIRST_BACKOFF * 2_u32.pow(doublings)).min(LAST_BACKOFF);
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.not_before = Some(now + backoff.mul_f64(0.5 + jitter / 2.0));
        self.backlog.extend(batch);
        self.backlog
            .make_contiguous()
            .sort_by_key(|datapoint| datapoint.at);
        self.trim()
    }

    fn trim(&mut self) -> usize {
        let surplus = self.len().saturating_sub(self.capacity);
        for _ in 0..surplus {
            if self.backlog.pop_front().is_none() {
                self.fresh.pop_front();
            }
        }
        surplus
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn at(second: i64) -> Datapoint {
        Datapoint::heartbeat(Timestamp::from_second(second).unwrap())
    }

    fn seconds(batch: &[Datapoint]) -> Vec<i64> {
        batch.iter().map(|d| d.at.as_second()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn fresh_datapoints_go_before_the_backlog() {
        let mut spool = Spool::new(10);
        spool.push(at(1));
        spool.push(at(2));
        let batch = spool.batch("here");
        assert_eq!(
            spool.failed(batch, FailureKind::Failed, Instant::now(), 0.0),
            0
        );
        spool.push(at(3));
        assert_eq!(seconds(&spool.batch("here")), [3, 1, 2]);
        assert!(spool.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_spool_gives_up_the_oldest() {
        let mut spool = Spool::new(3);
        for second in 1..=3 {
            spool.push(at(second));
        }
        let batch = spool.batch("here");
        spool.failed(batch, FailureKind::Throttled, Instant::now(), 0.0);
        assert_eq!(spool.push(at(4)), 1);
        assert_eq!(seconds(&spool.batch("here")), [4, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_double_to_a_limit_and_end_with_success() {
        let mut spool = Spool::new(3);
        let waits: Vec<_> = (0..9)
            .map(|_| {
                spool.failed(vec![at(1)], FailureKind::Failed, Instant::now(), 1.0);
                spool.not_before().unwrap() - Instant::now()
            })
            .map(|wait| wait.as_millis())
            .collect();
        let expected = [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000];
        assert_eq!(waits, expected);
        spool.sent();
        assert_eq!(spool.not_before(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_datapoint_that_is_always_refused_is_found_and_given_up_alone() {
        let mut spool = Spool::new(100);
        for second in 1..=20 {
            spool.push(at(second));
        }
        let mut sent = Vec::new();
        let mut given_up = 0;
        while !spool.is_empty() {
            let batch = spool.batch("here");
            if seconds(&batch).contains(&13) {
                given_up += spool.failed(batch, FailureKind::Refused, Instant::now(), 0.0);
            } else {
                sent.extend(seconds(&batch));
                spool.sent();
            }
        }
        sent.sort_unstable();
        assert_eq!(sent, (1..=20).filter(|n| *n != 13).collect::<Vec<_>>());
        assert_eq!(given_up, 1);
    }
}
