//! What a few events have to say, and what must be on disk before it is said.

use std::sync::Arc;

use super::notice::Notice;
use crate::domain::incident::Incident;
use crate::domain::report::Report;
use crate::io::sink::Sinks;
use crate::io::store::KeptIncident;

/// Gathered while events are handled, told together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    incidents: Vec<KeptIncident>,
    notices: Vec<Notice>,
}

impl Batch {
    /// Takes a statement.
    pub(super) fn tell(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// Takes an incident that must be on disk first.
    pub(super) fn keep(&mut self, incident: KeptIncident) {
        self.incidents.push(incident);
    }

    /// Takes a probe's report, with the incident that it opened, changed or ended.
    pub(super) fn report(&mut self, report: Report) {
        let touched = match &report.event {
            Some(event) => Some(event.incident()),
            // Its health is kept with it.
            None if report.transition.is_some() => report.incident.as_ref(),
            None => None,
        };
        if let Some(incident) = touched {
            self.keep(of_report(&report, incident));
        }
        self.tell(Notice::Report(Box::new(report)));
    }

    /// The incidents, for the disk.
    pub(super) fn take_incidents(&mut self) -> Vec<KeptIncident> {
        std::mem::take(&mut self.incidents)
    }

    /// Tells everything, in order.
    pub(super) fn publish(&mut self, sinks: &Sinks) {
        for notice in self.notices.drain(..) {
            notice.tell(sinks);
        }
    }
}

fn of_report(report: &Report, incident: &Arc<Incident>) -> KeptIncident {
    KeptIncident {
        location: Arc::clone(&report.location),
        incident: Arc::clone(incident),
        health: report.health,
        since: report.since,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    use crate::domain::diagnosis::context::Context;
    use crate::domain::diagnosis::fact::Facts;
    use crate::domain::diagnosis::rulebook::Rulebook;
    use crate::domain::health::Health;
    use crate::domain::incident::{Incidents, ProbeOutcome};
    use crate::model::observation::{Fault, FaultKind, Observation, Phase};
    use crate::model::target::Target;

    /// Plays probes, written as letters (p, f), and returns what each has put on disk.
    fn check(outcomes: &str, expected: &[&str]) {
        let url: url::Url = "https://orders.example/".parse().unwrap();
        let target = Arc::new(Target::with_defaults("orders", url));
        let book = Rulebook::embedded().unwrap();
        let mut health = Health::new(target.health, Timestamp::UNIX_EPOCH);
        let mut incidents = Incidents::default();
        let mut batch = Batch::default();
        let kept = (1..).zip(outcomes.chars()).map(|(second, letter)| {
            let now = Timestamp::from_second(second).unwrap();
            let mut seen = Observation::begun(now, target.url.as_str());
            seen.fault = Some(Fault {
                phase: Phase::Connect,
                kind: FaultKind::ConnectionRefused,
                detail: String::new(),
            });
            let facts = Facts::gather(&target, &seen, &Context::at(now));
            let mut diagnosis = book.diagnose(&facts);
            if letter == 'p' {
                diagnosis.outcome = crate::domain::diagnosis::Outcome::Passed;
                diagnosis.verdict = None;
            }
            let transition = health.observe(diagnosis.outcome, now);
            let sighting = ProbeOutcome {
                target: &target.name,
                began: now,
                diagnosis: &diagnosis,
                health: health.state(),
                suppressed: false,
            };
            let event = incidents.apply(sighting, &book, now);
            batch.report(Report {
                target: Arc::clone(&target),
                location: "test".into(),
                at: now,
                observation: Arc::new(seen),
                diagnosis: Arc::new(diagnosis),
                health: health.state(),
                since: health.since(),
                transition,
                showing: None,
                floor: None,
                incident: incidents.open().cloned(),
                event,
                maintenance: false,
                own_trouble: false,
            });
            let kept = batch.take_incidents().into_iter();
            let words = kept.map(|kept| match kept.incident.resolved {
                Some(_) => format!("{} resolved", kept.health.as_str()),
                None => format!("{} open", kept.health.as_str()),
            });
            words.collect::<String>()
        });
        assert_eq!(kept.collect::<Vec<_>>(), expected, "{outcomes}");
        assert_eq!(batch.notices.len(), outcomes.len(), "each is told");
    }

    #[test]
    fn a_probe_touches_the_disk_only_where_it_changes_an_incident() {
        check("pp", &["", ""]);
        check("pfff", &["", "", "down open", ""]);
        check("ffpp", &["", "down open", "", "up resolved"]);
    }
}
