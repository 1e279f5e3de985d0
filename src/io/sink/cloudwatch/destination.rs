//! Runs one destination: the aggregator of its datapoints and the executor of its alarms, in one
//! task.
//!
//! Each destination has its own queue and connection, so that a failing destination does not affect
//! other destinations. A destination that is removed from the configuration sends its queued
//! datapoints, disables the actions of its alarms, and ends.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, timeout};
use tracing::{Instrument, Span, error_span, warn};

use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::destination::DestinationView;
use crate::domain::alarm::destination::MAIN;
use crate::io::alarms::executor::Executor;
use crate::io::alarms::executor::REVIEW_EVERY;
use crate::io::alarms::updates::{self, AlarmUpdates};
use crate::io::cloudwatch::connection::Connection;
use crate::io::sink::cloudwatch::aggregator::UPDATE_WAIT;
use crate::io::sink::cloudwatch::aggregator::{Aggregator, Command};
use crate::io::sink::cloudwatch::gauges::SINK;
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::io::store::Store;

/// The review interval and the update wait of the sink. The daemon uses the default values.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Interval at which the alarms are reviewed for manual changes.
    pub review_every: Duration,
    /// Maximum time for which a datapoint is held until its alarm names the cause.
    pub update_wait: Duration,
}

/// The components and settings that all destinations of the sink share.
#[derive(Debug)]
pub(super) struct DestinationContext {
    /// The AWS configuration with the credentials; `None` means that the configuration is loaded
    /// from the SDK's default chain.
    pub(super) base: Option<SdkConfig>,
    pub(super) metrics: DaemonMetrics,
    pub(super) store: Store,
    pub(super) timing: Timing,
    /// The channel that is set to `true` when the task of a destination panics.
    pub(super) failed: watch::Sender<bool>,
}

/// A running destination.
#[derive(Debug)]
pub(super) struct Destination {
    commands: mpsc::Sender<Command>,
    settings: watch::Sender<Arc<DestinationView>>,
    metrics: DaemonMetrics,
    updates: AlarmUpdates,
    /// Aborts the destination's task.
    work: AbortHandle,
    /// Completes when the destination's task has ended and a panic of the task, if any, is
    /// reported.
    watched: JoinHandle<()>,
}

/// A removed destination, whose task may still be running.
#[derive(Debug)]
pub(super) struct Removed {
    /// Aborts the destination's task.
    work: AbortHandle,
    /// Completes when the destination's task has ended.
    done: JoinHandle<()>,
}

/// Everything that the task of a destination owns.
struct Work {
    aggregator: Aggregator,
    queue: mpsc::Receiver<Command>,
    executor: Executor,
    /// The destination's settings. The channel closes when the destination is removed.
    settings: watch::Receiver<Arc<DestinationView>>,
    /// A removed destination of the same name, if any. Its task may still be running.
    before: Option<Removed>,
}

/// Capacity of the command queue in commands: the reports of 20 s at 500 probes a second. Once the
/// destination's task has begun to read the queue, the task never pauses for that long, because it
/// does not wait for CloudWatch.
const QUEUE: usize = 10_000;

/// Time limit for a removed destination to send its queued datapoints: enough for three attempts of
/// a call that times out after 10 s.
const FLUSH: Duration = Duration::from_secs(30);

/// Time limit for a removed destination to disable the actions of its alarms and tag each alarm as
/// disabled: enough for 1,800 alarms at three a second.
const DISABLE: Duration = Duration::from_secs(600);

/// Maximum time that a new destination waits for the task of a removed destination of the same name
/// to end. The time is enough to disable the actions of all alarms, because one call handles a
/// hundred alarms. In a longer wait, the task would only tag more alarms as disabled.
const HANDOVER: Duration = Duration::from_secs(30);

impl Default for Timing {
    fn default() -> Self {
        Self {
            review_every: REVIEW_EVERY,
            update_wait: UPDATE_WAIT,
        }
    }
}

impl Destination {
    /// Starts a destination. The destination's task begins its work when the task of `before` has
    /// ended. If that task has not ended after [`HANDOVER`], it is aborted.
    pub(super) fn start(
        context: &DestinationContext,
        view: DestinationView,
        before: Option<Removed>,
    ) -> Self {
        let name = view.name.clone();
        let (commands, queue) = mpsc::channel(QUEUE);
        let (settings, watching) = watch::channel(Arc::new(view));
        let metrics = context.metrics.clone();
        let requests = metrics.cloudwatch_requests.clone();
        let connection = Connection::new(context.base.clone(), requests);
        let (updates, requests) = updates::channel();
        let executor = Executor::new(
            Arc::clone(&connection),
            requests,
            watching.clone(),
            context.timing.review_every,
            metrics.alarms_drifted.clone(),
        );
        let key = name.as_deref().unwrap_or(MAIN);
        let aggregator = Aggregator::new(
            connection,
            updates.clone(),
            watching.clone(),
            metrics.clone(),
            (context.store.clone(), key),
            context.timing.update_wait,
        );
        let work = Work {
            aggregator,
            queue,
            executor,
            settings: watching,
            before,
        };
        // The log lines of a destination contain its name, except those of the main destination.
        let span = name.map_or_else(Span::none, |name| {
            error_span!("cloudwatch", destination = name)
        });
        let work = tokio::spawn(work.run().instrument(span));
        Self {
            commands,
            settings,
            metrics,
            updates,
            work: work.abort_handle(),
            watched: tokio::spawn(report_panic(work, context.failed.clone())),
        }
    }

