//! The story of one outage: opened, its cause revised, resolved.
//!
//! Pure: `now` is an argument. An incident opens when a target's health leaves `up`
//! (or never reached it), names the cause that explains its failures best (`tally`), which
//! a single deviating probe cannot change, and resolves when the target is up again. It
//! refuses to page anybody: sinks do.

mod attribution;
mod id;

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::diagnosis::rulebook::Rulebook;
use crate::domain::diagnosis::{Diagnosis, Evidence, Verdict};
use crate::domain::health::{HealthState, Transition};
use crate::model::cause::{CauseId, Certainty};
use crate::model::scope::Scope;
use crate::model::target::TargetName;

use self::attribution::Attribution;
pub use self::id::IncidentId;

/// One outage of one target, of the prober itself, or of a group of targets.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// What it is about.
    pub scope: Scope,
    /// The cause as understood now.
    pub verdict: Arc<Verdict>,
    /// The facts that the verdict rests on.
    pub evidence: Arc<[Evidence]>,
    /// Causes of recent failures that the verdict's does not explain, newest first.
    pub also: Vec<CauseId>,
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
    /// What the recent failures look like, the ones before the incident included.
    attribution: Attribution,
    /// A cause that explains them better than the open incident's, and for how many
    /// failures in a row.
    rival: Option<(CauseId, u32)>,
}

/// One probe's result, as incidents look at it.
#[derive(Clone, Copy, Debug)]
pub struct ProbeOutcome<'a> {
    /// Whose.
    pub target: &'a TargetName,
    /// When the probe began, by which later evidence finds it again.
    pub began: Timestamp,
    /// What it means.
    pub diagnosis: &'a Diagnosis,
    /// The health that it led to.
    pub health: HealthState,
    /// Maintenance: no incident opens; one that is open goes on.
    pub suppressed: bool,
}

/// Another cause must explain the failures better this often in a row before it takes
/// over: two answers may alternate for as long as an outage lasts.
const OUTCOMES_TO_CHANGE: u32 = 2;

/// Revisions kept per incident, so that a day of changing causes stays readable.
const MAX_HISTORY: usize = 100;

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

impl<'a> ProbeOutcome<'a> {
    /// A failure's facts are evidence for what it names itself, and for nothing else.
    fn evidence_for(&self, verdict: &Verdict) -> &'a [Evidence] {
        if self.diagnosis.cause() == Some(&verdict.cause) {
            &self.diagnosis.evidence
        } else {
            &[]
        }
    }
}

impl Incidents {
    /// Goes on with an incident that was open when the process ended. What its failures
    /// looked like is not known any more: its verdict stands until new ones outweigh it.
    #[must_use]
    pub fn resumed(incident: Arc<Incident>) -> Self {
        Self {
            attribution: Attribution::resumed(&incident.verdict),
            open: Some(incident),
            rival: None,
        }
    }

    /// The open incident, if there is one.
    #[must_use]
    pub const fn open(&self) -> Option<&Arc<Incident>> {
        self.open.as_ref()
    }

    /// Takes one probe's result.
    pub fn apply(
        &mut self,
        sighting: ProbeOutcome<'_>,
        rulebook: &Rulebook,
        now: Timestamp,
    ) -> Option<IncidentEvent> {
        let Some(verdict) = &sighting.diagnosis.verdict else {
            if sighting.health == HealthState::Up {
                self.attribution.clear();
                return self.close(now, "up again");
            }
            return None;
        };
        self.attribution.add(sighting.began, verdict);
        let Some(mut incident) = self.open.take() else {
            let opens = matches!(sighting.health, HealthState::Down | HealthState::Degraded);
            if !opens || sighting.suppressed {
                return None;
            }
            self.rival = None;
            let incident = Arc::new(open(&sighting, self.best(rulebook)?, now));
            self.open = Some(Arc::clone(&incident));
            return Some(IncidentEvent::Opened(incident));
        };
        let changed = self.weigh(&mut incident, &sighting, rulebook, now);
        self.open = Some(Arc::clone(&incident));
        changed.then_some(IncidentEvent::Updated(incident))
    }

