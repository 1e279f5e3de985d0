//! Opens, revises and resolves incidents.
//!
//! `record` holds the data of one incident, and `id` defines its identifier. `tracker` decides when
//! an incident changes, and `attribution` chooses the cause that explains several failures best.
//! `failure_kind` distinguishes failures. `change` holds the changes in the AWS account during an
//! incident, and `relation` decides which of them fit a cause. The functions are pure: the current
//! time is an argument. The sinks send notifications.

mod attribution;
mod change;
mod failure_kind;
mod id;
mod record;
mod relation;
mod tracker;

#[cfg(test)]
mod tests;

pub use self::change::{AccountChange, AccountChanges, ChangeEffect, seconds_before};
pub use self::failure_kind::{FailureKind, ResponseMark};
pub use self::id::IncidentId;
pub use self::record::{CHANGE_EVIDENCE, Incident, IncidentEvent, Proof, ProofSource, Revision};
pub use self::relation::{Relation, relation};
pub use self::tracker::{Incidents, LayerDiagnosis, ProbeOutcome};
