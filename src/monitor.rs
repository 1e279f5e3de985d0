//! The one event loop: each probe's story, from observation to report.
//!
//! Owns all mutable state about targets (health, incidents, what is shown), so that
//! nothing needs a lock and every result is judged in the order in which it came. It
//! does no I/O: sinks take reports without blocking.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::diagnosis::context::Context;
use crate::diagnosis::fact::Facts;
use crate::diagnosis::rulebook::Rulebook;
use crate::diagnosis::{Diagnosis, Outcome, Verdict};
use crate::health::{Health, HealthState};
use crate::incident::{IncidentEvent, Incidents};
use crate::maintenance::Maintenance;
use crate::observation::Observation;
use crate::report::{Missed, Report};
use crate::scheduler::{Command, Emission};
use crate::settings::Settings;
use crate::sink::Sinks;
use crate::target::{Target, TargetName};

/// What happens to a monitor.
#[derive(Debug)]
pub enum Event {
    /// A probe ended, or a slot was missed.
    Probing(Emission),
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

/// The monitor's task and its state.
#[derive(Debug)]
pub struct Monitor {
    rulebook: Rulebook,
    sinks: Sinks,
    scheduler: mpsc::Sender<Command>,
    location: Arc<str>,
    maintenance: Maintenance,
    watched: HashMap<TargetName, Watched>,
}

#[derive(Debug)]
struct Watched {
    target: Arc<Target>,
    health: Health,
    incidents: Incidents,
    showing: Option<Arc<Verdict>>,
}

impl Monitor {
    /// A monitor without targets.
    #[must_use]
    pub fn new(rulebook: Rulebook, sinks: Sinks, scheduler: mpsc::Sender<Command>) -> Self {
        Self {
            rulebook,
            sinks,
            scheduler,
            location: "".into(),
            maintenance: Maintenance::default(),
            watched: HashMap::new(),
        }
    }

    /// Runs until the scheduler has ended and everything it emitted is told.
    pub async fn run(
        mut self,
        mut emissions: mpsc::Receiver<Emission>,
        mut configurations: mpsc::Receiver<(Arc<Settings>, oneshot::Sender<Change>)>,
    ) {
        loop {
            let event = tokio::select! {
                emission = emissions.recv() => match emission {
                    Some(emission) => Event::Probing(emission),
                    None => return,
                },
                Some((settings, done)) = configurations.recv() => {
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
            Event::Configure(settings, done) => {
                let change = self.configure(&settings, now);
                // Whoever asked may have gone: the configuration holds all the same.
                let _ = done.send(change);
            }
        }
    }

    /// One probe's story, top to bottom.
    fn observed(&mut self, target: &Arc<Target>, observation: Observation, now: Timestamp) {
        let Some(watched) = self.watched.get_mut(&target.name) else {
            return; // Removed while its probe ran.
        };
        if !Arc::ptr_eq(&watched.target, target) && watched.target != *target {
            return; // Changed while its probe ran: that result answers an old question.
        }
        let maintenance = self.maintenance.covering(&target.name, now).is_some();

        let facts = Facts::gather(target, &observation, &Context::at(now));
        let diagnosis = self.rulebook.diagnose(&facts);
        let transition = watched.health.observe(diagnosis.outcome, now);
        let health = watched.health.state();
        let name = &target.name;
        let event = watched
            .incidents
            .apply(name, &diagnosis, health, maintenance, now);
        watched.show(&diagnosis);
        let report = Report {
            target: Arc::clone(&watched.target),
            location: Arc::clone(&self.location),
            at: now,
            observation: Arc::new(observation),
            diagnosis: Arc::new(diagnosis),
            health,
            since: watched.health.since(),
            transition,
            showing: watched.showing.clone(),
            floor: facts.number("floor"),
            incident: watched.incidents.open().cloned(),
            event,
            maintenance,
        };
        self.sinks.publish(&report);

        log(&report);
        self.confirm(&report);
    }

    fn missed(&self, missed: &Missed) {
        if self.watched.contains_key(&missed.target.name) {
            let reason = missed.reason.as_str();
            tracing::debug!(target = %missed.target.name, reason, "slot missed");
            self.sinks.missed(missed);
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
            if self.scheduler.try_send(command).is_err() {
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
                log_incident(&removed.target.name, &event);
                self.sinks.board.resolved(event.incident());
            }
        }
        self.location = settings.location.as_str().into();
        self.maintenance = Maintenance::new(&settings.maintenance);
        self.sinks.configure(settings);
        change
    }
}

impl Watched {
    fn new(target: Arc<Target>, now: Timestamp) -> Self {
        Self {
            health: Health::new(target.health, now),
            target,
            incidents: Incidents::default(),
            showing: None,
        }
    }

    /// A cause shows from the first failed probe until the target is up again: the
    /// incident's, which one deviating probe does not change, or else the newest.
    fn show(&mut self, diagnosis: &Diagnosis) {
        let incident = self.incidents.open().map(|incident| &incident.verdict);
        match diagnosis.outcome {
            Outcome::Passed if self.health.state() == HealthState::Up => self.showing = None,
            Outcome::Passed => {}
            Outcome::Degraded | Outcome::Failed => {
                self.showing = incident.or(diagnosis.verdict.as_ref()).cloned();
            }
        }
    }
}

/// Every transition and every change of an incident is one structured line.
fn log(report: &Report) {
    let name = &report.target.name;
    if let Some(transition) = report.transition {
        let (from, to) = (transition.from.as_str(), transition.to.as_str());
        let verdict = report.showing.as_deref();
        let cause = verdict.map(|verdict| verdict.cause.as_str());
        let certainty = verdict.map(|verdict| verdict.certainty.as_str());
        let incident = report
            .incident
            .as_ref()
            .map(|incident| incident.id.as_str());
        let maintenance = report.maintenance;
        tracing::info!(target = %name, from, to, cause, certainty, incident, maintenance, "health changed");
    }
    if let Some(event) = &report.event {
        log_incident(name, event);
    }
    let error = report.diagnosis.error.as_deref();
    tracing::debug!(target = %name, outcome = ?report.diagnosis.outcome, error, "probed");
}

fn log_incident(name: &TargetName, event: &IncidentEvent) {
    let incident = event.incident();
    let cause = incident.verdict.cause.as_str();
    let certainty = incident.verdict.certainty.as_str();
    let note = incident
        .history
        .last()
        .map(|revision| revision.note.as_str());
    tracing::info!(
        target = %name,
        incident = %incident.id,
        cause,
        certainty,
        note,
        "incident {}",
        event.as_str(),
    );
}
