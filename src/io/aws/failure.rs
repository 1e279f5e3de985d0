//! Classifies failed AWS calls by whether a retry may succeed, and says how to fix a denied call.
//!
//! The text of a failure is based on the service's message or, if there is none, on a summary of
//! the SDK's error. It omits the SDK's debug output, which would repeat requests and responses in
//! the log.

use aws_sdk_cloudwatch::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::io::aws::arrival::may_have_arrived;
use crate::io::aws::clock_skew::describe_clock_skew;
use crate::io::aws::denial::Denial;

/// The error of a failed AWS call.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation}: {text}")]
pub struct CallError {
    /// The operation that was called, such as `PutMetricData`.
    pub operation: &'static str,
    /// The class of the failure, which decides whether to retry.
    pub kind: FailureKind,
    /// The reason for the failure and, for a denied call, how to fix it, in one line.
    pub text: String,
}

/// The class of a failed call, which decides whether the same call may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// AWS throttled the call. Retry later.
    Throttled,
    /// The credentials are missing or invalid, or a permission is missing. Retry later; a retry
    /// fails until the credentials or permissions are corrected.
    Denied,
    /// AWS rejected the request itself, or its response cannot be used. Do not retry, because the
    /// same request would fail again.
    Rejected,
    /// The request failed in another way: it was not sent, or AWS responded with an error that does
    /// not reject the request itself. Retry later.
    Failed,
    /// The request may have been sent, but no complete response was received. Retry later; the
    /// request may then be executed twice.
    Lost,
}

/// Substrings of the error codes that AWS returns to an authenticated caller without permission.
pub(super) const NOT_ALLOWED: [&str; 3] =
    ["AccessDenied", "NotAuthorized", "UnauthorizedOperation"];

impl CallError {
    /// Returns whether the request may have been executed although no complete response was
    /// received: the request timed out, or the connection broke after it was established. If the
    /// request is sent again, its content may be delivered twice.
    ///
    /// Returns false if the request was not sent, because there were no credentials or no
    /// connection was established, or if AWS responded with an error.
    #[must_use]
    pub const fn response_lost(&self) -> bool {
        matches!(self.kind, FailureKind::Lost)
    }
}

impl FailureKind {
    /// Returns the value of the metric label `outcome`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::Rejected | Self::Failed | Self::Lost => "failed",
        }
    }
}

/// Returns the [`CallError`] of a failed call. `service` is the prefix of the service in IAM action
/// names.
pub(crate) fn classify<E>(
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
    let full_text = DisplayErrorContext(error).to_string();
    let kind = match kind_of(code.unwrap_or_default(), status, &full_text) {
        FailureKind::Failed if may_have_arrived(error) => FailureKind::Lost,
        kind => kind,
    };
    let message = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::message);
    let text = if kind == FailureKind::Denied {
        denied(
            &format!("{service}:{operation}"),
            code.unwrap_or_default(),
            message.unwrap_or(&full_text),
        )
    } else {
        let message = message.map_or_else(|| with_sources(error), str::to_owned);
        match (code, status) {
            (Some(code), _) => format!("{code}: {message}"),
            (None, Some(status)) => format!("status {status}: {message}"),
            (None, None) => message,
        }
    };
    CallError {
        operation,
        kind,
        text,
    }
}

/// Returns a text that says why a call was denied and how to fix it. `action` is the IAM action of
/// the operation. The text names `action` if AWS does not say which permission is missing.
pub(super) fn denied(action: &str, code: &str, message: &str) -> String {
    if let Some(clock_skew) = describe_clock_skew(code, message) {
        return clock_skew;
    }
    if let Some(denial) = Denial::parse(message) {
        return denial.to_string();
    }
    let message = summary(message);
    if NOT_ALLOWED.iter().any(|known| code.contains(known)) {
        format!("access denied: grant `{action}` to the daemon's role ({message})")
    } else if code.contains("ExpiredToken") {
        format!(
            "the AWS credentials have expired: renew them, or give the daemon a role, whose \
             credentials are renewed automatically ({message})"
        )
    } else {
        format!(
            "no valid AWS credentials: give the daemon a role or a profile, or set the environment \
             variables `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` ({message})"
        )
    }
}

