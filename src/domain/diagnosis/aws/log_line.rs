//! Parses the log line of a request and reduces the line to its meaning.
//!
//! There are two formats: a JSON line of the access log of an HTTP or REST API, and the lines of
//! one request in the execution log of a REST API. The meaning follows from one of AWS's phrases or
//! from the status of the Lambda service. If phrases contradict each other, the meaning is
//! `Unknown`. The text of an exception may contain any phrase, so a phrase counts only at the place
//! where AWS writes the phrase. A finding never contains the text of a line.

mod fields;
mod phrase;

use std::time::Duration;

use self::fields::Fields;
use crate::domain::diagnosis::aws::{LogFinding, LogSource, LogTemplate};

/// Minimum integration latency at which a missing integration request id does not prove that Lambda
/// was not called. The id is set when the integration responds, so a call that timed out has no id.
/// Lambda rejects a call in much less time (less than 0.2 s in all captures).
const CALLED_FROM: Duration = Duration::from_secs(1);

/// The character at the start of an execution log event, before the request id.
const EXECUTION_LINE: char = '(';

/// Parses a JSON line of an access log into the request id and the finding. The keys are `$context`
/// variable names in dotted, nested, camel-case, or underscore form; `-` means unset. `None` if the
/// text is not a JSON object or has no request id.
#[must_use]
pub fn read_access_line(text: &str) -> Option<(String, LogFinding)> {
    let fields = Fields::read(text)?;
    let id = fields
        .text(&["requestid", "request.id"])
        .or_else(|| fields.text(&["extendedrequestid", "extended.request.id"]))?;
    let status = fields.status(&["status"]);
    let service_status = fields.status(SERVICE_STATUS);
    let latency = fields.milliseconds(&["integrationlatency", "integration.latency"]);
    let wrapped = fields.text(INTEGRATION_ERROR).and_then(phrase::of_function);
    let template = if wrapped.is_none() && phrase::contains_wrapper(text) {
        // AWS's wrapper around an exception is in a field where AWS does not write it. The text of
        // the exception may have broken out of its own field, so no phrase can be trusted.
        LogTemplate::Unknown
    } else {
        wrapped.unwrap_or_else(|| access_template(&fields, status, service_status))
    };
    let finding = LogFinding {
        source: LogSource::AccessLog,
        template,
        status,
        integration_status: service_status.or_else(|| fields.status(CODE_STATUS)),
        invoked: if refused_by_service(status, service_status) {
            Some(false)
        } else {
            invoked(template, fields.logged(INTEGRATION_REQUEST), latency)
        },
        integration_latency: latency,
    };
    Some((id.to_owned(), finding))
}

/// Returns whether a JSON object has a field that only the access log of an API has. The whole name
/// must match, because logs of applications may have members such as `integration`.
#[must_use]
pub fn is_of_gateway(text: &str) -> bool {
    Fields::read(text).is_some_and(|fields| fields.logged(ONLY_GATEWAY).is_some())
}

/// Parses all lines of one request in the execution log of a REST API, in any order. `None` if none
/// of the lines begins with a request id in parentheses, states the status, or has a phrase about
/// the integration.
#[must_use]
pub fn read_execution_lines(lines: &[&str]) -> Option<LogFinding> {
    // An event begins with the request id in parentheses. A line without an id continues a split
    // event, such as a body, and may contain anything. Such a line is therefore skipped if another
    // line has an id.
    let has_ids = lines.iter().any(|line| execution_event(line).is_some());
    let messages: Vec<&str> = lines
        .iter()
        .filter_map(|line| {
            if has_ids {
                execution_event(line).map(|(_, message)| message)
            } else {
                Some(line.trim())
            }
        })
        .collect();
    let status = messages.iter().find_map(|line| {
        let rest = line.strip_prefix("Method completed with status:")?;
        leading_status(rest)
    });
    let found: Vec<(LogTemplate, Option<u16>)> = messages
        .iter()
        .filter_map(|line| phrase::of_execution(line))
        .collect();
    if status.is_none() && found.is_empty() && !has_ids {
        return None;
    }
    let before: Vec<LogTemplate> = messages
        .iter()
        .filter_map(|line| phrase::before_integration(line))
        .collect();
    let (template, integration_status) = if before.is_empty() {
        let template = agreed(found.iter().map(|(template, _)| *template));
        (template, found.iter().find_map(|(_, status)| *status))
    } else {
        // The request ended before the integration was called, so the other phrases describe the
        // call of the authorizer.
        (agreed(before.into_iter()), None)
    };
    Some(LogFinding {
        source: LogSource::ExecutionLog,
        template,
        status,
        integration_status,
        invoked: invoked(template, None, None),
        integration_latency: None,
    })
}

