//! Handles the outcome of a request.
//!
//! Datapoints that have arrived are removed. Other datapoints are queued for another attempt, or
//! dropped and counted.

use jiff::Timestamp;
use tokio::time::Instant;

use crate::domain::retry::jitter;
use crate::io::aws::{CallError, FailureKind};
use crate::io::sink::cloudwatch::datapoint::Datapoint;
use crate::io::sink::cloudwatch::publisher::queue::{Lane, MAX_BATCH};
use crate::io::sink::cloudwatch::publisher::request::Outcome;
use crate::io::sink::cloudwatch::publisher::{HOUR, Publisher};

impl Publisher {
    /// Handles the outcome of a request of either lane.
    pub(super) fn finish(&mut self, outcome: Outcome) {
        let (lane, unreadable) = (outcome.lane, outcome.unreadable.len());
        self.spool.forget_backlog(outcome.unreadable);
        self.count_dropped(unreadable as u64, "saved by an incompatible release");
        let batch = &outcome.batch;
        match outcome.result {
            // An empty batch means that the spool could not be read or contains fewer datapoints
            // than were counted, so the backlog is counted again.
            Ok(()) if batch.is_empty() && unreadable == 0 => self.spool.recount(),
            Ok(()) => {
                self.arrived(batch);
                self.forget(batch, outcome.from_spool);
                let limit = &mut self.lanes[lane as usize].limit;
                *limit = (*limit * 2).min(MAX_BATCH);
                self.backoff.succeeded();
            }
            Err(failure) => self.failed(&failure, lane, batch, outcome.from_spool),
        }
    }

    fn arrived(&mut self, batch: &[Datapoint]) {
        if batch.is_empty() {
            return;
        }
        self.connection.succeeded("PutMetricData");
        let duplicates = batch.iter().filter(|point| point.maybe_arrived).count();
        let counter = &self.metrics.cloudwatch_maybe_duplicates;
        counter.inc_by(duplicates as u64);
        let hour = Timestamp::now().as_second().div_euclid(HOUR);
        let series = batch.iter().map(|point| (point.series.clone(), hour));
        self.series.extend(series);
    }

    /// Handles a failed batch. A rejected batch of one datapoint is dropped. A larger rejected
    /// batch returns to its lane, and the lane's next batches are halved, until the datapoint that
    /// CloudWatch rejects is alone in a batch. After any other failure, the batch moves to the
    /// backlog. After a lost response, the next batches of the backlog are halved as well, because
    /// CloudWatch may need too long for a large batch.
    fn failed(&mut self, failure: &CallError, lane: Lane, batch: &[Datapoint], from_spool: bool) {
        let rejected = failure.kind == FailureKind::Rejected;
        if !rejected || batch.len() <= 1 {
            // The rejection of a larger batch is not logged, because its error does not say which
            // datapoint is invalid.
            self.connection.failed(failure);
        }
        if rejected && batch.len() <= 1 {
            self.forget(batch, from_spool);
            self.count_dropped(batch.len() as u64, &failure.text);
            return;
        }
        let lane = if rejected {
            self.lanes[lane as usize].limit = batch.len() / 2;
            lane
        } else {
            self.backoff
                .failed(Instant::now(), jitter(Timestamp::now()));
            Lane::Backlog
        };
        let maybe_arrived = failure.response_lost();
        if maybe_arrived {
            self.lanes[lane as usize].limit = (batch.len() / 2).max(1);
        }
        if from_spool {
            self.spool.put_back(batch, maybe_arrived);
        } else {
            let rows = batch.iter().map(|point| point.row);
            let dropped = self.queue.put_back(rows, lane, maybe_arrived);
            self.drop_surplus(&dropped);
        }
    }

    fn forget(&mut self, batch: &[Datapoint], from_spool: bool) {
        if from_spool {
            let rows = batch.iter().map(|point| point.row);
            self.spool.forget_backlog(rows.collect());
        } else {
            self.queue.forget(batch);
            self.spool.forget(batch);
        }
    }
}
