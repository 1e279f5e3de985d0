//! Makes the calls that the alarm reconciler of a destination requests.
//!
//! `executor` is the task that passes events to the reconciler and makes its calls. `updates` is
//! the channel on which sinks request updates. `calls` makes one call, also for `probecause
//! alarms`, and `account` contains the API requests. `domain::alarm::reconciler` makes all
//! decisions.

pub mod account;
pub mod calls;
pub mod executor;
pub mod updates;
