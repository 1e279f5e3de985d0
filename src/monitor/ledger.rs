//! Incidents go to disk before anybody is told of them; what is learned follows at leisure.
//!
//! Whoever was shown an incident may look for it after a crash. A state directory that does
//! not work holds nobody up: what it misses is kept here and handed over once it works.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::watched::Watched;
use crate::incident::IncidentId;
use crate::store::{KeptBaseline, KeptIncident, Store};

/// The way to the disk, and what did not get there.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) store: Store,
    /// Incidents of which the disk knows less than we do.
    unkept: HashMap<IncidentId, KeptIncident>,
}

/// Incidents that wait for the disk; beyond it those that are over are given up. About as
/// many as the disk keeps at all.
const MOST_UNKEPT: usize = 10_000;

/// How often what is normal for a target is written: it is a kilobyte for each, some 15 GB
/// a day for ten thousand targets if it were each minute, and the last few answers out of
/// sixty say nothing new.
const EVERY: SignedDuration = SignedDuration::from_mins(10);

/// Baselines written at once, so that collecting them never holds up a result for more
/// than a millisecond or two: ten thousand targets get their turn within the ten minutes.
const AT_ONCE: usize = 200;

impl Ledger {
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
        targets: impl Iterator<Item = &'a mut Watched>,
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
        targets: impl Iterator<Item = &'a mut Watched>,
        now: Timestamp,
    ) {
        self.write(targets.filter(|watched| watched.learned.changed), now);
    }

    fn write<'a>(&self, targets: impl Iterator<Item = &'a mut Watched>, now: Timestamp) {
        let baselines = targets.map(|watched| {
            watched.learned = Learned::written(now);
            KeptBaseline {
                target: watched.target.name.clone(),
                settings: watched.settings,
                learned: watched.baseline.remembered(),
            }
        });
        self.store.keep_baselines(baselines.collect());
    }
}

/// Whether the disk knows what is normal for a target.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Learned {
    /// Something was learned since.
    pub(super) changed: bool,
    /// `None`: it never was.
    written: Option<Timestamp>,
}

impl Learned {
    /// The disk knows all of it.
    pub(super) const fn written(now: Timestamp) -> Self {
        Self {
            changed: false,
            written: Some(now),
        }
    }

    fn is_due(self, now: Timestamp) -> bool {
        let written = self.written;
        self.changed && written.is_none_or(|written| now.duration_since(written) >= EVERY)
    }
}
