//! One destination: the aggregator of its datapoints, the executor of its alarms, and the task
//! in which both run.
//!
//! Destinations share only the store and the metrics, so that a failing one does not affect
//! the others. A destination that is removed from the configuration sends its queued
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
use crate::io::alarms::updates::{self, AlarmUpdates};
use crate::io::cloudwatch::connection::Connection;
use crate::io::sink::cloudwatch::aggregator::{Aggregator, Command};
use crate::io::sink::cloudwatch::gauges::SINK;
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::io::store::Store;

/// The components and settings that all destinations share.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// The AWS credentials; `None`: the SDK's default chain.
    pub(super) base: Option<SdkConfig>,
    pub(super) metrics: DaemonMetrics,
    pub(super) store: Store,
    /// Interval at which alarms are reviewed for changes by hand.
    pub(super) review_every: Duration,
    /// Set to true when a task panics.
    pub(super) failed: watch::Sender<bool>,
}

/// A running destination.
#[derive(Debug)]
pub(super) struct Destination {
    commands: mpsc::Sender<Command>,
    settings: watch::Sender<Arc<DestinationView>>,
    metrics: DaemonMetrics,
    updates: AlarmUpdates,
    work: AbortHandle,
    watched: JoinHandle<()>,
}

/// A destination that was removed and has not ended yet.
#[derive(Debug)]
pub(super) struct Removed {
    work: AbortHandle,
    done: JoinHandle<()>,
}

/// The parts of a destination that its task runs.
struct Work {
    aggregator: Aggregator,
    queue: mpsc::Receiver<Command>,
    executor: Executor,
    /// The destination's settings. The channel closes when the destination is removed.
    settings: watch::Receiver<Arc<DestinationView>>,
    /// A removed destination of the same name that may not have ended yet.
    before: Option<Removed>,
}

/// Capacity of the command queue: 20 s of reports at 500 probes a second. The task is never
/// busy for that long, since it does not wait for CloudWatch.
const QUEUE: usize = 10_000;

/// Time limit for a removed destination to send its queue: enough for three attempts of a call
/// that times out.
const FLUSH: Duration = Duration::from_secs(30);

/// Time limit for a removed destination to disable the actions of its alarms and mark each
/// alarm: enough for 1,800 alarms at three a second.
const DISABLE: Duration = Duration::from_secs(600);

/// Time limit for a removed destination before another one of the same name starts. Actions
/// are disabled for a hundred alarms per call, so only the marking of alarms is cut short.
const HANDOVER: Duration = Duration::from_secs(30);

impl Destination {
    /// Starts a destination. Its task first waits until `before` has ended.
    pub(super) fn start(
        with: &Surroundings,
        view: DestinationView,
        before: Option<Removed>,
    ) -> Self {
        let name = view.name.clone();
        let (commands, queue) = mpsc::channel(QUEUE);
        let (settings, watching) = watch::channel(Arc::new(view));
        let metrics = with.metrics.clone();
        let requests = metrics.cloudwatch_requests.clone();
        let connection = Connection::new(with.base.clone(), requests);
        let (updates, requests) = updates::channel();
        let executor = Executor::new(
            Arc::clone(&connection),
            requests,
            watching.clone(),
            with.review_every,
            metrics.alarms_drifted.clone(),
        );
        let key = name.as_deref().unwrap_or(MAIN);
        let aggregator = Aggregator::new(
            connection,
            updates.clone(),
            watching.clone(),
            metrics.clone(),
            (with.store.clone(), key),
        );
        let work = Work {
            aggregator,
            queue,
            executor,
            settings: watching,
            before,
        };
        // Log lines of a further destination name it.
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
            watched: tokio::spawn(watched(work, with.failed.clone())),
        }
    }

    /// Queues a command without waiting. A command that does not fit in the queue is counted
    /// as dropped.
    pub(super) fn send(&self, command: Command) {
        if !self.settings.borrow().active {
            return;
        }
        // A closed queue means that the task has ended, which is reported elsewhere.
        if let Err(TrySendError::Full(_) | TrySendError::Closed(_)) =
            self.commands.try_send(command)
        {
            self.metrics.sink_dropped.with_label_values(&[SINK]).inc();
        }
    }

    /// Sets the annotation of a group incident, or closes the incident (`None`).
    pub(super) fn group(&self, annotation: Option<Annotation>) {
        if self.settings.borrow().active {
            self.updates.group(annotation);
        }
    }

    /// The settings of the destination.
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

    /// Removes the destination: sends its queue, disables the actions of all its alarms, and
    /// ends its task.
    pub(super) fn remove(self) -> Removed {
        // Without desired alarms, every alarm counts as one of a removed target.
        let last = self.settings.borrow().removed();
        self.settings.send_replace(Arc::new(last));
        let (commands, watched) = (self.commands, self.watched);
        let deadline = Instant::now() + FLUSH;
        Removed {
            work: self.work,
            done: tokio::spawn(async move {
                // It fails if the task has ended, which is reported elsewhere.
                let _ = commands.send(Command::Shutdown(deadline)).await;
                let _ = watched.await;
            }),
        }
    }

    /// Sends the queue and ends the task by the deadline. The alarms stay unchanged.
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
    /// Whether the task of the removed destination has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.done.is_finished()
    }

    /// Waits until the task of the removed destination has ended.
    pub(super) async fn ended(self) {
        // A panic is reported by `watched`.
        let _ = self.done.await;
    }

    /// Waits until the task has ended, and aborts it after [`HANDOVER`].
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
            // Once the aggregator has ended, only a removed destination has work left.
            () = &mut sending => if self.settings.has_changed().is_err()
                && timeout(DISABLE, alarms).await.is_err()
            {
                warn!(
                    "cloudwatch: the destination was removed from the configuration, and the \
                     actions of its alarms could not be disabled in time; disable them by hand"
                );
            },
            () = &mut alarms => sending.await,
        }
    }
}

/// Waits for a task and sets `failed` if it panics.
async fn watched(work: JoinHandle<()>, failed: watch::Sender<bool>) {
    if work.await.is_err_and(|error| error.is_panic()) {
        failed.send_replace(true);
    }
}
