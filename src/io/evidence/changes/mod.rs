//! Searches CloudTrail for changes in the AWS account while an incident is open.
//!
//! The monitor uses the task in `worker` through [`ChangeCollector`]. `watch_list` chooses the next
//! request, and `lookup` makes it and reads the response. `domain::account_changes` decides which
//! events concern a target, and the monitor adds the changes to the incident.

mod lookup;
mod watch_list;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use crate::domain::account_changes::Watched;
use crate::domain::incident::{AccountChange, IncidentId};
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::model::cause::CauseId;
use crate::model::settings::Settings;
use crate::model::target::{Target, TargetName};

use worker::{Command, Worker};

/// A request to search for changes while an incident is open.
#[derive(Clone, Debug)]
pub struct ChangeRequest {
    /// The target of the incident.
    pub target: Arc<Target>,
    /// The AWS resources of the target, as far as they are known.
    pub watched: Watched,
    /// The id of the incident.
    pub incident: IncidentId,
    /// When the incident opened.
    pub opened: Timestamp,
    /// When the first failed probe of the incident began.
    pub first_failure: Timestamp,
    /// The current cause of the incident. The events that fit it are looked up first.
    pub cause: CauseId,
}

/// Changes that were found for an incident. Changes that are already known may be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeUpdate {
    /// The target of the incident.
    pub target: TargetName,
    /// The id of the incident.
    pub incident: IncidentId,
    /// The changes that concern the target.
    pub changes: Vec<AccountChange>,
}

/// The handle of the task that searches for changes. The task ends when the handle is dropped.
#[derive(Debug)]
pub struct ChangeCollector {
    commands: mpsc::Sender<Command>,
    settings: watch::Sender<Arc<Settings>>,
    stop: watch::Sender<bool>,
    metrics: DaemonMetrics,
}

/// Capacity of the queue of commands. The task never blocks on AWS, so the queue empties quickly.
const QUEUE: usize = 256;

impl ChangeCollector {
    /// Starts the task that searches for changes, and sends them through `updates`. Must be called
    /// inside a Tokio runtime. `base` is an SDK configuration, as in
    /// [`EvidenceCollector::start`](super::EvidenceCollector::start).
    #[must_use]
    pub fn start(
        settings: &Settings,
        metrics: DaemonMetrics,
        updates: mpsc::Sender<ChangeUpdate>,
        base: Option<SdkConfig>,
    ) -> Self {
        let (commands, commanded) = mpsc::channel(QUEUE);
        let (settings, new_settings) = watch::channel(Arc::new(settings.clone()));
        let (stop, stopped) = watch::channel(false);
        let worker = Worker::new(new_settings, metrics.clone(), updates, base);
        tokio::spawn(worker.run(commanded, stopped));
        Self {
            commands,
            settings,
            stop,
            metrics,
        }
    }

    /// Requests a search for changes while an incident is open. Does not block. A repeated request
    /// updates the cause and the resources. Does nothing unless `evidence.enabled` and
    /// `evidence.changes` are set. If the queue is full, the request is counted as dropped; the
    /// next request about the incident may succeed.
    pub fn watch(&self, request: ChangeRequest) {
        if !is_enabled(&self.settings.borrow()) {
            return;
        }
        let command = Command::Watch(Box::new(request));
        if self.commands.try_send(command).is_err() {
            let dropped = &self.metrics.evidence_dropped;
            dropped.with_label_values(&["queue-full"]).inc();
        }
    }

    /// Ends the search for changes that concern a target. Called when the incident of the target is
    /// resolved or the target is removed.
    pub fn forget(&self, target: &TargetName) {
        if !is_enabled(&self.settings.borrow()) {
            return;
        }
        // If the queue is full, the command is lost. The search then continues until it expires,
        // and its changes are not added to any incident.
        let _ = self.commands.try_send(Command::Forget(target.clone()));
    }

    /// Applies a new configuration. Ends the searches for targets that were removed or whose URL or
    /// `[target.aws]` changed. Ends all searches if the new configuration disables them.
    pub fn configure(&self, settings: &Settings) {
        self.settings.send_if_modified(|current| {
            let differs = **current != *settings;
            if differs {
                *current = Arc::new(settings.clone());
            }
            differs
        });
    }

    /// Waits until the task has ended. Before [`ChangeCollector::shutdown`], the task ends only
    /// because of a bug or because the receiver of updates was dropped.
    pub async fn ended(&self) {
        self.commands.closed().await;
    }

    /// Stops the task and waits until it has ended, at most for `within`. A running request is
    /// aborted.
    pub async fn shutdown(&self, within: Duration) {
        self.stop.send_replace(true);
        let _ = tokio::time::timeout(within, self.commands.closed()).await;
    }
}

/// Returns whether the settings enable the search for changes.
fn is_enabled(settings: &Settings) -> bool {
    settings.evidence.enabled && settings.evidence.changes
}
