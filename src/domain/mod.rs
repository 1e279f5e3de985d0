//! The pure layer: diagnosis, health, incidents, alarms and schedules as functions of
//! their arguments.
//!
//! Imports only [`model`](crate::model). Performs no I/O and reads no clock: the current
//! time is an argument. Logging, serialization and network crates belong in
//! [`io`](crate::io).

pub mod alarm;
pub mod baseline;
pub mod diagnosis;
pub mod evidence_requests;
pub mod expectation;
pub mod follow_up;
pub mod health;
pub mod incident;
pub mod layers;
pub mod maintenance;
pub mod mass_failure;
pub mod prober_health;
pub mod report;
pub mod retry;
pub mod schedule;
pub mod shard;
pub mod transcript;
