//! Runs the evidence task, which receives requests, makes the AWS calls that are due, and sends
//! updates to the monitor.
//!
//! A few calls run concurrently, and the task never blocks on a call. The rate of calls and the
//! daily cost of metric reads are limited, and a failed operation is not called again until its
//! backoff has passed. `pending` determines the calls that are due and applies their outputs.

use std::collections::VecDeque;
use std::pin::Pin;
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
use crate::io::aws::CallError;
use crate::io::evidence::backoff::{OperationBackoff, is_transient};
use crate::io::evidence::budget::{Budget, CallPacer, Permit, price};
use crate::io::evidence::call::{AwsCall, CallOutput, Query};
use crate::io::evidence::clients::ClientCache;
use crate::io::evidence::log_finding::log_finding;
use crate::io::evidence::pending::{PendingLookups, empty_update};
use crate::io::evidence::{logs, metrics};
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
    pending: PendingLookups,
    backoff: OperationBackoff,
    budget: Budget,
    pacer: CallPacer,
    /// AWS calls that are due but have not started.
    queue: VecDeque<AwsCall>,
    in_flight: FuturesUnordered<RunningCall>,
    /// Updates that have not been sent to the monitor yet.
    outbox: VecDeque<EvidenceUpdate>,
}

/// A finished AWS call, the time when it started, and its result.
type FinishedCall = (AwsCall, Timestamp, Result<CallOutput, CallError>);
type RunningCall = Pin<Box<dyn Future<Output = FinishedCall> + Send>>;

/// Maximum number of concurrent AWS calls. Calls run concurrently, so that a call that hangs does
/// not delay the other calls.
const MAX_IN_FLIGHT: usize = 4;

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
            pending: PendingLookups::new(first_log_search),
            backoff: OperationBackoff::default(),
            budget: Budget::default(),
            pacer: CallPacer::new(),
            queue: VecDeque::new(),
            in_flight: FuturesUnordered::new(),
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
        if !self.queue.is_empty() && self.in_flight.len() < MAX_IN_FLIGHT {
            return self.pacer.next().min(latest);
        }
        let due = self.pending.next_call().map(|due| {
            let left = Duration::try_from(due.duration_since(now)).unwrap_or_default();
            Instant::now() + left.min(MAX_SLEEP)
        });
        due.unwrap_or(latest)
    }

    fn start_calls(&mut self, now: Timestamp) {
        while self.in_flight.len() < MAX_IN_FLIGHT && self.pacer.next() <= Instant::now() {
            let Some(call) = self.queue.pop_front() else {
                return;
            };
            if self.pending.needs(&call) && self.is_permitted(&call, now) {
                let per_second = self.settings.evidence.max_requests_per_second;
                let interval = Duration::from_secs(1) / per_second.max(1);
                self.pacer.record_call(interval);
                let clients = Arc::clone(&self.clients);
                self.in_flight
                    .push(Box::pin(run_call(clients, call, now, interval)));
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
        match result {
            Ok(output) => {
                self.backoff.record_success(&key);
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
        if !settings.evidence.enabled {
            self.outbox.extend(self.pending.close());
            self.queue.clear();
        }
    }
}

/// Makes an AWS call. Returns the call, its start time `started`, and its result. `interval` is the
/// delay before each page of a log search except the first page.
async fn run_call(
    clients: Arc<ClientCache>,
    call: AwsCall,
    started: Timestamp,
    interval: Duration,
) -> FinishedCall {
    let scope = &call.scope;
    let result = match &call.query {
        Query::Metrics { series, from, to } => metrics::read(&clients, scope, series, *from, *to)
            .await
            .map(CallOutput::Metrics),
        Query::Log(source, query) => logs::search(&clients, scope, query, interval)
            .await
            .map(|lines| CallOutput::Log(*source, log_finding(*source, &lines, &query.id))),
    };
    (call, started, result)
}
