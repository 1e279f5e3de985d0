//! Answers of every front door on real sockets, through the real probe and the real rules.
//!
//! A server on loopback answers what captures and documentation say a door answers; what
//! is checked is the verdict, so a slip anywhere between socket and rule shows here.

mod apis;
mod edges;
mod support;
