//! Recognizes the phrases that AWS writes in log lines.
//!
//! Every phrase is from an AWS page or a captured log. A phrase counts only where AWS writes it: at
//! the start of the text, or after a known prefix. AWS writes the message of a function's exception
//! inside a fixed sentence, the wrapper. The wrapper is checked first. Inside the wrapper, only the
//! exact forms of Lambda's messages about a timeout or a response that is too large count.

use crate::domain::diagnosis::aws::LogTemplate;

/// The text before an exception's message in the log of an HTTP API (from AWS's troubleshooting
/// page and captured logs).
const HTTP_WRAPPER: &str = "The Lambda function returned the following error: ";
/// The text after an exception's message in the log of an HTTP API.
const HTTP_WRAPPER_END: &str = ". Check your Lambda function code and try again.";
/// The text before the status and an exception's message in the log of a REST API (from captured
/// logs).
const REST_WRAPPER: &str = "Lambda execution failed with status ";
/// The text between the status and an exception's message in the log of a REST API (from captured
/// logs).
const REST_WRAPPER_MIDDLE: &str = " due to customer function error: ";
/// The text after an exception's message in the log of a REST API (from captured logs).
const REST_WRAPPER_END: &str = ". Lambda request id: ";
/// The text before an exception's message in the access log of a REST API (captured in
/// DataBiosphere/azul#8192). The message follows without a space, and no text follows the message.
const REST_ACCESS_WRAPPER: &str = "Lambda Customer Function Error:";
/// The texts before and after the number of bytes in Lambda's message about a response that is too
/// large (captured in DataBiosphere/azul#8192).
const TOO_LARGE: (&str, &str) = (
    "Response payload size exceeded maximum allowed payload size (",
    " bytes).",
);
/// The text before the seconds in Lambda's message about a function timeout.
const TIMED_OUT: &str = "Task timed out after ";
/// The text before the reason of a configuration error in the log of a REST API (from captured
/// logs).
const CONFIGURATION: &str = "Execution failed due to configuration error: ";
/// The text before the status of a rejected invocation in the log of a REST API (from captured
/// logs).
const INVOCATION_FAILED: &str = "Lambda invocation failed with status: ";

/// The text before the type of a gateway response in the log of a REST API (from captured logs).
const GATEWAY_RESPONSE: &str = "Gateway response type: ";

/// The whole line about a request that a resource policy denies, in the log of a REST API (captured
/// in DataBiosphere/azul#5939).
const DENIED: &str = "The client is not authorized to perform this operation.";

/// The phrases with which the API describes its own errors, such as a failed call of the
/// integration or an unusable response, each with its meaning. Each phrase counts only at the start
/// of a text.
const GATEWAY: &[(&str, LogTemplate)] = &[
    (
        "The IAM role configured on the integration or API Gateway doesn't have permissions to call the integration",
        LogTemplate::PermissionDenied,
    ),
    (
        "Invalid permissions on Lambda function",
        LogTemplate::PermissionDenied,
    ),
    (
        "Malformed Lambda proxy response",
        LogTemplate::MalformedResponse,
    ),
    // The text after this phrase names the field with the wrong type (aws/aws-lambda-go#373).
    (
        "The response from the Lambda function doesn't match the format that API Gateway expects",
        LogTemplate::MalformedResponse,
    ),
    // The role's ARN follows this phrase. The phrase was captured for integrations and for
    // authorizers.
    (
        "API Gateway does not have permission to assume the provided role",
        LogTemplate::RoleNotAssumed,
    ),
    ("Rate Exceeded", LogTemplate::Throttled),
    // A captured line contains the function's ARN after this text (DataBiosphere/azul#7883).
    ("Function not found: arn:", LogTemplate::FunctionMissing),
    // This phrase was captured for a function that had been idle. AWS may also log this phrase for
    // a throttled invocation, so the phrase does not show a single cause.
    (
        "The Lambda service returned a 4xx error",
        LogTemplate::RefusedByLambda,
    ),
    // Captured lines for a VPC link continue with `Connection is closed` or `Connection reset by
    // peer`.
    (
        "Execution failed due to a network error communicating with endpoint",
        LogTemplate::NetworkFailure,
    ),
    (
        "Network error communicating with endpoint",
        LogTemplate::NetworkFailure,
    ),
    (
        "Execution failed due to an vpc link error",
        LogTemplate::NetworkFailure,
    ),
    ("Invalid VpcLink ID: ", LogTemplate::NetworkFailure),
    // LocalStack recorded this phrase from AWS (test_failed_invoke_test_method).
    ("Invalid endpoint address", LogTemplate::InvalidEndpoint),
    // This phrase is from repost.aws/knowledge-center/api-gateway-500-error-vpc.
    (
        "There was an internal error while executing your request",
        LogTemplate::IntegrationInternalError,
    ),
    // These phrases are from repost.aws/knowledge-center/api-gateway-ssl-certificate-errors.
    ("PKIX path building failed", LogTemplate::TlsFailed),
    ("PKIX path validation failed", LogTemplate::TlsFailed),
    // The text after this phrase is the status of the method response that does not exist
    // (repost.aws/knowledge-center/api-gateway-internal-server-error, and captured logs).
    (
        "Output mapping refers to an invalid method response",
        LogTemplate::ResponseNotMapped,
    ),
    // The text after this phrase is the status that the integration returned (from captured logs).
    (
        "No match for output mapping and no default output mapping configured",
        LogTemplate::ResponseNotMapped,
    ),
    // This phrase was captured for a REST API in 2026.
    (
        "There was an error evaluating the AWS WAF rules associated with this API",
        LogTemplate::WafFailed,
    ),
    (
        "Execution failed due to a timeout error",
        LogTemplate::IntegrationTimeout,
    ),
    (
        "Endpoint request timed out",
        LogTemplate::IntegrationTimeout,
    ),
];

