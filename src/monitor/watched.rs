//! What the monitor remembers of one target.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::baseline::Baseline;
use crate::diagnosis::{Diagnosis, Outcome, Verdict};
use crate::health::{Health, HealthState};
use crate::incident::Incidents;
use crate::inquiry::Inquiry;
use crate::target::{Target, TargetName};

/// One target and all that is known of it.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) target: Arc<Target>,
    pub(super) health: Health,
    pub(super) baseline: Baseline,
    pub(super) incidents: Incidents,
    pub(super) inquiry: Inquiry,
    pub(super) showing: Option<Arc<Verdict>>,
}

impl Watched {
    /// A target that has not been probed.
    pub(super) fn new(target: Arc<Target>, now: Timestamp) -> Self {
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
    pub(super) fn show(&mut self, diagnosis: &Diagnosis) {
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
pub(super) fn of<'a>(
    known: &'a mut HashMap<TargetName, Watched>,
    target: &Arc<Target>,
) -> Option<&'a mut Watched> {
    let watched = known.get_mut(&target.name)?;
    let same = Arc::ptr_eq(&watched.target, target) || watched.target == *target;
    same.then_some(watched)
}
