//! Runs the task that searches CloudTrail for changes.
//!
//! One request runs at a time, and the task never blocks on it. CloudTrail allows two requests per
//! second in each account and Region, for all tools together. The task makes at most one request
//! every five seconds, for all accounts and Regions together. A failed operation is not called
//! again until its backoff has passed.

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

use super::lookup::{self, Answer, Lookup};
use super::watch_list::WatchList;
use super::{ChangeRequest, ChangeUpdate, is_enabled};
use crate::domain::retry::jitter;
use crate::io::aws::CallError;
use crate::io::evidence::backoff::{OperationBackoff, OperationKey};
use crate::io::evidence::budget::CallPacer;
use crate::io::evidence::clients::ClientCache;
use crate::io::evidence::operation::Operation;
use crate::io::evidence::scope::AwsScope;
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::model::settings::Settings;
use crate::model::target::TargetName;

/// A command from [`ChangeCollector`](super::ChangeCollector) to the task.
#[derive(Debug)]
pub(super) enum Command {
    /// Starts a search for changes during an incident. If the search is already in progress,
    /// updates the cause and the resources of the incident.
    Watch(Box<ChangeRequest>),
    /// Ends the search for changes that concern a target.
    Forget(TargetName),
}

/// The state of the task.
pub(super) struct Worker {
    new_settings: watch::Receiver<Arc<Settings>>,
    settings: Arc<Settings>,
    metrics: DaemonMetrics,
    updates: mpsc::Sender<ChangeUpdate>,
    clients: Arc<ClientCache>,
    incidents: WatchList,
    backoff: OperationBackoff,
    pacer: CallPacer,
    /// The running request, at most one.
    running: FuturesUnordered<Running>,
    /// Updates that have not been sent to the monitor yet. No request starts while there are any.
    outbox: VecDeque<ChangeUpdate>,
}

/// A finished request and its result.
type Finished = (Lookup, Result<Answer, CallError>);
type Running = Pin<Box<dyn Future<Output = Finished> + Send>>;

/// Minimum time between the starts of two requests.
const INTERVAL: Duration = Duration::from_secs(5);

/// Maximum time between two iterations of the task's loop. Requests are scheduled by the wall
/// clock; a change of that clock takes effect within this time.
const MAX_SLEEP: Duration = Duration::from_secs(30);

impl Worker {
    pub(super) fn new(
        mut new_settings: watch::Receiver<Arc<Settings>>,
        metrics: DaemonMetrics,
        updates: mpsc::Sender<ChangeUpdate>,
        base: Option<SdkConfig>,
    ) -> Self {
        let settings = new_settings.borrow_and_update().clone();
        let clients = Arc::new(ClientCache::new(&settings, base, metrics.clone()));
        Self {
            new_settings,
            settings,
            metrics,
            updates,
            clients,
            incidents: WatchList::default(),
            backoff: OperationBackoff::default(),
            pacer: CallPacer::new(),
            running: FuturesUnordered::new(),
            outbox: VecDeque::new(),
        }
    }

