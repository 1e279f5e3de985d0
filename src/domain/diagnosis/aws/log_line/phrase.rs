//! AWS's own phrases, and where in a text they count.
//!
//! Only sourced phrases stand here, each at the place where AWS writes it: at the start of
//! the text, after a prefix that AWS puts before it. The wrapper around an exception is
//! looked for first, and of the exception itself only Lambda's own words for a timeout
//! count, in their exact shape.

use crate::domain::diagnosis::aws::LogTemplate;

/// Before an exception's text, HTTP API (HTTP API troubleshooting page, captured).
const HTTP_WRAPPER: &str = "The Lambda function returned the following error: ";
/// After it.
const HTTP_WRAPPER_END: &str = ". Check your Lambda function code and try again.";
/// Before an exception's text, REST API (captured); a status stands in between.
const REST_WRAPPER: &str = "Lambda execution failed with status ";
/// After the status.
const REST_WRAPPER_REST: &str = " due to customer function error: ";
/// After an exception's text, REST API (captured).
const REST_WRAPPER_END: &str = ". Lambda request id: ";
/// Lambda's own words when a function ran out of its time.
const TIMED_OUT: &str = "Task timed out after ";
/// Before the reason, REST API (captured).
const CONFIGURATION: &str = "Execution failed due to configuration error: ";
/// Before the status of a refused call, REST API (captured).
const INVOCATION_FAILED: &str = "Lambda invocation failed with status: ";

/// What the API says when the call could not be made or used; each opens its text.
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
    ("Rate Exceeded", LogTemplate::Throttled),
    (
        "Execution failed due to a timeout error",
        LogTemplate::IntegrationTimeout,
    ),
    (
        "Endpoint request timed out",
        LogTemplate::IntegrationTimeout,
    ),
];

/// What an exception's text means, if this is AWS's wrapper around one.
pub(super) fn of_function(text: &str) -> Option<LogTemplate> {
    let text = text.trim();
    let message = match text.strip_prefix(HTTP_WRAPPER) {
        Some(rest) => rest.strip_suffix(HTTP_WRAPPER_END).unwrap_or(rest),
        None => rest_wrapper(text)?.1,
    };
    Some(if is_timeout(message) {
        LogTemplate::FunctionTimedOut
    } else {
        LogTemplate::FunctionError
    })
}

/// Whether AWS's wrapper around an exception stands anywhere in a text.
pub(super) fn holds_wrapper(text: &str) -> bool {
    text.contains(HTTP_WRAPPER.trim_end()) || text.contains(REST_WRAPPER_REST)
}

/// What the API says of its integration.
pub(super) fn of_gateway(text: &str) -> Option<LogTemplate> {
    let text = text.trim();
    if invocation_failed(text) == Some(429) {
        return Some(LogTemplate::Throttled);
    }
    let text = text.strip_prefix(CONFIGURATION).unwrap_or(text);
    GATEWAY
        .iter()
        .find(|(phrase, _)| text.starts_with(phrase))
        .map(|(_, template)| *template)
}

/// What the API says of its authorizer. The words of the authorizer itself are a denial
/// like any other and mean nothing here.
pub(super) fn of_authorizer(text: &str) -> Option<LogTemplate> {
    // The page with this phrase was translated; its first words are those of the
    // integration's phrase, whose English is captured.
    text.trim()
        .starts_with("The IAM role configured on the authorizer")
        .then_some(LogTemplate::AuthorizerFailure)
}

/// The kinds of gateway response (`$context.error.responseType`) that have one meaning.
pub(super) fn of_response_type(text: &str) -> Option<LogTemplate> {
    match text.trim() {
        "INTEGRATION_TIMEOUT" => Some(LogTemplate::IntegrationTimeout),
        "INTEGRATION_NETWORK_FAILURE" => Some(LogTemplate::NetworkFailure),
        "AUTHORIZER_FAILURE" | "AUTHORIZER_CONFIGURATION_ERROR" => {
            Some(LogTemplate::AuthorizerFailure)
        }
        _ => None,
    }
}

/// What a line of an execution log says, and the status of the Lambda service in it.
pub(super) fn of_execution(line: &str) -> Option<(LogTemplate, Option<u16>)> {
    let line = line.trim();
    if let Some(template) = of_function(line) {
        return Some((template, rest_wrapper(line).map(|(status, _)| status)));
    }
    // `Endpoint request timed out` is the answer's body, which a function may send too.
    let own = line.starts_with("Execution failed due to") || line.starts_with(INVOCATION_FAILED);
    own.then(|| Some((of_gateway(line)?, invocation_failed(line))))?
}

/// The status and the exception's text inside a REST API's wrapper.
fn rest_wrapper(text: &str) -> Option<(u16, &str)> {
    let (status, message) = text
        .strip_prefix(REST_WRAPPER)?
        .split_once(REST_WRAPPER_REST)?;
    let message = message
        .rsplit_once(REST_WRAPPER_END)
        .map_or(message, |(message, _)| message);
    Some((status.parse().ok()?, message))
}

fn invocation_failed(text: &str) -> Option<u16> {
    super::leading_status(text.strip_prefix(INVOCATION_FAILED)?)
}

/// `RequestId: <uuid> Error: Task timed out after 5.00 seconds`, or the older form with a
/// moment before the id. An exception may use the words, but has no such id before them.
fn is_timeout(message: &str) -> bool {
    let Some((before, after)) = message.trim().split_once(TIMED_OUT) else {
        return false;
    };
    let mut ids = 0;
    for word in before.split_whitespace() {
        match word {
            "RequestId:" | "Error:" => {}
            word if is_uuid(word) => ids += 1,
            word if is_moment(word) => {}
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

fn is_moment(word: &str) -> bool {
    word.ends_with('Z') && word.parse::<jiff::Timestamp>().is_ok()
}
