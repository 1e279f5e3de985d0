//! The connection to CloudWatch that publishing and alarms share.
//!
//! `client` builds the SDK clients from settings, counts calls and classifies failures;
//! `connection` connects on demand and logs failures once. The callers decide what is sent.

pub mod client;
pub mod connection;
