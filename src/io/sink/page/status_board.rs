//! Keeps the current state of every target, its recent results and the incidents.
//!
//! The state is bounded and is kept only in memory. Monitoring does not depend on this state.
//! Bodies and headers of responses, except the request id, are not kept, because they may be
//! private, and because those of ten thousand targets would exceed the memory budget.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::diagnosis::{Outcome, Verdict};
use crate::domain::health::HealthState;
use crate::domain::incident::{Incident, IncidentEvent};
use crate::domain::report::{CauseInfo, Missed, MissedReason, Report, Update};
use crate::io::store::StoredIncident;
use crate::model::cause::CauseId;
use crate::model::observation::{Observation, Response};
use crate::model::scope::Scope;
use crate::model::settings::Settings;
use crate::model::target::{Target, TargetName};

/// The state that the pages and the API read. Every method holds a lock for a short time.
#[derive(Debug, Default)]
pub struct StatusBoard {
    state: Mutex<State>,
}

/// A snapshot of one target.
#[derive(Clone, Debug)]
pub struct TargetView {
    /// The target's configuration.
    pub target: Arc<Target>,
    /// The latest report; `None` before the first probe.
    pub report: Option<Arc<Report>>,
    /// The incident that was open before the restart; `None` if no incident was open then, or if
    /// the target has been probed since the restart.
    pub resumed: Option<Arc<StoredIncident>>,
    /// The numbers of missed probe slots by reason, in the order of [`MissedReason::ALL`].
    pub missed: [u64; MissedReason::ALL.len()],
}

/// The summary of one recent probe.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeSample {
    /// The time at which the probe's result was processed, just after the end of the probe.
    pub at: Timestamp,
    /// The probe's outcome.
    pub outcome: Outcome,
    /// The probe's duration.
    pub duration: Duration,
    /// The HTTP status of the response; `None` without a response.
    pub status: Option<u16>,
    /// The diagnosed cause; `None` if no cause was diagnosed.
    pub cause: Option<CauseId>,
}

impl TargetView {
    /// Returns the target's health. Before the first probe, this is the health before the restart
    /// if an incident was open then, otherwise unknown.
    #[must_use]
    pub fn health(&self) -> HealthState {
        match (&self.report, &self.resumed) {
            (Some(report), _) => report.health,
            (None, Some(kept)) => kept.health,
            (None, None) => HealthState::Unknown,
        }
    }

