//! Decides which of several daemons manages a target's alarms: the first running daemon among the
//! shards that probe the target.
//!
//! A daemon counts as stopped once its heartbeat alarm has been in a state other than OK for some
//! time. Clocks are not compared, and daemons share no other state. A daemon that cannot reach its
//! targets stops its heartbeat, so it counts as stopped too. Two daemons may manage the same alarm
//! for a moment, which is harmless, because both write the same values. Times are durations since
//! the reconciler was created.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::alarm::destination::DestinationView;
use crate::domain::shard::assigned_shards;
use crate::model::settings::ShardSettings;
use crate::model::target::TargetName;

/// The state of another daemon's heartbeat alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeartbeatState {
    /// The alarm is in state OK: the daemon is running.
    Ok,
    /// The alarm is in state ALARM: heartbeats are missing.
    Alarm,
    /// The alarm does not exist, or is in state INSUFFICIENT_DATA until its first evaluation.
    Unknown,
}

/// The other daemons of a location that have stopped or may have stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    /// The shards whose daemons may have stopped, with the state of the heartbeat alarm and the
    /// time at which this state was first observed.
    suspected: BTreeMap<u32, (HeartbeatState, Duration)>,
    stopped: BTreeSet<u32>,
}

/// Minimum time for which a heartbeat alarm must fire before its daemon counts as stopped, because
/// a new alarm may fire for a moment until CloudWatch receives the daemon's first heartbeat. The
/// alarm is read once per heartbeat period (at least 30 s), so the daemon counts as stopped once
/// two consecutive reads find the alarm firing.
pub const CONFIRM_AFTER: Duration = Duration::from_secs(25);

/// Minimum time for which a heartbeat state must be unknown before the daemon counts as stopped.
/// Daemons that start together create their alarms within a minute, and CloudWatch needs a few more
/// minutes to evaluate new alarms, so a shorter time could count a running daemon as stopped.
pub const GRACE: Duration = Duration::from_secs(5 * 60);

impl Peers {
    /// Records the heartbeat states of other daemons, by shard. Returns whether the set of daemons
    /// that count as stopped changed.
    pub fn observe(&mut self, states: &[(u32, HeartbeatState)], now: Duration) -> bool {
        let before = self.stopped.clone();
        for (index, state) in states {
            let least = match state {
                HeartbeatState::Ok => {
                    self.suspected.remove(index);
                    self.stopped.remove(index);
                    continue;
                }
                HeartbeatState::Alarm => CONFIRM_AFTER,
                HeartbeatState::Unknown => GRACE,
            };
            let suspicion = self.suspected.entry(*index).or_insert((*state, now));
            if suspicion.0 != *state {
                *suspicion = (*state, now);
            }
            if now.saturating_sub(suspicion.1) >= least {
                self.stopped.insert(*index);
            }
        }
        self.stopped != before
    }

    /// Returns the shards whose daemons count as stopped.
    #[must_use]
    pub const fn stopped(&self) -> &BTreeSet<u32> {
        &self.stopped
    }

    /// Returns whether this daemon manages the alarms of a target. A single daemon and the command
    /// line, which have no shard index, manage all alarms.
    #[must_use]
    pub fn manages(&self, shards: &ShardSettings, target: &TargetName) -> bool {
        let Some(own) = shards.own else { return true };
        let mut assigned = assigned_shards(shards, target).into_iter();
        assigned.find(|index| *index == own || !self.stopped.contains(index)) == Some(own)
    }
}

/// Returns the shards that take precedence over this shard for at least one target of this shard.
/// Only these shards affect which alarms this shard manages.
#[must_use]
pub fn preceding_shards(settings: &DestinationView) -> BTreeSet<u32> {
    let Some(own) = settings.shards.own else {
        return BTreeSet::new();
    };
    let targets = settings.targets.iter();
    targets
        .flat_map(|target| {
            let assigned = assigned_shards(&settings.shards, &target.name).into_iter();
            assigned
                .take_while(|index| *index != own)
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn shards(own: u32) -> ShardSettings {
        ShardSettings {
            total: 3,
            replicas_per_target: 2,
            own: Some(own),
            ..ShardSettings::default()
        }
    }

    /// Returns the two of three shards that probe `orders`, by precedence.
    fn order() -> Vec<u32> {
        assigned_shards(&shards(0), &TargetName::new("orders"))
    }

    fn manages(peers: &Peers, own: u32) -> bool {
        peers.manages(&shards(own), &TargetName::new("orders"))
    }

    #[test]
    fn the_first_shard_manages_and_the_second_takes_over_when_the_first_stops() {
        let (first, second) = (order()[0], order()[1]);
        let mut peers = Peers::default();
        assert!(manages(&peers, first));
        assert!(
            !manages(&peers, second),
            "no daemon counts as stopped before the first read"
        );
        assert!(!peers.observe(&[(first, HeartbeatState::Ok)], MINUTE));
        assert!(!manages(&peers, second));
        assert!(!peers.observe(&[(first, HeartbeatState::Alarm)], 2 * MINUTE));
        assert!(
            !manages(&peers, second),
            "the first daemon may have started just now"
        );
        assert!(peers.observe(&[(first, HeartbeatState::Alarm)], 3 * MINUTE));
        assert!(manages(&peers, second));
        assert!(!peers.observe(&[(first, HeartbeatState::Alarm)], 4 * MINUTE));
        assert!(peers.observe(&[(first, HeartbeatState::Ok)], 5 * MINUTE));
        assert!(!manages(&peers, second), "the first daemon runs again");
    }

    #[test]
    fn a_daemon_that_does_not_probe_a_target_never_manages_it() {
        let other = (0..3).find(|index| !order().contains(index)).unwrap();
        let mut peers = Peers::default();
        let all = [0, 1, 2].map(|index| (index, HeartbeatState::Alarm));
        peers.observe(&all, MINUTE);
        peers.observe(&all, 2 * MINUTE);
        assert!(!manages(&peers, other));
    }

    #[test]
    fn an_unknown_heartbeat_is_given_time_and_brings_no_daemon_back() {
        let (first, second) = (order()[0], order()[1]);
        let unknown = [(first, HeartbeatState::Unknown)];
        let mut peers = Peers::default();
        peers.observe(&unknown, Duration::ZERO);
        peers.observe(&unknown, GRACE - MINUTE);
        assert!(!manages(&peers, second));
        assert!(peers.observe(&unknown, GRACE));
        assert!(manages(&peers, second));
        peers.observe(&[(first, HeartbeatState::Ok)], GRACE + MINUTE);
        assert!(!manages(&peers, second));
        peers.observe(&[(first, HeartbeatState::Alarm)], GRACE + 2 * MINUTE);
        peers.observe(&[(first, HeartbeatState::Alarm)], GRACE + 3 * MINUTE);
        // The heartbeat alarm was deleted by hand, which does not show that the daemon runs again.
        peers.observe(&unknown, GRACE + 4 * MINUTE);
        assert!(manages(&peers, second));
    }

    #[test]
    fn the_command_line_manages_everything() {
        let whole = ShardSettings {
            own: None,
            ..shards(0)
        };
        assert!(Peers::default().manages(&whole, &TargetName::new("orders")));
    }
}