/// Returns the meaning of the exception's message inside AWS's wrapper; `None` if the text is not
/// wrapped.
pub(super) fn of_function(text: &str) -> Option<LogTemplate> {
    let text = text.trim();
    let message = if let Some(rest) = text.strip_prefix(HTTP_WRAPPER) {
        rest.strip_suffix(HTTP_WRAPPER_END).unwrap_or(rest)
    } else if let Some(rest) = text.strip_prefix(REST_ACCESS_WRAPPER) {
        rest
    } else {
        rest_wrapper(text)?.1
    };
    Some(if is_timeout(message) {
        LogTemplate::FunctionTimedOut
    } else if is_too_large(message) {
        LogTemplate::ResponseTooLarge
    } else {
        LogTemplate::FunctionError
    })
}

/// Returns whether a text contains AWS's wrapper around an exception, at any place.
pub(super) fn contains_wrapper(text: &str) -> bool {
    text.contains(HTTP_WRAPPER.trim_end())
        || text.contains(REST_WRAPPER_MIDDLE)
        || text.contains(REST_ACCESS_WRAPPER)
}

/// Returns the meaning of the API's message about its integration; `None` without a known phrase.
pub(super) fn of_gateway(text: &str) -> Option<LogTemplate> {
    let text = text.trim();
    if invocation_failed(text) == Some(429) {
        return Some(LogTemplate::Throttled);
    }
    let configuration = text.strip_prefix(CONFIGURATION);
    if configuration.is_some_and(is_header_clash) {
        return Some(LogTemplate::HeaderClash);
    }
    let text = configuration.unwrap_or(text);
    if is_wrong_certificate(text) {
        return Some(LogTemplate::TlsFailed);
    }
    GATEWAY
        .iter()
        .find(|(phrase, _)| text.starts_with(phrase))
        .map(|(_, template)| *template)
}

/// Returns the meaning of the API's message about its authorizer; `None` without a known phrase. A
/// message that the authorizer itself wrote reports a denial and contains no known phrase.
pub(super) fn of_authorizer(text: &str) -> Option<LogTemplate> {
    let text = text.trim();
    // The English text is inferred from a translated page and from the phrase about the
    // integration, which is captured and begins in the same way.
    if text.starts_with("The IAM role configured on the authorizer") {
        return Some(LogTemplate::AuthorizerFailure);
    }
    // This phrase was captured for a function that had been idle. AWS may also log this phrase for
    // other reasons, so the phrase does not show a single cause.
    if text.starts_with("The Lambda service returned a 4xx error") {
        return Some(LogTemplate::AuthorizerRefused);
    }
    // This phrase was captured for an unsigned request to a route with `AWS_IAM`.
    text.starts_with("The request for the IAM Authorizer doesn't match the format")
        .then_some(LogTemplate::Unsigned)
}

/// Returns the meaning of a gateway response type (`$context.error.responseType`); `None` for an
/// unknown type or a type with several meanings.
pub(super) fn of_response_type(text: &str) -> Option<LogTemplate> {
    match text.trim() {
        "INTEGRATION_TIMEOUT" => Some(LogTemplate::IntegrationTimeout),
        "INTEGRATION_NETWORK_FAILURE" => Some(LogTemplate::NetworkFailure),
        "AUTHORIZER_FAILURE" | "AUTHORIZER_CONFIGURATION_ERROR" => {
            Some(LogTemplate::AuthorizerFailure)
        }
        "UNAUTHORIZED" | "EXPIRED_TOKEN" | "INVALID_API_KEY" => Some(LogTemplate::Unauthorized),
        "THROTTLED" => Some(LogTemplate::ApiThrottled),
        "QUOTA_EXCEEDED" => Some(LogTemplate::QuotaExceeded),
        "WAF_FILTERED" => Some(LogTemplate::WafBlocked),
        "ACCESS_DENIED" => Some(LogTemplate::AccessDenied),
        _ => None,
    }
}

