//! Publishes reports to CloudWatch and requests updates of alarms.
//!
//! [`CloudWatchSink`] is the handle that the monitor holds. `routing` chooses the `destination`
//! (account and region) of a report, `aggregator` turns reports into datapoints, and `publisher`
//! sends the datapoints. Alarms are updated by [`crate::io::alarms`]. Publishing never waits: a
//! report that does not fit in the queue is dropped and counted.

mod aggregation;
mod aggregator;
mod datapoint;
mod destination;
mod gauges;
#[cfg(test)]
mod guarantees;
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
use crate::io::sink::cloudwatch::aggregator::Command;
use crate::io::sink::cloudwatch::destination::DestinationContext;
use crate::io::sink::cloudwatch::routing::Routing;
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::io::store::Store;
use crate::model::settings::Settings;

pub use crate::io::sink::cloudwatch::destination::Timing;

/// The handle of the sink, which publishes reports to CloudWatch. Dropping the handle ends the
/// tasks of the sink without sending queued datapoints.
#[derive(Debug)]
pub struct CloudWatchSink {
    routing: Mutex<Routing>,
    /// Whether a task of the sink has panicked or `shutdown` has completed.
    ended: watch::Sender<bool>,
}

/// Maximum time that a shutdown waits after its deadline, so that tasks can save unsent datapoints.
const OVERTIME: Duration = Duration::from_millis(100);

impl CloudWatchSink {
    /// Starts the sink without a state directory. `base` is the AWS configuration with the
    /// credentials; `None` means that the configuration is loaded from the SDK's default chain.
    #[must_use]
    pub fn start_with(
        settings: Arc<Settings>,
        metrics: DaemonMetrics,
        base: Option<SdkConfig>,
    ) -> Self {
        let store = Store::disabled(metrics.store_metrics());
        Self::start_on(settings, metrics, base, store, Timing::default())
    }

    /// Starts the sink. Datapoints that CloudWatch has not accepted are kept in `store`. `base` is
    /// as in [`CloudWatchSink::start_with`].
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers pass an `Arc` that they no longer need"
    )]
    pub fn start_on(
        settings: Arc<Settings>,
        metrics: DaemonMetrics,
        base: Option<SdkConfig>,
        store: Store,
        timing: Timing,
    ) -> Self {
        let (ended, _) = watch::channel(false);
        let mut routing = Routing::new(DestinationContext {
            base,
            metrics,
            store,
            timing,
            failed: ended.clone(),
        });
        routing.configure(&settings);
        Self {
            routing: Mutex::new(routing),
            ended,
        }
    }

    /// Queues a report for publishing without waiting. A report that does not fit in the queue
    /// is counted as dropped.
    pub fn publish(&self, report: &Report) {
        let command = || Command::Report(Box::new(report.clone()));
        self.routing().send(&report.target, command);
    }

    /// Publishes a revised cause of an open incident.
    pub fn update(&self, update: &Update) {
        let command = || Command::Update(Box::new(update.clone()));
        self.routing().send(&update.target, command);
    }

    /// Sets whether the prober itself is impaired. While the prober is impaired, no heartbeats are
    /// sent, so that the heartbeat alarm of each destination fires.
    pub fn set_prober_impaired(&self, impaired: bool) {
        self.routing().set_prober_impaired(impaired);
    }

    /// Sets the annotation of the open incident of a group or of the prober
    /// ([`Annotation::group`]); `None` reports that the incident was closed. The annotation is
    /// written to the heartbeat alarms. While the incident is open, the alarms of targets are not
    /// updated.
    pub fn group(&self, annotation: Option<Annotation>) {
        self.routing().group(annotation);
    }

    /// Applies new settings: plans the alarms again, and immediately disables the actions of alarms
    /// whose targets were removed or moved to another destination.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers pass an `Arc` that they no longer need"
    )]
    pub fn configure(&self, settings: Arc<Settings>) {
        self.routing().configure(&settings);
    }

    /// Resolves when a task of the sink has panicked or `shutdown` has completed.
    pub async fn ended(&self) {
        // Waiting cannot fail, because `self` holds the sender.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Sends the queued datapoints of all destinations and ends all tasks. Takes at most `within`
    /// plus 100 ms.
    pub async fn shutdown(&self, within: Duration) {
        let deadline = Instant::now() + within;
        let (running, removed) = self.routing().end();
        let running = running
            .into_iter()
            .map(|destination| destination.shut_down(deadline));
        let removed = removed.into_iter().map(|destination| destination.ended());
        let all = join(join_all(running), join_all(removed));
        // On a timeout, the unsent datapoints in the store are sent after the next start.
        let _ = timeout_at(deadline + OVERTIME, all).await;
        self.ended.send_replace(true);
    }

    fn routing(&self) -> MutexGuard<'_, Routing> {
        self.routing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
