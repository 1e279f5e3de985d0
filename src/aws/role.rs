//! Roles that are assumed, and what is said when one cannot be.
//!
//! The SDK assumes a role only when a call needs credentials, and wraps what went wrong in
//! its own words; here it is told as what it is. AWS's words for the missing action are
//! kept: they say more than any guess of ours.

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_sdk_cloudwatch::config::{IdentityCache, SharedCredentialsProvider};

use crate::aws::{CallError, FailureKind};
use crate::settings::Role;

/// The name of our sessions in the trail of an assumed role.
const SESSION: &str = "probecause";

/// The action that lets a role be assumed.
const ACTION: &str = "sts:AssumeRole";

/// The configuration with a role's credentials, which its own ones assume. Clients made
/// of one such configuration share a session of the role.
pub(crate) async fn assume(config: SdkConfig, role: &Role) -> SdkConfig {
    let mut provider = AssumeRoleProvider::builder(&role.arn)
        .session_name(SESSION)
        .configure(&config);
    if let Some(id) = &role.external_id {
        provider = provider.external_id(id);
    }
    let provider = SharedCredentialsProvider::new(provider.build().await);
    config
        .into_builder()
        .credentials_provider(provider)
        .identity_cache(IdentityCache::lazy().build())
        .build()
}

/// Says of a call that failed for want of credentials that its role could not be assumed.
/// `sent`: whether the service itself answered, which then knew the role already.
pub(crate) fn blame(role: Option<&Role>, sent: bool, failure: CallError) -> CallError {
    let Some(role) = role.filter(|_| !sent && failure.kind == FailureKind::Denied) else {
        return failure;
    };
    let arn = &role.arn;
    let text = if failure.text.contains(ACTION) {
        format!(
            "cannot assume {arn}: {}; the role's trust policy has to name them (and the external \
             id) as well",
            failure.text
        )
    } else {
        format!(
            "cannot assume {arn}: {}; if there are some, allow them `{ACTION}` on it, and name \
             them (and the external id) in its trust policy",
            failure.text
        )
    };
    CallError { text, ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sent: bool, kind: FailureKind, text: &str, expected: &str) {
        let role = Role {
            arn: "arn:aws:iam::2:role/b".to_owned(),
            external_id: Some("hunter2".to_owned()),
        };
        let failure = CallError {
            operation: "PutMetricData",
            kind,
            text: text.to_owned(),
        };
        assert_eq!(blame(Some(&role), sent, failure).text, expected);
    }

    const DENIED: &str = "access denied: allow `sts:AssumeRole` on `arn:aws:iam::2:role/b` to \
                          arn:aws:iam::1:user/a";

    #[test]
    fn the_missing_action_is_kept_and_the_trust_policy_added() {
        let expected = format!(
            "cannot assume arn:aws:iam::2:role/b: {DENIED}; the role's trust policy has to name \
             them (and the external id) as well"
        );
        check(false, FailureKind::Denied, DENIED, &expected);
    }

    #[test]
    fn where_aws_named_nothing_both_mends_are_told() {
        check(
            false,
            FailureKind::Denied,
            "no valid AWS credentials: give the daemon a role (no providers in chain)",
            "cannot assume arn:aws:iam::2:role/b: no valid AWS credentials: give the daemon a \
             role (no providers in chain); if there are some, allow them `sts:AssumeRole` on it, \
             and name them (and the external id) in its trust policy",
        );
    }

    #[test]
    fn what_the_service_itself_says_is_left_alone() {
        let denied = "access denied: allow `cloudwatch:TagResource` to the daemon's role";
        check(true, FailureKind::Denied, denied, denied);
        check(
            false,
            FailureKind::Failed,
            "dispatch failure",
            "dispatch failure",
        );
    }
}
