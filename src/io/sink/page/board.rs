//! The newest state of every target, its last results, and the incidents.
//!
//! In memory only and bounded: losing it loses history, never monitoring. It keeps
//! neither bodies nor headers, since ten thousand of them would not fit the budget and
//! could hold what not everybody may see.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::diagnosis::{Outcome, Verdict};
use crate::domain::health::HealthState;
use crate::domain::incident::{Incident, IncidentEvent};
use crate::domain::report::{CauseInfo, Missed, MissedReason, Report, Update};
use crate::io::store::KeptIncident;
use crate::model::cause::CauseId;
use crate::model::observation::{Observation, Response};
use crate::model::scope::Scope;
use crate::model::settings::Settings;
use crate::model::target::{Target, TargetName};

/// What the page and the API read. Shared by reference; every method takes a short lock.
#[derive(Debug, Default)]
pub struct Board {
    state: Mutex<State>,
}

/// One target as it stands now: a copy that stays as it is.
#[derive(Clone, Debug)]
pub struct TargetView {
    /// Its configuration.
    pub target: Arc<Target>,
    /// The newest report; none before the first probe.
    pub report: Option<Arc<Report>>,
    /// What is known from before a restart, until the first probe.
    pub resumed: Option<Arc<KeptIncident>>,
    /// Missed slots by reason, in the order of [`MissedReason::ALL`].
    pub missed: [u64; MissedReason::ALL.len()],
}

/// One of the last results, in short.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// When the probe ended.
    pub at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// How long it took.
    pub duration: Duration,
    /// The status of its answer.
    pub status: Option<u16>,
    /// What it was diagnosed as.
    pub cause: Option<CauseId>,
}

impl TargetView {
    /// Its health; before the first probe that of before a restart.
    #[must_use]
    pub fn health(&self) -> HealthState {
        match (&self.report, &self.resumed) {
            (Some(report), _) => report.health,
            (None, Some(kept)) => kept.health,
            (None, None) => HealthState::Unknown,
        }
    }

    /// Since when it is so; `None`: never probed.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        let reported = self.report.as_ref().map(|report| report.since);
        reported.or_else(|| self.resumed.as_ref().map(|kept| kept.since))
    }

    /// The cause to show.
    #[must_use]
    pub fn showing(&self) -> Option<&Arc<Verdict>> {
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
    /// Open ones that are no target's: the prober's own, and a group's.
    declared: BTreeMap<Scope, Arc<Incident>>,
    /// Newest first.
    resolved: VecDeque<Arc<Incident>>,
}

#[derive(Debug)]
struct Entry {
    view: TargetView,
    /// Oldest first.
    recent: VecDeque<Sample>,
}

/// Results kept per target: an hour at the default interval.
const RECENT: usize = 60;

/// Resolved incidents kept: a bad week's worth, a few hundred kilobytes.
const RESOLVED: usize = 500;

impl Board {
    /// Takes over a configuration: new targets appear without a report, removed ones
    /// vanish, kept ones keep what is known of them.
    pub fn configure(&self, settings: &Settings) {
        let mut state = self.lock();
        state.location = settings.location.as_str().into();
        let mut old = std::mem::take(&mut state.targets);
        state.targets = settings
            .targets
            .iter()
            .map(|target| {
                let mut entry = old
                    .remove(&target.name)
                    .unwrap_or_else(|| Entry::new(target));
                entry.view.target = Arc::clone(target);
                (target.name.clone(), entry)
            })
            .collect();
    }

    /// Takes over what there is to say of every cause.
    pub fn explain(&self, causes: &Arc<[CauseInfo]>) {
        self.lock().causes = Arc::clone(causes);
    }

    /// Every cause that the rules know.
    #[must_use]
    pub fn causes(&self) -> Arc<[CauseInfo]> {
        Arc::clone(&self.lock().causes)
    }

    /// Takes a probe's report. One of a target that is no longer configured only tells
    /// of the end of its incident.
    pub fn publish(&self, report: &Report) {
        let mut state = self.lock();
        if let Some(IncidentEvent::Resolved(incident)) = &report.event {
            state.resolve(incident);
        }
        if let Some(entry) = state.targets.get_mut(&report.target.name) {
            entry.take(report);
        }
    }

