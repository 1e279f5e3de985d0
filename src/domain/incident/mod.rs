//! Opens, revises and resolves incidents.
//!
//! `record` holds the data of one incident, and `id` defines its identifier. `tracker` decides when
//! an incident changes, and `attribution` chooses the cause that explains several failures best.
//! `failure_kind` defines the kinds of failures. The functions are pure: the current time is an
//! argument. The sinks send notifications.

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
