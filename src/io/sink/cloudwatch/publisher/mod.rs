//! Publishes each datapoint of one destination to CloudWatch at least once.
//!
//! Fresh datapoints and the backlog are sent in two lanes, each with one request at a time. Fresh
//! datapoints never wait for the backlog. The backlog is sent oldest first and at a limited rate.
//! While requests fail, the backlog is sent only if there are no fresh datapoints. A datapoint is
//! kept until CloudWatch has confirmed it, unless it is dropped and counted. If a response is lost,
//! the datapoint is sent again and the possible duplicate is counted.

mod backoff;
mod finish;
mod queue;
mod request;
mod spool;

use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tracing::warn;

use self::backoff::SendBackoff;
use self::queue::{CAPACITY, Lane, MAX_BATCH, Queue};
use self::request::{InProgress, Outcome, put, wait_for};
use self::spool::{Spool, SpoolResult};
use crate::domain::alarm::destination::DestinationView;
use crate::io::cloudwatch::connection::Connection;
use crate::io::sink::cloudwatch::aggregation::Aggregation;
use crate::io::sink::cloudwatch::datapoint::{Datapoint, Series};
use crate::io::sink::cloudwatch::gauges::{DestinationGauges, SINK};
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::io::store::Store;

/// The publisher of one destination.
pub(super) struct Publisher {
    connection: Arc<Connection>,
    settings: Arc<DestinationView>,
    metrics: DaemonMetrics,
    gauges: DestinationGauges,
    queue: Queue,
    spool: Spool,
    /// The state of each [`Lane`].
    lanes: [LaneState; 2],
    backoff: SendBackoff,
    /// For each series, the hour in which the series was last sent, in hours since the Unix epoch.
    series: HashMap<Series, i64>,
}

/// The state of one lane.
struct LaneState {
    /// The lane's request in progress; `None` if no request is in progress.
    request: Option<InProgress<Outcome>>,
    /// The earliest time of the lane's next request.
    due: Instant,
    /// Maximum number of datapoints in the lane's next request; lower after a rejected batch or a
    /// lost response.
    limit: usize,
}

/// A completed request to CloudWatch, or a completed operation of the store.
pub(super) enum Event {
    Request(Outcome),
    Store(SpoolResult),
}

/// Time for which the first fresh datapoint waits for further datapoints, so that targets that
/// change state together share a request.
const LINGER: Duration = Duration::from_millis(100);

/// Minimum time between two requests of the backlog. Four requests a second send a day of
/// datapoints of 1,000 targets in six minutes, and leave most of CloudWatch's quota of 500
/// requests a second to other callers.
const BACKLOG_SPACING: Duration = Duration::from_millis(250);

/// Minimum age of saved fresh datapoints that move from memory to the spool while requests fail.
/// Younger fresh datapoints stay in memory, and are sent first when CloudWatch recovers.
const MIN_RELEASE_AGE: SignedDuration = SignedDuration::from_secs(60);

/// The length of an hour in seconds. Series are counted per hour, because CloudWatch bills a metric
/// for each hour in which datapoints are sent.
const HOUR: i64 = 3600;

impl Publisher {
    /// Creates a publisher. `key` identifies the destination's rows in the store.
    pub(super) fn new(
        connection: Arc<Connection>,
        settings: Arc<DestinationView>,
        metrics: DaemonMetrics,
        store: Store,
        key: Arc<str>,
    ) -> Self {
        let due = Instant::now();
        let lane = || LaneState {
            request: None,
            due,
            limit: MAX_BATCH,
        };
        Self {
            connection,
            settings,
            gauges: DestinationGauges::new(&metrics),
            metrics,
            queue: Queue::new(CAPACITY),
            spool: Spool::new(store, key),
            lanes: [lane(), lane()],
            backoff: SendBackoff::default(),
            series: HashMap::new(),
        }
    }

    pub(super) fn configure(&mut self, settings: Arc<DestinationView>) {
        self.settings = settings;
    }

    /// Queues a fresh datapoint.
    pub(super) fn push(&mut self, datapoint: Datapoint) {
        self.linger();
        let dropped = self.queue.push(datapoint);
        self.drop_surplus(&dropped);
    }

