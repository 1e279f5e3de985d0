//! Gets datapoints to CloudWatch, on two lanes: what is fresh, and the backlog.
//!
//! A lane has one request under way. What is fresh never waits for the backlog, which
//! goes oldest first, at a measured pace, and only while CloudWatch takes what it is
//! given. Nothing is forgotten before CloudWatch has said that it has it; where its answer
//! is lost a datapoint may arrive twice, which is counted.

mod finish;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tracing::warn;

use crate::domain::alarm::destination::DestinationView;
use crate::io::cloudwatch::connection::Connection;
use crate::io::sink::cloudwatch::SINK;
use crate::io::sink::cloudwatch::datapoint::{Datapoint, Series};
use crate::io::sink::cloudwatch::disk::{Disk, Told};
use crate::io::sink::cloudwatch::request::{Outcome, Request, answer, put};
use crate::io::sink::cloudwatch::shown::Shown;
use crate::io::sink::cloudwatch::spool::{CAPACITY, MAX_BATCH, Spool};
use crate::io::sink::cloudwatch::windows::{Closed, Windows};
use crate::io::sink::daemon_metrics::DaemonMetrics;

/// The way of one destination's datapoints.
pub(super) struct Transmitter {
    link: Arc<Connection>,
    settings: Arc<DestinationView>,
    metrics: DaemonMetrics,
    spool: Spool,
    disk: Disk,
    /// Rows that will be pushed soon.
    announced: HashSet<u64>,
    fresh: Option<Request>,
    backlog: Option<Request>,
    /// When what is fresh may go.
    send_at: Instant,
    /// When the next of the backlog may go, and how many.
    backlog_at: Instant,
    backlog_limit: usize,
    /// Series with the hour in which they were last sent.
    series: HashMap<Series, i64>,
    shown: Shown,
}

/// What has happened on the way.
pub(super) enum Event {
    Fresh(Outcome),
    Backlog(Outcome),
    Disk(Told),
}

/// Datapoints of many targets that change together go as one request.
const LINGER: Duration = Duration::from_millis(100);

/// Between two requests of the backlog: four a second catch up with a day of a thousand
/// targets in six minutes, and leave CloudWatch's 500 a second to everybody else.
const BACKLOG_SPACING: Duration = Duration::from_millis(250);

/// While nothing flows, what is older than this leaves memory for the disk. What is
/// younger is worth sending first when CloudWatch is back.
const YOUNG: SignedDuration = SignedDuration::from_secs(60);

/// Why a full spool gives datapoints up.
const TOO_MANY: &str = "too many wait";

/// CloudWatch bills a metric by the hour.
const HOUR: i64 = 3600;

impl Transmitter {
    pub(super) fn new(
        link: Arc<Connection>,
        settings: Arc<DestinationView>,
        metrics: DaemonMetrics,
        disk: Disk,
    ) -> Self {
        let now = Instant::now();
        let shown = Shown::new(metrics.clone());
        Self {
            link,
            settings,
            metrics,
            spool: Spool::new(CAPACITY),
            disk,
            announced: HashSet::new(),
            fresh: None,
            backlog: None,
            send_at: now,
            backlog_at: now,
            backlog_limit: MAX_BATCH,
            series: HashMap::new(),
            shown,
        }
    }

    pub(super) fn configure(&mut self, settings: Arc<DestinationView>) {
        self.settings = settings;
    }

    /// Takes a datapoint that nobody has kept yet.
    pub(super) fn push(&mut self, datapoint: Datapoint) {
        self.announced.remove(&datapoint.row);
        self.disk.add(&datapoint);
        self.linger();
        let dropped = self.spool.push(datapoint);
        self.drop_all(&dropped, TOO_MANY);
    }

    /// Takes note of a datapoint that will be pushed soon: should the process end before,
    /// the disk has it.
    pub(super) fn announce(&mut self, datapoint: &Datapoint) {
        self.announced.insert(datapoint.row);
        self.disk.add(datapoint);
    }

    /// Takes a window that is over.
    pub(super) fn take(&mut self, closed: Closed) {
        if closed.kept {
            self.linger();
            let dropped = self.spool.push_kept(closed.datapoint);
            self.drop_all(&dropped, TOO_MANY);
        } else {
            self.push(closed.datapoint);
        }
    }

    /// Hands what is new over to the disk, and does what is due there.
    pub(super) fn tick(&mut self, windows: &mut Windows, now: Timestamp) {
        if self.disk.is_free() {
            self.disk.keep(windows.unkept());
        }
        if self.disk.came_back() {
            let mut known = self.spool.rows();
            known.extend(windows.rows());
            known.extend(self.announced.iter().copied());
            self.disk.reconcile(known);
        }
        self.disk.look(now, self.settings.cloudwatch.backlog);
        let hour = now.as_second().div_euclid(HOUR);
        self.series.retain(|_, sent| *sent >= hour - 1);
        self.show();
    }

    /// Begins the requests that may go now.
    pub(super) fn begin(&mut self) {
        let now = Instant::now();
        let resting = self.spool.not_before().is_some_and(|until| until > now);
        if self.fresh.is_none() && self.spool.has_fresh() && !resting && self.send_at <= now {
            let batch = self.spool.fresh_batch(&self.settings.location);
            self.fresh = Some(self.request(batch));
        }
        if self.may_send_backlog() && !resting && self.backlog_at <= now {
            self.backlog_at = now + BACKLOG_SPACING;
            self.backlog = Some(self.backlog_request());
        }
    }

