//! Parses the state of a VPC link of an HTTP API or a REST API.
//! The state `available` does not mean that the backend can be reached: security groups and the
//! backend itself are not read.

use serde_json::Value;

use super::values::text;
use crate::model::text_enum::text_enum;

/// A VPC link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VpcLink {
    /// The id of the VPC link.
    pub id: String,
    /// The state of the VPC link.
    pub state: VpcLinkState,
}

text_enum! {
    /// The state of a VPC link.
    ///
    /// The texts are the values of the fact `config.vpc_link`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum VpcLinkState {
        /// The VPC link is ready.
        Available = "available",
        /// The VPC link is being created, or is being activated after it was inactive.
        Pending = "pending",
        /// The VPC link could not be created.
        Failed = "failed",
        /// The VPC link had no traffic for 60 days. A request activates it again within minutes.
        Inactive = "inactive",
        /// The VPC link is being deleted.
        Deleting = "deleting",
    }
}

impl VpcLink {
    /// Parses the response of `GetVpcLink`, of HTTP APIs or of REST APIs. `None` if the response
    /// has no id or no known state.
    #[must_use]
    pub fn parse(answer: &Value) -> Option<Self> {
        let id = text(answer, "vpcLinkId").or_else(|| text(answer, "id"))?;
        let state = text(answer, "vpcLinkStatus").or_else(|| text(answer, "status"))?;
        Some(Self {
            id: id.to_owned(),
            state: VpcLinkState::parse(&state.to_ascii_lowercase())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_versions_of_the_answer_are_parsed() {
        for (answer, expected) in [
            (
                json!({ "vpcLinkId": "a1", "vpcLinkStatus": "INACTIVE" }),
                Some(VpcLinkState::Inactive),
            ),
            (
                json!({ "id": "a1", "status": "AVAILABLE" }),
                Some(VpcLinkState::Available),
            ),
            (
                json!({ "id": "a1", "status": "FAILED" }),
                Some(VpcLinkState::Failed),
            ),
            (json!({ "id": "a1", "status": "NEW" }), None),
            (json!({ "status": "FAILED" }), None),
        ] {
            let found = VpcLink::parse(&answer).map(|link| (link.id, link.state));
            assert_eq!(
                found,
                expected.map(|state| ("a1".to_owned(), state)),
                "{answer}"
            );
        }
    }
}
