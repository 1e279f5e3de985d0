//! The CloudWatch sink: datapoints and alarms that carry the probable cause.
//!
//! [`CloudWatchSink`] is the handle that the monitor holds. `routing` chooses the
//! `destination` (account and region) of a report, `aggregator` turns reports into
//! datapoints, `publisher` sends them. Alarms are updated by [`crate::io::alarms`].
//! Publishing never waits: a full queue drops reports, which are counted.

mod aggregation;
mod aggregator;
mod datapoint;
mod destination;
mod gauges;
#[cfg(test)]
mod hold_tests;
mod publisher;
mod routing;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use futures_util::future::{join, join_all};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::domain::alarm::annotation::Annotation;
use crate::domain::report::{Report, Update};
pub use crate::io::alarms::executor::REVIEW_EVERY;
use crate::io::sink::cloudwatch::aggregator::Command;
use crate::io::sink::cloudwatch::destination::Surroundings;
use crate::io::sink::cloudwatch::routing::Routing;
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::io::store::Store;
use crate::model::settings::Settings;

/// The way of reports to CloudWatch. Dropping it ends its tasks without a last flush.
#[derive(Debug)]
pub struct CloudWatchSink {
    routing: Mutex<Routing>,
    /// True once a task has ended, or all have been told to.
    ended: watch::Sender<bool>,
}

/// Tasks watch the deadline of a shutdown themselves; this is for one that cannot any more.
const OVERTIME: Duration = Duration::from_millis(100);

impl CloudWatchSink {
    /// Starts the tasks, with credentials and region by the SDK's default chain. Must be
    /// called inside a Tokio runtime. While `cloudwatch.enabled` is false they idle.
    #[must_use]
    pub fn start(settings: Arc<Settings>, metrics: DaemonMetrics) -> Self {
        Self::start_with(settings, metrics, None)
    }

    /// Starts the tasks with an SDK configuration that was already made, and without a
    /// state directory.
    #[must_use]
    pub fn start_with(
        settings: Arc<Settings>,
        metrics: DaemonMetrics,
        base: Option<SdkConfig>,
    ) -> Self {
        let store = Store::off(metrics.store_gauges());
        Self::start_on(settings, metrics, base, store, REVIEW_EVERY)
    }

    /// Starts the tasks with everything that they may be given: datapoints that CloudWatch
    /// does not take wait in the store.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the settings are handed over for good"
    )]
    pub fn start_on(
        settings: Arc<Settings>,
        metrics: DaemonMetrics,
        base: Option<SdkConfig>,
        store: Store,
        review_every: Duration,
    ) -> Self {
        let (ended, _) = watch::channel(false);
        let mut routing = Routing::new(Surroundings {
            base,
            metrics,
            store,
            review_every,
            failed: ended.clone(),
        });
        routing.configure(&settings);
        Self {
            routing: Mutex::new(routing),
            ended,
        }
    }

    /// Takes a report. Never waits; a report that finds no place is counted as dropped.
    pub fn publish(&self, report: &Report) {
        let command = || Command::Report(Box::new(report.clone()));
        self.routing().send(&report.target, command);
    }

    /// Takes a better cause of an open incident, for its alarm to say.
    pub fn update(&self, update: &Update) {
        let command = || Command::Update(Box::new(update.clone()));
        self.routing().send(&update.target, command);
    }

    /// Takes whether the prober itself is in trouble. No target's alarm moves by such
    /// failures, so the heartbeats stop: each account's one alarm then pages for all of its
    /// targets.
    pub fn trouble(&self, trouble: bool) {
        self.routing().trouble(trouble);
    }

    /// Takes the words of a group incident ([`Annotation::group`]), or `None` when none is open
    /// (any more). The heartbeats' alarms say them before anything else is written; the
    /// alarms of targets are not written meanwhile, and say what is still true afterwards.
    pub fn group(&self, words: Option<Annotation>) {
        self.routing().group(words);
    }

    /// Takes a new configuration: alarms are planned anew, and alarms of targets that
    /// are gone, here or from their account, stop paging at once.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the settings are handed over for good"
    )]
    pub fn configure(&self, settings: Arc<Settings>) {
        self.routing().configure(&settings);
    }

    /// Resolves when a task has ended, which before `shutdown` is a fault of ours.
    pub async fn ended(&self) {
        // Waiting cannot fail: we hold the sender.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Sends what waits and ends the tasks, within the given time.
    pub async fn shutdown(&self, within: Duration) {
        let deadline = Instant::now() + within;
        let (running, leaving) = self.routing().end();
        let running = running.into_iter().map(|one| one.shut_down(deadline));
        let leaving = leaving.into_iter().map(|one| one.gone());
        let all = join(join_all(running), join_all(leaving));
        // What is not done by then is left to the next life.
        let _ = timeout_at(deadline + OVERTIME, all).await;
        self.ended.send_replace(true);
    }

    fn routing(&self) -> MutexGuard<'_, Routing> {
        self.routing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