    /// When [`Transmitter::begin`] has something to do at the latest; `None`: not by time.
    pub(super) fn next(&self) -> Option<Instant> {
        let fresh = (self.fresh.is_none() && self.spool.has_fresh()).then_some(self.send_at);
        let backlog = self.may_send_backlog().then_some(self.backlog_at);
        let next = [fresh, backlog].into_iter().flatten().min()?;
        let resting = self.spool.not_before();
        Some(resting.map_or(next, |resting| resting.max(next)))
    }

    /// Where nothing flows, what is fresh finds out when it does again, or else the backlog.
    fn may_send_backlog(&self) -> bool {
        let on_disk = self.disk.backlog > 0 && self.disk.is_well();
        let waits = self.spool.has_backlog() || on_disk;
        let alone = !self.spool.has_fresh() && self.fresh.is_none();
        self.backlog.is_none() && waits && (self.spool.is_flowing() || alone)
    }

    /// The next thing that happens on the way.
    pub(super) async fn event(&mut self) -> Event {
        tokio::select! {
            outcome = answer(&mut self.fresh) => Event::Fresh(outcome),
            outcome = answer(&mut self.backlog) => Event::Backlog(outcome),
            told = self.disk.told() => Event::Disk(told),
        }
    }

    /// Takes in what has happened.
    pub(super) fn handle(&mut self, event: Event, windows: &mut Windows) {
        match event {
            Event::Fresh(outcome) => self.finish_fresh(outcome),
            Event::Backlog(outcome) => self.finish_backlog(outcome),
            Event::Disk(Told::Kept(kept)) => {
                windows.settle(kept);
                let rows = self.disk.settle(kept, &windows.rows());
                self.spool.keep(&rows);
            }
            Event::Disk(Told::Counted(count)) => self.disk.counted(count),
            Event::Disk(Told::Trimmed(gone, left)) => {
                self.give_up(gone.unwrap_or_default(), "older than cloudwatch.backlog");
                self.disk.trimmed(left);
            }
        }
        self.release();
        self.show();
    }

    /// Sends what is fresh at once.
    pub(super) fn hurry(&mut self) {
        self.send_at = Instant::now();
    }

    /// Whether nothing more can be done before the end: all is sent, or nothing flows and
    /// the disk has (or will be given) what waits.
    pub(super) fn is_done(&self) -> bool {
        let sent = !self.spool.has_fresh() && self.fresh.is_none();
        let in_vain = !self.spool.is_flowing() && self.fresh.is_none() && self.disk.is_well();
        (sent && (!self.spool.has_backlog() || self.disk.is_well())) || in_vain
    }

    /// Leaves what is not sent to the next life; says how many datapoints are lost.
    pub(super) async fn end(&mut self) -> usize {
        let kept = self.disk.rescue().await;
        let lost = if kept { 0 } else { self.spool.len() };
        self.shown.set(0, 0);
        lost
    }

    /// Counts datapoints that are given up.
    pub(super) fn give_up(&self, count: u64, why: &str) {
        if count > 0 {
            warn!(dropped = count, "cloudwatch: datapoints given up: {why}");
            let counter = self.metrics.sink_dropped.with_label_values(&[SINK]);
            counter.inc_by(count);
        }
    }

    /// The first that is fresh waits for more.
    fn linger(&mut self) {
        if !self.spool.has_fresh() {
            self.send_at = Instant::now() + LINGER;
        }
    }

    fn request(&self, batch: Vec<Datapoint>) -> Request {
        self.disk.sending(&batch);
        let (link, settings) = (Arc::clone(&self.link), Arc::clone(&self.settings));
        Box::pin(async move {
            Outcome {
                result: put(&link, &settings, &batch).await,
                batch,
                unreadable: Vec::new(),
                from_disk: false,
            }
        })
    }

    /// The disk's backlog is older than the one in memory, which is there only because the
    /// disk does not have it (yet).
    fn backlog_request(&mut self) -> Request {
        if self.disk.backlog == 0 || !self.disk.is_well() {
            let batch = self.spool.backlog_batch(&self.settings.location);
            return self.request(batch);
        }
        let oldest = self.disk.oldest(self.backlog_limit);
        let store = self.disk.store();
        let (link, settings) = (Arc::clone(&self.link), Arc::clone(&self.settings));
        Box::pin(async move {
            let (batch, unreadable) = oldest.await.unwrap_or_default();
            let result = if batch.is_empty() {
                Ok(())
            } else {
                store.sending_datapoints(batch.iter().map(|point| point.row).collect());
                put(&link, &settings, &batch).await
            };
            Outcome {
                batch,
                unreadable,
                from_disk: true,
                result,
            }
        })
    }

    /// Lets the disk have what need not wait in memory.
    fn release(&mut self) {
        if self.disk.is_well() {
            let released = self.spool.release(Timestamp::now() - YOUNG);
            if !released.is_empty() {
                self.disk.put_back(&released);
            }
        }
    }

    fn show(&mut self) {
        let waiting = self.spool.len() as u64 + self.disk.backlog;
        self.shown.set(waiting, self.series.len());
    }
}
