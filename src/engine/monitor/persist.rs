//! Saves incidents before they are published, and baselines periodically.
//!
//! Because of this order, every incident that a user has seen survives a crash. If the state
//! directory fails, the monitor continues: unsaved incidents are kept in memory and saved once the
//! directory works again.

use std::collections::HashMap;

use jiff::Timestamp;

use super::target_state::{SaveState, TargetState};
use crate::domain::incident::IncidentId;
use crate::io::store::{Store, StoredBaseline, StoredIncident};

/// The store and the incidents that are not saved yet.
#[derive(Debug)]
pub(super) struct Persistence {
    pub(super) store: Store,
    /// Incidents whose newest state is not saved.
    unsaved: HashMap<IncidentId, StoredIncident>,
}

/// Number of unsaved incidents above which resolved incidents are dropped, to limit memory. The
/// store would not keep more resolved incidents than this number either.
const MAX_UNSAVED: usize = 10_000;

/// Maximum number of baselines saved per tick. Collecting this many baselines delays a result by at
/// most two milliseconds, and the baselines of ten thousand targets are saved within ten minutes.
const BASELINES_PER_TICK: usize = 200;

impl Persistence {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            unsaved: HashMap::new(),
        }
    }

    /// Saves `incidents`, and earlier incidents that could not be saved. Returns once all of them
    /// are on disk or the store has failed. Does nothing if the store is disabled.
    pub(super) async fn save_incidents(&mut self, incidents: Vec<StoredIncident>) {
        if !self.store.is_enabled() {
            return;
        }
        let incidents = incidents.into_iter();
        self.unsaved
            .extend(incidents.map(|kept| (kept.incident.id.clone(), kept)));
        if self.unsaved.is_empty() {
            return;
        }
        // A failing store is not called, because each call could block until its timeout.
        let healthy = self.store.is_healthy();
        let unsaved = || self.unsaved.values().cloned().collect();
        if healthy && self.store.save_incidents(unsaved()).await {
            self.unsaved.clear();
        } else if self.unsaved.len() > MAX_UNSAVED {
            self.unsaved
                .retain(|_, kept| kept.incident.resolved.is_none());
        }
    }

    /// Saves at most [`BASELINES_PER_TICK`] of the baselines that are due to be saved. Does nothing
    /// while the store fails.
    pub(super) fn save_due_baselines<'a>(
        &self,
        targets: impl Iterator<Item = &'a mut TargetState>,
        now: Timestamp,
    ) {
        if self.store.is_healthy() {
            let due = targets.filter(|state| state.save_state.is_due(now));
            self.save_baselines(due.take(BASELINES_PER_TICK), now);
        }
    }

    /// Saves every changed baseline. Called at shutdown.
    pub(super) fn save_all_baselines<'a>(
        &self,
        targets: impl Iterator<Item = &'a mut TargetState>,
        now: Timestamp,
    ) {
        self.save_baselines(targets.filter(|state| state.save_state.changed), now);
    }

    fn save_baselines<'a>(
        &self,
        targets: impl Iterator<Item = &'a mut TargetState>,
        now: Timestamp,
    ) {
        let baselines = targets.map(|state| {
            state.save_state = SaveState::saved(now);
            StoredBaseline {
                target: state.target.name.clone(),
                settings: state.fingerprint,
                learned: state.baseline.snapshot(),
            }
        });
        self.store.save_baselines(baselines.collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::Instant;

    use crate::domain::diagnosis::Verdict;
    use crate::domain::health::HealthState;
    use crate::domain::incident::{AccountChanges, Incident, Incidents};
    use crate::io::sink::daemon_metrics::DaemonMetrics;
    use crate::model::scope::Scope;

    fn kept(name: &str) -> StoredIncident {
        let unexplained = crate::domain::diagnosis::rulebook::unexplained();
        let incident = Incident {
            id: IncidentId::new(&Scope::parse(name), Timestamp::UNIX_EPOCH),
            scope: Scope::parse(name),
            verdict: Arc::new(Verdict {
                cause: unexplained.cause,
                title: unexplained.title,
                owner: unexplained.owner,
                hop: None,
                certainty: crate::model::cause::Certainty::Possible,
                candidates: Vec::new(),
                next: Vec::new(),
            }),
            evidence: [].into(),
            also: Vec::new(),
            opened: Timestamp::UNIX_EPOCH,
            resolved: None,
            history: Vec::new(),
            layers: None,
            proof: None,
            changes: AccountChanges::default(),
        };
        StoredIncident {
            location: "test".into(),
            incident: Arc::new(incident),
            health: HealthState::Down,
            since: Timestamp::UNIX_EPOCH,
        }
    }

    #[tokio::test]
    async fn a_failing_store_causes_no_wait_and_loses_no_incident() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let gauges = DaemonMetrics::new().unwrap().store_metrics();
        let (store, _) = Store::open(file.path(), gauges).await;
        let mut persistence = Persistence::new(store);
        // With paused time, the clock advances only if a task waits for a timer.
        tokio::time::pause();
        let started = Instant::now();
        for _ in 0..100 {
            let incidents = vec![kept("orders"), kept("users")];
            persistence.save_incidents(incidents).await;
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
        tokio::time::resume();
        assert_eq!(persistence.unsaved.len(), 2);

        // Once the store works, the newest state of each incident is saved.
        let orders = kept("orders").incident;
        let mut incidents = Incidents::resumed(orders);
        let resolved = incidents.close(Timestamp::now(), "up again").unwrap();
        let resolved = StoredIncident {
            incident: Arc::clone(resolved.incident()),
            ..kept("orders")
        };
        persistence.save_incidents(vec![resolved.clone()]).await;
        let directory = tempfile::tempdir().unwrap();
        let gauges = DaemonMetrics::new().unwrap().store_metrics();
        persistence.store = Store::open(directory.path(), gauges.clone()).await.0;
        persistence.save_incidents(Vec::new()).await;
        assert!(persistence.unsaved.is_empty());
        persistence.store.close().await;
        let (_store, memory) = Store::open(directory.path(), gauges).await;
        assert_eq!(
            (memory.open, memory.resolved),
            (vec![kept("users")], vec![resolved])
        );
    }

    #[tokio::test]
    async fn without_a_store_no_incident_is_kept_in_memory() {
        let gauges = DaemonMetrics::new().unwrap().store_metrics();
        let mut persistence = Persistence::new(Store::disabled(gauges));
        persistence.save_incidents(vec![kept("orders")]).await;
        assert!(persistence.unsaved.is_empty());
    }
}
