//! Applies a configuration to the monitor, and restores the state of the previous run.
//!
//! Targets that stay configured keep their health and incidents unless their URL changes. The
//! incidents of removed targets and of old URLs are closed on the status board and in the store. A
//! restart resumes the open incident of each target that is still configured, unless the daemon's
//! location has changed.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::notification::Notification;
use super::target_state::TargetState;
use super::{ConfigChange, Monitor};
use crate::domain::health::HealthState;
use crate::domain::incident::{IncidentEvent, Incidents};
use crate::domain::maintenance::Maintenance;
use crate::io::store::{RestoredState, StoredBaseline, StoredIncident};
use crate::model::scope::Scope;
use crate::model::settings::Settings;
use crate::model::target::TargetName;

impl Monitor {
    /// Applies a configuration and sends the numbers of added, changed and removed targets to
    /// `reply`. The first call also restores the state of the previous run.
    pub(super) fn configure(
        &mut self,
        settings: &Arc<Settings>,
        reply: oneshot::Sender<ConfigChange>,
        now: Timestamp,
    ) {
        self.location = settings.location.as_str().into();
        self.maintenance = Maintenance::new(&settings.maintenance);
        let (change, removed) = self.replace_targets(settings, now);
        self.apply_rules(&settings.rules);
        self.outbox.evidence.configure(settings);
        self.outbox.changes.configure(settings);
        self.batch
            .notify(Notification::Configured(Arc::clone(settings)));
        let elsewhere = settings.elsewhere.iter().map(|target| target.name.clone());
        self.elsewhere = elsewhere.collect();
        self.remove(removed, now);
        if let Some(restored) = self.restored.take() {
            self.restore(restored, now);
        }
        self.prober_health.configure(settings.targets.iter());
        self.batch.notify(Notification::Changed(change, reply));
    }

    /// Replaces the targets with the configured targets. Returns the numbers of added, changed and
    /// removed targets, and the previous state of each target that was removed or whose URL has
    /// changed.
    fn replace_targets(
        &mut self,
        settings: &Settings,
        now: Timestamp,
    ) -> (ConfigChange, HashMap<TargetName, TargetState>) {
        let mut change = ConfigChange::default();
        let mut old = std::mem::take(&mut self.targets);
        let mut moved = HashMap::new();
        for target in &settings.targets {
            let state = match old.remove(&target.name) {
                Some(kept) if kept.target == *target => TargetState {
                    // The scheduler gets the same `Arc`, so `find` can compare targets by pointer.
                    target: Arc::clone(target),
                    ..kept
                },
                Some(changed) if changed.target.url != target.url => {
                    change.changed += 1;
                    moved.insert(target.name.clone(), changed);
                    TargetState::new(Arc::clone(target), now)
                }
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
            self.targets.insert(target.name.clone(), state);
        }
        change.removed = old.len();
        old.extend(moved);
        (change, old)
    }

    /// Closes the incidents of removed targets and old URLs, and deletes their stored baselines.
    fn remove(&mut self, removed: HashMap<TargetName, TargetState>, now: Timestamp) {
        let names = removed.keys().cloned().collect();
        self.persistence.store.delete_baselines(names);
        for mut state in removed.into_values() {
            let name = &state.target.name;
            if let Some(event) = state.incidents.close(now, self.removal_reason(name)) {
                self.outbox.evidence.forget(name);
                self.outbox.changes.forget(name);
                self.declare(event);
                self.leave_group(name, now);
            }
        }
    }

    /// Returns the reason why an incident of this target is closed although the target has not
    /// recovered.
    fn removal_reason(&self, target: &TargetName) -> &'static str {
        if self.targets.contains_key(target) {
            "the target's URL changed"
        } else if self.elsewhere.contains(target) {
            "the target moved to another shard"
        } else {
            "the target was removed"
        }
    }

