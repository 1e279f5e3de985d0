//! The one event loop: each probe's story, from observation to report.
//!
//! Owns all mutable state about targets (health, baselines, incidents, what is shown), so
//! that nothing needs a lock and every result is judged in the order in which it came.
//! What a few events have to say is gathered (`batch`), their incidents are put on disk
//! (`ledger`), and then it is told (`notice`): nobody is shown what a crash takes back.
//! Sinks, controls and questions to AWS are handed over without blocking.

mod batch;
mod configure;
mod inbox;
mod journal;
mod learning;
mod mass_failure;
mod notice;
mod persist;
mod requests;
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
use crate::domain::incident::Incidents;
use crate::domain::maintenance::Maintenance;
use crate::domain::mass_failure::MassFailure;
use crate::domain::prober_health::ProberHealth;
use crate::domain::report::{Missed, Report};
use crate::engine::scheduler::control_requests::ControlRequests;
use crate::engine::scheduler::{Command, Emission};
use crate::io::evidence::EvidenceCollector;
use crate::io::sd_notify::SdNotify;
use crate::io::sink::Sinks;
use crate::io::store::{RestoredState, Store};
use crate::model::observation::Observation;
use crate::model::settings::{RuleFile, Settings};
use crate::model::target::{Target, TargetName};

pub use self::inbox::Inbox;

use self::batch::Batch;
use self::notice::Notice;
use self::persist::Persistence;
use self::target_state::TargetState;

/// What happens to a monitor.
#[derive(Debug)]
pub enum Event {
    /// A probe ended, or a slot was missed.
    Probing(Emission),
    /// A control request ended.
    Controlled(Arc<Target>, Box<Observation>),
    /// AWS said something about a failed request.
    Evidence(EvidenceUpdate),
    /// From now on this configuration holds; told when it does.
    Configure(Arc<Settings>, oneshot::Sender<ConfigChange>),
}

/// What a configuration changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConfigChange {
    /// Targets that were not there before.
    pub added: usize,
    /// Targets that were there with other settings.
    pub changed: usize,
    /// Targets that are gone.
    pub removed: usize,
}

/// Where the monitor's wishes go; none of them makes it wait.
#[derive(Debug)]
pub struct Outbox {
    /// Everything that publishes.
    pub sinks: Sinks,
    /// Asked to look again.
    pub scheduler: mpsc::Sender<Command>,
    /// Asked for control requests.
    pub control_requests: ControlRequests,
    /// Asked about failed requests.
    pub evidence: Arc<EvidenceCollector>,
    /// Told that this loop still comes round.
    pub sd_notify: SdNotify,
}

/// The monitor's task and its state.
#[derive(Debug)]
pub struct Monitor {
    rulebook: Rulebook,
    /// The operator's part of the rule book; `None`: not told to the sinks yet.
    rules: Option<Arc<[RuleFile]>>,
    outbox: Outbox,
    location: Arc<str>,
    maintenance: Maintenance,
    targets: HashMap<TargetName, TargetState>,
    /// Configured, and held by other shards.
    elsewhere: HashSet<TargetName>,
    prober_health: ProberHealth,
    /// The incident of the prober itself, while it is in trouble.
    own_incident: Incidents,
    mass_failure: MassFailure,
    /// The incident of very many targets that fail at once.
    group_incident: Incidents,
    /// What the heartbeat's alarm was told last in place of theirs.
    told_of_group: Option<Annotation>,
    /// What is remembered of before, until the first configuration says what it is for.
    memory: Option<RestoredState>,
    persistence: Persistence,
    batch: Batch,
}

/// Events handled before what they say is put on disk and told: enough that a commit each
/// keeps up with any number of probes, few enough that the first waits a millisecond only.
const BATCH: usize = 64;

/// How often it is looked at what no event tells: a group's words, and what was learned.
const TICK: Duration = Duration::from_secs(10);

impl Monitor {
    /// A monitor without targets, on what is remembered of before.
    #[must_use]
    pub fn new(rulebook: Rulebook, outbox: Outbox, store: Store, memory: RestoredState) -> Self {
        Self {
            rulebook,
            rules: None,
            outbox,
            location: "".into(),
            maintenance: Maintenance::default(),
            targets: HashMap::new(),
            elsewhere: HashSet::new(),
            prober_health: ProberHealth::default(),
            own_incident: Incidents::default(),
            mass_failure: MassFailure::default(),
            group_incident: Incidents::default(),
            told_of_group: None,
            memory: Some(memory),
            persistence: Persistence::new(store),
            batch: Batch::default(),
        }
    }

