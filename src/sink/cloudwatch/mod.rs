//! being written
pub mod account;
pub mod client;
