//! The story of one outage: opened, its cause revised, resolved.
//!
//! Pure: `now` is an argument. An incident opens when a target's health leaves `up`
//! (or never reached it), keeps one cause that a single deviating probe cannot change,
//! and resolves when the target is up again. It refuses to page anybody: sinks do.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::cause::{CauseId, Certainty};
use crate::diagnosis::{Diagnosis, Verdict};
use crate::health::{HealthState, Transition};
use crate::target::TargetName;

/// An incident's id: unique over restarts, sorts by time. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(Arc<str>);

/// One outage of one target.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// Whose.
    pub target: TargetName,
    /// The cause as understood now.
    pub verdict: Arc<Verdict>,
    /// When it opened.
    pub opened: Timestamp,
    /// When it was over.
    pub resolved: Option<Timestamp>,
    /// Every revision, oldest first; bounded, the second-oldest goes first.
    pub history: Vec<Revision>,
}

/// One entry of an incident's history.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// When.
    pub at: Timestamp,
    /// The cause from then on.
    pub cause: CauseId,
    /// The certainty from then on.
    pub certainty: Certainty,
    /// What changed, in one line.
    pub note: String,
}

/// What happened to an incident.
#[derive(Clone, Debug, PartialEq)]
pub enum IncidentEvent {
    /// It opened.
    Opened(Arc<Incident>),
    /// Its cause or certainty changed.
    Updated(Arc<Incident>),
    /// It is over.
    Resolved(Arc<Incident>),
}

/// The incidents of one target: at most one is open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Incidents {
    open: Option<Arc<Incident>>,
    /// A verdict that differs from the open incident's, and how often it was seen in a row.
    rival: Option<(CauseId, u32)>,
}

/// A different cause must show this often in a row before it takes over: one deviating
/// answer in an outage is common (a balancer's other node), two in a row are a change.
const SIGHTINGS_TO_CHANGE: u32 = 2;

/// Revisions kept per incident, so that a day of changing causes stays readable.
const MAX_HISTORY: usize = 100;

impl IncidentId {
    /// Makes the id of an incident that opens now. Target and time are unique
    /// together, since a target has at most one open incident.
    #[must_use]
    pub fn new(target: &TargetName, opened: Timestamp) -> Self {
        // FNV-1a: short, stable over releases, and no secret is involved.
        let hash = target
            .as_str()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let millis = opened.as_millisecond();
        Self(format!("{millis:012x}-{:08x}", hash >> 32).into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl IncidentEvent {
    /// The incident as it is after the event.
    #[must_use]
    pub const fn incident(&self) -> &Arc<Incident> {
        match self {
            Self::Opened(incident) | Self::Updated(incident) | Self::Resolved(incident) => incident,
        }
    }

    /// The event's name in logs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Opened(_) => "opened",
            Self::Updated(_) => "updated",
            Self::Resolved(_) => "resolved",
        }
    }
}

impl Incidents {
    /// The open incident, if there is one.
    #[must_use]
    pub const fn open(&self) -> Option<&Arc<Incident>> {
        self.open.as_ref()
    }

    /// Takes one diagnosis with the health it led to. `suppressed` (maintenance) keeps
    /// an incident from opening; one that is open goes on.
    pub fn apply(
        &mut self,
        target: &TargetName,
        diagnosis: &Diagnosis,
        health: HealthState,
        suppressed: bool,
        now: Timestamp,
    ) -> Option<IncidentEvent> {
        if health == HealthState::Up {
            return self.close(now, "up again");
        }
        let verdict = diagnosis.verdict.as_ref()?;
        match self.open.take() {
            None if matches!(health, HealthState::Down | HealthState::Degraded) && !suppressed => {
                let incident = Arc::new(open(target, verdict, now));
                self.rival = None;
                self.open = Some(Arc::clone(&incident));
                Some(IncidentEvent::Opened(incident))
            }
            None => None,
            Some(incident) => {
                let (incident, changed) = self.revise(incident, verdict, now);
                self.open = Some(Arc::clone(&incident));
                changed.then_some(IncidentEvent::Updated(incident))
            }
        }
    }

    /// Ends the open incident, for instance because its target was removed.
    pub fn close(&mut self, now: Timestamp, note: &str) -> Option<IncidentEvent> {
        let mut incident = self.open.take()?;
        self.rival = None;
        let closing = Arc::make_mut(&mut incident);
        closing.resolved = Some(now);
        let verdict = Arc::clone(&closing.verdict);
        push(
            &mut closing.history,
            revision(&verdict, now, note.to_owned()),
        );
        Some(IncidentEvent::Resolved(incident))
    }

