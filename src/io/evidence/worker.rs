//! Runs the evidence task, which receives requests, makes the AWS calls that are due, and sends
//! updates to the monitor.
//!
//! A few calls run concurrently, and the task never blocks on a call. The rate of calls and the
//! daily cost of metric reads are limited, and a failed operation is not called again until its
//! backoff has passed. `pending` determines the calls that are due and applies their outputs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::domain::diagnosis::aws::{EvidenceRequest, EvidenceUpdate};
use crate::domain::retry::jitter;
use crate::io::evidence::backoff::{
    BlockedOperation, OperationBackoff, OperationKey, is_transient,
};
use crate::io::evidence::budget::{Budget, CallPacer, Permit, price};
use crate::io::evidence::call::{AwsCall, CallOutput, Query};
use crate::io::evidence::clients::ClientCache;
use crate::io::evidence::configuration::{ApiCache, FinishedRead};
use crate::io::evidence::operation::Operation;
use crate::io::evidence::pending::{PendingLookups, empty_update};
use crate::io::evidence::running::{FinishedCall, RunningCall, run};
use crate::io::evidence::scope::AwsScope;
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::model::settings::Settings;
use crate::model::target::TargetName;

/// A command from [`EvidenceCollector`](super::EvidenceCollector) to the evidence task.
#[derive(Debug)]
pub(super) enum WorkerCommand {
    /// Drops the lookups of a target, without an update.
    Forget(TargetName),
    /// Ends the task.
    Stop,
}

/// The state of the evidence task.
pub(super) struct Worker {
    new_settings: watch::Receiver<Arc<Settings>>,
    settings: Arc<Settings>,
    metrics: DaemonMetrics,
    updates: mpsc::Sender<EvidenceUpdate>,
    clients: Arc<ClientCache>,
    /// The cache of API configurations, which all targets share.
    apis: Arc<ApiCache>,
    pending: PendingLookups,
    backoff: OperationBackoff,
    budget: Budget,
    pacer: CallPacer,
    /// AWS calls that are due but have not started.
    queue: VecDeque<AwsCall>,
    in_flight: FuturesUnordered<RunningCall>,
    /// The number of running calls that read a configuration.
    configurations_in_flight: usize,
    /// Updates that have not been sent to the monitor yet.
    outbox: VecDeque<EvidenceUpdate>,
}

/// Maximum number of concurrent AWS calls. Calls run concurrently, so that a call that hangs does
/// not delay the other calls.
const MAX_IN_FLIGHT: usize = 4;

/// Maximum number of running calls that read a configuration. These calls may wait long for their
/// own rate limits, so they must leave room for the other calls.
const MAX_CONFIGURATIONS: usize = 2;

/// Maximum time between two iterations of the task's loop. Calls are scheduled by the wall clock; a
/// change of that clock takes effect within this time.
const MAX_SLEEP: Duration = Duration::from_secs(30);

impl Worker {
    pub(super) fn new(
        mut new_settings: watch::Receiver<Arc<Settings>>,
        metrics: DaemonMetrics,
        updates: mpsc::Sender<EvidenceUpdate>,
        base: Option<SdkConfig>,
        first_log_search: Duration,
    ) -> Self {
        let settings = new_settings.borrow_and_update().clone();
        let clients = Arc::new(ClientCache::new(&settings, base, metrics.clone()));
        Self {
            new_settings,
            settings,
            metrics,
            updates,
            clients,
            apis: Arc::default(),
            pending: PendingLookups::new(first_log_search),
            backoff: OperationBackoff::default(),
            budget: Budget::default(),
            pacer: CallPacer::new(),
            queue: VecDeque::new(),
            in_flight: FuturesUnordered::new(),
            configurations_in_flight: 0,
            outbox: VecDeque::new(),
        }
    }

