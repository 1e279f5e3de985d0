//! Reads changes in the AWS account from CloudTrail's `LookupEvents`.
//!
//! `record` parses one event and keeps only its name, time, resource and effect, and who made the
//! change. Access keys, addresses, names of sessions and all other parameters are dropped with the
//! parsed JSON. `resource` decides which events concern a target, `events` lists the API calls with
//! their effects, and `schedule` decides when CloudTrail is asked. Which changes fit a cause is
//! decided by [`incident`](crate::domain::incident). Sending the requests is left to `io`.

mod events;
mod parameters;
mod record;
mod resource;
mod schedule;
mod service;
mod who;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::Value;

pub use self::events::event_names;
pub use self::resource::Watched;
pub use self::schedule::{next_look, watched_until, window_start};
use crate::domain::incident::{AccountChange, seconds_before};

/// The successful write events in a response of `LookupEvents`, reduced to what is needed to report
/// them as changes. One response may concern several targets, so it is parsed once for all of them.
#[derive(Clone, Debug, Default)]
pub struct Records(Vec<record::Record>);

impl Records {
    /// Parses a response. Skips calls that only read, calls that failed, calls of services that are
    /// not watched, and events that cannot be parsed or name no resource.
    #[must_use]
    pub fn parse(response: &Value) -> Self {
        let events = response.get("Events").and_then(Value::as_array);
        Self(
            events
                .into_iter()
                .flatten()
                .filter_map(record::parse)
                .collect(),
        )
    }

    /// Returns the changes that concern the target's resources and were made at or after the start
    /// of the window, one hour before the first failure.
    #[must_use]
    pub fn changes(&self, watched: &Watched, first_failure: Timestamp) -> Vec<AccountChange> {
        let start = window_start(first_failure);
        let is_change = |record: &&record::Record| {
            record.time >= start && watched.is_concerned_by(&record.resource)
        };
        let records = self.0.iter().filter(is_change);
        let changes = records.map(|record| AccountChange {
            time: record.time,
            effect: watched.effect(&record.resource, record.effect),
            seconds_before: seconds_before(record.time, first_failure),
            event: record.event.clone(),
            resource: record.resource.to_string(),
            who: record.who.clone(),
        });
        changes.collect()
    }
}
