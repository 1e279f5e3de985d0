//! Runs the event loop that turns each probe's observation into a report.
//!
//! The monitor owns all mutable state of the targets (health, baselines, incidents), so no locks
//! are needed and results are processed in the order in which they arrive. For each batch of
//! events, incidents are saved (`persist`) before notifications are delivered (`notification`), so
//! that everything that a user has seen survives a crash. Sinks, follow-up requests and evidence
//! requests never block this loop.

mod account_changes;
mod configure;
mod event_log;
mod follow_ups;
mod inbox;
mod mass_failure;
mod notification;
mod output;
mod persist;
mod requests;
mod rules;
mod target_state;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use crate::domain::alarm::annotation::Annotation;
use crate::domain::diagnosis::aws::EvidenceUpdate;
use crate::domain::diagnosis::fact::Facts;
use crate::domain::diagnosis::rulebook::Rulebook;
use crate::domain::follow_up::FollowUpBudget;
use crate::domain::incident::Incidents;
use crate::domain::maintenance::Maintenance;
use crate::domain::mass_failure::MassFailure;
use crate::domain::prober_health::ProberHealth;
use crate::domain::report::{Missed, Report};
use crate::engine::scheduler::follow_up_requests::{FollowUpRequests, FollowUpResult};
use crate::engine::scheduler::{Command, Emission};
use crate::io::evidence::EvidenceCollector;
use crate::io::evidence::changes::{ChangeCollector, ChangeUpdate};
use crate::io::sd_notify::SdNotify;
use crate::io::sink::Sinks;
use crate::io::store::{RestoredState, Store};
use crate::model::observation::Observation;
use crate::model::settings::{RuleFile, Settings};
use crate::model::target::{Target, TargetName};

pub use self::inbox::Inbox;

use self::notification::Notification;
use self::output::OutputBatch;
use self::persist::Persistence;
use self::target_state::TargetState;

/// An event that the monitor handles.
#[derive(Debug)]
pub enum Event {
    /// The scheduler reported the end of a probe or a missed slot.
    Probing(Emission),
    /// A control request or another follow-up request ended.
    FollowedUp(FollowUpResult),
    /// An update of the evidence from AWS about a failed request arrived.
    Evidence(EvidenceUpdate),
    /// Changes in the AWS account were found for an incident.
    AccountChanges(ChangeUpdate),
    /// A new configuration arrived, with a channel for the reply.
    Configure(Arc<Settings>, oneshot::Sender<ConfigChange>),
}

/// The numbers of targets that a configuration added, changed and removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConfigChange {
    /// Number of new targets.
    pub added: usize,
    /// Number of targets whose settings changed.
    pub changed: usize,
    /// Number of removed targets.
    pub removed: usize,
}

/// The components to which the monitor sends its output. Sending never blocks. A clone is cheap.
#[derive(Clone, Debug)]
pub struct Outbox {
    /// The sinks that publish results.
    pub sinks: Sinks,
    /// The channel of commands for the scheduler, such as requests for confirming probes.
    pub scheduler: mpsc::Sender<Command>,
    /// The handle of the task that runs control requests and other follow-up requests.
    pub follow_ups: FollowUpRequests,
    /// The handle of the task that collects evidence.
    pub evidence: Arc<EvidenceCollector>,
    /// The handle of the task that searches for changes in AWS accounts.
    pub changes: Arc<ChangeCollector>,
    /// The connection to the service manager, for the watchdog's keep-alive and the daemon's
    /// status.
    pub sd_notify: SdNotify,
}

/// The state of the monitor: all targets and incidents, and the components to which it sends
/// output.
#[derive(Debug)]
pub struct Monitor {
    rulebook: Rulebook,
    /// The custom rules in the rulebook. `None` until the first configuration is applied.
    rules: Option<Arc<[RuleFile]>>,
    outbox: Outbox,
    location: Arc<str>,
    maintenance: Maintenance,
    targets: HashMap<TargetName, TargetState>,
    /// The configured targets that only other shards probe.
    elsewhere: HashSet<TargetName>,
    prober_health: ProberHealth,
    /// The incident of the prober itself.
    prober_incident: Incidents,
    mass_failure: MassFailure,
    /// The incident of a group of targets that fail at the same time.
    group_incident: Incidents,
    /// The last annotation that was sent to the sinks, for the group or for the prober.
    published_annotation: Option<Annotation>,
    /// The state of the previous run. `None` once the first configuration is applied.
    restored: Option<RestoredState>,
    follow_up_budget: FollowUpBudget,
    persistence: Persistence,
    batch: OutputBatch,
}

/// Maximum number of events per batch. The store commits once per batch, so larger batches need
/// fewer commits. The output of the first event is delayed until all events of the batch are
/// handled; with this limit, by at most a millisecond.
const BATCH: usize = 64;

/// Interval at which the group's incident is updated and changed baselines are saved. Also the
/// interval of keep-alives and status updates if the service manager's watchdog is off.
const TICK: Duration = Duration::from_secs(10);

impl Monitor {
    /// Creates a monitor without targets. `restored` is the state of the previous run.
    #[must_use]
    pub fn new(rulebook: Rulebook, outbox: Outbox, store: Store, restored: RestoredState) -> Self {
        Self {
            rulebook,
            rules: None,
            outbox,
            location: "".into(),
            maintenance: Maintenance::default(),
            targets: HashMap::new(),
            elsewhere: HashSet::new(),
            prober_health: ProberHealth::default(),
            prober_incident: Incidents::default(),
            mass_failure: MassFailure::default(),
            group_incident: Incidents::default(),
            published_annotation: None,
            restored: Some(restored),
            follow_up_budget: FollowUpBudget::default(),
            persistence: Persistence::new(store),
            batch: OutputBatch::default(),
        }
    }