    /// Runs until the scheduler has ended and everything it emitted is told.
    pub async fn run(mut self, mut inbox: Inbox) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let every = self.outbox.sd_notify.heartbeat().unwrap_or(TICK);
        let mut beats = interval_at(Instant::now() + every, every);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut status = String::new();
        loop {
            tokio::select! {
                event = inbox.next() => match event {
                    Some(event) => self.handle(event, Timestamp::now()),
                    None => break,
                },
                _ = ticks.tick() => self.tick(Timestamp::now()),
                _ = beats.tick() => self.beat(&mut status),
            }
            for _ in 1..BATCH {
                let Some(event) = inbox.ready() else { break };
                self.handle(event, Timestamp::now());
            }
            self.settle().await;
        }
        let targets = self.targets.values_mut();
        self.persistence.keep_all_learned(targets, Timestamp::now());
    }

    /// First the disk, then everybody else.
    async fn settle(&mut self) {
        self.persistence.keep(self.batch.take_incidents()).await;
        self.batch.publish(&self.outbox.sinks);
    }

    fn tick(&mut self, now: Timestamp) {
        self.look_at_group(now);
        self.persistence
            .keep_learned(self.targets.values_mut(), now);
    }

    /// Said here and nowhere else: whatever holds up this loop holds this up too.
    fn beat(&self, told: &mut String) {
        self.outbox.sd_notify.alive();
        let status = self.outbox.sinks.board.summary();
        if status != *told {
            self.outbox.sd_notify.status(&status);
            *told = status;
        }
    }

    fn handle(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::Probing(Emission::Observed(target, observation)) => {
                self.observed(&target, *observation, now);
            }
            Event::Probing(Emission::Missed(missed)) => self.missed(missed),
            Event::Controlled(target, observation) => {
                self.controlled(&target, &observation, now);
            }
            Event::Evidence(answer) => self.answered(&answer, now),
            Event::Configure(settings, done) => self.configure(&settings, done, now),
        }
    }

    /// One probe's story, top to bottom.
    fn observed(&mut self, target: &Arc<Target>, observation: Observation, now: Timestamp) {
        let Some(mut watched) = target_state::of(&mut self.targets, target) else {
            return; // Removed or changed while its probe ran: it answers an old question.
        };
        if let Some(change) = self.prober_health.observe(target, &observation, now) {
            self.prober_changes(&change, now);
            // The change reads every target, so this one is looked up again.
            let Some(again) = target_state::of(&mut self.targets, target) else {
                return;
            };
            watched = again;
        }
        // What was down before keeps its own incident and cause.
        let own_trouble =
            self.prober_health.explains(&observation) && watched.incidents.open().is_none();
        let maintenance = self.maintenance.covering(&target.name, now).is_some();

        let mut facts = Facts::gather(target, &observation, &watched.baseline.context(now));
        if own_trouble {
            facts.set_text("vantage", "suspect");
        }
        let diagnosis = self.rulebook.diagnose(&facts);
        watched.evidence_requests.record_sent(observation.started);
        // A failure that is the prober's own says nothing about the target.
        let (transition, event) = if own_trouble {
            (None, None)
        } else {
            let rulebook = &self.rulebook;
            watched.apply(&observation, &diagnosis, rulebook, maintenance, now)
        };
        watched.show(&diagnosis);
        let incidents = if own_trouble {
            &self.own_incident
        } else {
            &watched.incidents
        };
        let report = Report {
            target: Arc::clone(&watched.target),
            location: Arc::clone(&self.location),
            at: now,
            observation: Arc::new(observation),
            diagnosis: Arc::new(diagnosis),
            health: watched.health.state(),
            since: watched.health.since(),
            transition,
            showing: watched.showing.clone(),
            floor: facts.number("floor"),
            incident: incidents.open().cloned(),
            event,
            maintenance,
            own_trouble,
        };
        if !own_trouble {
            watched.confirm(&self.outbox);
            watched.request_evidence(&report, &facts, &self.outbox);
            watched.control(&report, &self.outbox, now);
            self.count(&report, now);
        }
        self.batch.report(report);
    }

    fn missed(&mut self, missed: Missed) {
        if self.targets.contains_key(&missed.target.name) {
            let reason = missed.reason.as_str();
            tracing::debug!(target = %missed.target.name, reason, "slot missed");
            self.batch.tell(Notice::Missed(missed));
        }
    }
}
