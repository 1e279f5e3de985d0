//! The bottom layer: plain data types that every other layer uses.
//!
//! This layer imports no other layer, performs no I/O and reads no clock.

pub mod cause;
mod connection;
pub mod hash;
pub mod host_port;
pub mod observation;
pub mod printable;
pub mod scope;
pub mod secret;
pub mod settings;
pub mod target;
mod target_aws;
mod target_expect;
mod target_publish;
pub(crate) mod text_enum;