/// Returns the meaning of an execution log message, and the status of the Lambda service if the
/// message contains it. `None` without a known phrase.
pub(super) fn of_execution(line: &str) -> Option<(LogTemplate, Option<u16>)> {
    let line = line.trim();
    if let Some(template) = of_function(line) {
        return Some((template, rest_wrapper(line).map(|(status, _)| status)));
    }
    // `Endpoint request timed out` does not count here, because AWS writes this text in a response
    // body, and a function may return the same body.
    let own = line.starts_with("Execution failed due to") || line.starts_with(INVOCATION_FAILED);
    own.then(|| Some((of_gateway(line)?, invocation_failed(line))))?
}

/// Returns the reason why the request ended before the API called the integration, according to an
/// execution log message. `None` if the message has no such reason. In the lines of such a request,
/// other phrases describe the call of the authorizer, not the call of the integration.
pub(super) fn before_integration(line: &str) -> Option<LogTemplate> {
    let line = line.trim();
    let of_authorizer = line == "AuthorizerConfigurationException"
        || line
            .strip_prefix(CONFIGURATION)
            .is_some_and(|reason| reason.starts_with("Authorizer error"));
    if of_authorizer {
        return Some(LogTemplate::AuthorizerFailure);
    }
    if line == DENIED {
        return Some(LogTemplate::AccessDenied);
    }
    let (response_type, _) = line
        .strip_prefix(GATEWAY_RESPONSE)?
        .split_once(" with status code: ")?;
    of_response_type(response_type).filter(|template| {
        matches!(
            template,
            LogTemplate::AuthorizerFailure
                | LogTemplate::Unauthorized
                | LogTemplate::ApiThrottled
                | LogTemplate::QuotaExceeded
                | LogTemplate::WafBlocked
                | LogTemplate::AccessDenied
        )
    })
}

/// Returns the status and the exception's message inside a REST API's wrapper; `None` if the text
/// is not wrapped or its status is not a number.
fn rest_wrapper(text: &str) -> Option<(u16, &str)> {
    let (status, message) = text
        .strip_prefix(REST_WRAPPER)?
        .split_once(REST_WRAPPER_MIDDLE)?;
    let message = message
        .rsplit_once(REST_WRAPPER_END)
        .map_or(message, |(message, _)| message);
    Some((status.parse().ok()?, message))
}

/// Returns whether a configuration error states that the backend's certificate is for another name:
/// `Host name 'x' does not match the certificate subject provided by the peer (CN=y)`.
fn is_wrong_certificate(text: &str) -> bool {
    text.strip_prefix("Host name '").is_some_and(|rest| {
        rest.contains("' does not match the certificate subject provided by the peer")
    })
}

/// Returns whether a configuration error states that the request to the integration would contain
/// a header twice, as in `Content-Length header already present`. LocalStack recorded status 500
/// with this error from AWS. The text is from Apache `HttpClient`, which rejects such a request
/// before sending it.
fn is_header_clash(text: &str) -> bool {
    let name = text.strip_suffix(" header already present");
    name.is_some_and(|name| !name.is_empty() && !name.contains(char::is_whitespace))
}

/// Returns whether a message consists only of Lambda's message about a response that is too large.
fn is_too_large(message: &str) -> bool {
    let number = message.trim().strip_prefix(TOO_LARGE.0).and_then(|rest| {
        rest.strip_suffix(TOO_LARGE.1)
            .or_else(|| rest.strip_suffix(" bytes)"))
    });
    number.is_some_and(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
}

fn invocation_failed(text: &str) -> Option<u16> {
    super::leading_status(text.strip_prefix(INVOCATION_FAILED)?)
}

/// Returns whether a message has the form
/// `RequestId: <uuid> Error: Task timed out after 5.00 seconds`, or the older form with a timestamp
/// before the id. Without the id, the message does not count, because the message of a function's
/// own exception may contain the same words.
fn is_timeout(message: &str) -> bool {
    let Some((before, after)) = message.trim().split_once(TIMED_OUT) else {
        return false;
    };
    let mut ids = 0;
    for word in before.split_whitespace() {
        match word {
            "RequestId:" | "Error:" => {}
            word if is_uuid(word) => ids += 1,
            word if is_timestamp(word) => {}
            _ => return false,
        }
    }
    let seconds = after.trim_end_matches('.').strip_suffix(" seconds");
    ids == 1
        && seconds.is_some_and(|number| {
            !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.')
        })
}

fn is_uuid(word: &str) -> bool {
    word.len() == 36
        && word.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}

fn is_timestamp(word: &str) -> bool {
    word.ends_with('Z') && word.parse::<jiff::Timestamp>().is_ok()
}
