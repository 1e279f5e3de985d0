//! Decides which alarms this daemon manages if several daemons probe the same targets.
//!
//! For this decision, the reconciler reads the heartbeat alarms of the daemons that take precedence
//! over this daemon, once per heartbeat period.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use crate::domain::alarm::destination::DestinationView;
use crate::domain::alarm::peers::{HeartbeatState, Peers, preceding_shards};
use crate::domain::alarm::reconciler::call::{Call, CallFailure, Notice, ReadData, ReadId};
use crate::domain::alarm::reconciler::{Reconciler, Specs};
use crate::domain::alarm::spec::AlarmSpec;
use crate::domain::alarm::{alarms_of, alarms_where, heartbeat_name, heartbeat_period};
use crate::model::target::TargetName;

/// The daemons that take precedence over this daemon in managing alarms, and the states of their
/// heartbeat alarms.
#[derive(Debug, Default)]
pub(super) struct Ownership {
    peers: Peers,
    /// The shards that take precedence over this shard for at least one target.
    preceding_shards: Vec<u32>,
    read_at: Duration,
    under_way: Option<ReadId>,
}

impl Ownership {
    /// Returns whether this daemon manages the alarms of a target.
    pub(super) fn manages(&self, view: &DestinationView, target: &TargetName) -> bool {
        self.peers.manages(&view.shards, target)
    }

    /// Returns the time at which the heartbeat states are to be read next; `None` while they are
    /// being read, or if no daemon takes precedence over this daemon.
    pub(super) fn next(&self) -> Option<Duration> {
        let waits = !self.preceding_shards.is_empty() && self.under_way.is_none();
        waits.then_some(self.read_at)
    }

    fn names(&self, location: &str) -> Vec<String> {
        let shards = self.preceding_shards.iter();
        shards
            .map(|shard| heartbeat_name(location, *shard))
            .collect()
    }

    /// Records the states of the heartbeat alarms, by alarm name. Returns whether the set of
    /// daemons that count as stopped changed.
    fn observe(
        &mut self,
        location: &str,
        states: &BTreeMap<String, HeartbeatState>,
        now: Duration,
    ) -> bool {
        let names = self.names(location);
        let state = |name| states.get(name).copied().unwrap_or(HeartbeatState::Unknown);
        let states = self.preceding_shards.iter().zip(&names);
        let states: Vec<_> = states.map(|(shard, name)| (*shard, state(name))).collect();
        self.peers.observe(&states, now)
    }
}

impl Reconciler {
    /// Determines which alarms this daemon manages. Suppresses non-urgent updates of all other
    /// alarms, except alarms that still name a cause that this daemon wrote.
    pub(super) fn assign_alarms(&mut self) {
        self.ownership.preceding_shards = preceding_shards(&self.view).into_iter().collect();
        self.ownership.under_way = None;
        let all = self.view.targets.iter().map(|target| &target.name);
        let others = all.filter(|name| !self.ownership.manages(&self.view, name));
        let mut others: HashSet<_> = others.cloned().collect();
        // Updates of another daemon's alarm are not suppressed while the alarm names a cause that
        // this daemon wrote.
        self.handed.retain(|target, _| others.remove(target));
        self.updates.suppress_elsewhere(others);
        self.managed = Specs::new(self.managed_alarms());
        self.probed = Specs::new(alarms_of(&self.view));
    }

    /// Returns the desired alarms that this daemon manages.
    pub(super) fn managed_alarms(&self) -> Vec<AlarmSpec> {
        alarms_where(&self.view, |target| {
            self.ownership.manages(&self.view, &target.name)
        })
    }

    /// Begins to read the states of other daemons' heartbeat alarms, if this read is due.
    pub(super) fn begin_peer_read(&mut self, now: Duration) {
        if self.ownership.next().is_none_or(|at| at > now) {
            return;
        }
        let period = heartbeat_period(&self.view.cloudwatch);
        self.ownership.read_at = now + Duration::from_secs(u64::from(period));
        let read = self.next_read();
        self.ownership.under_way = Some(read);
        let names = self.ownership.names(&self.view.location);
        self.call(Call::ReadStates { read, names });
    }

    /// Handles the result of a read of heartbeat states. A failed read does not change the known
    /// states.
    pub(super) fn states_read(
        &mut self,
        read: ReadId,
        result: &Result<ReadData, CallFailure>,
        now: Duration,
    ) {
        let is_current = |current: &mut ReadId| *current == read;
        if self.ownership.under_way.take_if(is_current).is_none() {
            return;
        }
        let Ok(ReadData::States(states)) = result else {
            return;
        };
        let location = &self.view.location;
        if self.ownership.observe(location, states, now) {
            let stopped = self.ownership.peers.stopped().iter().copied();
            self.log(Notice::PeersChanged(stopped.collect()));
            self.assign_alarms();
            self.planned.clear();
            self.reading.restart();
        }
    }
}