    /// Takes what AWS said, in `said`, about the probe that began then: a statement about
    /// that very request, or the metrics around it, revises the incident at once.
    pub fn revise_with(
        &mut self,
        began: Timestamp,
        diagnosis: &Diagnosis,
        said: &str,
        now: Timestamp,
    ) -> Option<IncidentEvent> {
        let verdict = diagnosis.verdict.as_ref()?;
        self.attribution.replace(began, verdict);
        let mut incident = self.open.take()?;
        let known = &incident.verdict;
        let same = known.cause == verdict.cause && known.certainty == verdict.certainty;
        // What is proven of one request stays so when another can only be guessed at.
        let weaker =
            known.certainty >= Certainty::Corroborated && verdict.certainty < known.certainty;
        let changed = !same && !weaker;
        if changed {
            let note = format!("{}: {said}", difference(known, verdict));
            self.rival = None;
            let beside = self.attribution.beside(&verdict.cause);
            revise(&mut incident, verdict, &diagnosis.evidence, note, now);
            Arc::make_mut(&mut incident).also = beside;
        }
        self.open = Some(Arc::clone(&incident));
        changed.then_some(IncidentEvent::Updated(incident))
    }

    /// Opens an incident that no single target's health tells of. `None`: one is open.
    pub fn declare(
        &mut self,
        scope: Scope,
        diagnosis: &Diagnosis,
        note: &str,
        now: Timestamp,
    ) -> Option<IncidentEvent> {
        let verdict = diagnosis.verdict.as_ref()?;
        if self.open.is_some() {
            return None;
        }
        let incident = Arc::new(Incident {
            id: IncidentId::new(&scope, now),
            scope,
            evidence: diagnosis.evidence.as_slice().into(),
            also: Vec::new(),
            opened: now,
            resolved: None,
            history: vec![revision(verdict, now, format!("opened: {note}"))],
            verdict: Arc::clone(verdict),
        });
        self.open = Some(Arc::clone(&incident));
        Some(IncidentEvent::Opened(incident))
    }

