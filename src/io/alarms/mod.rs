//! Makes the calls that the alarm reconciler of a destination asks for.
//!
//! `executor` is the task that feeds the reconciler with events and carries out its calls;
//! `updates` is how the publisher asks for updates; `calls` makes one call and is shared with
//! `probecause alarms`; `account` holds the requests. Decisions are made in
//! `domain::alarm::reconciler`.

pub mod account;
pub mod calls;
pub mod executor;
pub mod updates;