/// Names of the field with the status that the Lambda service returned, from AWS's lists of
/// `$context` variables for HTTP APIs and for REST APIs.
const SERVICE_STATUS: &[&str] = &["integrationstatus", "integration.integrationstatus"];
/// Names of the field with the status that the function's code or the backend returned. AWS's pages
/// on HTTP APIs and on REST APIs disagree on whether this status equals [`SERVICE_STATUS`], so no
/// meaning is inferred from this status alone.
const CODE_STATUS: &[&str] = &["integration.status"];
/// Names of the field with AWS's description of an integration error.
const INTEGRATION_ERROR: &[&str] = &[
    "integrationerrormessage",
    "integration.error",
    "integrationerror",
    "integration.error.message",
];
/// Names of the field with the id of the request to the integration. This is Lambda's request id if
/// the request reached Lambda.
const INTEGRATION_REQUEST: &[&str] = &[
    "integrationrequestid",
    "integration.requestid",
    "integration.request.id",
];
/// Names of the field with the API's own error message, which is set only if the API generated the
/// response.
const API_ERROR: &[&str] = &["error.message", "errormessage"];
/// Names of the field with the type of gateway response, which is set only if the API generated the
/// response.
const RESPONSE_TYPE: &[&str] = &[
    "error.responsetype",
    "errorresponsetype",
    "responsetype",
    "error.response.type",
];
/// Names of the field with AWS's description of an authorizer error.
const AUTHORIZER_ERROR: &[&str] = &["authorizer.error", "authorizererror", "authorize.error"];

/// Names of fields that only the access log of an API has, in lowercase.
const ONLY_GATEWAY: &[&str] = &[
    "integrationstatus",
    "integration.integrationstatus",
    "integrationerrormessage",
    "integrationlatency",
    "integrationrequestid",
    "integration.requestid",
    "error.responsetype",
    "errorresponsetype",
    "routekey",
    "resourcepath",
    "apiid",
];

fn access_template(
    fields: &Fields,
    status: Option<u16>,
    service_status: Option<u16>,
) -> LogTemplate {
    // In the log line of a successful response, a phrase does not describe a failure.
    if status.is_some_and(|status| status < 400) {
        return LogTemplate::Unknown;
    }
    let response_type = fields
        .text(RESPONSE_TYPE)
        .and_then(phrase::of_response_type);
    if response_type == Some(LogTemplate::AuthorizerFailure) {
        // The authorizer failed, so a phrase in another field describes the call of the authorizer.
        return LogTemplate::AuthorizerFailure;
    }
    let templates = [
        fields.text(INTEGRATION_ERROR).and_then(phrase::of_gateway),
        fields.text(API_ERROR).and_then(phrase::of_gateway),
        fields
            .text(AUTHORIZER_ERROR)
            .and_then(phrase::of_authorizer),
        response_type,
        throttled(status, service_status),
    ];
    let found = || templates.into_iter().flatten();
    let of_lambda = [LogTemplate::Throttled, LogTemplate::RefusedByLambda].map(Some);
    let by_status_only = || !templates[..4].iter().any(|found| of_lambda.contains(found));
    let is_specific = found().any(|template| !is_vague(template));
    match agreed(found().filter(|template| !is_specific || !is_vague(*template))) {
        LogTemplate::Unknown
            if templates.iter().all(Option::is_none)
                && refused_without_error(fields, status, service_status) =>
        {
            LogTemplate::RefusedWithoutError
        }
        LogTemplate::Throttled if by_status_only() => LogTemplate::ThrottledByStatus,
        template => template,
    }
}

/// Returns whether a template has several possible causes. Such a template is ignored if the same
/// line has a template with a single cause.
fn is_vague(template: LogTemplate) -> bool {
    matches!(
        template,
        LogTemplate::RefusedByLambda | LogTemplate::AuthorizerRefused | LogTemplate::AccessDenied
    )
}

/// Returns `Throttled` if the Lambda service returned 429 and the API returned 5xx; `None`
/// otherwise. If the function itself had returned 429, the API would have relayed that status,
/// unless a parameter mapping had replaced the status. Without a phrase, the caller therefore
/// replaces the result with `ThrottledByStatus`.
fn throttled(status: Option<u16>, service_status: Option<u16>) -> Option<LogTemplate> {
    let own_error = status.is_some_and(|status| status >= 500);
    (own_error && service_status == Some(429)).then_some(LogTemplate::Throttled)
}

