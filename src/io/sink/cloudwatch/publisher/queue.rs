//! The datapoints in memory that CloudWatch has not confirmed.
//!
//! Each datapoint is fresh, in the backlog, or taken. A taken datapoint is part of a request, or
//! held until its alarm names the cause. The queue is bounded and returns the datapoints that it
//! drops, so that the caller can count them. The queue records which datapoints have a copy in the
//! state directory, but neither sends nor saves datapoints.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::io::sink::cloudwatch::datapoint::{Datapoint, Saved};

/// All datapoints in memory. Each map is sorted by row id, so its first datapoint is the oldest.
#[derive(Debug)]
pub(super) struct Queue {
    /// The waiting datapoints of each [`Lane`].
    waiting: [BTreeMap<u64, Datapoint>; 2],
    /// The datapoints that are part of a request, or that are held.
    taken: BTreeMap<u64, Datapoint>,
    /// Maximum number of waiting datapoints.
    capacity: usize,
}

/// The two lanes of waiting datapoints. Fresh datapoints never wait for the backlog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Fresh,
    /// Datapoints of failed requests.
    Backlog,
}

/// Maximum number of waiting datapoints, reached only while CloudWatch is unreachable and no spool
/// is usable. With one datapoint a minute each, 1,000 targets reach the limit after 100 minutes. At
/// about 200 bytes per datapoint, a full queue takes 20 MB.
pub(super) const CAPACITY: usize = 100_000;

/// Maximum number of datapoints in one request, which is CloudWatch's limit.
pub(super) const MAX_BATCH: usize = 1000;

/// Maximum estimated size of a request in bytes. CloudWatch accepts 1 MB; the margin allows for an
/// estimate that is too low.
const MAX_BATCH_BYTES: usize = 900_000;

impl Queue {
    pub(super) const fn new(capacity: usize) -> Self {
        Self {
            waiting: [BTreeMap::new(), BTreeMap::new()],
            taken: BTreeMap::new(),
            capacity,
        }
    }

    /// Returns the row ids of all datapoints.
    pub(super) fn rows(&self) -> impl Iterator<Item = u64> {
        let waiting = self.waiting.iter().flat_map(BTreeMap::keys);
        waiting.chain(self.taken.keys()).copied()
    }

    /// Returns the number of datapoints that wait for a request.
    pub(super) fn len(&self) -> usize {
        self.waiting.iter().map(BTreeMap::len).sum()
    }

    /// Returns whether datapoints wait in a lane.
    pub(super) fn has(&self, lane: Lane) -> bool {
        !self.waiting[lane as usize].is_empty()
    }

    /// Adds a fresh datapoint. Returns the datapoints that were dropped to make room: the oldest of
    /// the backlog or, if the backlog is empty, the oldest fresh datapoints.
    pub(super) fn push(&mut self, datapoint: Datapoint) -> Vec<Datapoint> {
        self.waiting[Lane::Fresh as usize].insert(datapoint.row, datapoint);
        self.trim()
    }

    /// Adds a datapoint that must not be sent until [`Queue::put_back`].
    pub(super) fn hold(&mut self, datapoint: Datapoint) {
        self.taken.insert(datapoint.row, datapoint);
    }

