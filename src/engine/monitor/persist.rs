//! Incidents go to disk before anybody is told of them; what is learned follows at leisure.
//!
//! Whoever was shown an incident may look for it after a crash. A state directory that does
//! not work holds nobody up: what it misses is kept here and handed over once it works.

use std::collections::HashMap;

use jiff::Timestamp;

use super::target_state::{Learned, TargetState};
use crate::domain::incident::IncidentId;
use crate::io::store::{KeptBaseline, KeptIncident, Store};

/// The way to the disk, and what did not get there.
#[derive(Debug)]
pub(super) struct Persistence {
    pub(super) store: Store,
    /// Incidents of which the disk knows less than we do.
    unkept: HashMap<IncidentId, KeptIncident>,
}

/// Incidents that wait for the disk; beyond it those that are over are given up. About as
/// many as the disk keeps at all.
const MOST_UNKEPT: usize = 10_000;

/// Baselines written at once, so that collecting them never holds up a result for more
/// than a millisecond or two: ten thousand targets get their turn within the ten minutes.
const AT_ONCE: usize = 200;

impl Persistence {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            unkept: HashMap::new(),
        }
    }

    /// Writes incidents as they are now, with what could not be written before; returns
    /// when they are on disk, or when it is clear that they will not be soon.
    pub(super) async fn keep(&mut self, incidents: Vec<KeptIncident>) {
        if !self.store.is_on() {
            return;
        }
        let incidents = incidents.into_iter();
        self.unkept
            .extend(incidents.map(|kept| (kept.incident.id.clone(), kept)));
        if self.unkept.is_empty() {
            return;
        }
        // One that is ill is not asked: each question could take its patience.
        let well = self.store.is_well();
        let unkept = || self.unkept.values().cloned().collect();
        if well && self.store.keep_incidents(unkept()).await {
            self.unkept.clear();
        } else if self.unkept.len() > MOST_UNKEPT {
            self.unkept
                .retain(|_, kept| kept.incident.resolved.is_none());
        }
    }

    /// Hands over what was learned since it was last written, where that is due.
    pub(super) fn keep_learned<'a>(
        &self,
        targets: impl Iterator<Item = &'a mut TargetState>,
        now: Timestamp,
    ) {
        if self.store.is_well() {
            let due = targets.filter(|watched| watched.learned.is_due(now));
            self.write(due.take(AT_ONCE), now);
        }
    }

    /// Hands over everything that was learned since it was last written: the end is near.
    pub(super) fn keep_all_learned<'a>(
        &self,
        targets: impl Iterator<Item = &'a mut TargetState>,
        now: Timestamp,
    ) {
        self.write(targets.filter(|watched| watched.learned.changed), now);
    }

    fn write<'a>(&self, targets: impl Iterator<Item = &'a mut TargetState>, now: Timestamp) {
        let baselines = targets.map(|watched| {
            watched.learned = Learned::written(now);
            KeptBaseline {
                target: watched.target.name.clone(),
                settings: watched.settings,
                learned: watched.baseline.snapshot(),
            }
        });
        self.store.keep_baselines(baselines.collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Instant;

    use crate::domain::diagnosis::Verdict;
    use crate::domain::health::HealthState;
    use crate::domain::incident::{Incident, Incidents};
    use crate::io::sink::daemon_metrics::DaemonMetrics;
    use crate::model::scope::Scope;

    fn kept(name: &str) -> KeptIncident {
        let unexplained = crate::domain::diagnosis::rulebook::unexplained();
        let incident = Incident {
            id: IncidentId::new(&Scope::parse(name), Timestamp::UNIX_EPOCH),
            scope: Scope::parse(name),
            verdict: Arc::new(Verdict {
                cause: unexplained.cause,
                title: unexplained.title,
                owner: unexplained.owner,
                certainty: crate::model::cause::Certainty::Possible,
                candidates: Vec::new(),
                next: Vec::new(),
            }),
            evidence: [].into(),
            also: Vec::new(),
            opened: Timestamp::UNIX_EPOCH,
            resolved: None,
            history: Vec::new(),
        };
        KeptIncident {
            location: "test".into(),
            incident: Arc::new(incident),
            health: HealthState::Down,
            since: Timestamp::UNIX_EPOCH,
        }
    }

    #[tokio::test]
    async fn what_a_disk_does_not_take_is_remembered_once_each_and_holds_nobody_up() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let gauges = DaemonMetrics::new().unwrap().store_gauges();
        let (store, _) = Store::open(file.path(), gauges).await;
        let mut ledger = Persistence::new(store);
        let begun = Instant::now();
        for _ in 0..100 {
            ledger.keep(vec![kept("orders"), kept("users")]).await;
        }
        assert!(begun.elapsed().as_millis() < 500, "it waited for the disk");
        assert_eq!(ledger.unkept.len(), 2);

        // Once it works they are handed over, the newest state of each, with nothing new.
        let orders = kept("orders").incident;
        let mut incidents = Incidents::resumed(orders);
        let over = incidents.close(Timestamp::now(), "up again").unwrap();
        let over = KeptIncident {
            incident: Arc::clone(over.incident()),
            ..kept("orders")
        };
        ledger.keep(vec![over.clone()]).await;
        let directory = tempfile::tempdir().unwrap();
        let gauges = DaemonMetrics::new().unwrap().store_gauges();
        ledger.store = Store::open(directory.path(), gauges.clone()).await.0;
        ledger.keep(Vec::new()).await;
        assert!(ledger.unkept.is_empty());
        ledger.store.close().await;
        let (_store, memory) = Store::open(directory.path(), gauges).await;
        assert_eq!(
            (memory.open, memory.resolved),
            (vec![kept("users")], vec![over])
        );
    }

    #[tokio::test]
    async fn without_a_store_nothing_piles_up() {
        let gauges = DaemonMetrics::new().unwrap().store_gauges();
        let mut ledger = Persistence::new(Store::off(gauges));
        ledger.keep(vec![kept("orders")]).await;
        assert!(ledger.unkept.is_empty());
    }
}
