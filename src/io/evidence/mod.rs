//! Collects evidence about failed requests from AWS: CloudWatch metrics around the request,
//! and its own log lines.
//!
//! This file is the handle that the monitor holds. `worker` is the task behind it; `pending`,
//! `lookup` and `call` plan the calls; `series`, `metrics`, `logs` and `log_finding` make and
//! read them; `scope` and `clients` connect to AWS; `budget` and `backoff` limit calls. Which
//! requests to look up and what their evidence means is decided in `domain`.

mod backoff;
mod budget;
mod call;
mod clients;
mod log_finding;
mod logs;
mod lookup;
mod metrics;
mod pending;
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

/// The handle of the task that collects evidence. Dropping it ends the task.
#[derive(Debug)]
pub struct EvidenceCollector {
    requests: mpsc::Sender<EvidenceRequest>,
    commands: mpsc::UnboundedSender<WorkerCommand>,
    settings: watch::Sender<Arc<Settings>>,
    updates: mpsc::Sender<EvidenceUpdate>,
    metrics: DaemonMetrics,
}

/// Time from the end of a request to the first search of a log. Lines usually appear within
/// seconds; AWS does not guarantee a time.
pub const FIRST_LOG_SEARCH: Duration = Duration::from_secs(15);

/// Capacity of the request queue: two requests for each of about a hundred targets that fail at
/// once. The task never blocks on AWS, so the queue empties soon.
const QUEUE: usize = 256;

impl EvidenceCollector {
    /// Starts the task. Must be called inside a Tokio runtime.
    ///
    /// Every request passed to [`EvidenceCollector::ask`] gets a last update through
    /// `updates`, unless it is forgotten. While `evidence.enabled` is false that update is
    /// empty. `base` is an SDK configuration made by `aws_config`'s loader (one built by hand
    /// lacks the clock that assuming a role needs); `None` means the SDK's default chain.
    /// `first_log_search` is [`FIRST_LOG_SEARCH`] for AWS, less for a simulation.
    #[must_use]
    pub fn start(
        settings: &Settings,
        metrics: DaemonMetrics,
        updates: mpsc::Sender<EvidenceUpdate>,
        base: Option<SdkConfig>,
        first_log_search: Duration,
    ) -> Self {
        let (requests, requested) = mpsc::channel(QUEUE);
        // Unbounded because no command may be lost; there is about one command per resolved
        // incident.
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

    /// Requests evidence, without blocking. If the queue is full, the request is counted as dropped
    /// and gets an empty update, provided that the update channel has room.
    pub fn ask(&self, request: EvidenceRequest) {
        if let Err(refused) = self.requests.try_send(request) {
            let request = refused.into_inner();
            let dropped = &self.metrics.evidence_dropped;
            dropped.with_label_values(&["queue-full"]).inc();
            // The update is lost if its channel is full, which means that the monitor is overloaded
            // as well.
            let _ = self.updates.try_send(pending::empty_update(&request));
        }
    }

    /// Drops every request about a target, without an update. To be called when the target's
    /// incident is resolved or the target is removed.
    pub fn forget(&self, target: &TargetName) {
        // Fails only if the task has ended; then no request is left to drop.
        let _ = self.commands.send(WorkerCommand::Forget(target.clone()));
    }

    /// Applies a new configuration. Requests about targets that were removed, or whose URL
    /// or `[target.aws]` changed, are dropped.
    pub fn configure(&self, settings: &Settings) {
        self.settings.send_if_modified(|current| {
            let differs = **current != *settings;
            if differs {
                *current = Arc::new(settings.clone());
            }
            differs
        });
    }

    /// Resolves when the task has ended. If that happens before [`EvidenceCollector::shutdown`], it
    /// is a bug, or the receiver of updates was dropped.
    pub async fn ended(&self) {
        self.requests.closed().await;
    }

    /// Ends the task and waits for its end, at most for `within`. Running calls are aborted, and
    /// pending requests get no update.
    pub async fn shutdown(&self, within: Duration) {
        let _ = self.commands.send(WorkerCommand::Stop);
        let _ = tokio::time::timeout(within, self.requests.closed()).await;
    }
}