    /// Marks the next batch of a lane as taken and returns the batch, oldest datapoint first: at
    /// most `limit` datapoints, with an estimated size of at most [`MAX_BATCH_BYTES`]. `location`
    /// is the value of a dimension and counts toward the size of each datapoint.
    pub(super) fn take(&mut self, lane: Lane, limit: usize, location: &str) -> Vec<Datapoint> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < limit
            && let Some(next) = self.waiting[lane as usize].first_entry()
        {
            bytes += next.get().size(location);
            if bytes > MAX_BATCH_BYTES && !batch.is_empty() {
                break;
            }
            let datapoint = next.remove();
            batch.push(datapoint.clone());
            self.taken.insert(datapoint.row, datapoint);
        }
        batch
    }

    /// Moves taken datapoints back to a lane. Returns the datapoints that were dropped to make
    /// room, as in [`Queue::push`]. `maybe_arrived` says whether CloudWatch may already have the
    /// moved datapoints.
    pub(super) fn put_back(
        &mut self,
        rows: impl IntoIterator<Item = u64>,
        lane: Lane,
        maybe_arrived: bool,
    ) -> Vec<Datapoint> {
        for row in rows {
            if let Some(mut datapoint) = self.taken.remove(&row) {
                datapoint.maybe_arrived |= maybe_arrived;
                self.waiting[lane as usize].insert(row, datapoint);
            }
        }
        self.trim()
    }

    /// Removes taken datapoints that need not be sent again.
    pub(super) fn forget(&mut self, batch: &[Datapoint]) {
        for datapoint in batch {
            self.taken.remove(&datapoint.row);
        }
    }

    /// Returns the datapoints that are not saved, and marks these datapoints as [`Saved::Pending`].
    pub(super) fn unsaved(&mut self) -> Vec<Datapoint> {
        let unsaved = self.all().filter(|point| point.saved == Saved::No);
        unsaved
            .map(|point| {
                point.saved = Saved::Pending;
                point.clone()
            })
            .collect()
    }

    /// Records whether the datapoints that are [`Saved::Pending`] were saved.
    pub(super) fn settle(&mut self, saved: bool) {
        self.all().for_each(|point| point.saved.settle(saved));
    }

    /// Removes and returns the datapoints that need not stay in memory: saved datapoints of the
    /// backlog, and saved fresh datapoints with a timestamp before `old`.
    pub(super) fn release(&mut self, old: Timestamp) -> Vec<Datapoint> {
        let is_saved = |point: &Datapoint| point.saved == Saved::Yes;
        let [fresh, backlog] = &mut self.waiting;
        let backlog = backlog.extract_if(.., |_, point| is_saved(point));
        let fresh = fresh.extract_if(.., |_, point| is_saved(point) && point.at < old);
        backlog.chain(fresh).map(|(_, point)| point).collect()
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Datapoint> {
        let waiting = self.waiting.iter_mut().flat_map(BTreeMap::values_mut);
        waiting.chain(self.taken.values_mut())
    }

    fn trim(&mut self) -> Vec<Datapoint> {
        let surplus = self.len().saturating_sub(self.capacity);
        let [fresh, backlog] = &mut self.waiting;
        let oldest = |_| backlog.pop_first().or_else(|| fresh.pop_first());
        let dropped = (0..surplus).filter_map(oldest);
        dropped.map(|(_, point)| point).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sink::cloudwatch::datapoint::Series;

    /// Returns a datapoint whose Unix time in seconds and row id are `second`.
    fn at(second: i64) -> Datapoint {
        let row = second.unsigned_abs();
        let at = Timestamp::from_second(second).unwrap();
        Datapoint::new(row, Series::Heartbeat, at, 1.0)
    }

    fn saved(second: i64) -> Datapoint {
        Datapoint {
            saved: Saved::Yes,
            ..at(second)
        }
    }

    fn seconds(batch: &[Datapoint]) -> Vec<i64> {
        batch.iter().map(|d| d.at.as_second()).collect()
    }

    fn take(queue: &mut Queue, lane: Lane) -> Vec<i64> {
        seconds(&queue.take(lane, MAX_BATCH, "here"))
    }

    /// Returns a queue with `points` in the backlog.
    fn with_backlog(capacity: usize, points: impl IntoIterator<Item = Datapoint>) -> Queue {
        let mut queue = Queue::new(capacity);
        for point in points {
            queue.push(point);
        }
        let batch = queue.take(Lane::Fresh, MAX_BATCH, "here");
        let rows = batch.iter().map(|point| point.row);
        assert_eq!(queue.put_back(rows, Lane::Backlog, false), []);
        queue
    }

    #[test]
    fn fresh_datapoints_do_not_wait_behind_the_backlog() {
        let mut queue = with_backlog(10, [at(2), at(1)]);
        queue.push(at(3));
        assert_eq!(take(&mut queue, Lane::Fresh), [3]);
        assert_eq!(take(&mut queue, Lane::Backlog), [1, 2]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_full_queue_drops_the_oldest() {
        let mut queue = with_backlog(3, [at(1), at(2), at(3)]);
        assert_eq!(seconds(&queue.push(at(4))), [1]);
        assert_eq!(take(&mut queue, Lane::Backlog), [2, 3]);
    }

    #[test]
    fn a_held_datapoint_is_saved_but_not_sent_until_it_is_put_back() {
        let mut queue = Queue::new(10);
        queue.hold(at(1));
        assert!(!queue.has(Lane::Fresh));
        assert_eq!(seconds(&queue.unsaved()), [1]);
        queue.settle(true);
        queue.put_back([1], Lane::Fresh, false);
        assert_eq!(queue.take(Lane::Fresh, 1, "here"), [saved(1)]);
    }

    #[test]
    fn only_saved_datapoints_leave_memory() {
        let mut queue = with_backlog(10, [saved(1), at(2)]);
        for point in [saved(3), at(4), saved(100), saved(6)] {
            queue.push(point);
        }
        assert_eq!(seconds(&queue.release(Timestamp::MIN)), [1]);
        let old = Timestamp::from_second(50).unwrap();
        assert_eq!(seconds(&queue.release(old)), [3, 6]);
        assert_eq!(take(&mut queue, Lane::Fresh), [4, 100]);
    }

    #[test]
    fn a_datapoint_is_saved_once_and_again_after_a_failed_write() {
        let mut queue = with_backlog(10, [at(1)]);
        queue.push(at(2));
        assert_eq!(seconds(&queue.unsaved()), [2, 1]);
        assert_eq!(queue.unsaved(), []);
        queue.settle(false);
        let batch = queue.take(Lane::Fresh, MAX_BATCH, "here");
        assert_eq!(seconds(&queue.unsaved()), [1, 2]);
        // A datapoint that is sent while the write is pending is not saved again.
        queue.forget(&batch);
        queue.settle(false);
        assert_eq!(seconds(&queue.unsaved()), [1]);
    }
}
