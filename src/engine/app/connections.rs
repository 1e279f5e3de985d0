//! Starts the sinks and the tasks that the monitor sends requests to, and creates the queues of the
//! monitor.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use tokio::sync::mpsc;

use super::Configuration;
use crate::domain::diagnosis::aws::EvidenceUpdate;
use crate::engine::monitor::{Inbox, Outbox};
use crate::engine::scheduler::follow_up_requests::FollowUpRequests;
use crate::engine::scheduler::{Command, Emission};
use crate::io::evidence::EvidenceCollector;
use crate::io::evidence::changes::{ChangeCollector, ChangeUpdate};
use crate::io::probe::Prober;
use crate::io::sd_notify::SdNotify;
use crate::io::sink::Sinks;
use crate::io::sink::cloudwatch::{CloudWatchSink, Timing};
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::io::sink::page::StatusBoard;
use crate::io::sink::prometheus::PrometheusSink;
use crate::io::store::Store;
use crate::model::settings::Settings;

/// The monitor's inbox and outbox, and the ends of its queues that other tasks need.
pub(super) struct Connections {
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    /// The scheduler's end of the queue from the scheduler to the monitor.
    pub(super) emissions: mpsc::Sender<Emission>,
    /// The scheduler's end of the queue of commands from the monitor.
    pub(super) commands: mpsc::Receiver<Command>,
    /// The sending end of the queue of configurations for the monitor.
    pub(super) configure: mpsc::Sender<Configuration>,
}

/// Capacity, in events, of the queue from the scheduler to the monitor. The monitor waits only for
/// the store, so a short queue is enough. If the queue is full, a probe counts as running until its
/// result is queued, so results waiting for the queue are limited by `max_in_flight`.
const EMISSION_QUEUE: usize = 1024;

/// Capacity, in commands, of the queue to the scheduler. This is enough for the confirming probes
/// of a few thousand targets that fail at the same time.
const COMMAND_QUEUE: usize = 4096;

/// Maximum number of follow-up requests, such as control requests, that run or wait until their
/// delay has passed. Also the capacity of the queue of further requests, and of the queue of
/// results. This allows a few requests per incident for as many incidents as people can handle at
/// the same time.
const MAX_FOLLOW_UPS: usize = 64;

/// Capacity, in updates, of the queue of evidence updates for the monitor. This is one update for
/// each request that fits into the queue of evidence requests.
const EVIDENCE_QUEUE: usize = 256;

/// Capacity, in updates, of the queue of account changes for the monitor. The task that finds the
/// changes waits if the queue is full.
const CHANGES_QUEUE: usize = 64;

/// Starts the tasks that collect evidence and account changes, the task that makes follow-up
/// requests, and the sinks.
pub(super) fn start(
    (aws, first_log_search): (Option<SdkConfig>, Duration),
    sd_notify: SdNotify,
    settings: &Arc<Settings>,
    metrics: &DaemonMetrics,
    (prober, store): (&Prober, &Store),
) -> Connections {
    let (emissions, emission_receiver) = mpsc::channel(EMISSION_QUEUE);
    let (follow_up_sender, follow_up_results) = mpsc::channel(MAX_FOLLOW_UPS);
    let (configure, configurations) = mpsc::channel(1);
    let (scheduler, commands) = mpsc::channel(COMMAND_QUEUE);
    let (collector, evidence) = start_evidence(settings, metrics, (aws.clone(), first_log_search));
    let (change_collector, changes) = start_changes(settings, metrics, aws.clone());
    let dropped = metrics.controls_dropped.clone();
    let follow_ups =
        FollowUpRequests::start(prober.clone(), follow_up_sender, MAX_FOLLOW_UPS, dropped);
    let outbox = Outbox {
        sinks: start_sinks(settings, metrics, aws, store.clone()),
        scheduler,
        follow_ups,
        evidence: Arc::new(collector),
        changes: Arc::new(change_collector),
        sd_notify,
    };
    let inbox = Inbox {
        emissions: emission_receiver,
        follow_ups: follow_up_results,
        evidence,
        changes,
        configurations,
    };
    Connections {
        inbox,
        outbox,
        emissions,
        commands,
        configure,
    }
}

/// Starts the task that collects evidence. Returns the handle of the task and the receiver of
/// evidence updates.
fn start_evidence(
    settings: &Settings,
    metrics: &DaemonMetrics,
    (aws, first_log_search): (Option<SdkConfig>, Duration),
) -> (EvidenceCollector, mpsc::Receiver<EvidenceUpdate>) {
    let (sender, updates) = mpsc::channel(EVIDENCE_QUEUE);
    let collector =
        EvidenceCollector::start(settings, metrics.clone(), sender, aws, first_log_search);
    (collector, updates)
}

/// Starts the task that searches for changes in AWS accounts. Returns the handle of the task and
/// the receiver of the changes.
fn start_changes(
    settings: &Settings,
    metrics: &DaemonMetrics,
    aws: Option<SdkConfig>,
) -> (ChangeCollector, mpsc::Receiver<ChangeUpdate>) {
    let (sender, updates) = mpsc::channel(CHANGES_QUEUE);
    let collector = ChangeCollector::start(settings, metrics.clone(), sender, aws);
    (collector, updates)
}

/// Starts the sinks that publish results, and returns them.
fn start_sinks(
    settings: &Arc<Settings>,
    metrics: &DaemonMetrics,
    aws: Option<SdkConfig>,
    store: Store,
) -> Sinks {
    let cloudwatch = CloudWatchSink::start_on(
        Arc::clone(settings),
        metrics.clone(),
        aws,
        store,
        Timing::default(),
    );
    Sinks {
        prometheus: Arc::new(PrometheusSink::new(metrics.clone())),
        board: Arc::new(StatusBoard::default()),
        cloudwatch: Arc::new(cloudwatch),
    }
}
