//! Collects evidence about failed requests from AWS: the CloudWatch metrics at the time of a
//! request, the log lines about the request, and the configuration of the resources behind it.
//!
//! The monitor uses the task in `worker` through [`EvidenceCollector`]. `pending`, `lookup` and
//! `call` plan the AWS calls. `series`, `metrics`, `logs`, `log_finding` and `configuration` read
//! the data. `readings` keeps configurations for the next failure. `scope` and `clients` connect to
//! AWS, `operation` names the calls, and `running` makes them. `budget` and `backoff` limit the
//! calls. `check` shows which evidence the credentials may read, and `changes` searches for changes
//! in the account. `domain` decides which requests need evidence, and interprets the evidence.

mod backoff;
mod budget;
mod call;
pub mod changes;
pub mod check;
mod clients;
mod configuration;
mod log_finding;
mod logs;
mod lookup;
mod metrics;
mod operation;
mod pending;
mod readings;
mod running;
mod scope;
mod series;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use tokio::sync::{mpsc, watch};

use crate::domain::diagnosis::aws::{EvidenceRequest, EvidenceUpdate};
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::model::settings::Settings;
use crate::model::target::TargetName;

use worker::{Worker, WorkerCommand};

/// The handle of the task that collects evidence. The task ends when the handle is dropped.
#[derive(Debug)]
pub struct EvidenceCollector {
    requests: mpsc::Sender<EvidenceRequest>,
    commands: mpsc::UnboundedSender<WorkerCommand>,
    settings: watch::Sender<Arc<Settings>>,
    updates: mpsc::Sender<EvidenceUpdate>,
    metrics: DaemonMetrics,
}

/// The time from the end of a probe to the first search of a log. Log lines usually appear within
/// seconds, but AWS does not guarantee this.
pub const FIRST_LOG_SEARCH: Duration = Duration::from_secs(15);

/// Capacity, in requests, of the queue of evidence requests. This is enough for two requests about
/// each of a hundred targets that fail at the same time. The evidence task never blocks on AWS, so
/// the queue empties quickly.
const QUEUE: usize = 256;

impl EvidenceCollector {
    /// Starts the task that collects evidence. Must be called inside a Tokio runtime.
    ///
    /// For every request passed to [`EvidenceCollector::request`], the task sends a last update
    /// (with `last` set) through `updates`, unless [`EvidenceCollector::forget`] or
    /// [`EvidenceCollector::configure`] drops the request, or the task ends. If a request is made
    /// while `evidence.enabled` is false, this update contains no evidence.
    ///
    /// `base` is an SDK configuration from the loader of `aws_config`, which includes the clock
    /// that is needed to assume a role. `None` means the SDK's default provider chain.
    /// `first_log_search` is [`FIRST_LOG_SEARCH`] for AWS, and shorter for a simulation.
    #[must_use]
    pub fn start(
        settings: &Settings,
        metrics: DaemonMetrics,
        updates: mpsc::Sender<EvidenceUpdate>,
        base: Option<SdkConfig>,
        first_log_search: Duration,
    ) -> Self {
        let (requests, requested) = mpsc::channel(QUEUE);
        // The channel is unbounded because no command may be lost. The queue stays short, because
        // there is only about one command per resolved incident or removed target.
        let (commands, commanded) = mpsc::unbounded_channel();
        let (settings, new_settings) = watch::channel(Arc::new(settings.clone()));
        let worker = Worker::new(
            new_settings,
            metrics.clone(),
            updates.clone(),
            base,
            first_log_search,
        );
        tokio::spawn(worker.run(requested, commanded));
        Self {
            requests,
            commands,
            settings,
            updates,
            metrics,
        }
    }

    /// Requests evidence without blocking. If the queue is full or the task has ended, the request
    /// is counted as dropped, and its only update contains no evidence.
    pub fn request(&self, request: EvidenceRequest) {
        if let Err(refused) = self.requests.try_send(request) {
            let request = refused.into_inner();
            let dropped = &self.metrics.evidence_dropped;
            dropped.with_label_values(&["queue-full"]).inc();
            // The update is lost if the channel to the monitor is also full.
            let _ = self.updates.try_send(pending::empty_update(&request));
        }
    }

    /// Returns whether the settings let the task read the configuration of the resources behind
    /// targets.
    #[must_use]
    pub fn reads_configuration(&self) -> bool {
        let settings = self.settings.borrow();
        settings.evidence.enabled && settings.evidence.configuration
    }

    /// Drops all requests about a target, without an update. Called when the incident of the target
    /// is resolved or the target is removed.
    pub fn forget(&self, target: &TargetName) {
        // Sending fails only if the task has ended, and then no request is left to drop.
        let _ = self.commands.send(WorkerCommand::Forget(target.clone()));
    }

    /// Applies a new configuration. Drops requests about targets that were removed or whose URL or
    /// `[target.aws]` changed. If `evidence.enabled` is now false, ends all other requests with a
    /// last update.
    pub fn configure(&self, settings: &Settings) {
        self.settings.send_if_modified(|current| {
            let differs = **current != *settings;
            if differs {
                *current = Arc::new(settings.clone());
            }
            differs
        });
    }

    /// Waits until the task has ended. Before [`EvidenceCollector::shutdown`], the task ends only
    /// because of a bug or because the receiver of updates was dropped.
    pub async fn ended(&self) {
        self.requests.closed().await;
    }

    /// Stops the task and waits until it has ended, at most for `within`. Running AWS calls are
    /// aborted, and no update is sent for pending requests.
    pub async fn shutdown(&self, within: Duration) {
        let _ = self.commands.send(WorkerCommand::Stop);
        let _ = tokio::time::timeout(within, self.requests.closed()).await;
    }
}