    /// Takes a better cause of an open incident.
    pub fn update(&self, update: &Update) {
        if let Some(entry) = self.lock().targets.get_mut(&update.target.name) {
            entry.update(update);
        }
    }

    /// Takes an incident that is no target's, or what has become of it: the prober's own,
    /// or a group's.
    pub fn opened(&self, incident: &Arc<Incident>) {
        let scope = incident.scope.clone();
        self.lock().declared.insert(scope, Arc::clone(incident));
    }

    /// Takes an incident of before a restart that goes on.
    pub fn resume(&self, kept: &Arc<KeptIncident>) {
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

    /// Takes the end of an incident that no probe ended: its target was removed, or the
    /// prober is well again.
    pub fn resolved(&self, incident: &Arc<Incident>) {
        self.lock().resolve(incident);
    }

    /// Counts a missed slot.
    pub fn missed(&self, missed: &Missed) {
        if let Some(entry) = self.lock().targets.get_mut(&missed.target.name) {
            let counts = MissedReason::ALL.into_iter().zip(&mut entry.view.missed);
            for (reason, count) in counts {
                *count += u64::from(reason == missed.reason);
            }
        }
    }

    /// The location of this daemon.
    #[must_use]
    pub fn location(&self) -> Arc<str> {
        Arc::clone(&self.lock().location)
    }

    /// How things are, in one line: `watching 12 targets: 2 down, 1 degraded`.
    #[must_use]
    pub fn summary(&self) -> String {
        let state = self.lock();
        let count = |health| {
            let targets = state.targets.values();
            targets
                .filter(|entry| entry.view.health() == health)
                .count()
        };
        let told = [
            (HealthState::Down, "down"),
            (HealthState::Degraded, "degraded"),
            (HealthState::Unknown, "not known yet"),
        ];
        let counted = told.map(|(health, how)| (count(health), how));
        let trouble = counted.into_iter().filter(|(number, _)| *number > 0);
        let trouble: Vec<_> = trouble
            .map(|(number, how)| format!("{number} {how}"))
            .collect();
        let total = state.targets.len();
        let plural = if total == 1 { "" } else { "s" };
        if trouble.is_empty() {
            format!("watching {total} target{plural}: none down")
        } else {
            format!("watching {total} target{plural}: {}", trouble.join(", "))
        }
    }

    /// Every target, by name.
    #[must_use]
    pub fn targets(&self) -> Vec<TargetView> {
        let state = self.lock();
        state
            .targets
            .values()
            .map(|entry| entry.view.clone())
            .collect()
    }

    /// One target with its last results, oldest first; `None` if it is not configured.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<(TargetView, Vec<Sample>)> {
        let state = self.lock();
        let entry = state.targets.get(name)?;
        Some((entry.view.clone(), entry.recent.iter().cloned().collect()))
    }

    /// Every incident known: the open ones, then the resolved ones, newest first.
    #[must_use]
    pub fn incidents(&self) -> Vec<Arc<Incident>> {
        let state = self.lock();
        // The prober's own shows in the reports of many targets, for a while after its end.
        let reports = state
            .targets
            .values()
            .filter_map(|entry| entry.view.report.as_ref())
            .filter(|report| !report.own_trouble);
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
        // A panic while the lock was held leaves at worst one result behind.
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
        self.resolved.truncate(RESOLVED);
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

    fn take(&mut self, report: &Report) {
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        let seen = &report.observation;
        self.recent.push_back(Sample {
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
        if report.observation.started == update.began {
            report.diagnosis = Arc::clone(&update.diagnosis);
        }
    }
}

/// The observation without what is long or private: its body, and every header but
/// those that hold a request id.
fn without_content(seen: &Observation) -> Observation {
    let request_id = seen.request_id();
    let response = seen.response.as_ref().map(|response| Response {
        headers: response
            .headers
            .iter()
            .filter(|(_, value)| Some(value.as_str()) == request_id)
            .cloned()
            .collect(),
        body: Vec::new(),
        ..*response
    });
    Observation {
        fault: seen.fault.clone(),
        response,
        final_url: seen.final_url.clone(),
        tls: seen.tls.clone(),
        ..*seen
    }
}
