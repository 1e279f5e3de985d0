//! Which of several daemons manages a target's alarms: the first of its holders that is
//! there.
//!
//! Whether one is there is for CloudWatch to say: the state of its heartbeat's alarm. No
//! clock of one daemon is held against another's, nobody writes a sign of life beside the
//! heartbeat, and a daemon that is alive but sees nothing counts as gone, since its
//! heartbeat rests. That two manage the same alarm for a moment does no harm: both write
//! the same. Pure: `now` is the time since this daemon began.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::alarm::destination::DestinationView;
use crate::domain::shard::holders;
use crate::model::settings::ShardSettings;
use crate::model::target::TargetName;

/// What CloudWatch says of another daemon's heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// Its alarm is in state OK.
    Beats,
    /// Its alarm is in state ALARM.
    Stopped,
    /// It has no alarm (yet), or one that was not evaluated yet.
    Unknown,
}

/// What is known of the other daemons of a location.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    /// Those that may be gone: what was said of their heartbeats, and since when.
    doubtful: BTreeMap<u32, (Pulse, Duration)>,
    gone: BTreeSet<u32>,
}

/// How long an alarm on a heartbeat has to fire: a new one may fire for a moment, before
/// its first heartbeat is counted. Two looks, which are a heartbeat's period apart.
pub const CERTAIN: Duration = Duration::from_secs(25);

/// How long a heartbeat without a verdict counts as one that beats: daemons that are
/// started together create their alarms within a minute, and CloudWatch takes a few more
/// to evaluate them.
pub const GRACE: Duration = Duration::from_secs(5 * 60);

impl Peers {
    /// Takes what CloudWatch says of the others; true if somebody came or went.
    pub fn look(&mut self, pulses: &[(u32, Pulse)], now: Duration) -> bool {
        let before = self.gone.clone();
        for (index, pulse) in pulses {
            let least = match pulse {
                Pulse::Beats => {
                    self.doubtful.remove(index);
                    self.gone.remove(index);
                    continue;
                }
                Pulse::Stopped => CERTAIN,
                Pulse::Unknown => GRACE,
            };
            let doubt = self.doubtful.entry(*index).or_insert((*pulse, now));
            if doubt.0 != *pulse {
                *doubt = (*pulse, now);
            }
            if now.saturating_sub(doubt.1) >= least {
                self.gone.insert(*index);
            }
        }
        self.gone != before
    }

    /// Those that are gone.
    #[must_use]
    pub const fn gone(&self) -> &BTreeSet<u32> {
        &self.gone
    }

    /// Whether the alarms of a target are this daemon's to manage. The command line, which
    /// is no shard, manages all.
    #[must_use]
    pub fn leaves_to_us(&self, shards: &ShardSettings, target: &TargetName) -> bool {
        let Some(own) = shards.own else { return true };
        let mut holders = holders(shards, target).into_iter();
        holders.find(|index| *index == own || !self.gone.contains(index)) == Some(own)
    }
}

/// The daemons that come before this one for a target that it holds: the only ones whose
/// coming and going concerns it.
#[must_use]
pub fn before_us(settings: &DestinationView) -> BTreeSet<u32> {
    let Some(own) = settings.shards.own else {
        return BTreeSet::new();
    };
    let targets = settings.targets.iter();
    targets
        .flat_map(|target| {
            let holders = holders(&settings.shards, &target.name).into_iter();
            holders
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

    /// The holders of `orders` among three, first to last.
    fn order() -> Vec<u32> {
        holders(&shards(0), &TargetName::new("orders"))
    }

    fn ours(peers: &Peers, own: u32) -> bool {
        peers.leaves_to_us(&shards(own), &TargetName::new("orders"))
    }

    #[test]
    fn the_first_holder_manages_and_the_second_takes_over_when_it_is_gone() {
        let (first, second) = (order()[0], order()[1]);
        let mut peers = Peers::default();
        assert!(ours(&peers, first));
        assert!(
            !ours(&peers, second),
            "before the first look nobody is gone"
        );
        assert!(!peers.look(&[(first, Pulse::Beats)], MINUTE));
        assert!(!ours(&peers, second));
        assert!(!peers.look(&[(first, Pulse::Stopped)], 2 * MINUTE));
        assert!(!ours(&peers, second), "it may have begun just now");
        assert!(peers.look(&[(first, Pulse::Stopped)], 3 * MINUTE));
        assert!(ours(&peers, second));
        assert!(!peers.look(&[(first, Pulse::Stopped)], 4 * MINUTE));
        assert!(peers.look(&[(first, Pulse::Beats)], 5 * MINUTE));
        assert!(!ours(&peers, second), "it is back");
    }

    #[test]
    fn one_that_holds_nothing_of_a_target_never_manages_it() {
        let other = (0..3).find(|index| !order().contains(index)).unwrap();
        let mut peers = Peers::default();
        let all = [0, 1, 2].map(|index| (index, Pulse::Stopped));
        peers.look(&all, MINUTE);
        peers.look(&all, 2 * MINUTE);
        assert!(!ours(&peers, other));
    }

    #[test]
    fn a_heartbeat_without_a_verdict_is_given_time_and_stays_gone_once_it_was() {
        let (first, second) = (order()[0], order()[1]);
        let unknown = [(first, Pulse::Unknown)];
        let mut peers = Peers::default();
        peers.look(&unknown, Duration::ZERO);
        peers.look(&unknown, GRACE - MINUTE);
        assert!(!ours(&peers, second));
        assert!(peers.look(&unknown, GRACE));
        assert!(ours(&peers, second));
        peers.look(&[(first, Pulse::Beats)], GRACE + MINUTE);
        assert!(!ours(&peers, second));
        peers.look(&[(first, Pulse::Stopped)], GRACE + 2 * MINUTE);
        peers.look(&[(first, Pulse::Stopped)], GRACE + 3 * MINUTE);
        // Its alarm was deleted by hand: that brings no daemon back.
        peers.look(&unknown, GRACE + 4 * MINUTE);
        assert!(ours(&peers, second));
    }

    #[test]
    fn the_command_line_manages_everything() {
        let whole = ShardSettings {
            own: None,
            ..shards(0)
        };
        assert!(Peers::default().leaves_to_us(&whole, &TargetName::new("orders")));
    }
}