    fn revise(
        &mut self,
        mut incident: Arc<Incident>,
        verdict: &Arc<Verdict>,
        now: Timestamp,
    ) -> (Arc<Incident>, bool) {
        let known = &incident.verdict;
        let note = if verdict.cause == known.cause {
            self.rival = None;
            if verdict.certainty <= known.certainty {
                return (incident, false);
            }
            format!("{} → {}", known.certainty, verdict.certainty)
        } else {
            let sightings = match self.rival.take() {
                Some((cause, seen)) if cause == verdict.cause => seen + 1,
                _ => 1,
            };
            if sightings < SIGHTINGS_TO_CHANGE {
                self.rival = Some((verdict.cause.clone(), sightings));
                return (incident, false);
            }
            format!("{} → {}", known.cause, verdict.cause)
        };
        let revised = Arc::make_mut(&mut incident);
        revised.verdict = Arc::clone(verdict);
        push(&mut revised.history, revision(verdict, now, note));
        (incident, true)
    }
}

/// Says what a transition did, for the log line that every transition gets.
#[must_use]
pub fn describe(transition: Transition) -> String {
    format!("{} → {}", transition.from.as_str(), transition.to.as_str())
}

fn open(target: &TargetName, verdict: &Arc<Verdict>, now: Timestamp) -> Incident {
    Incident {
        id: IncidentId::new(target, now),
        target: target.clone(),
        verdict: Arc::clone(verdict),
        opened: now,
        resolved: None,
        history: vec![revision(verdict, now, "opened".to_owned())],
    }
}

fn revision(verdict: &Verdict, at: Timestamp, note: String) -> Revision {
    Revision {
        at,
        cause: verdict.cause.clone(),
        certainty: verdict.certainty,
        note,
    }
}

/// The opening stays whatever happens: it is what a reader looks for first.
fn push(history: &mut Vec<Revision>, revision: Revision) {
    if history.len() >= MAX_HISTORY {
        history.remove(1);
    }
    history.push(revision);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Owner;
    use crate::diagnosis::{Candidate, Outcome};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn failed(cause: &str, certainty: Certainty) -> Diagnosis {
        let cause = CauseId::new(cause).unwrap();
        Diagnosis {
            outcome: Outcome::Failed,
            verdict: Some(Arc::new(Verdict {
                cause: cause.clone(),
                title: String::new(),
                owner: Owner::Service,
                certainty,
                candidates: vec![Candidate { cause, share: 1.0 }],
                next: Vec::new(),
            })),
            evidence: Vec::new(),
            error: None,
        }
    }

    /// Plays (cause, certainty, health) and returns the events as words.
    fn check(steps: &[(&str, Certainty, HealthState)], expected: &[&str]) -> Incidents {
        let target = TargetName::new("orders");
        let mut incidents = Incidents::default();
        let mut seen = Vec::new();
        for (second, (cause, certainty, health)) in (1..).zip(steps) {
            let diagnosis = match *cause {
                "" => Diagnosis::passed(),
                cause => failed(cause, *certainty),
            };
            let event = incidents.apply(&target, &diagnosis, *health, false, at(second));
            seen.push(event.map_or("-".to_owned(), |event| {
                format!("{} {}", event.as_str(), event.incident().verdict.cause)
            }));
        }
        assert_eq!(seen, expected);
        incidents
    }

    use Certainty::{Likely, Possible, Proven};
    use HealthState::{Down, Unknown, Up};

    #[test]
    fn an_incident_opens_with_the_health_and_resolves_with_it() {
        let incidents = check(
            &[
                ("connection-refused", Likely, Unknown),
                ("connection-refused", Likely, Down),
                ("", Likely, Down),
                ("", Likely, Up),
            ],
            &[
                "-",
                "opened connection-refused",
                "-",
                "resolved connection-refused",
            ],
        );
        assert!(incidents.open().is_none());
    }

    #[test]
    fn one_deviating_probe_does_not_change_the_cause_but_two_do() {
        check(
            &[
                ("lambda-throttled", Likely, Down),
                ("too-slow", Likely, Down),
                ("lambda-throttled", Likely, Down),
                ("too-slow", Likely, Down),
                ("too-slow", Likely, Down),
            ],
            &["opened lambda-throttled", "-", "-", "-", "updated too-slow"],
        );
    }

    #[test]
    fn a_better_certainty_revises_at_once_and_is_kept() {
        let incidents = check(
            &[
                ("lambda-throttled", Possible, Down),
                ("lambda-throttled", Proven, Down),
                ("lambda-throttled", Possible, Down),
            ],
            &["opened lambda-throttled", "updated lambda-throttled", "-"],
        );
        let open = incidents.open().unwrap();
        assert_eq!(open.verdict.certainty, Proven);
        assert_eq!(open.history.last().unwrap().note, "possible → proven");
    }

    #[test]
    fn maintenance_keeps_an_incident_from_opening() {
        let target = TargetName::new("orders");
        let mut incidents = Incidents::default();
        let diagnosis = failed("dns-failure", Likely);
        assert_eq!(
            incidents.apply(&target, &diagnosis, Down, true, at(1)),
            None
        );
        assert!(
            incidents
                .apply(&target, &diagnosis, Down, false, at(2))
                .is_some()
        );
    }

    #[test]
    fn history_is_bounded_and_keeps_its_opening() {
        let target = TargetName::new("orders");
        let mut incidents = Incidents::default();
        for second in 0..1000_i64 {
            let cause = if second % 4 < 2 {
                "dns-failure"
            } else {
                "too-slow"
            };
            incidents.apply(&target, &failed(cause, Likely), Down, false, at(second));
        }
        let history = &incidents.open().unwrap().history;
        assert_eq!(history.len(), MAX_HISTORY);
        assert_eq!(history[0].note, "opened");
    }

    #[test]
    fn ids_sort_by_time_and_differ_by_target() {
        let (a, b) = (TargetName::new("a"), TargetName::new("b"));
        assert_ne!(IncidentId::new(&a, at(1)), IncidentId::new(&b, at(1)));
        assert!(IncidentId::new(&b, at(1)) < IncidentId::new(&a, at(2)));
    }
}
