//! One account and region: its sender, its keeper, and the task in which both run.
//!
//! Nothing is shared with another destination but the store and the metrics, so that one
//! that fails holds back nobody. One that leaves the configuration sends what waits,
//! keeps its alarms from paging, and only then ends.

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
use crate::io::sink::cloudwatch::SINK;
use crate::io::sink::cloudwatch::desk::Desk;
use crate::io::sink::cloudwatch::keeper::Keeper;
use crate::io::sink::cloudwatch::link::Link;
use crate::io::sink::cloudwatch::sender::{Command, Sender};
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::io::store::Store;

/// What every destination is started with.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// An SDK configuration that was already made; without it the default chain.
    pub(super) base: Option<SdkConfig>,
    pub(super) metrics: DaemonMetrics,
    pub(super) store: Store,
    /// Turns true when a task ends by a fault of ours.
    pub(super) failed: watch::Sender<bool>,
}

/// A destination at work.
#[derive(Debug)]
pub(super) struct Destination {
    commands: mpsc::Sender<Command>,
    settings: watch::Sender<Arc<DestinationView>>,
    metrics: DaemonMetrics,
    desk: Arc<Desk>,
    work: AbortHandle,
    watched: JoinHandle<()>,
}

/// A destination that leaves.
#[derive(Debug)]
pub(super) struct Leaving {
    work: AbortHandle,
    done: JoinHandle<()>,
}

/// Both halves with what they wait for.
struct Work {
    sender: Sender,
    queue: mpsc::Receiver<Command>,
    keeper: Keeper,
    /// Closed once the destination is gone from the configuration.
    settings: watch::Receiver<Arc<DestinationView>>,
    /// One of the same name that may still be leaving.
    before: Option<Leaving>,
}

/// Reports that may wait for the task: some twenty seconds of 500 probes a second, far
/// longer than the task is ever busy, since it never waits for CloudWatch.
const QUEUE: usize = 10_000;

/// How long one that leaves may send what waits: three tries of a call that hangs.
const FLUSH: Duration = Duration::from_secs(30);

/// How long one that leaves may silence its alarms, and mark them as silenced: three a
/// second, so 1,800 alarms.
const SILENCE: Duration = Duration::from_secs(600);

/// How long the next one of the same name waits for the one that leaves. Alarms are
/// silenced by the hundred, so what is cut short is their marking.
const HANDOVER: Duration = Duration::from_secs(30);

impl Destination {
    /// Starts a destination with its own view of the settings, once `before` has ended.
    pub(super) fn start(
        with: &Surroundings,
        view: DestinationView,
        before: Option<Leaving>,
    ) -> Self {
        let name = view.name.clone();
        let (commands, queue) = mpsc::channel(QUEUE);
        let (settings, watching) = watch::channel(Arc::new(view));
        let metrics = with.metrics.clone();
        let link = Link::new(with.base.clone(), metrics.clone());
        let desk = Arc::new(Desk::default());
        let keeper = Keeper::new(
            Arc::clone(&link),
            Arc::clone(&desk),
            watching.clone(),
            metrics.clone(),
        );
        let key = name.as_deref().unwrap_or(MAIN);
        let sender = Sender::new(
            link,
            Arc::clone(&desk),
            watching.clone(),
            metrics.clone(),
            (with.store.clone(), key),
        );
        let work = Work {
            sender,
            queue,
            keeper,
            settings: watching,
            before,
        };
        // Every line of a further destination's log says whose it is.
        let span = name.map_or_else(Span::none, |name| {
            error_span!("cloudwatch", destination = name)
        });
        let work = tokio::spawn(work.run().instrument(span));
        Self {
            commands,
            settings,
            metrics,
            desk,
            work: work.abort_handle(),
            watched: tokio::spawn(watched(work, with.failed.clone())),
        }
    }

    /// Hands a command over. Never waits; one that finds no place is counted as dropped.
    pub(super) fn send(&self, command: Command) {
        if !self.settings.borrow().active {
            return;
        }
        // A closed queue means that the task has ended, which is told elsewhere.
        if let Err(TrySendError::Full(_) | TrySendError::Closed(_)) =
            self.commands.try_send(command)
        {
            self.metrics.sink_dropped.with_label_values(&[SINK]).inc();
        }
    }

    /// Takes the words of a group incident.
    pub(super) fn group(&self, words: Option<Annotation>) {
        if self.settings.borrow().active {
            self.desk.group(words);
        }
    }

    /// Its view of the settings.
    pub(super) fn settings(&self) -> Arc<DestinationView> {
        Arc::clone(&self.settings.borrow())
    }

    /// Takes a new view of the settings.
    pub(super) fn configure(&self, view: DestinationView) {
        // The same again would only read every alarm once more.
        self.settings.send_if_modified(|known| {
            let differs = **known != view;
            if differs {
                *known = Arc::new(view);
            }
            differs
        });
    }

    /// Sends what waits, keeps its alarms from paging, and ends.
    pub(super) fn leave(self) -> Leaving {
        // Without desired alarms, every alarm is one of a removed target.
        let last = self.settings.borrow().removed();
        self.settings.send_replace(Arc::new(last));
        let (commands, watched) = (self.commands, self.watched);
        let deadline = Instant::now() + FLUSH;
        Leaving {
            work: self.work,
            done: tokio::spawn(async move {
                // One that has ended needs no telling, and its end is told elsewhere.
                let _ = commands.send(Command::Shutdown(deadline)).await;
                let _ = watched.await;
            }),
        }
    }

    /// Sends what waits and ends by then. The alarms stay as they are.
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

impl Leaving {
    /// Whether it is gone.
    pub(super) fn is_gone(&self) -> bool {
        self.done.is_finished()
    }

    /// Waits until it is gone.
    pub(super) async fn gone(self) {
        // However it ended.
        let _ = self.done.await;
    }

    /// Waits until it is gone, but not for ever.
    async fn hand_over(mut self) {
        if timeout(HANDOVER, &mut self.done).await.is_err() {
            self.work.abort();
            self.gone().await;
        }
    }
}

impl Work {
    async fn run(self) {
        if let Some(before) = self.before {
            before.hand_over().await;
        }
        let sending = self.sender.run(self.queue);
        let keeping = self.keeper.run();
        tokio::pin!(sending, keeping);
        tokio::select! {
            // The keeper has nothing to keep once the sender is done, unless the whole
            // destination is gone.
            () = &mut sending => if self.settings.has_changed().is_err()
                && timeout(SILENCE, keeping).await.is_err()
            {
                warn!(
                    "cloudwatch: gone from the configuration, and its alarms could not be \
                     silenced in time: disable their actions by hand"
                );
            },
            () = &mut keeping => sending.await,
        }
    }
}

/// Tells of a task that ends by a fault of ours.
async fn watched(work: JoinHandle<()>, failed: watch::Sender<bool>) {
    if work.await.is_err_and(|error| error.is_panic()) {
        failed.send_replace(true);
    }
}
