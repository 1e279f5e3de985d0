//! What becomes of a batch once its request has ended: it is there, it waits for another
//! try, or it is given up and counted.

use jiff::Timestamp;
use tokio::time::Instant;

use crate::io::aws::{CallError, FailureKind};
use crate::io::sink::cloudwatch::datapoint::Datapoint;
use crate::io::sink::cloudwatch::request::{Outcome, jitter, mark};
use crate::io::sink::cloudwatch::spool::MAX_BATCH;
use crate::io::sink::cloudwatch::transmitter::{HOUR, Transmitter};

impl Transmitter {
    pub(super) fn finish_fresh(&mut self, outcome: Outcome) {
        let Outcome {
            mut batch, result, ..
        } = outcome;
        match result {
            Ok(()) => {
                self.arrived(&batch);
                self.spool.sent(&batch);
            }
            Err(failure) => {
                self.trouble(&failure, batch.len());
                mark(&mut batch, &failure);
                let kind = failure.kind;
                let given_up = self.spool.failed(batch, kind, Instant::now(), jitter());
                self.drop_all(&given_up, &failure.text);
            }
        }
    }

    pub(super) fn finish_backlog(&mut self, outcome: Outcome) {
        if !outcome.from_disk {
            self.finish_fresh(outcome);
            return;
        }
        let Outcome {
            mut batch,
            unreadable,
            result,
            ..
        } = outcome;
        self.give_up(unreadable.len() as u64, "of another release");
        let empty = batch.is_empty() && unreadable.is_empty();
        self.disk.discard(unreadable);
        match result {
            // The disk could not be read, or had less than we thought: it is counted anew.
            Ok(()) if empty => self.disk.recount(),
            Ok(()) => {
                self.arrived(&batch);
                self.disk.backlog = self.disk.backlog.saturating_sub(batch.len() as u64);
                self.backlog_limit = (self.backlog_limit * 2).min(MAX_BATCH);
                self.spool.sent(&[]);
            }
            Err(failure) => {
                self.trouble(&failure, batch.len());
                mark(&mut batch, &failure);
                if failure.kind != FailureKind::Refused {
                    self.spool.back_off(Instant::now(), jitter());
                    self.disk.leave(&batch);
                } else if batch.len() > 1 {
                    self.backlog_limit = (batch.len() / 2).max(1);
                    self.disk.leave(&batch);
                } else {
                    self.disk.backlog = self.disk.backlog.saturating_sub(1);
                    self.drop_all(&batch, &failure.text);
                }
            }
        }
    }

    /// Tells of a failure. A refused batch is halved first: what is wrong with it can be
    /// said only of the datapoint that is left.
    fn trouble(&self, failure: &CallError, datapoints: usize) {
        if failure.kind != FailureKind::Refused || datapoints <= 1 {
            self.link.failed(failure);
        }
    }

    fn arrived(&mut self, batch: &[Datapoint]) {
        if batch.is_empty() {
            return;
        }
        self.link.succeeded("PutMetricData");
        self.disk.forget(batch);
        let twice = batch.iter().filter(|point| point.maybe_arrived).count();
        let duplicates = &self.metrics.cloudwatch_maybe_duplicates;
        duplicates.inc_by(twice as u64);
        let hour = Timestamp::now().as_second().div_euclid(HOUR);
        for datapoint in batch {
            self.series.insert(datapoint.series.clone(), hour);
        }
    }

    pub(super) fn drop_all(&mut self, dropped: &[Datapoint], why: &str) {
        if !dropped.is_empty() {
            self.disk.forget(dropped);
            self.give_up(dropped.len() as u64, why);
        }
    }
}