    /// Runs the evidence task until it is stopped, or its handle or the receiver of updates is
    /// dropped.
    pub(super) async fn run(
        mut self,
        mut requests: mpsc::Receiver<EvidenceRequest>,
        mut commands: mpsc::UnboundedReceiver<WorkerCommand>,
    ) {
        let updates = self.updates.clone();
        loop {
            let now = Timestamp::now();
            self.queue.extend(self.pending.take_due(now));
            self.start_calls(now);
            let wake = self.next_wake(now);
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => {
                        self.add(request);
                        // Requests that arrived together can share their calls.
                        while let Ok(request) = requests.try_recv() {
                            self.add(request);
                        }
                    }
                    None => return,
                },
                command = commands.recv() => match command {
                    Some(WorkerCommand::Forget(target)) => {
                        self.pending.retain(|request| request.target.name != target);
                    }
                    Some(WorkerCommand::Stop) | None => return,
                },
                Ok(()) = self.new_settings.changed() => self.reconfigure(),
                Some(finished) = self.in_flight.next() => self.finish(finished),
                room = updates.reserve(), if !self.outbox.is_empty() => match room {
                    Ok(room) => if let Some(update) = self.outbox.pop_front() {
                        room.send(update);
                    },
                    Err(_) => return,
                },
                () = updates.closed() => return,
                () = sleep_until(wake) => {}
            }
        }
    }

    fn add(&mut self, request: EvidenceRequest) {
        if !self.settings.evidence.enabled {
            self.outbox.push_back(empty_update(&request));
            return;
        }
        match self.pending.add(request, &self.settings) {
            Ok(update) => self.outbox.extend(update),
            Err(update) => {
                self.count_dropped("too-many", 1);
                self.outbox.push_back(update);
            }
        }
    }

    /// Returns the time at which the loop must continue: when the next queued call may start or, if
    /// no queued call can start, when the next call is due. At most [`MAX_SLEEP`] after `now`.
    fn next_wake(&self, now: Timestamp) -> Instant {
        let latest = Instant::now() + MAX_SLEEP;
        if self.next_queued().is_some() && self.in_flight.len() < MAX_IN_FLIGHT {
            return self.pacer.next().min(latest);
        }
        let due = self.pending.next_call().map(|due| {
            let left = Duration::try_from(due.duration_since(now)).unwrap_or_default();
            Instant::now() + left.min(MAX_SLEEP)
        });
        due.unwrap_or(latest)
    }

    /// Returns the index of the next queued call that may run at the same time as the running
    /// calls; `None` if there is none.
    fn next_queued(&self) -> Option<usize> {
        let is_full = self.configurations_in_flight >= MAX_CONFIGURATIONS;
        let mut calls = self.queue.iter();
        calls.position(|call| !(is_full && call.reads_configuration()))
    }

    fn start_calls(&mut self, now: Timestamp) {
        while self.in_flight.len() < MAX_IN_FLIGHT && self.pacer.next() <= Instant::now() {
            let next = self.next_queued();
            let Some(call) = next.and_then(|index| self.queue.remove(index)) else {
                return;
            };
            if self.pending.needs(&call) && self.is_permitted(&call, now) {
                let per_second = self.settings.evidence.max_requests_per_second;
                let interval = Duration::from_secs(1) / per_second.max(1);
                self.pacer.record_call(interval);
                self.configurations_in_flight += usize::from(call.reads_configuration());
                let blocked = self.backoff.blocked(&call.scope, now);
                let sources = (Arc::clone(&self.clients), Arc::clone(&self.apis), blocked);
                self.in_flight
                    .push(Box::pin(run(sources, call, now, interval)));
            }
        }
    }

    /// Returns whether backoff and budget permit a call at `now`. Adds the price of a permitted
    /// metric read to the cost of the day. Postpones or abandons a call that is not permitted.
    fn is_permitted(&mut self, call: &AwsCall, now: Timestamp) -> bool {
        if let Some(failing) = self.backoff.blocking_failure(&call.operation_key(), now) {
            let retry_at = is_transient(failing.kind).then_some(failing.retry_at);
            self.postpone(call, retry_at, failing.kind.as_str());
            return false;
        }
        let Query::Metrics { series, .. } = &call.query else {
            return true;
        };
        let max_daily_cost = self.settings.evidence.max_daily_cost;
        match self.budget.spend(series.len(), max_daily_cost, now) {
            Permit::Granted => {
                self.metrics.evidence_cost.inc_by(price(series.len()));
                true
            }
            Permit::Refused { first_today } => {
                // A limit of zero disables metric reads, so no warning is needed.
                if first_today && max_daily_cost > 0.0 {
                    warn!(
                        max_daily_cost,
                        "evidence: daily cost limit reached; reading no more metrics until \
                         midnight UTC (raise `evidence.max_daily_cost` to read more)"
                    );
                }
                self.postpone(call, None, "cost-bound");
                false
            }
        }
    }

    fn finish(&mut self, (call, started, result): FinishedCall) {
        let key = call.operation_key();
        self.configurations_in_flight -= usize::from(call.reads_configuration());
        match result {
            Ok(mut output) => {
                self.backoff.record_success(&key);
                if let CallOutput::Configuration(reading) = &mut output {
                    let retry_at = self.record_reads(&call.scope, &reading.calls);
                    let skipped_at = self.retry_of_skipped(&call.scope, &reading.skipped);
                    reading.retry_at = retry_at.max(skipped_at);
                }
                let updates = self.pending.apply(&call.lookups, &output, started);
                self.outbox.extend(updates);
            }
            Err(failure) => {
                let now = Timestamp::now();
                let backoff = &mut self.backoff;
                let retry_at = backoff.record_failure(&key, &failure, now, jitter(now));
                let retry_at = is_transient(failure.kind).then_some(retry_at);
                self.postpone(&call, retry_at, failure.kind.as_str());
            }
        }
    }

    /// Records the outcomes of the reads of a configuration. Returns the time at which the
    /// configuration is to be read again; `None` if no read failed that may soon succeed.
    fn record_reads(&mut self, scope: &AwsScope, calls: &[FinishedRead]) -> Option<Timestamp> {
        let mut retry_at = None;
        for call in calls {
            let key = OperationKey {
                scope: scope.clone(),
                operation: call.operation,
                resource: call.resource.clone(),
            };
            let Err(failure) = &call.result else {
                self.backoff.record_success(&key);
                continue;
            };
            let now = Timestamp::now();
            let at = self.backoff.record_failure(&key, failure, now, jitter(now));
            // A retry reads the whole configuration again. That is not worthwhile if only the id of
            // the account is missing.
            if is_transient(failure.kind) && call.operation != Operation::GetCallerIdentity {
                retry_at = retry_at.max(Some(at));
            }
        }
        retry_at
    }

    /// Returns the time at which a configuration is to be read again because some of its reads were
    /// skipped. They were skipped because they had failed shortly before, usually for another
    /// target. Returns `None` if none of the skipped reads may soon succeed.
    fn retry_of_skipped(
        &self,
        scope: &AwsScope,
        skipped: &[BlockedOperation],
    ) -> Option<Timestamp> {
        let now = Timestamp::now();
        let skipped = skipped.iter();
        let worthwhile =
            skipped.filter(|(operation, _)| *operation != Operation::GetCallerIdentity);
        let times = worthwhile.filter_map(|(operation, resource)| {
            let key = OperationKey {
                scope: scope.clone(),
                operation: *operation,
                resource: resource.clone(),
            };
            self.backoff.retry_of_blocked(&key, now)
        });
        times.max()
    }

    /// Schedules another attempt at `retry_at` for a call that failed or was not permitted.
    /// Abandons the call if `retry_at` is `None` or too many attempts failed. `reason` is the label
    /// under which abandoned parts of lookups are counted.
    fn postpone(&mut self, call: &AwsCall, retry_at: Option<Timestamp>, reason: &str) {
        let (updates, abandoned) = self.pending.postpone(call, retry_at);
        self.count_dropped(reason, abandoned);
        self.outbox.extend(updates);
    }

    fn count_dropped(&self, reason: &str, count: u64) {
        let dropped = &self.metrics.evidence_dropped;
        dropped.with_label_values(&[reason]).inc_by(count);
    }

    fn reconfigure(&mut self) {
        let settings = self.new_settings.borrow_and_update().clone();
        let previous = std::mem::replace(&mut self.settings, Arc::clone(&settings));
        if previous.evidence != settings.evidence || previous.cloudwatch != settings.cloudwatch {
            self.clients = Arc::new(self.clients.with_settings(&settings));
            // The new configuration may have fixed the cause of the failures.
            self.backoff = OperationBackoff::default();
        }
        self.pending.retain(|request| {
            let mut targets = settings.targets.iter();
            let current = targets.find(|target| target.name == request.target.name);
            current.is_some_and(|current| {
                current.aws == request.target.aws && current.url == request.target.url
            })
        });
        if !settings.evidence.configuration {
            self.queue.retain(|call| !call.reads_configuration());
            self.outbox.extend(self.pending.stop_configurations());
        }
        if !settings.evidence.enabled {
            self.outbox.extend(self.pending.close());
            self.queue.clear();
        }
    }
}