    /// Queues a command without waiting, if the destination is active. A command that cannot be
    /// queued is counted as dropped.
    pub(super) fn send(&self, command: Command) {
        if !self.settings.borrow().active {
            return;
        }
        // Nothing is logged here, because the metric counts the dropped command. If the queue is
        // closed, the task has ended, and `report_panic` reports a panic of the task.
        if let Err(TrySendError::Full(_) | TrySendError::Closed(_)) =
            self.commands.try_send(command)
        {
            self.metrics.sink_dropped.with_label_values(&[SINK]).inc();
        }
    }

    /// Sets the annotation of the open incident of a group or of the prober; `None` reports that
    /// the incident was closed.
    pub(super) fn group(&self, annotation: Option<Annotation>) {
        if self.settings.borrow().active {
            self.updates.group(annotation);
        }
    }

    /// Returns the settings of the destination.
    pub(super) fn settings(&self) -> Arc<DestinationView> {
        Arc::clone(&self.settings.borrow())
    }

    /// Applies new settings.
    pub(super) fn configure(&self, view: DestinationView) {
        // Sending unchanged settings would only make the executor read every alarm again.
        self.settings.send_if_modified(|known| {
            let differs = **known != view;
            if differs {
                *known = Arc::new(view);
            }
            differs
        });
    }

    /// Starts the removal of the destination, and returns a handle to wait for the end of its task.
    /// Before the task ends, it sends the queued datapoints and disables the actions of all alarms.
    pub(super) fn remove(self) -> Removed {
        // The last settings make the destination inactive. An inactive destination needs no alarms,
        // so the executor disables the actions of all its alarms.
        let last = self.settings.borrow().removed();
        self.settings.send_replace(Arc::new(last));
        let (commands, watched) = (self.commands, self.watched);
        let deadline = Instant::now() + FLUSH;
        Removed {
            work: self.work,
            done: tokio::spawn(async move {
                // Errors are ignored: sending fails only if the task has ended, and `report_panic`
                // reports a panic of the task.
                let _ = commands.send(Command::Shutdown(deadline)).await;
                let _ = watched.await;
            }),
        }
    }

    /// Sends the queued datapoints and ends the task by the deadline. The alarms stay unchanged.
    pub(super) async fn shut_down(self, deadline: Instant) {
        if self
            .commands
            .send(Command::Shutdown(deadline))
            .await
            .is_ok()
        {
            self.commands.closed().await;
        }
    }
}

impl Removed {
    /// Returns whether the task of the removed destination has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.done.is_finished()
    }

    /// Waits until the task of the removed destination has ended.
    pub(super) async fn ended(self) {
        // The error is ignored, because `report_panic` reports a panic of the task.
        let _ = self.done.await;
    }

    /// Waits until the task has ended. If it has not ended after [`HANDOVER`], aborts the task.
    async fn hand_over(mut self) {
        if timeout(HANDOVER, &mut self.done).await.is_err() {
            self.work.abort();
            self.ended().await;
        }
    }
}

impl Work {
    async fn run(self) {
        if let Some(before) = self.before {
            before.hand_over().await;
        }
        let sending = self.aggregator.run(self.queue);
        let alarms = self.executor.run();
        tokio::pin!(sending, alarms);
        tokio::select! {
            // Once the aggregator has ended, only a removed destination (whose settings channel
            // is closed) has more work: it disables the actions of its alarms.
            () = &mut sending => if self.settings.has_changed().is_err()
                && timeout(DISABLE, alarms).await.is_err()
            {
                warn!(
                    "cloudwatch: destination removed, but not all actions of its alarms were \
                     disabled in time; disable the remaining actions by hand"
                );
            },
            () = &mut alarms => sending.await,
        }
    }
}

/// Waits for a task to end and sets `failed` if the task panicked.
async fn report_panic(work: JoinHandle<()>, failed: watch::Sender<bool>) {
    if work.await.is_err_and(|error| error.is_panic()) {
        failed.send_replace(true);
    }
}