    /// Returns the time at which the current health began; `None` before the first probe, unless an
    /// incident was open before the restart.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        let reported = self.report.as_ref().map(|report| report.since);
        reported.or_else(|| self.resumed.as_ref().map(|kept| kept.since))
    }

    /// Returns the probable cause to show. It is set from the first failed probe until the target
    /// is up again, and is otherwise `None`.
    #[must_use]
    pub fn probable_cause(&self) -> Option<&Arc<Verdict>> {
        match (&self.report, &self.resumed) {
            (Some(report), _) => report.showing.as_ref(),
            (None, Some(kept)) => Some(&kept.incident.verdict),
            (None, None) => None,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    location: Arc<str>,
    causes: Arc<[CauseInfo]>,
    targets: BTreeMap<TargetName, Entry>,
    /// Open incidents of the prober and of groups, which belong to no single target.
    declared: BTreeMap<Scope, Arc<Incident>>,
    /// The resolved incidents, newest first.
    resolved: VecDeque<Arc<Incident>>,
}

#[derive(Debug)]
struct Entry {
    view: TargetView,
    /// The recent probes, oldest first.
    recent: VecDeque<ProbeSample>,
}

/// Maximum number of recent probes kept per target: those of an hour at the default interval.
const MAX_RECENT: usize = 60;

/// Maximum number of resolved incidents to keep: as many as occur in a week with many failures.
/// This number of incidents takes a few hundred kilobytes.
const MAX_RESOLVED: usize = 500;

impl StatusBoard {
    /// Applies a configuration: adds new targets, which have no report yet, and removes targets
    /// that are no longer configured. The remaining targets keep their state, unless their URL
    /// changed.
    pub fn configure(&self, settings: &Settings) {
        let mut state = self.lock();
        state.location = settings.location.as_str().into();
        let mut old = std::mem::take(&mut state.targets);
        state.targets = settings
            .targets
            .iter()
            .map(|target| {
                let known = old.remove(&target.name);
                let known = known.filter(|entry| entry.view.target.url == target.url);
                let mut entry = known.unwrap_or_else(|| Entry::new(target));
                entry.view.target = Arc::clone(target);
                (target.name.clone(), entry)
            })
            .collect();
    }

    /// Sets the descriptions of all causes.
    pub fn set_causes(&self, causes: &Arc<[CauseInfo]>) {
        self.lock().causes = Arc::clone(causes);
    }

    /// Returns the descriptions of all causes.
    #[must_use]
    pub fn causes(&self) -> Arc<[CauseInfo]> {
        Arc::clone(&self.lock().causes)
    }

    /// Records a probe's report. For a target that is no longer configured, only the end of
    /// its incident is recorded.
    pub fn publish(&self, report: &Report) {
        let mut state = self.lock();
        if let Some(IncidentEvent::Resolved(incident)) = &report.event {
            state.resolve(incident);
        }
        if let Some(entry) = state.targets.get_mut(&report.target.name) {
            entry.record(report);
        }
    }

    /// Records a revised cause of an open incident.
    pub fn update(&self, update: &Update) {
        if let Some(entry) = self.lock().targets.get_mut(&update.target.name) {
            entry.update(update);
        }
    }

    /// Records a new or revised incident of the prober or of a group.
    pub fn opened(&self, incident: &Arc<Incident>) {
        let scope = incident.scope.clone();
        self.lock().declared.insert(scope, Arc::clone(incident));
    }

    /// Records an incident that was open before the restart and has not been resolved.
    pub fn resume(&self, kept: &Arc<StoredIncident>) {
        let mut state = self.lock();
        let incident = &kept.incident;
        let target = incident.scope.target();
        match target.and_then(|name| state.targets.get_mut(name)) {
            Some(entry) => entry.view.resumed = Some(Arc::clone(kept)),
            None => {
                let scope = incident.scope.clone();
                state.declared.insert(scope, Arc::clone(incident));
            }
        }
    }

    /// Records a resolved incident that is in no report, for example because its target was
    /// removed, the prober recovered, or the incident ended before the restart.
    pub fn resolved(&self, incident: &Arc<Incident>) {
        self.lock().resolve(incident);
    }

    /// Counts a missed probe slot.
    pub fn missed(&self, missed: &Missed) {
        if let Some(entry) = self.lock().targets.get_mut(&missed.target.name) {
            let counts = MissedReason::ALL.into_iter().zip(&mut entry.view.missed);
            for (reason, count) in counts {
                *count += u64::from(reason == missed.reason);
            }
        }
    }

    /// Returns the location of this daemon.
    #[must_use]
    pub fn location(&self) -> Arc<str> {
        Arc::clone(&self.lock().location)
    }

    /// Returns a one-line summary, such as `watching 12 targets: 2 down, 1 degraded`.
    #[must_use]
    pub fn summary(&self) -> String {
        let state = self.lock();
        let count = |health| {
            let healths = state.targets.values().map(|entry| entry.view.health());
            healths.filter(|known| *known == health).count()
        };
        let states = [
            (HealthState::Down, "down"),
            (HealthState::Degraded, "degraded"),
            (HealthState::Unknown, "not known yet"),
        ];
        let problems = states.map(|(health, name)| (count(health), name));
        let problems = problems.iter().filter(|(count, _)| *count > 0);
        let problems: Vec<_> = problems
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        let total = state.targets.len();
        let plural = if total == 1 { "" } else { "s" };
        let problems = match problems.as_slice() {
            [] => "none down".to_owned(),
            problems => problems.join(", "),
        };
        format!("watching {total} target{plural}: {problems}")
    }

    /// Returns every target, sorted by name.
    #[must_use]
    pub fn targets(&self) -> Vec<TargetView> {
        let state = self.lock();
        let views = state.targets.values().map(|entry| entry.view.clone());
        views.collect()
    }

    /// Returns the target `name` with its recent probes, oldest first; `None` if no target of this
    /// name is configured.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<(TargetView, Vec<ProbeSample>)> {
        let state = self.lock();
        let entry = state.targets.get(name)?;
        Some((entry.view.clone(), entry.recent.iter().cloned().collect()))
    }

    /// Returns all open incidents, followed by the kept resolved incidents, both newest first.
    #[must_use]
    pub fn incidents(&self) -> Vec<Arc<Incident>> {
        let state = self.lock();
        // Reports with the prober's incident are excluded: the incident is in `declared` while it
        // is open, and the reports of many targets contain it, some even after it has ended.
        let reports = state
            .targets
            .values()
            .filter_map(|entry| entry.view.report.as_ref())
            .filter(|report| !report.prober_fault);
        let views = state.targets.values().map(|entry| &entry.view);
        let resumed = views.filter_map(|view| view.resumed.as_ref());
        let resumed = resumed.map(|kept| Arc::clone(&kept.incident));
        let mut incidents: Vec<_> = reports
            .filter_map(|report| report.incident.clone())
            .filter(|incident| incident.resolved.is_none())
            .chain(resumed)
            .chain(state.declared.values().cloned())
            .collect();
        incidents.sort_by_key(|incident| std::cmp::Reverse(incident.opened));
        incidents.extend(state.resolved.iter().cloned());
        incidents
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held loses at most one result, so the state is still used.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn resolve(&mut self, incident: &Arc<Incident>) {
        let known = self.declared.get(&incident.scope);
        if known.is_some_and(|known| known.id == incident.id) {
            self.declared.remove(&incident.scope);
        }
        self.resolved.push_front(Arc::clone(incident));
        self.resolved.truncate(MAX_RESOLVED);
    }
}

impl Entry {
    fn new(target: &Arc<Target>) -> Self {
        Self {
            view: TargetView {
                target: Arc::clone(target),
                report: None,
                resumed: None,
                missed: [0; MissedReason::ALL.len()],
            },
            recent: VecDeque::new(),
        }
    }

    fn record(&mut self, report: &Report) {
        if self.recent.len() >= MAX_RECENT {
            self.recent.pop_front();
        }
        let seen = &report.observation;
        self.recent.push_back(ProbeSample {
            at: report.at,
            outcome: report.diagnosis.outcome,
            duration: seen.duration,
            status: seen.response.as_ref().map(|response| response.status),
            cause: report.diagnosis.cause().cloned(),
        });
        self.view.resumed = None;
        self.view.report = Some(Arc::new(Report {
            observation: Arc::new(without_content(seen)),
            ..report.clone()
        }));
    }

    fn update(&mut self, update: &Update) {
        let Some(report) = &mut self.view.report else {
            return;
        };
        let report = Arc::make_mut(report);
        report.showing = Some(Arc::clone(&update.incident.verdict));
        report.incident = Some(Arc::clone(&update.incident));
        if let Some((began, diagnosis)) = &update.probe
            && report.observation.started == *began
        {
            report.diagnosis = Arc::clone(diagnosis);
        }
    }
}

/// Returns the observation without the body, reason phrase and headers of the response. Headers
/// that contain the request id are kept.
fn without_content(seen: &Observation) -> Observation {
    let request_id = seen.request_id();
    let response = seen.response.as_ref().map(|response| Response {
        headers: response
            .headers
            .iter()
            .filter(|(_, value)| Some(value.as_str()) == request_id)
            .cloned()
            .collect(),
        reason: None,
        body: Vec::new(),
        ..*response
    });
    Observation {
        fault: seen.fault.clone(),
        response,
        final_url: seen.final_url.clone(),
        tls: seen.tls.clone(),
        earlier_tls: seen.earlier_tls.clone(),
        dead_addresses: seen.dead_addresses.clone(),
        attempted: seen.attempted.clone(),
        ..*seen
    }
}
