//! The one event loop: each probe's story, from observation to report.
//!
//! Owns all mutable state about targets (health, baselines, incidents, what is shown), so
//! that nothing needs a lock and every result is judged in the order in which it came. It
//! does no I/O: sinks, controls and questions to AWS are handed over without blocking.

mod asking;
mod journal;
mod learning;
mod surroundings;
mod watched;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::baseline::Baseline;
use crate::controls::Controls;
use crate::diagnosis::aws::Answer;
use crate::diagnosis::fact::Facts;
use crate::diagnosis::rulebook::Rulebook;
use crate::evidence::Evidence;
use crate::incident::{Incidents, Sighting};
use crate::inquiry::Inquiry;
use crate::maintenance::Maintenance;
use crate::observation::Observation;
use crate::report::{Missed, Report};
use crate::scheduler::{Command, Emission};
use crate::settings::{RuleFile, Settings};
use crate::sink::Sinks;
use crate::target::{Target, TargetName};
use crate::vantage::Vantage;

use self::watched::Watched;

/// What happens to a monitor.
#[derive(Debug)]
pub enum Event {
    /// A probe ended, or a slot was missed.
    Probing(Emission),
    /// A control request ended.
    Controlled(Arc<Target>, Box<Observation>),
    /// AWS said something about a failed request.
    Answered(Answer),
    /// From now on this configuration holds; told when it does.
    Configure(Arc<Settings>, oneshot::Sender<Change>),
}

/// What a configuration changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Targets that were not there before.
    pub added: usize,
    /// Targets that were there with other settings.
    pub changed: usize,
    /// Targets that are gone.
    pub removed: usize,
}

/// Where events come from.
#[derive(Debug)]
pub struct Inbox {
    /// Of the scheduler; the monitor ends with it.
    pub emissions: mpsc::Receiver<Emission>,
    /// Of control requests.
    pub controls: mpsc::Receiver<(Arc<Target>, Observation)>,
    /// Of AWS.
    pub answers: mpsc::Receiver<Answer>,
    /// Of whoever reads the configuration.
    pub configurations: mpsc::Receiver<(Arc<Settings>, oneshot::Sender<Change>)>,
}

/// Where the monitor's wishes go; none of them makes it wait.
#[derive(Debug)]
pub struct Outbox {
    /// Everything that publishes.
    pub sinks: Sinks,
    /// Asked to look again.
    pub scheduler: mpsc::Sender<Command>,
    /// Asked for control requests.
    pub controls: Controls,
    /// Asked about failed requests.
    pub evidence: Arc<Evidence>,
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
    watched: HashMap<TargetName, Watched>,
    vantage: Vantage,
    /// The incident of the prober itself, while it is in trouble.
    own_incident: Incidents,
}

impl Monitor {
    /// A monitor without targets.
    #[must_use]
    pub fn new(rulebook: Rulebook, outbox: Outbox) -> Self {
        Self {
            rulebook,
            rules: None,
            outbox,
            location: "".into(),
            maintenance: Maintenance::default(),
            watched: HashMap::new(),
            vantage: Vantage::default(),
            own_incident: Incidents::default(),
        }
    }

    /// Runs until the scheduler has ended and everything it emitted is told.
    pub async fn run(mut self, mut inbox: Inbox) {
        loop {
            let event = tokio::select! {
                emission = inbox.emissions.recv() => match emission {
                    Some(emission) => Event::Probing(emission),
                    None => return,
                },
                Some((target, observation)) = inbox.controls.recv() => {
                    Event::Controlled(target, Box::new(observation))
                }
                Some(answer) = inbox.answers.recv() => Event::Answered(answer),
                Some((settings, done)) = inbox.configurations.recv() => {
                    Event::Configure(settings, done)
                }
            };
            self.handle(event, Timestamp::now());
        }
    }

