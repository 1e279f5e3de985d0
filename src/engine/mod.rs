//! The engine layer, which owns the daemon's tasks, timers and mutable state.
//!
//! This layer imports [`io`](crate::io), [`domain`](crate::domain) and [`model`](crate::model).
//! [`app`] starts and stops the tasks. [`scheduler`] runs probes when they are due. [`monitor`]
//! processes the results of probes. [`server`] serves HTTP.

pub mod app;
pub mod monitor;
pub mod scheduler;
pub mod server;