    /// Adds a datapoint that must not be sent before [`Publisher::resume`]. Until then, the
    /// datapoint is saved but not counted as waiting.
    pub(super) fn hold(&mut self, datapoint: Datapoint) {
        self.queue.hold(datapoint);
    }

    /// Queues the held datapoint with the row id `row`.
    pub(super) fn resume(&mut self, row: u64) {
        self.linger();
        let dropped = self.queue.put_back([row], Lane::Fresh, false);
        self.drop_surplus(&dropped);
    }

    /// Saves new datapoints, trims and counts the backlog, and updates the gauges. After a recovery
    /// of the store, also moves the rows of datapoints that are not in memory to the backlog.
    pub(super) fn tick(&mut self, aggregation: &mut Aggregation, now: Timestamp) {
        if self.spool.can_save() {
            let mut unsaved = aggregation.unsaved();
            unsaved.extend(self.queue.unsaved());
            self.spool.save(&unsaved);
        }
        if self.spool.has_recovered() {
            let known = self.queue.rows().chain(aggregation.rows()).collect();
            self.spool.reconcile(known);
        }
        self.spool.maintain(now, self.settings.cloudwatch.backlog);
        let hour = now.as_second().div_euclid(HOUR);
        self.series.retain(|_, sent| *sent >= hour - 1);
        self.update_gauges();
    }

    /// Starts the requests that are due.
    pub(super) fn start_requests(&mut self) {
        let now = Instant::now();
        for lane in [Lane::Fresh, Lane::Backlog] {
            if self.next_request(lane).is_some_and(|at| at <= now) {
                let request = self.request(lane);
                let state = &mut self.lanes[lane as usize];
                state.request = Some(request);
                if lane == Lane::Backlog {
                    state.due = now + BACKLOG_SPACING;
                }
            }
        }
    }

    /// Returns a request that sends the next batch of a lane. The backlog in the spool is sent
    /// before the backlog in memory, because the spool has the older datapoints: datapoints stay in
    /// memory only until they are saved.
    fn request(&mut self, lane: Lane) -> InProgress<Outcome> {
        let limit = self.lanes[lane as usize].limit;
        if lane == Lane::Backlog && self.spool.has_backlog() {
            let oldest = self.spool.take_oldest(limit);
            return self.send(lane, true, oldest);
        }
        let batch = self.queue.take(lane, limit, &self.settings.location);
        self.spool.mark_sending(&batch);
        self.send(lane, false, ready((batch, Vec::new())))
    }

    /// Returns a request that sends a batch. `batch` resolves to the datapoints of the batch and to
    /// the ids of spool rows that this release cannot read.
    fn send(
        &self,
        lane: Lane,
        from_spool: bool,
        batch: impl Future<Output = (Vec<Datapoint>, Vec<u64>)> + Send + 'static,
    ) -> InProgress<Outcome> {
        let (connection, settings) = (Arc::clone(&self.connection), Arc::clone(&self.settings));
        Box::pin(async move {
            let (batch, unreadable) = batch.await;
            let result = if batch.is_empty() {
                Ok(())
            } else {
                put(&connection, &settings, &batch).await
            };
            Outcome {
                lane,
                batch,
                unreadable,
                from_spool,
                result,
            }
        })
    }

    /// Returns the time at which [`Publisher::start_requests`] must be called next; `None` if no
    /// request can start before an event occurs.
    pub(super) fn next(&self) -> Option<Instant> {
        let lanes = [Lane::Fresh, Lane::Backlog].into_iter();
        lanes.filter_map(|lane| self.next_request(lane)).min()
    }

    /// Returns the earliest start of a lane's next request; `None` if the lane has nothing to send,
    /// one of its requests is in progress, or the backlog must wait. While requests fail, the
    /// backlog must wait as long as there are fresh datapoints.
    fn next_request(&self, lane: Lane) -> Option<Instant> {
        let can_start = match lane {
            Lane::Fresh => self.queue.has(Lane::Fresh),
            Lane::Backlog => {
                let waits = self.queue.has(Lane::Backlog) || self.spool.has_backlog();
                waits && (self.backoff.is_healthy() || !self.has_fresh())
            }
        };
        let state = &self.lanes[lane as usize];
        (can_start && state.request.is_none()).then(|| {
            let not_before = self.backoff.not_before();
            not_before.map_or(state.due, |not_before| not_before.max(state.due))
        })
    }

