//! The connection to CloudWatch that publishing and alarms share.
//!
//! `client` builds the SDK clients from settings, counts calls and classifies failures;
//! `connection` connects on demand and logs failures once. Callers decide which calls are made.

pub mod client;
pub mod connection;
