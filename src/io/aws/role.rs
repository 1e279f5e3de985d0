//! Assumes IAM roles, and explains why a role could not be assumed.
//!
//! The SDK assumes a role only when a call needs credentials, so it reports a failure to assume the
//! role as a failure of that call. The explanation names the role, and the denied action if AWS
//! named one.

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_sdk_cloudwatch::config::{IdentityCache, SharedCredentialsProvider};
use aws_sdk_cloudwatch::error::{DisplayErrorContext, SdkError};

use crate::io::aws::clock_skew::describe_clock_skew;
use crate::io::aws::denial::Denial;
use crate::io::aws::failure::summary;
use crate::io::aws::{CallError, FailureKind};
use crate::model::settings::Role;

/// The session name of assumed roles. CloudTrail events contain this name.
const SESSION: &str = "probecause";

/// The text before the reason in the SDK's error about missing credentials.
const LOADING: &str = "loading credentials: ";

/// Returns `config` with the credentials of `role`. The role is assumed with the original
/// credentials of `config`. Clients built from the returned configuration share one session of the
/// role.
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

/// Returns `failure` with an explanation if the call failed because `role` could not be assumed.
/// Returns any other failure unchanged.
pub(crate) fn explain_role_failure<E>(
    role: Option<&Role>,
    error: &SdkError<E>,
    failure: CallError,
) -> CallError
where
    E: std::error::Error + 'static,
{
    // If the service responded, the role was assumed successfully.
    let unsent = error.raw_response().is_none();
    match role.filter(|_| unsent && failure.kind == FailureKind::Denied) {
        Some(role) => CallError {
            text: explain(&role.arn, &DisplayErrorContext(error).to_string()),
            ..failure
        },
        None => failure,
    }
}

/// Explains why the role with the ARN `arn` could not be assumed and how to fix it. `error` is the
/// full text of the SDK's error.
pub(super) fn explain(arn: &str, error: &str) -> String {
    if let Some(clock_skew) = describe_clock_skew("", error) {
        return format!("cannot assume {arn}: {clock_skew}");
    }
    if let Some(denial) = Denial::parse(error) {
        return format!(
            "cannot assume {arn}: {denial}; also allow this principal in the role's trust policy, \
             with the external ID if one is configured"
        );
    }
    let reason = error.split(LOADING).last().unwrap_or_default();
    format!(
        "cannot assume {arn} ({}): grant the daemon's own IAM principal `sts:AssumeRole` on the \
         role, and allow this principal in the role's trust policy, with the external ID if one is \
         configured",
        summary(reason)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: &str, expected: &str) {
        let text = explain("arn:aws:iam::2:role/b", error);
        assert_eq!(
            text,
            format!("cannot assume arn:aws:iam::2:role/b{expected}")
        );
    }

    #[test]
    fn the_missing_action_and_the_trust_policy_are_named() {
        check(
            "dispatch failure: other: an error occurred while loading credentials: service \
             error (DispatchFailure(… Error { code: \"AccessDenied\", message: \"User: \
             arn:aws:iam::1:user/a is not authorized to perform: sts:AssumeRole on resource: \
             arn:aws:iam::2:role/b\" }",
            ": access denied: grant `sts:AssumeRole` on `arn:aws:iam::2:role/b` to \
             arn:aws:iam::1:user/a; also allow this principal in the role's trust policy, with the \
             external ID if one is configured",
        );
    }

    #[test]
    fn without_a_named_action_the_reason_and_both_fixes_are_given() {
        check(
            "dispatch failure: other: an error occurred while loading credentials: no providers \
             in chain provided credentials (DispatchFailure(…",
            " (no providers in chain provided credentials): grant the daemon's own IAM principal \
             `sts:AssumeRole` on the role, and allow this principal in the role's trust policy, with \
             the external ID if one is configured",
        );
    }

    #[test]
    fn a_wrong_clock_is_named_as_the_reason() {
        let text = explain("arn:aws:iam::2:role/b", "Signature expired: never mind");
        assert!(text.contains(": this host's clock differs"), "{text}");
    }
}
