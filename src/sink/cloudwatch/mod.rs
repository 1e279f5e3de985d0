//! The CloudWatch sink: datapoints and alarms that carry the probable cause.
//!
//! Reading order: this file (the handle that the monitor holds), `sender` (reports to
//! datapoints) with `windows` and `datapoint`, `transmitter` (datapoints to requests) with
//! `request`, `spool` (in memory) and `disk`, `desk` and `keeper` (alarms), `account` and `client`
//! (CloudWatch's language). One task runs sender and keeper side by side. Publishing never
//! waits: a full queue loses reports, which are counted.

pub mod account;
pub mod client;
mod datapoint;
mod desk;
mod disk;
mod keeper;
mod link;
mod request;
mod sender;
mod shown;
mod spool;
mod transmitter;
mod windows;

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::alarm::words::Words;
use crate::report::{Report, Update};
use crate::settings::Settings;
use crate::sink::cloudwatch::desk::Desk;
use crate::sink::cloudwatch::keeper::Keeper;
use crate::sink::cloudwatch::link::Link;
use crate::sink::cloudwatch::sender::{Command, Sender};
use crate::sink::daemon_metrics::DaemonMetrics;
use crate::store::Store;

/// The way of reports to CloudWatch. Dropping it ends its task without a last flush.
#[derive(Debug)]
pub struct CloudWatchSink {
    commands: mpsc::Sender<Command>,
    settings: watch::Sender<Arc<Settings>>,
    metrics: DaemonMetrics,
    desk: Arc<Desk>,
}

/// The sink's name in `probecause_sink_dropped_total`.
const SINK: &str = "cloudwatch";

/// Reports that may wait for the task: some twenty seconds of 500 probes a second, far
/// longer than the task is ever busy, since it never waits for CloudWatch.
const QUEUE: usize = 10_000;

impl CloudWatchSink {
    /// Starts the task, with credentials and region by the SDK's default chain. Must be
    /// called inside a Tokio runtime. While `cloudwatch.enabled` is false it idles.
    #[must_use]
    pub fn start(settings: Arc<Settings>, metrics: DaemonMetrics) -> Self {
        Self::start_with(settings, metrics, None)
    }

    /// Starts the task with an SDK configuration that was already made, and without a
    /// state directory.
    #[must_use]
    pub fn start_with(
        settings: Arc<Settings>,
        metrics: DaemonMetrics,
        base: Option<SdkConfig>,
    ) -> Self {
        let store = Store::off(metrics.store_gauges());
        Self::start_on(settings, metrics, base, store)
    }

    /// Starts the task with everything that it may be given: datapoints that CloudWatch
    /// does not take wait in the store.
    #[must_use]
    pub fn start_on(
        settings: Arc<Settings>,
        metrics: DaemonMetrics,
        base: Option<SdkConfig>,
        store: Store,
    ) -> Self {
        let (commands, queue) = mpsc::channel(QUEUE);
        let (settings, watching) = watch::channel(settings);
        let link = Link::new(base, metrics.clone());
        let desk = Arc::new(Desk::default());
        let keeper = Keeper::new(
            Arc::clone(&link),
            Arc::clone(&desk),
            watching.clone(),
            metrics.clone(),
        );
        let sender = Sender::new(
            link,
            Arc::clone(&desk),
            watching,
            metrics.clone(),
            (store, ""),
        );
        tokio::spawn(async move {
            // The keeper has nothing to keep once the sender is done.
            tokio::select! {
                () = sender.run(queue) => {}
                () = keeper.run() => {}
            }
        });
        Self {
            commands,
            settings,
            metrics,
            desk,
        }
    }

    /// Takes a report. Never waits; a report that finds no place is counted as dropped.
    pub fn publish(&self, report: &Report) {
        if !self.settings.borrow().cloudwatch.enabled {
            return;
        }
        self.send(Command::Report(Box::new(report.clone())));
    }

    /// Takes a better cause of an open incident, for its alarm to say.
    pub fn update(&self, update: &Update) {
        if self.settings.borrow().cloudwatch.enabled {
            self.send(Command::Update(Box::new(update.clone())));
        }
    }

    /// Takes whether the prober itself is in trouble. No target's alarm moves by such
    /// failures, so the heartbeat stops: its one alarm then pages for all of them.
    pub fn trouble(&self, trouble: bool) {
        if self.settings.borrow().cloudwatch.enabled {
            self.send(Command::Trouble(trouble));
        }
    }

    /// Takes the words of a group incident ([`Words::group`]), or `None` when none is open
    /// (any more). The heartbeat's alarm says them before anything else is written; the
    /// alarms of targets are not written meanwhile, and say what is still true afterwards.
    pub fn group(&self, words: Option<Words>) {
        if self.settings.borrow().cloudwatch.enabled {
            self.desk.group(words);
        }
    }

    fn send(&self, command: Command) {
        // A closed queue means that the task has ended, which `ended` tells.
        if let Err(TrySendError::Full(_) | TrySendError::Closed(_)) =
            self.commands.try_send(command)
        {
            self.metrics.sink_dropped.with_label_values(&[SINK]).inc();
        }
    }

    /// Takes a new configuration: alarms are planned anew, and alarms of targets that
    /// are gone stop paging at once.
    pub fn configure(&self, settings: Arc<Settings>) {
        // The same again would only read every alarm once more.
        self.settings.send_if_modified(|known| {
            let differs = *known != settings;
            *known = settings;
            differs
        });
    }

    /// Resolves when the task has ended, which before `shutdown` is a fault of ours.
    pub async fn ended(&self) {
        self.commands.closed().await;
    }

    /// Sends what waits and ends the task, within the given time.
    pub async fn shutdown(&self, within: Duration) {
        let deadline = Instant::now() + within;
        let flushed = async {
            if self
                .commands
                .send(Command::Shutdown(deadline))
                .await
                .is_ok()
            {
                self.commands.closed().await;
            }
        };
        // The task watches the deadline itself; this is for one that cannot any more.
        let _ = tokio::time::timeout_at(deadline + Duration::from_millis(100), flushed).await;
    }
}