    fn handle(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::Probing(Emission::Observed(target, observation)) => {
                self.observed(&target, *observation, now);
            }
            Event::Probing(Emission::Missed(missed)) => self.missed(&missed),
            Event::Controlled(target, observation) => {
                self.controlled(&target, &observation, now);
            }
            Event::Answered(answer) => self.answered(&answer, now),
            Event::Configure(settings, done) => {
                let change = self.configure(&settings, now);
                // Whoever asked may have gone: the configuration holds all the same.
                let _ = done.send(change);
            }
        }
    }

    /// One probe's story, top to bottom.
    fn observed(&mut self, target: &Arc<Target>, observation: Observation, now: Timestamp) {
        let own_trouble = self.look_around(target, &observation, now);
        let Some(watched) = watched::of(&mut self.watched, target) else {
            return; // Removed or changed while its probe ran: it answers an old question.
        };
        let maintenance = self.maintenance.covering(&target.name, now).is_some();

        let mut facts = Facts::gather(target, &observation, &watched.baseline.context(now));
        if own_trouble {
            facts.set_text("vantage", "suspect");
        }
        let diagnosis = self.rulebook.diagnose(&facts);
        watched.inquiry.sent(observation.started);
        // A failure that is the prober's own says nothing about the target.
        let (transition, event) = if own_trouble {
            (None, None)
        } else {
            watched.baseline.observe(&observation, &diagnosis, now);
            let transition = watched.health.observe(diagnosis.outcome, now);
            let sighting = Sighting {
                target: &target.name,
                began: observation.started,
                diagnosis: &diagnosis,
                health: watched.health.state(),
                suppressed: maintenance,
            };
            let event = watched.incidents.apply(sighting, &self.rulebook, now);
            (transition, event)
        };
        watched.show(&diagnosis);
        let incident = if own_trouble {
            self.own_incident.open()
        } else {
            watched.incidents.open()
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
            incident: incident.cloned(),
            event,
            maintenance,
            own_trouble,
        };
        self.outbox.sinks.publish(&report);

        journal::probe(&report);
        if !own_trouble {
            self.confirm(&report);
            self.inquire(&report, &facts);
            self.control(&report, now);
        }
    }

    fn missed(&self, missed: &Missed) {
        if self.watched.contains_key(&missed.target.name) {
            let reason = missed.reason.as_str();
            tracing::debug!(target = %missed.target.name, reason, "slot missed");
            self.outbox.sinks.missed(missed);
        }
    }

    /// After a first bad result, looks again soon rather than an interval later.
    fn confirm(&self, report: &Report) {
        let Some(watched) = self.watched.get(&report.target.name) else {
            return;
        };
        let after = report.target.confirm_after;
        if watched.health.wants_confirmation() && after > Duration::ZERO {
            let command = Command::LookAgain(report.target.name.clone(), after);
            // A full queue only means that the next slot confirms instead.
            if self.outbox.scheduler.try_send(command).is_err() {
                tracing::warn!(target = %report.target.name, "no confirming probe: busy");
            }
        }
    }

    fn configure(&mut self, settings: &Arc<Settings>, now: Timestamp) -> Change {
        let mut change = Change::default();
        let mut old = std::mem::take(&mut self.watched);
        for target in &settings.targets {
            let watched = match old.remove(&target.name) {
                Some(kept) if kept.target == *target => Watched {
                    // The scheduler's copy: comparing the two is then comparing pointers.
                    target: Arc::clone(target),
                    ..kept
                },
                Some(mut changed) => {
                    change.changed += 1;
                    changed.health.configure(target.health);
                    changed.target = Arc::clone(target);
                    // Other times, and other questions: those asked are forgotten there too.
                    changed.baseline = Baseline::default();
                    changed.inquiry = Inquiry::default();
                    changed
                }
                None => {
                    change.added += 1;
                    Watched::new(Arc::clone(target), now)
                }
            };
            self.watched.insert(target.name.clone(), watched);
        }
        change.removed = old.len();
        for mut removed in old.into_values() {
            if let Some(event) = removed.incidents.close(now, "target removed") {
                journal::incident(&removed.target.name, &event);
                self.outbox.evidence.forget(&removed.target.name);
                self.outbox.sinks.board.resolved(event.incident());
            }
        }
        self.learn(&settings.rules);
        self.vantage.configure(settings.targets.iter());
        self.location = settings.location.as_str().into();
        self.maintenance = Maintenance::new(&settings.maintenance);
        self.outbox.evidence.configure(settings);
        self.outbox.sinks.configure(settings);
        change
    }
}
