//! Makes the calls that the alarm reconciler of a destination requests.
//!
//! `executor` is the task that passes events to the reconciler and carries out its calls;
//! `updates` is the channel on which sinks request updates; `calls` makes one call and is
//! shared with `probecause alarms`; `account` contains the API requests. Decisions are made in
//! `domain::alarm::reconciler`.

pub mod account;
pub mod calls;
pub mod executor;
pub mod updates;
