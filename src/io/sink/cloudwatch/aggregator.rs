//! Turns the reports of one destination into datapoints and passes the datapoints to the publisher.
//!
//! The event loop never waits for CloudWatch, and receives reports even while requests are in
//! progress. A datapoint that raises an alarm is held until the alarm names the cause, for at most
//! two seconds, and is released immediately if updating the alarm fails.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::domain::alarm::annotation::Annotation;
use crate::domain::alarm::destination::DestinationView;
use crate::domain::alarm::{self, has_alarm};
use crate::domain::diagnosis::{Evidence, Verdict};
use crate::domain::incident::Incident;
use crate::domain::layers::LayerFindings;
use crate::domain::report::{Report, Update};
use crate::io::alarms::updates::AlarmUpdates;
use crate::io::cloudwatch::connection::Connection;
use crate::io::sink::cloudwatch::aggregation::{Aggregation, Immediate};
use crate::io::sink::cloudwatch::datapoint::Datapoint;
use crate::io::sink::cloudwatch::publisher::Publisher;
use crate::io::sink::daemon_metrics::DaemonMetrics;
use crate::io::store::Store;
use crate::model::cause::{CauseId, Certainty};
use crate::model::target::{Target, TargetName};

/// A message to the aggregator.
#[derive(Debug)]
pub(super) enum Command {
    Report(Box<Report>),
    Update(Box<Update>),
    /// Sets whether the prober itself is impaired.
    ProberImpaired(bool),
    /// Makes the aggregator send the waiting datapoints and end by the given deadline.
    Shutdown(Instant),
}

/// The aggregator of one destination. It owns the destination's publisher.
pub(super) struct Aggregator {
    updates: AlarmUpdates,
    settings: watch::Receiver<Arc<DestinationView>>,
    current: Arc<DestinationView>,
    metrics: DaemonMetrics,
    aggregation: Aggregation,
    publisher: Publisher,
    /// The content of the last annotation requested for each target's alarm; `None` if that
    /// annotation names no cause.
    requested: HashMap<TargetName, Option<Annotated>>,
    /// One future per held datapoint. The future completes when updating the alarm has succeeded or
    /// failed, or after `update_wait`.
    held: FuturesUnordered<Held>,
    /// Maximum time for which a datapoint is held.
    update_wait: Duration,
    /// Whether the prober itself is impaired. If so, no heartbeat is sent, so that the heartbeat
    /// alarm fires.
    prober_impaired: bool,
    /// The time by which the aggregator must end; `None` before [`Command::Shutdown`].
    deadline: Option<Instant>,
}

/// The content of an annotation: the cause, its certainty, the summary of the target's layers, and
/// the summaries of the account changes that fit the cause.
type Annotated = (CauseId, Certainty, Option<String>, Vec<String>);

/// A future that completes when a held datapoint must be sent. Its output is the row id of the
/// datapoint, and whether an alarm or another daemon named the cause in time.
type Held = Pin<Box<dyn Future<Output = (u64, bool)> + Send>>;

/// Maximum time for which a datapoint is held. Holding a datapoint delays the alarm by at most this
/// time. Updating an alarm takes less time, unless AWS is slow or throttles the calls.
pub(super) const UPDATE_WAIT: Duration = Duration::from_secs(2);

/// Interval at which ended windows are closed and new datapoints are saved. A window is thus sent
/// at most one interval late, and a killed process loses the values of about one interval.
const TICK: Duration = Duration::from_millis(500);

