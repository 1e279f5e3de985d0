//! The keeper among other daemons that hold the same targets: whose heartbeat still beats,
//! and which alarms are therefore its own to manage.
//!
//! One DescribeAlarms in a heartbeat's period, and only where targets have several holders.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_cloudwatch::types::StateValue;
use tokio::time::Instant;
use tracing::info;

use crate::domain::alarm::destination::DestinationView;
use crate::domain::alarm::peers::{Peers, Pulse, before_us};
use crate::domain::alarm::{self, AlarmSpec, heartbeat_name, heartbeat_period};
use crate::io::sink::cloudwatch::account;
use crate::io::sink::cloudwatch::client::Api;
use crate::io::sink::cloudwatch::keeper::{Keeper, Specs};
use crate::model::target::TargetName;

/// The keeper's place among the daemons of its location.
pub(super) struct Circle {
    began: Instant,
    peers: Peers,
    /// Those whose coming and going concerns us.
    before_us: Vec<u32>,
    /// When their heartbeats are looked at again.
    look_at: Instant,
}

impl Circle {
    pub(super) fn new(settings: &DestinationView) -> Self {
        let now = Instant::now();
        Self {
            began: now,
            before_us: before_us(settings).into_iter().collect(),
            look_at: now,
            peers: Peers::default(),
        }
    }

    fn configure(&mut self, settings: &DestinationView) {
        self.before_us = before_us(settings).into_iter().collect();
    }

    /// When there is something to look at; `None`: nobody comes before us.
    pub(super) fn next(&self) -> Option<Instant> {
        (!self.before_us.is_empty()).then_some(self.look_at)
    }
}

impl Keeper {
    /// Takes over which targets' alarms are ours to manage; the notes of the others rest
    /// until they are.
    pub(super) fn take_place(&mut self) {
        self.circle.configure(&self.current);
        let all = self.current.targets.iter().map(|one| &one.name);
        let others = all.filter(|name| !self.manages(name));
        let mut others: HashSet<_> = others.cloned().collect();
        // Whoever manages an alarm says on it what he likes; of the others we go on to say
        // what becomes of the causes that we wrote.
        self.lent.retain(|target, _| others.remove(target));
        self.desk.rest_elsewhere(others);
        self.specs = Specs::new(self.managed_alarms());
        self.held = Specs::new(alarm::alarms_of(&self.current));
    }

    /// The desired alarms that are ours to manage.
    pub(super) fn managed_alarms(&self) -> Vec<AlarmSpec> {
        alarm::alarms_where(&self.current, |target| self.manages(&target.name))
    }

    fn manages(&self, target: &TargetName) -> bool {
        self.circle.peers.leaves_to_us(&self.current.shards, target)
    }

    /// Looks at the heartbeats of the daemons before us, where that is due; false: it is
    /// not. A look that fails changes nothing and is made again when the next is due: our
    /// own alarms do not wait for it.
    pub(super) async fn look_around(&mut self, api: &Api, now: Instant) -> bool {
        if self.circle.next().is_none_or(|at| at > now) {
            return false;
        }
        let period = heartbeat_period(&self.current.cloudwatch);
        self.circle.look_at = now + Duration::from_secs(u64::from(period));
        let location = &self.current.location;
        let name = |shard: &u32| heartbeat_name(location, *shard);
        let names: Vec<_> = self.circle.before_us.iter().map(name).collect();
        let states = match account::states(api, &names).await {
            Ok(states) => states,
            Err(failure) => {
                self.link.trouble(&failure);
                return true;
            }
        };
        self.link.well("DescribeAlarms");
        let pulses = self.circle.before_us.iter().zip(&names);
        let pulses: Vec<_> = pulses
            .map(|(shard, name)| (*shard, pulse(states.get(name))))
            .collect();
        let uptime = now.saturating_duration_since(self.circle.began);
        if self.circle.peers.look(&pulses, uptime) {
            let gone = self.circle.peers.gone();
            info!(
                ?gone,
                "cloudwatch: daemons came or went, alarms change hands"
            );
            self.take_place();
            self.stale = true;
            self.todo.clear();
            self.review = None;
        }
        true
    }
}

fn pulse(state: Option<&StateValue>) -> Pulse {
    match state {
        Some(StateValue::Ok) => Pulse::Beats,
        Some(StateValue::Alarm) => Pulse::Stopped,
        _ => Pulse::Unknown,
    }
}
