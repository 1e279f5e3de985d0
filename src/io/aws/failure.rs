//! A failed call to AWS, sorted by what to do about it.
//!
//! Only the service's own message or the SDK's one-line summary is kept: the SDK's debug
//! output would repeat requests and answers in a log.

use std::fmt;

use aws_sdk_cloudwatch::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::io::aws::arrival::may_have_arrived;
use crate::io::aws::wording::{self, Denial};

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
    /// Anything else that surely was not carried out: later.
    Failed,
    /// No whole answer came to a request that may have been sent: later, and what it
    /// asked for may then be done twice.
    Lost,
}

/// Codes of a request whose sender is known and may not do this.
const NOT_ALLOWED: [&str; 3] = ["AccessDenied", "NotAuthorized", "UnauthorizedOperation"];

impl CallError {
    /// Whether the request may have been carried out although its answer never came: it
    /// timed out, or the connection broke after it was made. Sent again, what it carries
    /// may arrive twice.
    ///
    /// False where it surely did not count: there were no credentials, no connection was
    /// made, or AWS answered with an error.
    #[must_use]
    pub const fn answer_lost(&self) -> bool {
        matches!(self.kind, FailureKind::Lost)
    }
}

impl FailureKind {
    /// The outcome as a label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::Refused | Self::Failed | Self::Lost => "failed",
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
    let kind = match kind_of(code.unwrap_or_default(), status, &whole) {
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
            message.unwrap_or(&whole),
        )
    } else {
        let message = message.map_or_else(|| chain(error), str::to_owned);
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

/// What mends a denied call. `action` is what the operation itself needs: the fallback
/// where AWS does not say what is missing.
fn denied(action: &str, code: &str, message: &str) -> String {
    if let Some(clock) = wording::clock(code, message) {
        return clock;
    }
    if let Some(denial) = Denial::read(message) {
        return denial.to_string();
    }
    let message = in_one_line(message);
    if NOT_ALLOWED.iter().any(|known| code.contains(known)) {
        format!("access denied: allow `{action}` to the daemon's role ({message})")
    } else if code.contains("ExpiredToken") {
        format!(
            "the AWS credentials have expired: renew them, or give the daemon a role, whose \
             credentials renew themselves ({message})"
        )
    } else {
        format!(
            "no valid AWS credentials: give the daemon a role, a profile or AWS_ACCESS_KEY_ID \
             ({message})"
        )
    }
}

/// An error and what is behind it, down to `Connection refused`; what an error repeats of
/// its source is said once.
fn chain(error: &dyn std::error::Error) -> String {
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

/// The SDK appends its whole debug output in brackets: useless in a log line.
pub(super) fn in_one_line(message: &str) -> &str {
    message.split(" (").next().unwrap_or_default()
}

fn kind_of(code: &str, status: Option<u16>, whole: &str) -> FailureKind {
    let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
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
        || (code.is_empty() && whole.contains("credentials"))
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
            ("NotAuthorized", Some(401), "", FailureKind::Denied),
            ("RequestExpired", Some(400), "", FailureKind::Denied),
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

    #[test]
    fn a_denied_call_says_what_mends_it() {
        for (code, message, expected) in [
            (
                "AccessDeniedException",
                "Access Denied",
                "access denied: allow `cloudwatch:PutMetricAlarm` to the daemon's role (Access Denied)",
            ),
            (
                "AccessDenied",
                "User: arn:aws:iam::1:user/a is not authorized to perform: cloudwatch:TagResource \
                 because no identity-based policy allows the cloudwatch:TagResource action",
                "access denied: allow `cloudwatch:TagResource` to arn:aws:iam::1:user/a",
            ),
            (
                // github.com/aws/aws-sdk-ruby/issues/3162
                "ExpiredToken",
                "The security token included in the request is expired",
                "the AWS credentials have expired: renew them, or give the daemon a role, whose \
                 credentials renew themselves (The security token included in the request is expired)",
            ),
            (
                "InvalidSignatureException",
                "Signature expired: 20210309T162431Z is now earlier than 20210309T163358Z \
                 (20210309T163858Z - 5 min.)",
                "this host's clock is 14 min 27 s behind AWS's: synchronise it (NTP), nothing else \
                 is wrong with the request",
            ),
            (
                // A role that cannot be assumed is told by the SDK in its debug output.
                "",
                "dispatch failure: other: Error { message: \"User: arn:aws:iam::1:user/a is not \
                 authorized to perform: sts:AssumeRole on resource: arn:aws:iam::2:role/b\" }",
                "access denied: allow `sts:AssumeRole` on `arn:aws:iam::2:role/b` to \
                 arn:aws:iam::1:user/a",
            ),
        ] {
            assert_eq!(denied("cloudwatch:PutMetricAlarm", code, message), expected);
        }
    }
}
