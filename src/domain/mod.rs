//! The pure layer: computes diagnoses, health, incidents, alarms and schedules from the arguments
//! of its functions.
//!
//! This layer imports only [`model`](crate::model). It performs no I/O and reads no clock: the
//! current time is an argument. Code that logs or uses the network belongs in [`io`](crate::io).

pub mod account_changes;
pub mod alarm;
pub mod baseline;
pub mod configuration;
pub mod diagnosis;
pub mod discovery;
pub mod evidence_requests;
pub mod evidence_sources;
pub mod expectation;
pub mod follow_up;
pub mod function_name;
pub mod health;
pub mod html;
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
