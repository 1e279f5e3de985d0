//! The I/O layer: configuration files, probes, AWS, sinks, the store and the simulator.
//!
//! This layer imports [`domain`](crate::domain) and [`model`](crate::model), and translates between
//! external systems and the types of those modules. `domain` decides what a result means.

pub mod alarms;
pub mod aws;
pub mod cloudwatch;
pub mod config;
pub mod discovery;
pub mod evidence;
pub mod json;
pub mod logging;
pub mod probe;
pub mod sd_notify;
pub mod simulator;
pub mod sink;
pub mod store;
pub mod web_access;
