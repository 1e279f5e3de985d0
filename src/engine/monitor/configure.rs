//! From one configuration to the next, and from one life of the daemon to the next.
//!
//! Whatever goes on keeps what is known of it. What is gone leaves nothing open behind,
//! neither on the board nor on disk. A restart opens nothing and ends nothing that a
//! target still has.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::notice::Notice;
use super::target_state::TargetState;
use super::{ConfigChange, Monitor};
use crate::domain::health::HealthState;
use crate::domain::incident::{IncidentEvent, Incidents};
use crate::domain::maintenance::Maintenance;
use crate::io::store::{KeptBaseline, KeptIncident, RestoredState};
use crate::model::scope::Scope;
use crate::model::settings::Settings;
use crate::model::target::TargetName;

impl Monitor {
    /// Takes over a configuration; the first one also what is remembered of before.
    pub(super) fn configure(
        &mut self,
        settings: &Arc<Settings>,
        done: oneshot::Sender<ConfigChange>,
        now: Timestamp,
    ) {
        self.location = settings.location.as_str().into();
        self.maintenance = Maintenance::new(&settings.maintenance);
        let (change, gone) = self.take_over(settings, now);
        self.learn(&settings.rules);
        self.outbox.evidence.configure(settings);
        self.batch.tell(Notice::Configured(Arc::clone(settings)));
        let elsewhere = settings.elsewhere.iter().map(|target| target.name.clone());
        self.elsewhere = elsewhere.collect();
        self.remove(gone, now);
        if let Some(memory) = self.memory.take() {
            self.resume(memory, now);
        }
        self.prober_health.configure(settings.targets.iter());
        self.batch.tell(Notice::Changed(change, done));
    }

    /// The targets from now on, and those that are gone.
    fn take_over(
        &mut self,
        settings: &Settings,
        now: Timestamp,
    ) -> (ConfigChange, HashMap<TargetName, TargetState>) {
        let mut change = ConfigChange::default();
        let mut old = std::mem::take(&mut self.targets);
        for target in &settings.targets {
            let watched = match old.remove(&target.name) {
                Some(kept) if kept.target == *target => TargetState {
                    // The scheduler's copy: comparing the two is then comparing pointers.
                    target: Arc::clone(target),
                    ..kept
                },
                Some(mut changed) => {
                    change.changed += 1;
                    changed.change(target);
                    changed
                }
                None => {
                    change.added += 1;
                    TargetState::new(Arc::clone(target), now)
                }
            };
            self.targets.insert(target.name.clone(), watched);
        }
        change.removed = old.len();
        (change, old)
    }

    /// Ends what is open of targets that are gone, and forgets what was normal for them.
    fn remove(&mut self, gone: HashMap<TargetName, TargetState>, now: Timestamp) {
        let names = gone.keys().cloned().collect();
        self.persistence.store.forget_baselines(names);
        for mut removed in gone.into_values() {
            let why = self.why_gone(&removed.target.name);
            if let Some(event) = removed.incidents.close(now, why) {
                self.outbox.evidence.forget(&removed.target.name);
                self.declare(event);
                self.leaves(&removed.target.name, now);
            }
        }
    }

    /// Why a target is not watched here any more.
    fn why_gone(&self, target: &TargetName) -> &'static str {
        if self.elsewhere.contains(target) {
            "another shard holds the target now"
        } else {
            "target removed"
        }
    }

    /// Goes on where a former life of the daemon ended.
    fn resume(&mut self, memory: RestoredState, now: Timestamp) {
        self.recall(&memory.baselines, now);
        let ours = |kept: &KeptIncident| kept.location == self.location;
        let resolved = memory.resolved.iter().filter(|kept| ours(kept));
        let resolved = resolved.map(|kept| Arc::clone(&kept.incident)).collect();
        self.batch.tell(Notice::Remembered(resolved));
        // The newest first: should a disk that was away have left two of one target open,
        // that is the one which goes on.
        let mut open = memory.open;
        open.sort_by_key(|kept| std::cmp::Reverse(kept.incident.opened));
        // Targets first: a group counts the open incidents of its members.
        open.sort_by_key(|kept| kept.incident.scope.target().is_none());
        for kept in &open {
            match &kept.incident.scope {
                Scope::Target(name) => self.resume_target(name, kept, now),
                _ if kept.location == self.location && self.resume_declared(kept) => {}
                _ => self.close(kept, "over: the daemon was restarted", now),
            }
        }
        self.tell_first_of_group();
    }

    fn resume_target(&mut self, name: &TargetName, kept: &KeptIncident, now: Timestamp) {
        let watched = self.targets.get_mut(name);
        match watched.filter(|_| kept.location == self.location) {
            Some(watched) if watched.incidents.open().is_none() => {
                watched.resume(kept);
                self.batch.tell(Notice::Resumed(kept.clone()));
            }
            Some(_) => self.close(kept, "a newer one goes on", now),
            None if kept.location == self.location => {
                let why = self.why_gone(name);
                self.close(kept, why, now);
            }
            None => self.close(kept, "the daemon's location changed", now),
        }
    }

    fn recall(&mut self, baselines: &[KeptBaseline], now: Timestamp) {
        let mut stale = Vec::new();
        for kept in baselines {
            let watched = self.targets.get_mut(&kept.target);
            if !watched.is_some_and(|watched| watched.remember(kept, now)) {
                stale.push(kept.target.clone());
            }
        }
        self.persistence.store.forget_baselines(stale);
    }

    /// Ends an incident of a former life that nothing can go on with.
    fn close(&mut self, kept: &KeptIncident, why: &str, now: Timestamp) {
        let mut incidents = Incidents::resumed(Arc::clone(&kept.incident));
        if let Some(event) = incidents.close(now, why) {
            // Under its own location: the disk knows it by its id, the board only ours.
            self.batch.keep(KeptIncident {
                location: Arc::clone(&kept.location),
                incident: Arc::clone(event.incident()),
                ..*kept
            });
            if kept.location == self.location {
                self.batch.tell(Notice::Declared(event));
            }
        }
    }

    /// Takes what happened to an incident that no probe's report tells of.
    pub(super) fn declare(&mut self, event: IncidentEvent) {
        let incident = Arc::clone(event.incident());
        self.batch.keep(KeptIncident {
            location: Arc::clone(&self.location),
            since: incident.opened,
            health: HealthState::Unknown,
            incident,
        });
        self.batch.tell(Notice::Declared(event));
    }
}
