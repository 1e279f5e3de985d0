//! Defines the input of a diagnosis besides the target and the observation.
//!
//! The context is plain data: the current time, a measured floor (the response time without the
//! function), the response times of the healthy target, a time limit learned from the target's
//! failures, and the evidence from AWS. `None` means unknown. Facts that need an unknown value stay
//! absent, except that an unknown floor is estimated if possible.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::diagnosis::aws::AwsEvidence;

/// The input of a diagnosis besides the target and the observation.
#[derive(Clone, Debug)]
pub struct Context {
    /// The current time.
    pub now: Timestamp,
    /// The measured time that the front door needs to respond without invoking the function: a
    /// processing time or a total time, like the fact `answer_time`. Redirects are not included. If
    /// `None`, the floor is estimated from the connect time, if possible.
    pub floor: Option<Floor>,
    /// The response times of the target while it was healthy; `None` if there are too few healthy
    /// responses, or if the newest one is too old.
    pub healthy: Option<HealthyTimes>,
    /// An undeclared time limit that the response times of recent failures match; `None` if there
    /// is none.
    pub learned: Option<Duration>,
    /// The evidence from AWS for this request; `None` until it is available.
    pub aws: Option<Arc<AwsEvidence>>,
}

/// The floor: the time that a front door needs to respond without invoking the function, as an
/// interval of observed response times. For an estimated floor, both ends are the estimate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    /// The response time of the fastest response that did not invoke the function.
    pub low: Duration,
    /// The response time of the slowest response that did not invoke the function, without
    /// outliers.
    pub high: Duration,
    /// The source of the interval as text, such as `3 control requests`.
    pub from: String,
}

/// The shortest response time and the median connect time of a target's healthy responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthyTimes {
    /// The shortest time between the end of a request and the first byte of its response, among the
    /// healthy responses from behind the front door.
    pub fastest: Duration,
    /// The median connect time of the healthy responses; `None` if all connections were reused.
    pub connect: Option<Duration>,
}

impl Context {
    /// Creates a context in which only the current time is known.
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
