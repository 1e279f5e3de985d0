//! What is known besides the observation itself when its facts are gathered.
//!
//! Plain data: the moment, a measured floor, how this target answers when it is well, a
//! limit its failures seem to sit on, and what AWS said. Absent means unknown; the facts
//! that would follow stay absent, and the rules make do without.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::diagnosis::aws::AwsEvidence;

/// What is known besides the observation itself.
#[derive(Clone, Debug)]
pub struct Context {
    /// The present moment.
    pub now: Timestamp,
    /// A floor that was measured, on the same clock as the answer time and for one hop;
    /// absent: it is estimated from the connect time.
    pub floor: Option<Floor>,
    /// How quickly this target answered while it was well; absent: too few such answers.
    pub healthy: Option<HealthyTimes>,
    /// A limit that the failing answers of late seem to sit on, though nobody declared it.
    pub learned: Option<Duration>,
    /// What AWS says about this very request, once it was asked.
    pub aws: Option<Arc<AwsEvidence>>,
}

/// The time a front door takes when it answers without reaching the function, as an
/// interval: answers without the function were seen between the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    /// The quickest such answer.
    pub low: Duration,
    /// The slowest such answer that counts.
    pub high: Duration,
    /// Where it comes from, for people, such as `3 control requests`.
    pub from: String,
}

/// How quickly a target answered while it was well, on the processing clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthyTimes {
    /// The quickest answer that came from behind the front door.
    pub quickest: Duration,
    /// The median connect time of those answers; absent where connections were kept.
    pub connect: Option<Duration>,
}

impl Context {
    /// A context in which nothing is known but the moment.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self {
            now,
            floor: None,
            healthy: None,
            learned: None,
            aws: None,
        }
    }
}
