//! Defines the identifier of an incident.
//!
//! The id of an incident stays the same across restarts, so that notifications and log lines of
//! different days can be matched.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::hash::fnv1a;
use crate::model::scope::Scope;

/// An incident's identifier. Ids are unique across restarts, sort by opening time and are cheap to
/// clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(Arc<str>);

impl IncidentId {
    /// Creates the id of an incident from its scope and the time at which it opens. The combination
    /// is unique, because a scope has at most one open incident.
    #[must_use]
    pub fn new(scope: &Scope, opened: Timestamp) -> Self {
        let hash = fnv1a(scope.as_str());
        let millis = opened.as_millisecond();
        Self(format!("{millis:012x}-{:08x}", hash >> 32).into())
    }

    /// Restores an id from its stored text.
    #[must_use]
    pub fn restored(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