impl Aggregator {
    /// Creates an aggregator. `destination` is the destination's name, empty for the main
    /// destination. A datapoint is held for at most `update_wait`.
    pub(super) fn new(
        connection: Arc<Connection>,
        updates: AlarmUpdates,
        mut settings: watch::Receiver<Arc<DestinationView>>,
        metrics: DaemonMetrics,
        (store, destination): (Store, &str),
        update_wait: Duration,
    ) -> Self {
        let current = settings.borrow_and_update().clone();
        // The key contains the location, because datapoints of another location must not be sent as
        // datapoints of this location.
        let key = format!("{}/{destination}", current.location);
        let aggregation = Aggregation::new(store.ids());
        let publisher = Publisher::new(
            connection,
            Arc::clone(&current),
            metrics.clone(),
            store,
            key.into(),
        );
        Self {
            updates,
            settings,
            current,
            metrics,
            aggregation,
            publisher,
            requested: HashMap::new(),
            held: FuturesUnordered::new(),
            update_wait,
            prober_impaired: false,
            deadline: None,
        }
    }

    /// Runs until the queue is closed. After [`Command::Shutdown`], runs until the waiting
    /// datapoints are sent or saved, or the deadline has passed.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.publisher.start_requests();
            if self.is_done() {
                return self.publisher.end().await;
            }
            let next = self.publisher.next();
            let due = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                command = queue.recv(), if self.deadline.is_none() => match command {
                    Some(Command::Report(report)) => self.report(&report),
                    Some(Command::Update(update)) => self.update(&update),
                    Some(Command::ProberImpaired(impaired)) => self.prober_impaired = impaired,
                    Some(Command::Shutdown(deadline)) => self.shut_down(deadline),
                    None => return,
                },
                Ok(()) = self.settings.changed() => self.reconfigure(),
                Some((row, in_time)) = self.held.next() => {
                    if !in_time {
                        self.metrics.alarm_updates_late.inc();
                    }
                    self.publisher.resume(row);
                }
                event = self.publisher.event() => {
                    self.publisher.handle(event, &mut self.aggregation);
                }
                () = due => {}
                _ = tick.tick() => self.tick(Timestamp::now()),
            }
        }
    }

    fn report(&mut self, report: &Report) {
        let was_down = self.aggregation.is_down(&report.target.name);
        // A failure of the prober itself is no reason to change the annotation of a target's alarm.
        if has_alarm(&report.target) && !report.prober_fault {
            self.annotate_after(report, was_down);
        }
        let resolution = self.current.cloudwatch.resolution;
        let immediate = self.aggregation.add(report, resolution);
        self.publish(immediate, &report.target.name);
    }

    fn update(&mut self, update: &Update) {
        if has_alarm(&update.target) {
            let incident = &*update.incident;
            let shown = (Some(&*incident.verdict), Some(incident));
            let evidence: &[Evidence] = match &update.probe {
                // The facts of a probe with another cause are not evidence for this cause.
                Some((_, probe)) if probe.cause() != Some(&incident.verdict.cause) => &[],
                Some((_, probe)) => &probe.evidence[..],
                None => &incident.evidence[..],
            };
            self.annotate(&update.target, shown, evidence, Instant::now());
        }
        if update.maintenance {
            // During maintenance, the alarm of the new cause must not fire, so the cause is not
            // published. The first report after maintenance publishes it.
            return;
        }
        let cause = &update.incident.verdict.cause;
        let resolution = self.current.cloudwatch.resolution;
        let immediate = self
            .aggregation
            .revise(&update.target, cause, update.at, resolution);
        self.publish(immediate, &update.target.name);
    }

    /// Publishes datapoints of a target. If an annotation of the target's alarm was requested,
    /// breaching datapoints are held until the alarm names the cause.
    fn publish(&mut self, immediate: Immediate, target: &TargetName) {
        for datapoint in immediate.other {
            self.publisher.push(datapoint);
        }
        for datapoint in immediate.breaching {
            self.hold(datapoint, target);
        }
    }

    /// Requests an annotation of the target's alarm with the verdict in `report.showing`, or an
    /// annotation without a cause if `showing` is `None`.
    fn annotate_after(&mut self, report: &Report, was_down: bool) {
        let verdict = report.showing.as_deref();
        let mut not_before = Instant::now();
        if verdict.is_none() && was_down {
            // An outage shorter than a period raises the alarm only after the period ends. The
            // alarm must still name the cause then, so the cause is removed only after two periods.
            let resolution = self.current.cloudwatch.resolution;
            let period = alarm::period(report.target.interval, resolution);
            not_before += Duration::from_secs(u64::from(period)) * 2;
        }
        let probe = &report.diagnosis;
        // The facts of a probe with another cause are not evidence for this cause.
        let same = verdict.is_some_and(|verdict| probe.cause() == Some(&verdict.cause));
        let evidence = if same { &probe.evidence[..] } else { &[] };
        let shown = (verdict, report.incident.as_deref());
        self.annotate(&report.target, shown, evidence, not_before);
    }

    /// Requests an annotation of the target's alarm with a verdict and its evidence, and with the
    /// layers and account changes of the incident. Without a verdict, the annotation names no
    /// cause. Does nothing if the last request was the same. The alarm is not updated before
    /// `not_before`.
    fn annotate(
        &mut self,
        target: &Target,
        (verdict, incident): (Option<&Verdict>, Option<&Incident>),
        evidence: &[Evidence],
        not_before: Instant,
    ) {
        let layers = incident.and_then(|incident| incident.layers.as_deref());
        let changes = match (verdict, incident) {
            (Some(verdict), Some(incident)) => incident.changes.fitting(&verdict.cause),
            _ => Vec::new(),
        };
        let cause = verdict.map(|verdict| {
            let layers = layers.map(LayerFindings::summary);
            let changes: Vec<String> = changes.iter().map(|change| change.summary()).collect();
            (verdict.cause.clone(), verdict.certainty, layers, changes)
        });
        if self.requested.get(&target.name) == Some(&cause) {
            return;
        }
        let annotation = verdict.map(|verdict| {
            Annotation::failing(target.name.as_str(), verdict, evidence, layers)
                .with_changes(&changes)
        });
        self.updates.request(&target.name, annotation, not_before);
        self.requested.insert(target.name.clone(), cause);
    }

    fn hold(&mut self, datapoint: Datapoint, target: &TargetName) {
        if !self.requested.contains_key(target) {
            self.publisher.push(datapoint);
            return;
        }
        let result = self.updates.mark_urgent(target);
        let (row, wait) = (datapoint.row, self.update_wait);
        self.publisher.hold(datapoint);
        self.held.push(Box::pin(async move {
            let in_time = matches!(
                timeout(wait, result).await,
                Ok(Ok(result)) if result.is_in_time()
            );
            (row, in_time)
        }));
    }

    fn tick(&mut self, now: Timestamp) {
        if !self.current.active {
            return;
        }
        let resolution = self.current.cloudwatch.resolution;
        for datapoint in self.aggregation.close(now, resolution) {
            self.publisher.push(datapoint);
        }
        if !self.prober_impaired
            && let Some(heartbeat) = self.aggregation.heartbeat(now, resolution)
        {
            self.publisher.push(heartbeat);
        }
        self.publisher.tick(&mut self.aggregation, now);
    }

    fn reconfigure(&mut self) {
        self.current = self.settings.borrow_and_update().clone();
        self.publisher.configure(Arc::clone(&self.current));
        let alarmed: HashMap<_, _> = self
            .current
            .targets
            .iter()
            .map(|target| (target.name.clone(), has_alarm(target)))
            .collect();
        self.aggregation
            .retain_targets(|target| alarmed.contains_key(target));
        // The entries of targets without an alarm are removed, because an alarm that is created
        // again must be annotated again.
        self.requested
            .retain(|target, _| alarmed.get(target).copied().unwrap_or(false));
    }

    /// Sets the deadline, queues the datapoints of all windows, ended or not, and makes the next
    /// request due immediately. Afterwards, the event loop accepts no more commands.
    fn shut_down(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
        for datapoint in self.aggregation.close_all() {
            self.publisher.push(datapoint);
        }
        self.publisher.flush();
    }

    fn is_done(&self) -> bool {
        let Some(deadline) = self.deadline else {
            return false;
        };
        (self.publisher.is_done() && self.held.is_empty()) || Instant::now() >= deadline
    }
}
