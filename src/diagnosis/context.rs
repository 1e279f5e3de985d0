//! What is known besides the observation itself when its facts are gathered.
//!
//! Plain data: the moment, a measured floor, and what AWS said. Absent means unknown;
//! the facts that would follow stay absent, and the rules make do without.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::diagnosis::aws::AwsEvidence;

/// What is known besides the observation itself.
#[derive(Clone, Debug)]
pub struct Context {
    /// The present moment.
    pub now: Timestamp,
    /// A floor that was measured, on the same clock as the answer time; absent: it is
    /// estimated from the connect time.
    pub floor: Option<Floor>,
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

impl Context {
    /// A context without a measured floor.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self {
            now,
            floor: None,
            aws: None,
        }
    }
}
