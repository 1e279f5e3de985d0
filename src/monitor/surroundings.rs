//! What the monitor makes of many targets failing at once: one incident of the prober's.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Monitor, journal, watched};
use crate::diagnosis::fact::Facts;
use crate::observation::Observation;
use crate::target::{Target, TargetName};
use crate::vantage::{Census, Change};

/// Whose incident it is; no target can be called so, since `(` is refused in names.
const PROBER: &str = "(prober)";

impl Monitor {
    /// Whether a failure is this prober's own trouble and no news of the target. What
    /// was down before keeps its own incident and cause.
    pub(super) fn look_around(
        &mut self,
        target: &Arc<Target>,
        observation: &Observation,
        now: Timestamp,
    ) -> bool {
        let Some(watched) = watched::of(&mut self.watched, target) else {
            return false;
        };
        let down_before = watched.incidents.open().is_some();
        match self.vantage.observe(target, observation, now) {
            Some(Change::Begun(census)) => self.own_trouble_begins(&census, now),
            Some(Change::Over(census)) => self.own_trouble_ends(&census, now),
            None => {}
        }
        let phase = observation.fault.as_ref().map(|fault| fault.phase);
        phase.is_some() && phase == self.vantage.trouble() && !down_before
    }

    fn own_trouble_begins(&mut self, census: &Census, now: Timestamp) {
        let mut facts = Facts::defaults();
        facts.set_text("phase", census.phase.as_str());
        facts.set_text("vantage", "suspect");
        let diagnosis = self.rulebook.diagnose(&facts);
        let name = TargetName::new(PROBER);
        let note = census.to_string();
        let event = self.own_incident.declare(&name, &diagnosis, &note, now);
        if let Some(event) = event {
            journal::incident(&name, &event);
            self.outbox.sinks.board.opened(event.incident());
            self.outbox.sinks.cloudwatch.trouble(true);
        }
    }

    fn own_trouble_ends(&mut self, census: &Census, now: Timestamp) {
        let note = format!("over: {census}");
        if let Some(event) = self.own_incident.close(now, &note) {
            journal::incident(&TargetName::new(PROBER), &event);
            self.outbox.sinks.board.resolved(event.incident());
            self.outbox.sinks.cloudwatch.trouble(false);
        }
    }
}
