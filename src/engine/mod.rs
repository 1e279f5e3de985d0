//! The engine layer: owns the daemon's tasks, timers and mutable state.
//!
//! Imports [`io`](crate::io), [`domain`](crate::domain) and [`model`](crate::model).
//! [`app`] starts everything; [`scheduler`] runs probes when they are due; [`monitor`]
//! processes the results; [`server`] answers HTTP requests.

pub mod app;
pub mod monitor;
pub mod scheduler;
pub mod server;
