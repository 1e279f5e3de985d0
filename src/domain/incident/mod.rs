//! Opens, revises and resolves incidents.
//!
//! `record` holds the data of one incident, `id` its identifier, `tracker` the rules for changes of
//! an incident, and `attribution` the choice of the cause that explains several failures best.
//! `failure_kind` distinguishes failures. The functions are pure: the current time is an argument.
//! The sinks send notifications.

mod attribution;
mod failure_kind;
mod id;
mod record;
mod tracker;

#[cfg(test)]
mod tests;

pub use self::failure_kind::FailureKind;
pub use self::id::IncidentId;
pub use self::record::{Incident, IncidentEvent, Revision};
pub use self::tracker::{Incidents, LayerDiagnosis, ProbeOutcome};