    /// Has a declared incident name another cause. `None`: it does already, or none is open.
    pub fn restate(
        &mut self,
        verdict: &Arc<Verdict>,
        note: &str,
        now: Timestamp,
    ) -> Option<IncidentEvent> {
        let incident = self.open.as_mut()?;
        let known = &incident.verdict;
        if known.cause == verdict.cause && known.certainty == verdict.certainty {
            return None;
        }
        let note = format!("{}: {note}", difference(known, verdict));
        revise(incident, verdict, &[], note, now);
        Some(IncidentEvent::Updated(Arc::clone(incident)))
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

    /// What explains the failures best, as a verdict.
    fn best(&self, rulebook: &Rulebook) -> Option<Arc<Verdict>> {
        let cause = self.attribution.leader()?;
        // One that leads no failure alone but fits them all has a verdict of its own.
        let named = || {
            rulebook
                .verdict_of(cause, self.attribution.candidates())
                .map(Arc::new)
        };
        self.attribution.verdict_of(cause).cloned().or_else(named)
    }

    /// Lets one more failure change the open incident; says whether it did.
    fn weigh(
        &mut self,
        incident: &mut Arc<Incident>,
        sighting: &ProbeOutcome<'_>,
        rulebook: &Rulebook,
        now: Timestamp,
    ) -> bool {
        let Some(best) = self.best(rulebook) else {
            return false;
        };
        let known = Arc::clone(&incident.verdict);
        let mut changed = false;
        if best.cause == known.cause {
            self.rival = None;
            changed = best.certainty > known.certainty;
        } else {
            let sightings = match self.rival.take() {
                Some((cause, seen)) if cause == best.cause => seen + 1,
                _ => 1,
            };
            if sightings < OUTCOMES_TO_CHANGE {
                self.rival = Some((best.cause.clone(), sightings));
            } else {
                changed = true;
            }
        }
        if changed {
            let note = difference(&known, &best);
            revise(incident, &best, sighting.evidence_for(&best), note, now);
        }
        // What stands beside the cause comes and goes with each probe: no news by itself.
        let beside = self.attribution.beside(&incident.verdict.cause);
        if incident.also != beside {
            Arc::make_mut(incident).also = beside;
        }
        changed
    }
}

fn revise(
    incident: &mut Arc<Incident>,
    verdict: &Arc<Verdict>,
    evidence: &[Evidence],
    note: String,
    now: Timestamp,
) {
    let revised = Arc::make_mut(incident);
    revised.verdict = Arc::clone(verdict);
    revised.evidence = evidence.into();
    push(&mut revised.history, revision(verdict, now, note));
}

/// What a revision changes, in one line.
fn difference(known: &Verdict, verdict: &Verdict) -> String {
    let certainty = format!("{} → {}", known.certainty, verdict.certainty);
    if known.cause == verdict.cause {
        return certainty;
    }
    let causes = format!("{} → {}", known.cause, verdict.cause);
    if known.certainty == verdict.certainty {
        causes
    } else {
        format!("{causes} ({certainty})")
    }
}

/// Says what a transition did, for the log line that every transition gets.
#[must_use]
pub fn describe(transition: Transition) -> String {
    format!("{} → {}", transition.from.as_str(), transition.to.as_str())
}

fn open(sighting: &ProbeOutcome<'_>, verdict: Arc<Verdict>, now: Timestamp) -> Incident {
    let scope = Scope::Target(sighting.target.clone());
    Incident {
        id: IncidentId::new(&scope, now),
        scope,
        evidence: sighting.evidence_for(&verdict).into(),
        also: Vec::new(),
        opened: now,
        resolved: None,
        history: vec![revision(&verdict, now, "opened".to_owned())],
        verdict,
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
    use std::sync::LazyLock;

    use crate::domain::diagnosis::{Candidate, Outcome};
    use crate::model::cause::Owner;

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

    /// Read once: it takes longer than all the rest.
    static RULES: LazyLock<Rulebook> = LazyLock::new(|| Rulebook::embedded().unwrap());

    fn apply(
        incidents: &mut Incidents,
        diagnosis: &Diagnosis,
        health: HealthState,
        second: i64,
    ) -> Option<IncidentEvent> {
        let sighting = ProbeOutcome {
            target: &TargetName::new("orders"),
            began: at(second),
            diagnosis,
            health,
            suppressed: false,
        };
        incidents.apply(sighting, &RULES, at(second))
    }

    /// Plays (cause, certainty, health) and returns the events as words.
    fn check(steps: &[(&str, Certainty, HealthState)], expected: &[&str]) -> Incidents {
        let mut incidents = Incidents::default();
        let mut seen = Vec::new();
        for (second, (cause, certainty, health)) in (1..).zip(steps) {
            let diagnosis = match *cause {
                "" => Diagnosis::passed(),
                cause => failed(cause, *certainty),
            };
            let event = apply(&mut incidents, &diagnosis, *health, second);
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
        let mut incidents = Incidents::default();
        let diagnosis = failed("dns-failure", Likely);
        let sighting = ProbeOutcome {
            target: &TargetName::new("orders"),
            began: at(1),
            diagnosis: &diagnosis,
            health: Down,
            suppressed: true,
        };
        assert_eq!(incidents.apply(sighting, &RULES, at(1)), None);
        assert!(apply(&mut incidents, &diagnosis, Down, 2).is_some());
    }

    #[test]
    fn history_is_bounded_and_keeps_its_opening() {
        let mut incidents = Incidents::default();
        for second in 0..1000_i64 {
            let cause = if second % 8 < 4 {
                "dns-failure"
            } else {
                "too-slow"
            };
            apply(&mut incidents, &failed(cause, Likely), Down, second);
        }
        let history = &incidents.open().unwrap().history;
        assert_eq!(history.len(), MAX_HISTORY);
        assert_eq!(history[0].note, "opened");
    }

    /// An open incident of an ambiguous 500, then what AWS says about its second failure.
    fn check_revision(revised: &Diagnosis, expected: Option<&str>) -> Incidents {
        let mut incidents = Incidents::default();
        let guess = failed("lambda-function-error", Possible);
        for second in 1..=3 {
            apply(&mut incidents, &guess, Down, second);
        }
        let event = incidents.revise_with(at(2), revised, "Throttles 14, Invocations 0", at(9));
        let note = event.map(|event| {
            assert_eq!(event.as_str(), "updated");
            event.incident().history.last().unwrap().note.clone()
        });
        assert_eq!(note.as_deref(), expected);
        incidents
    }

    #[test]
    fn evidence_revises_at_once_and_says_what_it_was() {
        check_revision(
            &failed("lambda-function-error", Certainty::Corroborated),
            Some("possible → corroborated: Throttles 14, Invocations 0"),
        );
        check_revision(
            &failed("lambda-throttled", Proven),
            Some(
                "lambda-function-error → lambda-throttled (possible → proven): \
                 Throttles 14, Invocations 0",
            ),
        );
        check_revision(&failed("lambda-function-error", Possible), None);
    }

    #[test]
    fn what_is_proven_is_not_lost_to_the_guesses_that_follow() {
        let proven = failed("lambda-throttled", Proven);
        let mut incidents = check_revision(
            &proven,
            Some(
                "lambda-function-error → lambda-throttled (possible → proven): \
                 Throttles 14, Invocations 0",
            ),
        );
        let guess = failed("lambda-function-error", Possible);
        for second in 10..20 {
            assert_eq!(apply(&mut incidents, &guess, Down, second), None);
        }
        let event = incidents.revise_with(at(19), &guess, "nothing", at(21));
        assert_eq!(event, None);
        let open = incidents.open().unwrap();
        assert_eq!(open.verdict.cause.as_str(), "lambda-throttled");
        assert!(open.also.is_empty(), "they look like what is proven");
        apply(&mut incidents, &failed("too-slow", Likely), Down, 22);
        let open = incidents.open().unwrap();
        assert_eq!(open.also[0].as_str(), "too-slow");
    }

    #[test]
    fn what_was_proven_before_a_restart_stays_so() {
        let mut before = Incidents::default();
        let guess = failed("lambda-function-error", Possible);
        apply(&mut before, &guess, Down, 1);
        let mut said = failed("lambda-malformed-response", Proven);
        before.revise_with(at(1), &said, "access log", at(2));
        let mut after = Incidents::resumed(Arc::clone(before.open().unwrap()));
        assert_eq!(after.open(), before.open());
        // The same look as the failure that was proven allows both.
        let both = ["lambda-function-error", "lambda-malformed-response"];
        said = guess;
        Arc::make_mut(said.verdict.as_mut().unwrap()).candidates = both
            .map(|cause| Candidate {
                cause: CauseId::new(cause).unwrap(),
                share: 0.5,
            })
            .to_vec();
        for second in 10..20 {
            assert_eq!(apply(&mut after, &said, Down, second), None);
        }
        let event = apply(&mut after, &Diagnosis::passed(), Up, 30).unwrap();
        assert_eq!(event.as_str(), "resolved");
        assert_eq!(event.incident().id, before.open().unwrap().id);
    }

    #[test]
    fn ids_sort_by_time_and_differ_by_target() {
        let (a, b) = (Scope::parse("a"), Scope::parse("b"));
        assert_ne!(IncidentId::new(&a, at(1)), IncidentId::new(&b, at(1)));
        assert!(IncidentId::new(&b, at(1)) < IncidentId::new(&a, at(2)));
    }

    #[test]
    fn a_declared_incident_is_restated_only_where_cause_or_certainty_differ() {
        let mut incidents = Incidents::default();
        let throttled = failed("lambda-throttled", Certainty::Likely);
        incidents.declare(Scope::Group, &throttled, "100 targets fail", at(1));
        let mut restate = |diagnosis: &Diagnosis| {
            let verdict = diagnosis.verdict.as_ref().unwrap();
            let event = incidents.restate(verdict, "90 targets fail", at(2))?;
            Some(event.incident().history.last()?.note.clone())
        };
        assert_eq!(restate(&throttled), None);
        // A majority may well be less sure than the one before it.
        let weaker = failed("dns-failure", Certainty::Possible);
        let note = "lambda-throttled → dns-failure (likely → possible): 90 targets fail";
        assert_eq!(restate(&weaker).as_deref(), Some(note));
    }
}
