//! Classifies failed reads, and says how to fix a denied one.
//!
//! The text of an error contains the first line of AWS's message, but never the body of a response:
//! configurations contain secrets, and AWS's message about a wrong signature repeats the signed
//! headers with the session token.

use serde_json::Value;

use super::xml;
use crate::io::aws::FailureKind;
use crate::io::aws::denial::Denial;
use crate::io::aws::failure::{NOT_ALLOWED, denied, kind_of};

/// The error of a failed read. Its text is one line and contains no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A permission is missing, or the credentials are missing or invalid.
    #[error("{text}")]
    Denied {
        /// The missing IAM action, such as `lambda:GetPolicy`. `None` if the credentials are the
        /// reason.
        action: Option<String>,
        /// The reason and how to fix it.
        text: String,
    },
    /// AWS says that the resource does not exist. A status 404 without such an error code is not
    /// classified as this variant, because it may be from a proxy or a wrong endpoint.
    #[error("{0}")]
    NotFound(String),
    /// AWS throttled the call, or the daemon's own rate limit does not allow it soon enough.
    #[error("{0}")]
    Throttled(String),
    /// The connection failed, the credentials or the complete response did not arrive in time, or
    /// the service responded with a status 5xx.
    #[error("{0}")]
    Unreachable(String),
    /// The request is invalid: it could not be built or signed, or AWS rejected it. The same
    /// request would fail again.
    #[error("{0}")]
    Rejected(String),
    /// The response is too large or does not have AWS's format. The same request would get the same
    /// response.
    #[error("{0}")]
    Malformed(String),
}

/// The maximum number of characters of AWS's message that are kept.
const MAX_MESSAGE: usize = 400;

/// Substrings of the error codes that AWS returns for a missing resource, such as
/// `ResourceNotFoundException` and `TargetGroupNotFound`.
const MISSING: [&str; 3] = ["NotFound", "NoSuch", "Nonexistent"];

impl ReadError {
    /// Returns the class of the failure, which decides whether a retry may succeed.
    #[must_use]
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::Denied { .. } => FailureKind::Denied,
            Self::NotFound(_) | Self::Rejected(_) | Self::Malformed(_) => FailureKind::Rejected,
            Self::Throttled(_) => FailureKind::Throttled,
            // Reads may be repeated, so it does not matter whether the request arrived.
            Self::Unreachable(_) => FailureKind::Failed,
        }
    }

    /// Returns the error of a response whose status is not 2xx. `action` is the IAM action of the
    /// operation, and `error_type` is the header `x-amzn-errortype`.
    pub(super) fn of_response(
        action: &str,
        status: u16,
        error_type: Option<&str>,
        body: &[u8],
    ) -> Self {
        let (code, message) = code_and_message(error_type, body);
        let text = match (code.as_str(), message.as_str()) {
            ("", "") => format!("status {status}"),
            ("", message) => format!("status {status}: {message}"),
            (code, "") => format!("{code} (status {status})"),
            (code, message) => format!("{code}: {message}"),
        };
        if MISSING.iter().any(|part| code.contains(part)) {
            return Self::NotFound(text);
        }
        match kind_of(&code, Some(status), "") {
            FailureKind::Throttled => Self::Throttled(text),
            FailureKind::Denied => Self::of_denial(action, &code, &message),
            FailureKind::Rejected => Self::Rejected(text),
            FailureKind::Failed | FailureKind::Lost if status >= 500 => Self::Unreachable(text),
            FailureKind::Failed | FailureKind::Lost if code.is_empty() => Self::Malformed(format!(
                "status {status} without an AWS error code; check the endpoint and the proxy"
            )),
            FailureKind::Failed | FailureKind::Lost => Self::Rejected(text),
        }
    }

    fn of_denial(action: &str, code: &str, message: &str) -> Self {
        let named = Denial::parse(message).map(|denial| denial.action.to_owned());
        let lacks_permission = NOT_ALLOWED.iter().any(|known| code.contains(known));
        Self::Denied {
            action: named.or_else(|| lacks_permission.then(|| action.to_owned())),
            text: denied(action, code, message),
        }
    }
}

/// Returns the error code and the message of an error response, each empty if there is none. The
/// supported formats are those of REST JSON (`x-amzn-errortype` and `{"Message": …}`), of JSON 1.1
/// (`{"__type": …, "message": …}`) and of the query protocol (`<Code>` and `<Message>`).
fn code_and_message(error_type: Option<&str>, body: &[u8]) -> (String, String) {
    let (code, message) = if let Ok(json) = serde_json::from_slice::<Value>(body) {
        let field = |names: &[&str]| -> Option<String> {
            let value = names.iter().find_map(|name| json.get(*name)?.as_str());
            value.map(str::to_owned)
        };
        (
            field(&["__type", "code", "Code"]),
            field(&["message", "Message"]),
        )
    } else {
        let body = String::from_utf8_lossy(body);
        (xml::text(&body, "Code"), xml::text(&body, "Message"))
    };
    let code = error_type
        .map(str::to_owned)
        .or(code)
        .map(|code| shape_name(&code).to_owned());
    let message = message.map(|message| safe_line(&message));
    (code.unwrap_or_default(), message.unwrap_or_default())
}

/// Returns the name in an error code of the format `NAMESPACE#NAME:URL`, in which the namespace and
/// the URL are optional.
fn shape_name(code: &str) -> &str {
    let code = code.rsplit('#').next().unwrap_or_default();
    code.split(':').next().unwrap_or_default().trim()
}

/// Returns the first line of AWS's message, up to a repeated `Authorization` header and at most
/// [`MAX_MESSAGE`] characters long. After the first line, AWS's message about a wrong signature
/// contains the signed headers with the session token.
fn safe_line(message: &str) -> String {
    let line = message.trim().lines().next().unwrap_or_default();
    let line = line.split("Authorization=").next().unwrap_or_default();
    line.trim_end().chars().take(MAX_MESSAGE).collect()
}

#[cfg(test)]
mod tests;