    /// Handles events until the scheduler has ended and all of the scheduler's events are handled.
    pub async fn run(mut self, mut inbox: Inbox) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let every = self.outbox.sd_notify.heartbeat().unwrap_or(TICK);
        let mut keep_alives = interval_at(Instant::now() + every, every);
        keep_alives.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut status = String::new();
        loop {
            tokio::select! {
                event = inbox.next() => match event {
                    Some(event) => self.handle(event, Timestamp::now()),
                    None => break,
                },
                _ = ticks.tick() => self.tick(Timestamp::now()),
                _ = keep_alives.tick() => self.send_keep_alive(&mut status),
            }
            for _ in 1..BATCH {
                let Some(event) = inbox.try_next() else { break };
                self.handle(event, Timestamp::now());
            }
            self.flush_batch().await;
        }
        let targets = self.targets.values_mut();
        self.persistence
            .save_all_baselines(targets, Timestamp::now());
    }

    /// Saves the batch's incidents, then delivers its notifications.
    async fn flush_batch(&mut self) {
        let incidents = self.batch.take_incidents();
        self.persistence.save_incidents(incidents).await;
        self.batch.deliver(&self.outbox.sinks);
    }

    fn tick(&mut self, now: Timestamp) {
        self.update_group(now);
        self.persistence
            .save_due_baselines(self.targets.values_mut(), now);
    }

    /// Sends the keep-alive to the service manager, and the status if it differs from `sent`, the
    /// status that was sent last. The keep-alive is sent only from the event loop, so a stalled
    /// loop trips the watchdog.
    fn send_keep_alive(&self, sent: &mut String) {
        self.outbox.sd_notify.alive();
        let status = self.outbox.sinks.board.summary();
        if status != *sent {
            self.outbox.sd_notify.status(&status);
            *sent = status;
        }
    }

    fn handle(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::Probing(Emission::Observed(target, observation)) => {
                self.handle_observation(&target, *observation, now);
            }
            Event::Probing(Emission::Missed(missed)) => self.handle_missed_slot(missed),
            Event::FollowedUp(result) => self.apply_follow_up_result(&result, now),
            Event::Evidence(update) => self.apply_evidence(&update, now),
            Event::AccountChanges(update) => self.apply_changes(update, now),
            Event::Configure(settings, done) => self.configure(&settings, done, now),
        }
    }

    /// Processes the observation of one probe: diagnoses the observation, updates health and
    /// incident, and adds a report to the batch.
    fn handle_observation(
        &mut self,
        target: &Arc<Target>,
        observation: Observation,
        now: Timestamp,
    ) {
        let Some(mut state) = target_state::find(&mut self.targets, target) else {
            return; // The target was removed or changed while the probe ran.
        };
        if let Some(change) = self.prober_health.observe(target, &observation, now) {
            self.apply_prober_transition(&change, now);
            // `apply_prober_transition` borrows the whole monitor, so the target is looked up
            // again.
            let Some(again) = target_state::find(&mut self.targets, target) else {
                return;
            };
            state = again;
        }
        // If a target already has an open incident, its failures count for this incident even while
        // the prober has a problem.
        let prober_fault =
            self.prober_health.explains(&observation) && state.incidents.open().is_none();
        let maintenance = self.maintenance.covering(&target.name, now).is_some();

        let mut facts = Facts::gather(target, &observation, &state.baseline.context(now));
        if prober_fault {
            facts.set_text("vantage", "suspect");
        }
        state.baseline.add_changes(&observation, &mut facts);
        let diagnosis = self.rulebook.diagnose(&facts);
        state.evidence_requests.record_sent(observation.started);
        // A failure that the prober itself caused is not counted for the target.
        let (transition, event) = if prober_fault {
            (None, None)
        } else {
            let rulebook = &self.rulebook;
            state.apply(&observation, &diagnosis, rulebook, maintenance, now)
        };
        state.show(&diagnosis);
        let incidents = if prober_fault {
            &self.prober_incident
        } else {
            &state.incidents
        };
        let report = Report {
            target: Arc::clone(&state.target),
            location: Arc::clone(&self.location),
            at: now,
            observation: Arc::new(observation),
            diagnosis: Arc::new(diagnosis),
            health: state.health.state(),
            since: state.health.since(),
            transition,
            showing: state.showing.clone(),
            floor: facts.number("floor"),
            incident: incidents.open().cloned(),
            event,
            maintenance,
            prober_fault,
        };
        if !prober_fault {
            state.confirm(&self.outbox);
            state.request_evidence(&report, &facts, &self.outbox);
            state.request_changes(&report, &self.outbox);
            state.follow_up(&report, &facts, &mut self.follow_up_budget, &self.outbox);
            state.control(&report, &self.outbox, now);
            self.count_incident(&report, now);
        }
        self.batch.report(report);
    }

    fn handle_missed_slot(&mut self, missed: Missed) {
        if self.targets.contains_key(&missed.target.name) {
            let reason = missed.reason.as_str();
            tracing::debug!(target = %missed.target.name, reason, "slot missed");
            self.batch.notify(Notification::Missed(missed));
        }
    }
}