/// Returns whether the Lambda service rejected the invocation: Lambda returned a 4xx or 5xx status,
/// and the API returned a different 5xx status. The id of the integration request then does not
/// show that the function ran, because Lambda also assigns an id to a rejected invocation.
fn refused_by_service(status: Option<u16>, service_status: Option<u16>) -> bool {
    status.is_some_and(|status| status >= 500)
        && service_status.is_some_and(|service| service >= 400)
        && service_status != status
}

/// Returns whether the API rejected a response of Lambda without logging an error. This is the case
/// if all of these conditions hold:
/// - Lambda returned 200, and the API generated a 5xx response.
/// - The log format includes the integration error, but the error is unset.
/// - The authorizer error is unset.
/// - The function's code did not return the same status as the API.
fn refused_without_error(
    fields: &Fields,
    status: Option<u16>,
    service_status: Option<u16>,
) -> bool {
    let api_generated = fields.text(API_ERROR).is_some() || fields.text(RESPONSE_TYPE).is_some();
    status.is_some_and(|status| status >= 500)
        && service_status == Some(200)
        && fields.logged(INTEGRATION_ERROR) == Some(false)
        && fields.text(AUTHORIZER_ERROR).is_none()
        && api_generated
        && fields.status(CODE_STATUS) != status
}

/// Returns whether the integration was called; `None` if unknown. If the template does not show
/// this, the result is `request`: whether the id of the integration request is set; `None` if the
/// id is not logged. An unset id proves nothing after a timeout, a failed connection, an internal
/// error, or a `latency` of at least [`CALLED_FROM`]; the result is then `None`.
fn invoked(
    template: LogTemplate,
    request: Option<bool>,
    latency: Option<Duration>,
) -> Option<bool> {
    match template {
        LogTemplate::FunctionError
        | LogTemplate::FunctionTimedOut
        | LogTemplate::MalformedResponse
        | LogTemplate::ResponseTooLarge
        | LogTemplate::ResponseNotMapped
        | LogTemplate::RefusedWithoutError => Some(true),
        LogTemplate::Throttled
        | LogTemplate::ThrottledByStatus
        | LogTemplate::PermissionDenied
        | LogTemplate::RoleNotAssumed
        | LogTemplate::InvalidEndpoint
        | LogTemplate::HeaderClash
        | LogTemplate::AuthorizerFailure
        | LogTemplate::AuthorizerRefused
        | LogTemplate::FunctionMissing
        | LogTemplate::RefusedByLambda
        | LogTemplate::Unsigned
        | LogTemplate::Unauthorized
        | LogTemplate::ApiThrottled
        | LogTemplate::QuotaExceeded
        | LogTemplate::AccessDenied
        | LogTemplate::WafBlocked
        | LogTemplate::WafFailed => Some(false),
        LogTemplate::IntegrationTimeout
        | LogTemplate::NetworkFailure
        | LogTemplate::IntegrationInternalError
        | LogTemplate::TlsFailed
        | LogTemplate::Unknown => match request {
            Some(false)
                if template != LogTemplate::Unknown
                    || latency.is_some_and(|latency| latency >= CALLED_FROM) =>
            {
                None
            }
            known => known,
        },
    }
}

/// Returns the common template if all templates are equal; `Unknown` if they differ or if there are
/// none.
fn agreed(mut templates: impl Iterator<Item = LogTemplate>) -> LogTemplate {
    match templates.next() {
        Some(first) if templates.all(|other| other == first) => first,
        _ => LogTemplate::Unknown,
    }
}

/// Returns the request id and the message of an execution log event, `(id) message`. `None` if the
/// line has no such prefix. The id is a UUID or an extended request id, such as `PDS1PEC4oAMFpyA=`.
#[must_use]
pub fn execution_event(line: &str) -> Option<(&str, &str)> {
    let (id, message) = line.trim().strip_prefix(EXECUTION_LINE)?.split_once(") ")?;
    let is_id_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '=');
    let is_id = !id.is_empty() && id.chars().all(is_id_char);
    is_id.then_some((id, message))
}

/// Returns the HTTP status at the start of a text; `None` if there is no valid status.
fn leading_status(text: &str) -> Option<u16> {
    let text = text.trim_start();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.get(..end)?
        .parse()
        .ok()
        .filter(|status| (100..600).contains(status))
}
