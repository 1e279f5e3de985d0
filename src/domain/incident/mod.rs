//! Incidents: how they open, how their cause is revised, how they resolve.
//!
//! `record` holds the data of one incident, `id` its identifier, `tracker` the rules that change
//! it, and `attribution` the choice of the cause that explains several failures best. The functions
//! are pure: the current time is an argument. Notifications are left to the sinks.

mod attribution;
mod id;
mod record;
mod tracker;

#[cfg(test)]
mod tests;

pub use self::id::IncidentId;
pub use self::record::{Incident, IncidentEvent, Revision};
pub use self::tracker::{Incidents, LayerDiagnosis, ProbeOutcome};
