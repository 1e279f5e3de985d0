//! Defines the kind of a failure: the properties by which failures of one target differ even if
//! their possible causes are the same.

use crate::model::observation::{FaultKind, Observation};

/// The kind of a failure. A cause that was found for one failure applies to later failures only if
/// they are of the same kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailureKind {
    /// The status of the response; `None` without a response.
    pub status: Option<u16>,
    /// The kind of the fault; `None` if the response is complete.
    pub fault: Option<FaultKind>,
    /// Number of redirects that were followed before the request that failed.
    pub redirects: u32,
}

impl From<&Observation> for FailureKind {
    fn from(observation: &Observation) -> Self {
        let (response, fault) = (observation.response.as_ref(), observation.fault.as_ref());
        Self {
            status: response.map(|response| response.status),
            fault: fault.map(|fault| fault.kind),
            redirects: observation.redirects,
        }
    }
}