/// Joins the messages of an error and its sources, because often only the last source names the
/// reason, such as `Connection refused`. Omits a message that the text already contains.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    text
}

/// Returns the message without the debug output that the SDK appends in parentheses.
pub(super) fn summary(message: &str) -> &str {
    message.split(" (").next().unwrap_or_default()
}

pub(super) fn kind_of(code: &str, status: Option<u16>, full_text: &str) -> FailureKind {
    let has = |parts: &[&str]| parts.iter().any(|part| code.contains(part));
    if has(&["Throttl", "RequestLimitExceeded", "TooManyRequests"]) || status == Some(429) {
        FailureKind::Throttled
    } else if has(&NOT_ALLOWED)
        || has(&[
            "RequestTimeTooSkewed",
            "RequestExpired",
            "RequestInTheFuture",
            "UnrecognizedClient",
            "InvalidClientTokenId",
            "ExpiredToken",
            "Signature",
            "MissingAuthentication",
            "OptInRequired",
        ])
        || (code.is_empty() && full_text.contains("credentials"))
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
        FailureKind::Rejected
    } else {
        FailureKind::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_classified_by_code_status_and_text() {
        for (code, status, full_text, expected) in [
            ("ThrottlingException", Some(400), "", FailureKind::Throttled),
            ("", Some(429), "", FailureKind::Throttled),
            ("AccessDeniedException", Some(403), "", FailureKind::Denied),
            ("ExpiredToken", Some(403), "", FailureKind::Denied),
            ("NotAuthorized", Some(401), "", FailureKind::Denied),
            ("RequestExpired", Some(400), "", FailureKind::Denied),
            (
                "",
                None,
                "no providers in chain provided credentials",
                FailureKind::Denied,
            ),
            (
                "InvalidParameterValue",
                Some(400),
                "",
                FailureKind::Rejected,
            ),
            ("", Some(413), "", FailureKind::Rejected),
            ("InternalServiceFault", Some(500), "", FailureKind::Failed),
            ("", None, "dispatch failure", FailureKind::Failed),
        ] {
            assert_eq!(
                kind_of(code, status, full_text),
                expected,
                "{code} {status:?}"
            );
        }
    }

    #[test]
    fn the_text_of_a_denied_call_says_how_to_fix_it() {
        for (code, message, expected) in [
            (
                "AccessDeniedException",
                "Access Denied",
                "access denied: grant `cloudwatch:PutMetricAlarm` to the daemon's role (Access Denied)",
            ),
            (
                "AccessDenied",
                "User: arn:aws:iam::1:user/a is not authorized to perform: cloudwatch:TagResource \
                 because no identity-based policy allows the cloudwatch:TagResource action",
                "access denied: grant `cloudwatch:TagResource` to arn:aws:iam::1:user/a",
            ),
            (
                // Source: github.com/aws/aws-sdk-ruby/issues/3162
                "ExpiredToken",
                "The security token included in the request is expired",
                "the AWS credentials have expired: renew them, or give the daemon a role, whose \
                 credentials are renewed automatically (The security token included in the request is expired)",
            ),
            (
                "InvalidSignatureException",
                "Signature expired: 20210309T162431Z is now earlier than 20210309T163358Z \
                 (20210309T163858Z - 5 min.)",
                "this host's clock is 14 min 27 s behind AWS's; synchronize it with NTP",
            ),
            (
                // If a role cannot be assumed, only the SDK's debug output contains AWS's message.
                "",
                "dispatch failure: other: Error { message: \"User: arn:aws:iam::1:user/a is not \
                 authorized to perform: sts:AssumeRole on resource: arn:aws:iam::2:role/b\" }",
                "access denied: grant `sts:AssumeRole` on `arn:aws:iam::2:role/b` to \
                 arn:aws:iam::1:user/a",
            ),
        ] {
            assert_eq!(denied("cloudwatch:PutMetricAlarm", code, message), expected);
        }
    }
}
