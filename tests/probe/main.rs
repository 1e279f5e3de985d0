//! The probe against real sockets on loopback that break in every way it must name.
//!
//! One binary, so that the broken sockets of `support` are compiled once.

#[cfg(test)]
mod certified;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod http;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