    /// Restores the state of the previous run.
    fn restore(&mut self, restored: RestoredState, now: Timestamp) {
        let (incidents, datapoints) = (restored.open.len(), restored.datapoints);
        tracing::debug!(incidents, datapoints, "state restored");
        self.restore_baselines(&restored.baselines, now);
        let same_location = |kept: &StoredIncident| kept.location == self.location;
        let resolved = restored.resolved.iter().filter(|kept| same_location(kept));
        let resolved = resolved.map(|kept| Arc::clone(&kept.incident)).collect();
        self.batch.notify(Notification::RestoredResolved(resolved));
        // The newest incidents are restored first, so that the newer incident is resumed if a disk
        // failure left two open incidents of one target.
        let mut open = restored.open;
        open.sort_by_key(|kept| std::cmp::Reverse(kept.incident.opened));
        // Incidents of targets are restored before the incident of a group, because the group
        // counts the open incidents of its members.
        open.sort_by_key(|kept| kept.incident.scope.target().is_none());
        for kept in &open {
            match &kept.incident.scope {
                Scope::Target(name) => self.restore_incident(name, kept, now),
                _ if kept.location == self.location && self.resume_declared(kept) => {}
                _ => self.close_restored(kept, "closed: the daemon restarted", now),
            }
        }
        // A restored first failure is kept only for a target with an open incident. Baselines are
        // not saved after each probe, so any other target may have given a good response after the
        // last save.
        for state in self.targets.values_mut() {
            if state.incidents.open().is_none() {
                state.baseline.forget_failure();
            }
        }
        self.publish_initial_annotation();
    }

    /// Resumes an open incident of a target. Closes the incident instead if it was opened at
    /// another location, if this daemon does not probe the target, or if the target already has an
    /// open incident.
    fn restore_incident(&mut self, name: &TargetName, kept: &StoredIncident, now: Timestamp) {
        let state = self.targets.get_mut(name);
        match state.filter(|_| kept.location == self.location) {
            Some(state) if state.incidents.open().is_none() => {
                state.resume(kept);
                self.batch.notify(Notification::Resumed(kept.clone()));
            }
            Some(_) => self.close_restored(kept, "superseded by a newer incident", now),
            None if kept.location == self.location => {
                let reason = self.removal_reason(name);
                self.close_restored(kept, reason, now);
            }
            None => self.close_restored(kept, "the daemon's location changed", now),
        }
    }

    /// Restores the baselines of the previous run. Deletes a baseline from the store if its target
    /// was removed or if the baseline was learned with other settings.
    fn restore_baselines(&mut self, baselines: &[StoredBaseline], now: Timestamp) {
        let mut stale = Vec::new();
        for kept in baselines {
            let state = self.targets.get_mut(&kept.target);
            if !state.is_some_and(|state| state.restore_baseline(kept, now)) {
                stale.push(kept.target.clone());
            }
        }
        self.persistence.store.delete_baselines(stale);
    }

    /// Closes an incident of the previous run that is not resumed.
    fn close_restored(&mut self, kept: &StoredIncident, reason: &str, now: Timestamp) {
        let mut incidents = Incidents::resumed(Arc::clone(&kept.incident));
        if let Some(event) = incidents.close(now, reason) {
            // The incident is saved under the location at which it was opened. The status board
            // shows only incidents of the current location.
            self.batch.save(StoredIncident {
                location: Arc::clone(&kept.location),
                incident: Arc::clone(event.incident()),
                ..*kept
            });
            if kept.location == self.location {
                self.batch.notify(Notification::Declared(event));
            }
        }
    }

    /// Saves and publishes an incident change that is not part of a probe's report.
    pub(super) fn declare(&mut self, event: IncidentEvent) {
        let incident = Arc::clone(event.incident());
        self.batch.save(StoredIncident {
            location: Arc::clone(&self.location),
            since: incident.opened,
            health: HealthState::Unknown,
            incident,
        });
        self.batch.notify(Notification::Declared(event));
    }
}
