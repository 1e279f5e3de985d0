//! Probecause: synthetic monitoring that names the probable cause of a failure.
//!
//! # The main path
//!
//! `config → schedule → probe → Observation → Diagnosis → health Transition → Incident →
//! Report → sinks`. [`engine::monitor`] performs the steps from `Observation` to `Report`.
//!
//! # Layers
//!
//! Each top-level module is a layer. A layer imports only from the layers below it;
//! `tests/architecture` checks this.
//!
//! | layer | contents | may import |
//! | --- | --- | --- |
//! | [`cli`] | one module per command; called by `main.rs` | everything |
//! | [`engine`] | tasks, timers, the event loop, the HTTP server | `io`, `domain`, `model` |
//! | [`io`] | access to files, sockets, AWS and SQLite | `domain`, `model` |
//! | [`domain`] | diagnosis, health, incidents, alarms; pure: the time is an argument | `model` |
//! | [`model`] | plain data | nothing |

pub mod cli;
pub mod domain;
pub mod engine;
pub mod io;
pub mod model;
