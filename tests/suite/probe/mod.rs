//! The probe against real sockets on loopback that break in every way it must name.
//!
//! One binary, so that the broken sockets of `support` are compiled once.

mod faults;
mod http;
mod tls;