    /// Returns whether fresh datapoints wait or are being sent.
    fn has_fresh(&self) -> bool {
        self.queue.has(Lane::Fresh) || self.lanes[Lane::Fresh as usize].request.is_some()
    }

    /// Waits until a request or an operation of the store completes.
    pub(super) async fn event(&mut self) -> Event {
        let [fresh, backlog] = &mut self.lanes;
        tokio::select! {
            outcome = wait_for(&mut fresh.request) => Event::Request(outcome),
            outcome = wait_for(&mut backlog.request) => Event::Request(outcome),
            result = self.spool.result() => Event::Store(result),
        }
    }

    /// Handles a completed request or a completed operation of the store.
    pub(super) fn handle(&mut self, event: Event, aggregation: &mut Aggregation) {
        match event {
            Event::Request(outcome) => self.finish(outcome),
            Event::Store(SpoolResult::Saved(saved)) => {
                aggregation.settle(saved);
                self.queue.settle(saved);
            }
            Event::Store(SpoolResult::Trimmed { removed, left }) => {
                self.count_dropped(
                    removed.unwrap_or_default(),
                    "older than `cloudwatch.backlog`, or the backlog is full",
                );
                self.spool.set_backlog(left);
            }
        }
        self.release();
        self.update_gauges();
    }

    /// Makes the next request with fresh datapoints due immediately.
    pub(super) fn flush(&mut self) {
        self.lanes[Lane::Fresh as usize].due = Instant::now();
    }

    /// Returns whether the shutdown can end: no request with fresh datapoints is in progress, and
    /// either no datapoints wait in memory, or a usable store keeps the waiting datapoints. Fresh
    /// datapoints are left unsent only while requests fail.
    pub(super) fn is_done(&self) -> bool {
        let is_idle = self.lanes[Lane::Fresh as usize].request.is_none();
        let has_nothing = !self.queue.has(Lane::Fresh) && !self.queue.has(Lane::Backlog);
        let can_leave_rest = !self.queue.has(Lane::Fresh) || !self.backoff.is_healthy();
        is_idle && (has_nothing || (can_leave_rest && self.spool.is_healthy()))
    }

    /// Saves the unsent datapoints, or counts them as dropped if saving fails.
    pub(super) async fn end(&mut self) {
        let queue = &mut self.queue;
        let unsaved = |saved| {
            queue.settle(saved);
            queue.unsaved()
        };
        if !self.spool.save_last(unsaved).await {
            let reason = "not sent before the shutdown deadline, and not saved";
            self.count_dropped(self.queue.len() as u64, reason);
        }
        self.gauges.set(0, 0);
    }

    /// Logs and counts dropped datapoints.
    fn count_dropped(&self, count: u64, reason: &str) {
        if count > 0 {
            warn!(count, reason, "cloudwatch: datapoints dropped");
            let counter = self.metrics.sink_dropped.with_label_values(&[SINK]);
            counter.inc_by(count);
        }
    }

    /// Deletes the saved copies of datapoints that a full queue dropped, and counts the datapoints.
    fn drop_surplus(&mut self, dropped: &[Datapoint]) {
        if !dropped.is_empty() {
            self.spool.forget(dropped);
            self.count_dropped(dropped.len() as u64, "the queue in memory is full");
        }
    }

    /// Delays the next request with fresh datapoints by [`LINGER`], unless fresh datapoints already
    /// wait.
    fn linger(&mut self) {
        if !self.queue.has(Lane::Fresh) {
            self.lanes[Lane::Fresh as usize].due = Instant::now() + LINGER;
        }
    }

    /// Removes from the queue the saved datapoints that need not stay in memory, and adds them to
    /// the backlog in the spool.
    fn release(&mut self) {
        if self.spool.is_healthy() {
            let old = if self.backoff.is_healthy() {
                Timestamp::MIN
            } else {
                Timestamp::now() - MIN_RELEASE_AGE
            };
            let released = self.queue.release(old);
            self.spool.add_backlog(released);
        }
    }

    fn update_gauges(&mut self) {
        let waiting = self.queue.len() as u64 + self.spool.backlog();
        self.gauges.set(waiting, self.series.len());
    }
}

#[cfg(test)]
mod tests;
