//! Determines whether a delayed or queued follow-up request is still needed.

use std::sync::{Arc, Weak};

/// Whether a follow-up request is still needed. A clone gives the same answer.
#[derive(Clone, Debug, Default)]
pub struct Validity(Option<Weak<()>>);

impl Validity {
    /// Returns the validity of a request that is needed until every clone of `owner` is dropped.
    #[must_use]
    pub fn while_kept(owner: &Arc<()>) -> Self {
        Self(Some(Arc::downgrade(owner)))
    }

    /// Returns whether the request is still needed. A request with the default validity is always
    /// needed.
    #[must_use]
    pub fn is_needed(&self) -> bool {
        let owner = self.0.as_ref();
        owner.is_none_or(|owner| owner.strong_count() > 0)
    }
}
