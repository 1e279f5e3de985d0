//! What a few events have to say, and what must be on disk before it is said.

use super::notice::Notice;
use crate::incident::Incident;
use crate::report::Report;
use crate::sink::Sinks;
use crate::store::KeptIncident;
use std::sync::Arc;

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
