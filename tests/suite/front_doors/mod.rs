//! Probes the responses of every front door on real sockets and checks the verdicts.
//!
//! A server on loopback returns the captured or documented responses. The probe and the
//! rules are the real ones, so an error anywhere between socket and rule is found.

mod apis;
mod edges;
mod proxies;
mod support;
