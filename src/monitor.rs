//! The one event loop: each probe's story, from observation to report.
//!
//! Owns all mutable state about targets (health, baselines, incidents, what is shown), so
//! that nothing needs a lock and every result is judged in the order in which it came. It
//! does no I/O: sinks, controls and questions to AWS are handed over without blocking.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::baseline::Baseline;
use crate::controls::Controls;
use crate::diagnosis::aws::Answer;
use crate::diagnosis::aws::summary::summary;
use crate::diagnosis::fact::Facts;
use crate::diagnosis::rulebook::Rulebook;
use crate::diagnosis::{Diagnosis, Outcome, Verdict};
use crate::evidence::Evidence;
use crate::health::{Health, HealthState};
use crate::incident::{IncidentEvent, Incidents, Sighting};
use crate::inquiry::Inquiry;
use crate::maintenance::Maintenance;
use crate::observation::Observation;
use crate::report::{Missed, Report, Update};
use crate::scheduler::{Command, Emission};
use crate::settings::Settings;
use crate::sink::Sinks;
use crate::target::{Target, TargetName};

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
    outbox: Outbox,
    location: Arc<str>,
    maintenance: Maintenance,
    watched: HashMap<TargetName, Watched>,
}

#[derive(Debug)]
struct Watched {
    target: Arc<Target>,
    health: Health,
    baseline: Baseline,
    incidents: Incidents,
    inquiry: Inquiry,
    showing: Option<Arc<Verdict>>,
}

impl Monitor {
    /// A monitor without targets.
    #[must_use]
    pub fn new(rulebook: Rulebook, outbox: Outbox) -> Self {
        Self {
            rulebook,
            outbox,
            location: "".into(),
            maintenance: Maintenance::default(),
            watched: HashMap::new(),
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
        let Some(watched) = watched(&mut self.watched, target) else {
            return; // Removed or changed while its probe ran: it answers an old question.
        };
        let maintenance = self.maintenance.covering(&target.name, now).is_some();

        let facts = Facts::gather(target, &observation, &watched.baseline.context(now));
        let diagnosis = self.rulebook.diagnose(&facts);
        watched.baseline.observe(&observation, &diagnosis, now);
        watched.inquiry.sent(observation.started);
        let transition = watched.health.observe(diagnosis.outcome, now);
        let health = watched.health.state();
        let sighting = Sighting {
            target: &target.name,
            began: observation.started,
            diagnosis: &diagnosis,
            health,
            suppressed: maintenance,
        };
        let event = watched.incidents.apply(sighting, &self.rulebook, now);
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
        self.outbox.sinks.publish(&report);

        log(&report);
        self.confirm(&report);
        self.inquire(&report, &facts);
        self.control(&report, now);
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

    /// Has AWS asked about a failure of an open incident; forgets it with the incident.
    fn inquire(&mut self, report: &Report, facts: &Facts) {
        let target = &report.target;
        let Some(watched) = self.watched.get_mut(&target.name) else {
            return;
        };
        if let Some(IncidentEvent::Resolved(_)) = report.event {
            watched.inquiry.forget();
            self.outbox.evidence.forget(&target.name);
        }
        let Some(incident) = watched.incidents.open() else {
            return;
        };
        let (observation, diagnosis) = (&report.observation, &report.diagnosis);
        let question = watched
            .inquiry
            .ask(target, observation, facts, diagnosis, incident);
        if let Some(question) = question {
            self.outbox.evidence.ask(question);
        }
    }

    /// Has the floor measured while an incident with answers to compare is open.
    fn control(&self, report: &Report, now: Timestamp) {
        let failed = report.diagnosis.outcome == Outcome::Failed;
        let answered = report.observation.response.is_some();
        if let Some(watched) = self.watched.get(&report.target.name) {
            self.measure(watched, failed && answered, now);
        }
    }

    /// A control request's answer is measured by, and counts nowhere else.
    fn controlled(&mut self, target: &Arc<Target>, observation: &Observation, now: Timestamp) {
        let Some(watched) = watched(&mut self.watched, target) else {
            return;
        };
        let host = target.url.host_str().unwrap_or_default();
        watched.baseline.control(observation, host, now);
        let failing = watched.health.consecutive_failures() > 0;
        if let Some(watched) = self.watched.get(&target.name) {
            self.measure(watched, failing, now);
        }
    }

    fn measure(&self, watched: &Watched, failing: bool, now: Timestamp) {
        let opened = watched.incidents.open().map(|incident| incident.opened);
        if let Some(after) = watched.baseline.wants_control(opened, failing, now) {
            let target = Arc::clone(&watched.target);
            self.outbox.controls.request(target, after);
        }
    }

    /// What AWS said about an earlier failure revises the incident; no probe is counted.
    fn answered(&mut self, answer: &Answer, now: Timestamp) {
        let Some(watched) = self.watched.get_mut(&answer.target) else {
            return;
        };
        let Some((mut facts, evidence)) = watched.inquiry.answered(answer) else {
            return;
        };
        facts.told_by_aws(&watched.target.aws, &evidence);
        let diagnosis = Arc::new(self.rulebook.diagnose(&facts));
        let said = summary(&evidence);
        let event = watched
            .incidents
            .revise_with(answer.began, &diagnosis, &said, now);
        let Some(event) = event else {
            return;
        };
        log_incident(&answer.target, &event);
        watched.showing = Some(Arc::clone(&event.incident().verdict));
        self.outbox.sinks.update(&Update {
            target: Arc::clone(&watched.target),
            at: now,
            began: answer.began,
            diagnosis,
            incident: Arc::clone(event.incident()),
        });
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
                log_incident(&removed.target.name, &event);
                self.outbox.evidence.forget(&removed.target.name);
                self.outbox.sinks.board.resolved(event.incident());
            }
        }
        self.location = settings.location.as_str().into();
        self.maintenance = Maintenance::new(&settings.maintenance);
        self.outbox.evidence.configure(settings);
        self.outbox.sinks.configure(settings);
        change
    }
}

impl Watched {
    fn new(target: Arc<Target>, now: Timestamp) -> Self {
        Self {
            health: Health::new(target.health, now),
            target,
            baseline: Baseline::default(),
            incidents: Incidents::default(),
            inquiry: Inquiry::default(),
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

/// What is known of a target, unless it was removed or changed since.
fn watched<'a>(
    known: &'a mut HashMap<TargetName, Watched>,
    target: &Arc<Target>,
) -> Option<&'a mut Watched> {
    let watched = known.get_mut(&target.name)?;
    let same = Arc::ptr_eq(&watched.target, target) || watched.target == *target;
    same.then_some(watched)
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
