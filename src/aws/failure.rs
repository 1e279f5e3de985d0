//! A failed call to AWS, sorted by what to do about it.
//!
//! Only the service's own message or the SDK's one-line summary is kept: the SDK's debug
//! output would repeat requests and answers in a log.

use std::fmt;

use aws_sdk_cloudwatch::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// A call that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation}: {text}")]
pub struct CallError {
    /// The operation, such as `PutMetricData`.
    pub operation: &'static str,
    /// What to do about it.
    pub kind: FailureKind,
    /// What happened and the mend, in one line.
    pub text: String,
}

/// Failures by what to do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Too many calls: later.
    Throttled,
    /// No credentials, or not allowed: somebody has to act; later.
    Denied,
    /// The request itself is wrong: the same again would fail again.
    Refused,
    /// Anything else: later.
    Failed,
}

impl FailureKind {
    /// The outcome as a label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::Refused | Self::Failed => "failed",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Sorts a failed call of `service` (its prefix in IAM's action names).
pub(crate) fn sort<E>(
    service: &'static str,
    operation: &'static str,
    error: &SdkError<E>,
) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map(|raw| raw.status().as_u16());
    let code = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code);
    let whole = DisplayErrorContext(error).to_string();
    let kind = kind_of(code.unwrap_or_default(), status, &whole);
    let message = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::message)
        .unwrap_or(&whole);
    // The SDK appends its whole debug output in brackets: useless in a log line.
    let message = message.split(" (").next().unwrap_or_default();
    let text = match (kind, code) {
        (FailureKind::Denied, Some(code)) if code.contains("AccessDenied") => {
            format!("access denied: allow `{service}:{operation}` to the daemon's role ({message})")
        }
        (FailureKind::Denied, _) => format!(
            "no valid AWS credentials: give the daemon a role, a profile or AWS_ACCESS_KEY_ID ({message})"
        ),
        (_, Some(code)) => format!("{code}: {message}"),
        (_, None) => match status {
            Some(status) => format!("status {status}: {message}"),
            None => message.to_owned(),
        },
    };
    CallError {
        operation,
        kind,
        text,
    }
}

fn kind_of(code: &str, status: Option<u16>, whole: &str) -> FailureKind {
    let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
    if has(&["Throttl", "RequestLimitExceeded", "TooManyRequests"]) || status == Some(429) {
        FailureKind::Throttled
    } else if has(&[
        "AccessDenied",
        "UnrecognizedClient",
        "InvalidClientTokenId",
        "ExpiredToken",
        "Signature",
        "MissingAuthentication",
        "OptInRequired",
    ]) || (code.is_empty() && whole.contains("credentials"))
    {
        FailureKind::Denied
    } else if has(&[
        "InvalidParameter",
        "MissingRequiredParameter",
        "MissingParameter",
        "Validation",
        "InvalidFormat",
        "Serialization",
        "ResourceNotFound",
        "LimitExceeded",
    ]) || status == Some(413)
    {
        FailureKind::Refused
    } else {
        FailureKind::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_sorted_by_what_to_do_about_them() {
        for (code, status, whole, expected) in [
            ("ThrottlingException", Some(400), "", FailureKind::Throttled),
            ("", Some(429), "", FailureKind::Throttled),
            ("AccessDeniedException", Some(403), "", FailureKind::Denied),
            ("ExpiredToken", Some(403), "", FailureKind::Denied),
            (
                "",
                None,
                "no providers in chain provided credentials",
                FailureKind::Denied,
            ),
            ("InvalidParameterValue", Some(400), "", FailureKind::Refused),
            ("", Some(413), "", FailureKind::Refused),
            ("InternalServiceFault", Some(500), "", FailureKind::Failed),
            ("", None, "dispatch failure", FailureKind::Failed),
        ] {
            assert_eq!(kind_of(code, status, whole), expected, "{code} {status:?}");
        }
    }
}