    /// Runs the task. Returns when `stop` is true, when the handle of the task is dropped, or when
    /// the receiver of updates is dropped.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut stop: watch::Receiver<bool>,
    ) {
        let updates = self.updates.clone();
        loop {
            let now = Timestamp::now();
            self.drop_expired(now);
            self.start_lookup(now);
            let wake = self.next_wake(now);
            let stopped = async {
                // An error means that the handle was dropped.
                let _ = stop.wait_for(|stop| *stop).await;
            };
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Watch(request)) => self.watch(*request),
                    Some(Command::Forget(target)) => self.incidents.forget(&target),
                    None => return,
                },
                Ok(()) = self.new_settings.changed() => self.reconfigure(),
                Some(finished) = self.running.next() => self.finish(finished),
                room = updates.reserve(), if !self.outbox.is_empty() => match room {
                    Ok(room) => if let Some(update) = self.outbox.pop_front() {
                        room.send(update);
                    },
                    Err(_) => return,
                },
                () = updates.closed() => return,
                () = stopped => return,
                () = sleep_until(wake) => {}
            }
        }
    }

    fn watch(&mut self, request: ChangeRequest) {
        let settings = Arc::clone(&self.settings);
        if !is_enabled(&settings) {
            return;
        }
        if !self.incidents.add(request, &settings, Timestamp::now()) {
            self.count_dropped("too-many");
        }
    }

    fn drop_expired(&mut self, now: Timestamp) {
        for scope in self.incidents.remove_expired(now) {
            let failing = self.backoff.blocking_failure(&operation_key(&scope), now);
            let reason = failing.map_or("too-many", |failing| failing.kind.as_str());
            self.count_dropped(reason);
        }
    }

    /// Starts the next request that is due. Does nothing if a request is running, if updates have
    /// not been sent yet, or if the last request started less than [`INTERVAL`] ago.
    fn start_lookup(&mut self, now: Timestamp) {
        let is_busy = !self.running.is_empty() || !self.outbox.is_empty();
        if is_busy || self.pacer.next() > Instant::now() {
            return;
        }
        let backoff = &self.backoff;
        let is_blocked = |scope: &AwsScope| {
            backoff
                .blocking_failure(&operation_key(scope), now)
                .is_some()
        };
        if let Some(lookup) = self.incidents.next(now, is_blocked) {
            self.pacer.record_call(INTERVAL);
            let clients = Arc::clone(&self.clients);
            self.running.push(Box::pin(async move {
                let result = lookup::ask(&clients, &lookup).await;
                (lookup, result)
            }));
        }
    }

    /// Returns the time at which the loop must continue: when the next request may start, at most
    /// [`MAX_SLEEP`] after `now`.
    fn next_wake(&self, now: Timestamp) -> Instant {
        let latest = Instant::now() + MAX_SLEEP;
        if !self.running.is_empty() || !self.outbox.is_empty() {
            return latest;
        }
        let blocked_until = |scope: &AwsScope| {
            let failing = self.backoff.blocking_failure(&operation_key(scope), now);
            failing.map(|failing| failing.retry_at)
        };
        let due = self.incidents.next_due(blocked_until).map(|due| {
            let left = Duration::try_from(due.duration_since(now)).unwrap_or_default();
            Instant::now() + left.min(MAX_SLEEP)
        });
        due.map_or(latest, |due| due.max(self.pacer.next()).min(latest))
    }

    fn finish(&mut self, (lookup, result): Finished) {
        let key = operation_key(&lookup.scope);
        match result {
            Ok(answer) => {
                self.backoff.record_success(&key);
                self.outbox.extend(answer.updates);
                if !self.incidents.record_answer(lookup, answer.next_token) {
                    self.count_dropped("too-many");
                }
            }
            Err(failure) => {
                let now = Timestamp::now();
                self.backoff
                    .record_failure(&key, &failure, now, jitter(now));
            }
        }
    }

    fn count_dropped(&self, reason: &str) {
        let dropped = &self.metrics.evidence_dropped;
        dropped.with_label_values(&[reason]).inc();
    }

    fn reconfigure(&mut self) {
        let settings = self.new_settings.borrow_and_update().clone();
        let previous = std::mem::replace(&mut self.settings, Arc::clone(&settings));
        if previous.evidence != settings.evidence || previous.cloudwatch != settings.cloudwatch {
            self.clients = Arc::new(self.clients.with_settings(&settings));
            // The new configuration may have fixed the cause of the failures.
            self.backoff = OperationBackoff::default();
        }
        if is_enabled(&settings) {
            self.incidents.configure(&settings);
        } else {
            self.incidents.clear();
        }
    }
}

/// Returns the key under which the backoff and the logged failures of a scope are stored.
fn operation_key(scope: &AwsScope) -> OperationKey {
    OperationKey {
        scope: scope.clone(),
        operation: Operation::LookupEvents,
        resource: None,
    }
}
