//! Roles that are assumed, and what is said when one cannot be.
//!
//! The SDK assumes a role only when a call needs credentials, and wraps what went wrong in
//! its own words; here it is told as what it is. AWS's words for the missing action are
//! kept: they say more than any guess of ours.

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_sdk_cloudwatch::config::{IdentityCache, SharedCredentialsProvider};
use aws_sdk_cloudwatch::error::{DisplayErrorContext, SdkError};

use crate::io::aws::failure::in_one_line;
use crate::io::aws::wording::{self, Denial};
use crate::io::aws::{CallError, FailureKind};
use crate::model::settings::Role;

/// The name of our sessions in the trail of an assumed role.
const SESSION: &str = "probecause";

/// What the SDK puts before the reason why there are no credentials.
const LOADING: &str = "loading credentials: ";

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
pub(crate) fn blame<E>(role: Option<&Role>, error: &SdkError<E>, failure: CallError) -> CallError
where
    E: std::error::Error + 'static,
{
    // Where the service itself answered, the role had been assumed.
    let unsent = error.raw_response().is_none();
    match role.filter(|_| unsent && failure.kind == FailureKind::Denied) {
        Some(role) => CallError {
            text: explain(&role.arn, &DisplayErrorContext(error).to_string()),
            ..failure
        },
        None => failure,
    }
}

/// What mends it, from all that the SDK says.
fn explain(arn: &str, whole: &str) -> String {
    if let Some(clock) = wording::clock("", whole) {
        return format!("cannot assume {arn}: {clock}");
    }
    if let Some(denial) = Denial::read(whole) {
        return format!(
            "cannot assume {arn}: {denial}; the role's trust policy has to name them (and the \
             external id) as well"
        );
    }
    let reason = whole.split(LOADING).last().unwrap_or_default();
    format!(
        "cannot assume {arn} ({}): allow `sts:AssumeRole` on it to the daemon's own credentials, \
         and name them (and the external id) in its trust policy",
        in_one_line(reason)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(whole: &str, expected: &str) {
        let said = explain("arn:aws:iam::2:role/b", whole);
        assert_eq!(
            said,
            format!("cannot assume arn:aws:iam::2:role/b{expected}")
        );
    }

    #[test]
    fn the_missing_action_is_kept_and_the_trust_policy_added() {
        check(
            "dispatch failure: other: an error occurred while loading credentials: service \
             error (DispatchFailure(… Error { code: \"AccessDenied\", message: \"User: \
             arn:aws:iam::1:user/a is not authorized to perform: sts:AssumeRole on resource: \
             arn:aws:iam::2:role/b\" }",
            ": access denied: allow `sts:AssumeRole` on `arn:aws:iam::2:role/b` to \
             arn:aws:iam::1:user/a; the role's trust policy has to name them (and the external \
             id) as well",
        );
    }

    #[test]
    fn where_aws_named_nothing_its_reason_and_both_mends_are_told() {
        check(
            "dispatch failure: other: an error occurred while loading credentials: no providers \
             in chain provided credentials (DispatchFailure(…",
            " (no providers in chain provided credentials): allow `sts:AssumeRole` on it to the \
             daemon's own credentials, and name them (and the external id) in its trust policy",
        );
    }

    #[test]
    fn a_wrong_clock_is_told_as_such() {
        let said = explain("arn:aws:iam::2:role/b", "Signature expired: never mind");
        assert!(said.contains(": this host's clock differs"), "{said}");
    }
}
