//! The task that runs the alarm reconciler of one destination.
//!
//! The task passes requests, new settings, the results of calls and timer expirations to the
//! reconciler as events, and carries out the outputs that the reconciler returns. Calls run
//! concurrently with the event loop, which never waits for a call. The reconciler makes all
//! decisions.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use prometheus::IntGauge;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};

use crate::domain::alarm::destination::DestinationView;
use crate::domain::alarm::reconciler::call::{Call, Notice, Output, Ticket, UpdateResult};
use crate::domain::alarm::reconciler::{Event, Reconciler};
use crate::io::alarms::account::Pace;
use crate::io::alarms::calls::{self, Performed};
use crate::io::alarms::updates::{Request, Requests};
use crate::io::cloudwatch::connection::Connection;
use crate::model::settings::DriftPolicy;

/// The task that runs the alarm reconciler of one destination and makes its calls.
pub struct Executor {
    connection: Arc<Connection>,
    requests: Requests,
    views: watch::Receiver<Arc<DestinationView>>,
    view: Arc<DestinationView>,
    reconciler: Reconciler,
    started: Instant,
    /// The time of the reconciler's last step, measured from `started`. The next wakeup is computed
    /// from this time, so that work that has become due since then is not skipped.
    stepped: Duration,
    pace: Arc<Pace>,
    running: FuturesUnordered<Running>,
    tickets: HashMap<Ticket, oneshot::Sender<UpdateResult>>,
    last_ticket: u64,
    /// The gauge of alarms that were changed by hand. All destinations share this gauge.
    drifted: IntGauge,
}

/// A call in progress. Resolves to the API operations that count as successful if the call
/// succeeded, and to the result of the call.
type Running = Pin<Box<dyn Future<Output = (Vec<&'static str>, Performed)> + Send>>;

/// Interval at which the daemon reads its alarms to detect changes by hand. The interval is long,
/// because each review reads all alarms of the location. Tags are read only for alarms that seem
/// changed or are not known to be managed.
pub const REVIEW_EVERY: Duration = Duration::from_secs(600);

impl Executor {
    /// Creates an executor for the destination whose settings `views` provides. The executor
    /// reviews the alarms every `review_every`, and adds the number of its alarms that were changed
    /// by hand to the gauge `drifted`.
    #[must_use]
    pub fn new(
        connection: Arc<Connection>,
        requests: Requests,
        mut views: watch::Receiver<Arc<DestinationView>>,
        review_every: Duration,
        drifted: IntGauge,
    ) -> Self {
        let view = views.borrow_and_update().clone();
        Self {
            connection,
            requests,
            views,
            reconciler: Reconciler::new(Arc::clone(&view), review_every),
            view,
            started: Instant::now(),
            stepped: Duration::ZERO,
            pace: Arc::default(),
            running: FuturesUnordered::new(),
            tickets: HashMap::new(),
            last_ticket: 0,
            drifted,
        }
    }

    /// Runs until the channel of settings is closed. If the destination was removed, keeps running
    /// until the actions of its alarms are disabled.
    pub async fn run(mut self) {
        self.step(Event::Timer);
        loop {
            let is_closed = self.views.has_changed().is_err();
            // The settings are always compared, because `has_changed` does not report the last
            // change before the channel was closed.
            let view = self.views.borrow_and_update().clone();
            if !Arc::ptr_eq(&view, &self.view) {
                self.view = Arc::clone(&view);
                self.step(Event::Configured(view));
            }
            if is_closed && (self.view.active || self.reconciler.is_done()) {
                return;
            }
            let wakeup = self.reconciler.next_wakeup(self.stepped);
            let wakeup = wakeup.map(|at| self.started + at);
            let timer = async {
                match wakeup {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.views.changed(), if !is_closed => {}
                Some(request) = self.requests.0.recv() => self.handle(request),
                Some(performed) = self.running.next() => self.finish(performed),
                () = timer => self.step(Event::Timer),
            }
        }
    }

    /// Passes a request to the reconciler.
    fn handle(&mut self, request: Request) {
        let event = match request {
            Request::Update {
                target,
                annotation,
                not_before,
            } => Event::Requested {
                target,
                annotation,
                not_before: not_before.saturating_duration_since(self.started),
            },
            Request::MarkUrgent { target, result } => {
                self.last_ticket += 1;
                let ticket = Ticket(self.last_ticket);
                self.tickets.insert(ticket, result);
                Event::BecameUrgent { target, ticket }
            }
            Request::Group(annotation) => Event::Group(annotation),
        };
        self.step(event);
    }

    /// Passes the result of a call to the connection, which logs failures, and to the reconciler.
    fn finish(&mut self, (operations, performed): (Vec<&'static str>, Performed)) {
        match &performed.failure {
            Some(failure) => self.connection.failed(failure),
            None => {
                for operation in operations {
                    self.connection.succeeded(operation);
                }
            }
        }
        self.step(Event::Finished(performed.outcome));
    }

    /// Passes an event to the reconciler and carries out its outputs.
    fn step(&mut self, event: Event) {
        self.stepped = self.started.elapsed();
        for output in self.reconciler.step(event, self.stepped) {
            match output {
                Output::Call(call) => self.running.push(self.perform(call)),
                Output::Settled(ticket, result) => {
                    if let Some(waiting) = self.tickets.remove(&ticket) {
                        // Sending fails if the requester has reached its time limit. In that case,
                        // the requester sends its datapoint without waiting for the alarm.
                        let _ = waiting.send(result);
                    }
                }
                Output::Drifted(more) => self.drifted.add(more),
                Output::Log(notice) => log(notice),
            }
        }
    }

    fn perform(&self, call: Call) -> Running {
        let (connection, view) = (Arc::clone(&self.connection), Arc::clone(&self.view));
        let pace = Arc::clone(&self.pace);
        Box::pin(async move {
            let operations = calls::operations(&call);
            let api = connection.api(&view).await;
            (operations, calls::perform(api, &pace, call).await)
        })
    }
}

fn log(notice: Notice) {
    match notice {
        Notice::Planned(writes) => info!(writes, "cloudwatch: alarms read, writes planned"),
        Notice::Created(alarm, cause) => info!(alarm, cause, "cloudwatch: alarm created"),
        Notice::Updated(alarm, cause) => info!(alarm, cause, "cloudwatch: alarm updated"),
        Notice::Annotated(alarm, annotation) => info!(
            alarm,
            cause = annotation.cause,
            certainty = annotation.certainty,
            "cloudwatch: cause written to alarm"
        ),
        Notice::ActionsDisabled(alarms) => info!(
            ?alarms,
            "cloudwatch: actions disabled for alarms that are no longer configured"
        ),
        Notice::Conflict(alarm) => error!(
            alarm,
            "cloudwatch: existing alarm is composite or has no tag `probecause:managed`, and was \
             left unchanged; delete the alarm or, if it is a metric alarm, add the tag"
        ),
        Notice::ChangedByHand(alarm, differs, policy) => {
            let action = match policy {
                DriftPolicy::Mend => "overwriting the changes",
                DriftPolicy::Leave => {
                    "leaving the changes, because `cloudwatch.drift` is \"leave\""
                }
            };
            warn!(
                alarm,
                differs, "cloudwatch: alarm was changed by hand; {action}"
            );
        }
        Notice::AsConfigured(alarm) => info!(alarm, "cloudwatch: alarm is as configured again"),
        Notice::PeersChanged(gone) => info!(
            ?gone,
            "cloudwatch: other daemons started or stopped; alarms were reassigned"
        ),
    }
}
